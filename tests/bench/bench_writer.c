/* SPDX-License-Identifier: BSD-3-Clause */
/* What the daemon's writer sustains to tmpfs with everything on: annotations by the real policy and
 * table, digests, checkpoints, signatures. A producer on another core keeps its ring full, so that
 * the writer never waits: copies written per second are its throughput on its one core. */
#include "report.h"
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

#define N_ROUNDS  3
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
		printf("skipped: cannot load %s\n", TABLE);
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
run_once(struct publisher *p, uint32_t snaplen)
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
	struct writer_status before, after;
	struct err e = { .message = "" };
	struct writer *w;
	double start, elapsed;
	unsigned int i = 0;

	if (system("rm -rf " DIRECTORY " && mkdir -p " DIRECTORY) != 0)
		exit(77);
	pin(pthread_self(), 0); /* the writer's thread inherits it */
	w = writer_start(&options, p, &ring, 1, &e);
	if (w == NULL) {
		printf("skipped: %s\n", e.message);
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
	writer_stop(w);
	mirror_ring_free(ring);
	return (double)(after.written - before.written) / elapsed / 1e6;
}

static void
measure(struct publisher *p)
{
	struct report_series few = { .n = 0 }, many = { .n = 0 }, gbit = { .n = 0 };
	unsigned int i;

	for (i = 0; i < report_rounds(); i++) {
		report_add(&few, run_once(p, 128));
		report_add(&many, run_once(p, 1500));
		report_add(&gbit, many.values[i] * 1500 * 8 / 1e3);
	}
	report_cell("copies of 128 bytes", "Mpps", &few, REPORT_HIGHER, REPORT_NO_BAR);
	report_cell("copies of 1500 bytes", "Mpps", &many, REPORT_HIGHER, REPORT_NO_BAR);
	report_cell("copies of 1500 bytes", "Gbit/s", &gbit, REPORT_HIGHER, REPORT_NO_BAR);
}

int
main(int argc, char **argv)
{
	struct publisher *p;

	report_begin(argc, argv, "writer",
		"the daemon's writer to tmpfs with annotations, digests, checkpoints, signatures",
		N_ROUNDS);
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		printf("skipped: the writer and the producer need a core each\n");
		return 77;
	}
	make_frames();
	p = make_publisher();
	measure(p);
	publisher_free(p);
	return system("rm -rf " DIRECTORY) == 0 ? report_end() : 1;
}
