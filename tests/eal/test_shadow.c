/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shadow: candidates come and go while workers judge by them. Every frame is counted at most once,
 * by the candidate that its burst saw; nothing is freed that a worker reads (AddressSanitizer,
 * ThreadSanitizer). Needs no port.
 */
#include "suite.h"

#include "geo/geo_build.h"
#include "packet/offline.h"
#include "shadow.h"

#include <pthread.h>
#include <string.h>

#define N_WORKERS 2
#define N_SWAPS   60
#define BURST     CLASSIFY_BURST_MAX

static struct geo_ref geo;
static struct rte_rcu_qsbr *qsbr;
static struct shadow *shadow;
static struct generation *running;
static bool stop;
static uint64_t n_judged[N_WORKERS]; /* with a candidate or without */

static struct generation *
generation_of(const char *text)
{
	struct policy *policy = policy_parse(text, strlen(text), "policy.ini", NULL);
	struct generation *g;

	CU_ASSERT_PTR_NOT_NULL_FATAL(policy);
	g = generation_new(1, policy, &geo, false, N_WORKERS);
	CU_ASSERT_PTR_NOT_NULL_FATAL(g);
	return g;
}

static void
set_up(void)
{
	static const struct ip_range range = { IP4(20, 1, 0, 0), IP4(20, 1, 255, 255), 4 };
	struct geo_build *b = geo_build_new();
	size_t size = rte_rcu_qsbr_get_memsize(N_WORKERS);
	int source = geo_build_add_source(b, "test");

	CU_ASSERT_EQUAL_FATAL(geo_build_add_country(b, &range, "IE", source), 0);
	geo = (struct geo_ref){ .table = geo_build_seal(b), .n_users = 1 };
	CU_ASSERT_PTR_NOT_NULL_FATAL(geo.table);
	qsbr = aligned_alloc(64, (size + 63) & ~(size_t)63);
	CU_ASSERT_PTR_NOT_NULL_FATAL(qsbr);
	CU_ASSERT_EQUAL_FATAL(rte_rcu_qsbr_init(qsbr, N_WORKERS), 0);
	shadow = shadow_new(qsbr);
	running = generation_of("[country]\napprove = IE\n");
	CU_ASSERT_PTR_NOT_NULL_FATAL(shadow);
}

static void
tear_down(void)
{
	shadow_free(shadow);
	generation_free(running);
	geo_free(geo.table);
	free(qsbr);
}

static void
make_burst(uint8_t *bytes, struct rte_mbuf *segments, struct rte_mbuf **pkts)
{
	struct offline_tuple t = { { IP4(192, 0, 2, 1), 4 }, { IP4(20, 1, 0, 1), 4 }, 17, 1, 53 };
	int i, length = offline_frame(&t, bytes);

	offline_wrap(bytes, (uint32_t)length, segments);
	for (i = 0; i < BURST; i++)
		pkts[i] = &segments[0];
}

static void *
work(void *arg)
{
	unsigned int id = (unsigned int)(uintptr_t)arg;
	struct rte_mbuf segments[OFFLINE_SEGMENTS_MAX], *pkts[BURST];
	struct classify_result results[BURST];
	uint8_t bytes[OFFLINE_TUPLE_MAX];

	make_burst(bytes, segments, pkts);
	classify_burst(running->ruleset, CLASSIFY_OUTBOUND, pkts, BURST, results);
	rte_rcu_qsbr_thread_register(qsbr, id);
	rte_rcu_qsbr_thread_online(qsbr, id);
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		shadow_judge(shadow, id, running, CLASSIFY_OUTBOUND, pkts, BURST, results);
		__atomic_store_n(&n_judged[id], n_judged[id] + BURST, __ATOMIC_RELAXED);
		rte_rcu_qsbr_quiescent(qsbr, id);
	}
	rte_rcu_qsbr_thread_offline(qsbr, id);
	return NULL;
}

static struct candidate *
new_candidate(int i)
{
	struct candidate *c = candidate_new(
		generation_of(i % 2 ? "[country]\nmirror = IE\n" : "[country]\napprove = IE\n"),
		N_WORKERS, 1);

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	return c;
}

