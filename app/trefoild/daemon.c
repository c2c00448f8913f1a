/* SPDX-License-Identifier: BSD-3-Clause */
/* Publishing rulesets, alarms, log lines: what commands, timers and start-up share. */
#include "daemon.h"

#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOG_SIZE                2048
#define GENERATIONS_WAITING_MAX 16

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

static bool
is_stale(const struct daemon *d)
{
	return geo_age_days(d->geo->table, time(NULL)) > d->settings->max_geo_age_days;
}

static void
attend_stale(struct daemon *d)
{
	if (d->is_stale)
		daemon_alarm(d, ALARM_STALE,
			"the geo data is %u days old, more than max_geo_age_days = %u: push a new "
			"table",
			geo_age_days(d->geo->table, time(NULL)), d->settings->max_geo_age_days);
	else
		daemon_alarm_clear(d, ALARM_STALE);
}

/* Keep the text for the next geo table. */
static int
keep_text(struct daemon *d, const struct daemon_policy *policy)
{
	char *copy = malloc(policy->size + 1);

	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, policy->text, policy->size);
	copy[policy->size] = '\0';
	free(d->policy_text);
	d->policy_text = copy;
	d->policy_size = policy->size;
	return 0;
}

static struct generation *
compile(struct daemon *d, const struct daemon_policy *text, struct err_list *errors)
{
	struct policy *policy = policy_parse(text->text, text->size, text->name, errors);
	struct generation *g;

	if (policy == NULL)
		return NULL;
	g = generation_new(d->generation + 1, policy, d->geo, is_stale(d), d->n_workers);
	if (g == NULL)
		err_set(err_list_next(errors), NULL, 0, NULL, "cannot compile the ruleset: %s",
			strerror(errno));
	return g;
}

/* Each generation that a reader may still see takes the memory of a whole ruleset. */
static int
make_room(struct daemon *d, struct err_list *errors)
{
	unsigned int n_waiting = publisher_reclaim(d->publisher);

	if (n_waiting < GENERATIONS_WAITING_MAX)
		return 0;
	return err_set_code(err_list_next(errors), EBUSY, NULL, 0, NULL,
		"%u older generations cannot be freed, since the mirror's disk or a worker does "
		"not move: see trefoilctl status, then push again",
		n_waiting);
}

int
daemon_push(struct daemon *d, const struct daemon_policy *policy, struct err_list *errors)
{
	struct generation *g;

	if (make_room(d, errors) != 0)
		return -EBUSY;
	if (d->geo == NULL)
		return err_set_code(err_list_next(errors), ENOENT, d->settings->geo_table, 0, NULL,
			"no geo table is loaded, so nothing can be judged: put one there "
			"(trefoil-geo "
			"build) and send SIGHUP");
	g = compile(d, policy, errors);
	if (g == NULL)
		return -EINVAL;
	if (keep_text(d, policy) != 0) {
		generation_free(g);
		return err_set_code(err_list_next(errors), ENOMEM, NULL, 0, NULL, "out of memory");
	}
	d->generation = g->number;
	d->is_stale = g->ruleset->options.is_stale;
	g->pushed_at = time(NULL);
	text_copy(g->pushed_by, sizeof(g->pushed_by), policy->who);
	text_copy(g->message, sizeof(g->message), policy->message);
	publisher_set(d->publisher, g);
	daemon_alarm_clear(d, ALARM_POLICY);
	attend_stale(d);
	daemon_event(d, "push",
		"generation %u judges: policy %s (%s, sha256 %.12s), geo sha256 %.12s, by %s",
		g->number, g->policy->name, g->policy->file, g->policy->sha256,
		g->geo->table->sha256, g->pushed_by);
	return 0;
}

