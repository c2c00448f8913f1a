/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ini: reads an INI text strictly: what inih would cut, join, drop or guess is an error with its
 * line. Knows nothing of which sections and keys exist: see schema.h.
 *
 * Threads: pure functions.
 * Units: sizes and columns are bytes; lines and columns count from 1.
 * Source: the format is described in trefoil-policy(5); the line splitter is inih.
 */
#pragma once

#include "base/err.h"

#include <stddef.h>

#define INI_SIZE_MAX (4u << 20) /* bytes of one file */
#define INI_LINE_MAX 199        /* bytes of a line without its end */
#define INI_NAME_MAX 49         /* bytes of a section or a key */

/* What a text consists of, in its order. Both functions return 0 to go on (also after they reported
 * an error of their own) or -errno to stop. The strings live until the function returns. */
struct ini_sink {
	/* A section begins. `name` NULL: its header was refused; what follows belongs to none. */
	int (*section)(void *context, unsigned int line, const char *name);
	/* A key with its value: no surrounding blanks, no comment, never empty. */
	int (*entry)(void *context, unsigned int line, const char *key, const char *value);
	void *context;
};

/* Read `size` bytes; every refused line becomes an error of file `name` in `errors` (NULL allowed),
 * and reading goes on behind it. Returns 0, -EINVAL (lines were refused), -EFBIG (over
 * INI_SIZE_MAX, reported too), or what a function of `sink` stopped with. */
int ini_read(const char *text, size_t size, const char *name, const struct ini_sink *sink,
	struct err_list *errors);

/* Read a whole file to memory. Returns the text (free() it; a NUL that does not count stands behind
 * it), or NULL and errno: ENOENT, EACCES, EISDIR, EFBIG (over INI_SIZE_MAX), ENOMEM, EIO...; each
 * is an error in `errors` too. */
char *ini_load(const char *path, size_t *size, struct err_list *errors);

/* Bring the errors from index `first` on into the order of their lines (stable; those without a
 * line come last). NULL allowed. */
void ini_sort_errors(struct err_list *errors, unsigned int first);
