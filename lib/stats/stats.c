/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters. Writers: the worker that owns the struct, with plain adds and relaxed stores.
 * Readers: anybody; a sum over several counters is not a snapshot of one instant.
 */
#include "stats/stats.h"

#include "base/huge.h"

#include <errno.h>

/* One allocation: all four arrays, `all` first because it is the one written per packet. Each array
 * has one more item than there are classes, for frames of none. They share no cache line with
 * anything else, and each page lies on the NUMA node of the worker that counts there first. */
static size_t
class_size(uint32_t n_classes)
{
	return 4 * ((size_t)n_classes + 1) * sizeof(struct stats_pair);
}

int
stats_class_init(struct stats_class *c, uint32_t n_classes)
{
	struct stats_pair *pairs = huge_new_on_touch(class_size(n_classes));
	size_t n = (size_t)n_classes + 1;

	*c = (struct stats_class){ .all = NULL };
	if (pairs == NULL)
		return -ENOMEM;
	c->all = pairs;
	c->odd_dropped = pairs + n;
	c->odd_mirrored = pairs + 2 * n;
	c->inbound = pairs + 3 * n;
	c->n_classes = n_classes;
	return 0;
}

void
stats_class_fini(struct stats_class *c)
{
	huge_free(c->all, class_size(c->n_classes));
	*c = (struct stats_class){ .all = NULL };
}

/* Read once, so that the parts and their sums agree. */
static void
add_reason(struct stats_total *total, const struct stats_worker *worker, unsigned int reason)
{
	struct stats_pair dropped = stats_read(&worker->fate[reason]),
			  forwarded = stats_read(&worker->fate[STATS_FORWARDED | reason]);

	stats_sum(&total->reason[reason][0], &forwarded);
	stats_sum(&total->reason[reason][1], &dropped);
	stats_sum(&total->forwarded, &forwarded);
	stats_sum(&total->dropped, &dropped);
	stats_sum(&total->rx, &forwarded);
	stats_sum(&total->rx, &dropped);
}

void
stats_total_add(struct stats_total *total, const struct stats_worker *worker)
{
	unsigned int i;

	for (i = 0; i < REASON_N; i++) {
		add_reason(total, worker, i);
		stats_sum(&total->shadow[i], &worker->shadow[i]);
	}
	stats_sum(&total->mirrored, &worker->mirrored);
	stats_sum(&total->mirror_lost, &worker->mirror_lost);
}

struct stats_total
stats_of(const struct stats_worker *worker)
{
	struct stats_total total = { .rx = { 0, 0 } };

	stats_total_add(&total, worker);
	return total;
}
