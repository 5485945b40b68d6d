// SPDX-License-Identifier: GPL-2.0
/* An independent ESP peer: RFC 4303, 4106, 4868. Knows nothing of the kernel. */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "twin.h"

#define SAS		8
#define KEY_MAX		64
#define IV_MAX		16
#define ICV_LEN		16
#define GCM_SALT	4

enum cipher { CIPHER_GCM, CIPHER_CBC, CIPHER_NULL };

/* All IVs of one state and twin: open addressing, a power of two */
struct ivs {
	unsigned int count, size;
	uint8_t (*slot)[1 + IV_MAX];
};

struct sa {
	uint32_t spi;
	enum cipher cipher;
	bool esn;
	uint8_t key[KEY_MAX], auth[KEY_MAX];
	unsigned int key_len, auth_len;
	int64_t apart;		/* of the twins' sequence numbers, as last reported */
	struct {
		bool seen;
		uint64_t seq, salt;
		struct ivs ivs;
	} twin[TWINS];
};

static struct sa sas[SAS];
static unsigned int sas_count;

static unsigned int unhex(const char *text, uint8_t *to)
{
	unsigned int n = 0;
	char byte[3] = "";

	if (!strncmp(text, "0x", 2))
		text += 2;
	for (; text[0] && text[1]; text += 2) {
		if (n == KEY_MAX)
			die("a key is longer than %d bytes", KEY_MAX);
		memcpy(byte, text, 2);
		to[n++] = strtoul(byte, NULL, 16);
	}
	return n;
}

/* SPI gcm|cbc|null FIRST-SEQUENCE esn|- [KEY [AUTH-KEY]] */
void sa_add(int argc, char **argv)
{
	struct sa *sa = &sas[sas_count];
	int twin;

	if (argc < 4 || sas_count == SAS)
		die("sa: SPI gcm|cbc|null FIRST-SEQUENCE esn|- [KEY [AUTH-KEY]], %d at most", SAS);
	memset(sa, 0, sizeof(*sa));
	sa->spi = strtoul(argv[0], NULL, 0);
	sa->cipher = !strcmp(argv[1], "gcm") ? CIPHER_GCM :
		     !strcmp(argv[1], "cbc") ? CIPHER_CBC : CIPHER_NULL;
	for (twin = 0; twin < TWINS; twin++)
		sa->twin[twin].seq = strtoull(argv[2], NULL, 0);
	sa->esn = !strcmp(argv[3], "esn");
	sa->key_len = argc > 4 ? unhex(argv[4], sa->key) : 0;
	sa->auth_len = argc > 5 ? unhex(argv[5], sa->auth) : 0;
	sas_count++;
}

void sa_forget(void)
{
	unsigned int i;
	int twin;

	for (i = 0; i < sas_count; i++)
		for (twin = 0; twin < TWINS; twin++)
			free(sas[i].twin[twin].ivs.slot);
	sas_count = 0;
}

/* The newest state of an SPI: one may have been deleted and made again. */
static struct sa *sa_find(uint32_t spi)
{
	unsigned int i = sas_count;

	while (i--) {
		if (sas[i].spi == spi)
			return &sas[i];
	}
	return NULL;
}

static bool ivs_put(struct ivs *ivs, const uint8_t *iv)
{
	uint64_t hash, low;
	unsigned int i;

	memcpy(&hash, iv, 8);
	memcpy(&low, iv + 8, 8);
	hash = (hash ^ low * 3) * 0x9e3779b97f4a7c15ULL;
	for (i = hash >> 40; ivs->slot[i & (ivs->size - 1)][0]; i++) {
		if (!memcmp(ivs->slot[i & (ivs->size - 1)] + 1, iv, IV_MAX))
			return false;
	}
	ivs->slot[i & (ivs->size - 1)][0] = 1;
	memcpy(ivs->slot[i & (ivs->size - 1)] + 1, iv, IV_MAX);
	ivs->count++;
	return true;
}

/* Note an IV; false if it was there. */
static bool ivs_add(struct ivs *ivs, const uint8_t *iv)
{
	struct ivs old = *ivs;
	unsigned int i;

	if (ivs->count * 2 >= ivs->size) {
		ivs->size = old.size ? old.size * 4 : 1024;
		ivs->count = 0;
		ivs->slot = calloc(ivs->size, sizeof(*ivs->slot));
		if (!ivs->slot)
			die("no memory for IVs");
		for (i = 0; i < old.size; i++) {
			if (old.slot[i][0])
				ivs_put(ivs, old.slot[i] + 1);
		}
		free(old.slot);
	}
	return ivs_put(ivs, iv);
}

static uint64_t be64(const uint8_t *p)
{
	return (uint64_t)get32(p) << 32 | get32(p + 4);
}

static const EVP_CIPHER *evp_cipher(const struct sa *sa)
{
	if (sa->cipher == CIPHER_CBC)
		return sa->key_len == 32 ? EVP_aes_256_cbc() : EVP_aes_128_cbc();
	switch (sa->key_len - GCM_SALT) {
	case 16:
		return EVP_aes_128_gcm();
	case 24:
		return EVP_aes_192_gcm();
	default:
		return EVP_aes_256_gcm();
	}
}

