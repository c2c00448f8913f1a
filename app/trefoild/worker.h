/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker: one core's run-to-completion loop over its receive queues: burst, classify, mirror, send.
 *
 * Threads: a worker is written by its lcore only; counters may be read by anybody; `stop` and
 * `link_up` are set by the control thread.
 */
#pragma once

#include "classify/classify.h"
#include "mirror/mirror.h"
#include "publish.h"
#include "shadow.h"
#include "stats/stats.h"

#include <stdbool.h>
#include <stdint.h>

#define WORKER_BURST      32
#define WORKER_QUEUES_MAX 128

/* One receive queue and where its frames go. */
struct worker_queue {
	uint16_t rx_port, tx_port;
	uint16_t queue;     /* the same number on both ports */
	uint16_t interface; /* of the mirror: the port the frame entered */
	enum classify_direction direction;
	const bool *tx_link_up; /* atomic, of tx_port */
};

struct worker {
	struct stats_worker stats;
	uint64_t n_loops, n_busy_loops; /* heartbeat and load; relaxed */
	unsigned int id;                /* 0..n-1: reader id, index of counters */
	unsigned int lcore;
	struct publisher *publisher;
	const struct shadow *shadow; /* NULL = no candidate is ever judged */
	struct mirror_ring *ring;    /* NULL = no mirror */
	uint32_t mirror_snaplen;     /* 0 = up to the end of the innermost header */
	const bool *stop;            /* atomic */
	unsigned int n_queues;
	struct worker_queue queues[WORKER_QUEUES_MAX];
} __attribute__((aligned(STATS_CACHE_LINE)));

/* For rte_eal_remote_launch(): runs until *stop. Always returns 0. */
int worker_main(void *worker);

/* HOT: what the loop does with one received burst (n <= WORKER_BURST): every mbuf is sent or freed. */
void worker_process(
	struct worker *w, const struct worker_queue *q, struct rte_mbuf **pkts, unsigned int n);
