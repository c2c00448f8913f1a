/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * remote: the same protocol through ssh: `ssh HOST trefoilctl relay` at the other end carries it
 * between its standard input and output and the control socket there. Who may what is decided by the
 * user that ssh logs in as.
 * Threads: one.
 * Units: milliseconds.
 */
#pragma once

#include "command.h"

/* control_call() to the daemon that the command line names, here or through ssh. */
int remote_call(const struct command_line *line, const json_t *request, unsigned int timeout_ms,
	json_t **response, struct err *e);

/* Is it "ssh://[USER@]HOST[:PORT]"? */
bool remote_is_url(const char *text);

/* The other end: runs until both sides have nothing more to say. */
command_fn command_relay;
