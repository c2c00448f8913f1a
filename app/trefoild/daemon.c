/* SPDX-License-Identifier: BSD-3-Clause */
/* Publishing rulesets, alarms, log lines: what commands, timers and start-up share. */
#include "daemon.h"

#include "change.h"
#include "watchdog.h"

#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOG_SIZE    2048
#define AGE_RETRY_S 60

/* One line, whatever was quoted in it. */
static void format_line(char *text, size_t size, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));

static void
format_line(char *text, size_t size, const char *format, va_list args)
{
	char *at;

	vsnprintf(text, size, format, args);
	for (at = text; *at != '\0'; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
}

void
daemon_log(const char *format, ...)
{
	char text[LOG_SIZE];
	va_list args;

	va_start(args, format);
	format_line(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "trefoild: %s\n", text);
}

void
daemon_log_errors(const struct err_list *errors)
{
	char text[1024];
	unsigned int i;

	for (i = 0; i < errors->n; i++)
		daemon_log("%s", err_format(&errors->items[i], text, sizeof(text)));
	if (errors->n_found > errors->n)
		daemon_log("and %u more errors", errors->n_found - errors->n);
}

int
daemon_listen(struct daemon *d, daemon_event_fn *hear, void *context)
{
	if (d->n_listeners == DAEMON_LISTENERS_MAX)
		return -ENOSPC;
	d->listeners[d->n_listeners++] = (struct daemon_listener){ hear, context };
	return 0;
}

/* `text` is one line already. */
static void
tell(struct daemon *d, const char *kind, const char *text)
{
	const struct generation *g = publisher_get(d->publisher);
	const struct daemon_event event = {
		.number = ++d->n_events,
		.at = time(NULL),
		.kind = kind,
		.text = text,
		.generation = g != NULL ? g->number : 0,
	};
	unsigned int i;

	for (i = 0; i < d->n_listeners; i++)
		d->listeners[i].hear(d->listeners[i].context, &event);
}

void
daemon_event(struct daemon *d, const char *kind, const char *format, ...)
{
	char text[LOG_SIZE];
	va_list args;

	va_start(args, format);
	format_line(text, sizeof(text), format, args);
	va_end(args);
	daemon_log("%s", text);
	tell(d, kind, text);
}

void
daemon_alarm(struct daemon *d, enum alarm_kind kind, const char *format, ...)
{
	char text[ALARM_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (strcmp(text, d->alarms[kind]) == 0)
		return;
	memcpy(d->alarms[kind], text, sizeof(text));
	daemon_event(d, "alarm", "alarm: %s", text);
}

void
daemon_alarm_clear(struct daemon *d, enum alarm_kind kind)
{
	if (d->alarms[kind][0] != '\0')
		daemon_event(d, "alarm-over", "alarm over: %s", d->alarms[kind]);
	d->alarms[kind][0] = '\0';
}

void
daemon_log_totals(const struct daemon *d, const struct writer_status *last)
{
	struct stats_total sum;
	uint64_t lost;
	unsigned int i;

	daemon_sum_workers(d, &sum);
	lost = sum.mirror_lost.packets;
	for (i = 0; i < CUSTODY_CAUSES; i++)
		lost += last->causes[i];
	daemon_log("stopped: frames received %llu, forwarded %llu, dropped %llu; copies mirrored "
		   "%llu, written %llu, lost %llu",
		(unsigned long long)sum.rx.packets, (unsigned long long)sum.forwarded.packets,
		(unsigned long long)sum.dropped.packets, (unsigned long long)sum.mirrored.packets,
		(unsigned long long)last->written, (unsigned long long)lost);
}

bool
daemon_has_old_data(const struct daemon *d)
{
	return geo_age_days(d->geo->table, time(NULL)) > d->settings->max_geo_age_days;
}

void
daemon_attend_stale(struct daemon *d)
{
	if (daemon_has_old_data(d))
		daemon_alarm(d, ALARM_STALE,
			"the geo data is %u days old, more than max_geo_age_days = %u: push a new "
			"table",
			geo_age_days(d->geo->table, time(NULL)), d->settings->max_geo_age_days);
	else
		daemon_alarm_clear(d, ALARM_STALE);
}

void
daemon_reclaim(struct daemon *d)
{
	(void)publisher_reclaim(d->publisher);
}

static const struct port *
find_port(const struct wires *wires, uint16_t id)
{
	unsigned int i;

	for (i = 0; i < wires->n; i++) {
		if (wires->items[i].inside.id == id)
			return &wires->items[i].inside;
		if (wires->items[i].outside.id == id)
			return &wires->items[i].outside;
	}
	return NULL;
}

void
daemon_set_waits(struct daemon *d)
{
	unsigned int i, q;

	for (i = 0; i < d->n_workers; i++) {
		struct worker *w = &d->workers[i];
		uint64_t safe_ns = IDLE_WAIT_MAX_NS;

		for (q = 0; q < w->n_queues; q++) {
			const struct port *port = find_port(&d->wires, w->queues[q].rx_port);

			safe_ns = RTE_MIN(safe_ns,
				port != NULL ? idle_safe_ns(port->n_descriptors, port->speed_mbps)
					     : 0);
		}
		idle_set_safe(&w->idle, safe_ns);
	}
}

static void
watch_load(struct daemon *d)
{
	uint64_t missed = wires_missed(&d->wires);

	if (missed > d->missed_before)
		daemon_alarm(d, ALARM_LOAD,
			"ports lose frames because workers do not take them in time: trefoilctl "
			"counters --by port says which, --by worker how busy each is; add cores "
			"and queues");
	else
		daemon_alarm_clear(d, ALARM_LOAD);
	d->missed_before = missed;
}

uint64_t
daemon_mirror_lost(const struct daemon *d)
{
	uint64_t lost = 0;
	unsigned int i;

	for (i = 0; i < d->n_workers; i++)
		lost += stats_read(&d->workers[i].stats.mirror_lost).packets;
	return lost;
}

static void
watch_mirror(struct daemon *d)
{
	const char *broken = d->writer != NULL ? custody_break(writer_custody(d->writer)) : NULL;
	struct writer_status s = { .lost = 0 };
	uint64_t lost;

	if (d->writer != NULL)
		writer_status(d->writer, &s);
	lost = daemon_mirror_lost(d) + s.lost;
	if (s.is_failing)
		daemon_alarm(d, ALARM_MIRROR, "the mirror cannot be written: %s", s.error);
	else if (broken != NULL)
		daemon_alarm(d, ALARM_MIRROR,
			"the evidence is broken: run trefoil-audit verify on a copy of %s: %s",
			d->settings->mirror_dir, broken);
	else if (lost > d->lost_before && d->writer == NULL)
		daemon_alarm(d, ALARM_MIRROR,
			"the policy mirrors, but trefoild.ini has no [mirror] dir: copies are "
			"lost");
	else if (lost > d->lost_before)
		daemon_alarm(d, ALARM_MIRROR, "the mirror loses copies: its disk is too slow");
	else if (d->writer != NULL && custody_keeps_all(writer_custody(d->writer)))
		daemon_alarm(d, ALARM_MIRROR,
			"the clock was set by more than an hour: no evidence is removed after its "
			"retention until trefoild starts again; look at the clock first");
	else
		daemon_alarm_clear(d, ALARM_MIRROR);
	d->lost_before = lost;
}

/* What cannot be done now may be done later, and need not be said twice a second. */
static void
attend_age(struct daemon *d)
{
	time_t now = time(NULL);

	if (daemon_has_old_data(d) == d->is_stale || now < d->age_retry)
		return;
	d->age_retry = now + AGE_RETRY_S;
	change_age(d);
}

void
daemon_watch(struct daemon *d)
{
	watchdog_look(d);
	watch_load(d);
	watch_mirror(d);
	if (d->geo == NULL)
		return;
	daemon_attend_stale(d);
	attend_age(d);
}
