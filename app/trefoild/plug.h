/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plug: devices under a port that go and come back while the daemon runs. The caller has seen to it
 * that no worker touches the port.
 *
 * Threads: control thread.
 */
#pragma once

#include "base/err.h"
#include "wires.h"

/* Has the kernel's interface under the port been deleted? false for ports without one. */
bool plug_is_gone(const struct port *port);

/* Give up the port's device; afterwards its id is PORT_ABSENT. */
void plug_take_out(struct port *port);

/* Can it be tried to bring the device back? */
bool plug_can_return(const struct port *port, const struct settings *settings);

/* Make, set up and start the port again; it may get another id. Returns 0 or -errno, the port is
 * still absent then. */
int plug_bring_back(const struct wires *wires, struct port *port, const struct settings *settings,
	const struct settings_wire *wire, struct err *e);
