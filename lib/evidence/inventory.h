/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * inventory: the segments of an evidence directory, by its manifest (DIRECTORY/manifest.jsonl, a
 * chain.h). Types of its lines, each with the keys given:
 *
 *     start       name version key binary torn     the daemon began; torn: bytes that a crash cut;
 *                 broken kept{lines,sha256}        broken: what was wrong with what it found;
 *                                                  kept: the line that the appliance had written
 *     open        segment number opened_s policy geo generation format
 *     generation  generation policy geo            another ruleset judges from here on
 *     covered     segment bytes packets            so much is on the disk under a checkpoint: the
 *                                                  first time, and then once a minute
 *     close       segment bytes packets sha256 checkpoints{lines,sha256} closed_s lost
 *     recover     as close, and covered torn error: what a crash left of an open segment
 *     hold        segment who why                  legal hold: never removed until
 *     release     segment who why
 *     remove      segment bytes sha256 why         removed from the directory
 *     full, room  bytes max_bytes                  the mirror stopped for lack of space, went on
 *     stop                                         the daemon ended
 *
 * Threads: an inventory belongs to one thread.
 * Units: bytes; *_s are seconds since the epoch.
 */
#pragma once

#include "evidence/segment.h"

#define INVENTORY_MANIFEST "manifest.jsonl"
#define INVENTORY_KEY      "public.pem"

/* Text of most lines. A close makes them void, so who only wants to go on may skip them (chain.h). */
#define INVENTORY_COVERED "\"type\":\"covered\""

struct inventory_segment {
	struct segment_claim claim;
	uint64_t number, n_packets;
	uint64_t covered;  /* under checkpoints; less than claim.bytes after a crash only */
	uint64_t anchored; /* what the manifest says is under one, before it is closed */
	int64_t opened_s, closed_s;
	bool is_recovered, is_held, is_removed, is_missing;
	bool is_damaged;         /* was so when it was recovered */
	bool is_gone;            /* removed, and its files with it; set by who removes them */
	json_t *opened, *closed; /* the manifest's lines, if kept; closed NULL while open */
};

struct inventory {
	struct inventory_segment *items; /* in the order of opening, removed ones too */
	size_t n;
	json_t *by_name;  /* index of what is not removed, NULL = there is none yet */
	bool keeps_lines; /* of segments: they take ten times as much memory as all else */
	uint64_t number_max;
	bool is_running; /* a start without stop */
	json_t *breaks;  /* starts that found one; NULL = none */
	struct chain_head head;
};

/* Read and check the manifest of `directory`. `*out` is filled as far as it is good, also after an
 * error; inventory_fini() it always. Returns as chain_verify(). */
int inventory_load(const char *directory, const struct chain_check *check, bool keeps_lines,
	struct inventory *out, struct err *e);
void inventory_fini(struct inventory *inventory);

/* What one more line of the manifest, whose SHA-256 is `hash`, changes. Returns 0, -ENOMEM or
 * -EBADMSG (a line that does not fit those before), `e` filled but for its place. */
int inventory_apply(
	struct inventory *inventory, const json_t *record, const char *hash, struct err *e);

/* Forget the segments that are gone: who runs for years must not hold all there ever were. Moves the
 * items. */
void inventory_forget_gone(struct inventory *inventory);

/* The segment of that name that is not removed, or NULL. */
struct inventory_segment *inventory_find(struct inventory *inventory, const char *name);

/* Was there one of that name that is removed now? */
bool inventory_was_removed(const struct inventory *inventory, const char *name);
