/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Mirror rings: one byte ring per worker, single producer and single consumer, of records that are
 * never split: one that does not fit before the end leaves a filler there and starts over at 0.
 *
 * Readers, writers: `head` counts bytes ever put and is stored by the worker with release after the
 * record is complete; `tail` counts bytes ever taken and is stored by the writer with release after
 * it is done with the record. Each side keeps the other's counter as it last saw it and looks again
 * only when that is not enough, so the two cache lines move between the cores rarely. Nobody waits:
 * without room the copy is counted as lost. Reclaim: a record's bytes are free once `tail` passed.
 *
 * Draining merges the rings by time: the ring with the oldest first record is emptied until it
 * reaches the oldest time of the others.
 */
#include "mirror/mirror.h"

#include <assert.h>
#include <errno.h>
#include <rte_prefetch.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define RECORD_ALIGN  8u
#define CACHE_LINE    64u
#define HUGE_PAGE     ((size_t)2 << 20)
#define FILLER        UINT32_MAX /* record.length: nothing here, go on at 0 */
#define GIVE_BACK     ((uint64_t)32 << 10)
#define NO_TIME_LIMIT UINT64_MAX
#define AHEAD         1024u /* bytes of the ring fetched ahead by the reader */

struct record {
	uint32_t size;   /* bytes to the next record, a multiple of RECORD_ALIGN */
	uint32_t length; /* bytes of the frame, or FILLER; a filler may be only these 8 bytes */
	struct mirror_note note;
	uint8_t data[];
};

struct mirror_ring {
	size_t size;            /* a power of two */
	_Atomic uint64_t whole; /* reasons whose copies are put whole */

	/* the worker's */
	alignas(CACHE_LINE) _Atomic uint64_t head;
	uint64_t tail_seen;
	_Atomic uint64_t n_offered;
	_Atomic uint64_t n_lost;
	_Atomic uint64_t offered_at[MIRROR_INTERFACES_MAX], lost_at[MIRROR_INTERFACES_MAX];
	uint32_t dropped_at[MIRROR_INTERFACES_MAX]; /* since the last copy that was not */

	/* the writer's; of it the worker reads the tail, again and again while there is no room */
	alignas(CACHE_LINE) _Atomic uint64_t tail;
	alignas(CACHE_LINE) uint64_t tail_told; /* the same */
	uint64_t head_seen;                     /* end of what this drain takes */
	uint64_t taken; /* done with up to here; told to the worker now and then */

	alignas(CACHE_LINE) uint8_t data[];
};

/* What worker and writer write shares no cache line. */
static_assert(offsetof(struct mirror_ring, head) % CACHE_LINE == 0, "the worker's line");
static_assert(offsetof(struct mirror_ring, tail) % CACHE_LINE == 0 &&
		      offsetof(struct mirror_ring, tail) / CACHE_LINE >
			      offsetof(struct mirror_ring, n_lost) / CACHE_LINE,
	"the writer's line");
static_assert(offsetof(struct mirror_ring, tail_told) % CACHE_LINE == 0 &&
		      offsetof(struct mirror_ring, tail_told) / CACHE_LINE >
			      offsetof(struct mirror_ring, tail) / CACHE_LINE,
	"what the worker does not read");
static_assert(offsetof(struct mirror_ring, data) % CACHE_LINE == 0, "the data's lines");

static size_t
mirror_ring_round(size_t size)
{
	size_t rounded = MIRROR_RING_SIZE_MIN;

	while (rounded < size && rounded < MIRROR_RING_SIZE_MAX)
		rounded *= 2;
	return rounded;
}

size_t
mirror_ring_memory(size_t size)
{
	return sizeof(struct mirror_ring) + mirror_ring_round(size);
}

struct mirror_ring *
mirror_ring_init(void *memory, size_t size)
{
	struct mirror_ring *ring = memory;

	/* The data is left alone: its pages then lie where the worker is that fills them first. */
	memset(memory, 0, sizeof(*ring));
	ring->size = mirror_ring_round(size);
	return ring;
}

