/* SPDX-License-Identifier: BSD-3-Clause */
/* mirror: rings that lose copies but never mix them up, and the drain that puts them in order. */
#include "suite.h"

#include "mirror/mirror.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define RING_SIZE   MIRROR_RING_SIZE_MIN
#define N_THREADED  3000000u
#define FRAME_MAX   9000u
#define N_RINGS_MAX 4

/* A frame on the stack, in one segment or several. */
struct frame {
	struct rte_mbuf segments[8];
	uint8_t data[FRAME_MAX];
};

/* Byte `i` of frame number `n`: checkable wherever the copy was cut. */
static uint8_t
frame_byte(uint64_t n, uint32_t i)
{
	return (uint8_t)(n * 31 + i * 7 + (i >> 8));
}

static const struct rte_mbuf *
make_frame(struct frame *f, uint64_t n, uint32_t length, unsigned int n_segments)
{
	uint32_t i, part = length / n_segments, offset = 0;
	unsigned int s;

	for (i = 0; i < length; i++)
		f->data[i] = frame_byte(n, i);
	memset(f->segments, 0, sizeof(f->segments));
	for (s = 0; s < n_segments; s++) {
		struct rte_mbuf *m = &f->segments[s];

		m->buf_addr = f->data + offset;
		m->data_len = (uint16_t)(s + 1 < n_segments ? part : length - offset);
		m->next = s + 1 < n_segments ? m + 1 : NULL;
		offset += m->data_len;
	}
	f->segments[0].pkt_len = length;
	f->segments[0].nb_segs = (uint16_t)n_segments;
	return &f->segments[0];
}

/* What the drain wrote, read back by the pcapng blocks. */
struct record {
	uint64_t time_ns;
	uint32_t interface, length, wire_length;
	const uint8_t *data;
	char comment[64];
};

struct readback {
	uint8_t *bytes;
	size_t size, offset;
};

static char path[64];

