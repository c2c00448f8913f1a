/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rulesets of the whole Internet change every second under full load: throughput beside undisturbed,
 * each forwarded frame checked, and how long bursts take. The worker has one core, building the
 * other one. Frames go round between two ports made of rings.
 */
#include "hitless.h"
#include "report.h"

#include <rte_cycles.h>
#include <rte_lcore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_ROUNDS    5
#define QUIET_S     1
#define SWAPS       3 /* of a round, one a second */
#define N_IN_FLIGHT 8192u
#define BAR_WIDTH   50

/* Generation n runs policy n modulo 2: they differ in some of the most frequent countries. */
static const char *const policies[2] = { "[country]\napprove = EU EEA adequacy US\n",
	"[country]\napprove = EU EEA adequacy\ndrop = US\n" };

struct setup {
	struct rig rig;
	struct hitless hitless;
	struct geo_ref *geo;
	struct publisher *publisher;
	struct worker worker;
	bool stop;
	uint32_t generation;
	double build_ms;
};

static int
make_frames(struct setup *s)
{
	struct generation *other = rig_generation(1, s->geo, policies[1], 1);
	uint64_t random = 42;
	unsigned int i;

	if (other == NULL)
		return -1;
	for (i = 0; i < N_IN_FLIGHT; i++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(s->rig.pool);

		if (m == NULL)
			return -1;
		rig_make_frame(m, RIG_MIXED, s->geo->table, &random);
		rig_mark(m, 0, publisher_get(s->publisher));
		rig_mark(m, 1, other);
		if (rte_ring_enqueue(s->rig.in[0], m) != 0)
			return -1;
	}
	generation_free(other);
	return 0;
}

static int
setup_init(struct setup *s)
{
	const struct rig_options options = {
		.n_queues = 1, .ring_size = 2 * N_IN_FLIGHT, .n_mbufs = N_IN_FLIGHT, .is_loop = true
	};

	s->geo = rig_geo_full();
	s->publisher = publisher_new(1);
	if (s->geo == NULL || s->publisher == NULL || rig_start_eal("1", 64) != 0 ||
		rig_init(&s->rig, &options) != 0)
		return -1;
	publisher_set(s->publisher, rig_generation(0, s->geo, policies[0], 1));
	if (publisher_get(s->publisher) == NULL || make_frames(s) != 0)
		return -1;
	rig_worker_init(&s->rig, &s->worker, 0, s->publisher, &s->stop);
	return hitless_attach(&s->hitless, &s->rig, s->publisher);
}

static void
reclaim(struct publisher *p)
{
	rte_rcu_qsbr_thread_online(publisher_writer(p), 0);
	rte_rcu_qsbr_quiescent(publisher_writer(p), 0);
	rte_rcu_qsbr_thread_offline(publisher_writer(p), 0);
	publisher_reclaim(p);
}

/* Build and publish the next one. Returns 0 or -1. */
static int
swap(struct setup *s)
{
	uint64_t begin = rte_rdtsc();
	struct generation *g;

	s->generation++;
	g = rig_generation(s->generation, s->geo, policies[s->generation % 2], 1);
	if (g == NULL)
		return -1;
	s->build_ms = (double)(rte_rdtsc() - begin) * 1e3 / (double)rte_get_tsc_hz();
	publisher_set(s->publisher, g);
	return 0;
}

static void
sleep_until(uint64_t tsc)
{
	while (rte_rdtsc() < tsc)
		usleep(1000);
}

/* Million frames per second over n seconds, with a swap in each or none. */
static double
run(struct setup *s, unsigned int n_seconds, bool has_swaps)
{
	uint64_t hz = rte_get_tsc_hz(), begin = rte_rdtsc();
	uint64_t before = stats_of(&s->worker.stats).rx.packets;
	unsigned int i;

	for (i = 1; i <= n_seconds; i++) {
		if (has_swaps && swap(s) != 0)
			return 0;
		reclaim(s->publisher);
		sleep_until(begin + i * hz);
		reclaim(s->publisher);
	}
	return (double)(stats_of(&s->worker.stats).rx.packets - before) /
	       ((double)(rte_rdtsc() - begin) / (double)hz) / 1e6;
}

