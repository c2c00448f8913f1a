/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a worker does with more than it can do, and with nothing to do. Its ports are made of rings; a
 * generator on the other core offers frames at a rate of its own and takes what comes out. What finds
 * the way in full is lost there, as in a port that no worker empties in time.
 */
#include "report.h"
#include "rig.h"

#include <pthread.h>
#include <rte_cycles.h>
#include <rte_lcore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define N_DESCRIPTORS 1024u
#define N_FRAMES      8192u
#define N_AT_ONCE     32u
#define OFFER_MS      400
#define N_SHARES      7
#define TRAIN         512u    /* frames at line rate after a silence: half of the descriptors */
#define TRAIN_PPS     14.88e6 /* 10 Gbit/s */
#define N_TRAINS      500
#define IDLE_MS       300

#define POLICY "[country]\napprove = EU EEA adequacy US\n"

struct setup {
	struct rig rig;
	struct geo_ref *geo;
	struct publisher *publisher;
	struct worker worker;
	clockid_t clock; /* CPU time of the worker's thread */
	bool stop;
	uint64_t random;
	struct rte_mbuf *stock[N_FRAMES]; /* frames at hand */
	unsigned int n_stock;
};

/* What became of frames. */
struct result {
	uint64_t n_offered, n_refused, n_wanted, n_out, n_wrong;
};

static int
setup_init(struct setup *s)
{
	const struct rig_options options = { .n_queues = 1,
		.ring_size = N_DESCRIPTORS,
		.out_size = 2 * N_FRAMES,
		.n_mbufs = N_FRAMES };

	s->random = 42;
	s->geo = rig_geo_full();
	s->publisher = publisher_new(1);
	if (s->geo == NULL || s->publisher == NULL || rig_start_eal("1", 64) != 0 ||
		rig_init(&s->rig, &options) != 0)
		return -1;
	publisher_set(s->publisher, rig_generation(0, s->geo, POLICY, 1));
	if (publisher_get(s->publisher) == NULL)
		return -1;
	for (s->n_stock = 0; s->n_stock < N_FRAMES; s->n_stock++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(s->rig.pool);

		if (m == NULL)
			return -1;
		rig_make_frame(m, RIG_MIXED, s->geo->table, &s->random);
		rig_mark(m, 0, publisher_get(s->publisher));
		s->stock[s->n_stock] = m;
	}
	return 0;
}

static int
run_worker(void *arg)
{
	struct setup *s = arg;

	pthread_getcpuclockid(pthread_self(), &s->clock);
	return worker_main(&s->worker);
}

static void
begin_worker(struct setup *s, enum settings_idle idle)
{
	rig_worker_init(&s->rig, &s->worker, 0, s->publisher, &s->stop);
	idle_init(&s->worker.idle, idle, 100);
	idle_set_safe(&s->worker.idle, idle_safe_ns(N_DESCRIPTORS, 10000));
	__atomic_store_n(&s->stop, false, __ATOMIC_RELAXED);
	rte_eal_remote_launch(run_worker, s, 1);
	while (__atomic_load_n(&s->worker.load.n_loops, __ATOMIC_RELAXED) == 0)
		;
}

static void
end_worker(struct setup *s)
{
	__atomic_store_n(&s->stop, true, __ATOMIC_RELAXED);
	rte_eal_mp_wait_lcore();
}

/* What came out, and what the worker freed: a buffer keeps its frame. */
static void
take_back(struct setup *s, struct result *r)
{
	struct rte_mbuf **to = s->stock + s->n_stock;
	unsigned int i,
		n = rte_ring_dequeue_burst(s->rig.out[0], (void **)to, N_FRAMES - s->n_stock, NULL);

	for (i = 0; i < n; i++)
		r->n_wrong += rig_marks(to[i]) != 1;
	r->n_out += n;
	s->n_stock += n;
	while (s->n_stock + N_AT_ONCE <= N_FRAMES &&
		rte_mempool_get_bulk(s->rig.pool, (void **)(s->stock + s->n_stock), N_AT_ONCE) == 0)
		s->n_stock += N_AT_ONCE;
}

