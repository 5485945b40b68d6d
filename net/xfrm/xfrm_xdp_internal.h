/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _XFRM_XDP_INTERNAL_H
#define _XFRM_XDP_INTERNAL_H

/* What the files of XFRM for XDP share among themselves. */

#include <linux/if_vlan.h>
#include <linux/local_lock.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/siphash.h>
#include <linux/tcp.h>
#include <linux/workqueue.h>
#include <net/inet_ecn.h>
#include <net/ip.h>
#include <net/net_namespace.h>
#include <net/protocol.h>
#include <net/raw.h>
#include <net/tcp.h>
#include <net/xfrm.h>
#include <net/xfrm_xdp.h>

struct ctl_table_header;
struct seq_file;

#define XFRM_XDP_FLOW_BUCKETS	64
/* A flow is let go when it was found unused so often: after five minutes */
#define XFRM_XDP_GC_IDLE	150

/**
 * struct xfrm_xdp_bucket - flows by the device of their route
 * @lock: protects @flows and the emptying of the flows in it
 * @num: how many there are
 * @flows: flows, linked by their node
 */
struct xfrm_xdp_bucket {
	spinlock_t		lock; /* protects flows and num */
	unsigned int		num;
	struct list_head	flows;
};

/**
 * struct xfrm_xdp_net - state per netns
 * @genid: generation of all verdicts, see xfrm_xdp_invalidate()
 * @lock: of those who change something
 * @changed: generation in which something changed last, but for the rules
 * @rules_changed: the same for the rules with each bit of xfrm_xdp_rules_bit()
 * @turns: rt_genid_ipv4() when next hops were taken by turns last
 * @per_cpu: it has had states for the packets of one CPU
 * @dead: the netns is going, no flow may be made
 * @mib: counters
 * @net: the netns
 * @ops: the program that takes the flows
 * @hold: flows not to be offered, there before @ops
 * @rules: those that kept flows out, there before @ops
 * @trust_filter: sysctl: the verdict on one packet is that on its flow
 * @slow_mark: sysctl: packets with one of these bits in their mark are not learned
 * @sysctl: table of the two
 * @raw_esp: raw sockets that may want ESP
 * @secret: key of the records' siphash
 * @gc: looks after them
 * @bucket: all flows that are not empty
 */
struct xfrm_xdp_net {
	atomic_t			genid;
	spinlock_t			lock; /* protects genid and changed */
	u32				changed;
	u32				rules_changed[BITS_PER_TYPE(u64)];
	atomic_t			turns;
	bool				per_cpu;
	bool				dead;
	unsigned long __percpu		*mib;
	struct net			*net;
	struct xfrm_xdp_ops __rcu	*ops;
	struct xfrm_xdp_hold		*hold;
	struct xfrm_xdp_rules		*rules;
	u8				trust_filter;
	u32				slow_mark;
	struct ctl_table_header		*sysctl;
	const struct hlist_head		*raw_esp;
	siphash_key_t			secret;
	struct delayed_work		gc;
	struct xfrm_xdp_bucket		bucket[XFRM_XDP_FLOW_BUCKETS];
};

struct xfrm_xdp_net *xfrm_xdp_pernet(const struct net *net);

static inline void xfrm_xdp_count(const struct xfrm_xdp_net *xnet,
				  enum xfrm_xdp_stat stat)
{
	this_cpu_inc(xnet->mib[stat]);
}

/* What ip_rcv_core() counts for a packet of @len bytes with this @tos. */
static __always_inline void xfrm_xdp_mib_in(struct ipstats_mib __percpu *mib,
					    u8 tos, u32 len)
{
	__SNMP_UPD_PO_STATS64(mib, IPSTATS_MIB_IN, len);
	__SNMP_INC_STATS64(mib, IPSTATS_MIB_NOECTPKTS + (tos & INET_ECN_MASK));
}

/* Of the outer header, without ECN. */
static inline u8 xfrm_xdp_outer_tos(const struct xfrm_state *x, u8 dscp)
{
	return x->props.extra_flags & XFRM_SA_XFLAG_DONT_ENCAP_DSCP ? 0 : dscp;
}

/**
 * xfrm_xdp_socket_listens() - does a raw socket get a copy of ESP packets?
 * @xnet: netns
 *
 * Under RCU.
 *
 * Return: true if there may be one, as raw_local_deliver() looks for it.
 */
static inline bool xfrm_xdp_socket_listens(const struct xfrm_xdp_net *xnet)
{
	return !hlist_empty(xnet->raw_esp);
}

