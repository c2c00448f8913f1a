/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * generation: one policy and one geo table, compiled and numbered, with the counters of the frames
 * judged by it. Immutable but for the counters.
 *
 * Threads: made and freed by the control thread; read by workers and the mirror writer. It is
 * published by one pointer and freed after both have passed a grace period (publish.h).
 */
#pragma once

#include "base/err.h"
#include "geo/geo.h"
#include "policy/policy.h"
#include "ruleset/ruleset.h"
#include "stats/stats.h"
#include "stats/tally.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* A geo table that several generations share. Control thread only. */
struct geo_ref {
	struct geo_table *table;
	void *bytes; /* of its file, as they were verified */
	size_t size;
	char path[256];
	uint64_t n_prefixes4, n_prefixes6; /* filled by geo_ref_count() */
	unsigned int n_users;
};

/* Load a table file. NULL + errno, `e` filled. The caller is its first user. */
struct geo_ref *geo_ref_load(const char *path, struct err *e);
/* The same from the bytes of a file; `name` stands for its path. */
struct geo_ref *geo_ref_parse(const void *bytes, size_t size, const char *name, struct err *e);
/* How many CIDR prefixes its ranges amount to: counted when it is asked for first, since that takes
 * longer than a start can wait. */
void geo_ref_count(struct geo_ref *ref);
struct geo_ref *geo_ref_take(struct geo_ref *ref);
void geo_ref_drop(struct geo_ref *ref); /* NULL allowed */

/* Days since the table was built; 0 for one from the future. */
unsigned int geo_age_days(const struct geo_table *table, time_t now);

/* The NUMA nodes that have workers: a worker's `node` is an index here. */
#define GENERATION_NODES_MAX 8
struct generation_nodes {
	unsigned int n;
	int nodes[GENERATION_NODES_MAX];
	const struct huge_memory *memory; /* NULL = huge_memory_on_nodes; tests bring their own */
};

struct generation {
	uint32_t number;
	struct policy *policy;
	struct geo_ref *geo;
	struct ruleset *ruleset;
	struct ruleset *on_node[GENERATION_NODES_MAX]; /* what workers read: it, or copies */
	struct stats_class *counters; /* [n_workers], each written by its worker only */
	unsigned int n_workers;
	struct tally_key *keys; /* [ruleset->n_classes] */
	time_t pushed_at;
	char pushed_by[64];
	char message[256];
};

/* Compile. Takes `policy` on success and on failure, adds a user to `geo`.
 * NULL + errno (ENOMEM, EOVERFLOW). */
struct generation *generation_new(uint32_t number, struct policy *policy, struct geo_ref *geo,
	bool is_stale, unsigned int n_workers);
void generation_free(struct generation *g);

/* Put look-up tables on each of two or more nodes; on one they stay where they are. Before it is
 * published. Returns 0 or -ENOMEM: then it can still judge, and be freed. */
int generation_spread(struct generation *g, const struct generation_nodes *nodes);

/* Add what all workers counted under `g`. Returns 0 or -ENOMEM. */
int generation_tally(const struct generation *g, struct tally *tally);
