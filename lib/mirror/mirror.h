/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mirror: copies of frames from the workers to capture files, without ever holding a worker up.
 * One ring per worker (single producer, single consumer, variable-length records), one writer that
 * drains all of them. A ring that has no room loses the copy and counts it:
 * offered = lost at the ring + queued + drained, drained = written + lost by the file.
 *
 * Threads: mirror_ring_put() from the ring's worker only; mirror_drain() from one thread only; the
 * counters from any thread. head is written by the worker (release), tail by the writer (release).
 * Units: sizes and lengths are bytes.
 */
#pragma once

#include "base/err.h"
#include "mirror/capture_file.h"

#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

/* What the writer needs to know of a copy; the text is made by the writer, not by the worker. */
struct mirror_note {
	uint64_t time_ns;       /* since the epoch */
	const void *generation; /* what the verdict was given by; alive until the writer has passed
				   it (see below) */
	uint64_t queue_id;  /* set by mirror_ring_put(): sequence number in the ring from 1, counts
			      lost copies too, so gaps show losses */
	uint32_t class;     /* classify_result, spelled out: mirror knows no ruleset */
	uint32_t n_dropped; /* set by mirror_ring_put(): copies of this interface lost at the ring
			       since the one before that was not */
	uint32_t snaplen; /* set by mirror_ring_put(): what was asked for; the copy may be longer */
	uint32_t wire_length;
	uint16_t interface; /* index of the capture interface (port) */
	uint8_t verdict, reason, non_ip, is_odd;
	bool is_inbound;
};

struct mirror_ring;

#define MIRROR_RING_SIZE_MIN ((size_t)64 << 10)
#define MIRROR_RING_SIZE_MAX ((size_t)64 << 30)
#define MIRROR_COMMENT_MAX   2048u /* room for an annotation with its NUL */

/* A ring of `size` bytes, rounded up to a power of two of at least MIRROR_RING_SIZE_MIN, in memory
 * of its own, written once so that no page fault is left for the worker. A copy of up to half the
 * size always fits into an empty ring. Returns NULL and sets errno: ENOMEM (also above
 * MIRROR_RING_SIZE_MAX). */
struct mirror_ring *mirror_ring_new(size_t size);

/* NULL allowed. */
void mirror_ring_free(struct mirror_ring *ring);

/* The same in the caller's memory (a NUMA node, huge pages): mirror_ring_memory(size) bytes at an
 * address that is a multiple of 64. Never mirror_ring_free() it. */
size_t mirror_ring_memory(size_t size);
struct mirror_ring *mirror_ring_init(void *memory, size_t size);

/* Copies of these reasons (bit per reason, below 64) are put whole, whatever the snaplen: what is
 * kept of them is decided later. Any thread; 0 at first. */
void mirror_ring_set_whole(struct mirror_ring *ring, uint64_t reasons);

/* HOT: copy at most `snaplen` bytes of `m` (multi-segment allowed; never over CAPTURE_LENGTH_MAX)
 * with its note. Returns false when there was no room: the copy is lost and counted. */
bool mirror_ring_put(struct mirror_ring *ring, const struct rte_mbuf *m, uint32_t snaplen,
	const struct mirror_note *note);

/* Frames offered / lost at this ring so far; the same of one capture interface, as far as its
 * number is below MIRROR_INTERFACES_MAX. */
#define MIRROR_INTERFACES_MAX 32u
uint64_t mirror_ring_offered(const struct mirror_ring *ring);
uint64_t mirror_ring_lost(const struct mirror_ring *ring);
uint64_t mirror_ring_offered_at(const struct mirror_ring *ring, unsigned int interface);
uint64_t mirror_ring_lost_at(const struct mirror_ring *ring, unsigned int interface);

/* The annotation for one copy ("" = none); called by the writer. Returns `buf`, which holds
 * MIRROR_COMMENT_MAX bytes. */
typedef const char *mirror_annotate_fn(const struct mirror_note *note, char *buf, size_t size);

/* An output: it gets one copy after the other, `ring` is the index of where it comes from. */
struct mirror_output {
	void (*take)(void *context, unsigned int ring, const struct mirror_note *note,
		const void *data, uint32_t length);
	void *context;
};

/* Drain every ring up to the head it had when the call began, oldest time first (each ring keeps
 * its own order), into `output`. Returns the number of copies handed over. After it returns, no
 * record that was in a ring before the call is left: generations retired before it may be freed. */
unsigned int mirror_drain_to(
	struct mirror_ring *const *rings, unsigned int n_rings, const struct mirror_output *output);

/* mirror_drain_to() a file. Returns the number of copies that the file took and adds those it did
 * not to *lost: all when `file` is NULL, and after a failed write the rest of this call, so that a
 * full disk does not cost a system call per copy; capture_file_flush() then tells why. `annotate`
 * NULL = no comments. */
unsigned int mirror_drain(struct mirror_ring *const *rings, unsigned int n_rings,
	struct capture_file *file, mirror_annotate_fn *annotate, uint64_t *lost);
