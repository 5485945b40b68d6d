/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _NET_XFRM_XDP_H
#define _NET_XFRM_XDP_H

/**
 * DOC: XFRM from XDP
 *
 * The forwarding fast path of an IPsec gateway. A packet that XDP does not
 * know goes up the stack with a record (&struct xfrm_xdp_md) in its metadata.
 * ip_rcv_core() turns the record into an offer (&struct xfrm_xdp_offer), which
 * travels with the skb. If the packet is really forwarded, and the frame on the
 * wire is what the fast path would have made of it, the offer becomes a flow
 * (&struct xfrm_xdp_flow) and a BPF struct_ops program (&struct xfrm_xdp_ops)
 * puts the flow into a map. Later packets meet the flow in XDP, where
 * bpf_xdp_xfrm_output() encrypts them or lets them go on as they are.
 *
 * The way in is the same story twice. An ESP packet that the stack took through
 * its firewall and decrypted becomes a flow of its own, with which
 * bpf_xdp_xfrm_input() decrypts the next ones. The inner packet then either
 * meets a flow of packets that came through this state, or goes up the stack
 * with a record that says through which.
 *
 * Documentation/networking/xfrm/xfrm_xdp.rst has the design.
 */

#include <crypto/aead.h>
#include <linux/bits.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/jump_label.h>
#include <linux/netdevice.h>
#include <linux/refcount.h>
#include <linux/scatterlist.h>
#include <linux/skbuff.h>
#include <linux/types.h>
#include <net/flow.h>
#include <net/netfilter/nf_conntrack_flow.h>
#include <net/xdp.h>
#include <net/xfrm.h>

struct dst_entry;
struct module;
struct neighbour;
struct net;
struct nf_hook_ops;

#define XFRM_XDP_KEY_LEN	32

/**
 * struct xfrm_xdp_md - the record that crosses from XDP into the stack
 * @magic: XFRM_XDP_MD_MAGIC
 * @ifindex: the device XDP ran on
 * @key: map key chosen by the XDP program, opaque to the kernel
 * @spi: the state that the packet was decrypted with; zero for one that came in
 *	clear
 * @daddr: the same
 * @vti: index of the VTI that gets what was decrypted; or zero
 * @vlan_tci: tag of the frame, which the stack strips; zero without one
 * @held: the flow is not to be learned, only @spi and @daddr count
 * @short_len: length of a decrypted packet that a driver might fill up to the least
 *	one of Ethernet; or zero
 * @mac: siphash, under a secret of the netns, of the rest and the tuple of the
 *	packet: the same for all packets of a flow, so that GRO goes on merging
 *	them. Until bpf_xdp_xfrm_offer() wrote it, that which tells
 *	bpf_xdp_xfrm_output() who was decrypted last. Directly in front of the
 *	frame, where the next one to use the memory overwrites it
 */
struct xfrm_xdp_md {
	u32	magic;
	u32	ifindex;
	u8	key[XFRM_XDP_KEY_LEN];
	__be32	spi;
	__be32	daddr;
	u32	vti;
	__be16	vlan_tci;
	u8	held;
	u8	short_len;
	u64	mac;
};

#define XFRM_XDP_MD_MAGIC	0x78667264

static_assert(sizeof(struct xfrm_xdp_md) == 64);

/**
 * struct xfrm_xdp_tuple - what selects the packets of a flow
 * @saddr: source address
 * @daddr: destination address
 * @ports: source and destination port; ICMP type, code and identifier; SPI
 * @protocol: IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP (echo only) or IPPROTO_ESP
 * @dscp: the TOS octet without its ECN bits; routes, policies and queues may
 *	depend on it
 * @vlan_tci: IEEE 802.1Q tag of the frame, zero without one
 */
struct xfrm_xdp_tuple {
	__be32	saddr;
	__be32	daddr;
	__be32	ports;
	u8	protocol;
	u8	dscp;
	__be16	vlan_tci;
};

static_assert(sizeof(struct xfrm_xdp_tuple) == 2 * sizeof(u64));

/* One counter per outcome and per reason. xfrm_xdp_proc.c has the names and
 * the errno of every reason for passing.
 */
