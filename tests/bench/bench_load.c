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
#define OFFER_MS      150
#define N_RATES       6
#define TRAIN         512u    /* frames at line rate after a silence: half of the descriptors */
#define TRAIN_PPS     14.88e6 /* 10 Gbit/s */
#define N_TRAINS      200
#define N_ROUNDS      7
#define IDLE_MS       200

#define POLICY "[country]\napprove = EU EEA adequacy US\n"

struct setup {
	struct rig rig;
	struct geo_ref *geo;
	struct publisher *publisher;
	struct worker worker;
	clockid_t clock; /* CPU time of the worker's thread */
	bool stop;
	uint64_t random;
	struct rte_ring *stock; /* frames at hand, the longest there first */
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
	unsigned int i;

	s->random = 42;
	s->geo = rig_geo_full();
	s->publisher = publisher_new(1);
	if (s->geo == NULL || s->publisher == NULL || rig_start_eal("1", 64) != 0 ||
		rig_init(&s->rig, &options) != 0)
		return -1;
	publisher_set(s->publisher, rig_generation(0, s->geo, POLICY, 1));
	if (publisher_get(s->publisher) == NULL)
		return -1;
	s->stock = rte_ring_create("stock", 2 * N_FRAMES, 0, RING_F_SP_ENQ | RING_F_SC_DEQ);
	for (i = 0; s->stock != NULL && i < N_FRAMES; i++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(s->rig.pool);

		if (m == NULL)
			return -1;
		rig_make_frame(m, RIG_MIXED, s->geo->table, &s->random);
		rig_mark(m, 0, publisher_get(s->publisher));
		rte_ring_enqueue(s->stock, m);
	}
	return s->stock != NULL ? 0 : -1;
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
	struct rte_mbuf *m[4 * N_AT_ONCE];
	unsigned int i, n;

	n = rte_ring_dequeue_burst(s->rig.out[0], (void **)m, 4 * N_AT_ONCE, NULL);
	for (i = 0; i < n; i++)
		r->n_wrong += rig_marks(m[i]) != 1;
	r->n_out += n;
	rte_ring_enqueue_burst(s->stock, (void **)m, n, NULL);
	while (rte_mempool_get_bulk(s->rig.pool, (void **)m, N_AT_ONCE) == 0)
		rte_ring_enqueue_burst(s->stock, (void **)m, N_AT_ONCE, NULL);
}

/* Offer up to N_AT_ONCE frames; returns how many there were to offer. What is lost is at hand again. */
static unsigned int
offer(struct setup *s, struct result *r, unsigned int n)
{
	struct rte_mbuf *m[N_AT_ONCE];
	unsigned int i, n_in;

	n = rte_ring_dequeue_burst(s->stock, (void **)m, n, NULL);
	for (i = 0; i < n; i++)
		r->n_wanted += rig_marks(m[i]);
	n_in = rte_ring_enqueue_burst(s->rig.in[0], (void **)m, n, NULL);
	for (i = n_in; i < n; i++)
		r->n_wanted -= rig_marks(m[i]);
	r->n_offered += n;
	r->n_refused += n - n_in;
	rte_ring_enqueue_burst(s->stock, (void **)(m + n_in), n - n_in, NULL);
	return n;
}

/* Until everything that was taken in is counted and out. */
static void
settle(struct setup *s, struct result *r)
{
	struct stats_total total;
	uint64_t n = r->n_offered - r->n_refused;

	do {
		take_back(s, r);
		total = stats_of(&s->worker.stats);
	} while (total.rx.packets < n || r->n_out < total.forwarded.packets);
}

/* For a while, at `mpps`, not in larger lumps than a queue takes. Returns the seconds it took. */
static double
offer_for(struct setup *s, struct result *r, double mpps)
{
	double hz = (double)rte_get_tsc_hz();
	uint64_t every = (uint64_t)(hz * N_AT_ONCE / (mpps * 1e6));
	uint64_t begin = rte_rdtsc(), next = begin, now;

	for (now = begin; now - begin < (uint64_t)(hz * OFFER_MS / 1e3); now = rte_rdtsc()) {
		take_back(s, r);
		if (now < next || offer(s, r, N_AT_ONCE) == 0)
			continue;
		next = RTE_MAX(next + every, now - 8 * every);
	}
	return (double)(now - begin) / hz;
}

