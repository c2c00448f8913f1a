/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * metrics: a page of metrics as monitoring systems read it, in Prometheus' text format or in
 * OpenMetrics'. Names, types and help are constants of the caller; values of labels may be anything.
 *
 * Threads: one page belongs to one thread.
 * Units: base units in the names of families (bytes, seconds, ratio), as both formats want.
 * Source: OpenMetrics 1.0.0; Prometheus' text-based format 0.0.4.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum metrics_format {
	METRICS_TEXT, /* 0.0.4 */
	METRICS_OPEN  /* OpenMetrics 1.0.0 */
};

/* What to send as Content-Type. */
const char *metrics_content_type(enum metrics_format format);

/* What a client gets that sent this Accept header; NULL = it sent none. */
enum metrics_format metrics_choose_format(const char *accept);

enum metrics_type {
	METRICS_COUNTER, /* never falls; samples get the suffix _total */
	METRICS_GAUGE,
	METRICS_INFO /* always 1, the labels tell; samples get the suffix _info */
};

struct metrics_family {
	const char *name; /* without suffix */
	enum metrics_type type;
	const char *help; /* one line without quotes and backslashes */
};

struct metrics_label {
	const char *name, *value; /* UTF-8 */
};

/* A page being written. Initialise with metrics_begin(). */
struct metrics {
	enum metrics_format format;
	FILE *out;
	char *text;
	size_t size;
	const struct metrics_family *family; /* of the samples that come now */
};

/* Returns 0 or -ENOMEM. */
int metrics_begin(struct metrics *m, enum metrics_format format);

/* The samples of `f` follow, all of them; a family comes once. `f` must outlive them. */
void metrics_family(struct metrics *m, const struct metrics_family *f);

/* One sample of the family that was begun last. */
void metrics_count(
	struct metrics *m, const struct metrics_label *labels, unsigned int n, uint64_t value);
void metrics_value(
	struct metrics *m, const struct metrics_label *labels, unsigned int n, double value);

/* The whole page, to be freed by the caller; *size without its NUL. NULL + ENOMEM. `m` is used up. */
char *metrics_end(struct metrics *m, size_t *size);