enum xfrm_xdp_stat {
	XFRM_XDP_OUTPUT,		/* sent by the fast path */
	XFRM_XDP_OUTPUTASYNC,		/* of these, completed later */
	XFRM_XDP_OUTPUTERROR,		/* the cipher failed: dropped */
	XFRM_XDP_OUTPUTLOST,		/* completed later, could not be sent */
	XFRM_XDP_INPUT,			/* decrypted by the fast path */
	XFRM_XDP_INPUTERROR,		/* not authentic or no tunnel: dropped */
	XFRM_XDP_FORWARD,		/* decrypted, and sent by the fast path */
	XFRM_XDP_LOOKUP,		/* flows made by bpf_xdp_xfrm_lookup() */
	XFRM_XDP_OFFER,			/* records turned into offers */
	XFRM_XDP_HELD,			/* packets not offered again so soon */
	XFRM_XDP_LEARNED,		/* offers that became flows */
	XFRM_XDP_FLOWDEAD,		/* flows emptied by device, netns, conntrack */
	XFRM_XDP_FLOWEXPIRED,		/* flows emptied that nothing takes */

	/* Why output() or input() passed a packet. */
	XFRM_XDP_PASSKIND,
	XFRM_XDP_PASSDEAD,
	XFRM_XDP_PASSAUTH,
	XFRM_XDP_PASSDEVICE,
	XFRM_XDP_PASSBUFFER,
	XFRM_XDP_PASSMAC,
	XFRM_XDP_PASSHEADER,
	XFRM_XDP_PASSCSUM,
	XFRM_XDP_PASSSELECTOR,
	XFRM_XDP_PASSTTL,
	XFRM_XDP_PASSDST,
	XFRM_XDP_PASSMTU,
	XFRM_XDP_PASSNEIGH,
	XFRM_XDP_PASSTXDEV,
	XFRM_XDP_PASSQUEUE,
	XFRM_XDP_PASSROOM,
	XFRM_XDP_PASSMEMORY,
	XFRM_XDP_PASSBUSY,
	XFRM_XDP_PASSSTATE,
	XFRM_XDP_PASSTHROUGH,
	XFRM_XDP_PASSREPLAY,
	XFRM_XDP_PASSSOCKET,
	XFRM_XDP_PASSCONN,

	/* Why an offer did not become a flow. */
	XFRM_XDP_NOMETA,		/* no offer: no room for a record */
	XFRM_XDP_NORECORD,		/* record forged, stale or misplaced */
	XFRM_XDP_NOPACKET,		/* options, fragment, redirect due ... */
	XFRM_XDP_NOPLAIN,		/* no transformation on this route */
	XFRM_XDP_NOSTATE,		/* a state or mode XDP does not do */
	XFRM_XDP_NODEVICE,		/* a device XDP can't send or trust */
	XFRM_XDP_NOFILTER,		/* netfilter may judge each packet */
	XFRM_XDP_NOCONN,		/* no connection that XDP can track */
	XFRM_XDP_NOTC,			/* tc program, filter or shaping qdisc */
	XFRM_XDP_NOCLEAR,		/* changed before the transformation */
	XFRM_XDP_NOROUTE,		/* next hops are taken by turns */
	XFRM_XDP_NOWIRE,		/* the frame sent is not what XDP makes */
	XFRM_XDP_NONEIGH,		/* no cached link layer header */
	XFRM_XDP_NOMEMORY,
	XFRM_XDP_NOOPS,			/* flow_add() refused, or is not there */

	XFRM_XDP_STAT_MAX
};

/**
 * struct xfrm_xdp_geometry - the sizes that a transformation adds
 * @head: bytes in front of the inner packet: outer headers and IV
 * @tail: constant part of the trailer: padding length, next header, ICV
 * @align: payload plus the first two of the trailer is a multiple of this
 */
struct xfrm_xdp_geometry {
	u16	head;
	u16	tail;
	u16	align;
};

enum xfrm_xdp_kind {
	XFRM_XDP_ENCRYPT,		/* clear text, a bundle encrypts it */
	XFRM_XDP_PLAIN,			/* was decrypted, goes on in clear */
	XFRM_XDP_DECRYPT,		/* ESP to the gateway itself */
};

struct xfrm_xdp_bucket;
struct xfrm_xdp_net;
struct xfrm_type_xdp;

/**
 * struct xfrm_xdp_cipher - how to call the cipher of a state
 * @aead: the state's transform, or the one inside its seqiv
 * @salt: what seqiv XORs the sequence number with
 * @ivlen: length of the IV in the packet
 * @icvlen: length of the ICV
 * @seqiv: IVs are made here, by the rule of seqiv
 * @simd: @aead is a simd wrapper
 * @async: the cipher may return -EINPROGRESS
 */
struct xfrm_xdp_cipher {
	struct crypto_aead	*aead;
	u64			salt;
	u8			ivlen;
	u8			icvlen;
	bool			seqiv;
	bool			simd;
	bool			async;
};

