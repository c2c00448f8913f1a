/* SPDX-License-Identifier: BSD-3-Clause */
/* The "status" answer. */
#include "report.h"

#include "audit_log.h"
#include "change.h"
#include "watchdog.h"

#include <string.h>

json_t *
report_time(time_t when)
{
	struct tm utc;
	char text[32];

	gmtime_r(&when, &utc);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
	return json_string(text);
}

/* What was taken back for what runs, until another generation judges: null, or which one and why. Also
 * when that was found at a start, where no new generation was made. */
static json_t *
rolled_back_json(const struct daemon *d)
{
	const struct store_record *r =
		d->store != NULL ? store_newest(d->store, STORE_ROLLED_BACK) : NULL;
	bool is_left = strcmp(d->running.kind, "rollback") == 0;

	if (r == NULL ||
		(r->number < d->running.number && !(is_left && r->number == d->running.parent)))
		return json_null();
	return json_pack("{s:I, s:s}", "generation", (json_int_t)r->number, "note", r->note);
}

static json_t *
policy_json(const struct daemon *d, const struct generation *g)
{
	const struct store_record *r = &d->running;
	bool is_confirmed = r->state != STORE_UNCONFIRMED;

	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:b, s:o, s:o, s:o}", "name",
		g->policy->name, "file", g->policy->file, "sha256", g->policy->sha256, "pushed_by",
		g->pushed_by, "pushed_at", report_time(g->pushed_at), "message", g->message,
		"confirmed", (int)is_confirmed, "confirm_until",
		is_confirmed ? json_null() : report_time((time_t)r->deadline), "confirm_left_s",
		is_confirmed ? json_null() : json_integer(change_left_s(d)), "rolled_back",
		rolled_back_json(d));
}

/* Generations that lack approvals. */
static json_t *
waiting_json(const struct daemon *d)
{
	const struct store_record *records = NULL;
	json_t *list = json_array();
	size_t i, n = 0;

	if (d->store != NULL)
		records = store_list(d->store, &n);
	for (i = 0; i < n; i++)
		if (records[i].state == STORE_WAITING && records[i].parent == d->running.number)
			json_array_append_new(list, json_integer(records[i].number));
	return list;
}

static json_t *
geo_json(const struct daemon *d)
{
	const struct geo_table *t = d->geo->table;

	geo_ref_count(d->geo);
	return json_pack("{s:s, s:s, s:o, s:I, s:b, s:I, s:I, s:I, s:I, s:I}", "file", d->geo->path,
		"sha256", t->sha256, "built_at", report_time((time_t)t->built_at), "age_days",
		(json_int_t)geo_age_days(t, time(NULL)), "stale", (int)d->is_stale, "prefixes4",
		(json_int_t)d->geo->n_prefixes4, "prefixes6", (json_int_t)d->geo->n_prefixes6,
		"ranges4", (json_int_t)t->n_ranges4, "ranges6", (json_int_t)t->n_ranges6, "origins",
		(json_int_t)t->n_origins);
}

static json_t *
port_json(const struct port *port)
{
	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I}", "port", port->name, "link",
		__atomic_load_n(&port->link_up, __ATOMIC_RELAXED) ? "up" : "down", "state",
		port->state != NULL ? port->state : "starting", "speed_mbps",
		(json_int_t)port->speed_mbps, "downs", (json_int_t)port->n_downs, "held",
		(json_int_t)port->n_held, "unplugged", (json_int_t)port->n_unplugged);
}

static json_t *
wires_json(const struct daemon *d)
{
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; i < d->wires.n; i++) {
		const struct wire *w = &d->wires.items[i];

		json_array_append_new(
			list, json_pack("{s:s, s:o, s:o, s:I}", "name", w->settings->name, "inside",
				      port_json(&w->inside), "outside", port_json(&w->outside),
				      "queues", (json_int_t)w->settings->queues));
	}
	return list;
}

