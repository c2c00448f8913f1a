/* SPDX-License-Identifier: BSD-3-Clause */
/* What the daemon's writer sustains to tmpfs with everything on: annotations by the real policy and
 * table, digests, checkpoints, signatures. A producer on another core keeps its ring full, so that
 * the writer never waits. Copies per second of the writer's own CPU time are its throughput on one
 * core, whoever else wants that core meanwhile; copies per second of the clock are shown beside it.
 * Every byte that is written has to go through SHA-256 and into the page cache: what these two
 * take at least, measured in the same run, is the ceiling. */
#include "writer.h"

#include "report.h"

#include "base/sha256.h"
#include "classify/classify.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <rte_cycles.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define N_ROUNDS  3
#define RUN_S     1.5
#define N_FRAMES  2048u
#define N_CLASSES 64u
#define BURST     32u
#define PACE      1e6        /* copies a second, which the writer can take */
#define N_BURSTS  46875u     /* in 1.5 s */
#define RING_SIZE (8u << 20) /* as in the daemon */
#define DIRECTORY "/dev/shm/trefoil-bench-writer"
#define WARM      (UINT64_C(4) << 30) /* more than a run writes; at most half of what is free */
#define TABLE     TREFOIL_SOURCE_ROOT "/config/geo/internet.tgt"

static const char policy_text[] = "[policy]\nname = bench\n[country]\nmirror = US CN\n";

static struct rte_mbuf frames[N_FRAMES];
static uint8_t buffers[N_FRAMES][2048];
static const struct generation *generation;
static uint32_t classes[N_CLASSES];

/* Where it writes to. */
static const struct place {
	const char *name, *path;
	bool is_mounted; /* by the bench */
} places[] = {
	{ "huge pages", DIRECTORY "/mount", true },
	{ "4 KiB pages", DIRECTORY, false },
};
#define N_PLACES (sizeof(places) / sizeof(places[0]))

static const struct place *place;