/**
 * struct xfrm_xdp_rewrite - the outer headers of a flow, ready-made
 * @iph: outer IPv4 header, complete but for length, id, ECN, DF and checksum
 * @id_hash: generator of the ids, the same as the stack's
 * @df: IP_DF where the outer header takes it from the inner one, else 0
 * @vlan_tci: IEEE 802.1Q tag, or zero
 * @link_len: length of the link layer header, with the tag
 * @room: what all headers, and the driver, need in front of the inner packet
 * @ecn: false where the state asks for XFRM_STATE_NOECN
 */
struct xfrm_xdp_rewrite {
	struct iphdr	iph;
	u32		id_hash;
	__be16		df;
	__be16		vlan_tci;
	u16		link_len;
	u16		room;
	bool		ecn;
};

/**
 * struct xfrm_xdp_pols - the policies that let the first packet pass
 * @pols: policies, one reference to each; those of two questions at most
 * @num: how many
 */
struct xfrm_xdp_pols {
	struct xfrm_policy	*pols[2 * XFRM_POLICY_TYPE_MAX];
	u8			num;
};

/**
 * struct xfrm_xdp_flow - a forwarded flow and all that is asked per packet
 * @dst: the bundle; for XFRM_XDP_PLAIN the route, for XFRM_XDP_DECRYPT that of
 *	the outer packet. NULL once device or netns have gone (an empty flow)
 * @neigh: next hop of the packet as sent; its device is that of the route, with
 *	a VLAN it is above @dev. NULL for XFRM_XDP_DECRYPT
 * @dev: transmitting device, valid while @dst is
 * @txq: its queue that the first packet was sent from, the same
 * @sa: XFRM_XDP_DECRYPT: state to decrypt with; else the one that the packets
 *	must have come through, or NULL if they must have come in clear. Valid
 *	while @dst is
 * @xnet: the netns, valid while @dst is
 * @type: callbacks for the protocol of the bundle's state
 * @genid: the same as @verdict, or no generation at all: no packet has taken the
 *	flow since xfrm_xdp_gc() looked at it
 * @kind: what to do
 * @ordinary: encrypts what came in clear and netfilter did not see
 * @ordinary_in: decrypts what netfilter did not see, and is neither GRO's nor an xfrm
 *	interface's or VTI's
 * @judged: netfilter saw the first packet
 * @watched: it did, or VTI got it
 * @trusted: what may judge each packet did, and xfrm_xdp_trust_filter was on
 * @came: XFRM_XDP_DECRYPT: how packets come through; else how they must have come,
 *	see xfrm_xdp_came(); only to be compared
 * @iif: index of the receiving device
 * @ifindex: index of @dev, 0 for XFRM_XDP_DECRYPT
 * @dmac: destination MAC of the first packet
 * @h_proto: ETH_P_IP, or ETH_P_8021Q for a frame with a tag
 * @tuple: selector
 * @geometry: sizes
 * @rewrite: outer headers
 * @fwd: policies to keep up the use time of, valid while @dst is
 * @in: the same: those that VTI asked about what was decrypted
 * @refcnt: one for the map, one for each acquired pointer
 * @ct: connections that the packets belong to, as they come in and as they go out
 *	encrypted; valid for an RCU section in which @dst is
 * @cipher: how to encrypt
 * @fl: what the stack asked XFRM for, for bpf_xdp_xfrm_lookup()
 * @if_id: the same; for XFRM_XDP_DECRYPT that of the state
 * @reqid: of the state
 * @mark: XFRM_XDP_DECRYPT: mark that the state gives to what it decrypts
 * @tunnel: xfrm interface or VTI that it is sent to; for XFRM_XDP_DECRYPT the one
 *	that gets what was decrypted; or NULL. Valid while the flow is authorised
 * @vti: VTI that got, or gets, what was decrypted; or NULL. The same
 * @gro: XFRM_XDP_DECRYPT: in the stack GRO would decrypt it
 * @gro_can: the same: GRO of the device would do so, if its driver used it
 * @in_ifindex: index of the device that the stack receives on: @iif, a VLAN
 *	device above it, or the device that got what was decrypted
 * @asked: chains and sets of nf_tables that judged it, by xfrm_xdp_rules_bit()
 * @verdict: generation of the netns in which the flow was last found authorised
 * @idle: how often xfrm_xdp_gc() has found it unused, protected by @bucket
 * @upper: packets pass devices that count them, see xfrm_xdp_upper.c
 * @bucket: the netns' list that it is in, by the device of the route; NULL once empty
 * @node: in @bucket
 * @rcu: freed by RCU
 * @ct_rcu: to put @ct after it was emptied
 *
 * Made by the stack or by bpf_xdp_xfrm_lookup(), immutable but for @genid, @verdict and
 * @idle, and being emptied. It never pins a device, see xfrm_xdp_gc.c.
 */
