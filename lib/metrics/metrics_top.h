/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * metrics_top: which members of a large set (ASNs) get counters of their own on a page, and what the
 * others' counter says, so that no counter on it ever falls.
 * The largest get one and keep it while they are among the 2 N largest. "other" counts what happened
 * to members while they were not listed: each packet is an increment of exactly one series. As long
 * as there were never more than N members, all are listed and "other" is 0.
 *
 * Threads: one struct belongs to one thread.
 * Units: values are counters, in whatever the caller counts (packets, bytes).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define METRICS_TOP_VALUES 4 /* counters of one member */

/* What a member of the set has counted so far. */
struct metrics_member {
	uint32_t id;
	uint64_t values[METRICS_TOP_VALUES]; /* [0] says who is large; none ever falls */
	bool is_listed;                      /* by metrics_top_update() */
};

struct metrics_top;

/* At most n_max members are listed; 0 is allowed. NULL + ENOMEM. */
struct metrics_top *metrics_top_new(unsigned int n_max);
void metrics_top_free(struct metrics_top *t); /* NULL allowed */

/* Mark who is listed among all members there are, and add up the rest. `members` is sorted by id.
 * Returns 0 or -ENOMEM: then nothing has changed, and nobody is marked. */
int metrics_top_update(struct metrics_top *t, struct metrics_member *members, size_t n,
	uint64_t other[METRICS_TOP_VALUES]);