static double
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double
cpu_seconds(clockid_t clock)
{
	struct timespec used;

	clock_gettime(clock, &used);
	return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

/* Of all threads but this one: of the writer. */
static double
writer_seconds(void)
{
	return cpu_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
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

/* One run. */
struct figures {
	double cpu, clock; /* million copies per second of the writer's CPU time / of the clock */
	double bytes;      /* in the segments per copy */
};

/* Remove what a run left. */
static void
empty(void)
{
	char command[512];

	snprintf(command, sizeof(command), "rm -rf %s/*", place->path);
	if (system(command) != 0)
		exit(1);
}

/* Have memory for a run, and give it back: the next that is asked for is the same. */
static void
warm_up(void)
{
	static const uint8_t block[1 << 20];
	uint64_t size,
		most = (uint64_t)sysconf(_SC_AVPHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 2;
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/warm", place->path);
	fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	for (size = 0; size < WARM && size < most; size += sizeof(block))
		if (write(fd, block, sizeof(block)) != (ssize_t)sizeof(block))
			break;
	close(fd);
	unlink(path);
}

/* In a mount namespace of its own, so that nothing is left behind. */
static int
mount_place(void)
{
	if (mkdir(place->path, 0700) != 0 || unshare(CLONE_NEWNS) != 0 ||
		mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return -errno;
	return mount("tmpfs", place->path, "tmpfs", 0, "huge=always,size=75%") == 0 ? 0 : -errno;
}

static struct writer *
start_writer(struct publisher *p, struct mirror_ring *const *ring)
{
	static const struct capture_interface interface = { .name = "bench", .link_type = 1 };
	char state_dir[256];
	const struct writer_options options = {
		.custody = { .directory = place->path,
			.name = "bench",
			.state_dir = state_dir,
			.head_command = "",
			.extension = "pcapng" },
		.minimise = { .filter = "" },
		.format = CAPTURE_PCAPNG,
		.rotate_size = UINT64_C(1) << 30,
		.interfaces = &interface,
		.n_interfaces = 1,
	};
	struct err e = { .message = "" };
	struct writer *w;

	snprintf(state_dir, sizeof(state_dir), "%s/state", place->path);
	empty();
	warm_up();
	pin(pthread_self(), 0); /* the writer's thread inherits it */
	w = writer_start(&options, p, ring, 1, &e);
	if (w == NULL) {
		printf("skipped: %s\n", e.message);
		exit(77);
	}
	pin(pthread_self(), 1);
	return w;
}

/* The `i`th copy of a run; false = the ring is full. */
static bool
put(struct mirror_ring *ring, uint32_t snaplen, unsigned int i)
{
	struct mirror_note note = { .generation = generation,
		.time_ns = UINT64_C(1700000000000000000) + i,
		.class = classes[i % N_CLASSES],
		.wire_length = 1500,
		.verdict = VERDICT_MIRROR,
		.reason = REASON_COUNTRY };

	return mirror_ring_put(ring, &frames[i % N_FRAMES], snaplen, &note);
}

static void
produce(struct mirror_ring *ring, uint32_t snaplen)
{
	double start = seconds();
	unsigned int i = 0, k;

	while (seconds() - start < RUN_S)
		for (k = 0; k < 512 && put(ring, snaplen, i); k++)
			i++;
}

/* Cycles of a worker's bursts. */
struct bursts {
	uint64_t cycles[N_BURSTS];
	size_t n;
};

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* As many as the writer can take, the frames' headers read before as a classifier would have. A
 * burst of which some are lost does not count. */
static void
produce_paced(struct mirror_ring *ring, uint32_t snaplen, struct bursts *out)
{
	static volatile uint8_t sink;
	double start = seconds();
	unsigned int i = 0, k, n_kept;
	uint64_t begin;

	out->n = 0;
	while (i < N_BURSTS * BURST) {
		if (seconds() - start < i / PACE)
			continue;
		for (k = 0; k < BURST; k++)
			sink = sink ^ buffers[(i + k) % N_FRAMES][128] ^
			       buffers[(i + k) % N_FRAMES][192];
		begin = rte_rdtsc();
		for (k = n_kept = 0; k < BURST; k++)
			n_kept += put(ring, snaplen, i++);
		out->cycles[out->n] = rte_rdtsc() - begin;
		out->n += n_kept == BURST;
	}
	qsort(out->cycles, out->n, sizeof(out->cycles[0]), compare);
}

/* The middle one, per copy, and the mean, which has the interruptions too. */
static void
add_bursts(const struct bursts *b, struct report_series *median, struct report_series *mean)
{
	double sum = 0;
	size_t i;

	if (b->n == 0)
		return;
	for (i = 0; i < b->n; i++)
		sum += (double)b->cycles[i];
	report_add(median, (double)b->cycles[b->n / 2] / BURST);
	report_add(mean, sum / (double)b->n / BURST);
}

static uint64_t
bytes_written(struct writer *w)
{
	json_t *o = custody_json(writer_custody(w));
	uint64_t n = (uint64_t)json_integer_value(json_object_get(o, "bytes"));

	json_decref(o);
	return n;
}

static struct figures
run_once(struct publisher *p, uint32_t snaplen)
{
	struct mirror_ring *ring = mirror_ring_new(RING_SIZE);
	struct writer *w = start_writer(p, &ring);
	struct writer_status before, after, last;
	struct figures f;
	double clock, cpu;

	writer_status(w, &before);
	clock = seconds();
	cpu = writer_seconds();
	produce(ring, snaplen);
	writer_status(w, &after);
	f.cpu = (double)(after.written - before.written) / (writer_seconds() - cpu) / 1e6;
	f.clock = (double)(after.written - before.written) / (seconds() - clock) / 1e6;
	f.bytes = (double)bytes_written(w) / (double)after.written;
	writer_stop(w, &last);
	mirror_ring_free(ring);
	return f;
}

/* What a copy costs a worker while the writer reads the ring, digests and writes. */
static void
measure_put(struct publisher *p, uint32_t snaplen, double bar)
{
	struct report_series median = { .n = 0 }, mean = { .n = 0 };
	static struct bursts bursts;
	struct writer_status last;
	uint64_t lost = 0, offered = 0;
	char name[64];
	unsigned int i;

	for (i = 0; i < report_rounds(); i++) {
		struct mirror_ring *ring = mirror_ring_new(RING_SIZE);
		struct writer *w = start_writer(p, &ring);

		produce_paced(ring, snaplen, &bursts);
		add_bursts(&bursts, &median, &mean);
		writer_stop(w, &last);
		lost += mirror_ring_lost(ring);
		offered += mirror_ring_offered(ring);
		mirror_ring_free(ring);
	}
	snprintf(name, sizeof(name), "put of %u bytes, the writer beside, 1 M/s", snaplen);
	report_cell(name, "cycles", &median, REPORT_LOWER, bar);
	report_cell("the same, mean", "cycles", &mean, REPORT_LOWER, REPORT_NO_BAR);
	report_value("copies lost at the ring meanwhile", "%",
		100.0 * (double)lost / (double)offered, REPORT_LOWER, REPORT_NO_BAR);
}

/* Million copies of `bytes` bytes per second, if a core did nothing but SHA-256 and handing them to
 * the kernel. */
static double
ceiling(double bytes)
{
	static uint8_t block[1 << 18];
	unsigned int i, n = (256u << 20) / sizeof(block);
	char sha256[SHA256_TEXT_SIZE];
	double start = cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/ceiling", place->path);
	fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	for (i = 0; i < n; i++)
		if (sha256_text(block, sizeof(block), sha256) != 0 ||
			write(fd, block, sizeof(block)) != (ssize_t)sizeof(block))
			exit(1);
	close(fd);
	return n * sizeof(block) / bytes / (cpu_seconds(CLOCK_THREAD_CPUTIME_ID) - start) / 1e6;
}

static void
measure(struct publisher *p, uint32_t snaplen, double bar)
{
	struct report_series cpu = { .n = 0 }, clock = { .n = 0 }, most = { .n = 0 };
	char name[64];
	unsigned int i;

	for (i = 0; i < report_rounds(); i++) {
		struct figures f = run_once(p, snaplen);

		report_add(&cpu, f.cpu);
		report_add(&clock, f.clock);
		empty();
		report_add(&most, ceiling(f.bytes));
	}
	snprintf(name, sizeof(name), "%s: copies of %u bytes", place->name, snaplen);
	report_cell(name, "Mpps/core", &cpu, REPORT_HIGHER, bar);
	report_cell(name, "Mpps by the clock", &clock, REPORT_HIGHER, REPORT_NO_BAR);
	snprintf(name, sizeof(name), "%s: %u, only SHA-256, write()", place->name, snaplen);
	report_cell(name, "Mpps/core", &most, REPORT_HIGHER, REPORT_NO_BAR);
}

/* Bars are for the page cache that costs least. */
static void
measure_place(struct publisher *p)
{
	int status = place->is_mounted ? mount_place() : 0;

	if (status != 0) {
		report_note("%s: not measured: no tmpfs could be mounted (root can): %s",
			place->name, strerror(-status));
		return;
	}
	measure(p, 128, place->is_mounted ? 3 : REPORT_NO_BAR);
	measure(p, 1500, place->is_mounted ? 10e3 / 8 / 1500 : REPORT_NO_BAR); /* 10 Gbit/s */
	if (!place->is_mounted)
		measure_put(p, 128, 150);
	if (place->is_mounted)
		umount(place->path);
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
	if (system("rm -rf " DIRECTORY " && mkdir -p " DIRECTORY) != 0)
		return 77;
	for (place = places; place < places + N_PLACES; place++)
		measure_place(p);
	publisher_free(p);
	return system("rm -rf " DIRECTORY) == 0 ? report_end() : 1;
}
