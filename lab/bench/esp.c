// SPDX-License-Identifier: GPL-2.0
/* ESP packets for the generator, made by the kernel's cipher and not by its XFRM. RFC 4303, 4106. */
#include <arpa/inet.h>
#include <linux/if_alg.h>
#include <linux/ip.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

#define ESP_HEAD	8
#define ESP_IV		8
#define ESP_ICV		16
#define ESP_ALIGN	4

/* as lab/bench/init gives it to ip xfrm */
static const uint8_t key[] = {
	0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09,
	0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x12, 0x13,
};

static int cipher_open(void)
{
	struct sockaddr_alg addr = {
		.salg_family = AF_ALG,
		.salg_type = "aead",
		.salg_name = "rfc4106(gcm(aes))",
	};
	int tfm = socket(AF_ALG, SOCK_SEQPACKET, 0), op;

	if (tfm < 0 || bind(tfm, (struct sockaddr *)&addr, sizeof(addr)) ||
	    setsockopt(tfm, SOL_ALG, ALG_SET_KEY, key, sizeof(key)) ||
	    setsockopt(tfm, SOL_ALG, ALG_SET_AEAD_AUTHSIZE, NULL, ESP_ICV))
		die("AF_ALG: no AES-GCM; the kernel needs CONFIG_CRYPTO_USER_API_AEAD");
	op = accept(tfm, NULL, 0);
	if (op < 0)
		die("AF_ALG: no operation");
	return op;
}

static void add_option(struct msghdr *msg, struct cmsghdr **cmsg, int type, const void *data,
		       size_t len)
{
	*cmsg = *cmsg ? CMSG_NXTHDR(msg, *cmsg) : CMSG_FIRSTHDR(msg);
	(*cmsg)->cmsg_level = SOL_ALG;
	(*cmsg)->cmsg_type = type;
	(*cmsg)->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(*cmsg), data, len);
}

/* ESP header and IV stand at @esp, and @len bytes to encrypt behind them. */
static void encrypt(int op, uint8_t *esp, size_t len)
{
	char control[CMSG_SPACE(4) * 2 + CMSG_SPACE(sizeof(struct af_alg_iv) + ESP_IV)] = {};
	uint8_t iv[sizeof(struct af_alg_iv) + ESP_IV];
	struct iovec iov = { esp, ESP_HEAD + ESP_IV + len };
	uint32_t action = ALG_OP_ENCRYPT, assoc = ESP_HEAD + ESP_IV, iv_len = ESP_IV;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = NULL;
	ssize_t whole = ESP_HEAD + ESP_IV + len + ESP_ICV;

	memcpy(iv, &iv_len, sizeof(iv_len));
	memcpy(iv + sizeof(struct af_alg_iv), esp + ESP_HEAD, ESP_IV);
	add_option(&msg, &cmsg, ALG_SET_OP, &action, sizeof(action));
	add_option(&msg, &cmsg, ALG_SET_IV, iv, sizeof(iv));
	add_option(&msg, &cmsg, ALG_SET_AEAD_ASSOCLEN, &assoc, sizeof(assoc));
	if (sendmsg(op, &msg, 0) != (ssize_t)iov.iov_len || read(op, esp, whole) != whole)
		die("AF_ALG: cannot encrypt");
}

/**
 * esp_packet() - put a packet into ESP
 * @out: outer packet, from its IP header on
 * @inner: packet
 * @len: its length
 * @seq: sequence number
 * @cipher: "null" or "aes-gcm-128", as lab/bench/init says
 *
 * Return: length of the outer packet.
 */
size_t esp_packet(uint8_t *out, const uint8_t *inner, size_t len, uint32_t seq, const char *cipher)
{
	static int op = -1;
	size_t gcm = strcmp(cipher, "null") ? ESP_IV : 0;
	size_t padded = (len + 2 + ESP_ALIGN - 1) / ESP_ALIGN * ESP_ALIGN;
	uint8_t *esp = out + sizeof(struct iphdr), *plain = esp + ESP_HEAD + gcm;
	uint32_t spi = htonl(ESP_SPI), number = htonl(seq);
	size_t i, whole = sizeof(struct iphdr) + ESP_HEAD + gcm + padded + (gcm ? ESP_ICV : 0);
	struct iphdr ip = {
		.version = 4,
		.ihl = 5,
		.tot_len = htons(whole),
		.ttl = 64,
		.protocol = IPPROTO_ESP,
		.saddr = inet_addr(ESP_SRC),
		.daddr = inet_addr(ESP_DST),
	};

	memcpy(esp, &spi, sizeof(spi));
	memcpy(esp + sizeof(spi), &number, sizeof(number));
	memset(esp + ESP_HEAD, 0, gcm);
	memcpy(esp + ESP_HEAD + gcm / 2, &number, gcm ? sizeof(number) : 0);
	memcpy(plain, inner, len);
	for (i = 0; len + i < padded - 2; i++)
		plain[len + i] = i + 1;
	plain[padded - 2] = i;
	plain[padded - 1] = IPPROTO_IPIP;
	if (gcm) {
		if (op < 0)
			op = cipher_open();
		encrypt(op, esp, padded);
	}
	ip.check = checksum(0, &ip, sizeof(ip));
	memcpy(out, &ip, sizeof(ip));
	return whole;
}
