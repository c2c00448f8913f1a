/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shadow: a candidate that is judged beside the running generation, on the frames of the workers.
 * It decides nothing; what it would have decided otherwise is counted.
 *
 * Threads: made, changed and freed by the control thread; shadow_judge() by the workers, each with
 * counters of its own. A candidate that is replaced is freed after a grace period of the workers.
 * Units: packets and bytes.
 */
#pragma once

#include "generation.h"

#include "classify/classify.h"
#include "stats/stats.h"

#include <rte_rcu_qsbr.h>

#define SHADOW_VERDICTS 4

/* What one worker saw. */
struct shadow_counts {
	struct stats_pair judged;
	/* [of the running generation][of the candidate], as carried out: in shadow mode nothing is
	 * dropped */
	struct stats_pair verdicts[SHADOW_VERDICTS][SHADOW_VERDICTS];
	struct stats_pair reasons[REASON_N]; /* of the candidate, where the verdict changes */
	/* [n_classes of the candidate + 1], where it changes; the last is for frames without one */
	struct stats_pair *stricter, *looser;
} __attribute__((aligned(STATS_CACHE_LINE)));

struct candidate {
	struct generation *generation; /* compiled, never published */
	struct shadow_counts *counts;  /* [n_workers] */
	unsigned int n_workers;
	uint32_t against; /* number of the running generation that the counters belong to */
	time_t since;
};

/* Takes `g`, also when it fails. NULL + ENOMEM. */
struct candidate *candidate_new(struct generation *g, unsigned int n_workers, uint32_t against);
void candidate_free(struct candidate *c); /* NULL allowed */

struct shadow;

/* `workers`: the readers; must outlive it. NULL + ENOMEM. */
struct shadow *shadow_new(struct rte_rcu_qsbr *workers);

/* Only when no worker runs any more. NULL allowed. */
void shadow_free(struct shadow *s);

/* Judge by `c` from now on; takes it, NULL = by none. The one before is retired. Returns 0, or
 * -ENOMEM: nothing changed and `c` is still the caller's. */
int shadow_set(struct shadow *s, struct candidate *c);
struct candidate *shadow_get(const struct shadow *s);

/* Free what no worker can see any more. Never blocks. */
void shadow_reclaim(struct shadow *s);

/* What all workers counted. Sums of classes are arrays of n_classes + 1; the caller frees them.
 * Returns 0 or -ENOMEM. */
int shadow_sum(const struct candidate *c, struct shadow_counts *sum);
void shadow_sum_fini(struct shadow_counts *sum);

/* HOT, once per burst: judge `pkts`, which `running` gave `results`, by the candidate, if there is
 * one, and count. `s` NULL = nothing. */
void shadow_judge(const struct shadow *s, unsigned int worker, const struct generation *running,
	enum classify_direction direction, struct rte_mbuf *const *pkts, unsigned int n,
	const struct classify_result *results);
