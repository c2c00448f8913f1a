/* SPDX-License-Identifier: BSD-3-Clause */
/* What a copy costs the worker (TSC cycles per mirror_ring_put) and what one core writes to tmpfs.
 * Medians of N_RUNS; every run of one figure directly follows the other. */
#include "mirror/mirror.h"

#include <pthread.h>
#include <rte_cycles.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define N_RUNS     9
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

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(double *values)
{
	qsort(values, N_RUNS, sizeof(values[0]), compare);
	return values[N_RUNS / 2];
}

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
		printf("SKIP: cannot write %s\n", PATH);
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
bench_put(void)
{
	double alone[N_RUNS], beside[N_RUNS], full[N_RUNS];
	struct mirror_ring *ring = mirror_ring_new(RING_SIZE);
	struct mirror_ring *small = mirror_ring_new(0);
	struct drainer d = { .ring = ring };
	pthread_t thread;
	uint64_t lost = 0;
	unsigned int i;

	for (i = 0; i < N_RUNS; i++) {
		alone[i] = time_puts(ring, N_PUTS);
		mirror_drain(&ring, 1, NULL, NULL, &lost);
		full[i] = time_puts(small, N_PUTS);
		atomic_store(&d.is_done, false);
		pthread_create(&thread, NULL, drain, &d);
		beside[i] = time_puts(ring, N_PUTS * 10);
		atomic_store(&d.is_done, true);
		pthread_join(thread, NULL);
		mirror_drain(&ring, 1, NULL, NULL, &lost);
	}
	printf("put, 128-byte copy, ring not read      %7.1f cycles\n", median(alone));
	printf("put, 128-byte copy, reader spins beside %6.1f cycles\n", median(beside));
	printf("put, ring full (copy lost)             %7.1f cycles\n", median(full));
	printf("copies lost at the ring beside reader  %7.2f %%\n",
		100.0 * (double)mirror_ring_lost(ring) / (double)mirror_ring_offered(ring));
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

static void
bench_write(uint32_t snaplen, const char *what, mirror_annotate_fn *fn)
{
	double rates[N_RUNS], rate;
	unsigned int i;

	for (i = 0; i < N_RUNS; i++)
		rates[i] = time_drain(snaplen, fn);
	rate = median(rates);
	printf("ring to file, %4u-byte copies, %-9s %6.2f Mpps %6.1f Gbit/s\n", snaplen, what, rate,
		rate * snaplen * 8 / 1e3);
}

/* What a cycle is here. */
static double
tsc_hz(void)
{
	double start = seconds();
	uint64_t cycles = rte_rdtsc();

	while (seconds() - start < 0.1)
		;
	return (double)(rte_rdtsc() - cycles) / (seconds() - start);
}

int
main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	make_frames();
	printf("TSC %.0f MHz, medians of %d runs\n", tsc_hz() / 1e6, N_RUNS);
	bench_put();
	bench_write(128, "bare", NULL);
	bench_write(128, "annotated", annotate);
	bench_write(1500, "bare", NULL);
	bench_write(1500, "annotated", annotate);
	return 0;
}
