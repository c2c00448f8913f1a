/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * layout: whatever one worker writes per packet lies on cache lines that nobody else writes, and that
 * no other worker reads. A guard against false sharing where `perf c2c` cannot run.
 */
#include "suite.h"

#include "worker.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define LINE      STATS_CACHE_LINE
#define N_WORKERS 4

#define BEGIN(type, field) offsetof(type, field)
#define END(type, field)   (offsetof(type, field) + sizeof(((type *)0)->field))

/* Two fields that different threads write, or that one writes and others read per packet. */
#define APART(type, first, second)                                                                 \
	static_assert((END(type, first) - 1) / LINE < BEGIN(type, second) / LINE,                  \
		#first " and " #second " share a cache line")

static_assert(_Alignof(struct worker) >= LINE && sizeof(struct worker) % LINE == 0, "a worker");
static_assert(_Alignof(struct stats_worker) >= LINE, "counters");
static_assert(sizeof(struct stats_worker) % LINE == 0, "counters");
static_assert(
	_Alignof(struct worker_load) >= LINE && sizeof(struct worker_load) % LINE == 0, "load");
APART(struct worker, stats, load);
APART(struct worker, load, idle);
APART(struct worker, idle, id);
static_assert(BEGIN(struct worker, id) % LINE == 0, "what is only read begins a line");
/* The control thread writes safe_cycles beside late_cycles: a few times per link change. */

static uintptr_t
line_of(const void *p)
{
	return (uintptr_t)p / LINE;
}

static void
test_workers_of_an_array_share_no_line_and_no_page(void)
{
	struct worker *w = aligned_alloc(WORKER_ALIGN, 2 * sizeof(*w));

	CU_ASSERT_PTR_NOT_NULL_FATAL(w);
	CU_ASSERT_EQUAL((uintptr_t)&w[1] % WORKER_ALIGN, 0);
	CU_ASSERT(line_of((const char *)&w[1] - 1) < line_of(&w[1]));
	free(w);
}

/* Small numbers of classes, too, for those would lie side by side in the heap. */
static void
test_class_counters_of_workers_share_no_line(void)
{
	static const uint32_t sizes[] = { 1, 2, 3, 5, 64, 1000, 128047 };
	struct stats_class c[N_WORKERS];
	unsigned int i, k;
	size_t s;

	for (s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		for (i = 0; i < N_WORKERS; i++)
			CU_ASSERT_EQUAL_FATAL(stats_class_init(&c[i], sizes[s]), 0);
		for (i = 0; i < N_WORKERS; i++) {
			const struct stats_pair *last = &c[i].inbound[sizes[s] - 1];

			CU_ASSERT_EQUAL((uintptr_t)c[i].all % LINE, 0);
			CU_ASSERT_EQUAL(c[i].inbound[sizes[s] - 1].packets, 0);
			for (k = 0; k < N_WORKERS; k++)
				CU_ASSERT(k == i || line_of(last) < line_of(c[k].all) ||
					  line_of(c[i].all) > line_of(&c[k].inbound[sizes[s] - 1]));
		}
		for (i = 0; i < N_WORKERS; i++)
			stats_class_fini(&c[i]);
	}
}

static void
test_mirror_rings_begin_a_line(void)
{
	struct mirror_ring *a = mirror_ring_new(1), *b = mirror_ring_new(1);

	CU_ASSERT_PTR_NOT_NULL_FATAL(a);
	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	CU_ASSERT_EQUAL((uintptr_t)a % LINE, 0);
	CU_ASSERT_EQUAL((uintptr_t)b % LINE, 0);
	CU_ASSERT_EQUAL(mirror_ring_memory(1) % LINE, 0);
	mirror_ring_free(a);
	mirror_ring_free(b);
}

/* Readers of the running generation must not be disturbed by each other's quiescent counters. */
static void
test_quiescent_counters_of_workers_share_no_line(void)
{
	struct publisher *p = publisher_new(2);
	struct rte_rcu_qsbr *v;

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	v = publisher_workers(p);
	CU_ASSERT_EQUAL((uintptr_t)v % LINE, 0);
	CU_ASSERT(line_of(&v->qsbr_cnt[0].cnt) < line_of(&v->qsbr_cnt[1].cnt));
	CU_ASSERT(line_of(&v->token) < line_of(&v->qsbr_cnt[0].cnt));
	publisher_free(p);
}

SUITE("layout",
	{ "workers of an array share no line and no page",
		test_workers_of_an_array_share_no_line_and_no_page },
	{ "class counters of workers share no line", test_class_counters_of_workers_share_no_line },
	{ "mirror rings begin a line", test_mirror_rings_begin_a_line },
	{ "quiescent counters of workers share no line",
		test_quiescent_counters_of_workers_share_no_line })
