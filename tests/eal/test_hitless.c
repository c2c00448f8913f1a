/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hitless: rulesets change under full load. Each burst gets the verdicts of one generation that
 * judged while it was under way, and no frame is lost.
 */
#include "suite.h"

#include "hitless.h"

#include <pthread.h>
#include <rte_cycles.h>
#include <stdio.h>
#include <string.h>

#define RING_SIZE 4096
#define N_FRAMES  2048

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN
#endif
#endif
#if defined(__SANITIZE_THREAD__) || defined(UNDER_TSAN)
#define N_SWAPS        20
#define N_SWAPS_FULL   0 /* compiling the whole Internet would take minutes */
#define N_SWAPS_BESIDE 10
#else
#define N_SWAPS        300
#define N_SWAPS_FULL   4
#define N_SWAPS_BESIDE 40
#endif

/* Generation n runs policy n modulo 2. */
static const char *const policies[2] = { "[country]\napprove = IE US\n",
	"[country]\napprove = IE DE\ndrop = US\n" };

static struct rig rig;

static void
rig_prepare(void)
{
	const struct rig_options options = {
		.n_queues = 1, .ring_size = RING_SIZE, .n_mbufs = N_FRAMES, .is_loop = true
	};

	if (rig.pool != NULL)
		return;
	CU_ASSERT_EQUAL_FATAL(rig_start_eal(NULL, 64), 0);
	CU_ASSERT_EQUAL_FATAL(rig_init(&rig, &options), 0);
}

/* Every buffer of the pool becomes a frame on its way in. */
static void
make_frames(const struct geo_table *geo, const struct generation *g[2])
{
	uint64_t random = 42;
	unsigned int i, k;

	for (i = 0; i < N_FRAMES; i++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(rig.pool);

		CU_ASSERT_PTR_NOT_NULL_FATAL(m);
		rig_make_frame(m, RIG_MIXED, geo, &random);
		for (k = 0; k < 2; k++)
			rig_mark(m, k, g[k]);
		CU_ASSERT_EQUAL_FATAL(rte_ring_enqueue(rig.in[0], m), 0);
	}
}

static void
take_frames_back(void)
{
	void *m;

	while (rte_ring_dequeue(rig.in[0], &m) == 0)
		rte_pktmbuf_free(m);
	CU_ASSERT_EQUAL(rte_mempool_avail_count(rig.pool), N_FRAMES);
}

static struct publisher *
publish_first(struct geo_ref *geo)
{
	struct publisher *p = publisher_new(1);
	const struct generation *g[2];
	struct generation *other;

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	publisher_set(p, rig_generation(0, geo, policies[0], 1));
	other = rig_generation(1, geo, policies[1], 1);
	g[0] = publisher_get(p);
	g[1] = other;
	CU_ASSERT_FATAL(g[0] != NULL && g[1] != NULL);
	make_frames(geo->table, g);
	generation_free(other);
	return p;
}

static void
reclaim(struct publisher *p)
{
	rte_rcu_qsbr_thread_online(publisher_writer(p), 0);
	rte_rcu_qsbr_quiescent(publisher_writer(p), 0);
	rte_rcu_qsbr_thread_offline(publisher_writer(p), 0);
	publisher_reclaim(p);
}

static void *
run_worker(void *worker)
{
	worker_main(worker);
	return NULL;
}

static void
report(const struct hitless *h, const struct worker *w, unsigned int n_swaps)
{
	double us = 1e6 / (double)rte_get_tsc_hz();

	printf("\n    %u swaps, %llu bursts (%llu across a swap), %llu frames, %llu forwarded; "
	       "burst p50 %.1f us, p99.9 %.1f us",
		n_swaps, (unsigned long long)h->n_bursts, (unsigned long long)h->n_during_swap,
		(unsigned long long)h->n_frames, (unsigned long long)h->n_forwarded,
		(double)hitless_percentile(h, 0.5) * us, (double)hitless_percentile(h, 0.999) * us);
	CU_ASSERT_EQUAL(h->n_misjudged, 0);
	CU_ASSERT_EQUAL(h->n_lost, 0);
	CU_ASSERT_EQUAL(h->n_frames, stats_of(&w->stats).rx.packets);
	CU_ASSERT_EQUAL(h->n_forwarded, stats_of(&w->stats).forwarded.packets);
	CU_ASSERT_EQUAL(stats_of(&w->stats).reason[REASON_TX_FULL][1].packets, 0);
	CU_ASSERT_EQUAL(stats_of(&w->stats).reason[REASON_NO_POLICY][1].packets, 0);
	CU_ASSERT(h->n_forwarded > 0 && h->n_forwarded < h->n_frames);
}

static uint64_t
n_bursts(const struct worker *w)
{
	return __atomic_load_n(&w->load.n_bursts, __ATOMIC_RELAXED);
}

