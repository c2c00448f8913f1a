/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The loop of a worker: receive from every queue, report quiescent, account for the time. The clock
 * is read once per loop while little is going on, and every few loops while each has frames, where
 * it would cost most.
 */
#include "worker.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_pause.h>

#define LOOPS_PER_LOOK     16
#define DEPTH_LOOKS_PER_S  1000
#define DEPTH_LOOKS_WINDOW 1000 /* depth_max is of this many looks */

struct clock {
	uint64_t last;       /* up to here cycles are accounted for */
	uint64_t busy_until; /* when frames were last there */
	uint64_t depth_at, depth_every;
	unsigned int n_looks; /* at the depth, of this window */
	int32_t depth_max;    /* of this window */
	unsigned int n_busy;  /* loops with frames since `last` */
	bool was_idle;
};

static void
add(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static inline bool
is_open(const struct worker_queue *q)
{
	return __atomic_load_n(q->rx_is_open, __ATOMIC_ACQUIRE);
}

/* Frames waiting in the fullest queue. */
static int32_t
fullest(const struct worker *w)
{
	int32_t depth = 0;
	unsigned int i;

	for (i = 0; i < w->n_queues; i++) {
		const struct worker_queue *q = &w->queues[i];
		int n = is_open(q) ? rte_eth_rx_queue_count(q->rx_port, q->queue) : 0;

		if (n < 0)
			return LOAD_DEPTH_UNKNOWN;
		depth = RTE_MAX(depth, n);
	}
	return depth;
}

static void
look_at_depth(struct worker *w, struct clock *c)
{
	int32_t depth = fullest(w);

	c->depth_at = c->last + c->depth_every;
	c->depth_max = RTE_MAX(c->depth_max, depth);
	__atomic_store_n(&w->load.depth, depth, __ATOMIC_RELAXED);
	if (++c->n_looks < DEPTH_LOOKS_WINDOW)
		return;
	__atomic_store_n(&w->load.depth_max, c->depth_max, __ATOMIC_RELAXED);
	c->depth_max = LOAD_DEPTH_UNKNOWN;
	c->n_looks = 0;
}

/* Everything since the last look was busy, or none of it. */
static void
look_at_clock(struct worker *w, struct clock *c, bool is_busy)
{
	uint64_t now = rte_rdtsc();

	add(is_busy ? &w->load.busy_cycles : &w->load.idle_cycles, now - c->last);
	c->last = now;
	c->n_busy = 0;
	if (is_busy)
		c->busy_until = now;
	if (now >= c->depth_at)
		look_at_depth(w, c);
}

static inline void
after_frames(struct worker *w, struct clock *c)
{
	if (++c->n_busy >= LOOPS_PER_LOOK || c->was_idle)
		look_at_clock(w, c, true);
	c->was_idle = false;
}

static void
after_nothing(struct worker *w, struct clock *c)
{
	look_at_clock(w, c, c->n_busy > 0);
	c->was_idle = true;
	if (c->last - c->busy_until >= w->idle.after_cycles)
		idle_wait(w);
	else
		rte_pause();
}

/* Returns the frames received. */
static unsigned int
poll_queues(struct worker *w)
{
	struct rte_mbuf *pkts[WORKER_BURST];
	unsigned int i, n_all = 0;
	uint16_t n;

	for (i = 0; i < w->n_queues; i++) {
		const struct worker_queue *q = &w->queues[i];

		if (unlikely(!is_open(q)))
			continue;
		n = rte_eth_rx_burst(q->rx_port, q->queue, pkts, WORKER_BURST);
		if (n == 0)
			continue;
		worker_process(w, q, pkts, n);
		add(&w->load.n_bursts, 1);
		n_all += n;
	}
	return n_all;
}

static void
loop(struct worker *w, struct rte_rcu_qsbr *qsbr, struct clock *c)
{
	unsigned int n = poll_queues(w);

	rte_rcu_qsbr_quiescent(qsbr, w->id);
	add(&w->load.n_loops, 1);
	if (n == 0) {
		after_nothing(w, c);
		return;
	}
	add(&w->load.n_packets, n);
	after_frames(w, c);
}

int
worker_main(void *arg)
{
	struct worker *w = arg;
	struct rte_rcu_qsbr *qsbr = publisher_workers(w->publisher);
	struct clock c = { .last = rte_rdtsc(), .depth_max = LOAD_DEPTH_UNKNOWN, .was_idle = true };

	c.busy_until = c.last;
	c.depth_every = rte_get_tsc_hz() / DEPTH_LOOKS_PER_S;
	idle_begin(&w->idle);
	rte_rcu_qsbr_thread_online(qsbr, w->id);
	while (!__atomic_load_n(w->stop, __ATOMIC_RELAXED))
		loop(w, qsbr, &c);
	rte_rcu_qsbr_thread_offline(qsbr, w->id);
	return 0;
}
