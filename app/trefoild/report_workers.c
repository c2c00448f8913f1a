/* SPDX-License-Identifier: BSD-3-Clause */
/* What operators see of a worker's headroom, in "status" and "counters" alike. */
#include "report.h"

#include <math.h>

static json_t *
number_or_null(double value)
{
	return isnan(value) ? json_null() : json_real(value);
}

static json_t *
depth_or_null(const int32_t *depth)
{
	int32_t now = __atomic_load_n(depth, __ATOMIC_RELAXED);

	return now == LOAD_DEPTH_UNKNOWN ? json_null() : json_integer(now);
}

static json_t *
count_json(const uint64_t *counter)
{
	return json_integer((json_int_t)__atomic_load_n(counter, __ATOMIC_RELAXED));
}

json_t *
report_load(const struct daemon *d, unsigned int i)
{
	static const char *const idle[] = { "poll", "pause", "sleep" };
	const struct worker *w = &d->workers[i];
	struct load_rate rate;

	load_history_rate(&d->loads[i], &w->load, &rate);
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:s, s:o, s:o}", "busy_percent",
		number_or_null(rate.busy_percent), "cycles_per_burst",
		number_or_null(rate.cycles_per_burst), "cycles_per_packet",
		number_or_null(rate.cycles_per_packet), "packets_per_burst",
		number_or_null(rate.packets_per_burst), "bursts", count_json(&w->load.n_bursts),
		"queue_depth", depth_or_null(&w->load.depth), "queue_depth_max",
		depth_or_null(&w->load.depth_max), "queues", (json_int_t)w->n_queues, "idle",
		idle[w->idle.mode], "waits", count_json(&w->load.n_waits), "late_wakes",
		count_json(&w->load.n_late));
}
