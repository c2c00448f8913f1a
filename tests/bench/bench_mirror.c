/* SPDX-License-Identifier: BSD-3-Clause */
/* What a copy costs the worker (TSC cycles per mirror_ring_put) and what one core writes to tmpfs. */
#include "report.h"

#include "mirror/mirror.h"

#include <pthread.h>
#include <rte_cycles.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define N_ROUNDS   9
#define N_FRAMES   2048u /* in flight, as in design/performance.md */
#define N_PUTS     40000u
#define BURST      32u
#define RING_SIZE  (16u << 20)
#define SNAPLEN    128u
#define FILE_BYTES (512u << 20)
#define PATH       "/dev/shm/trefoil-bench-mirror"

static struct rte_mbuf frames[N_FRAMES];
static uint8_t buffers[N_FRAMES][2048];

static volatile uint8_t sink;

static double
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
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

/* Cycles per put, the frames' headers read before as a classifier would have. */
static double
time_puts(struct mirror_ring *ring, unsigned int n)
{
	struct mirror_note note = { .wire_length = 1500 };
	uint64_t cycles = 0, start;
	unsigned int i, k;

	for (i = 0; i < n; i += BURST) {
		for (k = 0; k < BURST; k++)
			sink = sink ^ buffers[(i + k) % N_FRAMES][128] ^
			       buffers[(i + k) % N_FRAMES][192];
		start = rte_rdtsc();
		for (k = 0; k < BURST; k++) {
			note.time_ns = i + k;
			mirror_ring_put(ring, &frames[(i + k) % N_FRAMES], SNAPLEN, &note);
		}
		cycles += rte_rdtsc() - start;
	}
	return (double)cycles / n;
}

static const char *
annotate(const struct mirror_note *note, char *buf, size_t size)
{
	snprintf(buf, size,
		"verdict=drop+mirror reason=country rule=policy.ini:12 country=CN asn=%u "
		"generation=%u seq=%llu",
		note->class, 7, (unsigned long long)note->queue_id);
	return buf;
}

static struct capture_file *
create(void)
{
	static const struct capture_interface interface = { "bench", NULL, 1, 0 };
	static const struct capture_section section = { .interfaces = &interface,
		.n_interfaces = 1 };
	struct capture_file *file = capture_file_create(PATH, CAPTURE_PCAPNG, &section, 1, NULL);

	if (file == NULL) {
		printf("skipped: cannot write %s\n", PATH);
		exit(77);
	}
	return file;
}

struct drainer {
	struct mirror_ring *ring;
	_Atomic bool is_done;
};

static void *
drain(void *argument)
{
	struct drainer *d = argument;
	uint64_t lost = 0;

	while (!atomic_load(&d->is_done))
		mirror_drain(&d->ring, 1, NULL, NULL, &lost);
	return NULL;
}

static void
measure_put(void)
{
	struct report_series alone = { .n = 0 }, beside = { .n = 0 }, full = { .n = 0 };
	struct mirror_ring *ring = mirror_ring_new(RING_SIZE);
	struct mirror_ring *small = mirror_ring_new(0);
	struct drainer d = { .ring = ring };
	pthread_t thread;
	uint64_t lost = 0;
	unsigned int i;

	for (i = 0; i < report_rounds(); i++) {
		report_add(&alone, time_puts(ring, N_PUTS));
		mirror_drain(&ring, 1, NULL, NULL, &lost);
		report_add(&full, time_puts(small, N_PUTS));
		atomic_store(&d.is_done, false);
		pthread_create(&thread, NULL, drain, &d);
		report_add(&beside, time_puts(ring, N_PUTS * 10));
		atomic_store(&d.is_done, true);
		pthread_join(thread, NULL);
		mirror_drain(&ring, 1, NULL, NULL, &lost);
	}
	report_cell("put, 128 bytes, ring not read", "cycles", &alone, REPORT_LOWER, REPORT_NO_BAR);
	report_cell("put, 128 bytes, reader spins beside", "cycles", &beside, REPORT_LOWER,
		REPORT_NO_BAR);
	report_cell("put, ring full: copy lost", "cycles", &full, REPORT_LOWER, REPORT_NO_BAR);
	report_value("copies lost at the ring beside the reader", "%",
		100.0 * (double)mirror_ring_lost(ring) / (double)mirror_ring_offered(ring),
		REPORT_LOWER, REPORT_NO_BAR);
	mirror_ring_free(ring);
	mirror_ring_free(small);
}

/* Million copies per second from ring to file; only the drain is timed. */
static double
time_drain(uint32_t snaplen, mirror_annotate_fn *fn)
{
	struct mirror_ring *ring = mirror_ring_new(RING_SIZE);
	struct mirror_note note = { .wire_length = 1500, .class = 4134 };
	struct capture_file *file = create();
	uint64_t lost = 0, n = 0;
	double elapsed = 0, start;
	unsigned int i = 0;

	while (capture_file_size(file) < FILE_BYTES) {
		while (mirror_ring_put(ring, &frames[i++ % N_FRAMES], snaplen, &note))
			note.time_ns++;
		start = seconds();
		n += mirror_drain(&ring, 1, file, fn, &lost);
		elapsed += seconds() - start;
	}
	start = seconds();
	capture_file_close(file);
	elapsed += seconds() - start;
	unlink(PATH);
	mirror_ring_free(ring);
	return lost == 0 ? (double)n / elapsed / 1e6 : 0;
}

struct kind {
	uint32_t snaplen;
	const char *name;
	mirror_annotate_fn *annotate;
};

static void
measure_write(void)
{
	static const struct kind kinds[] = { { 128, "bare", NULL }, { 128, "annotated", annotate },
		{ 1500, "bare", NULL }, { 1500, "annotated", annotate } };
	static struct report_series rates[4];
	unsigned int round, i;
	char name[64];

	for (round = 0; round < report_rounds(); round++)
		for (i = 0; i < 4; i++)
			report_add(&rates[i], time_drain(kinds[i].snaplen, kinds[i].annotate));
	for (i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "ring to file, %u bytes, %s", kinds[i].snaplen,
			kinds[i].name);
		report_cell(name, "Mpps", &rates[i], REPORT_HIGHER, REPORT_NO_BAR);
	}
}

int
main(int argc, char **argv)
{
	report_begin(
		argc, argv, "mirror", "a copy into the ring, and from there to tmpfs", N_ROUNDS);
	make_frames();
	measure_put();
	measure_write();
	return report_end();
}
