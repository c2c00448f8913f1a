/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * poll: a worker's loop: what it says of its load, how it waits, and that under more than it can do
 * frames are lost in front of it only.
 */
#include "suite.h"

#include "rig.h"

#include <math.h>
#include <pthread.h>
#include <rte_cycles.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RING_SIZE   128
#define OUT_SIZE    512
#define N_MBUFS     2047
#define N_GAPS      300
#define N_REFUSED   20000 /* frames that find the queue full until the overload ends */
#define SLOW_CYCLES 2000  /* per frame under overload */
#define PATIENCE    20    /* seconds */

#define POLICY "[country]\napprove = IE DE\ndrop = US\n"

static struct rig rig;

struct fixture {
	struct publisher *publisher;
	struct geo_ref *geo;
	struct worker worker;
	pthread_t thread;
	bool stop;
	uint64_t random;
};

static void
fixture_init(struct fixture *f)
{
	const struct rig_options options = {
		.n_queues = 1, .ring_size = RING_SIZE, .out_size = OUT_SIZE, .n_mbufs = N_MBUFS
	};

	memset(f, 0, sizeof(*f));
	if (rig.pool == NULL) {
		CU_ASSERT_EQUAL_FATAL(rig_start_eal(NULL, 64), 0);
		CU_ASSERT_EQUAL_FATAL(rig_init(&rig, &options), 0);
	}
	f->random = 42;
	f->geo = rig_geo_small();
	CU_ASSERT_PTR_NOT_NULL_FATAL(f->geo);
	f->publisher = publisher_new(1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f->publisher);
	publisher_set(f->publisher, rig_generation(1, f->geo, POLICY, 1));
	CU_ASSERT_PTR_NOT_NULL_FATAL(publisher_get(f->publisher));
	rig_worker_init(&rig, &f->worker, 0, f->publisher, &f->stop);
}

static void *
run_worker(void *worker)
{
	worker_main(worker);
	return NULL;
}

static void
fixture_run(struct fixture *f)
{
	f->stop = false;
	CU_ASSERT_EQUAL_FATAL(pthread_create(&f->thread, NULL, run_worker, &f->worker), 0);
}

static void
fixture_stop(struct fixture *f)
{
	__atomic_store_n(&f->stop, true, __ATOMIC_RELAXED);
	pthread_join(f->thread, NULL);
}

static void
fixture_fini(struct fixture *f)
{
	publisher_free(f->publisher);
	geo_ref_drop(f->geo);
	CU_ASSERT_EQUAL(rte_mempool_avail_count(rig.pool), N_MBUFS); /* nothing leaked */
}

/* NULL = no mbuf left. */
static struct rte_mbuf *
make_frame(struct fixture *f)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(rig.pool);

	if (m == NULL)
		return NULL;
	rig_make_frame(m, RIG_MIXED, f->geo->table, &f->random);
	rig_mark(m, 0, publisher_get(f->publisher));
	return m;
}

/* What came out since the last call; each frame must be one that the policy forwards. */
static unsigned int
take_out(void)
{
	struct rte_mbuf *out[OUT_SIZE];
	unsigned int i, n = rte_ring_dequeue_burst(rig.out[0], (void **)out, OUT_SIZE, NULL);

	for (i = 0; i < n; i++)
		CU_ASSERT_EQUAL(rig_marks(out[i]), 1);
	rte_pktmbuf_free_bulk(out, n);
	return n;
}

static uint64_t
n_received(const struct fixture *f)
{
	return stats_of(&f->worker.stats).rx.packets;
}