static void
swap(struct publisher *p, struct geo_ref *geo, const struct worker *w, unsigned int i)
{
	struct generation *g = rig_generation(i, geo, policies[i % 2], 1);
	uint64_t n = n_bursts(w) + 1;

	CU_ASSERT_PTR_NOT_NULL_FATAL(g);
	publisher_set(p, g);
	while (n_bursts(w) < n) /* each generation gets to judge */
		;
	reclaim(p);
}

/* A candidate beside it, or none each fifth time; and what is counted is read while it is counted. */
static void
swap_candidate(struct shadow *s, struct publisher *p, struct geo_ref *geo, const struct worker *w,
	unsigned int i)
{
	struct generation *g = rig_generation(0, geo, policies[(i + 1) % 2], 1);
	struct candidate *c = i % 5 != 4 ? candidate_new(g, 1, i) : NULL;
	struct shadow_counts sum = { .stricter = NULL };
	struct tally tally = { .n_asns = 0 };
	uint64_t n = n_bursts(w) + 2;

	CU_ASSERT_FATAL(c != NULL || i % 5 == 4);
	if (c == NULL)
		generation_free(g);
	CU_ASSERT_EQUAL_FATAL(shadow_set(s, c), 0);
	while (n_bursts(w) < n)
		;
	CU_ASSERT_EQUAL(publisher_tally(p, &tally), 0);
	tally_fini(&tally);
	if (c != NULL) {
		CU_ASSERT_EQUAL(shadow_sum(c, &sum), 0);
		CU_ASSERT(sum.judged.packets > 0);
		shadow_sum_fini(&sum);
	}
	shadow_reclaim(s);
}

static void
swap_under_load(struct geo_ref *geo, unsigned int n_swaps, bool has_candidates)
{
	static struct hitless h;
	static struct worker w;
	struct shadow *shadow;
	struct publisher *p;
	pthread_t thread;
	bool stop = false;
	unsigned int i;

	CU_ASSERT_PTR_NOT_NULL_FATAL(geo);
	rig_prepare();
	p = publish_first(geo);
	shadow = shadow_new(publisher_workers(p));
	CU_ASSERT_PTR_NOT_NULL_FATAL(shadow);
	rig_worker_init(&rig, &w, 0, p, &stop);
	w.shadow = shadow;
	CU_ASSERT_EQUAL_FATAL(hitless_attach(&h, &rig, p), 0);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, run_worker, &w), 0);
	for (i = 1; i <= n_swaps; i++) {
		swap(p, geo, &w, i);
		if (has_candidates)
			swap_candidate(shadow, p, geo, &w, i);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	hitless_detach(&h);
	report(&h, &w, n_swaps);
	shadow_free(shadow);
	publisher_free(p);
	geo_ref_drop(geo);
	take_frames_back();
}

static void
test_nothing_is_lost_or_misjudged_by_many_swaps(void)
{
	swap_under_load(rig_geo_small(), N_SWAPS, false);
}

static void
test_nor_with_candidates_that_come_and_go_beside(void)
{
	swap_under_load(rig_geo_small(), N_SWAPS_BESIDE, true);
}

static void
test_nor_with_the_table_of_the_whole_internet(void)
{
	if (N_SWAPS_FULL == 0) {
		suite_skip("compiling it takes minutes under ThreadSanitizer");
		return;
	}
	swap_under_load(rig_geo_full(), N_SWAPS_FULL, false);
}

/* The check itself: a generation that the frames know nothing of must not go unnoticed. */
static void
test_wrong_verdicts_would_be_noticed(void)
{
	static struct hitless h;
	static struct worker w;
	struct geo_ref *geo = rig_geo_small();
	struct publisher *p;
	pthread_t thread;
	bool stop = false;

	CU_ASSERT_PTR_NOT_NULL_FATAL(geo);
	rig_prepare();
	p = publish_first(geo);
	rig_worker_init(&rig, &w, 0, p, &stop);
	publisher_set(p, rig_generation(2, geo, "[country]\napprove = CN\n", 1));
	CU_ASSERT_EQUAL_FATAL(hitless_attach(&h, &rig, p), 0);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, run_worker, &w), 0);
	while (n_bursts(&w) < 100)
		;
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	hitless_detach(&h);
	CU_ASSERT(h.n_misjudged > h.n_bursts / 2);
	publisher_free(p);
	geo_ref_drop(geo);
	take_frames_back();
}

SUITE("hitless",
	{ "nothing is lost or misjudged by many swaps",
		test_nothing_is_lost_or_misjudged_by_many_swaps },
	{ "nor with candidates that come and go beside",
		test_nor_with_candidates_that_come_and_go_beside },
	{ "nor with the table of the whole Internet",
		test_nor_with_the_table_of_the_whole_internet },
	{ "wrong verdicts would be noticed", test_wrong_verdicts_would_be_noticed })
