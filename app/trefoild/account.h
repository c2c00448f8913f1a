/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * account: counts one burst by class and by fate (reason, forwarded or dropped). Sums by fate are
 * collected per burst, in one word per fate, and then added to the worker's counters, so that a
 * frame costs one write there and two at its class.
 *
 * Threads: one account belongs to one worker; the counters it adds to may be read by anybody.
 * Units: lengths are bytes.
 */
#pragma once

#include "classify/classify.h"
#include "stats/stats.h"

#include <assert.h>

/* A fate is the reason, and RULESET_FORWARD above it. */
#define ACCOUNT_FATES     (2u << RULESET_REASON_BITS)
#define ACCOUNT_FORWARDED (1u << RULESET_REASON_BITS)
#define ACCOUNT_PACKET    (UINT64_C(1) << 32) /* bytes below: 64 frames never reach it */
#define ACCOUNT_FATE_MASK (ACCOUNT_FATES - 1)

static_assert(RULESET_FORWARD >> RULESET_REASON_SHIFT == ACCOUNT_FORWARDED, "bits are neighbours");

struct account {
	uint64_t sums[ACCOUNT_FATES]; /* of the burst, 0 between bursts */
};

/* The counters of a class, or those nobody reads where no address decided. */
static inline uint32_t
account_index(const struct stats_class *c, ruleset_answer_t answer)
{
	uint32_t class = answer & RULESET_CLASS_MASK;

	return class < c->n_classes ? class : c->n_classes;
}

/* HOT: fetch the counters that account_burst() will write. `pairs` is an array of `c`. */
static inline void
account_prefetch(const struct stats_class *c, const struct stats_pair *pairs,
	const ruleset_answer_t *answers, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		__builtin_prefetch(&pairs[account_index(c, answers[i])], 1);
}

/* Add the sums of one reason to the worker's counters. Returns all of them together. */
static inline uint64_t
account_add_reason(struct stats_worker *s, struct account *a, unsigned int reason)
{
	uint64_t dropped = a->sums[reason], forwarded = a->sums[ACCOUNT_FORWARDED + reason];

	stats_add(&s->reason[reason][1], dropped >> 32, (uint32_t)dropped);
	stats_add(&s->dropped, dropped >> 32, (uint32_t)dropped);
	stats_add(&s->reason[reason][0], forwarded >> 32, (uint32_t)forwarded);
	stats_add(&s->forwarded, forwarded >> 32, (uint32_t)forwarded);
	a->sums[reason] = a->sums[ACCOUNT_FORWARDED + reason] = 0;
	return dropped + forwarded;
}

/* HOT: count n <= CLASSIFY_BURST_MAX frames; answers[i] says their class and their fate. */
static inline void
account_burst(struct stats_worker *s, struct account *a, const struct stats_class *c,
	struct stats_pair *pairs, const ruleset_answer_t *answers, const uint32_t *lengths,
	unsigned int n)
{
	uint64_t reasons = 0, all = 0;
	unsigned int i;

	for (i = 0; i < n; i++) {
		unsigned int fate = answers[i] >> RULESET_REASON_SHIFT & ACCOUNT_FATE_MASK;

		stats_add(&pairs[account_index(c, answers[i])], 1, lengths[i]);
		a->sums[fate] += ACCOUNT_PACKET | lengths[i];
		reasons |= UINT64_C(1) << (fate & (ACCOUNT_FORWARDED - 1));
	}
	for (; reasons != 0; reasons &= reasons - 1)
		all += account_add_reason(s, a, (unsigned int)__builtin_ctzll(reasons));
	stats_add(&s->rx, all >> 32, (uint32_t)all);
	__atomic_store_n(&s->n_bursts, s->n_bursts + 1, __ATOMIC_RELAXED);
}