/* Leave nothing of a frame that must not be sent, only a link layer header. */
static inline void xfrm_xdp_consume(struct xdp_buff *xdp)
{
	xdp->data_end = xdp->data + ETH_HLEN;
}

/* Can XDP on @in redirect to @dev? Generic XDP sends skbs on any device. */
static inline bool xfrm_xdp_can_send(const struct net_device *dev,
				     const struct net_device *in)
{
	return dev->xdp_features & NETDEV_XDP_ACT_NDO_XMIT ||
	       rcu_access_pointer(in->xdp_prog);
}

/* Is there a module that lets GRO decrypt ESP? */
static inline bool xfrm_xdp_gro_loaded(void)
{
#if IS_ENABLED(CONFIG_IPV6)
	if (rcu_access_pointer(inet6_offloads[IPPROTO_ESP]))
		return true;
#endif
	return rcu_access_pointer(inet_offloads[IPPROTO_ESP]);
}

/* Would GRO decrypt ESP packets of @dev, if its driver used GRO? */
static inline bool xfrm_xdp_gro_can(const struct net_device *dev)
{
	return unlikely(rcu_access_pointer(inet_offloads[IPPROTO_ESP])) &&
	       dev->features & NETIF_F_GRO &&
	       !rcu_access_pointer(dev->xdp_prog);
}

/**
 * struct xfrm_xdp_origin - what a flow inherits from its first packet
 * @tuple: selector
 * @iif: index of the receiving device
 * @in_ifindex: index of the device that the stack received it on
 * @tunnel_ifindex: index of the tunnel device it was routed to; of an ESP packet
 *	the one that got what was inside; or 0
 * @gro: GRO decrypted it
 * @vti: VTI got what was decrypted
 * @genid: generation in which the packet was authorised
 * @rt_genid: rt_genid_ipv4() before it was routed
 * @dmac: destination MAC
 * @vlan_tci: tag it was sent with, or 0
 * @queue: and the queue of the device
 * @if_id: what the stack asked XFRM for
 * @sa: state that it was decrypted with, or NULL
 * @judged: netfilter saw it
 * @trusted: what may judge each packet did, and xfrm_xdp_trust_filter is on
 * @changed: a rule changes packets, and nobody may trust it for that
 * @asked: who of it was asked
 * @outer: it is encrypted now
 * @ct: its connections, in clear and encrypted
 * @fl: what the stack asked XFRM for
 * @fwd: policies that let it be forwarded, and go in clear
 * @in: policies that let it in, at VTI
 */
struct xfrm_xdp_origin {
	struct xfrm_xdp_tuple	tuple;
	int			iif;
	int			in_ifindex;
	int			tunnel_ifindex;
	bool			gro;
	bool			vti;
	u32			genid;
	int			rt_genid;
	u8			dmac[ETH_ALEN];
	__be16			vlan_tci;
	u16			queue;
	u32			if_id;
	struct xfrm_state	*sa;
	bool			judged;
	bool			trusted;
	bool			changed;
	bool			outer;
	u64			asked;
	struct nf_conntrack_flow ct[2];
	struct flowi		fl;
	struct xfrm_xdp_pols	fwd;
	struct xfrm_xdp_pols	in;
};

/**
 * xfrm_xdp_came() - how a packet came
 * @x: state that it was decrypted with, or NULL
 * @vti: VTI got what was decrypted
 *
 * Return: a number to compare: packets of one flow all came the same way.
 */
static __always_inline unsigned long xfrm_xdp_came(const struct xfrm_state *x,
						   bool vti)
{
	return (unsigned long)x | vti;
}

/**
 * struct xfrm_xdp_through - the packet that this CPU decrypted last
 * @nonce: what its record says
 * @data: where its frame begins; NULL after it was forwarded
 * @rxq: where it came in
 * @came: xfrm_xdp_came()
 * @spi: of the state
 * @daddr: of the state
 * @vti: if @came says so, index of the VTI that gets it
 */
struct xfrm_xdp_through {
	u64				nonce;
	const void			*data;
	const struct xdp_rxq_info	*rxq;
	unsigned long			came;
	__be32				spi;
	__be32				daddr;
	u32				vti;
};

DECLARE_PER_CPU(struct xfrm_xdp_through, xfrm_xdp_decrypted);

/**
 * xfrm_xdp_through() - was this packet decrypted by the program that has it?
 * @xdp: packet
 *
 * Its record must be there, as xfrm_xdp_input() left it, and in front of the
 * same place. A packet that comes later has no metadata, and overwrites the
 * number even if a program claims some. BH off.
 *
 * Return: how, or NULL.
 */
