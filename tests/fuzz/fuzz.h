/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz: what the targets share. A target is one function, LLVMFuzzerTestOneInput(); a broken
 * promise of the code under test ends the process, which libFuzzer reports with the input.
 */
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition);    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* A copy in a block of its very size, so that ASan sees one byte too many. free() it. */
static inline void *
fuzz_copy(const void *data, size_t size)
{
	void *copy = malloc(size);

	CHECK(copy != NULL || size == 0);
	if (size > 0)
		memcpy(copy, data, size);
	return copy;
}

/* Cut `n` bytes off the front of the input; bytes that are not there read as 0. */
static inline void
fuzz_take(const uint8_t **data, size_t *size, uint8_t *out, size_t n)
{
	size_t there = n < *size ? n : *size;

	memset(out, 0, n);
	memcpy(out, *data, there);
	*data += there;
	*size -= there;
}

/* An error has a text, which fits where it is shown. */
static inline void
fuzz_check_error(const struct err *e)
{
	char text[sizeof(*e) + 32], small[16];

	CHECK(e->message[0] != '\0');
	err_format(e, text, sizeof(text));
	CHECK(strstr(text, e->message) != NULL);
	CHECK(strlen(err_format(e, small, sizeof(small))) < sizeof(small));
}

static inline void
fuzz_check_errors(const struct err_list *errors)
{
	unsigned int i;

	CHECK(errors->n > 0 && errors->n <= ERR_LIST_MAX && errors->n_found >= errors->n);
	for (i = 0; i < errors->n; i++)
		fuzz_check_error(&errors->items[i]);
}
