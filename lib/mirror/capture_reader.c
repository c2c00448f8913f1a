/* SPDX-License-Identifier: BSD-3-Clause */
/* Blocks one by one through stdio. Lengths are hostile: each is checked against what holds it. */
#include "mirror/capture_reader.h"

#include "mirror/capture_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	BLOCK_INTERFACE = 1,
	BLOCK_STATISTICS = 5,
	BLOCK_PACKET = 6,
	BLOCK_SECTION = 0x0a0d0d0a,
};

#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define PACKET_FIXED     28u /* type, size, interface, time, length, wire length */
#define OPTION_COMMENT   1u

struct capture_reader {
	FILE *file;
	char path[256];
	uint8_t *buffer;
	uint64_t offset, n_packets;
};

static uint32_t
read32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static uint16_t
read16(const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static int
reader_broken(const struct capture_reader *r, struct err *e, const char *what)
{
	return err_set_code(e, EBADMSG, r->path, 0, NULL,
		"byte %" PRIu64 ", behind packet %" PRIu64 ": %s", r->offset, r->n_packets, what);
}

/* The comment among the options of a packet. */
static int
reader_find_comment(const struct capture_reader *r, struct capture_block *b, const uint8_t *at,
	const uint8_t *end, struct err *e)
{
	b->comment = "";
	b->comment_length = 0;
	while (end - at >= 4) {
		uint32_t code = read16(at), length = read16(at + 2), padded = (length + 3u) & ~3u;

		if (code == 0)
			return 0;
		if ((size_t)(end - at) - 4 < padded)
			return reader_broken(r, e, "an option is longer than its block");
		if (code == OPTION_COMMENT && b->comment_length == 0) {
			b->comment = (const char *)at + 4;
			b->comment_length = length;
		}
		at += 4 + padded;
	}
	return at == end ? 0 : reader_broken(r, e, "options are cut off");
}

static int
reader_packet(struct capture_reader *r, struct capture_block *b, struct err *e)
{
	uint32_t padded;

	if (b->size < PACKET_FIXED + 4)
		return reader_broken(r, e, "a packet block is too short");
	b->interface = read32(b->raw + 8);
	b->time_ns = (uint64_t)read32(b->raw + 12) << 32 | read32(b->raw + 16);
	b->length = read32(b->raw + 20);
	b->wire_length = read32(b->raw + 24);
	b->data = b->raw + PACKET_FIXED;
	if (b->length > b->size - PACKET_FIXED - 4)
		return reader_broken(r, e, "a packet is longer than its block");
	padded = (b->length + 3u) & ~3u;
	if (padded > b->size - PACKET_FIXED - 4)
		return reader_broken(r, e, "a packet is longer than its block");
	b->number = ++r->n_packets;
	return reader_find_comment(r, b, b->data + padded, b->raw + b->size - 4, e);
}

static int
reader_judge(struct capture_reader *r, struct capture_block *b, struct err *e)
{
	switch (read32(b->raw)) {
	case BLOCK_SECTION:
		b->kind = CAPTURE_BLOCK_SECTION;
		if (b->size < 28 || read32(b->raw + 8) != BYTE_ORDER_MAGIC)
			return reader_broken(r, e, "no section of this machine's byte order");
		return 0;
	case BLOCK_INTERFACE:
		b->kind = CAPTURE_BLOCK_INTERFACE;
		return 0;
	case BLOCK_STATISTICS:
		b->kind = CAPTURE_BLOCK_STATISTICS;
		return 0;
	case BLOCK_PACKET:
		b->kind = CAPTURE_BLOCK_PACKET;
		return reader_packet(r, b, e);
	default:
		b->kind = CAPTURE_BLOCK_OTHER;
		return 0;
	}
}

int
capture_reader_next(struct capture_reader *r, struct capture_block *b, struct err *e)
{
	size_t n = fread(r->buffer, 1, 8, r->file);
	int rc;

	if (n == 0 && !ferror(r->file))
		return 0;
	memset(b, 0, sizeof(*b));
	b->raw = r->buffer;
	b->offset = r->offset;
	b->size = n == 8 ? read32(r->buffer + 4) : 0;
	if (n != 8)
		return reader_broken(r, e, "the last block is cut off");
	if (b->size < 12 || b->size > CAPTURE_BUFFER_SIZE || b->size % 4 != 0)
		return reader_broken(r, e, "no block begins here");
	if (fread(r->buffer + 8, 1, b->size - 8, r->file) != b->size - 8)
		return reader_broken(r, e, "the last block is cut off");
	if (read32(r->buffer + b->size - 4) != b->size)
		return reader_broken(r, e, "the block's two lengths differ");
	rc = reader_judge(r, b, e);
	if (rc != 0)
		return rc;
	r->offset += b->size;
	return 1;
}

struct capture_reader *
capture_reader_open(const char *path, struct err *e)
{
	struct capture_reader *r = calloc(1, sizeof(*r));
	int rc = ENOMEM;

	if (r == NULL)
		goto fail;
	snprintf(r->path, sizeof(r->path), "%s", path);
	r->buffer = aligned_alloc(64, CAPTURE_BUFFER_SIZE);
	if (r->buffer == NULL)
		goto fail;
	r->file = fopen(path, "re");
	rc = errno;
	if (r->file == NULL)
		goto fail;
	if (fread(r->buffer, 1, 12, r->file) == 12 && read32(r->buffer) == BLOCK_SECTION &&
		read32(r->buffer + 8) == BYTE_ORDER_MAGIC) {
		rewind(r->file);
		return r;
	}
	err_set(e, path, 0, NULL, "is no pcapng of this machine's byte order");
	capture_reader_close(r);
	errno = EINVAL;
	return NULL;
fail:
	err_set(e, path, 0, NULL, "%s", strerror(rc));
	capture_reader_close(r);
	errno = rc;
	return NULL;
}

void
capture_reader_close(struct capture_reader *r)
{
	if (r == NULL)
		return;
	if (r->file != NULL)
		fclose(r->file);
	free(r->buffer);
	free(r);
}
