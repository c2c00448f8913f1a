/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * observe: what the daemon keeps so that operators can see what goes on: the traffic of the last
 * hour and the last events. Looks once a second for links that change and copies that are lost.
 * Threads: control thread.
 */
#pragma once

#include "daemon.h"

struct observe;

/* Needs d->base, d->publisher and the workers, which do not run yet. Returns 0 or -ENOMEM. */
int observe_start(struct daemon *d);
void observe_stop(struct daemon *d); /* also when it was not started */
