/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker: one core's run-to-completion loop over its receive queues: burst, classify, mirror, send.
 *
 * Threads: a worker is written by its lcore only; counters may be read by anybody; `stop` and
 * what queues point to are set by the control thread.
 */
#pragma once

#include "account.h"
#include "classify/classify.h"
#include "idle.h"
#include "load.h"
#include "mirror/mirror.h"
#include "publish.h"
#include "shadow.h"
#include "stats/stats.h"

#include <stdbool.h>
#include <stdint.h>

#define WORKER_BURST      CLASSIFY_BURST_MAX /* the more, the more cache misses overlap */
#define WORKER_QUEUES_MAX 128
#define WORKER_ALIGN      4096 /* a page: no two workers share one, nor its NUMA node */

/* One receive queue and where its frames go. */
struct worker_queue {
	uint16_t rx_port, tx_port;
	uint16_t queue;     /* the same number on both ports */
	uint16_t interface; /* of the mirror: the port the frame entered */
	enum classify_direction direction;
	const bool *tx_link_up; /* atomic, of tx_port */
	const bool *rx_is_open; /* atomic, of rx_port: false = its device is gone or going */
};

struct worker {
	/* Written by the worker, each on cache lines of its own. */
	struct stats_worker stats;
	struct worker_load load;
	struct idle idle; /* safe_cycles by the control thread */
	/* Only read while it runs. */
	__attribute__((aligned(
		STATS_CACHE_LINE))) unsigned int id; /* 0..n-1: reader id, index of counters */
	unsigned int lcore;
	unsigned int node; /* whose look-up tables it reads: index of struct generation_nodes */
	struct publisher *publisher;
	const struct shadow *shadow; /* NULL = no candidate is ever judged */
	struct mirror_ring *ring;    /* NULL = no mirror */
	uint32_t mirror_snaplen;     /* 0 = up to the end of the innermost header */
	const bool *stop;            /* atomic */
	unsigned int n_queues;
	struct worker_queue queues[WORKER_QUEUES_MAX];
} __attribute__((aligned(WORKER_ALIGN)));

/* For rte_eal_remote_launch(): runs until *stop. Always returns 0. */
int worker_main(void *worker);

/* HOT: what the loop does with one received burst (n <= WORKER_BURST): every mbuf is sent or freed. */
void worker_process(
	struct worker *w, const struct worker_queue *q, struct rte_mbuf **pkts, unsigned int n);
