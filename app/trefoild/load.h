/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * load: how much a worker has to do: cycles spent on frames and without any, bursts, depth of the
 * receive queues; and what that was over the last second.
 *
 * Threads: struct worker_load is written by its worker only and may be read by anybody; the rest is
 * for the control thread.
 * Units: TSC cycles; depths are frames.
 */
#pragma once

#include "stats/stats.h"

#include <stdint.h>

#define LOAD_DEPTH_UNKNOWN (-1) /* the port's driver cannot say how many frames wait */

/* Counters only grow; each is relaxed. */
struct worker_load {
	uint64_t n_loops; /* heartbeat */
	uint64_t n_bursts, n_packets;
	uint64_t busy_cycles; /* of loops that received something */
	uint64_t idle_cycles; /* of loops that did not, waits included */
	uint64_t n_waits;     /* pauses and sleeps */
	uint64_t n_late;      /* sleeps that took so long that a full queue may have lost frames */
	int32_t depth;        /* of the fullest queue at the last look, or LOAD_DEPTH_UNKNOWN */
	int32_t depth_max;    /* over the last whole second */
} __attribute__((aligned(STATS_CACHE_LINE)));

/* Before the worker runs: nothing counted, no depth known. */
void load_init(struct worker_load *load);

/* What one look at a worker saw. */
struct load_point {
	uint64_t n_bursts, n_packets, busy_cycles, idle_cycles;
};

void load_read(const struct worker_load *load, struct load_point *out);

/* What went on between two looks; NAN = nothing happened that could be divided by. */
struct load_rate {
	double busy_percent; /* NAN: the worker did not move */
	double cycles_per_burst, cycles_per_packet;
	double packets_per_burst;
};

void load_rate(const struct load_point *from, const struct load_point *to, struct load_rate *out);

/* The last looks at one worker. Zero-initialised: before the first look it begins at the start. */
#define LOAD_LOOKS 2
struct load_history {
	struct load_point looks[LOAD_LOOKS]; /* the oldest first */
};

void load_history_add(struct load_history *h, const struct worker_load *load);

/* From the oldest look until now. */
void load_history_rate(
	const struct load_history *h, const struct worker_load *load, struct load_rate *out);
