/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Snapshots: `begin` when the generation was first seen, `older` and `newer` one period apart. The
 * window reaches back to `older`, or to `begin` while there is no `older` yet.
 */
#include "traffic.h"

#include <errno.h>
#include <stdlib.h>

struct snapshot {
	time_t at; /* 0 = none */
	uint32_t n_classes;
	struct diff_traffic *classes; /* NULL = all zero */
	struct diff_traffic reasons[REASON_N];
};

struct traffic {
	uint32_t generation;         /* 0 = none */
	const struct generation *of; /* never read: the same number is compiled anew */
	struct snapshot begin, older, newer;
};

struct traffic *
traffic_new(void)
{
	return calloc(1, sizeof(struct traffic));
}

static void
snapshot_fini(struct snapshot *s)
{
	free(s->classes);
	*s = (struct snapshot){ .at = 0 };
}

void
traffic_free(struct traffic *t)
{
	if (t == NULL)
		return;
	snapshot_fini(&t->begin);
	snapshot_fini(&t->older);
	snapshot_fini(&t->newer);
	free(t);
}

static struct diff_traffic *
sum_classes(const struct generation *g)
{
	struct diff_traffic *sums = calloc((size_t)g->ruleset->n_classes + 1, sizeof(*sums));
	unsigned int w;
	uint32_t i;

	for (w = 0; sums != NULL && w < g->n_workers; w++)
		for (i = 0; i < g->ruleset->n_classes; i++) {
			struct stats_pair pair = stats_read(&g->counters[w].all[i]);

			sums[i].packets += pair.packets;
			sums[i].bytes += pair.bytes;
		}
	return sums;
}

static void
sum_reasons(const struct stats_total *total, struct diff_traffic reasons[REASON_N])
{
	unsigned int i;

	for (i = 0; i < REASON_N; i++) {
		const struct stats_pair *f = &total->reason[i][0], *d = &total->reason[i][1];

		reasons[i].packets = f->packets + d->packets + total->shadow[i].packets;
		reasons[i].bytes = f->bytes + d->bytes + total->shadow[i].bytes;
	}
}

void
traffic_tick(
	struct traffic *t, const struct generation *g, const struct stats_total *total, time_t now)
{
	uint32_t number = g != NULL ? g->number : 0;
	struct snapshot *due = NULL;

	if (number != t->generation || g != t->of) {
		snapshot_fini(&t->older);
		snapshot_fini(&t->newer);
		t->generation = number;
		t->of = g;
		t->begin.at = now;
		sum_reasons(total, t->begin.reasons);
	} else if (g != NULL &&
		   now - (t->newer.at != 0 ? t->newer.at : t->begin.at) >= TRAFFIC_PERIOD_S) {
		due = &t->newer;
	}
	if (due == NULL)
		return;
	snapshot_fini(&t->older);
	t->older = t->newer;
	*due = (struct snapshot){
		.at = now, .n_classes = g->ruleset->n_classes, .classes = sum_classes(g)
	};
	sum_reasons(total, due->reasons);
	if (due->classes == NULL)
		snapshot_fini(due); /* no memory: the next tick tries again */
}

static void
subtract(struct diff_traffic *from, const struct diff_traffic *before)
{
	from->packets -= before->packets;
	from->bytes -= before->bytes;
}

int
traffic_read(const struct traffic *t, const struct generation *g, const struct stats_total *total,
	time_t now, struct traffic_window *out)
{
	bool is_known = t->generation == g->number && t->of == g;
	const struct snapshot *base = t->older.at != 0 ? &t->older : &t->begin;
	struct diff_traffic *classes = sum_classes(g);
	uint32_t i;

	if (classes == NULL)
		return -ENOMEM;
	*out = (struct traffic_window){ .classes = classes };
	if (!is_known) /* not ticked since it judges: what came before is not its own */
		return 0;
	out->seconds = now > base->at ? (uint32_t)(now - base->at) : 0;
	sum_reasons(total, out->reasons);
	for (i = 0; i < REASON_N; i++)
		subtract(&out->reasons[i], &base->reasons[i]);
	for (i = 0; base->classes != NULL && i < base->n_classes; i++)
		subtract(&classes[i], &base->classes[i]);
	return 0;
}
