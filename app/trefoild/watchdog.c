/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker's heartbeat is the number of its rounds: single writer, read here. A look that came late
 * counts as one that came in time: where the control thread did not run, neither did the workers.
 */
#include "watchdog.h"

#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#define LOOK_MS 600

static uint64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void
watchdog_start(struct daemon *d)
{
	uint64_t limit_us = 0, now = now_ms();
	unsigned int i;

	for (i = 0; i < d->n_workers; i++)
		d->heartbeats[i].looked_at_ms = now;
	d->is_watched = sd_watchdog_enabled(0, &limit_us) > 0;
	if (d->is_watched && limit_us < 2 * 1000 * WATCHDOG_STUCK_MS)
		daemon_log(
			"WatchdogSec= of the unit is %llu ms, which is too short for the work of "
			"the control side: set it to 30s",
			(unsigned long long)(limit_us / 1000));
}

static void
look_at_worker(struct daemon *d, unsigned int i, uint64_t now)
{
	uint64_t n_loops = __atomic_load_n(&d->workers[i].load.n_loops, __ATOMIC_RELAXED);
	struct heartbeat *h = &d->heartbeats[i];
	uint64_t since = now - h->looked_at_ms;

	h->still_ms = n_loops != h->n_loops ? 0 : h->still_ms + RTE_MIN(since, LOOK_MS);
	h->looked_at_ms = now;
	h->n_loops = n_loops;
	load_history_add(&d->loads[i], &d->workers[i].load);
}

uint64_t
watchdog_still_ms(const struct daemon *d, unsigned int worker)
{
	return d->heartbeats[worker].still_ms;
}

/* "2, 5": the cores of workers that stood still for so long. */
static unsigned int
name_still(const struct daemon *d, uint64_t limit_ms, char *names, size_t size)
{
	unsigned int i, n = 0;
	size_t at = 0;

	names[0] = '\0';
	for (i = 0; i < d->n_workers; i++) {
		if (watchdog_still_ms(d, i) < limit_ms)
			continue;
		n++;
		if (at < size)
			at += (size_t)snprintf(names + at, size - at, "%s%u", at > 0 ? ", " : "",
				d->settings->cores[i]);
	}
	return n;
}

/* Said once: the process does not get well again by itself. */
static void
fail(struct daemon *d, const char *names)
{
	if (d->has_failed)
		return;
	d->has_failed = true;
	daemon_event(d, "worker-stuck", "the worker on core %s is stuck for %u ms: %s", names,
		WATCHDOG_STUCK_MS,
		d->is_watched ? "systemd is asked to start the daemon again"
			      : "start the daemon again; as a systemd unit it would be by itself");
	if (d->is_watched)
		sd_notifyf(0, "STATUS=the worker on core %s is stuck\nWATCHDOG=trigger", names);
}

void
watchdog_look(struct daemon *d)
{
	uint64_t now = now_ms();
	char names[128];
	unsigned int i;

	for (i = 0; i < d->n_workers; i++)
		look_at_worker(d, i, now);
	if (name_still(d, WATCHDOG_ALARM_MS, names, sizeof(names)) > 0)
		daemon_alarm(d, ALARM_WORKER, "the worker on core %s does not move", names);
	else
		daemon_alarm_clear(d, ALARM_WORKER);
	if (name_still(d, WATCHDOG_STUCK_MS, names, sizeof(names)) > 0) {
		fail(d, names);
		return;
	}
	if (d->has_failed)
		daemon_event(d, "worker-moves", "all workers move again");
	d->has_failed = false;
	if (d->is_watched)
		sd_notify(0, "WATCHDOG=1");
}
