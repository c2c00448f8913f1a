/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Do two workers do twice as much as one? Each has two ports made of rings, whose
 * way out is the way in again, so that nobody else has to feed them. Full table, Zipf destinations,
 * everything forwarded; one worker, the other one and both in short turns.
 *
 * Two cores of a virtual machine may be two threads of one real core, or have neighbours there, and
 * always share a cache. So each round also runs two workers that have nothing in common: each has a
 * ruleset, counters and a publisher of its own. What these fall short of 2 the machine takes; what two workers
 * of one daemon fall short of these is the price of what they share.
 */
#include "report.h"
#include "rig.h"

#include <rte_cycles.h>
#include <rte_lcore.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define N_ROUNDS    31
#define N_WORKERS   2
#define RUN_US      40000
#define WARM_US     5000
#define N_IN_FLIGHT 2048u /* per worker */
#define BAR         1.9

#define POLICY "[policy]\ndefault = pass\nunknown = pass\n"

/* The few destinations stay in each core's own cache. */
static const struct load {
	const char *name;
	enum rig_shape shape;
	unsigned int n_destinations; /* 0 = as many as frames */
} loads[] = {
	{ "IPv4, 500 addresses", RIG_IP4, 500 },
	{ "IPv4", RIG_IP4, 0 },
	{ "30 % IPv6", RIG_MIXED, 0 },
	{ "IPv6", RIG_IP6, 0 },
};

/* What workers of one daemon share. */
struct daemon_like {
	struct publisher *publisher;
	struct worker *workers;
};

struct setup {
	struct geo_ref *geo;
	struct rig rigs[N_WORKERS];        /* ports for each worker */
	struct daemon_like shared;         /* two workers */
	struct daemon_like own[N_WORKERS]; /* one worker each, the same ports */
	bool stop;
};

/* Workers on ports from number `first` on. Not on queues of one port: net_ring counts the frames of
 * several queues in one cache line. */
static int
make_daemon(struct setup *s, struct daemon_like *d, unsigned int first, unsigned int n_workers)
{
	unsigned int i;

	d->publisher = publisher_new(n_workers);
	d->workers = aligned_alloc(WORKER_ALIGN, n_workers * sizeof(*d->workers));
	if (d->publisher == NULL || d->workers == NULL)
		return -1;
	publisher_set(d->publisher, rig_generation(0, s->geo, POLICY, n_workers));
	for (i = 0; i < n_workers; i++) {
		rig_worker_init(&s->rigs[first + i], &d->workers[i], i, d->publisher, &s->stop);
		d->workers[i].queues[0].queue = 0;
		d->workers[i].lcore = first + i + 1;
	}
	return publisher_get(d->publisher) != NULL ? 0 : -1;
}

static int
setup_init(struct setup *s)
{
	static const char *const names[N_WORKERS] = { "first", "second" };
	unsigned int i;

	s->geo = rig_geo_full();
	if (s->geo == NULL || rig_start_eal("0,1", 256) != 0)
		return -1;
	for (i = 0; i < N_WORKERS; i++) {
		const struct rig_options options = { .name = names[i],
			.n_queues = 1,
			.ring_size = 2 * N_IN_FLIGHT,
			.n_mbufs = N_IN_FLIGHT,
			.is_loop = true };

		if (rig_init(&s->rigs[i], &options) != 0 || make_daemon(s, &s->own[i], i, 1) != 0)
			return -1;
	}
	return make_daemon(s, &s->shared, 0, N_WORKERS);
}

/* All buffers become frames of one load. */
static int
fill(const struct setup *s, const struct rig *rig, const struct load *load)
{
	uint64_t random = 42;
	struct rte_mbuf *m;
	unsigned int i;
	void *old;

	while (rte_ring_dequeue(rig->in[0], &old) == 0)
		rte_pktmbuf_free(old);
	for (i = 0; i < rig->n_mbufs; i++) {
		m = rte_pktmbuf_alloc(rig->pool);
		if (m == NULL)
			return -1;
		if (load->n_destinations != 0 && i % load->n_destinations == 0)
			random = 42;
		rig_make_frame(m, load->shape, s->geo->table, &random);
		if (rte_ring_enqueue(rig->in[0], m) != 0)
			return -1;
	}
	return 0;
}

