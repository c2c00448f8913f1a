/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters. Writers: the worker that owns the struct, with plain adds and relaxed stores.
 * Readers: anybody; a sum over several counters is not a snapshot of one instant.
 */
#include "stats/stats.h"

#include <errno.h>
#include <stdlib.h>

static struct stats_pair *
line_after(void *memory)
{
	uintptr_t at = ((uintptr_t)memory + STATS_CACHE_LINE - 1) / STATS_CACHE_LINE;

	return (struct stats_pair *)(at * STATS_CACHE_LINE);
}

/* One allocation: all four arrays, `all` first because it is the one written per packet. They share
 * no cache line with anything else. calloc() leaves large ones untouched, so that each page lies on
 * the NUMA node of the worker that counts there first. */
int
stats_class_init(struct stats_class *c, uint32_t n_classes)
{
	size_t size =
		((size_t)n_classes * 4 * sizeof(*c->all) / STATS_CACHE_LINE + 2) * STATS_CACHE_LINE;

	*c = (struct stats_class){ .memory = calloc(1, size) };
	if (c->memory == NULL)
		return -ENOMEM;
	c->all = line_after(c->memory);
	c->odd_dropped = c->all + n_classes;
	c->odd_mirrored = c->all + 2 * (size_t)n_classes;
	c->inbound = c->all + 3 * (size_t)n_classes;
	c->n_classes = n_classes;
	return 0;
}

void
stats_class_fini(struct stats_class *c)
{
	free(c->memory);
	*c = (struct stats_class){ .all = NULL };
}

void
stats_worker_sum(struct stats_worker *sum, const struct stats_worker *worker)
{
	unsigned int i;

	stats_sum(&sum->rx, &worker->rx);
	stats_sum(&sum->forwarded, &worker->forwarded);
	stats_sum(&sum->dropped, &worker->dropped);
	stats_sum(&sum->mirrored, &worker->mirrored);
	stats_sum(&sum->mirror_lost, &worker->mirror_lost);
	for (i = 0; i < REASON_N; i++) {
		stats_sum(&sum->reason[i][0], &worker->reason[i][0]);
		stats_sum(&sum->reason[i][1], &worker->reason[i][1]);
		stats_sum(&sum->shadow[i], &worker->shadow[i]);
	}
}
