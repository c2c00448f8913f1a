/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Follows the blocks of a pcapng stream by their lengths and rewrites four bytes of the later
 * interface description blocks. Whatever does not look like a block ends the following: from there
 * on all bytes pass as they are, and the errors are libpcap's.
 * Source: draft-ietf-opsawg-pcapng, sections 3.1, 4.1, 4.2.
 */
#include "capture_impl.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#define HEAD_SIZE      16u /* of a block: up to the snapshot length of an interface */
#define SNAPLEN_OFFSET 12u
#define BLOCK_MIN      12u
#define SECTION_TYPE   UINT32_C(0x0a0d0d0a) /* the same in both byte orders */
#define SECTION_MAGIC  UINT32_C(0x1a2b3c4d)
#define INTERFACE_TYPE 1u

struct filter {
	FILE *source;
	bool is_passing;  /* follows no blocks any more */
	bool is_swapped;  /* the section's byte order is not ours */
	bool has_snaplen; /* of the first interface */
	uint8_t snaplen[4];
	uint8_t head[HEAD_SIZE];
	uint64_t at;     /* offset in the current block */
	uint64_t length; /* of the current block, known from BLOCK_MIN on */
};

static uint32_t
head32(const struct filter *f, unsigned int offset)
{
	uint32_t value;

	memcpy(&value, f->head + offset, sizeof(value));
	return f->is_swapped ? __builtin_bswap32(value) : value;
}

/* BLOCK_MIN bytes of the block are known. */
static void
begin_block(struct filter *f)
{
	if (head32(f, 0) == SECTION_TYPE) {
		f->is_swapped ^= head32(f, 8) != SECTION_MAGIC;
		f->is_passing |= head32(f, 8) != SECTION_MAGIC;
	}
	f->length = head32(f, 4);
	f->is_passing |= f->length < BLOCK_MIN || f->length % 4 != 0;
}

static void
equalize(struct filter *f, uint8_t *byte)
{
	unsigned int i = (unsigned int)f->at - SNAPLEN_OFFSET;

	if (f->has_snaplen)
		*byte = f->snaplen[i];
	else
		f->snaplen[i] = *byte;
	f->has_snaplen |= i == 3;
}

static void
step_in_head(struct filter *f, uint8_t *byte)
{
	f->head[f->at] = *byte;
	if (f->at >= SNAPLEN_OFFSET && head32(f, 0) == INTERFACE_TYPE)
		equalize(f, byte);
	f->at++;
	if (f->at == 4 && f->length == 0 && head32(f, 0) != SECTION_TYPE)
		f->is_passing = true; /* no pcapng at all */
	if (f->at == BLOCK_MIN)
		begin_block(f);
}

static ssize_t
filter_read(void *cookie, char *buf, size_t size)
{
	struct filter *f = cookie;
	size_t i = 0, n = fread(buf, 1, size, f->source);

	if (n == 0 && ferror(f->source))
		return -1;
	while (i < n && !f->is_passing) {
		if (f->at < HEAD_SIZE) {
			step_in_head(f, (uint8_t *)buf + i++);
		} else {
			uint64_t skip = f->length - f->at;

			skip = skip < n - i ? skip : n - i;
			f->at += skip;
			i += skip;
		}
		if (f->at >= BLOCK_MIN && f->at == f->length)
			f->at = 0;
	}
	return (ssize_t)n;
}

static int
filter_close(void *cookie)
{
	struct filter *f = cookie;
	int status = f->source != stdin ? fclose(f->source) : 0;

	free(f);
	return status;
}

FILE *
capture_equalize(FILE *source)
{
	const cookie_io_functions_t functions = { .read = filter_read, .close = filter_close };
	struct filter *f = calloc(1, sizeof(*f));
	FILE *stream;

	if (f == NULL)
		return NULL;
	f->source = source;
	stream = fopencookie(f, "r", functions);
	if (stream == NULL)
		free(f);
	return stream;
}