static double
seconds(clockid_t clock)
{
	struct timespec t = { .tv_sec = 0 };

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Put in `n` frames that fit; returns how many of them are to come out. */
static unsigned int
put_in(struct fixture *f, unsigned int n)
{
	unsigned int i, n_wanted = 0;

	for (i = 0; i < n; i++) {
		struct rte_mbuf *m = make_frame(f);

		CU_ASSERT_PTR_NOT_NULL_FATAL(m);
		n_wanted += rig_marks(m);
		CU_ASSERT_EQUAL_FATAL(rte_ring_enqueue(rig.in[0], m), 0);
	}
	return n_wanted;
}

/* Until the worker has received `n` in all. Returns what came out. */
static unsigned int
wait_for(struct fixture *f, uint64_t n)
{
	double deadline = seconds(CLOCK_MONOTONIC) + PATIENCE;
	unsigned int n_out = 0;

	while (n_received(f) < n && seconds(CLOCK_MONOTONIC) < deadline)
		n_out += take_out();
	CU_ASSERT_EQUAL(n_received(f), n);
	return n_out;
}

static void
test_load_is_what_happened_between_two_looks(void)
{
	const struct load_point from = { 10, 100, 1000, 5000 }, to = { 30, 500, 9000, 7000 };
	struct load_rate r;

	load_rate(&from, &to, &r);
	CU_ASSERT_DOUBLE_EQUAL(r.busy_percent, 80, 1e-9);
	CU_ASSERT_DOUBLE_EQUAL(r.cycles_per_burst, 400, 1e-9);
	CU_ASSERT_DOUBLE_EQUAL(r.cycles_per_packet, 20, 1e-9);
	CU_ASSERT_DOUBLE_EQUAL(r.packets_per_burst, 20, 1e-9);
	load_rate(&to, &to, &r);
	CU_ASSERT(isnan(r.busy_percent) && isnan(r.cycles_per_burst) &&
		  isnan(r.cycles_per_packet) && isnan(r.packets_per_burst));
}

static void
test_history_forgets_what_is_older_than_its_looks(void)
{
	struct worker_load load = { .busy_cycles = 1000, .idle_cycles = 0 };
	struct load_history h = { .looks = { { 0 } } };
	struct load_rate r;
	unsigned int i;

	load_history_rate(&h, &load, &r);
	CU_ASSERT_DOUBLE_EQUAL(r.busy_percent, 100, 1e-9); /* since the start */
	for (i = 0; i < LOAD_LOOKS; i++)
		load_history_add(&h, &load);
	load.idle_cycles = 3000;
	load.busy_cycles = 2000;
	load_history_rate(&h, &load, &r);
	CU_ASSERT_DOUBLE_EQUAL(r.busy_percent, 25, 1e-9);
}

static void
test_wait_never_outlasts_half_the_descriptors(void)
{
	static const struct {
		const char *what;
		unsigned int n_descriptors;
		uint32_t speed_mbps;
		uint64_t want_ns;
	} cases[] = {
		{ "speed not known", 1024, 0, 0 },
		{ "1 G: the longest wait", 1024, 1000, IDLE_WAIT_MAX_NS },
		{ "10 G: 512 frames of 67.2 ns", 1024, 10000, 34406 },
		{ "25 G", 1024, 25000, 13762 },
		{ "100 G", 1024, 100000, 3440 },
		{ "100 G, few descriptors", 64, 100000, 215 },
		{ "400 G", 1024, 400000, 860 },
		{ "no descriptors", 0, 10000, 0 },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CU_ASSERT_EQUAL(idle_safe_ns(cases[i].n_descriptors, cases[i].speed_mbps),
			cases[i].want_ns);
}

static void
test_loop_accounts_for_bursts_frames_and_time(void)
{
	struct load_point p;
	struct load_rate r;
	struct fixture f;
	uint64_t begin, all;
	unsigned int i;

	fixture_init(&f);
	begin = rte_rdtsc();
	fixture_run(&f);
	for (i = 1; i <= 100; i++) {
		put_in(&f, 8);
		wait_for(&f, 8 * i);
	}
	fixture_stop(&f);
	all = rte_rdtsc() - begin;
	take_out();
	load_read(&f.worker.load, &p);
	CU_ASSERT_EQUAL(p.n_packets, 800);
	CU_ASSERT(p.n_bursts >= 100 && p.n_bursts <= 800);
	CU_ASSERT(p.busy_cycles > 0 && p.idle_cycles > 0);
	CU_ASSERT(p.busy_cycles + p.idle_cycles <= all);
	load_rate(&(struct load_point){ 0 }, &p, &r);
	CU_ASSERT(r.packets_per_burst >= 1 && r.packets_per_burst <= 8);
	CU_ASSERT_EQUAL(f.worker.load.depth, LOAD_DEPTH_UNKNOWN); /* net_ring cannot say */
	fixture_fini(&f);
}

static void
wait_for_loops(const struct fixture *f, uint64_t n)
{
	n += __atomic_load_n(&f->worker.load.n_loops, __ATOMIC_RELAXED);
	while (__atomic_load_n(&f->worker.load.n_loops, __ATOMIC_RELAXED) < n)
		;
}

static void
test_nothing_to_do_is_not_busy(void)
{
	struct load_point from, to;
	struct load_rate r;
	struct fixture f;

	fixture_init(&f);
	fixture_run(&f);
	put_in(&f, 8);
	wait_for(&f, 8);
	wait_for_loops(&f, 1000); /* until the last burst is accounted for */
	load_read(&f.worker.load, &from);
	wait_for_loops(&f, 1000);
	load_read(&f.worker.load, &to);
	load_rate(&from, &to, &r);
	CU_ASSERT_DOUBLE_EQUAL(r.busy_percent, 0, 1e-9);
	CU_ASSERT(isnan(r.cycles_per_packet));
	fixture_stop(&f);
	take_out();
	fixture_fini(&f);
}

/* As a port's driver that can count its descriptors would say it. */
static uint32_t
count_ring(void *rx_queue)
{
	(void)rx_queue;
	return rte_ring_count(rig.in[0]);
}

static void
test_depth_is_that_of_the_fullest_queue(void)
{
	eth_rx_queue_count_t before;
	struct fixture f;

	fixture_init(&f);
	before = rte_eth_fp_ops[rig.inside].rx_queue_count;
	rte_eth_fp_ops[rig.inside].rx_queue_count = count_ring;
	put_in(&f, WORKER_BURST + 8); /* it takes a burst of them, then looks for the first time */
	fixture_run(&f);
	wait_for(&f, WORKER_BURST + 8);
	while (__atomic_load_n(&f.worker.load.depth_max, __ATOMIC_RELAXED) == LOAD_DEPTH_UNKNOWN)
		;
	fixture_stop(&f);
	rte_eth_fp_ops[rig.inside].rx_queue_count = before;
	take_out();
	CU_ASSERT_EQUAL(f.worker.load.depth_max, 8);
	CU_ASSERT_EQUAL(f.worker.load.depth, 0);
	fixture_fini(&f);
}

/* Seconds of CPU and of time that the worker took to wait for a while. */
static void
measure_idle(const struct fixture *f, double *cpu, double *wall)
{
	clockid_t clock;

	CU_ASSERT_EQUAL_FATAL(pthread_getcpuclockid(f->thread, &clock), 0);
	*cpu = seconds(clock);
	*wall = seconds(CLOCK_MONOTONIC);
	while (seconds(CLOCK_MONOTONIC) < *wall + 0.2)
		usleep(1000); /* leave the core to whom it may concern: this is what is measured */
	*cpu = seconds(clock) - *cpu;
	*wall = seconds(CLOCK_MONOTONIC) - *wall;
}

/* Bursts with pauses between them, so that waits begin and end all the time. */
static double
run_idle_mode(enum settings_idle mode, const char *name)
{
	unsigned int i, n_in = 0, n_wanted = 0, n_out = 0;
	double cpu, wall;
	struct fixture f;
	uint64_t gap;

	fixture_init(&f);
	idle_init(&f.worker.idle, mode, 5);
	idle_set_safe(&f.worker.idle, IDLE_WAIT_MAX_NS);
	fixture_run(&f);
	for (i = 0; i < N_GAPS; i++) {
		unsigned int n = 1 + (unsigned int)(rig_random(&f.random) % (RING_SIZE - 1));

		n_wanted += put_in(&f, n);
		n_in += n;
		n_out += wait_for(&f, n_in);
		gap = rte_rdtsc() + rig_random(&f.random) % 100 * (rte_get_tsc_hz() / 1000000);
		while (rte_rdtsc() < gap)
			;
	}
	measure_idle(&f, &cpu, &wall);
	fixture_stop(&f);
	n_out += take_out();
	CU_ASSERT_EQUAL(n_out, n_wanted);
	CU_ASSERT_EQUAL(n_received(&f), n_in);
	CU_ASSERT_EQUAL(stats_of(&f.worker.stats).reason[REASON_TX_FULL][1].packets, 0);
	CU_ASSERT((f.worker.load.n_waits > 0) == (mode != SETTINGS_IDLE_POLL));
	printf("\n    idle = %s: %u frames, none lost; %.0f %% of a core while nothing came, "
	       "%llu waits, %llu late",
		name, n_in, 100 * cpu / wall, (unsigned long long)f.worker.load.n_waits,
		(unsigned long long)f.worker.load.n_late);
	fixture_fini(&f);
	return cpu / wall;
}

static void
test_no_way_of_waiting_loses_a_frame(void)
{
	unsigned int tries;

	run_idle_mode(SETTINGS_IDLE_POLL, "poll");
	run_idle_mode(SETTINGS_IDLE_PAUSE, "pause");
	/* After a sleep that others made late it keeps awake for a while. */
	for (tries = 0; tries < 10 && run_idle_mode(SETTINGS_IDLE_SLEEP, "sleep") >= 0.8; tries++)
		;
	CU_ASSERT(tries < 10);
}

static void
test_without_a_safe_wait_there_is_none(void)
{
	struct fixture f;

	fixture_init(&f);
	idle_init(&f.worker.idle, SETTINGS_IDLE_SLEEP, 1);
	idle_set_safe(&f.worker.idle, idle_safe_ns(1024, 0));
	fixture_run(&f);
	wait_for_loops(&f, 20000);
	fixture_stop(&f);
	CU_ASSERT_EQUAL(f.worker.load.n_waits, 0);
	fixture_fini(&f);
}

/* Generations must be freed while a worker sleeps most of the time. */
static void
test_sleeping_worker_holds_up_no_generation(void)
{
	struct rte_rcu_qsbr *workers;
	struct fixture f;
	unsigned int i;

	fixture_init(&f);
	idle_init(&f.worker.idle, SETTINGS_IDLE_SLEEP, 1);
	idle_set_safe(&f.worker.idle, IDLE_WAIT_MAX_NS);
	fixture_run(&f);
	workers = publisher_workers(f.publisher);
	for (i = 0; i < 20; i++) {
		uint64_t token = rte_rcu_qsbr_start(workers);
		double deadline = seconds(CLOCK_MONOTONIC) + PATIENCE;

		while (rte_rcu_qsbr_check(workers, token, false) != 1 &&
			seconds(CLOCK_MONOTONIC) < deadline)
			;
		CU_ASSERT_EQUAL(rte_rcu_qsbr_check(workers, token, false), 1);
	}
	fixture_stop(&f);
	fixture_fini(&f);
}

struct overload {
	uint64_t n_offered, n_refused, n_accepted, n_wanted, n_out;
};

/* Offer frames as a wire would: what finds the queue full is lost. The way out is emptied before
 * each, and holds more than can come meanwhile, so that it is never what is full. */
static void
offer(struct fixture *f, struct overload *o)
{
	double deadline = seconds(CLOCK_MONOTONIC) + PATIENCE;
	struct rte_mbuf *m;

	while ((o->n_refused < N_REFUSED || o->n_accepted < N_REFUSED / 4) &&
		seconds(CLOCK_MONOTONIC) < deadline) {
		o->n_out += take_out();
		m = make_frame(f);
		if (m == NULL)
			continue;
		o->n_offered++;
		if (rte_ring_enqueue(rig.in[0], m) != 0) {
			rte_pktmbuf_free(m);
			o->n_refused++;
			continue;
		}
		o->n_accepted++;
		o->n_wanted += rig_marks(m);
	}
}

/* Spends some time on each burst, so that the worker is the slower side. */
static uint16_t
slow_down(uint16_t port, uint16_t queue, struct rte_mbuf **pkts, uint16_t n, uint16_t n_max,
	void *context)
{
	uint64_t until = rte_rdtsc() + (uint64_t)n * SLOW_CYCLES;

	while (n > 0 && rte_rdtsc() < until)
		;
	return n;
}

static void
test_overload_is_lost_in_front_of_the_worker_only(void)
{
	const struct rte_eth_rxtx_callback *slow;
	struct overload o = { 0 };
	struct load_point p;
	struct load_rate r;
	struct fixture f;

	fixture_init(&f);
	slow = rte_eth_add_rx_callback(rig.inside, 0, slow_down, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(slow);
	fixture_run(&f);
	offer(&f, &o);
	o.n_out += wait_for(&f, o.n_accepted);
	wait_for_loops(&f, 100); /* until the last burst is accounted for */
	load_read(&f.worker.load, &p);
	fixture_stop(&f);
	rte_eth_remove_rx_callback(rig.inside, 0, slow);
	o.n_out += take_out();
	CU_ASSERT(o.n_refused >= N_REFUSED && o.n_accepted >= N_REFUSED / 4);
	CU_ASSERT_EQUAL(o.n_offered, o.n_refused + o.n_accepted);
	CU_ASSERT_EQUAL(o.n_out, o.n_wanted); /* everything approved that it took, nothing else */
	CU_ASSERT_EQUAL(stats_of(&f.worker.stats).rx.packets, o.n_accepted);
	CU_ASSERT_EQUAL(stats_of(&f.worker.stats).forwarded.packets, o.n_wanted);
	CU_ASSERT_EQUAL(stats_of(&f.worker.stats).dropped.packets, o.n_accepted - o.n_wanted);
	CU_ASSERT_EQUAL(stats_of(&f.worker.stats).reason[REASON_TX_FULL][1].packets, 0);
	load_rate(&(struct load_point){ 0 }, &p, &r);
	printf("\n    offered %llu, lost in front %llu, forwarded %llu; %.0f cycles a frame, "
	       "bursts of "
	       "%.1f",
		(unsigned long long)o.n_offered, (unsigned long long)o.n_refused,
		(unsigned long long)o.n_out, r.cycles_per_packet, r.packets_per_burst);
	CU_ASSERT(r.cycles_per_packet >= SLOW_CYCLES);
	fixture_fini(&f);
}

SUITE("poll",
	{ "load is what happened between two looks", test_load_is_what_happened_between_two_looks },
	{ "history forgets what is older than its looks",
		test_history_forgets_what_is_older_than_its_looks },
	{ "wait never outlasts half the descriptors",
		test_wait_never_outlasts_half_the_descriptors },
	{ "loop accounts for bursts, frames and time",
		test_loop_accounts_for_bursts_frames_and_time },
	{ "nothing to do is not busy", test_nothing_to_do_is_not_busy },
	{ "depth is that of the fullest queue", test_depth_is_that_of_the_fullest_queue },
	{ "no way of waiting loses a frame", test_no_way_of_waiting_loses_a_frame },
	{ "without a safe wait there is none", test_without_a_safe_wait_there_is_none },
	{ "sleeping worker holds up no generation", test_sleeping_worker_holds_up_no_generation },
	{ "overload is lost in front of the worker only",
		test_overload_is_lost_in_front_of_the_worker_only })
