/* SPDX-License-Identifier: BSD-3-Clause */
/* A timer and a listener, and what they feed. */
#include "observe.h"

#include "traffic.h"

#include <errno.h>
#include <stdlib.h>

#define TICK_S 1

static void
tick(struct daemon *d)
{
	struct stats_worker total;

	daemon_sum_workers(d, &total);
	traffic_tick(d->traffic, publisher_get(d->publisher), &total, time(NULL));
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	tick(arg);
}

static void
on_event(void *context, const struct daemon_event *event)
{
	tick(context); /* another generation may judge now */
}

int
observe_start(struct daemon *d)
{
	const struct timeval period = { .tv_sec = TICK_S };

	d->traffic = traffic_new();
	d->observe = event_new(d->base, -1, EV_PERSIST, on_tick, d);
	if (d->traffic == NULL || d->observe == NULL || event_add(d->observe, &period) != 0 ||
		daemon_listen(d, on_event, d) != 0)
		return -ENOMEM;
	return 0;
}

void
observe_stop(struct daemon *d)
{
	if (d->observe != NULL)
		event_free(d->observe);
	traffic_free(d->traffic);
}