/* Wait until both workers judged by what is set now. */
static void
wait_bursts(void)
{
	uint64_t from[N_WORKERS];
	unsigned int w;

	for (w = 0; w < N_WORKERS; w++)
		from[w] = __atomic_load_n(&n_judged[w], __ATOMIC_RELAXED);
	for (w = 0; w < N_WORKERS; w++)
		while (__atomic_load_n(&n_judged[w], __ATOMIC_RELAXED) < from[w] + 2 * BURST)
			sched_yield();
}

/* What is counted belongs to one candidate alone. */
static void
check_counts(const struct candidate *c, int i)
{
	struct shadow_counts sum;
	uint64_t same, changed;

	CU_ASSERT_EQUAL_FATAL(shadow_sum(c, &sum), 0);
	same = sum.verdicts[VERDICT_PASS][VERDICT_PASS].packets;
	changed = sum.verdicts[VERDICT_PASS][VERDICT_MIRROR].packets;
	CU_ASSERT_TRUE(sum.judged.packets >= N_WORKERS * BURST);
	CU_ASSERT_EQUAL(i % 2 ? same : changed, 0);
	CU_ASSERT_TRUE((i % 2 ? changed : same) >= N_WORKERS * BURST);
	shadow_sum_fini(&sum);
}

static void
test_candidates_change_under_workers(void)
{
	pthread_t threads[N_WORKERS];
	unsigned int w;
	int i;

	set_up();
	for (w = 0; w < N_WORKERS; w++)
		CU_ASSERT_EQUAL_FATAL(
			pthread_create(&threads[w], NULL, work, (void *)(uintptr_t)w), 0);
	for (i = 0; i < N_SWAPS; i++) {
		CU_ASSERT_EQUAL(shadow_set(shadow, i % 5 == 4 ? NULL : new_candidate(i)), 0);
		wait_bursts();
		if (i % 5 != 4)
			check_counts(shadow_get(shadow), i);
		shadow_reclaim(shadow);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (w = 0; w < N_WORKERS; w++)
		pthread_join(threads[w], NULL);
	tear_down();
}

/* Exactly, in one thread: whole frames and bytes, by verdict, class and reason. */
static void
test_counts_are_exact(void)
{
	struct rte_mbuf segments[OFFLINE_SEGMENTS_MAX], *pkts[BURST];
	struct classify_result results[BURST];
	uint8_t bytes[OFFLINE_TUPLE_MAX];
	struct shadow_counts sum;
	struct candidate *c;
	uint32_t class = 0;

	set_up();
	make_burst(bytes, segments, pkts);
	classify_burst(running->ruleset, CLASSIFY_OUTBOUND, pkts, BURST, results);
	shadow_judge(shadow, 0, running, CLASSIFY_OUTBOUND, pkts, BURST, results); /* by nobody */
	shadow_judge(NULL, 0, running, CLASSIFY_OUTBOUND, pkts, BURST, results);
	c = new_candidate(1);
	CU_ASSERT_EQUAL(shadow_set(shadow, c), 0);
	shadow_judge(shadow, 0, running, CLASSIFY_OUTBOUND, pkts, BURST, results);
	shadow_judge(shadow, 1, running, CLASSIFY_OUTBOUND, pkts, 3, results);
	CU_ASSERT_EQUAL_FATAL(shadow_sum(c, &sum), 0);
	CU_ASSERT_EQUAL(sum.judged.packets, BURST + 3);
	CU_ASSERT_EQUAL(sum.judged.bytes, (BURST + 3) * segments[0].pkt_len);
	CU_ASSERT_EQUAL(sum.verdicts[VERDICT_PASS][VERDICT_MIRROR].packets, BURST + 3);
	CU_ASSERT_EQUAL(sum.reasons[REASON_COUNTRY].packets, BURST + 3);
	ruleset_lookup4(c->generation->ruleset, &(uint32_t){ IP4(20, 1, 0, 1) }, &class, 1);
	CU_ASSERT_EQUAL(sum.stricter[class].packets, BURST + 3);
	CU_ASSERT_EQUAL(sum.looser[class].packets, 0);
	shadow_sum_fini(&sum);
	tear_down();
}

SUITE("shadow", { "candidates change under workers", test_candidates_change_under_workers },
	{ "counts are exact", test_counts_are_exact })
