/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * writer: the one thread that drains the workers' mirror rings into segments of evidence, which it
 * rotates by size and time, never overwrites, and keeps in custody (custody.h).
 * copies taken from the rings = written + lost by every cause but the ring.
 *
 * Threads: the writer thread is inside; all functions here are for the control thread.
 */
#pragma once

#include "base/err.h"
#include "custody.h"
#include "minimise.h"
#include "mirror/mirror.h"
#include "publish.h"

#include <stdbool.h>
#include <stdint.h>

#define WRITER_RINGS_MAX 128

struct writer_options {
	struct custody_options custody;
	enum capture_format format;
	uint64_t rotate_size;  /* bytes, 0 = never */
	unsigned int rotate_s; /* seconds, 0 = never */
	struct minimise_options minimise;
	const struct capture_interface *interfaces; /* with names that outlive the writer */
	unsigned int n_interfaces;
};

struct writer;

/* Opens the first file and starts the thread. NULL + errno, `e` says what to do. */
struct writer *writer_start(const struct writer_options *options, struct publisher *publisher,
	struct mirror_ring *const *rings, unsigned int n_rings, struct err *e);

/* Begin a new file at the next pass. Any thread. */
void writer_rotate(struct writer *w);

/* Where segments are held and listed. */
struct custody *writer_custody(struct writer *w);

struct writer_status {
	uint64_t written;
	uint64_t lost;                   /* by write and space: nobody wanted it */
	uint64_t causes[CUSTODY_CAUSES]; /* frames by cause; that of the rings is not in here */
	uint64_t n_files;
	bool is_failing; /* the last write or open failed, or there is no room */
	char file[512];  /* being written */
	char error[512]; /* of the last failure, "" = none yet */
};
void writer_status(struct writer *w, struct writer_status *out);

/* Drains what is left, closes the file, ends the thread; `*last` is how it ended. Without a writer,
 * NULL, `*last` is untouched. */
void writer_stop(struct writer *w, struct writer_status *last);