struct mirror_ring *
mirror_ring_new(size_t size)
{
	size_t n_bytes = mirror_ring_memory(size);
	size_t align = n_bytes >= HUGE_PAGE ? HUGE_PAGE : CACHE_LINE;
	void *memory = NULL;

	if (size <= MIRROR_RING_SIZE_MAX)
		memory = aligned_alloc(align, RTE_ALIGN_CEIL(n_bytes, align));
	if (memory == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	if (align == HUGE_PAGE)
		madvise(memory, n_bytes, MADV_HUGEPAGE); /* a wish: fewer TLB misses */
	return mirror_ring_init(memory, size);
}

void
mirror_ring_free(struct mirror_ring *ring)
{
	free(ring);
}

static struct record *
mirror_ring_at(struct mirror_ring *ring, uint64_t position)
{
	return (struct record *)(void *)(ring->data + (position & (ring->size - 1)));
}

/* Room for a record of `size` bytes, or NULL. `*head` moves past a filler if one is needed. */
static struct record *
mirror_ring_reserve(struct mirror_ring *ring, size_t size, uint64_t *head)
{
	size_t to_end = ring->size - (*head & (ring->size - 1));
	size_t need = size <= to_end ? size : to_end + size;
	struct record *filler;

	if (*head + need - ring->tail_seen > ring->size) {
		ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
		if (*head + need - ring->tail_seen > ring->size)
			return NULL;
	}
	if (size > to_end) {
		filler = mirror_ring_at(ring, *head);
		filler->size = (uint32_t)to_end;
		filler->length = FILLER;
		*head += to_end;
	}
	return mirror_ring_at(ring, *head);
}

void
mirror_ring_set_whole(struct mirror_ring *ring, uint64_t reasons)
{
	atomic_store_explicit(&ring->whole, reasons, memory_order_relaxed);
}

/* Returns the bytes copied, fewer than `length` only if the segments hold fewer than they claim. */
static uint32_t
mirror_copy(uint8_t *out, const struct rte_mbuf *m, uint32_t length)
{
	uint32_t n_copied = 0;

	for (; m != NULL && n_copied < length; m = m->next) {
		uint32_t n = RTE_MIN((uint32_t)m->data_len, length - n_copied);

		memcpy(out + n_copied, rte_pktmbuf_mtod(m, const uint8_t *), n);
		n_copied += n;
	}
	return n_copied;
}

/* A counter with one writer: no locked instruction. Returns the new value. */
static uint64_t
mirror_count(_Atomic uint64_t *counter)
{
	uint64_t n = atomic_load_explicit(counter, memory_order_relaxed) + 1;

	atomic_store_explicit(counter, n, memory_order_relaxed);
	return n;
}

bool
mirror_ring_put(struct mirror_ring *ring, const struct rte_mbuf *m, uint32_t snaplen,
	const struct mirror_note *note)
{
	uint64_t whole = atomic_load_explicit(&ring->whole, memory_order_relaxed);
	uint32_t most = (whole >> (note->reason & 63) & 1) != 0 ? CAPTURE_LENGTH_MAX : snaplen;
	uint32_t length = RTE_MIN(RTE_MIN(m->pkt_len, most), CAPTURE_LENGTH_MAX);
	size_t size = RTE_ALIGN_CEIL(sizeof(struct record) + (size_t)length, RECORD_ALIGN);
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	uint64_t sequence = mirror_count(&ring->n_offered);
	unsigned int at = note->interface & (MIRROR_INTERFACES_MAX - 1);
	struct record *record = mirror_ring_reserve(ring, size, &head);

	mirror_count(&ring->offered_at[at]);
	if (record == NULL) {
		mirror_count(&ring->n_lost);
		mirror_count(&ring->lost_at[at]);
		ring->dropped_at[at]++;
		return false;
	}
	record->size = (uint32_t)size;
	record->note = *note;
	record->note.queue_id = sequence;
	record->note.snaplen = snaplen;
	record->note.n_dropped = ring->dropped_at[at];
	ring->dropped_at[at] = 0;
	record->length = mirror_copy(record->data, m, length);
	atomic_store_explicit(&ring->head, head + size, memory_order_release);
	return true;
}

uint64_t
mirror_ring_offered(const struct mirror_ring *ring)
{
	return atomic_load_explicit(&ring->n_offered, memory_order_relaxed);
}

uint64_t
mirror_ring_lost(const struct mirror_ring *ring)
{
	return atomic_load_explicit(&ring->n_lost, memory_order_relaxed);
}

uint64_t
mirror_ring_offered_at(const struct mirror_ring *ring, unsigned int interface)
{
	return atomic_load_explicit(
		&ring->offered_at[interface & (MIRROR_INTERFACES_MAX - 1)], memory_order_relaxed);
}

uint64_t
mirror_ring_lost_at(const struct mirror_ring *ring, unsigned int interface)
{
	return atomic_load_explicit(
		&ring->lost_at[interface & (MIRROR_INTERFACES_MAX - 1)], memory_order_relaxed);
}

/* Room is given back in pieces: a worker that waits for it would take the cache line away at each
 * record. */
static void
mirror_ring_give_back(struct mirror_ring *ring)
{
	ring->tail_told = ring->taken;
	atomic_store_explicit(&ring->tail, ring->taken, memory_order_release);
}

static void
mirror_ring_take(struct mirror_ring *ring, size_t size)
{
	ring->taken += size;
	if (ring->taken - ring->tail_told >= GIVE_BACK)
		mirror_ring_give_back(ring);
}

/* The next record of this drain, or NULL. A filler is always followed by a record. */
static const struct record *
mirror_ring_peek(struct mirror_ring *ring)
{
	uint64_t tail = ring->taken;
	const struct record *record;
	uint32_t size;

	if (tail == ring->head_seen)
		return NULL;
	record = mirror_ring_at(ring, tail);
	if (record->length != FILLER)
		return record;
	size = record->size; /* once taken, the worker may write there */
	mirror_ring_take(ring, size);
	return mirror_ring_at(ring, tail + size);
}

/* What one drain works with. */
struct drain {
	struct mirror_ring *const *rings;
	unsigned int n_rings;
	const struct mirror_output *output;
	unsigned int n_taken;
};

/* The ring whose next record is the oldest, or n_rings; *until = the oldest time in the others. */
static unsigned int
mirror_oldest(const struct drain *d, uint64_t *until)
{
	unsigned int i, oldest = d->n_rings;
	uint64_t oldest_ns = NO_TIME_LIMIT;

	*until = NO_TIME_LIMIT;
	for (i = 0; i < d->n_rings; i++) {
		const struct record *record = mirror_ring_peek(d->rings[i]);

		if (record == NULL)
			continue;
		if (oldest == d->n_rings || record->note.time_ns < oldest_ns) {
			*until = oldest_ns;
			oldest = i;
			oldest_ns = record->note.time_ns;
		} else if (record->note.time_ns < *until) {
			*until = record->note.time_ns;
		}
	}
	return oldest;
}

/* The bytes are in the cache of the worker's core; the first lines of a record come together. */
static void
mirror_ring_prefetch(struct mirror_ring *ring, uint32_t size)
{
	uint32_t at, n = RTE_MIN(size, 4 * CACHE_LINE);

	for (at = 0; at < n; at += CACHE_LINE)
		rte_prefetch0(ring->data + ((ring->taken + AHEAD + at) & (ring->size - 1)));
}

static void
mirror_drain_ring(struct drain *d, unsigned int index, uint64_t until)
{
	struct mirror_ring *ring = d->rings[index];
	const struct mirror_output *output = d->output;
	const struct record *record = mirror_ring_peek(ring);

	while (record != NULL && record->note.time_ns <= until) {
		mirror_ring_prefetch(ring, record->size);
		output->take(output->context, index, &record->note, record->data, record->length);
		d->n_taken++;
		mirror_ring_take(ring, record->size);
		record = mirror_ring_peek(ring);
	}
}

unsigned int
mirror_drain_to(
	struct mirror_ring *const *rings, unsigned int n_rings, const struct mirror_output *output)
{
	struct drain d = { .rings = rings, .n_rings = n_rings, .output = output };
	unsigned int i;
	uint64_t until;

	for (i = 0; i < n_rings; i++)
		rings[i]->head_seen = atomic_load_explicit(&rings[i]->head, memory_order_acquire);
	while ((i = mirror_oldest(&d, &until)) != n_rings)
		mirror_drain_ring(&d, i, until);
	for (i = 0; i < n_rings; i++)
		mirror_ring_give_back(rings[i]);
	return d.n_taken;
}

/* A file as an output. */
struct file_output {
	struct capture_file *file; /* NULL: lost */
	mirror_annotate_fn *annotate;
	uint64_t n_lost;
	char comment[MIRROR_COMMENT_MAX];
};

static void
mirror_deliver(void *context, unsigned int ring, const struct mirror_note *note, const void *data,
	uint32_t length)
{
	struct file_output *o = context;
	struct capture_packet packet = { .time_ns = note->time_ns,
		.wire_length = note->wire_length,
		.length = length,
		.interface = note->interface,
		.data = data };
	int rc = -EBADF;

	if (o->file != NULL) {
		if (o->annotate != NULL)
			packet.comment = o->annotate(note, o->comment, sizeof(o->comment));
		rc = capture_file_write(o->file, &packet);
	}
	o->n_lost += rc != 0;
	if (rc != 0 && rc != -EINVAL && rc != -EMSGSIZE)
		o->file = NULL;
}

unsigned int
mirror_drain(struct mirror_ring *const *rings, unsigned int n_rings, struct capture_file *file,
	mirror_annotate_fn *annotate, uint64_t *lost)
{
	struct file_output files = { .file = file, .annotate = annotate };
	struct mirror_output output = { .take = mirror_deliver, .context = &files };
	unsigned int n = mirror_drain_to(rings, n_rings, &output);

	*lost += files.n_lost;
	return n - (unsigned int)files.n_lost;
}
