/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * err: one error text for people, with the place it is about.
 * Threads: none shared; each caller owns its struct.
 * Units: lines count from 1, 0 = no line.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

struct err {
	char file[256];    /* file, socket or source; "" = none */
	unsigned int line; /* 0 = none */
	char key[80];      /* "[country] drop", an option, an offset; "" = none */
	char message[400]; /* what is wrong and what to do */
};

/* Fill `e` (NULL allowed: does nothing). `file` and `key` may be NULL. Always returns -EINVAL, for
 * `return err_set(..)`. */
int err_set(struct err *e, const char *file, unsigned int line, const char *key, const char *format,
	...) __attribute__((format(printf, 5, 6)));

/* Same with an errno of your own: returns -code. `code` is positive. */
int err_set_code(struct err *e, int code, const char *file, unsigned int line, const char *key,
	const char *format, ...) __attribute__((format(printf, 6, 7)));

/* Write "file:line: key: message" (parts that are empty are left out) to `buf`, always
 * NUL-terminated. Returns `buf`. */
const char *err_format(const struct err *e, char *buf, size_t size);

/* Several errors in the order they were found. Zero-initialise; a list needs no fini. */
#define ERR_LIST_MAX 32
struct err_list {
	unsigned int n;       /* errors kept in items */
	unsigned int n_found; /* errors found, also those that did not fit */
	struct err items[ERR_LIST_MAX];
};

/* The next struct to fill; counts it. When the list is full: counts it and returns NULL (which
 * err_set allows). NULL list allowed. */
struct err *err_list_next(struct err_list *list);