/* Offer n frames at once; returns how many there were to offer. */
static unsigned int
offer(struct setup *s, struct result *r, unsigned int n)
{
	struct rte_mbuf **from;
	unsigned int i, n_in;

	n = RTE_MIN(n, s->n_stock);
	from = s->stock + s->n_stock - n;
	for (i = 0; i < n; i++)
		r->n_wanted += rig_marks(from[i]);
	n_in = rte_ring_enqueue_burst(s->rig.in[0], (void **)from, n, NULL);
	for (i = n_in; i < n; i++)
		r->n_wanted -= rig_marks(from[i]);
	r->n_offered += n;
	r->n_refused += n - n_in;
	memmove(from, from + n_in, (n - n_in) * sizeof(*from)); /* lost: at hand again */
	s->n_stock -= n_in;
	return n;
}

/* Until everything is through. */
static void
settle(struct setup *s, struct result *r)
{
	uint64_t n = r->n_offered - r->n_refused;

	while (stats_read(&s->worker.stats.rx).packets < n ||
		stats_read(&s->worker.stats.forwarded).packets > r->n_out)
		take_back(s, r);
}

/* For a while, at `mpps` (0 = as fast as it goes). Returns the seconds it took. */
static double
offer_for(struct setup *s, struct result *r, double mpps)
{
	double hz = (double)rte_get_tsc_hz();
	uint64_t every = mpps > 0 ? (uint64_t)(hz * N_AT_ONCE / (mpps * 1e6)) : 0;
	uint64_t begin = rte_rdtsc(), next = begin, now;

	for (now = begin; now - begin < (uint64_t)(hz * OFFER_MS / 1e3); now = rte_rdtsc()) {
		take_back(s, r);
		if (now < next || offer(s, r, N_AT_ONCE) == 0)
			continue;
		next = RTE_MAX(next + every, now - RTE_MIN(now, 8 * every));
	}
	return (double)(now - begin) / hz;
}

static uint64_t
count_lost_inside(const struct setup *s, const struct result *r)
{
	const struct stats_worker *c = &s->worker.stats;

	return (r->n_offered - r->n_refused - c->rx.packets) +
	       (c->rx.packets - c->forwarded.packets - c->dropped.packets) +
	       c->reason[REASON_TX_FULL][1].packets + c->reason[REASON_NO_MBUF][1].packets +
	       (r->n_wanted - r->n_out);
}

/* Returns million frames forwarded per second; adds what must be none to *bad. */
static double
overload(struct setup *s, double mpps, const char *what, uint64_t *bad)
{
	struct result r = { .n_offered = 0 };
	struct load_point from, to;
	struct load_rate rate;
	double seconds, forwarded;

	begin_worker(s, SETTINGS_IDLE_POLL);
	load_read(&s->worker.load, &from);
	seconds = offer_for(s, &r, mpps);
	load_read(&s->worker.load, &to);
	load_rate(&from, &to, &rate);
	forwarded = (double)r.n_out / seconds / 1e6;
	settle(s, &r);
	end_worker(s);
	*bad += r.n_wrong + count_lost_inside(s, &r);
	printf("  %-22s %9.2f %9.2f %9.2f %8.1f %% %7.0f %% %8.1f %10.1f\n", what,
		(double)r.n_offered / seconds / 1e6,
		(double)(r.n_offered - r.n_refused) / seconds / 1e6, forwarded,
		100.0 * (double)r.n_refused / (double)r.n_offered, rate.busy_percent,
		rate.packets_per_burst, rate.cycles_per_packet);
	return forwarded;
}

static void
measure_overload(struct setup *s)
{
	static const double shares[N_SHARES] = { 0.25, 0.5, 0.8, 0.95, 1.1, 1.3, 1.6 };
	double most = 0, at_most, out, taken;
	uint64_t bad = 0;
	char what[32];
	unsigned int i;

	printf("  million frames per second (30 %% IPv6)\n  %-22s %9s %9s %9s %10s %9s %8s %10s\n",
		"offered", "offered", "taken", "forwarded", "lost ahead", "busy", "burst",
		"cycles");
	at_most = overload(s, 0, "as fast as it goes", &bad);
	taken = (double)s->worker.stats.rx.packets / (OFFER_MS / 1e3) / 1e6;
	for (i = 0; i < N_SHARES; i++) {
		snprintf(what, sizeof(what), "%.2f of what it takes", shares[i]);
		out = overload(s, taken * shares[i], what, &bad);
		most = RTE_MAX(most, out);
	}
	report_value("forwarded, most at any rate", "Mpps", most, REPORT_NO_BAR, 0);
	report_value("forwarded, offered without end", "Mpps", at_most, REPORT_NO_BAR, 0);
	report_value("without end / most", "ratio", at_most / RTE_MAX(most, at_most),
		REPORT_AT_LEAST, 0.9);
	report_value(
		"misjudged, or lost behind the way in", "frames", (double)bad, REPORT_AT_MOST, 0);
}

