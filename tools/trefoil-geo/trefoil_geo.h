/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * trefoil-geo: what its sub-commands share: common options, loading, text and JSON.
 * Threads: one.
 */
#pragma once

#include "geo/geo.h"
#include "tool.h"

#include <stdbool.h>

/* Options that several sub-commands have, as an argp child; its input is a struct options. */
struct options {
	const char *table; /* NULL = the default table */
	bool json;
};

extern const struct argp options_argp;

/* An argp parser for commands whose arguments are these options (first child) and one table; its
 * input begins with a struct options. */
error_t table_parse(int key, char *arg, struct argp_state *state);

tool_command_fn command_build, command_info, command_lookup, command_diff, command_export,
	command_verify;

/* Load the table of the options, the installed or the shipped one. NULL after printing why, with
 * `*code` the exit code. */
struct geo_table *table_load(const char *path, int *code);

/* "AU AS13335 Cloudflare, Inc." with "-" for what is unknown. */
void print_origin(const struct geo_origin *o);

/* country (null when unknown), asn, as_name set in `object`. */
void json_set_origin(json_t *object, const struct geo_origin *o);

/* One object or text about a table, for info and build. */
void info_print(const struct geo_table *t, const char *path, bool json);
