/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Each listed member's counters of the last update are kept. What listed members counted from one
 * update to the next adds up to `own`; "other" is all that was counted, less `own`.
 */
#include "metrics/metrics_top.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct metrics_top {
	unsigned int n_max;
	bool was_full;                 /* at the last update: some were not listed */
	struct metrics_member *listed; /* [n_max], sorted by id, as of the last update */
	size_t n_listed;
	uint64_t own[METRICS_TOP_VALUES];
};

struct metrics_top *
metrics_top_new(unsigned int n_max)
{
	struct metrics_top *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->n_max = n_max;
	t->listed = calloc((size_t)n_max + 1, sizeof(*t->listed));
	if (t->listed == NULL) {
		free(t);
		return NULL;
	}
	return t;
}

void
metrics_top_free(struct metrics_top *t)
{
	if (t != NULL)
		free(t->listed);
	free(t);
}

static int
compare_ids(const void *a, const void *b)
{
	const struct metrics_member *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static const struct metrics_member *
find_listed(const struct metrics_top *t, const struct metrics_member *m)
{
	return bsearch(m, t->listed, t->n_listed, sizeof(*m), compare_ids);
}

/* Largest first, then by id. */
static int
compare_sizes(const void *a, const void *b)
{
	const struct metrics_member *x = *(struct metrics_member *const *)a;
	const struct metrics_member *y = *(struct metrics_member *const *)b;

	if (x->values[0] != y->values[0])
		return x->values[0] > y->values[0] ? -1 : 1;
	return compare_ids(x, y);
}

/* Who was listed stays within 2 n_max; then the largest of the others, as far as there is room. */
static void
choose(const struct metrics_top *t, struct metrics_member **ranked, size_t n)
{
	size_t i, n_chosen = 0;

	for (i = 0; i < n && i < 2 * (size_t)t->n_max; i++) {
		ranked[i]->is_listed = find_listed(t, ranked[i]) != NULL;
		n_chosen += ranked[i]->is_listed;
	}
	for (i = 0; i < n && n_chosen < t->n_max; i++) {
		n_chosen += !ranked[i]->is_listed;
		ranked[i]->is_listed = true;
	}
}

/* What `m`, which is listed, counted since the last update is its own, if it was listed then. Who was
 * not there at a time when all were listed had counted nothing then. */
static void
add_own(struct metrics_top *t, const struct metrics_member *m)
{
	const struct metrics_member *before = find_listed(t, m);
	unsigned int v;

	if (before == NULL && t->was_full)
		return;
	for (v = 0; v < METRICS_TOP_VALUES; v++)
		t->own[v] += m->values[v] - (before != NULL ? before->values[v] : 0);
}

static void
remember(struct metrics_top *t, const struct metrics_member *members, size_t n)
{
	size_t i;

	t->n_listed = 0;
	for (i = 0; i < n; i++)
		if (members[i].is_listed)
			t->listed[t->n_listed++] = members[i];
	t->was_full = t->n_listed < n;
}

int
metrics_top_update(struct metrics_top *t, struct metrics_member *members, size_t n,
	uint64_t other[METRICS_TOP_VALUES])
{
	struct metrics_member **ranked = calloc(n + 1, sizeof(struct metrics_member *));
	size_t i;
	unsigned int v;

	if (ranked == NULL)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		members[i].is_listed = false;
		ranked[i] = &members[i];
	}
	qsort(ranked, n, sizeof(struct metrics_member *), compare_sizes);
	choose(t, ranked, n);
	free(ranked);
	memset(other, 0, METRICS_TOP_VALUES * sizeof(*other));
	for (i = 0; i < n; i++) {
		if (members[i].is_listed)
			add_own(t, &members[i]);
		for (v = 0; v < METRICS_TOP_VALUES; v++)
			other[v] += members[i].values[v];
	}
	remember(t, members, n);
	for (v = 0; v < METRICS_TOP_VALUES; v++)
		other[v] -= t->own[v];
	return 0;
}
