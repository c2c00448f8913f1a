/* SPDX-License-Identifier: BSD-3-Clause */
/* What the daemon's writer sustains to tmpfs with everything on: annotations by the real policy and
 * table, digests, checkpoints, signatures. A producer on another core keeps its ring full, so that
 * the writer never waits: copies written per second are its throughput on its one core. */
#include "writer.h"

#include "classify/classify.h"

#include <pthread.h>
#include <rte_cycles.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define N_RUNS    3
#define RUN_S     1.5
#define N_FRAMES  2048u
#define N_CLASSES 64u
#define RING_SIZE (8u << 20) /* as in the daemon */
#define DIRECTORY "/dev/shm/trefoil-bench-writer"
#define TABLE     TREFOIL_SOURCE_ROOT "/config/geo/internet.tgt"

static const char policy_text[] = "[policy]\nname = bench\n[country]\nmirror = US CN\n";

static struct rte_mbuf frames[N_FRAMES];
static uint8_t buffers[N_FRAMES][2048];
static const struct generation *generation;
static uint32_t classes[N_CLASSES];

static double
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
pin(pthread_t thread, int core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(core, &set);
	pthread_setaffinity_np(thread, sizeof(set), &set);
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
make_frames(void)
{
	unsigned int i;

	for (i = 0; i < N_FRAMES; i++) {
		memset(buffers[i], (int)i, sizeof(buffers[i]));
		frames[i].buf_addr = buffers[i];
		frames[i].data_off = 128;
		frames[i].data_len = 1500;
		frames[i].pkt_len = 1500;
	}
}

/* Classes that the policy mirrors, spread over the table. */
static void
find_classes(void)
{
	const struct ruleset *rs = generation->ruleset;
	uint32_t i, n = 0, step = rs->n_classes / (4 * N_CLASSES) + 1;

	for (i = 1; n < N_CLASSES; i = (i + step) % rs->n_classes)
		if ((rs->verdict[i] & VERDICT_MIRROR) != 0)
			classes[n++] = i;
}

static struct publisher *
make_publisher(void)
{
	struct publisher *p = publisher_new(1);
	struct err_list errors = { .n = 0 };
	struct policy *policy =
		policy_parse(policy_text, sizeof(policy_text) - 1, "bench.ini", &errors);
	struct geo_ref *geo = geo_ref_load(TABLE, err_list_next(&errors));
	struct generation *g;

	if (p == NULL || policy == NULL || geo == NULL) {
		printf("SKIP: cannot load %s\n", TABLE);
		exit(77);
	}
	g = generation_new(1, policy, geo, false, 1);
	geo_ref_drop(geo);
	publisher_set(p, g);
	generation = g;
	find_classes();
	return p;
}

/* Million copies per second that the writer took. */
static double
run_once(struct publisher *p, uint32_t snaplen, double *gbit, double *lost)
{
	static const struct capture_interface interface = { .name = "bench", .link_type = 1 };
	struct mirror_ring *ring = mirror_ring_new(RING_SIZE);
	struct writer_options options = {
		.custody = { .directory = DIRECTORY,
			.name = "bench",
			.state_dir = DIRECTORY "/state",
			.head_command = "",
			.extension = "pcapng" },
		.minimise = { .filter = "" },
		.format = CAPTURE_PCAPNG,
		.rotate_size = UINT64_C(1) << 30,
		.interfaces = &interface,
		.n_interfaces = 1,
	};
	struct mirror_note note = { .generation = generation,
		.wire_length = 1500,
		.verdict = VERDICT_MIRROR,
		.reason = REASON_COUNTRY };
	struct writer_status before, after, last;
	struct err e = { .message = "" };
	struct writer *w;
	double start, elapsed;
	unsigned int i = 0;

	if (system("rm -rf " DIRECTORY " && mkdir -p " DIRECTORY) != 0)
		exit(77);
	pin(pthread_self(), 0); /* the writer's thread inherits it */
	w = writer_start(&options, p, &ring, 1, &e);
	if (w == NULL) {
		printf("SKIP: %s\n", e.message);
		exit(77);
	}
	pin(pthread_self(), 1);
	writer_status(w, &before);
	start = seconds();
	while ((elapsed = seconds() - start) < RUN_S) {
		unsigned int k;

		for (k = 0; k < 512; k++, i++) {
			note.time_ns = UINT64_C(1700000000000000000) + i;
			note.class = classes[i % N_CLASSES];
			if (!mirror_ring_put(ring, &frames[i % N_FRAMES], snaplen, &note))
				break;
		}
	}
	writer_status(w, &after);
	*lost = 100.0 * (double)mirror_ring_lost(ring) / (double)mirror_ring_offered(ring);
	writer_stop(w, &last);
	mirror_ring_free(ring);
	*gbit = (double)(after.written - before.written) * snaplen * 8 / elapsed / 1e9;
	return (double)(after.written - before.written) / elapsed / 1e6;
}

static void
bench(struct publisher *p, uint32_t snaplen)
{
	double rates[N_RUNS], gbits[N_RUNS], lost[N_RUNS];
	unsigned int i;

	for (i = 0; i < N_RUNS; i++)
		rates[i] = run_once(p, snaplen, &gbits[i], &lost[i]);
	qsort(rates, N_RUNS, sizeof(rates[0]), compare);
	qsort(gbits, N_RUNS, sizeof(gbits[0]), compare);
	printf("writer, chain and digests on, %4u-byte copies  %6.2f M/s %6.1f Gbit/s "
	       "(%.2f..%.2f M/s)\n",
		snaplen, rates[N_RUNS / 2], gbits[N_RUNS / 2], rates[0], rates[N_RUNS - 1]);
}

int
main(void)
{
	struct publisher *p;

	setvbuf(stdout, NULL, _IONBF, 0);
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		printf("SKIP: needs two cores\n");
		return 77;
	}
	make_frames();
	p = make_publisher();
	bench(p, 128);
	bench(p, 1500);
	publisher_free(p);
	return system("rm -rf " DIRECTORY) == 0 ? 0 : 1;
}
