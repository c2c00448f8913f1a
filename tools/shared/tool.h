/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tool: what programs with sub-commands share: exit codes, which sub-command, errors, output.
 * Threads: one.
 * Source: exit codes of the interfaces page: 0 done, 1 refused, 2 usage, 4 not permitted.
 */
#pragma once

#include "base/err.h"

#include <argp.h>
#include <jansson.h>

enum { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_NOT_PERMITTED = 4 };

/* A sub-command: parses its own arguments; argv[0] is "TOOL NAME". Returns an exit code. */
typedef int tool_command_fn(int argc, char **argv);

struct tool_command {
	const char *name;
	tool_command_fn *run;
};

struct tool {
	const char *name;                    /* of the program */
	const char *doc;                     /* for --help */
	const struct tool_command *commands; /* the last one has no name */
};

/* Run the sub-command that is asked for. Returns its exit code. `tool` must outlive the call. */
int tool_run(const struct tool *tool, int argc, char **argv);

/* Print an error as "TOOL: ..." and give its exit code; `rc` is a negative errno. */
int tool_fail(const struct err *e, int rc);

/* Flush stdout. Returns EXIT_DONE, or EXIT_REFUSED after printing why. */
int tool_finish(void);

/* Progress on a terminal, nothing in a pipe; NULL wipes the line. */
void tool_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Print and free: one line, keys in the order they were set. */
void tool_print_json(json_t *object);
