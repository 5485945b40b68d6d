/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _XDP_XFRM_H
#define _XDP_XFRM_H

/* What the XDP program, the learning side and the tool share. */

#include <linux/types.h>

#define XDP_XFRM_MAX_FLOWS	65536
#define XDP_XFRM_ANY_SPI	0xffffffff

/**
 * struct xdp_xfrm_key - key of the flow map
 * @ifindex: receiving device
 * @saddr: source address
 * @daddr: destination address
 * @ports: source and destination port; for ICMP echo type, code and identifier;
 *	for ESP the SPI
 * @protocol: IP protocol
 * @dscp: TOS octet without its ECN bits
 * @vlan_tci: IEEE 802.1Q tag of the frame, zero without one
 * @sa: zero for a packet that came in clear; else one more than the reqid of the
 *	state it was decrypted with, which survives a rekey; or XDP_XFRM_ANY_SPI for
 *	the flow that those of new states are made with, so that no packet meets it
 *
 * A multiple of 8 bytes compares fastest.
 */
struct xdp_xfrm_key {
	__u32	ifindex;
	__be32	saddr;
	__be32	daddr;
	__be32	ports;
	__u8	protocol;
	__u8	dscp;
	__be16	vlan_tci;
	__u32	sa;
};

#endif /* _XDP_XFRM_H */
