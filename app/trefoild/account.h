/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * account: counts one burst by class and by fate: each frame once at either.
 *
 * Threads: the counters belong to one worker and may be read by anybody.
 * Units: lengths are bytes.
 */
#pragma once

#include "classify/classify.h"
#include "stats/stats.h"

#include <assert.h>

static_assert(RULESET_REASON_BITS == STATS_REASON_BITS &&
		      RULESET_FORWARD == STATS_FORWARDED << RULESET_REASON_SHIFT,
	"an answer has the fate in it");

/* The counters of a class, or those nobody reads where no address decided. */
static inline uint32_t
account_index(const struct stats_class *c, ruleset_answer_t answer)
{
	uint32_t class = answer & RULESET_CLASS_MASK;

	return class < c->n_classes ? class : c->n_classes;
}

/* HOT: fetch the counters that account_burst() will write. Where no address decided, what is
 * fetched is nothing's, which does no harm. */
static inline void
account_prefetch(const struct stats_pair *pairs, const ruleset_answer_t *answers, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		__builtin_prefetch(&pairs[answers[i] & RULESET_CLASS_MASK], 1);
}

/* HOT: count n <= CLASSIFY_BURST_MAX frames; answers[i] says their class and their fate. */
static inline void
account_burst(struct stats_worker *s, const struct stats_class *c, struct stats_pair *pairs,
	const ruleset_answer_t *answers, const uint32_t *lengths, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		stats_add(&pairs[account_index(c, answers[i])], 1, lengths[i]);
		stats_add(&s->fate[answers[i] >> RULESET_REASON_SHIFT & (STATS_FATES - 1)], 1,
			lengths[i]);
	}
}
