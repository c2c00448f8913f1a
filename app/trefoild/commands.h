/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * commands: what the control socket answers: status, counters, explain, push, geo, mirror.
 * Threads: control thread.
 */
#pragma once

#include "control/control.h"
#include "daemon.h"

/* For control_server_new(); the context is the struct daemon. */
extern const struct control_command commands[];