struct xfrm_xdp_flow {
	struct dst_entry		*dst;
	struct neighbour		*neigh;
	struct net_device		*dev;
	struct netdev_queue		*txq;
	struct xfrm_state		*sa;
	struct xfrm_xdp_net		*xnet;
	const struct xfrm_type_xdp	*type;
	u32				genid;
	u8				kind;
	bool				ordinary;
	bool				ordinary_in;
	bool				judged : 1;
	bool				watched : 1;
	bool				trusted : 1;
	unsigned long			came;
	int				iif;
	int				ifindex;
	u8				dmac[ETH_ALEN];
	__be16				h_proto;
	struct xfrm_xdp_tuple		tuple;

	struct xfrm_xdp_geometry	geometry;
	struct xfrm_xdp_cipher		cipher;
	struct xfrm_xdp_rewrite		rewrite;
	struct xfrm_xdp_pols		fwd;
	struct nf_conntrack_flow	ct[2];

	bool				upper;
	bool				gro;
	bool				gro_can;
	int				in_ifindex;
	u32				if_id;
	u32				reqid;
	u32				mark;
	struct net_device		*tunnel;
	struct net_device		*vti;
	struct xfrm_xdp_pols		in;
	u64				asked;
	u32				verdict;
	u16				idle;
	refcount_t			refcnt;
	struct flowi			fl;
	struct xfrm_xdp_bucket		*bucket;
	struct list_head		node;
	struct rcu_head			rcu;
	struct rcu_head			ct_rcu;
};

/* Room for the context of every cipher that is taken. */
#define XFRM_XDP_REQSIZE	1024

/**
 * struct xfrm_xdp_request - one cipher call
 * @state: who finishes an asynchronous call
 * @err: result of an asynchronous call
 * @room: size of @frame
 * @len: length of what is in it
 * @frame: copy of the frame that an asynchronous cipher works on
 * @priority: of its skb
 * @protocol: its EtherType
 * @x: state, held while asynchronous
 * @dev: transmitting device, held while asynchronous
 * @tracker: of @dev
 * @net_cookie: of the netns that @dev was in
 * @clear: result of a decryption: the inner packet
 * @clear_len: its length
 * @iv: the IV as the cipher wants it
 * @aad: with extended sequence numbers: SPI and number, all 64 bits of it
 * @sg: @aad; the packet from the ESP header on, or behind it after @aad; its
 *	ICV: where an entry begins it is found at once
 * @aead: request of the cipher, with XFRM_XDP_REQSIZE bytes behind it
 *
 * Every CPU has one at hand; it is replaced when a call goes asynchronous.
 */
struct xfrm_xdp_request {
	atomic_t		state;
	int			err;
	u32			room;
	u32			len;
	void			*frame;
	u32			priority;
	__be16			protocol;
	struct xfrm_state	*x;
	struct net_device	*dev;
	netdevice_tracker	tracker;
	u64			net_cookie;
	void			*clear;
	u32			clear_len;
	u8			iv[16] __aligned(16);
	__be32			aad[3];
	struct scatterlist	sg[3];
	struct aead_request	aead;
};

/**
 * struct xfrm_type_xdp - the XDP callbacks of a protocol
 * @owner: module
 * @proto: IPPROTO_ESP
 * @init_flow: may @x be used from XDP? Fill in the flow's geometry
 *	and cipher. Called under RCU, BH off. Returns 0, or -EOPNOTSUPP.
 * @input: decrypt the @len bytes at @esph in place; @seq_hi is the upper half of
 *	an extended sequence number, @req this CPU's request. Called under RCU,
 *	BH off, by xfrm_xdp_input(). Sets the request's @clear and @clear_len to
 *	what is inside. Returns the next header; -ENODATA if the packet is too short, or
 *	-EBUSY if the cipher would not be done on return: then it is untouched.
 *	-EBADMSG if it is not authentic, or another errno: it is spoilt.
 * @output: write header and trailer around the @len bytes of inner packet at
 *	@inner and encrypt in place; @seq is the sequence number taken for the
 *	packet, its upper half zero without ESN, @req this CPU's request. Called
 *	under RCU, BH off, by xfrm_xdp_output() which has checked the room.
 *	Returns 0, -EINPROGRESS (the request's callback will be called, and
 *	the cipher works on what xfrm_xdp_request_copy() returned), or another
 *	errno of the cipher: the packet is spoilt.
 *
 * What &struct xfrm_type is for the skb, and registered beside it.
 */