static json_t *
workers_json(const struct daemon *d)
{
	json_t *list = json_array(), *worker;
	unsigned int i;

	for (i = 0; i < d->n_workers; i++) {
		const struct worker *w = &d->workers[i];

		worker =
			json_pack("{s:I, s:I, s:b, s:I}", "core", (json_int_t)d->settings->cores[i],
				"rx_packets", (json_int_t)stats_of(&w->stats).rx.packets, "alive",
				(int)(__atomic_load_n(&w->load.n_loops, __ATOMIC_RELAXED) > 0 &&
					watchdog_still_ms(d, i) < WATCHDOG_ALARM_MS),
				"still_ms", (json_int_t)watchdog_still_ms(d, i));
		json_object_update_missing_new(worker, report_load(d, i));
		json_array_append_new(list, worker);
	}
	return list;
}

static uint64_t
sum_rings(const struct daemon *d, uint64_t (*get)(const struct mirror_ring *))
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; d->rings != NULL && i < d->n_workers; i++)
		sum += get(d->rings[i]);
	return sum;
}

/* Without [mirror] dir what the policy mirrors is lost, and counted so. */
static json_t *
no_mirror_json(const struct daemon *d)
{
	return json_pack("{s:b, s:i, s:I, s:i, s:n, s:i, s:b}", "enabled", 0, "written", 0, "lost",
		(json_int_t)daemon_mirror_lost(d), "queued", 0, "segment", "segments", 0, "failing",
		0);
}

/* Offered is read last: what goes on meanwhile counts as queued. */
static json_t *
mirror_json(struct daemon *d)
{
	struct writer_status s = { .written = 0 };
	uint64_t offered, lost = 0;
	unsigned int i;
	json_t *o;

	if (d->writer == NULL)
		return no_mirror_json(d);
	writer_status(d->writer, &s);
	s.causes[CUSTODY_RING] = sum_rings(d, mirror_ring_lost);
	for (i = 0; i < CUSTODY_CAUSES; i++)
		lost += s.causes[i];
	offered = sum_rings(d, mirror_ring_offered);
	o = json_pack("{s:b, s:s, s:s, s:I, s:I, s:I, s:s, s:I, s:b}", "enabled", 1, "format",
		d->settings->mirror_format == CAPTURE_PCAP ? "pcap" : "pcapng", "dir",
		d->settings->mirror_dir, "written", (json_int_t)s.written, "lost", (json_int_t)lost,
		"queued", (json_int_t)(offered - lost - s.written), "segment", s.file, "segments",
		(json_int_t)s.n_files, "failing", (int)s.is_failing);
	json_object_set_new(o, "lost_by", custody_causes_json(s.causes));
	json_object_set_new(o, "evidence", custody_json(writer_custody(d->writer)));
	return o;
}

/* An alarm may quote a path or a policy, cut inside a character. */
static json_t *
alarm_json(const char *text)
{
	json_t *string = json_string(text);
	char ascii[ALARM_SIZE];
	size_t i;

	if (string != NULL)
		return string;
	for (i = 0; text[i] != '\0'; i++)
		ascii[i] = (text[i] & 0x80) != 0 ? '?' : text[i];
	return json_stringn(ascii, i);
}

static json_t *
alarms_json(const struct daemon *d)
{
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; i < ALARM_N; i++)
		if (d->alarms[i][0] != '\0')
			json_array_append_new(list, alarm_json(d->alarms[i]));
	return list;
}

json_t *
report_status(struct daemon *d)
{
	const struct generation *g = publisher_get(d->publisher);
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I}",
		"name", d->settings->name, "version", TREFOIL_VERSION, "mode",
		g == NULL                          ? "closed"
		: g->policy->mode == POLICY_SHADOW ? "shadow"
						   : "enforce",
		"state", g == NULL ? "no-policy" : "forwarding", "generation",
		(json_int_t)(g != NULL ? g->number : 0), "policy",
		g != NULL ? policy_json(d, g) : json_null(), "geo",
		d->geo != NULL ? geo_json(d) : json_null(), "wires", wires_json(d), "workers",
		workers_json(d), "mirror", mirror_json(d), "audit", audit_log_json(d->audit),
		"alarms", alarms_json(d), "waiting", waiting_json(d), "uptime_s",
		(json_int_t)((uint64_t)now.tv_sec - d->started_s));
}
