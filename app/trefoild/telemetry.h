/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * telemetry: the commands /trefoil/... of DPDK's telemetry socket, when [metrics] telemetry = yes.
 * Threads: control thread. DPDK answers from threads of its own; what they want to know they ask the
 * control thread.
 */
#pragma once

#include "base/err.h"
#include "daemon.h"

/* Register the commands; needs EAL and d->base. Returns 0 or -errno, `e` filled. */
int telemetry_start(struct daemon *d, struct err *e);

/* Who asks from now on gets an error. Also when it was not started. */
void telemetry_stop(void);
