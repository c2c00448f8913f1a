/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stats: counters of one worker. Each is written by its worker only and may be read by anybody;
 * sums are the reader's. A frame is counted once, by its fate, so that what was received is what was
 * forwarded and what was dropped, whenever one looks.
 *
 * Threads: single writer per struct; readers see each 64-bit counter whole (relaxed).
 */
#pragma once

#include "base/reason.h"
#include "base/verdict.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define STATS_CACHE_LINE 64

struct stats_pair {
	uint64_t packets, bytes;
};

/* A frame's fate: its reason, and whether it was forwarded above it. */
#define STATS_REASON_BITS 6
#define STATS_FORWARDED   (1u << STATS_REASON_BITS)
#define STATS_FATES       (2 * STATS_FORWARDED)

static_assert(REASON_N <= STATS_FORWARDED, "reasons fit");

/* Of one worker, for the life of the process. */
struct stats_worker {
	struct stats_pair fate[STATS_FATES];
	struct stats_pair
		shadow[REASON_N]; /* mode = shadow: what would have been dropped, by reason */
	struct stats_pair mirrored;
	struct stats_pair mirror_lost; /* copies the ring had no room for */
} __attribute__((aligned(STATS_CACHE_LINE)));

/* What the counters of workers come to. */
struct stats_total {
	struct stats_pair rx, forwarded, dropped, mirrored, mirror_lost;
	struct stats_pair reason[REASON_N][2]; /* [reason][0 = forwarded, 1 = dropped] */
	struct stats_pair shadow[REASON_N];
};

/* Of one worker under one ruleset, by class of the deciding address: written per packet. Item
 * n_classes of each array is for frames without a class, and is not read. */
struct stats_class {
	struct stats_pair *all; /* [n_classes] judged frames */
	struct stats_pair *
		odd_dropped; /* [n_classes] of them dropped although the class alone would not be */
	struct stats_pair *odd_mirrored; /* [n_classes] of them mirrored although the class alone
					    would not be */
	struct stats_pair
		*inbound; /* [n_classes] inbound = pass: by class of the outer source, not judged */
	uint32_t n_classes;
};

/* Add to a counter that only this thread writes. */
static inline void
stats_add(struct stats_pair *pair, uint64_t packets, uint64_t bytes)
{
	__atomic_store_n(&pair->packets, pair->packets + packets, __ATOMIC_RELAXED);
	__atomic_store_n(&pair->bytes, pair->bytes + bytes, __ATOMIC_RELAXED);
}

/* Read a counter of any thread. */
static inline struct stats_pair
stats_read(const struct stats_pair *pair)
{
	return (struct stats_pair){ __atomic_load_n(&pair->packets, __ATOMIC_RELAXED),
		__atomic_load_n(&pair->bytes, __ATOMIC_RELAXED) };
}

/* `*sum` += `*pair`, which another thread may be writing. */
static inline void
stats_sum(struct stats_pair *sum, const struct stats_pair *pair)
{
	struct stats_pair now = stats_read(pair);

	sum->packets += now.packets;
	sum->bytes += now.bytes;
}

/* Zeroed arrays for n_classes classes. Returns 0 or -ENOMEM, `*c` zeroed then. */
int stats_class_init(struct stats_class *c, uint32_t n_classes);
void stats_class_fini(struct stats_class *c);

/* `*total` += `*worker`. `total` belongs to the caller. */
void stats_total_add(struct stats_total *total, const struct stats_worker *worker);

struct stats_total stats_of(const struct stats_worker *worker);
