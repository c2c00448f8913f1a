/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * leftover: frames that a driver took, did not send, and would send when it can again, whatever
 * judges by then. net_af_packet keeps them in its ring while the kernel's interface is taken down.
 *
 * Threads: control thread.
 */
#pragma once

#include "wires.h"

struct leftover {
	bool is_there;      /* or may be */
	bool knows_errors;  /* each error of the driver is a send that failed */
	uint64_t n_errors;  /* at the last look */
	uint64_t paused_ms; /* errors are no sign before that: CLOCK_MONOTONIC */
};

/* The ring of `port` is empty from here on. `other` is the port whose frames it sends. */
void leftover_begin(struct leftover *l, const struct port *port, const struct port *other,
	const struct settings *settings, uint64_t now_ms);

/* Has the port left frames, since the start or just now? */
bool leftover_look(struct leftover *l, const struct port *port, uint64_t now_ms);
