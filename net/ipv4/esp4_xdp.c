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

static bool esp4_xdp_is_async(struct crypto_aead *tfm)
{
	return crypto_aead_tfm(tfm)->__crt_alg->cra_flags & CRYPTO_ALG_ASYNC;
}

static int esp4_xdp_init_flow(struct xfrm_xdp_flow *flow, struct xfrm_state *x)
{
	struct crypto_aead *aead = x->data;
	struct xfrm_xdp_cipher *cipher = &flow->cipher;
	const char *driver = crypto_tfm_alg_driver_name(crypto_aead_tfm(aead));

	cipher->aead = aead;
	cipher->ivlen = crypto_aead_ivsize(aead);
	cipher->icvlen = crypto_aead_authsize(aead);
	if (strstarts(driver, "seqiv(") && cipher->ivlen == sizeof(u64))
		esp4_xdp_step_over_seqiv(cipher);

	cipher->async = esp4_xdp_is_async(cipher->aead);
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
static __always_inline void esp4_xdp_iv(const struct xfrm_xdp_cipher *cipher,
					u8 *iv, struct ip_esp_hdr *esph,
					u64 seq)
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

static __always_inline void esp4_xdp_sg(struct scatterlist *sg, void *data,
					u32 len, u32 icvlen)
{
	struct page *page = virt_to_page(data);
	u32 offset = offset_in_page(data);

	/* Where the table ends is known: it need not be read and kept. */
	sg[0].page_link = likely(icvlen) ? 0 : SG_END;
	sg_set_page(&sg[0], page, len, offset);
	sg[1].page_link = SG_END;
	sg_set_page(&sg[1], page, icvlen, offset + len);
}

/* Point the request at an ESP packet whose ICV is @icvlen bytes at @icv, and of which
 * the cipher is to work on @crypt_len bytes from behind the IV on. All of an
 * extended sequence number is authenticated, half of it is sent. RFC 4303, 2.2.1.
 */
static __always_inline void
esp4_xdp_set_crypt(const struct xfrm_xdp_cipher *cipher,
		   const struct xfrm_state *x, struct xfrm_xdp_request *req,
		   struct ip_esp_hdr *esph, void *icv, u32 icvlen, u32 seq_hi,
		   u32 crypt_len)
{
	struct aead_request *aead = &req->aead;
	u32 aadlen = sizeof(struct ip_esp_hdr);
	struct scatterlist *sg = &req->sg[1];
	u32 ivlen = cipher->ivlen;
	void *data = esph;

	if (unlikely(x->props.flags & XFRM_STATE_ESN)) {
		req->aad[0] = esph->spi;
		req->aad[1] = htonl(seq_hi);
		req->aad[2] = esph->seq_no;
		data = esph->enc_data;
		sg = &req->sg[0];
		aadlen = sizeof(req->aad);
	}
	esp4_xdp_sg(&req->sg[1], data, icv - data, icvlen);

	if (likely(cipher->seqiv)) {
		aead_request_set_crypt(aead, sg, sg, crypt_len, req->iv);
		aead_request_set_ad(aead, aadlen + ivlen);
	} else {
		aead_request_set_crypt(aead, sg, sg, ivlen + crypt_len,
				       req->iv);
		aead_request_set_ad(aead, aadlen);
	}
}

static __always_inline int
esp4_xdp_encrypt(const struct xfrm_xdp_flow *flow, const struct xfrm_state *x,
		 void *inner, u32 len, u32 clen, u64 seq,
		 struct xfrm_xdp_request *req)
{
	const struct xfrm_xdp_cipher *cipher = &flow->cipher;
	struct ip_esp_hdr *esph;

	esph = inner - cipher->ivlen - sizeof(*esph);
	esph->spi = x->id.spi;
	esph->seq_no = htonl(seq);
	esp_output_fill_trailer(inner + len, 0, clen - len, IPPROTO_IPIP);
	esp4_xdp_iv(cipher, req->iv, esph, seq);

	esp4_xdp_set_crypt(cipher, x, req, esph, inner + clen, cipher->icvlen,
			   upper_32_bits(seq), clen);
	return crypto_aead_encrypt(&req->aead);
}

/* The cipher may work on beyond the end of the XDP program. */
static noinline int
esp4_xdp_output_async(const struct xfrm_xdp_flow *flow,
		      const struct xfrm_state *x, void *inner, u32 len,
		      u32 clen, u64 seq, struct xfrm_xdp_request *req)
{
	void *copy;
	int err;

	copy = xfrm_xdp_request_copy(req, flow, inner,
				     clen + flow->cipher.icvlen);
	err = esp4_xdp_encrypt(flow, x, copy, len, clen, seq, req);
	if (!err)
		xfrm_xdp_request_copy_back(req, flow, inner);
	return err;
}

static int esp4_xdp_output(const struct xfrm_xdp_flow *flow,
			   struct xfrm_state *x, void *inner, u32 len, u64 seq,
			   struct xfrm_xdp_request *req)
{
	const struct xfrm_xdp_cipher *cipher = &flow->cipher;
	u32 clen = ALIGN(len + 2, flow->geometry.align);
	struct crypto_aead *tfm = cipher->aead;

	if (likely(cipher->simd))
		tfm = simd_aead_child(tfm);
	aead_request_set_tfm(&req->aead, tfm);
	if (unlikely(esp4_xdp_is_async(tfm)))
		return esp4_xdp_output_async(flow, x, inner, len, clen, seq,
					     req);

	return esp4_xdp_encrypt(flow, x, inner, len, clen, seq, req);
}

static int esp4_xdp_input(const struct xfrm_xdp_flow *flow,
			  struct xfrm_state *x, struct ip_esp_hdr *esph,
			  u32 len, u32 seq_hi, struct xfrm_xdp_request *req)
{
	const struct xfrm_xdp_cipher *cipher = &flow->cipher;
	u32 hlen = sizeof(*esph) + cipher->ivlen;
	struct aead_request *aead = &req->aead;
	struct crypto_aead *tfm = cipher->aead;
	u32 icvlen = cipher->icvlen;
	u32 elen, padlen;
	u8 *icv;
	int err;

	if (unlikely(len < hlen + 2 + icvlen))
		return -ENODATA;

	if (likely(cipher->simd)) {
		tfm = simd_aead_child(tfm);
		if (unlikely(esp4_xdp_is_async(tfm)))
			return -EBUSY;
	}

	elen = len - hlen;
	icv = (u8 *)esph + len - icvlen;
	if (likely(cipher->seqiv))
		memcpy(req->iv, esph->enc_data, sizeof(u64));
	aead_request_set_tfm(aead, tfm);
	esp4_xdp_set_crypt(cipher, x, req, esph, icv, icvlen, seq_hi, elen);
	err = crypto_aead_decrypt(aead);
	if (unlikely(err))
		return err;

	/* as esp_remove_trailer() */
	padlen = icv[-2];
	if (unlikely(padlen + 2 + icvlen >= elen))
		return -EINVAL;

	/* RFC 4303, 2.6: a dummy packet */
	if (unlikely(icv[-1] == IPPROTO_NONE))
		return -EINVAL;

	req->clear = (void *)esph + hlen;
	req->clear_len = elen - icvlen - padlen - 2;
	return icv[-1];
}

static const struct xfrm_type_xdp esp4_xdp_type = {
	.owner		= THIS_MODULE,
	.proto		= IPPROTO_ESP,
	.init_flow	= esp4_xdp_init_flow,
	.output		= esp4_xdp_output,
	.input		= esp4_xdp_input,
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
