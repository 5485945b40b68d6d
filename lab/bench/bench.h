/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

/* the state of lab/bench/init for what comes in */
#define ESP_SRC		"198.51.100.2"
#define ESP_DST		"10.1.0.1"
#define ESP_SPI		0x2001

__attribute__((noreturn, format(printf, 1, 2)))
void die(const char *fmt, ...);
uint16_t checksum(uint32_t sum, const void *data, size_t len);
size_t esp_packet(uint8_t *out, const uint8_t *inner, size_t len, uint32_t seq,
		  const char *cipher);

#endif /* BENCH_H */
