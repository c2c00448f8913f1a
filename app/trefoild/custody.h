/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * custody: the evidence directory as the mirror's writer keeps it: names of segments, checkpoints,
 * what is retained and removed, how much room there is, and the head of the chain for the world to
 * see (status, syslog, a command of the operator's).
 *
 * Threads: custody_hold() and custody_get() from the control thread, the rest from the writer's; a
 * lock inside.
 * Units: bytes; seconds.
 */
#pragma once

#include "base/err.h"
#include "evidence/evidence.h"
#include "generation.h"

#include <stdbool.h>
#include <stdint.h>

struct custody_options {
	const char *directory, *name, *state_dir;
	const char *head_command;    /* "" = none; gets lines, hash and key as arguments */
	const char *extension;       /* of segments: "pcapng" */
	unsigned int retention_days; /* 0 = forever */
	uint64_t max_bytes;          /* 0 = as much as there is */
};

/* Copies that are not in a segment, by cause; in the order of custody_cause_names. */
enum custody_cause {
	CUSTODY_RING,   /* the worker's ring was full */
	CUSTODY_WRITE,  /* the file system refused it */
	CUSTODY_SPACE,  /* max_bytes is used up */
	CUSTODY_FILTER, /* the auditors' filter leaves it out */
	CUSTODY_FLOW,   /* not among the first packets of its flow */
	CUSTODY_RATE,   /* over the rate of its rule */
	CUSTODY_CAUSES
};
extern const char *const custody_cause_names[CUSTODY_CAUSES];

/* {"ring":0,...} */
json_t *custody_causes_json(const uint64_t lost[CUSTODY_CAUSES]);

struct custody;

/* Loads or makes the key, opens the manifest, puts a start into it. NULL + errno, `e` filled. */
struct custody *custody_open(const struct custody_options *options, struct err *e);

/* NULL allowed. */
void custody_close(struct custody *c);

/* Begin a segment: its path goes to `path`. `g` NULL = no policy. 0 or -errno, `e` filled. */
int custody_begin(
	struct custody *c, const struct generation *g, char *path, size_t size, struct err *e);

/* The file could not be made. */
void custody_abandon(struct custody *c);

/* HOT: a capture_tap_fn; the context is the custody. */
void custody_tap(void *custody, const void *data, size_t size);

/* Is the open segment to be put under a checkpoint? `*is_second`: on the disk too. */
bool custody_is_due(struct custody *c, bool *is_second);
int custody_checkpoint(struct custody *c, uint64_t n_packets, const uint64_t lost[CUSTODY_CAUSES],
	bool is_durable);

/* The segment is complete and on the disk. 0 or -errno: try again. */
int custody_end(
	struct custody *c, uint64_t n_packets, const uint64_t lost[CUSTODY_CAUSES], struct err *e);

/* Once a second or so: remove what is old enough, look after the command. 0 or -errno. */
int custody_attend(struct custody *c, struct err *e);

/* Another generation judges from here on. */
void custody_note_generation(struct custody *c, const struct generation *g);

/* Is there room for `bytes` more? The first no and the first yes after it go on record. */
bool custody_has_room(struct custody *c, uint64_t bytes);

/* Legal hold, or its end. Returns as evidence_hold(), or -EBUSY when the disk does not answer. */
int custody_hold(struct custody *c, const char *name, bool is_hold, const char *who,
	const char *why, struct err *e);

/* For status: chain{lines,sha256,key}, checkpoint{..}, bytes, max_bytes... A new object. */
json_t *custody_json(struct custody *c);

/* The clock was set by more than an hour: nothing is removed, whatever its retention, until the next
 * start. */
bool custody_keeps_all(const struct custody *c);

/* What was wrong with a manifest when it was opened; NULL = nothing. BORROWED. */
const char *custody_break(const struct custody *c);

/* For `mirror list`: a new array; NULL when the disk does not answer. */
json_t *custody_list_json(struct custody *c);