static inline const struct xfrm_xdp_through *
xfrm_xdp_through(const struct xdp_buff *xdp)
{
	const struct xfrm_xdp_through *through;
	const struct xfrm_xdp_md *md = xdp->data_meta;

	if (likely(!(xdp->flags & XDP_FLAGS_DECRYPTED)) ||
	    (const void *)(md + 1) != xdp->data)
		return NULL;

	through = this_cpu_ptr(&xfrm_xdp_decrypted);
	return through->data == xdp->data && through->rxq == xdp->rxq &&
	       through->nonce == md->mac ? through : NULL;
}

bool xfrm_xdp_unclear(const struct xdp_buff *xdp);

/* Was it decrypted, or may it have been? */
static inline bool xfrm_xdp_maybe_through(const struct xdp_buff *xdp)
{
	return unlikely(xdp->flags & XDP_FLAGS_DECRYPTED) &&
	       (xfrm_xdp_through(xdp) || xfrm_xdp_unclear(xdp));
}

/* Of an IPv4 packet that carries TCP; true if it opens or closes a connection. */
static inline bool xfrm_xdp_tcp_control(const struct iphdr *iph)
{
	const struct tcphdr *th = (const struct tcphdr *)(iph + 1);

	return ntohs(iph->tot_len) < sizeof(*iph) + sizeof(*th) ||
	       tcp_flag_byte(th) & (TCPHDR_SYN | TCPHDR_FIN | TCPHDR_RST);
}

/* Under RCU; false if one of the policies is about to be freed. */
static inline bool xfrm_xdp_pols_hold(struct xfrm_xdp_pols *to,
				      const struct xfrm_xdp_pols *from)
{
	for (to->num = 0; to->num < from->num; to->num++) {
		to->pols[to->num] = from->pols[to->num];
		if (!refcount_inc_not_zero(&to->pols[to->num]->refcnt)) {
			xfrm_pols_put(to->pols, to->num);
			return false;
		}
	}

	return true;
}

/* The device that the references of a flow hold. */
static inline const struct net_device *
xfrm_xdp_flow_home(const struct xfrm_xdp_flow *flow)
{
	return flow->neigh ? flow->neigh->dev : flow->dst->dev;
}

static inline struct xfrm_xdp_bucket *
xfrm_xdp_bucket(struct xfrm_xdp_net *xnet, const struct net_device *dev)
{
	return &xnet->bucket[dev->ifindex % XFRM_XDP_FLOW_BUCKETS];
}

struct neighbour *xfrm_xdp_next_hop(struct dst_entry *dst,
				    const struct xfrm_xdp_origin *origin);
struct xfrm_xdp_flow *
xfrm_xdp_flow_create(struct xfrm_xdp_net *xnet, struct dst_entry *dst,
		     struct neighbour *neigh,
		     const struct xfrm_xdp_origin *origin,
		     enum xfrm_xdp_stat *why);
struct xfrm_xdp_flow *
xfrm_xdp_flow_create_in(struct xfrm_xdp_net *xnet, struct dst_entry *dst,
			const struct xfrm_xdp_origin *origin,
			enum xfrm_xdp_stat *why);
void xfrm_xdp_flow_free(struct xfrm_xdp_flow *flow);
void xfrm_xdp_flow_put(struct xfrm_xdp_flow *flow);
void xfrm_xdp_flows_leave(struct xfrm_xdp_net *xnet,
			  const struct net_device *dev);
void xfrm_xdp_flows_empty(struct xfrm_xdp_net *xnet);
bool xfrm_xdp_gc(struct xfrm_xdp_net *xnet);
void xfrm_xdp_gc_start(struct xfrm_xdp_net *xnet);
void xfrm_xdp_gc_init(struct xfrm_xdp_net *xnet);

enum xfrm_xdp_stat xfrm_xdp_device_check(const struct net *net,
					 const struct xfrm_xdp_origin *origin,
					 struct net_device *dev);
enum xfrm_xdp_stat xfrm_xdp_tc_check(const struct net *net,
				     const struct xfrm_xdp_origin *origin,
				     struct net_device *dev);
enum xfrm_xdp_stat xfrm_xdp_input_check(const struct net *net,
					const struct xfrm_xdp_origin *origin);
enum xfrm_xdp_stat xfrm_xdp_bypass_check(const struct net *net,
					 const struct xfrm_xdp_origin *origin,
					 struct net_device *dev);