static struct capture_file *
open_file(void)
{
	static const struct capture_interface interfaces[] = { { "in", NULL, 1, 0 },
		{ "out", NULL, 1, 0 } };
	static const struct capture_section section = { .interfaces = interfaces,
		.n_interfaces = 2 };
	struct capture_file *file;

	snprintf(path, sizeof(path), "/tmp/trefoil-mirror-%d", (int)getpid());
	file = capture_file_create(path, CAPTURE_PCAPNG, &section, 1, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	return file;
}

static struct readback
close_file(struct capture_file *file)
{
	struct readback r = { .offset = 0 };
	FILE *f;

	r.size = capture_file_size(file);
	CU_ASSERT_EQUAL(capture_file_close(file), 0);
	r.bytes = malloc(r.size);
	f = fopen(path, "rb");
	CU_ASSERT_FATAL(f != NULL && r.bytes != NULL);
	CU_ASSERT_EQUAL(fread(r.bytes, 1, r.size, f), r.size);
	fclose(f);
	unlink(path);
	return r;
}

static bool
next_record(struct readback *r, struct record *out)
{
	uint32_t block[7], option;

	do {
		if (r->offset == r->size)
			return false;
		memcpy(block, r->bytes + r->offset, sizeof(block));
		r->offset += block[1];
	} while (block[0] != 6);
	out->time_ns = (uint64_t)block[3] << 32 | block[4];
	out->interface = block[2];
	out->length = block[5];
	out->wire_length = block[6];
	out->data = r->bytes + r->offset - block[1] + sizeof(block);
	option = (block[5] + 3) & ~3u;
	out->comment[0] = '\0';
	if (block[1] > 32 + option)
		snprintf(out->comment, sizeof(out->comment), "%s", out->data + option + 4);
	return true;
}

static const char *
annotate_sequence(const struct mirror_note *note, char *buf, size_t size)
{
	snprintf(buf, size, "seq=%llu class=%u", (unsigned long long)note->queue_id, note->class);
	return buf;
}

static bool
is_frame(const struct record *record, uint64_t n, uint32_t length)
{
	uint32_t i;

	for (i = 0; i < length && i < record->length; i++)
		if (record->data[i] != frame_byte(n, i))
			return false;
	return record->length == length;
}

static void
test_a_copy_keeps_its_note_and_its_cut_bytes(void)
{
	static const struct {
		const char *what;
		uint32_t length, snaplen, want;
		unsigned int n_segments;
	} cases[] = {
		{ "whole", 60, 65535, 60, 1 },
		{ "cut", 1500, 128, 128, 1 },
		{ "nothing kept", 1500, 0, 0, 1 },
		{ "empty", 0, 128, 0, 1 },
		{ "three segments", 1000, 65535, 1000, 3 },
		{ "cut inside the second segment", 1000, 500, 500, 3 },
		{ "cut at a segment's end", 900, 300, 300, 3 },
		{ "jumbo of eight", 9000, UINT32_MAX, 9000, 8 },
	};
	struct mirror_ring *ring = mirror_ring_new(0);
	struct mirror_note note = {
		.time_ns = UINT64_C(1700000000123456789), .class = 7, .interface = 1
	};
	struct frame f;
	struct record record;
	struct readback r;
	struct capture_file *file = open_file();
	uint64_t lost = 0;
	size_t i, n = sizeof(cases) / sizeof(cases[0]);

	for (i = 0; i < n; i++) {
		note.wire_length = cases[i].length;
		CU_ASSERT(mirror_ring_put(ring,
			make_frame(&f, i, cases[i].length, cases[i].n_segments), cases[i].snaplen,
			&note));
	}
	CU_ASSERT_EQUAL(mirror_drain(&ring, 1, file, annotate_sequence, &lost), n);
	r = close_file(file);
	for (i = 0; i < n; i++) {
		char comment[64];

		snprintf(comment, sizeof(comment), "seq=%zu class=7", i + 1);
		CU_ASSERT_FATAL(next_record(&r, &record));
		CU_ASSERT(is_frame(&record, i, cases[i].want));
		CU_ASSERT_EQUAL(record.wire_length, cases[i].length);
		CU_ASSERT_EQUAL(record.time_ns, note.time_ns);
		CU_ASSERT_EQUAL(record.interface, 1);
		CU_ASSERT_STRING_EQUAL(record.comment, comment);
	}
	CU_ASSERT(!next_record(&r, &record) && lost == 0);
	free(r.bytes);
	mirror_ring_free(ring);
}

static void
test_segments_that_lie_about_the_length_are_not_overrun(void)
{
	struct mirror_ring *ring = mirror_ring_new(0);
	struct mirror_note note = { .wire_length = 5000 };
	struct capture_file *file = open_file();
	struct frame f;
	struct record record;
	struct readback r;
	uint64_t lost = 0;

	make_frame(&f, 1, 100, 2);
	f.segments[0].pkt_len = 5000;
	CU_ASSERT(mirror_ring_put(ring, &f.segments[0], UINT32_MAX, &note));
	make_frame(&f, 2, 100, 2);
	f.segments[0].pkt_len = 60;
	CU_ASSERT(mirror_ring_put(ring, &f.segments[0], UINT32_MAX, &note));
	CU_ASSERT_EQUAL(mirror_drain(&ring, 1, file, NULL, &lost), 2);
	r = close_file(file);
	CU_ASSERT(next_record(&r, &record) && is_frame(&record, 1, 100));
	CU_ASSERT(next_record(&r, &record) && is_frame(&record, 2, 60));
	free(r.bytes);
	mirror_ring_free(ring);
}

/* One put and one drain at a time moves the wrap point over every offset that a record can have. */
static void
test_records_wrap_at_every_offset(void)
{
	struct mirror_ring *ring = mirror_ring_new(0);
	struct capture_file *file = open_file();
	struct mirror_note note = { .time_ns = 1 };
	struct frame f;
	struct record record;
	struct readback r;
	uint64_t n, n_frames = 60000, lost = 0;
	unsigned int n_written = 0;

	for (n = 0; n < n_frames; n++) {
		uint32_t length = (uint32_t)(n * 13 % 401);

		note.wire_length = length;
		CU_ASSERT(mirror_ring_put(ring, make_frame(&f, n, length, 1), 65535, &note));
		n_written += mirror_drain(&ring, 1, file, NULL, &lost);
	}
	CU_ASSERT(n_written == n_frames && lost == 0);
	r = close_file(file);
	for (n = 0; n < n_frames; n++)
		if (!next_record(&r, &record) || !is_frame(&record, n, (uint32_t)(n * 13 % 401)))
			break;
	CU_ASSERT_EQUAL(n, n_frames);
	free(r.bytes);
	mirror_ring_free(ring);
}

static void
test_a_full_ring_loses_and_counts_and_goes_on(void)
{
	struct mirror_ring *ring = mirror_ring_new(RING_SIZE);
	struct capture_file *file = open_file();
	struct mirror_note note = { .wire_length = 1000 };
	const struct rte_mbuf *m;
	struct frame f;
	struct record record = { .comment = "" };
	struct readback r;
	uint64_t lost = 0;
	unsigned int i, n_kept = 0;

	m = make_frame(&f, 1, 1000, 1);
	for (i = 0; i < 100; i++)
		n_kept += mirror_ring_put(ring, m, 65535, &note);
	CU_ASSERT_EQUAL(n_kept, RING_SIZE / (48 + 1000));
	CU_ASSERT_EQUAL(mirror_ring_offered(ring), 100);
	CU_ASSERT_EQUAL(mirror_ring_lost(ring), 100 - n_kept);
	CU_ASSERT_EQUAL(mirror_drain(&ring, 1, file, annotate_sequence, &lost), n_kept);
	CU_ASSERT(mirror_ring_put(ring, m, 65535, &note));
	CU_ASSERT_EQUAL(mirror_drain(&ring, 1, file, annotate_sequence, &lost), 1);
	CU_ASSERT_EQUAL(mirror_drain(&ring, 1, file, annotate_sequence, &lost), 0);
	r = close_file(file);
	while (next_record(&r, &record))
		;
	CU_ASSERT_STRING_EQUAL(record.comment, "seq=101 class=0");
	CU_ASSERT_EQUAL(lost, 0);
	free(r.bytes);
	mirror_ring_free(ring);
}

static void
test_half_the_size_always_fits_into_an_empty_ring(void)
{
	struct mirror_ring *ring = mirror_ring_new(RING_SIZE);
	struct mirror_note note = { .time_ns = 1 };
	static uint8_t data[RING_SIZE];
	struct rte_mbuf m = { .buf_addr = data };
	uint64_t lost = 0;
	uint32_t step;

	for (step = 0; step < RING_SIZE; step += 1000) {
		m.pkt_len = m.data_len = (uint16_t)(step % 5000);
		CU_ASSERT(mirror_ring_put(ring, &m, UINT32_MAX, &note));
		mirror_drain(&ring, 1, NULL, NULL, &lost);
		m.pkt_len = m.data_len = RING_SIZE / 2 - 48;
		CU_ASSERT(mirror_ring_put(ring, &m, UINT32_MAX, &note));
		mirror_drain(&ring, 1, NULL, NULL, &lost);
	}
	m.pkt_len = m.data_len = RING_SIZE - 8;
	CU_ASSERT_FALSE(mirror_ring_put(ring, &m, UINT32_MAX, &note));
	CU_ASSERT_EQUAL(lost + mirror_ring_lost(ring), mirror_ring_offered(ring));
	mirror_ring_free(ring);
}

static void
test_several_rings_come_out_oldest_first(void)
{
	struct mirror_ring *rings[N_RINGS_MAX];
	struct capture_file *file = open_file();
	struct frame f;
	struct record record;
	struct readback r;
	uint64_t now[N_RINGS_MAX] = { 0 }, last = 0, lost = 0;
	unsigned int i, n, n_put = 0;

	srandom(3);
	for (i = 0; i < N_RINGS_MAX; i++)
		rings[i] = mirror_ring_new(1 << 20);
	for (n = 0; n < 8000; n++) {
		struct mirror_note note = { .class = n, .wire_length = 60 };

		i = (unsigned int)random() % (N_RINGS_MAX - 1); /* the last one stays empty */
		now[i] += (uint64_t)random() % 5;
		note.time_ns = now[i];
		n_put += mirror_ring_put(rings[i], make_frame(&f, n, 60, 1), 65535, &note);
	}
	CU_ASSERT_EQUAL(n_put, 8000);
	CU_ASSERT_EQUAL(mirror_drain(rings, N_RINGS_MAX, file, NULL, &lost), n_put);
	r = close_file(file);
	for (n = 0; next_record(&r, &record) && record.time_ns >= last; n++)
		last = record.time_ns;
	CU_ASSERT_EQUAL(n, n_put);
	free(r.bytes);
	for (i = 0; i < N_RINGS_MAX; i++)
		mirror_ring_free(rings[i]);
}

static void
test_a_clock_that_steps_back_keeps_the_rings_own_order(void)
{
	static const uint64_t times[2][4] = { { 100, UINT64_MAX, 3, 101 }, { 50, 4, 60, 200 } };
	static const uint64_t want[] = { 50, 4, 60, 100, 200, UINT64_MAX, 3, 101 };
	struct mirror_ring *rings[2] = { mirror_ring_new(0), mirror_ring_new(0) };
	struct capture_file *file = open_file();
	struct frame f;
	struct record record = { .time_ns = 0 };
	struct readback r;
	uint64_t lost = 0;
	size_t i;

	for (i = 0; i < 8; i++) {
		struct mirror_note note = { .time_ns = times[i / 4][i % 4], .wire_length = 60 };

		mirror_ring_put(rings[i / 4], make_frame(&f, i, 60, 1), 65535, &note);
	}
	CU_ASSERT_EQUAL(mirror_drain(rings, 2, file, NULL, &lost), 8);
	r = close_file(file);
	for (i = 0; i < 8; i++)
		CU_ASSERT(next_record(&r, &record) && record.time_ns == want[i]);
	free(r.bytes);
	mirror_ring_free(rings[0]);
	mirror_ring_free(rings[1]);
}

static unsigned int
put_many(struct mirror_ring *ring, unsigned int n, uint16_t interface)
{
	struct mirror_note note = { .wire_length = 1000, .interface = interface };
	struct frame f;
	unsigned int n_put = 0;

	make_frame(&f, 0, 1000, 1);
	while (n-- > 0)
		n_put += mirror_ring_put(ring, f.segments, 65535, &note);
	return n_put;
}

static void
test_what_the_file_does_not_take_is_counted_as_lost(void)
{
	struct mirror_ring *ring = mirror_ring_new(4 << 20);
	struct capture_file *file = open_file();
	uint64_t lost = 0;

	CU_ASSERT_EQUAL(put_many(ring, 10, 0), 10);
	CU_ASSERT_EQUAL(mirror_drain(&ring, 1, NULL, annotate_sequence, &lost), 0);
	CU_ASSERT_EQUAL(lost, 10);
	put_many(ring, 1, 2); /* no such interface: this copy alone is refused */
	put_many(ring, 1, 0);
	CU_ASSERT_EQUAL(mirror_drain(&ring, 1, file, annotate_sequence, &lost), 1);
	CU_ASSERT_EQUAL(lost, 11);
	CU_ASSERT_EQUAL(mirror_drain(&ring, 1, file, annotate_sequence, &lost), 0);
	CU_ASSERT_EQUAL(mirror_ring_offered(ring), 12);
	free(close_file(file).bytes);
	mirror_ring_free(ring);
}

static void
limit_files(rlim_t size)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = size == RLIM_INFINITY ? limit.rlim_max : size;
	CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void
test_a_full_disk_loses_exactly_what_is_not_in_the_file_in_the_end(void)
{
	struct mirror_ring *ring = mirror_ring_new(4 << 20);
	struct capture_file *file = open_file();
	struct record record;
	struct readback r;
	uint64_t lost = 0;
	unsigned int n_put, n_written;

	limit_files(500000);
	n_put = put_many(ring, 3000, 0);
	CU_ASSERT_EQUAL(n_put, 3000);
	n_written = mirror_drain(&ring, 1, file, annotate_sequence, &lost);
	CU_ASSERT(n_written > 900 && lost > 1000 && n_written + lost == n_put);
	CU_ASSERT_EQUAL(capture_file_flush(file), -EFBIG);
	limit_files(RLIM_INFINITY);
	CU_ASSERT_EQUAL(put_many(ring, 100, 0), 100);
	n_written += mirror_drain(&ring, 1, file, annotate_sequence, &lost);
	CU_ASSERT_EQUAL(n_written + lost, n_put + 100);
	r = close_file(file);
	while (next_record(&r, &record))
		n_written--;
	CU_ASSERT_EQUAL(n_written, 0);
	free(r.bytes);
	mirror_ring_free(ring);
}

struct worker {
	struct mirror_ring *ring;
	pthread_t thread;
	_Atomic bool is_done;
	uint64_t n_kept;
};

static uint32_t
threaded_length(uint64_t n)
{
	return (uint32_t)(n * 2654435761u % 190) + 8;
}

static void *
work(void *argument)
{
	struct worker *w = argument;
	struct mirror_note note = { .interface = 0 };
	uint8_t data[256];
	struct rte_mbuf m = { .buf_addr = data };
	uint64_t n;

	for (n = 1; n <= N_THREADED; n++) {
		uint32_t length = threaded_length(n);

		note.time_ns = n;
		note.wire_length = length;
		note.class = (uint32_t)n;
		memset(data, (int)(uint8_t)n, length);
		memcpy(data, &n, sizeof(n));
		m.pkt_len = length;
		m.data_len = (uint16_t)length;
		if (mirror_ring_put(w->ring, &m, 65535, &note))
			w->n_kept++;
		else
			sched_yield();
	}
	atomic_store_explicit(&w->is_done, true, memory_order_release);
	return NULL;
}

/* Checks notes as they come; the bytes are checked in the file afterwards. */
static _Atomic uint64_t last_sequence, n_bad_notes;

static const char *
annotate_check(const struct mirror_note *note, char *buf, size_t size)
{
	if (note->queue_id <= last_sequence || note->class != (uint32_t)note->queue_id ||
		note->time_ns != note->queue_id ||
		note->wire_length != threaded_length(note->queue_id))
		n_bad_notes++;
	last_sequence = note->queue_id;
	return "";
}

static bool
is_threaded(const struct record *record)
{
	uint64_t n;
	uint32_t i;

	if (record->length != threaded_length(record->time_ns))
		return false;
	memcpy(&n, record->data, sizeof(n));
	for (i = sizeof(n); i < record->length; i++)
		if (record->data[i] != (uint8_t)n)
			return false;
	return n == record->time_ns;
}

/* Frames in the file that are as the worker made them, up to the first that is not. */
static uint64_t
count_threaded(struct capture_file *file)
{
	struct readback r = close_file(file);
	struct record record;
	uint64_t n = 0;

	while (next_record(&r, &record) && is_threaded(&record))
		n++;
	free(r.bytes);
	return n;
}

static void
test_two_threads_lose_nothing_they_do_not_count(void)
{
	struct worker w = { .ring = mirror_ring_new(1 << 20), .n_kept = 0 };
	struct capture_file *file = open_file();
	uint64_t n_read = 0, n_written = 0, lost = 0;
	bool is_done;

	last_sequence = 0;
	n_bad_notes = 0;
	CU_ASSERT_EQUAL_FATAL(pthread_create(&w.thread, NULL, work, &w), 0);
	do {
		is_done = atomic_load_explicit(&w.is_done, memory_order_acquire);
		n_written += mirror_drain(&w.ring, 1, file, annotate_check, &lost);
		if (capture_file_size(file) > 16 << 20) {
			n_read += count_threaded(file);
			file = open_file();
		}
	} while (!is_done);
	pthread_join(w.thread, NULL);
	n_read += count_threaded(file);
	CU_ASSERT_EQUAL(mirror_ring_offered(w.ring), N_THREADED);
	CU_ASSERT_EQUAL(w.n_kept + mirror_ring_lost(w.ring), N_THREADED);
	CU_ASSERT(n_written == w.n_kept && lost == 0 && n_bad_notes == 0);
	CU_ASSERT_EQUAL(n_read, n_written);
	printf("(%llu of %u kept) ", (unsigned long long)n_written, N_THREADED);
	mirror_ring_free(w.ring);
}

static void
test_sizes_are_rounded_and_memory_may_be_the_callers(void)
{
	size_t size = mirror_ring_memory(100000);
	void *memory = aligned_alloc(64, (size + 63) / 64 * 64);
	struct mirror_note note = { .time_ns = 1 };
	struct mirror_ring *ring;
	struct frame f;
	uint64_t lost = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(memory);
	CU_ASSERT(size >= 131072 && size < 131072 + 1024);
	CU_ASSERT_EQUAL(mirror_ring_memory(0), mirror_ring_memory(MIRROR_RING_SIZE_MIN));
	CU_ASSERT_PTR_NULL(mirror_ring_new(MIRROR_RING_SIZE_MAX + 1));
	CU_ASSERT_EQUAL(errno, ENOMEM);
	ring = mirror_ring_init(memory, 100000);
	CU_ASSERT(mirror_ring_put(ring, make_frame(&f, 0, 60, 1), 65535, &note));
	CU_ASSERT_EQUAL(mirror_drain(&ring, 1, NULL, NULL, &lost), 0);
	CU_ASSERT_EQUAL(lost, 1);
	free(memory);
	mirror_ring_free(NULL);
}

SUITE("mirror",
	{ "a copy keeps its note and cut bytes", test_a_copy_keeps_its_note_and_its_cut_bytes },
	{ "segments that lie", test_segments_that_lie_about_the_length_are_not_overrun },
	{ "wrap at every offset", test_records_wrap_at_every_offset },
	{ "a full ring", test_a_full_ring_loses_and_counts_and_goes_on },
	{ "half the size always fits", test_half_the_size_always_fits_into_an_empty_ring },
	{ "oldest first", test_several_rings_come_out_oldest_first },
	{ "a clock that steps back", test_a_clock_that_steps_back_keeps_the_rings_own_order },
	{ "no file", test_what_the_file_does_not_take_is_counted_as_lost },
	{ "a full disk", test_a_full_disk_loses_exactly_what_is_not_in_the_file_in_the_end },
	{ "two threads", test_two_threads_lose_nothing_they_do_not_count },
	{ "sizes and memory", test_sizes_are_rounded_and_memory_may_be_the_callers })
