/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * publish: the one pointer that says which generation judges, and the freeing of older ones.
 *
 * Readers: workers (each loads the pointer once per burst and reports quiescent each loop) and the
 * mirror writer (its rings may still hold copies judged by an older generation).
 * Writer: the control thread.
 * Reclaim: a replaced generation is freed after the workers passed one grace period and then the
 * writer two: the second one begins a drain that saw everything the workers had left in the rings.
 */
#pragma once

#include "generation.h"

#include <rte_rcu_qsbr.h>

struct publisher;

/* n_workers readers with ids 0..n_workers-1. NULL + ENOMEM. */
struct publisher *publisher_new(unsigned int n_workers);

/* Frees the running generation and all retired ones: only when no reader is left. NULL allowed. */
void publisher_free(struct publisher *p);

/* HOT (once per burst): the running generation, or NULL: no policy. */
const struct generation *publisher_get(const struct publisher *p);

/* For the reader side. */
struct rte_rcu_qsbr *publisher_workers(struct publisher *p);
struct rte_rcu_qsbr *publisher_writer(struct publisher *p);

/* Let `g` judge from now on; takes it. The one before is retired. */
void publisher_set(struct publisher *p, struct generation *g);

/* Free what nobody can see any more, adding its counters to the tally of the past. Returns the
 * number of generations still waiting: call again while it is not 0. Never blocks. */
unsigned int publisher_reclaim(struct publisher *p);

/* Everything counted so far, of all generations, added to `*tally`. Returns 0 or -ENOMEM. */
int publisher_tally(const struct publisher *p, struct tally *tally);