struct xfrm_type_xdp {
	struct module	*owner;
	u8		proto;
	int		(*init_flow)(struct xfrm_xdp_flow *flow,
				     struct xfrm_state *x);
	int		(*output)(const struct xfrm_xdp_flow *flow,
				  struct xfrm_state *x, void *inner, u32 len,
				  u64 seq, struct xfrm_xdp_request *req);
	int		(*input)(const struct xfrm_xdp_flow *flow,
				 struct xfrm_state *x, struct ip_esp_hdr *esph,
				 u32 len, u32 seq_hi,
				 struct xfrm_xdp_request *req);
};

int xfrm_register_type_xdp(const struct xfrm_type_xdp *type,
			   unsigned short family);
void xfrm_unregister_type_xdp(const struct xfrm_type_xdp *type,
			      unsigned short family);
const struct xfrm_type_xdp *xfrm_get_type_xdp(u8 proto, unsigned short family);
void xfrm_put_type_xdp(const struct xfrm_type_xdp *type);
void xfrm_load_type_xdp(u8 proto, unsigned short family);

void *xfrm_xdp_request_copy(struct xfrm_xdp_request *req,
			    const struct xfrm_xdp_flow *flow,
			    const void *inner, u32 len);
void xfrm_xdp_request_copy_back(const struct xfrm_xdp_request *req,
				const struct xfrm_xdp_flow *flow, void *inner);

#define MODULE_ALIAS_XFRM_XDP_TYPE(family, proto) \
	MODULE_ALIAS("xfrm-xdp-" __stringify(family) "-" __stringify(proto))

/**
 * struct xfrm_xdp_ops - BPF struct_ops, one per netns
 * @flow_add: a flow was learned for the record @md. @flow is trusted for the
 *	call; the program acquires it to keep it in a map. Softirq, RCU held.
 *	Returns 0, or an errno if the program does not want it.
 * @xnet: kernel's own: the netns it is registered in
 */
struct xfrm_xdp_ops {
	int	(*flow_add)(const struct xfrm_xdp_md *md,
			    struct xfrm_xdp_flow *flow);
	struct xfrm_xdp_net	*xnet;
};

struct xfrm_xdp_offer;

/**
 * struct xfrm_xdp_ext - the skb extension SKB_EXT_XFRM_XDP
 * @offer: one reference; NULL after the extension was deleted
 */
struct xfrm_xdp_ext {
	struct xfrm_xdp_offer	*offer;
};

#ifdef CONFIG_XFRM_XDP

/* On while a struct xfrm_xdp_ops is registered in any netns. */
DECLARE_STATIC_KEY_FALSE(xfrm_xdp_learning);
/* On from then on: what XDP decrypted may still be on its way to the stack. */
DECLARE_STATIC_KEY_FALSE(xfrm_xdp_recording);
void __xfrm_xdp_unchecked(struct sk_buff *skb);
int __xfrm_xdp_restore(struct sk_buff *skb);
void __xfrm_xdp_tunnel_in(struct sk_buff *skb);
bool __xfrm_xdp_gro_receive(struct sk_buff *skb);
void __xfrm_xdp_rcv(struct sk_buff *skb);
void __xfrm_xdp_forward(struct sk_buff *skb);
void __xfrm_xdp_clear(struct sk_buff *skb);
struct xfrm_xdp_offer *__xfrm_xdp_tunnel(struct sk_buff *skb,
					 struct dst_entry *dst,
					 const struct flowi *fl, u32 if_id);
void __xfrm_xdp_tunnelled(struct sk_buff *skb, struct xfrm_xdp_offer *offer);
void __xfrm_xdp_xmit(struct sk_buff *skb, struct net_device *dev);
void __xfrm_xdp_decapsulated(struct sk_buff *skb, struct xfrm_state *x,
			     struct net_device *vti);
void xfrm_xdp_invalidate(struct net *net);
void __xfrm_xdp_by_turns(struct net *net);
void xfrm_xdp_per_cpu(struct net *net);
void xfrm_xdp_rules_changed(struct net *net, u64 bits);
void xfrm_xdp_disconnect(struct net *net);
void __xfrm_xdp_hashed(struct sk_buff *skb);
void __xfrm_xdp_realm(struct sk_buff *skb);
void __xfrm_xdp_marked(struct sk_buff *skb);
void __xfrm_xdp_rerouted(struct sk_buff *skb);
void __xfrm_xdp_asked(struct sk_buff *skb, u64 bit);
void __xfrm_xdp_hooked(struct sk_buff *skb, const struct nf_hook_ops *ops);
void __xfrm_xdp_changed(struct sk_buff *skb);
void __xfrm_xdp_unstable(struct sk_buff *skb, const char *table,
			 const char *chain, u64 rule, const char *what);