static bool gcm_open(const struct sa *sa, const uint8_t *esp, size_t len, uint64_t seq,
		     uint8_t *plain)
{
	static EVP_CIPHER_CTX *ctx;
	uint8_t nonce[12], aad[12], icv[ICV_LEN];
	int done, aad_len = ESP_LEN;

	if (!ctx)
		ctx = EVP_CIPHER_CTX_new();
	memcpy(nonce, sa->key + sa->key_len - GCM_SALT, GCM_SALT);
	memcpy(nonce + GCM_SALT, esp + ESP_LEN, 8);
	memcpy(aad, esp, ESP_LEN);
	if (sa->esn) {
		put32(aad + 4, seq >> 32);
		put32(aad + 8, seq);
		aad_len = 12;
	}
	memcpy(icv, esp + len - ICV_LEN, ICV_LEN);
	return EVP_DecryptInit_ex(ctx, evp_cipher(sa), NULL, sa->key, nonce) &&
	       EVP_DecryptUpdate(ctx, NULL, &done, aad, aad_len) &&
	       EVP_DecryptUpdate(ctx, plain, &done, esp + ESP_LEN + 8,
				 len - ESP_LEN - 8 - ICV_LEN) &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, ICV_LEN, icv) &&
	       EVP_DecryptFinal_ex(ctx, plain + done, &done) > 0;
}

static bool cbc_open(const struct sa *sa, const uint8_t *esp, size_t len, uint64_t seq,
		     uint8_t *plain)
{
	static EVP_CIPHER_CTX *ctx;
	uint8_t data[FRAME_MAX * 2], mac[EVP_MAX_MD_SIZE];
	size_t data_len = len - ICV_LEN;
	int done;

	if (!ctx)
		ctx = EVP_CIPHER_CTX_new();
	memcpy(data, esp, data_len);
	if (sa->esn) {
		put32(data + data_len, seq >> 32);
		data_len += 4;
	}
	return HMAC(EVP_sha256(), sa->auth, sa->auth_len, data, data_len, mac, NULL) &&
	       !CRYPTO_memcmp(mac, esp + len - ICV_LEN, ICV_LEN) &&
	       EVP_DecryptInit_ex(ctx, evp_cipher(sa), NULL, sa->key, esp + ESP_LEN) &&
	       EVP_CIPHER_CTX_set_padding(ctx, 0) &&
	       EVP_DecryptUpdate(ctx, plain, &done, esp + ESP_LEN + 16,
				 len - ESP_LEN - 16 - ICV_LEN) &&
	       EVP_DecryptFinal_ex(ctx, plain + done, &done) > 0;
}

/* seqiv's rule, which keeps nonces apart, and no IV twice. */
static const char *check_iv(struct sa *sa, enum twin twin, const uint8_t *iv, size_t iv_len)
{
	uint8_t padded[IV_MAX] = {};
	uint64_t salt = be64(iv) ^ sa->twin[twin].seq;

	memcpy(padded, iv, iv_len);
	if (!ivs_add(&sa->twin[twin].ivs, padded))
		return "an IV comes twice";
	if (sa->cipher != CIPHER_GCM)
		return NULL;
	if (sa->twin[twin].seen && sa->twin[twin].salt != salt)
		return "IV XOR sequence number is not constant";
	sa->twin[twin].salt = salt;
	return NULL;
}

/* The whole sequence number of one whose lower half is known. */
static uint64_t whole_sequence(const struct sa *sa, enum twin twin, uint32_t low)
{
	uint64_t last = sa->twin[twin].seq;

	if (!sa->esn)
		return low;
	return (int32_t)(low - (uint32_t)last) + last;
}

const char *esp_open(enum twin twin, const uint8_t *esp, size_t len, uint8_t *plain,
		     size_t *plain_len, uint64_t *seq)
{
	static const size_t iv_len[] = { [CIPHER_GCM] = 8, [CIPHER_CBC] = 16, [CIPHER_NULL] = 0 };
	struct sa *sa = len < ESP_LEN ? NULL : sa_find(get32(esp));
	const char *complaint = NULL;
	size_t head, tail, i;
	bool good = true;

	if (!sa)
		return "ESP of no known state";
	head = ESP_LEN + iv_len[sa->cipher];
	tail = sa->cipher == CIPHER_NULL ? 0 : ICV_LEN;
	if (len < head + tail + 4)
		return "ESP too short";

	*seq = whole_sequence(sa, twin, get32(esp + 4));
	*plain_len = len - head - tail;
	if (sa->cipher == CIPHER_GCM)
		good = gcm_open(sa, esp, len, *seq, plain);
	else if (sa->cipher == CIPHER_CBC)
		good = cbc_open(sa, esp, len, *seq, plain);
	else
		memcpy(plain, esp + head, *plain_len);
	if (!good)
		return "ICV is wrong";

	sa->twin[twin].seq = *seq;
	if (sa->cipher != CIPHER_NULL)
		complaint = check_iv(sa, twin, esp + ESP_LEN, iv_len[sa->cipher]);
	sa->twin[twin].seen = true;
	if (complaint)
		return complaint;

	/* RFC 4303, 2.4: 1, 2, 3 ... and the length of it */
	tail = plain[*plain_len - 2];
	if (tail + 2 > *plain_len)
		return "pad length is wrong";
	for (i = 0; i < tail; i++) {
		if (plain[*plain_len - 2 - tail + i] != i + 1)
			return "padding is wrong";
	}
	return NULL;
}

bool esp_sequence_same(uint32_t spi, uint64_t off, uint64_t on)
{
	struct sa *sa = sa_find(spi);
	int64_t apart = on - off;

	if (!sa || sa->apart == apart)
		return true;
	/* one frame too many is one difference, not one for each after it */
	sa->apart = apart;
	return false;
}
