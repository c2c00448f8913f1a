/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * command: what the sub-commands have in common, and what they do.
 * Threads: one.
 * Units: milliseconds.
 */
#pragma once

#include "base/err.h"
#include "control/control.h"

#include <jansson.h>
#include <stdbool.h>

/* What the command line says. */
struct command_line {
	const char *socket;
	bool socket_is_set;    /* by --socket */
	const char *host;      /* ssh://USER@HOST, NULL = here */
	const char *argument;  /* POLICY, ADDRESS or an action; NULL for commands that take none */
	const char *second;    /* TABLE or SEGMENT behind an action, NULL = none */
	const char *message;   /* of push, of mirror hold and release, NULL = none */
	const char *by;        /* of counters, NULL = all */
	long confirm_within_s; /* of push, 0 = for good */
	long limit;            /* of diff, -1 = the daemon's */
	const char *source, *protocol, *direction; /* of explain, NULL = the daemon's */
	long source_port, port;                    /* of explain, -1 = none */
	const char *pcap;          /* of explain, NULL = an address is asked about */
	long packet;               /* in it, from 1; 0 = not given */
	long since, count;         /* of watch, -1 = from now on, no end */
	const char *config, *root; /* of doctor, NULL = this machine's */
	bool is_shadow;            /* push: judge it beside what runs */
	bool json;
};

typedef enum control_exit command_fn(const struct command_line *line);

/* Report why it failed: texts on stderr, with --json also an object on stdout. Returns `code`. */
enum control_exit command_fail(
	const struct command_line *line, enum control_exit code, const struct err_list *errors);

/* Send `request` to the daemon (taken over; NULL = it could not be made) and wait. Returns
 * CONTROL_DONE with a NEW *response and the BORROWED *result in it, else a code whose reason is
 * already reported. */
enum control_exit command_ask(const struct command_line *line, json_t *request,
	unsigned int timeout_ms, json_t **response, const json_t **result);

/* The same, and show the result: as JSON, or to people by `view`. */
enum control_exit command_ask_and_show(const struct command_line *line, json_t *request,
	unsigned int timeout_ms, void (*view)(const json_t *result, FILE *out));

/* One object as one line on stdout; takes it over. Bytes beyond ASCII are escaped. */
void command_print_json(json_t *object);

/* check: no daemon needed. push: the same check, then the daemon. */
command_fn command_check, command_push;

/* The candidate beside what runs: push --shadow, then see, drop or promote it. */
command_fn command_shadow, command_shadow_push, command_promote;

/* Generations. */
command_fn command_confirm, command_rollback, command_approve, command_history, command_show;

/* diff of a policy, geo diff of a table, against what runs. */
command_fn command_diff, command_geo;

/* The commands that ask the daemon and show its answer. */
command_fn command_status, command_counters, command_explain, command_mirror;

/* What this machine lacks: no daemon needed. */
command_fn command_doctor;

/* Those that go on until they are stopped. */
command_fn command_watch, command_top;