/* The running policy once more, with the data of now. */
static int
push_again(struct daemon *d, const char *message, struct err_list *errors)
{
	const struct generation *g = publisher_get(d->publisher);
	char *text = d->policy_text;
	struct daemon_policy policy = { .size = d->policy_size, .message = message };
	char name[256];
	int status;

	if (g == NULL || text == NULL)
		return 0;
	snprintf(name, sizeof(name), "%s", g->policy->file);
	policy.text = text;
	policy.name = name;
	policy.who = "trefoild";
	d->policy_text = NULL; /* daemon_push() keeps its own copy */
	status = daemon_push(d, &policy, errors);
	if (status == 0)
		free(text);
	else
		d->policy_text = text;
	return status;
}

int
daemon_reload_geo(struct daemon *d, struct err_list *errors)
{
	struct geo_ref *before = d->geo, *loaded;
	int status;

	loaded = geo_ref_load(d->settings->geo_table, err_list_next(errors));
	if (loaded == NULL)
		return -EINVAL;
	if (errors != NULL)
		errors->n = errors->n_found = 0;
	d->geo = loaded;
	status = push_again(d, "geo reload", errors);
	geo_ref_drop(status == 0 ? before : loaded);
	if (status != 0)
		d->geo = before;
	else
		daemon_alarm_clear(d, ALARM_GEO);
	return status;
}

void
daemon_reclaim(struct daemon *d)
{
	(void)publisher_reclaim(d->publisher);
}

static void
watch_links(struct daemon *d)
{
	char down[ALARM_SIZE] = "";
	unsigned int i;

	wires_update_links(&d->wires);
	for (i = 0; i < d->wires.n; i++) {
		const struct wire *w = &d->wires.items[i];

		if (!w->inside.link_up || !w->outside.link_up) {
			snprintf(down, sizeof(down), "wire %s: port %s has no link",
				w->settings->name,
				w->inside.link_up ? w->outside.name : w->inside.name);
			break;
		}
	}
	if (down[0] != '\0')
		daemon_alarm(d, ALARM_LINK, "%s", down);
	else
		daemon_alarm_clear(d, ALARM_LINK);
}

static void
watch_workers(struct daemon *d)
{
	unsigned int i, n_stuck = 0, stuck = 0;

	for (i = 0; i < d->n_workers; i++) {
		uint64_t n_loops = __atomic_load_n(&d->workers[i].n_loops, __ATOMIC_RELAXED);

		if (n_loops == d->heartbeats[i]) {
			n_stuck++;
			stuck = d->settings->cores[i];
		}
		d->heartbeats[i] = n_loops;
	}
	if (n_stuck > 0)
		daemon_alarm(d, ALARM_WORKER, "the worker on core %u does not move", stuck);
	else
		daemon_alarm_clear(d, ALARM_WORKER);
}

static void
watch_mirror(struct daemon *d)
{
	struct writer_status s = { .lost = 0 };
	uint64_t lost = 0;
	unsigned int i;

	if (d->writer != NULL)
		writer_status(d->writer, &s);
	for (i = 0; i < d->n_workers; i++)
		lost += stats_read(&d->workers[i].stats.mirror_lost).packets;
	lost += s.lost;
	if (s.is_failing)
		daemon_alarm(d, ALARM_MIRROR, "the mirror cannot be written: %s", s.error);
	else if (lost > d->lost_before && d->writer == NULL)
		daemon_alarm(d, ALARM_MIRROR,
			"the policy mirrors, but trefoild.ini has no [mirror] dir: copies are "
			"lost");
	else if (lost > d->lost_before)
		daemon_alarm(d, ALARM_MIRROR, "the mirror loses copies: its disk is too slow");
	else
		daemon_alarm_clear(d, ALARM_MIRROR);
	d->lost_before = lost;
}

void
daemon_watch(struct daemon *d)
{
	struct err_list errors = { .n = 0 };
	char text[1024];

	watch_links(d);
	watch_workers(d);
	watch_mirror(d);
	if (d->geo == NULL || is_stale(d) == d->is_stale)
		return;
	if (push_again(d, "the age of the geo data changed", &errors) != 0 && errors.n > 0)
		daemon_log("%s", err_format(&errors.items[0], text, sizeof(text)));
}
