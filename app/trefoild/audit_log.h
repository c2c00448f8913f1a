/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * audit_log: STATE_DIR/audit.jsonl, a signed chain (evidence/chain.h) of every command that changed
 * or tried to change anything, with who, what, the outcome, and what judged before and after; and of
 * what the daemon did by itself. A line is on the disk before the answer goes out.
 *
 * Threads: control thread.
 */
#pragma once

#include "control/control.h"
#include "daemon.h"

struct audit_log;

/* Open it, make the key if there is none, listen to events. A log that cannot be written raises an
 * alarm, and what is missing in it is put on record when it can be written again. NULL + ENOMEM. */
struct audit_log *audit_log_new(struct daemon *d);
void audit_log_free(struct audit_log *log); /* NULL allowed */

/* Where the chain ends, for `status`: {lines, sha256, key, missing}; null while it cannot be opened.
 * NEW. */
json_t *audit_log_json(const struct audit_log *log);

/* Remember what judges now: in front of a command. */
void audit_log_before(struct audit_log *log);

/* Write down a request and its answer. */
void audit_log_command(struct audit_log *log, const struct control_peer *peer,
	const json_t *request, const json_t *response);
