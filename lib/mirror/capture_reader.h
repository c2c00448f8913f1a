/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture_reader: reads back the pcapng that capture_file writes, block by block and with the
 * annotations, which libpcap does not give. Only the machine's byte order: a segment is read where
 * machines of its kind are.
 *
 * Threads: a reader belongs to one thread.
 * Units: nanoseconds since the epoch; bytes.
 * Source: draft-ietf-opsawg-pcapng.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum capture_block_kind {
	CAPTURE_BLOCK_SECTION,
	CAPTURE_BLOCK_INTERFACE,
	CAPTURE_BLOCK_PACKET,
	CAPTURE_BLOCK_STATISTICS,
	CAPTURE_BLOCK_OTHER,
};

struct capture_block {
	enum capture_block_kind kind;
	const uint8_t *raw; /* the whole block, until the next call */
	uint32_t size;
	uint64_t offset; /* in the file */
	/* of a packet */
	uint64_t number; /* from 1 */
	uint64_t time_ns;
	uint32_t interface, length, wire_length;
	const uint8_t *data;
	const char *comment; /* not NUL-terminated, "" = none */
	uint32_t comment_length;
};

struct capture_reader;

/* NULL + errno, `e` filled: EINVAL (no pcapng of this byte order), ENOMEM, that of the system. */
struct capture_reader *capture_reader_open(const char *path, struct err *e);

/* The next block. Returns 1, 0 at the end, -EBADMSG (a block that is none: `e` names the byte; also
 * a last block that is cut off) or -errno. */
int capture_reader_next(struct capture_reader *reader, struct capture_block *out, struct err *e);

/* NULL allowed. */
void capture_reader_close(struct capture_reader *reader);