struct xfrm_xdp_offer *xfrm_xdp_offer_get(struct xfrm_xdp_offer *offer);
void xfrm_xdp_offer_put(struct xfrm_xdp_offer *offer);

static inline bool xfrm_xdp_is_learning(void)
{
	return static_branch_unlikely(&xfrm_xdp_learning);
}

static inline bool xfrm_xdp_offered(const struct sk_buff *skb)
{
	return xfrm_xdp_is_learning() &&
	       skb_ext_exist(skb, SKB_EXT_XFRM_XDP);
}

static inline bool xfrm_xdp_recorded(const struct sk_buff *skb)
{
	/* a tunnel may have taken the room of somebody else's metadata */
	return static_branch_unlikely(&xfrm_xdp_recording) &&
	       skb_metadata_len(skb) == sizeof(struct xfrm_xdp_md) &&
	       skb->mac_header >= sizeof(struct xfrm_xdp_md);
}

/**
 * xfrm_xdp_unchecked() - nobody has looked at the checksum of what XDP decrypted
 * @skb: packet in dev_gro_receive()
 */
static inline void xfrm_xdp_unchecked(struct sk_buff *skb)
{
	if (xfrm_xdp_recorded(skb))
		__xfrm_xdp_unchecked(skb);
}

/**
 * xfrm_xdp_restore() - make of what XDP decrypted what xfrm_input() would have
 * @skb: packet in __netif_receive_skb_core()
 *
 * Return: 1 if it is the packet of an xfrm interface or VTI now, 0 if its device is
 * what it was, -EPERM if VTI could not take it or refused it, its state has gone, or
 * there is no memory: then it is freed.
 */
static inline int xfrm_xdp_restore(struct sk_buff *skb)
{
	return xfrm_xdp_recorded(skb) ? __xfrm_xdp_restore(skb) : 0;
}

/**
 * xfrm_xdp_tunnel_in() - a tunnel device takes an ESP packet to be decrypted
 * @skb: outer packet, with its dst, in vti_input()
 *
 * Keeps it from being learned if a policy had to be asked for it.
 */
static inline void xfrm_xdp_tunnel_in(struct sk_buff *skb)
{
	if (xfrm_xdp_offered(skb))
		__xfrm_xdp_tunnel_in(skb);
}

/**
 * xfrm_xdp_gro_receive() - the same as xfrm_xdp_rcv() where GRO decrypts
 * @skb: ESP packet that begins with its IP header, without a security path
 *
 * Return: false if GRO shall leave the packet alone: it is for VTI, or refused.
 */
static inline bool xfrm_xdp_gro_receive(struct sk_buff *skb)
{
	return !xfrm_xdp_recorded(skb) || __xfrm_xdp_gro_receive(skb);
}

/**
 * xfrm_xdp_rcv() - turn the record of a received packet into an offer
 * @skb: IP packet, header checked, in ip_rcv_core()
 */
static inline void xfrm_xdp_rcv(struct sk_buff *skb)
{
	if (xfrm_xdp_recorded(skb))
		__xfrm_xdp_rcv(skb);
}

/**
 * xfrm_xdp_forward() - bind the offer of a packet to the dst found for it
 * @skb: packet in ip_forward(), TTL decremented
 */
static inline void xfrm_xdp_forward(struct sk_buff *skb)
{
	if (xfrm_xdp_offered(skb))
		__xfrm_xdp_forward(skb);
}

/**
 * xfrm_xdp_tunnel() - a tunnel device has found a bundle for a packet
 * @skb: packet that was routed to the device
 * @dst: the bundle
 * @fl: what XFRM was asked for
 * @if_id: the same
 *
 * Return: the packet's offer, now bound to @dst, for xfrm_xdp_tunnelled(); or
 * NULL.
 */
static inline struct xfrm_xdp_offer *
xfrm_xdp_tunnel(struct sk_buff *skb, struct dst_entry *dst,
		const struct flowi *fl, u32 if_id)
{
	return xfrm_xdp_offered(skb) ?
	       __xfrm_xdp_tunnel(skb, dst, fl, if_id) : NULL;
}

/**
 * xfrm_xdp_tunnelled() - give a packet its offer back, after it was scrubbed
 * @skb: packet
 * @offer: from xfrm_xdp_tunnel()
 */
static inline void xfrm_xdp_tunnelled(struct sk_buff *skb,
				      struct xfrm_xdp_offer *offer)
{
	if (offer)
		__xfrm_xdp_tunnelled(skb, offer);
}

