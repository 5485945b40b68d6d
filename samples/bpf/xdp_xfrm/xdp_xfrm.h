/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _XDP_XFRM_H
#define _XDP_XFRM_H

/* What the XDP program, the learning side and the tool share. */

#include <linux/types.h>

#define XDP_XFRM_MAX_FLOWS	65536

/**
 * struct xdp_xfrm_key - key of the flow map
 * @ifindex: receiving device
 * @saddr: source address
 * @daddr: destination address
 * @ports: source and destination port; for ICMP echo type, code and identifier
 * @protocol: IP protocol
 * @dscp: TOS octet without its ECN bits
 * @vlan_tci: IEEE 802.1Q tag of the frame, zero without one
 * @reserved: zero, up to a multiple of 8 bytes, which compares fastest
 */
struct xdp_xfrm_key {
	__u32	ifindex;
	__be32	saddr;
	__be32	daddr;
	__be32	ports;
	__u8	protocol;
	__u8	dscp;
	__be16	vlan_tci;
	__u16	reserved[2];
};

#endif /* _XDP_XFRM_H */
