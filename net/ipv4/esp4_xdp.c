// SPDX-License-Identifier: GPL-2.0-only
/* ESP over IPv4 for XDP: what esp4.c does, without an skb. RFC 4303. */

#include <crypto/internal/geniv.h>
#include <crypto/internal/simd.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/unaligned.h>
#include <net/esp.h>
#include <net/xfrm.h>
#include <net/xfrm_xdp.h>

/* Make IVs here, as seqiv does: the sequence number XOR a salt that the
 * transform drew. Stack and fast path share a key, so they must share the rule,
 * or a GCM nonce could come twice.
 */
static void esp4_xdp_step_over_seqiv(struct xfrm_xdp_cipher *cipher)
{
	struct aead_geniv_ctx *ctx = crypto_aead_ctx(cipher->aead);

	cipher->salt = get_unaligned((u64 *)ctx->salt);
	cipher->aead = ctx->child;
	cipher->seqiv = true;
}

static int esp4_xdp_init_flow(struct xfrm_xdp_flow *flow, struct xfrm_state *x)
{
	struct crypto_aead *aead = x->data;
	struct xfrm_xdp_cipher *cipher = &flow->cipher;
	const char *driver = crypto_tfm_alg_driver_name(crypto_aead_tfm(aead));

	cipher->aead = aead;
	cipher->ivlen = crypto_aead_ivsize(aead);
	cipher->icvlen = crypto_aead_authsize(aead);
	cipher->async = crypto_aead_tfm(aead)->__crt_alg->cra_flags &
			CRYPTO_ALG_ASYNC;
	if (strstarts(driver, "seqiv(") && cipher->ivlen == sizeof(u64))
		esp4_xdp_step_over_seqiv(cipher);

	cipher->simd = simd_aead_check(cipher->aead);

	if (crypto_aead_reqsize(cipher->aead) > XFRM_XDP_REQSIZE ||
	    cipher->ivlen > sizeof_field(struct xfrm_xdp_request, iv))
		return -EOPNOTSUPP;

	flow->geometry.head = x->props.header_len;
	flow->geometry.tail = 2 + cipher->icvlen;
	flow->geometry.align = ALIGN(crypto_aead_blocksize(aead), 4);
	return 0;
}

/* IV for the cipher; with seqiv stepped over, in the packet as well. */
static void esp4_xdp_iv(const struct xfrm_xdp_cipher *cipher, u8 *iv,
			struct ip_esp_hdr *esph, u64 seq)
{
	__be64 seqno = cpu_to_be64(seq);

	if (likely(cipher->seqiv)) {
		u64 salted = (__force u64)seqno ^ cipher->salt;

		*(u64 *)iv = salted;
		put_unaligned(salted, (u64 *)esph->enc_data);
		return;
	}

	memset(iv, 0, cipher->ivlen);
	memcpy(iv + cipher->ivlen - min_t(u8, cipher->ivlen, 8),
	       (u8 *)&seqno + 8 - min_t(u8, cipher->ivlen, 8),
	       min_t(u8, cipher->ivlen, 8));
}

static void esp4_xdp_sg(struct scatterlist *sg, void *data, u32 len, u32 icvlen)
{
	struct page *page = virt_to_page(data);
	u32 offset = offset_in_page(data);

	sg_set_page(&sg[0], page, len, offset);
	sg_set_page(&sg[1], page, icvlen, offset + len);
	if (unlikely(!icvlen))
		sg_mark_end(&sg[0]);
	else
		sg_unmark_end(&sg[0]);
}

static int esp4_xdp_output(const struct xfrm_xdp_flow *flow,
			   struct xfrm_state *x, void *inner, u32 len, u64 seq,
			   struct xfrm_xdp_request *req)
{
	const struct xfrm_xdp_cipher *cipher = &flow->cipher;
	u32 clen = ALIGN(len + 2, flow->geometry.align);
	struct aead_request *aead = &req->aead;
	u32 aadlen = sizeof(struct ip_esp_hdr);
	struct scatterlist *sg = &req->sg[1];
	struct ip_esp_hdr *esph;
	void *data, *icv;

	esph = inner - cipher->ivlen - sizeof(*esph);
	data = esph;
	esph->spi = x->id.spi;
	esph->seq_no = htonl(seq);
	esp_output_fill_trailer(inner + len, 0, clen - len, IPPROTO_IPIP);
	esp4_xdp_iv(cipher, req->iv, esph, seq);

	/* All of an extended sequence number is authenticated, half of it is
	 * sent. RFC 4303, 2.2.1.
	 */
	if (unlikely(x->props.flags & XFRM_STATE_ESN)) {
		req->aad[0] = esph->spi;
		req->aad[1] = htonl(upper_32_bits(seq));
		req->aad[2] = esph->seq_no;
		data = esph->enc_data;
		sg = &req->sg[0];
		aadlen = sizeof(req->aad);
	}
	icv = inner + clen;
	esp4_xdp_sg(&req->sg[1], data, icv - data, cipher->icvlen);

	aead_request_set_tfm(aead, likely(cipher->simd) ?
				   simd_aead_child(cipher->aead) : cipher->aead);
	aead_request_set_callback(aead, 0, xfrm_xdp_request_done, req);
	if (likely(cipher->seqiv)) {
		aead_request_set_crypt(aead, sg, sg, clen, req->iv);
		aead_request_set_ad(aead, aadlen + cipher->ivlen);
	} else {
		aead_request_set_crypt(aead, sg, sg, cipher->ivlen + clen,
				       req->iv);
		aead_request_set_ad(aead, aadlen);
	}

	return crypto_aead_encrypt(aead);
}

static const struct xfrm_type_xdp esp4_xdp_type = {
	.owner		= THIS_MODULE,
	.proto		= IPPROTO_ESP,
	.init_flow	= esp4_xdp_init_flow,
	.output		= esp4_xdp_output,
};

static int __init esp4_xdp_init(void)
{
	return xfrm_register_type_xdp(&esp4_xdp_type, AF_INET);
}

static void __exit esp4_xdp_exit(void)
{
	xfrm_unregister_type_xdp(&esp4_xdp_type, AF_INET);
}

module_init(esp4_xdp_init);
module_exit(esp4_xdp_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("ESP over IPv4 for XDP");
MODULE_ALIAS_XFRM_XDP_TYPE(AF_INET, XFRM_PROTO_ESP);
