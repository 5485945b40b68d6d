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

/* A flow is emptied: its device, netns or connection goes, or no packet takes it. */
DEFINE_EVENT(xfrm_xdp_flow_class, xfrm_xdp_flow_dead,
	TP_PROTO(const struct xfrm_xdp_flow *flow),
	TP_ARGS(flow));

#define XFRM_XDP_REASONS			\
	EM(XFRM_XDP_NOPACKET,	"NoPacket")	\
	EM(XFRM_XDP_NOPLAIN,	"NoPlain")	\
	EM(XFRM_XDP_NOSTATE,	"NoState")	\
	EM(XFRM_XDP_NODEVICE,	"NoDevice")	\
	EM(XFRM_XDP_NOFILTER,	"NoFilter")	\
	EM(XFRM_XDP_NOCONN,	"NoConntrack")	\
	EM(XFRM_XDP_NOTC,	"NoTc")		\
	EM(XFRM_XDP_NOCLEAR,	"NoClear")	\
	EM(XFRM_XDP_NOROUTE,	"NoRoute")	\
	EM(XFRM_XDP_NOWIRE,	"NoWire")	\
	EM(XFRM_XDP_NONEIGH,	"NoNeigh")	\
	EM(XFRM_XDP_NOMEMORY,	"NoMemory")	\
	EMe(XFRM_XDP_NOOPS,	"NoOps")

#undef EM
#undef EMe
#define EM(a, b)	TRACE_DEFINE_ENUM(a);
#define EMe(a, b)	TRACE_DEFINE_ENUM(a);
XFRM_XDP_REASONS
#undef EM
#undef EMe
#define EM(a, b)	{ a, b },
#define EMe(a, b)	{ a, b }

/* An offer does not become a flow: the end of its counter's name says why. */
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
	TP_printk("saddr=%pI4 daddr=%pI4 protocol=%u ports=%08x iif=%d why=%s",
		  __entry->saddr, __entry->daddr, __entry->protocol,
		  __entry->ports, __entry->iif,
		  __print_symbolic(__entry->why, XFRM_XDP_REASONS))
);

/* A packet that met a flow is handed to the stack. */
TRACE_EVENT(xfrm_xdp_pass,
	TP_PROTO(const struct xfrm_xdp_flow *flow,
		 const struct net_device *dev, int err),
	TP_ARGS(flow, dev, err),
	TP_STRUCT__entry(
		__array(u8, saddr, 4)
		__array(u8, daddr, 4)
		__field(u32, ports)
		__field(u8, protocol)
		__field(int, iif)
		__field(int, err)
	),
	TP_fast_assign(
		memcpy(__entry->saddr, &flow->tuple.saddr, 4);
		memcpy(__entry->daddr, &flow->tuple.daddr, 4);
		__entry->ports = ntohl(flow->tuple.ports);
		__entry->protocol = flow->tuple.protocol;
		__entry->iif = dev->ifindex;
		__entry->err = err;
	),
	TP_printk("saddr=%pI4 daddr=%pI4 protocol=%u ports=%08x iif=%d err=%d",
		  __entry->saddr, __entry->daddr, __entry->protocol,
		  __entry->ports, __entry->iif, __entry->err)
);

#endif /* _TRACE_XFRM_XDP_H */

#include <trace/define_trace.h>
