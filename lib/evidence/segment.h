/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * segment: the custody of one capture file while it is written and ever after: a running SHA-256 of
 * its bytes and, beside it, NAME.checkpoints.jsonl, a chain (chain.h) of checkpoints
 *
 *     {"seq":..,"time":..,"prev":..,"type":"checkpoint","bytes":B,"packets":P,"sha256":"..",..}
 *
 * whose `sha256` is that of the first B bytes (`head -c B NAME | sha256sum`). It starts from the
 * hash of the manifest's line that opened the segment, so it belongs to that segment alone.
 *
 * Threads: a segment belongs to one thread.
 * Units: bytes of the file from its beginning.
 * Source: FIPS 180-4.
 */
#pragma once

#include "evidence/chain.h"

#define SEGMENT_NAME_MAX 200u /* bytes of a file name without directory */

/* What the manifest says of a segment. */
struct segment_claim {
	char name[SEGMENT_NAME_MAX + 1];
	char start[SHA256_TEXT_SIZE]; /* of its chain of checkpoints */
	bool is_closed;               /* the rest is known */
	uint64_t bytes, n_checkpoints;
	uint64_t n_torn; /* bytes of a last checkpoint that a crash cut off */
	char sha256[SHA256_TEXT_SIZE];
	char checkpoints[SHA256_TEXT_SIZE]; /* hash of the last checkpoint's line */
};

/* What was found of it. */
struct segment_finding {
	uint64_t bytes;                /* of the file */
	uint64_t covered, n_packets;   /* up to the last checkpoint that holds */
	uint64_t n_checkpoints;        /* that hold */
	uint64_t n_torn;               /* bytes of a last checkpoint that was cut off */
	char sha256[SHA256_TEXT_SIZE]; /* of the whole file */
	char checkpoints[SHA256_TEXT_SIZE];
};

struct segment;

/* May `name` be a segment's: a plain file name that no path can be made of? */
bool segment_is_name(const char *name);

/* "DIRECTORY/NAME.checkpoints.jsonl" to `buf`. Returns `buf`. */
const char *segment_checkpoints_path(
	const char *directory, const char *name, char *buf, size_t size);

/* Begin: the chain of checkpoints is made, no byte has come. NULL + errno, `e` filled: as
 * chain_open(). */
struct segment *segment_open(const char *directory, const char *name, const char *start,
	const struct signing_key *key, struct err *e);

/* HOT for the writer: `size` bytes more are in the file. */
void segment_update(struct segment *segment, const void *data, size_t size);

/* Bytes so far (any thread) / covered by the last checkpoint. */
uint64_t segment_bytes(const struct segment *segment);
uint64_t segment_covered(const struct segment *segment);

/* Append a checkpoint of all bytes so far, which hold `n_packets`, with the keys of `more` (taken,
 * NULL = none). Returns as chain_append(). It is on the disk after segment_sync(). */
int segment_checkpoint(struct segment *segment, uint64_t n_packets, json_t *more);
int segment_sync(struct segment *segment);

/* The last checkpoint: all but bytes and sha256 of the finding. */
void segment_get_last_checkpoint(const struct segment *segment, struct segment_finding *out);

/* What is known by now, as if the file ended here. */
int segment_get(const struct segment *segment, struct segment_finding *out);

/* NULL allowed. */
void segment_close(struct segment *segment);

/* Called now and then with the bytes checked since the last call. */
typedef void segment_progress_fn(void *context, uint64_t bytes);

struct segment_check {
	const struct signing_key *key; /* NULL = signatures are not looked at */
	segment_progress_fn *progress; /* NULL = none */
	void *context;
};

/* Check a segment against its checkpoints and the claim. `*out` (NULL allowed) is filled as far as
 * it went. Of one that is not closed a last checkpoint that was cut off, and bytes behind the last
 * checkpoint, are no error. When a checkpoint does not hold, bytes and sha256 of the whole file are
 * found all the same. Returns 0, -EBADMSG with the first broken link in `e` (file, checkpoint,
 * bytes and packets), -ENOMEM or -errno of reading. */
int segment_verify(const char *directory, const struct segment_claim *claim,
	const struct segment_check *check, struct segment_finding *out, struct err *e);
