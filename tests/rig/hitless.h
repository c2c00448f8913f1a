/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hitless: watches a worker of a looped rig. Every burst must have got, as a whole, the verdicts of
 * one generation that judged while it was under way: generation n runs policy n modulo 2.
 *
 * Frames that were dropped are taken from the pool again, so that the load never ends or changes.
 *
 * Threads: the worker's until it has ended.
 * Units: TSC cycles.
 */
#pragma once

#include "rig.h"

#define HITLESS_STEPS   8 /* per power of two */
#define HITLESS_BUCKETS (40 * HITLESS_STEPS)

struct hitless {
	const struct rig *rig;
	struct publisher *publisher;
	uint64_t n_bursts, n_frames, n_forwarded;
	uint64_t n_misjudged;   /* bursts */
	uint64_t n_during_swap; /* bursts with a choice of generations */
	uint64_t n_lost;        /* frames that could not enter again: a fault of the rig */
	uint64_t histogram[HITLESS_BUCKETS]; /* cycles from a burst's reception to the next poll */
	/* The burst under way. */
	uint32_t before; /* the generation when it was received */
	uint64_t begin;
	unsigned int n_in, n_out, n_wanted[2];
	unsigned int common; /* marks that all forwarded frames have */
};

/* Before the worker runs. Returns 0 or -1. */
int hitless_attach(struct hitless *h, const struct rig *rig, struct publisher *publisher);

/* After it ended. The burst under way when it did is judged too. */
void hitless_detach(struct hitless *h);

/* Cycles that `share` (0..1) of the bursts took at most. */
uint64_t hitless_percentile(const struct hitless *h, double share);

/* Upper end of a bucket. */
uint64_t hitless_bucket_end(unsigned int bucket);
