/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One atomic pointer. Readers: workers, within a burst. Writer: the control thread. Reclaim: the
 * workers' quiescent states, as for generations (publish.h).
 */
#include "shadow.h"

#include <errno.h>
#include <rte_branch_prediction.h>
#include <stdlib.h>
#include <string.h>

struct retired {
	struct candidate *candidate;
	uint64_t token;
	struct retired *next;
};

struct shadow {
	struct candidate *candidate; /* atomic */
	struct rte_rcu_qsbr *workers;
	struct retired *retired;
};

static int
counts_init(struct shadow_counts *counts, uint32_t n_classes)
{
	struct stats_pair *pairs = calloc(2 * ((size_t)n_classes + 1), sizeof(*pairs));

	if (pairs == NULL)
		return -ENOMEM;
	memset(counts, 0, sizeof(*counts));
	counts->stricter = pairs;
	counts->looser = pairs + n_classes + 1;
	return 0;
}

void
shadow_sum_fini(struct shadow_counts *sum)
{
	free(sum->stricter);
	sum->stricter = sum->looser = NULL;
}

struct candidate *
candidate_new(struct generation *g, unsigned int n_workers, uint32_t against)
{
	struct candidate *c = calloc(1, sizeof(*c));
	size_t size = ((size_t)n_workers + 1) * sizeof(*c->counts);

	if (c == NULL) {
		generation_free(g);
		return NULL;
	}
	c->generation = g;
	c->against = against;
	c->since = time(NULL);
	c->counts = aligned_alloc(STATS_CACHE_LINE, size);
	while (c->counts != NULL && c->n_workers < n_workers &&
		counts_init(&c->counts[c->n_workers], g->ruleset->n_classes) == 0)
		c->n_workers++;
	if (c->counts != NULL && c->n_workers == n_workers)
		return c;
	candidate_free(c);
	errno = ENOMEM;
	return NULL;
}

void
candidate_free(struct candidate *c)
{
	unsigned int i;

	if (c == NULL)
		return;
	for (i = 0; i < c->n_workers; i++)
		shadow_sum_fini(&c->counts[i]);
	free(c->counts);
	generation_free(c->generation);
	free(c);
}

struct shadow *
shadow_new(struct rte_rcu_qsbr *workers)
{
	struct shadow *s = calloc(1, sizeof(*s));

	if (s != NULL)
		s->workers = workers;
	return s;
}

void
shadow_free(struct shadow *s)
{
	struct retired *r;

	if (s == NULL)
		return;
	while ((r = s->retired) != NULL) {
		s->retired = r->next;
		candidate_free(r->candidate);
		free(r);
	}
	candidate_free(s->candidate);
	free(s);
}

int
shadow_set(struct shadow *s, struct candidate *c)
{
	struct retired *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return -ENOMEM;
	r->candidate = __atomic_exchange_n(&s->candidate, c, __ATOMIC_ACQ_REL);
	r->token = rte_rcu_qsbr_start(s->workers);
	r->next = s->retired;
	s->retired = r;
	return 0;
}

struct candidate *
shadow_get(const struct shadow *s)
{
	return __atomic_load_n(&s->candidate, __ATOMIC_ACQUIRE);
}

void
shadow_reclaim(struct shadow *s)
{
	struct retired **link = &s->retired, *r;

	while ((r = *link) != NULL) {
		if (r->candidate != NULL && rte_rcu_qsbr_check(s->workers, r->token, false) != 1) {
			link = &r->next;
			continue;
		}
		*link = r->next;
		candidate_free(r->candidate);
		free(r);
	}
}

static void
sum_worker(struct shadow_counts *sum, const struct shadow_counts *w, uint32_t n_classes)
{
	unsigned int i, k;
	uint32_t class;

	stats_sum(&sum->judged, &w->judged);
	for (i = 0; i < SHADOW_VERDICTS; i++)
		for (k = 0; k < SHADOW_VERDICTS; k++)
			stats_sum(&sum->verdicts[i][k], &w->verdicts[i][k]);
	for (i = 0; i < REASON_N; i++)
		stats_sum(&sum->reasons[i], &w->reasons[i]);
	for (class = 0; class <= n_classes; class ++) {
		stats_sum(&sum->stricter[class], &w->stricter[class]);
		stats_sum(&sum->looser[class], &w->looser[class]);
	}
}

int
shadow_sum(const struct candidate *c, struct shadow_counts *sum)
{
	uint32_t n_classes = c->generation->ruleset->n_classes;
	unsigned int i;

	if (counts_init(sum, n_classes) != 0)
		return -ENOMEM;
	for (i = 0; i < c->n_workers; i++)
		sum_worker(sum, &c->counts[i], n_classes);
	return 0;
}

/* What is carried out of a verdict. */
static verdict_t
effect_mask(const struct generation *g)
{
	return g->policy->mode == POLICY_SHADOW ? VERDICT_MIRROR : VERDICT_MIRROR | VERDICT_DROP;
}

static void
count(struct shadow_counts *counts, uint32_t n_classes, verdict_t before, verdict_t after,
	const struct classify_result *result, uint32_t bytes)
{
	uint32_t class = result->class < n_classes ? result->class : n_classes;

	stats_add(&counts->verdicts[before][after], 1, bytes);
	if (before == after)
		return;
	stats_add(&counts->reasons[result->reason], 1, bytes);
	stats_add(after > before ? &counts->stricter[class] : &counts->looser[class], 1, bytes);
}

void
shadow_judge(const struct shadow *s, unsigned int worker, const struct generation *running,
	enum classify_direction direction, struct rte_mbuf *const *pkts, unsigned int n,
	const struct classify_result *results)
{
	struct classify_result judged[CLASSIFY_BURST_MAX];
	const struct candidate *c = s != NULL ? shadow_get(s) : NULL;
	verdict_t before, after;
	uint64_t bytes = 0;
	unsigned int i;

	if (likely(c == NULL))
		return;
	before = effect_mask(running);
	after = effect_mask(c->generation);
	classify_burst(c->generation->ruleset, direction, pkts, n, judged);
	for (i = 0; i < n; i++) {
		bytes += pkts[i]->pkt_len;
		count(&c->counts[worker], c->generation->ruleset->n_classes,
			results[i].verdict & before, judged[i].verdict & after, &judged[i],
			pkts[i]->pkt_len);
	}
	stats_add(&c->counts[worker].judged, n, bytes);
}
