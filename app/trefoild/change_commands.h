/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * change_commands: handlers of the control socket that change what judges, and those that show what
 * judged before. The context is the struct daemon.
 * Threads: control thread.
 */
#pragma once

#include "change.h"
#include "control/control.h"

control_handler_fn change_on_push, change_on_confirm, change_on_rollback, change_on_approve;
control_handler_fn change_on_history, change_on_show, geo_on_request;

/* Who asks, as kept with generations. */
struct store_person change_peer(const struct control_peer *peer);

/* The answer to a change: the daemon's status with "change": {generation, waiting}; or, when
 * `status` is not 0, the errors. */
json_t *change_answer(struct daemon *d, int status, uint32_t number, bool is_waiting,
	const struct err_list *errors);

/* The text under a key, NULL = none. */
const char *change_text(const json_t *request, const char *key);

/* The key of a name or message with control characters in it, NULL = none: they are part of rules, logs
 * and evidence. */
const char *change_forged(const json_t *request);

/* One error of a request. */
json_t *change_refuse(const char *key, const char *message);
