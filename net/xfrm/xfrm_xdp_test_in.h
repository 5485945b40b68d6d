/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _XFRM_XDP_TEST_IN_H
#define _XFRM_XDP_TEST_IN_H

#include <net/esp.h>

#include "xfrm_xdp_test.h"

#define TEST_GCM_OVERHEAD	(sizeof(struct ip_esp_hdr) + 8)

/**
 * struct xfrm_xdp_test_in - the way in
 * @gw: the gateway
 * @x: state of the packets that come in
 * @flow: theirs
 * @clear: the inner packet before it was encrypted
 * @len: its length
 */
struct xfrm_xdp_test_in {
	struct xfrm_xdp_test_gw	*gw;
	struct xfrm_state	*x;
	struct xfrm_xdp_flow	*flow;
	u8			clear[1600];
	u32			len;
};

/* XDP decrypts only while somebody reads records. */
extern struct xfrm_xdp_ops xfrm_xdp_test_in_ops;

static inline struct iphdr *
xfrm_xdp_test_outer(const struct xfrm_xdp_test_in *in)
{
	return xfrm_xdp_test_iph(in->gw);
}

static inline struct ip_esp_hdr *
xfrm_xdp_test_esph(const struct xfrm_xdp_test_in *in)
{
	return (struct ip_esp_hdr *)(xfrm_xdp_test_outer(in) + 1);
}

struct xfrm_xdp_test_in *xfrm_xdp_test_in(struct kunit *test);
void xfrm_xdp_test_in_down(struct kunit *test);
struct xfrm_xdp_flow *xfrm_xdp_test_in_flow(struct xfrm_xdp_test_in *in,
					    enum xfrm_xdp_stat *why);
void xfrm_xdp_test_in_again(struct xfrm_xdp_test_in *in);
void xfrm_xdp_test_in_cipher(struct xfrm_xdp_test_in *in,
			     enum xfrm_xdp_test_cipher cipher);
void xfrm_xdp_test_in_encrypt(struct xfrm_xdp_test_in *in);
void xfrm_xdp_test_in_frame(struct xfrm_xdp_test_in *in, u32 len);
int xfrm_xdp_test_input(struct xfrm_xdp_test_in *in);
bool xfrm_xdp_test_came_through(const struct xfrm_xdp_test_in *in);

#endif /* _XFRM_XDP_TEST_IN_H */
