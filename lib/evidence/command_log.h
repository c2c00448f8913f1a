/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * command_log: is an audit log of the daemon (STATE_DIR/audit.jsonl, a chain.h) what was written?
 * Types of its lines, by the key `audit`, each with the keys given:
 *
 *     command  who uid pid command arguments outcome error before after
 *     event    event text after       what the daemon did by itself
 *     torn     bytes                  a crash cut a line, which was removed
 *
 * before and after: {generation, policy_sha256, geo_sha256}. Every line may have `missing_before`: so
 * many lines could not be written before it; and `not_permitted_before`: so many commands of people who
 * may not were only counted, because there were too many in a minute.
 *
 * Threads: a check belongs to one thread.
 */
#pragma once

#include "evidence/chain.h"

#define COMMAND_LOG_FILE      "audit.jsonl"
#define COMMAND_LOG_TIME_SIZE 40

struct command_log_sum {
	uint64_t n_commands;      /* whatever their outcome */
	uint64_t n_refused;       /* of them */
	uint64_t n_not_permitted; /* of them, and those that are only counted */
	uint64_t n_events;
	uint64_t n_torn;      /* lines that a crash cut */
	uint64_t n_missing;   /* that could not be written */
	uint64_t n_backwards; /* lines older than the one before */
	char first[COMMAND_LOG_TIME_SIZE], last[COMMAND_LOG_TIME_SIZE]; /* as written */
	struct chain_head head;
};

/* Something that is no fault of the chain but that an auditor wants to know. */
typedef void command_log_note_fn(void *context, uint64_t line, const char *text);

/* Check every line as chain_verify() does, that each is one of the above, and count. `note` may be
 * NULL. `*sum` is filled as far as the log is good, also after an error. Returns as chain_verify(). */
int command_log_verify(const char *path, const struct chain_check *check, command_log_note_fn *note,
	void *context, struct command_log_sum *sum, struct err *e);