bool xfrm_xdp_is_tunnel(const struct net_device *dev);
bool xfrm_xdp_is_vti(const struct net_device *dev);
struct net_device *xfrm_xdp_real_dev(struct net_device *dev);
bool xfrm_xdp_vlan_ok(const struct net_device *dev);
bool xfrm_xdp_vlan_is(const struct net_device *dev, __be16 tci);
const struct net_device *xfrm_xdp_vlan_in(struct net_device *in, __be16 tci);
enum xfrm_xdp_stat xfrm_xdp_check_vlan(const struct xdp_buff *xdp,
				       const struct xfrm_xdp_flow *flow);
__be16 xfrm_xdp_vlan_tci(struct net_device *dev, u8 tos);
void xfrm_xdp_vlan_header(const struct xfrm_xdp_flow *flow, void *network);
void xfrm_xdp_upper_count_in(const struct xfrm_xdp_flow *flow,
			     struct net_device *in, u32 len);
void xfrm_xdp_upper_count_out(const struct xfrm_xdp_flow *flow, u32 len,
			      u32 out_len);

/* The way that packets of a state take to a device. */
static inline u32 xfrm_xdp_hold_way(u32 ifindex, __be32 spi)
{
	return ifindex ^ (__force u32)spi;
}

bool xfrm_xdp_held(const struct xfrm_xdp_net *xnet, u32 way,
		   const struct xfrm_xdp_tuple *tuple);
bool xfrm_xdp_hold(const struct xfrm_xdp_net *xnet, u32 way,
		   const struct xfrm_xdp_tuple *tuple);
void xfrm_xdp_unhold(const struct xfrm_xdp_net *xnet, u32 way,
		     const struct xfrm_xdp_tuple *tuple);
int xfrm_xdp_hold_init(struct xfrm_xdp_net *xnet);
void xfrm_xdp_hold_fini(struct xfrm_xdp_net *xnet);

struct xfrm_xdp_net *xfrm_xdp_offer_net(const struct sk_buff *skb);
struct xfrm_xdp_origin *xfrm_xdp_offer_origin(const struct sk_buff *skb);
void xfrm_xdp_refuse_skb(struct sk_buff *skb, enum xfrm_xdp_stat why);

bool xfrm_xdp_filtered(const struct net *net);
enum xfrm_xdp_stat xfrm_xdp_filter_check(const struct xfrm_xdp_origin *origin);

bool xfrm_xdp_reauthorise(struct xfrm_xdp_flow *flow);

void xfrm_xdp_rules_note(struct xfrm_xdp_net *xnet, const char *table,
			 const char *chain, u64 handle, const char *what);
int xfrm_xdp_rules_init(struct xfrm_xdp_net *xnet);
void xfrm_xdp_rules_fini(struct xfrm_xdp_net *xnet);
int xfrm_xdp_rules_show(struct seq_file *seq, void *v);

int xfrm_xdp_parse(const void *network, const void *end,
		   struct xfrm_xdp_tuple *tuple);
void xfrm_xdp_outer_iph(struct iphdr *top, const struct iphdr *iph,
			const struct xfrm_xdp_flow *flow,
			const struct dst_entry *dst, u32 len);
void xfrm_xdp_link_header(const struct xfrm_xdp_flow *flow, void *network);
/**
 * struct xfrm_xdp_wire - the begin of a frame that was sent
 * @link: Ethernet header, with the tag that the device may insert
 * @link_len: its length
 * @iph: outer IP header
 * @esph: ESP header
 * @l4: begin of any other header
 */
struct xfrm_xdp_wire {
	u8			link[VLAN_ETH_HLEN];
	u8			link_len;
	struct iphdr		iph;
	union {
		struct ip_esp_hdr	esph;
		__be32			l4[2];
	};
};

bool xfrm_xdp_wire_note(struct xfrm_xdp_wire *wire, const struct sk_buff *skb);
bool xfrm_xdp_wire_equal(const struct xfrm_xdp_wire *wire,
			 const struct iphdr *was,
			 const struct xfrm_xdp_flow *flow,
			 const struct dst_entry *dst);

enum xfrm_xdp_stat xfrm_xdp_check_tuple(const struct xfrm_xdp_flow *flow,
					const struct iphdr *iph,
					const void *end);
u32 xfrm_xdp_trailer_len(const struct xfrm_xdp_geometry *geometry, u32 len);
int xfrm_xdp_output(struct xdp_buff *xdp, struct xfrm_xdp_flow *flow);
int xfrm_xdp_input(struct xdp_buff *xdp, struct xfrm_xdp_flow *flow);
int xfrm_xdp_pass(const struct xfrm_xdp_flow *flow, const struct xdp_buff *xdp,
		  enum xfrm_xdp_stat why);

/* How much of the packet there was, if a driver may have filled it up. GRO merges
 * none that was.
 */
