// SPDX-License-Identifier: GPL-2.0
/* The crypto API alone: what encrypting the ESP payload of a packet costs at least. */
#include <crypto/aead.h>
#include <linux/bottom_half.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <asm/msr.h>

#define CIPHER_ASSOC	16	/* SPI, sequence number, IV */
#define CIPHER_ICV	16
#define CIPHER_MAX	2048

static unsigned int size = 64;
module_param(size, uint, 0444);
MODULE_PARM_DESC(size, "Length of the packet in the tunnel");

static unsigned int packets = 20000;
module_param(packets, uint, 0444);
MODULE_PARM_DESC(packets, "Packets to encrypt");

static unsigned long instructions;
module_param(instructions, ulong, 0444);
MODULE_PARM_DESC(instructions, "Result: instructions of all packets, under -icount shift=0");

/* As ESP calls it: in softirq context, in place, one linear piece. */
static int cipher_run(struct aead_request *req)
{
	unsigned long start;
	unsigned int i;
	int err = 0;

	local_bh_disable();
	start = rdtsc_ordered();
	for (i = 0; i < packets && !err; i++)
		err = crypto_aead_encrypt(req);
	instructions = rdtsc_ordered() - start;
	local_bh_enable();
	return err;
}

static int __init cipher_init(void)
{
	unsigned int len = ALIGN(size + 2, 4);
	struct crypto_aead *tfm;
	struct aead_request *req;
	struct scatterlist sg;
	u8 key[20] = {}, iv[8] = {};
	int err = -ENOMEM;
	u8 *data;

	if (size > CIPHER_MAX)
		return -EINVAL;
	tfm = crypto_alloc_aead("rfc4106(gcm(aes))", 0, 0);
	if (IS_ERR(tfm))
		return PTR_ERR(tfm);
	data = kzalloc(CIPHER_ASSOC + len + CIPHER_ICV, GFP_KERNEL);
	req = aead_request_alloc(tfm, GFP_KERNEL);
	if (!data || !req)
		goto out;
	err = crypto_aead_setkey(tfm, key, sizeof(key)) ?: crypto_aead_setauthsize(tfm, CIPHER_ICV);
	if (err)
		goto out;

	sg_init_one(&sg, data, CIPHER_ASSOC + len + CIPHER_ICV);
	aead_request_set_callback(req, 0, NULL, NULL);
	aead_request_set_crypt(req, &sg, &sg, len, iv);
	aead_request_set_ad(req, CIPHER_ASSOC);
	err = cipher_run(req);
out:
	aead_request_free(req);
	kfree(data);
	crypto_free_aead(tfm);
	return err;
}

static void __exit cipher_exit(void)
{
}

module_init(cipher_init);
module_exit(cipher_exit);
MODULE_DESCRIPTION("Cost of rfc4106(gcm(aes)) through the crypto API");
MODULE_LICENSE("GPL");
