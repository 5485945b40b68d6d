/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM xfrm_xdp

#if !defined(_TRACE_XFRM_XDP_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_XFRM_XDP_H

#include <linux/netdevice.h>
#include <linux/tracepoint.h>
#include <net/xfrm_xdp.h>

DECLARE_EVENT_CLASS(xfrm_xdp_flow_class,
	TP_PROTO(const struct xfrm_xdp_flow *flow),
	TP_ARGS(flow),
	TP_STRUCT__entry(
		__array(u8, saddr, 4)
		__array(u8, daddr, 4)
		__field(u32, ports)
		__field(u8, protocol)
		__field(int, iif)
		__field(int, oif)
	),
	TP_fast_assign(
		memcpy(__entry->saddr, &flow->tuple.saddr, 4);
		memcpy(__entry->daddr, &flow->tuple.daddr, 4);
		__entry->ports = ntohl(flow->tuple.ports);
		__entry->protocol = flow->tuple.protocol;
		__entry->iif = flow->iif;
		__entry->oif = flow->ifindex;
	),
	TP_printk("saddr=%pI4 daddr=%pI4 protocol=%u ports=%08x iif=%d oif=%d",
		  __entry->saddr, __entry->daddr, __entry->protocol,
		  __entry->ports, __entry->iif, __entry->oif)
);

/* The stack forwarded the first packet of a flow, and the map took it. */
DEFINE_EVENT(xfrm_xdp_flow_class, xfrm_xdp_learn,
	TP_PROTO(const struct xfrm_xdp_flow *flow),
	TP_ARGS(flow));

/* The device or the netns of a flow goes. */
DEFINE_EVENT(xfrm_xdp_flow_class, xfrm_xdp_flow_dead,
	TP_PROTO(const struct xfrm_xdp_flow *flow),
	TP_ARGS(flow));

/* An offer does not become a flow; why is enum xfrm_xdp_stat. */
TRACE_EVENT(xfrm_xdp_refuse,
	TP_PROTO(const struct xfrm_xdp_tuple *tuple, int iif, int why),
	TP_ARGS(tuple, iif, why),
	TP_STRUCT__entry(
		__array(u8, saddr, 4)
		__array(u8, daddr, 4)
		__field(u32, ports)
		__field(u8, protocol)
		__field(int, iif)
		__field(int, why)
	),
	TP_fast_assign(
		memcpy(__entry->saddr, &tuple->saddr, 4);
		memcpy(__entry->daddr, &tuple->daddr, 4);
		__entry->ports = ntohl(tuple->ports);
		__entry->protocol = tuple->protocol;
		__entry->iif = iif;
		__entry->why = why;
	),
	TP_printk("saddr=%pI4 daddr=%pI4 protocol=%u ports=%08x iif=%d why=%d",
		  __entry->saddr, __entry->daddr, __entry->protocol,
		  __entry->ports, __entry->iif, __entry->why)
);

/* A packet that met a flow is handed to the stack. */
TRACE_EVENT(xfrm_xdp_pass,
	TP_PROTO(const struct xfrm_xdp_flow *flow,
		 const struct net_device *dev, int err),
	TP_ARGS(flow, dev, err),
	TP_STRUCT__entry(
		__array(u8, saddr, 4)
		__array(u8, daddr, 4)
		__field(int, iif)
		__field(int, err)
	),
	TP_fast_assign(
		memcpy(__entry->saddr, &flow->tuple.saddr, 4);
		memcpy(__entry->daddr, &flow->tuple.daddr, 4);
		__entry->iif = dev->ifindex;
		__entry->err = err;
	),
	TP_printk("flow saddr=%pI4 daddr=%pI4 iif=%d err=%d",
		  __entry->saddr, __entry->daddr, __entry->iif, __entry->err)
);

#endif /* _TRACE_XFRM_XDP_H */

#include <trace/define_trace.h>
