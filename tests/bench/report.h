/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * report: what a bench measured, as a table (median, min, max, n, and the bar where there is one) and
 * as JSON: --json FILE.
 *
 * Threads: one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define REPORT_VALUES_MAX 64

/* Parse --json and --help; ends the program on others. `what` says what is measured. */
void report_begin(int argc, char **argv, const char *name, const char *what);

enum report_bar { REPORT_NO_BAR, REPORT_AT_LEAST, REPORT_AT_MOST };

/* One cell: its values of all rounds (sorted by this) and what its median has to be. */
void report_cell(const char *name, const char *unit, double *values, size_t n, enum report_bar kind,
	double bar);
void report_value(
	const char *name, const char *unit, double value, enum report_bar kind, double bar);

/* A line under the table, and in the JSON. */
void report_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Print and write. Returns the exit code: 0, or 1 when a bar was missed. */
int report_end(void);
