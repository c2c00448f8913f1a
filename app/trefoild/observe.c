/* SPDX-License-Identifier: BSD-3-Clause */
/* A timer and a listener, and what they feed. */
#include "observe.h"

#include "shadow.h"
#include "shadow_commands.h"
#include "traffic.h"
#include "watch.h"

#include <errno.h>
#include <stdlib.h>

#define TICK_S       1
#define LOSS_PAUSE_S 10 /* between two events of lost copies */

struct observe {
	struct event *timer;
	uint64_t n_lost; /* copies, as of the last event */
	time_t lost_at;
};

static void
look_at_mirror(struct daemon *d, const struct stats_total *total, time_t now)
{
	struct observe *o = d->observe;
	struct writer_status s = { .lost = 0 };
	uint64_t n_lost = total->mirror_lost.packets;

	if (d->writer != NULL)
		writer_status(d->writer, &s);
	n_lost += s.lost;
	if (n_lost == o->n_lost || now - o->lost_at < LOSS_PAUSE_S)
		return;
	daemon_event(d, "mirror-loss", "%llu copies for the mirror were lost, %llu in all",
		(unsigned long long)(n_lost - o->n_lost), (unsigned long long)n_lost);
	o->n_lost = n_lost;
	o->lost_at = now;
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	struct stats_total total;
	time_t now = time(NULL);

	daemon_sum_workers(d, &total);
	traffic_tick(d->traffic, publisher_get(d->publisher), &total, now);
	shadow_attend(d);
	look_at_mirror(d, &total, now);
}

static void
on_event(void *context, const struct daemon_event *event)
{
	struct daemon *d = context;
	const struct generation *g = publisher_get(d->publisher);
	struct stats_total total;

	watch_add(d->watch, event);
	daemon_sum_workers(d, &total);
	traffic_tick(d->traffic, g, &total, time(NULL)); /* another generation may judge now */
}

int
observe_start(struct daemon *d)
{
	const struct timeval period = { .tv_sec = TICK_S };
	unsigned int i;

	d->traffic = traffic_new();
	d->watch = watch_new();
	d->shadow = shadow_new(publisher_workers(d->publisher));
	d->observe = calloc(1, sizeof(*d->observe));
	if (d->traffic == NULL || d->watch == NULL || d->shadow == NULL || d->observe == NULL)
		return -ENOMEM;
	for (i = 0; i < d->n_workers; i++)
		d->workers[i].shadow = d->shadow;
	d->observe->timer = event_new(d->base, -1, EV_PERSIST, on_tick, d);
	if (d->observe->timer == NULL || event_add(d->observe->timer, &period) != 0 ||
		daemon_listen(d, on_event, d) != 0)
		return -ENOMEM;
	return 0;
}

void
observe_stop(struct daemon *d)
{
	if (d->observe != NULL && d->observe->timer != NULL)
		event_free(d->observe->timer);
	free(d->observe);
	traffic_free(d->traffic);
	watch_free(d->watch);
	json_decref(d->shadow_text);
	shadow_free(d->shadow);
}
