/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * view: the daemon's result objects as text for people. Any key may be missing or of another type:
 * what is not there is left out or shown as "-".
 * Threads: none shared.
 */
#pragma once

#include <jansson.h>
#include <stdio.h>

/* The words of counters --by; NULL ends them. */
extern const char *const view_counters_by[];

void view_status(const json_t *result, FILE *out);

/* `by` is one of view_counters_by, or NULL for totals, reasons and countries. */
void view_counters(const json_t *result, const char *by, FILE *out);
void view_diff(const json_t *result, FILE *out);
void view_shadow(const json_t *result, FILE *out);
void view_explain(const json_t *result, FILE *out);
void view_mirror(const json_t *result, FILE *out);

/* Of mirror list. */
void view_segments(const json_t *result, FILE *out);

/* The generations, newest first; one with its policy. To standard output. */
void view_history(const json_t *result, FILE *out);
void view_show(const json_t *result, FILE *out);

/* The geo table that judges. */
void view_geo(const json_t *result, FILE *out);