static inline u32 xfrm_xdp_short_len(const struct xfrm_xdp_md *md,
				     const struct sk_buff *skb)
{
	return skb_is_gso(skb) || md->short_len > skb->len ? 0 : md->short_len;
}

u64 xfrm_xdp_md_mac(const struct xfrm_xdp_net *xnet,
		    const struct xfrm_xdp_md *md,
		    const struct xfrm_xdp_tuple *tuple);
bool xfrm_xdp_record_take(struct sk_buff *skb, struct xfrm_xdp_md *md);
bool xfrm_xdp_record_of_vti(const struct sk_buff *skb);
int xfrm_xdp_restore_path(struct sk_buff *skb);
bool xfrm_xdp_record_ok(const struct xfrm_xdp_net *xnet,
			const struct xfrm_xdp_md *md, struct sk_buff *skb,
			struct xfrm_xdp_tuple *tuple);
bool xfrm_xdp_record_path(const struct xfrm_xdp_md *md,
			  const struct sk_buff *skb, struct xfrm_state **sa);
struct xfrm_xdp_offer *
xfrm_xdp_offer_new(struct xfrm_xdp_net *xnet, const struct sk_buff *skb,
		   const struct xfrm_xdp_md *md,
		   const struct xfrm_xdp_tuple *tuple, struct xfrm_state *sa);
struct xfrm_xdp_offer *
xfrm_xdp_offer_vti(struct xfrm_xdp_net *xnet, struct sk_buff *skb,
		   const struct xfrm_xdp_md *md,
		   const struct xfrm_xdp_tuple *tuple,
		   const struct net_device *vti);

/* Can a cipher work in the memory of a packet? That of an AF_XDP socket is mapped where
 * a scatterlist can't find it, and belongs to user space.
 */
static inline bool xfrm_xdp_memory_ok(const struct xdp_buff *xdp)
{
	return xdp->rxq->mem.type != MEM_TYPE_XSK_BUFF_POOL;
}

int xfrm_xdp_packet_tuple(const struct xdp_buff *xdp,
			  struct xfrm_xdp_tuple *tuple);
struct xfrm_xdp_flow *
xfrm_xdp_lookup_again(const struct xdp_buff *xdp, struct xfrm_xdp_net *xnet,
		      struct xfrm_xdp_flow *old);
struct xfrm_xdp_flow *
xfrm_xdp_lookup_new(const struct xdp_buff *xdp, struct xfrm_xdp_net *xnet,
		    u32 mark, u32 if_id);

/**
 * struct xfrm_xdp_requests - requests of a CPU
 * @bh_lock: protects @req
 * @req: the one at hand; NULL after it went asynchronous
 */
struct xfrm_xdp_requests {
	local_lock_t		bh_lock; /* protects req */
	struct xfrm_xdp_request	*req;
};

DECLARE_PER_CPU(struct xfrm_xdp_requests, xfrm_xdp_requests);
struct xfrm_xdp_request *xfrm_xdp_request_renew(void);

/**
 * xfrm_xdp_request_put() - end of xfrm_xdp_request_get()
 */
static inline void xfrm_xdp_request_put(void)
{
	local_unlock_nested_bh(&xfrm_xdp_requests.bh_lock);
}

/**
 * xfrm_xdp_request_get() - take this CPU's request
 *
 * Nothing between this and xfrm_xdp_request_put() may run an XDP program. BH
 * off.
 *
 * Return: the request, or NULL, and then there is nothing to put.
 */
static inline struct xfrm_xdp_request *xfrm_xdp_request_get(void)
{
	struct xfrm_xdp_request *req;

	local_lock_nested_bh(&xfrm_xdp_requests.bh_lock);
	req = __this_cpu_read(xfrm_xdp_requests.req);
	if (unlikely(!req))
		req = xfrm_xdp_request_renew();
	if (unlikely(!req))
		xfrm_xdp_request_put();
	return req;
}

bool xfrm_xdp_request_grow(struct xfrm_xdp_request *req, u32 len);
void xfrm_xdp_request_hold(struct xfrm_xdp_request *req, struct xfrm_state *x,
			   struct net_device *dev);

int xfrm_xdp_sysctl_init(struct xfrm_xdp_net *xnet);
void xfrm_xdp_sysctl_fini(struct xfrm_xdp_net *xnet);

int xfrm_xdp_proc_init(struct net *net);
void xfrm_xdp_proc_fini(struct net *net);
int xfrm_xdp_pass_errno(enum xfrm_xdp_stat why);

#endif /* _XFRM_XDP_INTERNAL_H */
