/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shadow_commands: handlers of the control socket for the candidate beside the running generation,
 * and what keeps it compiled against what runs. The context is the struct daemon.
 * Threads: control thread.
 */
#pragma once

#include "control/control.h"
#include "daemon.h"

/* {"command":"shadow-push","name","text"}, {"command":"shadow"}, {"command":"shadow-drop"},
 * {"command":"promote"}: what a push takes but for name and text. */
control_handler_fn shadow_on_push, shadow_on_status, shadow_on_drop, shadow_on_promote;

/* Once a second: compile the candidate again when another generation or table judges, drop it when
 * it is itself what judges now, free older ones. */
void shadow_attend(struct daemon *d);

/* What is counted, NULL = there is no candidate, or no memory. NEW. */
json_t *shadow_report(const struct daemon *d);
