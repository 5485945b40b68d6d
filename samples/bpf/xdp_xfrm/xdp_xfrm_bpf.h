/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _XDP_XFRM_BPF_H
#define _XDP_XFRM_BPF_H

/* The flow map, and the kernel functions that work on flows. */

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "xdp_xfrm.h"

#ifndef __kptr
#define __kptr __attribute__((btf_type_tag("kptr")))
#endif
#ifndef __ksym
#define __ksym __attribute__((section(".ksyms")))
#endif

struct xfrm_xdp_flow {
	int	ifindex;
} __attribute__((preserve_access_index));

/* clang 14 loses the tag of a pointer to a plain struct */
typedef struct xfrm_xdp_flow xfrm_xdp_flow_t;

/**
 * struct xdp_xfrm_value - value of the flow map
 * @flow: the kernel's flow, NULL once it was dropped
 * @packets: sent or decrypted by XDP
 * @bytes: of these packets as they came, with Ethernet header
 */
struct xdp_xfrm_value {
	xfrm_xdp_flow_t __kptr	*flow;
	__u64			packets;
	__u64			bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, XDP_XFRM_MAX_FLOWS);
	__type(key, struct xdp_xfrm_key);
	__type(value, struct xdp_xfrm_value);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} xdp_xfrm_flows SEC(".maps");

extern xfrm_xdp_flow_t *
bpf_xfrm_xdp_flow_acquire(xfrm_xdp_flow_t *flow) __ksym;
extern void bpf_xfrm_xdp_flow_release(xfrm_xdp_flow_t *flow) __ksym;

/* Where the flow is that may do for an ESP packet of a state without one. */
static __always_inline struct xdp_xfrm_key
any_spi(const struct xdp_xfrm_key *key)
{
	struct xdp_xfrm_key any = *key;

	any.ports = 0;
	any.sa = XDP_XFRM_ANY_SPI;
	return any;
}

/* Put a flow into the map, in the place of the one that is there. An entry keeps its
 * counters. Consumes @flow. Returns its entry, or NULL without room.
 */
static __always_inline struct xdp_xfrm_value *
keep_flow(const struct xdp_xfrm_key *key, xfrm_xdp_flow_t *flow)
{
	struct xdp_xfrm_value *value, empty = {};
	xfrm_xdp_flow_t *old;

	bpf_map_update_elem(&xdp_xfrm_flows, key, &empty, BPF_NOEXIST);
	value = bpf_map_lookup_elem(&xdp_xfrm_flows, key);
	old = value ? bpf_kptr_xchg(&value->flow, flow) : flow;
	if (old)
		bpf_xfrm_xdp_flow_release(old);
	return value;
}

#endif /* _XDP_XFRM_BPF_H */
