/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * watchdog: does every worker still go round? One that does not is named; systemd is then no longer
 * told that all is well, so that it starts the daemon again. Until then its frames are not forwarded.
 *
 * Threads: control thread.
 * Units: milliseconds of CLOCK_MONOTONIC.
 * Source: sd_notify(3) and sd_watchdog_enabled(3): WATCHDOG=1, WATCHDOG=trigger.
 */
#pragma once

#include "daemon.h"

#define WATCHDOG_ALARM_MS 1000 /* without a round: an alarm */
#define WATCHDOG_STUCK_MS 2000 /* without a round: the process has failed */

/* From now on workers run; ask systemd whether it waits for us. */
void watchdog_start(struct daemon *d);

/* At least twice a second: look at all workers, and tell systemd if all is well. */
void watchdog_look(struct daemon *d);

/* How long a worker has not moved; 0 = it did at the last look. */
uint64_t watchdog_still_ms(const struct daemon *d, unsigned int worker);