/* Metadata lies in front of the MAC header, which a transformation moves: what
 * was written for the packet as received would be read as that of another one.
 */
static inline void xfrm_xdp_metadata_end(struct sk_buff *skb)
{
	if (skb_metadata_len(skb))
		skb_metadata_clear(skb);
}

/**
 * xfrm_xdp_clear() - at the last clear text, is the packet what XDP saw?
 * @skb: packet entering xfrm_output()
 */
static inline void xfrm_xdp_clear(struct sk_buff *skb)
{
	if (!xfrm_xdp_is_learning())
		return;

	xfrm_xdp_metadata_end(skb);
	if (skb_ext_exist(skb, SKB_EXT_XFRM_XDP))
		__xfrm_xdp_clear(skb);
}

/**
 * xfrm_xdp_xmit() - a packet is handed to the driver: learn its flow
 * @skb: frame, in xmit_one()
 * @dev: the device that transmits it
 */
static inline void xfrm_xdp_xmit(struct sk_buff *skb, struct net_device *dev)
{
	if (xfrm_xdp_offered(skb))
		__xfrm_xdp_xmit(skb, dev);
}

/**
 * xfrm_xdp_decapsulated() - the stack decrypted an ESP packet: learn its flow
 * @skb: inner packet, in xfrm_input() or vti_rcv_cb(), with the dst of the outer one
 * @x: state
 * @vti: VTI whose policies have accepted the packet, and that scrubs it next; or NULL
 */
static inline void xfrm_xdp_decapsulated(struct sk_buff *skb,
					 struct xfrm_state *x,
					 struct net_device *vti)
{
	if (!xfrm_xdp_is_learning())
		return;

	xfrm_xdp_metadata_end(skb);
	if (skb_ext_exist(skb, SKB_EXT_XFRM_XDP))
		__xfrm_xdp_decapsulated(skb, x, vti);
}

/**
 * xfrm_xdp_state_dying() - a state has reached a soft limit
 * @x: state, with its lock held
 *
 * xfrm_state_find() prefers another one now. Those who have a bundle with this
 * state shall ask it again.
 */
static inline void xfrm_xdp_state_dying(struct xfrm_state *x)
{
	if (xfrm_xdp_is_learning())
		x->genid++;
}

/**
 * xfrm_xdp_by_turns() - the choice of a next hop depends on more than the packet
 * @net: netns
 *
 * Or it depends on earlier packets: the flow of this one is not to be learned.
 */
static inline void xfrm_xdp_by_turns(struct net *net)
{
	if (xfrm_xdp_is_learning())
		__xfrm_xdp_by_turns(net);
}

/**
 * xfrm_xdp_hashed() - a next hop is chosen by a hash that came with the packet
 * @skb: packet
 *
 * Whoever made it, a device or a socket, may make another one for the next.
 */
static inline void xfrm_xdp_hashed(const struct sk_buff *skb)
{
	if (xfrm_xdp_offered(skb))
		__xfrm_xdp_hashed((struct sk_buff *)skb);
}

/**
 * xfrm_xdp_realm() - a packet is counted for the realm of its route
 * @skb: packet
 */
static inline void xfrm_xdp_realm(struct sk_buff *skb)
{
	if (xfrm_xdp_offered(skb))
		__xfrm_xdp_realm(skb);
}

/**
 * xfrm_xdp_marked() - a state is about to give its mark to an ESP packet
 * @skb: packet
 *
 * The one that it has is gone then, and may be there to keep it out of XDP.
 */
static inline void xfrm_xdp_marked(struct sk_buff *skb)
{
	if (xfrm_xdp_offered(skb))
		__xfrm_xdp_marked(skb);
}

/**
 * xfrm_xdp_rerouted() - netfilter has found another route for an ESP packet
 * @skb: packet, with its new dst
 *
 * A flow would be made of the one before.
 */
static inline void xfrm_xdp_rerouted(struct sk_buff *skb)
{
	if (xfrm_xdp_offered(skb))
		__xfrm_xdp_rerouted(skb);
}

/**
 * xfrm_xdp_forget() - drop the offer of a packet that somebody else judges
 * @skb: packet
 */
static inline void xfrm_xdp_forget(struct sk_buff *skb)
{
	if (xfrm_xdp_offered(skb))
		skb_ext_del(skb, SKB_EXT_XFRM_XDP);
}

/**
 * xfrm_xdp_hooked() - a netfilter hook has accepted a packet
 * @skb: packet
 * @ops: hook
 */
static inline void xfrm_xdp_hooked(struct sk_buff *skb,
				   const struct nf_hook_ops *ops)
{
	if (xfrm_xdp_offered(skb))
		__xfrm_xdp_hooked(skb, ops);
}

