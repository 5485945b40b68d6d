// SPDX-License-Identifier: GPL-2.0
/* One line per error: what, why, what to do. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/libbpf.h>

#include "tool.h"

static const char *command;
static bool verbose;

/* The kernel's own words on the error that is reported next; may be empty. */
static char kernel_words[128];

static int print_libbpf(enum libbpf_print_level level, const char *fmt,
			va_list args)
{
	if (verbose && level != LIBBPF_DEBUG)
		return vfprintf(stderr, fmt, args);
	return 0;
}

void report_init(const struct options *opts)
{
	command = opts->command;
	verbose = opts->verbose;
	libbpf_set_print(print_libbpf);
}

static void print_line(const char *what, const char *fmt, va_list args)
{
	fprintf(stderr, "xdp_xfrm: %s%s%s: ", command ?: "",
		command ? ": " : "", what);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
}

/* Always returns -1, for the caller to return. */
int fail(const char *what, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_line(what, fmt, args);
	va_end(args);
	return -1;
}

void warn(const char *what, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_line(what, fmt, args);
	va_end(args);
}

void kernel_said(const char *words)
{
	snprintf(kernel_words, sizeof(kernel_words), "%s", words);
}

/* Why: what the kernel said if it said something, else the text of @err. */
const char *reason(int err)
{
	static char text[sizeof(kernel_words)];

	if (kernel_words[0]) {
		memcpy(text, kernel_words, sizeof(text));
		kernel_words[0] = '\0';
		return text;
	}
	return strerror(abs(err));
}

void print_json_string(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			printf("\\%c", *s);
		else if ((unsigned char)*s < ' ')
			printf("\\u%04x", *s);
		else
			putchar(*s);
	}
	putchar('"');
}