/* Run some workers: million frames per second. `*cycles`: of a frame of the first one. */
static double
run(struct setup *s, struct worker *const *workers, unsigned int n, double *cycles)
{
	struct load_point before[N_WORKERS], after[N_WORKERS];
	uint64_t begin, n_packets = 0;
	struct load_rate rate;
	double seconds;
	unsigned int i;

	__atomic_store_n(&s->stop, false, __ATOMIC_RELAXED);
	for (i = 0; i < n; i++)
		rte_eal_remote_launch(worker_main, workers[i], workers[i]->lcore);
	usleep(WARM_US);
	begin = rte_rdtsc();
	for (i = 0; i < n; i++)
		load_read(&workers[i]->load, &before[i]);
	usleep(RUN_US);
	seconds = (double)(rte_rdtsc() - begin) / (double)rte_get_tsc_hz();
	for (i = 0; i < n; i++) {
		load_read(&workers[i]->load, &after[i]);
		n_packets += after[i].n_packets - before[i].n_packets;
	}
	__atomic_store_n(&s->stop, true, __ATOMIC_RELAXED);
	rte_eal_mp_wait_lcore();
	load_rate(&before[0], &after[0], &rate);
	*cycles = rate.cycles_per_packet;
	return (double)n_packets / seconds / 1e6;
}

struct rounds {
	struct report_series one, two, own, cycles, ratio, ceiling, share;
};

static void
measure_round(struct setup *s, struct rounds *r)
{
	struct worker *first = &s->shared.workers[0], *second = &s->shared.workers[1];
	struct worker *const both[] = { first, second };
	struct worker *const own[] = { s->own[0].workers, s->own[1].workers };
	double cycles, unused, one, two, apart;

	one = run(s, &first, 1, &cycles);
	report_add(&r->one, one);
	report_add(&r->cycles, cycles);
	two = run(s, both, 2, &unused);
	apart = run(s, own, 2, &unused);
	one = (one + run(s, &second, 1, &unused)) / 2;
	report_add(&r->two, two);
	report_add(&r->ratio, two / one);
	report_add(&r->ceiling, apart / one);
	report_add(&r->share, two / apart);
}

static void
tell(const char *load, const char *what, const char *unit, const struct report_series *s,
	enum report_better better, double bar)
{
	char name[64];

	snprintf(name, sizeof(name), "%s, %s", load, what);
	report_cell(name, unit, s, better, bar);
}

static int
measure(struct setup *s, const struct load *load)
{
	struct rounds r = { .one = { .n = 0 } };
	double ceiling;
	unsigned int i;

	if (fill(s, &s->rigs[0], load) != 0 || fill(s, &s->rigs[1], load) != 0)
		return -1;
	for (i = 0; i < report_rounds(); i++)
		measure_round(s, &r);
	ceiling = report_median(&r.ceiling);
	tell(load->name, "one worker", "Mpps", &r.one, REPORT_HIGHER, REPORT_NO_BAR);
	tell(load->name, "loop of one worker", "cycles", &r.cycles, REPORT_LOWER, REPORT_NO_BAR);
	tell(load->name, "two workers", "Mpps", &r.two, REPORT_HIGHER, REPORT_NO_BAR);
	tell(load->name, "nothing shared / one", "ratio", &r.ceiling, REPORT_HIGHER, REPORT_NO_BAR);
	tell(load->name, "two / one", "ratio", &r.ratio, REPORT_HIGHER,
		ceiling >= BAR ? BAR : REPORT_NO_BAR);
	tell(load->name, "two / nothing shared", "ratio", &r.share, REPORT_HIGHER, BAR / 2);
	if (ceiling < BAR)
		report_note("%s: two cores of this machine do %.2f times what one does, even with "
			    "nothing shared: no bar of %.1f here",
			load->name, ceiling, BAR);
	return 0;
}

static bool
is_everything_forwarded(const struct setup *s)
{
	struct stats_total sum = { .rx = { 0, 0 } };

	stats_total_add(&sum, &s->shared.workers[0].stats);
	stats_total_add(&sum, &s->shared.workers[1].stats);
	stats_total_add(&sum, &s->own[0].workers[0].stats);
	stats_total_add(&sum, &s->own[1].workers[0].stats);
	return sum.rx.packets == sum.forwarded.packets && sum.rx.packets > 0;
}

int
main(int argc, char **argv)
{
	static struct setup s;
	size_t i;

	report_begin(argc, argv, "scale",
		"one and two workers, full table, Zipf, bursts of up to 64, 2,048 frames in flight "
		"each",
		N_ROUNDS);
	if (sysconf(_SC_NPROCESSORS_ONLN) < N_WORKERS) {
		printf("skipped: two workers need two cores\n");
		return 77;
	}
	if (setup_init(&s) != 0) {
		fprintf(stderr, "scale: cannot set up workers, ports or the table\n");
		return EXIT_FAILURE;
	}
	for (i = 0; i < sizeof(loads) / sizeof(loads[0]); i++)
		if (measure(&s, &loads[i]) != 0)
			return EXIT_FAILURE;
	if (!is_everything_forwarded(&s)) {
		fprintf(stderr, "scale: frames were lost\n");
		return EXIT_FAILURE;
	}
	report_value("TSC", "MHz", (double)rte_get_tsc_hz() / 1e6, REPORT_HIGHER, REPORT_NO_BAR);
	report_note("the loop is reception from a ring to transmission to a ring, cycles of the "
		    "TSC");
	return report_end();
}
