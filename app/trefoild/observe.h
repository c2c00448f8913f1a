/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * observe: what the daemon keeps so that operators can see what goes on: the traffic of the last
 * hour. Runs by its own timer and by the daemon's events.
 * Threads: control thread.
 */
#pragma once

#include "daemon.h"

/* Needs d->base and d->publisher. Returns 0 or -ENOMEM. */
int observe_start(struct daemon *d);
void observe_stop(struct daemon *d); /* also when it was not started */