/**
 * xfrm_xdp_rules_bit() - the bit of a chain or set in the mask of a flow
 * @slot: number of the chain or set
 *
 * Return: one of 64 bits; where there are more, some have the same.
 */
static inline u64 xfrm_xdp_rules_bit(u8 slot)
{
	return BIT_ULL(slot % BITS_PER_TYPE(u64));
}

/**
 * xfrm_xdp_asked() - a chain or set judges a packet
 * @skb: packet
 * @slot: number of the chain or set
 */
static inline void xfrm_xdp_asked(struct sk_buff *skb, u8 slot)
{
	if (xfrm_xdp_offered(skb))
		__xfrm_xdp_asked(skb, xfrm_xdp_rules_bit(slot));
}

/**
 * xfrm_xdp_changed() - a rule changes or copies packets, whether it did now or not
 * @skb: packet
 *
 * To be followed by xfrm_xdp_unstable(): xfrm_xdp_trust_filter is about verdicts only.
 */
static inline void xfrm_xdp_changed(struct sk_buff *skb)
{
	if (xfrm_xdp_offered(skb))
		__xfrm_xdp_changed(skb);
}

/**
 * xfrm_xdp_unstable() - a rule may judge the packets of a flow differently
 * @skb: packet that the rule judges
 * @table: where the rule stands
 * @chain: the same
 * @rule: its handle, or 0
 * @what: part of the rule that depends on more than the flow
 */
static inline void xfrm_xdp_unstable(struct sk_buff *skb, const char *table,
				     const char *chain, u64 rule,
				     const char *what)
{
	if (xfrm_xdp_offered(skb))
		__xfrm_xdp_unstable(skb, table, chain, rule, what);
}

#else /* !CONFIG_XFRM_XDP */

static inline bool xfrm_xdp_is_learning(void)
{
	return false;
}

static inline bool xfrm_xdp_offered(const struct sk_buff *skb)
{
	return false;
}

static inline void xfrm_xdp_unchecked(struct sk_buff *skb) { }

static inline int xfrm_xdp_restore(struct sk_buff *skb)
{
	return 0;
}

static inline void xfrm_xdp_tunnel_in(struct sk_buff *skb) { }

static inline bool xfrm_xdp_gro_receive(struct sk_buff *skb)
{
	return true;
}

static inline void xfrm_xdp_rcv(struct sk_buff *skb) { }
static inline void xfrm_xdp_forward(struct sk_buff *skb) { }
static inline struct xfrm_xdp_offer *
xfrm_xdp_tunnel(struct sk_buff *skb, struct dst_entry *dst,
		const struct flowi *fl, u32 if_id)
{
	return NULL;
}

static inline void xfrm_xdp_tunnelled(struct sk_buff *skb,
				      struct xfrm_xdp_offer *offer) { }
static inline void xfrm_xdp_clear(struct sk_buff *skb) { }
static inline void xfrm_xdp_xmit(struct sk_buff *skb,
				 struct net_device *dev) { }
static inline void xfrm_xdp_decapsulated(struct sk_buff *skb,
					 struct xfrm_state *x,
					 struct net_device *vti) { }
static inline void xfrm_xdp_state_dying(struct xfrm_state *x) { }
static inline void xfrm_xdp_hashed(const struct sk_buff *skb) { }
static inline void xfrm_xdp_realm(struct sk_buff *skb) { }
static inline void xfrm_xdp_marked(struct sk_buff *skb) { }
static inline void xfrm_xdp_rerouted(struct sk_buff *skb) { }
static inline void xfrm_xdp_forget(struct sk_buff *skb) { }
static inline void xfrm_xdp_invalidate(struct net *net) { }
static inline void xfrm_xdp_by_turns(struct net *net) { }
static inline void xfrm_xdp_per_cpu(struct net *net) { }
static inline void xfrm_xdp_rules_changed(struct net *net, u64 bits) { }
static inline void xfrm_xdp_disconnect(struct net *net) { }

static inline u64 xfrm_xdp_rules_bit(u8 slot)
{
	return 0;
}

static inline void xfrm_xdp_asked(struct sk_buff *skb, u8 slot) { }
static inline void xfrm_xdp_hooked(struct sk_buff *skb,
				   const struct nf_hook_ops *ops) { }
static inline void xfrm_xdp_changed(struct sk_buff *skb) { }
static inline void xfrm_xdp_unstable(struct sk_buff *skb, const char *table,
				     const char *chain, u64 rule,
				     const char *what) { }

#endif /* CONFIG_XFRM_XDP */

#endif /* _NET_XFRM_XDP_H */
