/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * idle: what a worker does while nothing arrives: poll on, pause the CPU, or sleep. A wait is never
 * planned longer than half of the receive descriptors last when the smallest frames arrive at line
 * rate in one queue; the other half is for what the kernel adds when it wakes a sleeper late.
 *
 * Threads: struct idle is written by its worker, but for safe_cycles, which the control thread
 * sets. idle_safe_ns() is for any thread.
 * Units: ns or TSC cycles, as named.
 */
#pragma once

#include "settings/settings.h"
#include "stats/stats.h"

#include <stdbool.h>
#include <stdint.h>

#define IDLE_WAIT_MAX_NS  50000 /* of one wait, whatever the queues could take */
#define IDLE_SLEEP_MIN_NS 5000  /* a shorter sleep costs more than it saves: pauses instead */

/* How long all frames may be left waiting: half of `n_descriptors` filled by frames of 64 bytes at
 * `speed_mbps`, at most IDLE_WAIT_MAX_NS. 0 = not at all: the speed is not known. */
uint64_t idle_safe_ns(unsigned int n_descriptors, uint32_t speed_mbps);

struct idle {
	/* Set up by idle_init(), read only. */
	enum settings_idle mode;
	bool can_pause, can_monitor, can_monitor_many; /* what the CPU has */
	uint64_t after_cycles;                         /* without a frame before the first wait */
	uint64_t tsc_hz;
	/* Set by the control thread; atomic, relaxed. */
	uint64_t safe_cycles; /* see idle_safe_ns(); 0 = do not wait */
	/* The worker's. */
	uint64_t late_cycles; /* how much longer than asked the worst of the recent sleeps took */
} __attribute__((aligned(STATS_CACHE_LINE)));

/* Needs the EAL, which knows the TSC's speed. */
void idle_init(struct idle *idle, enum settings_idle mode, unsigned int after_us);

/* For the control thread. */
void idle_set_safe(struct idle *idle, uint64_t safe_ns);

struct worker;

/* For the worker's thread, once. */
void idle_begin(const struct idle *idle);

/* For the worker, when nothing has arrived for idle->after_cycles. It is a reader of rulesets that
 * is online, and goes offline around what blocks in the kernel. */
void idle_wait(struct worker *w);
