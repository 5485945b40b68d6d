/* SPDX-License-Identifier: GPL-2.0 */
#ifndef STRESS_USER_H
#define STRESS_USER_H

#include <stdbool.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* With @print by how much they grew, as members of a JSON object */
void counters_read(bool print);
void caches_read(void);
/* The most that there was, as a member of a JSON object */
void caches_print(void);

__attribute__((noreturn, format(printf, 1, 2)))
void die(const char *fmt, ...);

#endif
