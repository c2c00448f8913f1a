/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * traffic: what the running generation judged lately, by class: the last 30 to 60 minutes, or all
 * of its time when it is younger. Two snapshots of the counters, one period apart, are kept.
 *
 * Threads: control thread; the counters it reads may be written meanwhile.
 * Units: seconds since the epoch.
 */
#pragma once

#include "generation.h"
#include "ruleset/diff.h"
#include "stats/stats.h"

#define TRAFFIC_PERIOD_S 1800

struct traffic;

/* NULL + ENOMEM. */
struct traffic *traffic_new(void);
void traffic_free(struct traffic *t); /* NULL allowed */

/* To be called at least once a minute, and at once when another generation begins to judge: take a
 * snapshot when one is due. `g` NULL = none runs. `total` is the sum over all workers. */
void traffic_tick(
	struct traffic *t, const struct generation *g, const struct stats_total *total, time_t now);

struct traffic_window {
	uint32_t seconds;                      /* it covers */
	struct diff_traffic *classes;          /* [n_classes] of the generation; for free() */
	struct diff_traffic reasons[REASON_N]; /* judged frames, in shadow mode by what would be */
};

/* What `g`, the running generation, judged in the window. Returns 0 or -ENOMEM. */
int traffic_read(const struct traffic *t, const struct generation *g,
	const struct stats_total *total, time_t now, struct traffic_window *out);
