/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * trefoil-geo: what its sub-commands share: exit codes, common options, loading, text and JSON.
 * Threads: one.
 * Source: exit codes of the interfaces page: 0 done, 1 refused, 2 usage, 4 not permitted.
 */
#pragma once

#include "geo/geo.h"

#include <argp.h>
#include <jansson.h>
#include <stdbool.h>

enum { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_NOT_PERMITTED = 4 };

/* Options that several sub-commands have, as an argp child; its input is a struct options. */
struct options {
	const char *table; /* NULL = the default table */
	bool json;
};

extern const struct argp options_argp;

/* An argp parser for commands whose arguments are these options (first child) and one table; its
 * input begins with a struct options. */
error_t table_parse(int key, char *arg, struct argp_state *state);

/* A sub-command: parses its own arguments; argv[0] is "trefoil-geo NAME". Returns an exit code. */
typedef int command_fn(int argc, char **argv);
command_fn command_build, command_info, command_lookup, command_diff, command_export,
	command_verify;

/* Load the table of the options, the installed or the shipped one. NULL after printing why, with
 * `*code` the exit code. */
struct geo_table *table_load(const char *path, int *code);

/* Print an error as "trefoil-geo: ..." and give its exit code; `rc` is a negative errno. */
int fail(const struct err *e, int rc);

/* Flush stdout. Returns EXIT_DONE, or EXIT_REFUSED after printing why. */
int finish(void);

/* Progress on a terminal, nothing in a pipe; NULL wipes the line. */
void progress(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "AU AS13335 Cloudflare, Inc." with "-" for what is unknown. */
void print_origin(const struct geo_origin *o);

/* country (null when unknown), asn, as_name set in `object`. */
void json_set_origin(json_t *object, const struct geo_origin *o);

/* Print and free: one line, keys in the order they were set. */
void json_print(json_t *object);

/* One object or text about a table, for info and build. */
void info_print(const struct geo_table *t, const char *path, bool json);