static void
print_histogram(const struct hitless *h)
{
	double us = 1e6 / (double)rte_get_tsc_hz();
	unsigned int i, k;
	uint64_t n;

	printf("  from reception of a burst to the next poll, share of %llu bursts:\n",
		(unsigned long long)h->n_bursts);
	for (i = 0; i < HITLESS_BUCKETS; i += HITLESS_STEPS) {
		for (n = 0, k = i; k < i + HITLESS_STEPS; k++)
			n += h->histogram[k];
		if (n == 0)
			continue;
		printf("  %10.2f us %11.7f %% ", (double)hitless_bucket_end(k - 1) * us,
			100.0 * (double)n / (double)h->n_bursts);
		for (k = 0; k < (unsigned int)((double)n * BAR_WIDTH / (double)h->n_bursts); k++)
			putchar('#');
		putchar('\n');
	}
}

static uint64_t
count_lost(const struct setup *s)
{
	struct stats_total total = stats_of(&s->worker.stats);

	return s->hitless.n_lost + total.reason[REASON_TX_FULL][1].packets +
	       total.reason[REASON_NO_POLICY][1].packets + total.reason[REASON_NO_MBUF][1].packets;
}

struct rounds {
	struct report_series quiet, swapped, ratio;
};

static void
measure_round(struct setup *s, struct rounds *r)
{
	/* Before and after, for the two policies do not drop alike. */
	double quiet = run(s, QUIET_S, false), swapped = run(s, SWAPS, true);

	quiet = (quiet + run(s, QUIET_S, false)) / 2;
	report_add(&r->quiet, quiet);
	report_add(&r->swapped, swapped);
	report_add(&r->ratio, swapped / quiet);
}

static void
tell(const struct setup *s, const struct rounds *r)
{
	const struct hitless *h = &s->hitless;
	double us = 1e6 / (double)rte_get_tsc_hz();

	report_cell("undisturbed", "Mpps", &r->quiet, REPORT_HIGHER, REPORT_NO_BAR);
	report_cell("a swap every second", "Mpps", &r->swapped, REPORT_HIGHER, REPORT_NO_BAR);
	report_cell("beside undisturbed", "ratio", &r->ratio, REPORT_HIGHER, 0.8);
	report_value("bursts misjudged", "bursts", (double)h->n_misjudged, REPORT_LOWER, 0);
	report_value("frames lost", "frames", (double)count_lost(s), REPORT_LOWER, 0);
	report_value("burst, median", "us", (double)hitless_percentile(h, 0.5) * us, REPORT_LOWER,
		REPORT_NO_BAR);
	report_value(
		"burst, p99.9", "us", (double)hitless_percentile(h, 0.999) * us, REPORT_LOWER, 100);
	report_value("burst, p99.99", "us", (double)hitless_percentile(h, 0.9999) * us,
		REPORT_LOWER, REPORT_NO_BAR);
	report_value("building the last ruleset", "ms", s->build_ms, REPORT_LOWER, REPORT_NO_BAR);
	report_note("%u swaps; %llu frames judged, %llu forwarded, each checked; %llu bursts were "
		    "under way during a swap",
		s->generation, (unsigned long long)h->n_frames, (unsigned long long)h->n_forwarded,
		(unsigned long long)h->n_during_swap);
	print_histogram(h);
}

int
main(int argc, char **argv)
{
	static struct setup s;
	static struct rounds rounds;
	unsigned int i;

	report_begin(argc, argv, "hitless",
		"the full table swapped under load, 30 % IPv6, Zipf, 8,192 frames in flight",
		N_ROUNDS);
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		printf("skipped: a worker and the build need a core each\n");
		return 77;
	}
	if (setup_init(&s) != 0) {
		fprintf(stderr, "hitless: cannot set up the worker, ports or the table\n");
		return EXIT_FAILURE;
	}
	rte_eal_remote_launch(worker_main, &s.worker, 1);
	for (i = 0; i < report_rounds(); i++)
		measure_round(&s, &rounds);
	__atomic_store_n(&s.stop, true, __ATOMIC_RELAXED);
	rte_eal_mp_wait_lcore();
	hitless_detach(&s.hitless);
	tell(&s, &rounds);
	publisher_free(s.publisher);
	geo_ref_drop(s.geo);
	return report_end();
}
