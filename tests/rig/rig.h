/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rig: two ports made of rings with a worker between them, and frames to real destinations.
 *
 * Each frame knows what it should get: a byte of its source address says by which of two policies it
 * is forwarded, as the walker judges it alone.
 *
 * Threads: set-up by one thread; frames by who holds them.
 */
#pragma once

#include "worker.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#define RIG_QUEUES_MAX 4

struct rig_options {
	const char *name; /* of its rings and ports, NULL = "rig"; unique, at most 8 letters */
	unsigned int n_queues;
	unsigned int ring_size; /* of the way in: a power of 2; one less fits */
	unsigned int out_size;  /* of the way out, without is_loop */
	unsigned int n_mbufs;
	bool is_loop; /* what leaves outside enters inside again */
};

struct rig {
	struct rte_mempool *pool;
	unsigned int n_mbufs, n_queues;
	uint16_t inside, outside;
	struct rte_ring *in[RIG_QUEUES_MAX];  /* into inside */
	struct rte_ring *out[RIG_QUEUES_MAX]; /* out of outside */
};

/* Start the EAL with workers pinned to `cores` ("1", "0,1": lcores 1, 2...), the main thread on the
 * rest; NULL = no worker lcores. Huge pages where there are any. Returns 0 or -1. */
int rig_start_eal(const char *cores, unsigned int memory_mb);

/* Returns 0 or -1. */
int rig_init(struct rig *rig, const struct rig_options *options);

/* Worker `id` on queue `id`; everything else of `w` is zeroed. */
void rig_worker_init(const struct rig *rig, struct worker *w, unsigned int id,
	struct publisher *publisher, const bool *stop);

/* The shipped table, or a small one. NULL = it cannot be read. */
struct geo_ref *rig_geo_full(void);
struct geo_ref *rig_geo_small(void);

/* NULL = the policy is bad or there is no memory. */
struct generation *rig_generation(
	uint32_t number, struct geo_ref *geo, const char *policy, unsigned int n_workers);

/* Of what versions frames are. */
enum rig_shape { RIG_IP4, RIG_IP6, RIG_MIXED /* 30 % IPv6 */, RIG_N_SHAPES };

/* Fill a fresh mbuf with an UDP frame of about 64 bytes to a random address of the table, Zipf(1.0)
 * over its ranges. */
void rig_make_frame(
	struct rte_mbuf *m, enum rig_shape shape, const struct geo_table *geo, uint64_t *random);

/* Which policy forwards a frame: bit i is set by rig_mark(m, i, ...). */
void rig_mark(struct rte_mbuf *m, unsigned int i, const struct generation *g);

static inline unsigned int
rig_marks(const struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod(m, const uint8_t *)[8];
}

uint64_t rig_random(uint64_t *state);
