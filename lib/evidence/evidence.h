/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * evidence: the custody of a directory of capture files: what is opened, closed, held and removed
 * goes into its manifest (inventory.h), signed; a segment's bytes are digested as they are written
 * and put under a checkpoint now and then (segment.h).
 *
 * A line that cannot be written (a full disk) leaves everything as it was: the caller tries again.
 * One that is in the file counts, also when the disk does not confirm it: evidence_sync() then says.
 *
 * Threads: one at a time.
 * Units: bytes; *_s are seconds since the epoch.
 */
#pragma once

#include "evidence/inventory.h"

struct evidence_options {
	const char *directory;
	const char *name;              /* of the appliance */
	const char *version;           /* of the program */
	const char *binary_sha256;     /* of it; NULL = not known */
	const struct signing_key *key; /* private */
	const struct chain_head *kept; /* a line that must be in the manifest; NULL = none known */
	const char *doubt;             /* why it is not known though it should be; NULL */
};

struct evidence;

/* Open the manifest of a directory (made if need be), put what a crash left into it, and a start.
 * The public key is written beside it. A manifest that does not verify is renamed to
 * manifest.jsonl.broken-N: no old segment is touched any more. One that verifies but does not hold
 * the kept line (all of it taken away, or a tail cut off) goes on. Either way the start says so, for
 * good. NULL + errno, `e` filled: EBUSY (another writer), ENOMEM, that of the system. */
struct evidence *evidence_open(const struct evidence_options *options, struct err *e);

/* What was wrong with the manifest when it was opened; NULL = nothing. BORROWED. */
const char *evidence_break(const struct evidence *evidence);

/* Where the manifest ends, if the disk has all of it. Returns 0 or -EAGAIN. */
int evidence_get_durable_head(const struct evidence *evidence, struct chain_head *out);

/* Puts a stop into the manifest when `is_stop`. NULL allowed. Segments must be closed before. */
void evidence_close(struct evidence *evidence, bool is_stop);

/* The number of the next segment: larger than any in the manifest. */
uint64_t evidence_next_number(const struct evidence *evidence);

/* Do not use that number: a file that nobody vouches for has it. */
void evidence_skip_number(struct evidence *evidence);

/* A segment of that name is about to be written; `more` (taken, NULL allowed) are further keys of
 * its line. One at a time. Returns 0 or -errno, `e` filled. */
int evidence_begin(struct evidence *evidence, const char *name, json_t *more, struct err *e);

/* The segment that was begun could not be written at all: its file is not there. */
void evidence_abandon(struct evidence *evidence);

/* HOT for the writer: bytes that are in the file of the open segment. Without one: nothing. */
void evidence_update(struct evidence *evidence, const void *data, size_t size);

/* Bytes of the open segment that no checkpoint covers. */
uint64_t evidence_uncovered(const struct evidence *evidence);

/* Put the open segment's bytes under a checkpoint, `n_packets` so far, further keys `more` (taken,
 * NULL allowed). `is_durable`: it is on the disk afterwards (the caller syncs the segment before),
 * and the first one, then one a minute, goes into the manifest too.
 * Without one: nothing. Returns 0 or -errno. */
int evidence_checkpoint(
	struct evidence *evidence, uint64_t n_packets, json_t *more, bool is_durable);

/* The open segment is complete and on the disk. Returns 0 or -errno: then it is still to be ended.
 * Without one: 0. */
int evidence_end(struct evidence *evidence, uint64_t n_packets, json_t *more, struct err *e);

/* A line without effect on segments: generation, full, room. `record` is taken. 0 or -errno. */
int evidence_note(struct evidence *evidence, json_t *record);

/* Legal hold of a segment (is_hold) or its end. Returns 0, -ENOENT (no such segment), -EALREADY or
 * -errno, `e` filled. */
int evidence_hold(struct evidence *evidence, const char *name, bool is_hold, const char *who,
	const char *why, struct err *e);

/* Remove what is closed, not held and was closed before `before_s`: first the line, then the files.
 * Files that could not go, or that a crash left, go with the next call. Returns the number of
 * segments removed, EVIDENCE_EXPIRE_MAX = there may be more (the caller's copies must not wait for
 * thousands), or -errno of the first that could not be. */
#define EVIDENCE_EXPIRE_MAX 16
int evidence_expire(struct evidence *evidence, int64_t before_s, struct err *e);

/* Lines that the disk did not confirm are tried again. Returns 0 (all are on it) or -errno. */
int evidence_sync(struct evidence *evidence, struct err *e);

/* Bytes of everything in custody that is not removed: segments, checkpoints, manifest. */
uint64_t evidence_bytes(const struct evidence *evidence);

/* Borrowed; until the next call. */
const struct inventory *evidence_inventory(const struct evidence *evidence);

/* The open segment's last checkpoint; n_checkpoints 0 = none. sha256 is not filled. */
void evidence_get_last_checkpoint(const struct evidence *evidence, struct segment_finding *out);
