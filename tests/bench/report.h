/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * report: what a bench measured round by round, as a table (median, min, max, n, and the bar where
 * there is one) and, with --json FILE, for tests/bench/run.
 *
 * Threads: one.
 * Units: a cell of the unit "ratio" compares two things that were measured in turns, so it holds on
 *        any machine: that is what tests/bench/baseline.json keeps.
 */
#pragma once

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#define REPORT_ROUNDS_MAX 101

/* What the rounds of one cell gave. */
struct report_series {
	double values[REPORT_ROUNDS_MAX];
	unsigned int n;
};

static inline void
report_add(struct report_series *s, double value)
{
	s->values[s->n++] = value;
}

/* NAN when there are no rounds. */
double report_median(const struct report_series *s);

/* Round by round a / b: what drifts hits both. */
void report_ratios(
	const struct report_series *a, const struct report_series *b, struct report_series *ratios);

/* Parse --rounds (by default `n_rounds`), --json, --strict and --help; ends the program on others.
 * `what` says what is measured. Both texts are kept by reference. */
void report_begin(int argc, char **argv, const char *name, const char *what, unsigned int n_rounds);

/* How many rounds are asked for, 1 to REPORT_ROUNDS_MAX. */
unsigned int report_rounds(void);

/* Which way is better, and so on which side of the bar the median has to be. */
enum report_better { REPORT_LOWER, REPORT_HIGHER };
#define REPORT_NO_BAR NAN

void report_cell(const char *name, const char *unit, const struct report_series *s,
	enum report_better better, double bar);
void report_value(
	const char *name, const char *unit, double value, enum report_better better, double bar);

/* A cell of round by round a / b, which are times or cycles: what drifts hits both. The JSON has also
 * "of_best", the least a / the least b, which a neighbour that comes and goes does not move. */
void report_ratio(const char *name, const struct report_series *a, const struct report_series *b,
	enum report_better better, double bar);

/* A line under the table, and in the JSON. */
void report_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Print and write. Returns the exit code: 0, or 1 when the file could not be written or, with
 * --strict, a bar was missed. */
int report_end(void);