static double
cpu_seconds(clockid_t clock)
{
	struct timespec t = { .tv_sec = 0 };

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A train of frames at line rate. Returns cycles from the first in to the first out. */
static uint64_t
send_train(struct setup *s, struct result *r)
{
	uint64_t per_8 = (uint64_t)((double)rte_get_tsc_hz() * 8 / TRAIN_PPS);
	uint64_t begin = rte_rdtsc(), first = 0;
	unsigned int i;

	for (i = 0; i < TRAIN / 8; i++) {
		offer(s, r, 8);
		while (rte_rdtsc() < begin + (i + 1) * per_8)
			if (first == 0 && rte_ring_count(s->rig.out[0]) > 0)
				first = rte_rdtsc() - begin;
	}
	while (first == 0)
		if (rte_ring_count(s->rig.out[0]) > 0)
			first = rte_rdtsc() - begin;
	return first;
}

static void
silence(struct setup *s, uint64_t us)
{
	uint64_t until = rte_rdtsc() + us * rte_get_tsc_hz() / 1000000;

	while (rte_rdtsc() < until)
		rte_pause();
	(void)s;
}

static void
measure_idle(struct setup *s, enum settings_idle mode, const char *name)
{
	double wake[REPORT_VALUES_MAX], us = 1e6 / (double)rte_get_tsc_hz(), cpu;
	struct result r = { .n_offered = 0 };
	char label[64];
	unsigned int i;

	begin_worker(s, mode);
	for (i = 0; i < N_TRAINS; i++) {
		silence(s, 150 + rig_random(&s->random) % 300);
		wake[i % REPORT_VALUES_MAX] = (double)send_train(s, &r) * us;
		settle(s, &r);
	}
	cpu = cpu_seconds(s->clock);
	usleep(IDLE_MS * 1000);
	cpu = cpu_seconds(s->clock) - cpu;
	end_worker(s);
	snprintf(label, sizeof(label), "idle = %s: CPU while idle", name);
	report_value(label, "%", 100 * cpu / (IDLE_MS / 1e3), REPORT_NO_BAR, 0);
	snprintf(label, sizeof(label), "idle = %s: first frame out after", name);
	report_cell(label, "us", wake, REPORT_VALUES_MAX, REPORT_NO_BAR, 0);
	snprintf(label, sizeof(label), "idle = %s: lost of %u", name, N_TRAINS * TRAIN);
	report_value(label, "frames", (double)(r.n_refused + count_lost_inside(s, &r)),
		mode == SETTINGS_IDLE_POLL ? REPORT_NO_BAR : REPORT_AT_MOST, 0);
	report_note("idle = %s: %llu waits, %llu of them late", name,
		(unsigned long long)s->worker.load.n_waits,
		(unsigned long long)s->worker.load.n_late);
}

int
main(int argc, char **argv)
{
	static struct setup s;

	report_begin(argc, argv, "load",
		"a worker with more than it can do, then trains of 512 frames at 10 Gbit/s line "
		"rate after a silence");
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		printf("skipped: a worker and the generator need a core each\n");
		return 77;
	}
	if (setup_init(&s) != 0) {
		fprintf(stderr, "load: cannot set up the worker, ports or the table\n");
		return EXIT_FAILURE;
	}
	measure_overload(&s);
	measure_idle(&s, SETTINGS_IDLE_POLL, "poll");
	measure_idle(&s, SETTINGS_IDLE_PAUSE, "pause");
	measure_idle(&s, SETTINGS_IDLE_SLEEP, "sleep");
	report_note("full table, Zipf; %u descriptors: waits of at most %.1f us at 10 Gbit/s",
		N_DESCRIPTORS, (double)idle_safe_ns(N_DESCRIPTORS, 10000) / 1e3);
	return report_end();
}