static uint64_t
difference(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* Anything but approved frames, once each, behind the way in. */
static uint64_t
count_faults(const struct setup *s, const struct result *r)
{
	struct stats_total total = stats_of(&s->worker.stats);

	return r->n_wrong + difference(r->n_offered - r->n_refused, total.rx.packets) +
	       total.reason[REASON_TX_FULL][1].packets + total.reason[REASON_NO_MBUF][1].packets +
	       difference(r->n_wanted, r->n_out);
}

struct rate_rounds {
	struct report_series offered, taken, forwarded, busy;
};

/* Returns what must be none. */
static uint64_t
overload(struct setup *s, double mpps, struct rate_rounds *m)
{
	struct result r = { .n_offered = 0 };
	struct load_point from, to;
	struct load_rate rate;
	double seconds;

	begin_worker(s, SETTINGS_IDLE_POLL);
	load_read(&s->worker.load, &from);
	seconds = 1e6 * offer_for(s, &r, mpps);
	load_read(&s->worker.load, &to);
	load_rate(&from, &to, &rate);
	report_add(&m->offered, (double)r.n_offered / seconds);
	report_add(&m->taken, (double)(r.n_offered - r.n_refused) / seconds);
	report_add(&m->forwarded, (double)r.n_out / seconds);
	report_add(&m->busy, rate.busy_percent);
	settle(s, &r);
	end_worker(s);
	return count_faults(s, &r);
}

static void
tell_rate(double mpps, const struct rate_rounds *m)
{
	static const char *const what[] = { "offered", "taken", "forwarded" };
	const struct report_series *const series[] = { &m->offered, &m->taken, &m->forwarded };
	char label[64];
	unsigned int i;

	for (i = 0; i < 3; i++) {
		snprintf(label, sizeof(label), "at %.0f Mpps, %s", mpps, what[i]);
		report_cell(label, "Mpps", series[i], REPORT_HIGHER, REPORT_NO_BAR);
	}
	snprintf(label, sizeof(label), "at %.0f Mpps, busy", mpps);
	report_cell(label, "%", &m->busy, REPORT_LOWER, REPORT_NO_BAR);
}

/* All rates in turns. What is forwarded must not fall once there is more than the worker can do. */
static void
measure_overload(struct setup *s)
{
	static const double rates[N_RATES] = { 2, 5, 10, 15, 20, 30 };
	static struct rate_rounds rounds[N_RATES];
	struct report_series kept = { .n = 0 };
	uint64_t n_faults = 0;
	unsigned int i, k;
	double most;

	for (i = 0; i < report_rounds(); i++) {
		for (most = 0, k = 0; k < N_RATES; k++) {
			n_faults += overload(s, rates[k], &rounds[k]);
			most = RTE_MAX(most, rounds[k].forwarded.values[i]);
		}
		report_add(&kept, rounds[N_RATES - 1].forwarded.values[i] / most);
	}
	for (k = 0; k < N_RATES; k++)
		tell_rate(rates[k], &rounds[k]);
	report_cell("forwarded, highest rate / best rate", "ratio", &kept, REPORT_HIGHER, 0.8);
	report_value("misjudged, or lost behind the way in", "frames", (double)n_faults,
		REPORT_LOWER, 0);
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
silence(uint64_t us)
{
	uint64_t until = rte_rdtsc() + us * rte_get_tsc_hz() / 1000000;

	while (rte_rdtsc() < until)
		rte_pause();
}

struct idle_rounds {
	struct report_series cpu, wake, lost;
	uint64_t n_faults, n_waits, n_late;
	double late_us; /* that the kernel added to a sleep */
};

static void
measure_idle(struct setup *s, enum settings_idle mode, struct idle_rounds *m)
{
	double us = 1e6 / (double)rte_get_tsc_hz(), cpu, slowest = 0;
	struct result r = { .n_offered = 0 };
	unsigned int i;

	begin_worker(s, mode);
	for (i = 0; i < N_TRAINS; i++) {
		silence(150 + rig_random(&s->random) % 300);
		slowest = RTE_MAX(slowest, (double)send_train(s, &r) * us);
		settle(s, &r);
	}
	cpu = cpu_seconds(s->clock);
	usleep(IDLE_MS * 1000);
	report_add(&m->cpu, 100 * (cpu_seconds(s->clock) - cpu) / (IDLE_MS / 1e3));
	end_worker(s);
	report_add(&m->wake, slowest);
	report_add(&m->lost, (double)r.n_refused);
	m->n_faults += count_faults(s, &r);
	m->n_waits += s->worker.load.n_waits;
	m->n_late += s->worker.load.n_late;
	m->late_us = (double)s->worker.idle.late_cycles * us;
}

static void
tell_idle(const char *name, const struct idle_rounds *m)
{
	char label[64];

	snprintf(label, sizeof(label), "idle = %s, CPU while idle", name);
	report_cell(label, "%", &m->cpu, REPORT_LOWER, REPORT_NO_BAR);
	snprintf(label, sizeof(label), "idle = %s, slowest first frame", name);
	report_cell(label, "us", &m->wake, REPORT_LOWER, REPORT_NO_BAR);
	snprintf(label, sizeof(label), "idle = %s, lost of %u", name, N_TRAINS * TRAIN);
	report_cell(label, "frames", &m->lost, REPORT_LOWER, 0);
	snprintf(label, sizeof(label), "idle = %s, lost behind the way in", name);
	report_value(label, "frames", (double)m->n_faults, REPORT_LOWER, 0);
	report_note("idle = %s: %llu waits, %llu of them late; the kernel lately woke it up to "
		    "%.0f us late",
		name, (unsigned long long)m->n_waits, (unsigned long long)m->n_late, m->late_us);
}

/* In turns, so that what the machine does to one it does to all. */
static void
measure_idle_modes(struct setup *s)
{
	static const char *const names[] = { "poll", "pause", "sleep" };
	static struct idle_rounds rounds[3];
	unsigned int i, mode;

	for (i = 0; i < report_rounds(); i++)
		for (mode = 0; mode < 3; mode++)
			measure_idle(s, (enum settings_idle)mode, &rounds[mode]);
	for (mode = 0; mode < 3; mode++)
		tell_idle(names[mode], &rounds[mode]);
}

int
main(int argc, char **argv)
{
	static struct setup s;

	report_begin(argc, argv, "load",
		"a worker with more than it can do, then trains of 512 frames at 10 Gbit/s line "
		"rate after a silence",
		N_ROUNDS);
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		printf("skipped: a worker and the generator need a core each\n");
		return 77;
	}
	if (setup_init(&s) != 0) {
		fprintf(stderr, "load: cannot set up the worker, ports or the table\n");
		return EXIT_FAILURE;
	}
	measure_overload(&s);
	measure_idle_modes(&s);
	report_note(
		"a rate that was not offered in full: the generator's core was taken by others");
	report_note("full table, Zipf; %u descriptors: waits of at most %.1f us at 10 Gbit/s",
		N_DESCRIPTORS, (double)idle_safe_ns(N_DESCRIPTORS, 10000) / 1e3);
	return report_end();
}
