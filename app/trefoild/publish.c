/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One atomic pointer, a list of retired generations, two quiescent-state variables.
 * Readers and writers: see publish.h.
 */
#include "publish.h"

#include <errno.h>
#include <rte_common.h>
#include <stdlib.h>
#include <string.h>

enum phase { PHASE_WORKERS, PHASE_WRITER, PHASE_WRITER_AGAIN, PHASE_FREE };

struct retired {
	struct generation *generation;
	enum phase phase;
	uint64_t token; /* of the phase's grace period */
	struct retired *next;
};

struct publisher {
	/* Read by workers per burst, written at a push only. */
	struct generation *running; /* atomic */
	struct rte_rcu_qsbr *workers, *writer;
	/* The control thread's, on lines of their own. */
	__attribute__((aligned(RTE_CACHE_LINE_SIZE))) struct retired *retired;
	struct tally past; /* of generations already freed */
};

static struct rte_rcu_qsbr *
qsbr_new(unsigned int n_readers)
{
	size_t size = rte_rcu_qsbr_get_memsize(n_readers);
	struct rte_rcu_qsbr *v = aligned_alloc(
		RTE_CACHE_LINE_SIZE, RTE_ALIGN_CEIL(size, (size_t)RTE_CACHE_LINE_SIZE));
	unsigned int i;

	if (v == NULL || rte_rcu_qsbr_init(v, n_readers) != 0) {
		free(v);
		return NULL;
	}
	for (i = 0; i < n_readers; i++)
		rte_rcu_qsbr_thread_register(v, i);
	return v;
}

struct publisher *
publisher_new(unsigned int n_workers)
{
	struct publisher *p = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*p));

	if (p == NULL)
		return NULL;
	memset(p, 0, sizeof(*p));
	p->workers = qsbr_new(n_workers);
	p->writer = qsbr_new(1);
	if (p->workers == NULL || p->writer == NULL) {
		publisher_free(p);
		errno = ENOMEM;
		return NULL;
	}
	return p;
}

void
publisher_free(struct publisher *p)
{
	struct retired *r;

	if (p == NULL)
		return;
	while ((r = p->retired) != NULL) {
		p->retired = r->next;
		generation_free(r->generation);
		free(r);
	}
	generation_free(p->running);
	tally_fini(&p->past);
	free(p->workers);
	free(p->writer);
	free(p);
}

const struct generation *
publisher_get(const struct publisher *p)
{
	return __atomic_load_n(&p->running, __ATOMIC_ACQUIRE);
}

struct rte_rcu_qsbr *
publisher_workers(struct publisher *p)
{
	return p->workers;
}

struct rte_rcu_qsbr *
publisher_writer(struct publisher *p)
{
	return p->writer;
}

void
publisher_set(struct publisher *p, struct generation *g)
{
	struct generation *before = __atomic_exchange_n(&p->running, g, __ATOMIC_ACQ_REL);
	struct retired *r;

	if (before == NULL)
		return;
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return; /* leaking one generation beats freeing what a worker reads */
	r->generation = before;
	r->token = rte_rcu_qsbr_start(p->workers);
	r->next = p->retired;
	p->retired = r;
}

/* Move on as far as the readers have passed. */
static void
retired_advance(struct publisher *p, struct retired *r)
{
	while (r->phase != PHASE_FREE) {
		struct rte_rcu_qsbr *v = r->phase == PHASE_WORKERS ? p->workers : p->writer;

		if (rte_rcu_qsbr_check(v, r->token, false) != 1)
			return;
		r->phase++;
		if (r->phase != PHASE_FREE)
			r->token = rte_rcu_qsbr_start(p->writer);
	}
}

/* All of a generation's counters become the past's, or none. */
static int
remember(struct publisher *p, const struct generation *g)
{
	struct tally tally = { .n_asns = 0 };
	int status = generation_tally(g, &tally);

	if (status == 0)
		status = tally_merge(&p->past, &tally);
	tally_fini(&tally);
	return status;
}

unsigned int
publisher_reclaim(struct publisher *p)
{
	struct retired **link = &p->retired, *r;
	unsigned int n_left = 0;

	while ((r = *link) != NULL) {
		retired_advance(p, r);
		if (r->phase != PHASE_FREE || remember(p, r->generation) != 0) {
			n_left++;
			link = &r->next;
			continue;
		}
		*link = r->next;
		generation_free(r->generation);
		free(r);
	}
	return n_left;
}

int
publisher_tally(const struct publisher *p, struct tally *tally)
{
	const struct generation *running = publisher_get(p);
	const struct retired *r;
	int status = tally_merge(tally, &p->past);

	for (r = p->retired; r != NULL && status == 0; r = r->next)
		status = generation_tally(r->generation, tally);
	if (status == 0 && running != NULL)
		status = generation_tally(running, tally);
	return status;
}
