/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * writer: the one thread that drains the workers' mirror rings into capture files, which it names,
 * rotates by size and time, and never overwrites.
 *
 * Threads: the writer thread is inside; all functions here are for the control thread.
 */
#pragma once

#include "base/err.h"
#include "mirror/mirror.h"
#include "publish.h"

#include <stdbool.h>
#include <stdint.h>

#define WRITER_RINGS_MAX 128

struct writer_options {
	const char *directory;
	const char *name; /* of the appliance; begins the file names */
	enum capture_format format;
	uint64_t rotate_size;                       /* bytes, 0 = never */
	unsigned int rotate_s;                      /* seconds, 0 = never */
	const struct capture_interface *interfaces; /* with names that outlive the writer */
	unsigned int n_interfaces;
};

struct writer;

/* Opens the first file and starts the thread. NULL + errno, `e` says what to do. */
struct writer *writer_start(const struct writer_options *options, struct publisher *publisher,
	struct mirror_ring *const *rings, unsigned int n_rings, struct err *e);

/* Drains what is left, closes the file, ends the thread. NULL allowed. */
void writer_stop(struct writer *w);

/* Begin a new file at the next pass. Any thread. */
void writer_rotate(struct writer *w);

struct writer_status {
	uint64_t written, lost; /* frames; lost = taken from a ring but refused by the file */
	uint64_t n_files;
	bool is_failing; /* the last write or open failed */
	char file[512];  /* being written */
	char error[512]; /* of the last failure, "" = none yet */
};
void writer_status(struct writer *w, struct writer_status *out);
