/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Numbers are taken from the answers to "status" and "counters", so that they are the same to the
 * packet. Labels are from closed lists (reasons, causes, countries, special keys, alarms), from the
 * settings (ports, cores, wires), or chosen (the largest ASNs), so that their number is bounded.
 */
#include "metrics_page.h"

#include "report.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* Of alarms, in the order of enum alarm_kind. */
static const char *const alarm_names[] = { "policy", "geo", "stale", "mirror", "link", "worker",
	"load", "audit", "access", "store", "rollback" };
static_assert(N(alarm_names) == ALARM_N, "every alarm has a name: add it, and to trefoild(8)");

/* One counter of each member of an object: {"IE":{"packets":..}}. */
struct column {
	const char *key;
	struct metrics_family family;
};

static uint64_t
count_of(const json_t *object, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(object, key));
}

static void
write_one(struct metrics *m, const struct metrics_family *f, const char *label, const char *value,
	double number)
{
	const struct metrics_label labels[] = { { label, value } };

	metrics_family(m, f);
	metrics_value(m, labels, label != NULL ? 1 : 0, number);
}

static void
write_columns(struct metrics *m, json_t *members, const char *label, const struct column *columns,
	size_t n)
{
	const char *name;
	json_t *member;
	size_t i;

	for (i = 0; i < n; i++) {
		metrics_family(m, &columns[i].family);
		json_object_foreach(members, name, member)
		{
			const struct metrics_label labels[] = { { label, name } };

			metrics_count(m, labels, 1, count_of(member, columns[i].key));
		}
	}
}

static void
write_totals(struct metrics *m, const json_t *counters)
{
	static const struct {
		const char *key;
		struct metrics_family packets, bytes;
	} totals[] = {
		{ "rx",
			{ "trefoil_received_packets", METRICS_COUNTER,
				"Frames received, also those a port had no buffer for." },
			{ "trefoil_received_bytes", METRICS_COUNTER,
				"Bytes of frames received." } },
		{ "forwarded", { "trefoil_forwarded_packets", METRICS_COUNTER, "Frames sent on." },
			{ "trefoil_forwarded_bytes", METRICS_COUNTER,
				"Bytes of frames sent on." } },
		{ "dropped",
			{ "trefoil_dropped_packets", METRICS_COUNTER,
				"Frames not sent on, by verdict or because they were lost." },
			{ "trefoil_dropped_bytes", METRICS_COUNTER,
				"Bytes of frames not sent on." } },
		{ "mirrored",
			{ "trefoil_mirrored_packets", METRICS_COUNTER,
				"Copies offered to the mirror." },
			{ "trefoil_mirrored_bytes", METRICS_COUNTER,
				"Bytes of frames of which a copy was offered to the mirror." } },
	};
	size_t i;

	for (i = 0; i < N(totals); i++) {
		const json_t *pair = json_object_get(counters, totals[i].key);

		metrics_family(m, &totals[i].packets);
		metrics_count(m, NULL, 0, count_of(pair, "packets"));
		metrics_family(m, &totals[i].bytes);
		metrics_count(m, NULL, 0, count_of(pair, "bytes"));
	}
}

/* Every reason from the start, so that a first frame is an increase and not a new series. */
static void
write_reasons(struct metrics *m, const json_t *counters)
{
	static const struct metrics_family packets = { "trefoil_reason_packets", METRICS_COUNTER,
		"Frames by reason and by what became of them; they add up to all received." };
	static const struct metrics_family bytes = { "trefoil_reason_bytes", METRICS_COUNTER,
		"Bytes of frames by reason." };
	static const struct metrics_family shadow = { "trefoil_shadow_packets", METRICS_COUNTER,
		"Frames that mode = shadow forwarded, by the reason for which they would have been "
		"dropped." };
	static const char *const fates[] = { "forwarded", "dropped" };
	const json_t *reasons = json_object_get(counters, "reasons");
	const json_t *shadows = json_object_get(counters, "shadow");
	struct metrics_label labels[] = { { "reason", NULL }, { "fate", NULL } };
	unsigned int i;

	metrics_family(m, &packets);
	for (i = 2; i < 2 * REASON_N; i++) {
		labels[0].value = reason_name((reason_t)(i / 2));
		labels[1].value = fates[i % 2];
		metrics_count(m, labels, 2,
			count_of(json_object_get(reasons, labels[0].value), labels[1].value));
	}
	metrics_family(m, &bytes);
	for (i = 1; i < REASON_N; i++) {
		labels[0].value = reason_name((reason_t)i);
		metrics_count(
			m, labels, 1, count_of(json_object_get(reasons, labels[0].value), "bytes"));
	}
	metrics_family(m, &shadow);
	for (i = 1; i < REASON_N; i++) {
		labels[0].value = reason_name((reason_t)i);
		metrics_count(m, labels, 1,
			count_of(json_object_get(shadows, labels[0].value), "packets"));
	}
}

static void
write_places(struct metrics *m, const json_t *counters)
{
	static const struct column countries[] = {
		{ "packets", { "trefoil_country_packets", METRICS_COUNTER,
				     "Judged frames by country of the deciding address." } },
		{ "bytes", { "trefoil_country_bytes", METRICS_COUNTER,
				   "Bytes of judged frames by country of the deciding address." } },
		{ "dropped", { "trefoil_country_dropped_packets", METRICS_COUNTER,
				     "Of these, frames that were dropped." } },
		{ "mirrored", { "trefoil_country_mirrored_packets", METRICS_COUNTER,
				      "Of these, frames that were mirrored." } },
	};
	static const struct column specials[] = {
		{ "packets",
			{ "trefoil_special_packets", METRICS_COUNTER,
				"Judged frames by special-purpose key of the deciding address." } },
		{ "dropped", { "trefoil_special_dropped_packets", METRICS_COUNTER,
				     "Of these, frames that were dropped." } },
	};
	static const struct column inbound[] = {
		{ "packets",
			{ "trefoil_inbound_packets", METRICS_COUNTER,
				"Frames that inbound = pass let in unjudged, by country of the "
				"outermost source." } },
		{ "bytes", { "trefoil_inbound_bytes", METRICS_COUNTER,
				   "Bytes of frames that inbound = pass let in unjudged." } },
	};

	write_columns(
		m, json_object_get(counters, "countries"), "country", countries, N(countries));
	write_columns(m, json_object_get(counters, "specials"), "special", specials, N(specials));
	write_columns(m, json_object_get(counters, "inbound"), "country", inbound, N(inbound));
}

static const struct column asn_columns[METRICS_TOP_VALUES] = {
	{ "packets", { "trefoil_asn_packets", METRICS_COUNTER,
			     "Judged frames of the ASNs with most of them; other: those of all "
			     "ASNs while "
			     "they are not among these." } },
	{ "bytes",
		{ "trefoil_asn_bytes", METRICS_COUNTER, "Bytes of judged frames of these ASNs." } },
	{ "dropped", { "trefoil_asn_dropped_packets", METRICS_COUNTER,
			     "Of the judged frames of these ASNs, those that were dropped." } },
	{ "mirrored", { "trefoil_asn_mirrored_packets", METRICS_COUNTER,
			      "Of the judged frames of these ASNs, those that were mirrored." } },
};

static int
compare_members(const void *a, const void *b)
{
	const struct metrics_member *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* {"AS13335":{..}} as members sorted by number. NULL + ENOMEM. */
static struct metrics_member *
read_asns(json_t *asns)
{
	struct metrics_member *members = calloc(json_object_size(asns) + 1, sizeof(*members));
	struct metrics_member *next = members;
	const char *name;
	json_t *asn;
	size_t i;

	if (members == NULL)
		return NULL;
	json_object_foreach(asns, name, asn)
	{
		next->id = (uint32_t)strtoul(name + strlen("AS"), NULL, 10);
		for (i = 0; i < N(asn_columns); i++)
			next->values[i] = count_of(asn, asn_columns[i].key);
		next++;
	}
	qsort(members, json_object_size(asns), sizeof(*members), compare_members);
	return members;
}

static void
write_asn_column(struct metrics *m, const struct metrics_member *members, size_t n, size_t column,
	uint64_t other)
{
	char name[16];
	const struct metrics_label label = { "asn", name };
	size_t i;

	metrics_family(m, &asn_columns[column].family);
	for (i = 0; i < n; i++) {
		if (!members[i].is_listed)
			continue;
		snprintf(name, sizeof(name), "AS%" PRIu32, members[i].id);
		metrics_count(m, &label, 1, members[i].values[column]);
	}
	snprintf(name, sizeof(name), "other");
	metrics_count(m, &label, 1, other);
}

static int
write_asns(struct metrics *m, const json_t *counters, struct metrics_top *top)
{
	json_t *asns = json_object_get(counters, "asns");
	struct metrics_member *members = read_asns(asns);
	uint64_t other[METRICS_TOP_VALUES];
	size_t i, n = json_object_size(asns);
	int status = -ENOMEM;

	if (members != NULL)
		status = metrics_top_update(top, members, n, other);
	for (i = 0; i < N(asn_columns) && status == 0; i++)
		write_asn_column(m, members, n, i, other[i]);
	free(members);
	return status;
}

static void
write_port_traffic(struct metrics *m, json_t *ports, const char *key, const char *unit,
	const struct metrics_family *f)
{
	const char *name;
	json_t *port;

	metrics_family(m, f);
	json_object_foreach(ports, name, port)
	{
		const struct metrics_label label = { "port", name };

		metrics_count(m, &label, 1, count_of(json_object_get(port, key), unit));
	}
}

static void
write_ports(struct metrics *m, const json_t *counters)
{
	static const struct {
		const char *key, *unit;
		struct metrics_family family;
	} traffic[] = {
		{ "rx", "packets",
			{ "trefoil_port_received_packets", METRICS_COUNTER,
				"Frames a port received, as the device counts." } },
		{ "rx", "bytes",
			{ "trefoil_port_received_bytes", METRICS_COUNTER,
				"Bytes a port received, as the device counts." } },
		{ "tx", "packets",
			{ "trefoil_port_transmitted_packets", METRICS_COUNTER,
				"Frames a port sent, as the device counts." } },
		{ "tx", "bytes",
			{ "trefoil_port_transmitted_bytes", METRICS_COUNTER,
				"Bytes a port sent, as the device counts." } },
	};
	static const struct column losses[] = {
		{ "missed",
			{ "trefoil_port_missed_packets", METRICS_COUNTER,
				"Frames a port dropped because no worker took them in time." } },
		{ "no_mbuf", { "trefoil_port_no_mbuf_packets", METRICS_COUNTER,
				     "Frames a port dropped because no buffer was free." } },
		{ "errors", { "trefoil_port_errors", METRICS_COUNTER,
				    "Errors of a port, receiving and sending." } },
	};
	json_t *ports = json_object_get(counters, "ports");
	size_t i;

	for (i = 0; i < N(traffic); i++)
		write_port_traffic(m, ports, traffic[i].key, traffic[i].unit, &traffic[i].family);
	write_columns(m, ports, "port", losses, N(losses));
}

static void
write_worker_packets(struct metrics *m, const json_t *counters)
{
	static const struct column columns[] = {
		{ "rx", { "trefoil_worker_received_packets", METRICS_COUNTER,
				"Frames a worker received." } },
		{ "forwarded", { "trefoil_worker_forwarded_packets", METRICS_COUNTER,
				       "Frames a worker sent on." } },
		{ "dropped", { "trefoil_worker_dropped_packets", METRICS_COUNTER,
				     "Frames a worker did not send on." } },
	};
	json_t *workers = json_object_get(counters, "workers"), *worker;
	const char *name;
	size_t i;

	for (i = 0; i < N(columns); i++) {
		metrics_family(m, &columns[i].family);
		json_object_foreach(workers, name, worker)
		{
			const struct metrics_label label = { "core", name + strlen("core ") };

			metrics_count(m, &label, 1,
				count_of(json_object_get(worker, columns[i].key), "packets"));
		}
	}
}

/* What is not known has no sample. */
static void
write_worker_load(struct metrics *m, const json_t *counters)
{
	static const struct {
		const char *key;
		double unit;
		struct metrics_family family;
	} loads[] = {
		{ "busy_percent", 100,
			{ "trefoil_worker_busy_ratio", METRICS_GAUGE,
				"Share of the last second that a worker had frames to handle." } },
		{ "queue_depth", 1,
			{ "trefoil_worker_queue_depth", METRICS_GAUGE,
				"Frames that wait in a worker's receive queues." } },
	};
	json_t *workers = json_object_get(counters, "workers"), *worker;
	const char *name;
	size_t i;

	for (i = 0; i < N(loads); i++) {
		metrics_family(m, &loads[i].family);
		json_object_foreach(workers, name, worker)
		{
			const struct metrics_label label = { "core", name + strlen("core ") };
			const json_t *value = json_object_get(worker, loads[i].key);

			if (json_is_number(value))
				metrics_value(
					m, &label, 1, json_number_value(value) / loads[i].unit);
		}
	}
}

static void
write_mirror(struct metrics *m, const json_t *counters)
{
	static const struct metrics_family enabled = { "trefoil_mirror_enabled", METRICS_GAUGE,
		"1 if there is a mirror." };
	static const struct metrics_family failing = { "trefoil_mirror_failing", METRICS_GAUGE,
		"1 if the mirror cannot write." };
	static const struct metrics_family queued = { "trefoil_mirror_queued_packets",
		METRICS_GAUGE, "Copies that wait to be written." };
	static const struct metrics_family segments = { "trefoil_mirror_segments", METRICS_COUNTER,
		"Files the mirror has begun." };
	static const struct metrics_family written = { "trefoil_mirror_written_packets",
		METRICS_COUNTER, "Copies written." };
	static const struct metrics_family lost = { "trefoil_mirror_lost_packets", METRICS_COUNTER,
		"Copies not written, by cause." };
	const json_t *mirror = json_object_get(counters, "mirror");
	json_t *causes = json_object_get(mirror, "lost_by"), *cause;
	const char *name;

	write_one(m, &enabled, NULL, NULL, json_is_true(json_object_get(mirror, "enabled")));
	if (!json_is_true(json_object_get(mirror, "enabled")))
		return;
	write_one(m, &failing, NULL, NULL, json_is_true(json_object_get(mirror, "failing")));
	write_one(m, &queued, NULL, NULL, (double)count_of(mirror, "queued"));
	metrics_family(m, &segments);
	metrics_count(m, NULL, 0, count_of(mirror, "segments"));
	metrics_family(m, &written);
	metrics_count(m, NULL, 0, count_of(mirror, "written"));
	metrics_family(m, &lost);
	json_object_foreach(causes, name, cause)
	{
		const struct metrics_label label = { "cause", name };

		metrics_count(m, &label, 1, (uint64_t)json_integer_value(cause));
	}
}

static void
write_generation(struct metrics *m, const struct daemon *d)
{
	static const struct metrics_family info = { "trefoil_policy", METRICS_INFO,
		"The policy that judges." };
	static const struct metrics_family forwarding = { "trefoil_forwarding", METRICS_GAUGE,
		"1 if a ruleset judges, 0 if everything is dropped (no-policy)." };
	static const struct metrics_family number = { "trefoil_generation", METRICS_GAUGE,
		"Number of the generation that judges, 0 = none." };
	static const struct metrics_family confirmed = { "trefoil_generation_confirmed",
		METRICS_GAUGE, "0 while the running generation waits for its confirmation." };
	const struct generation *g = publisher_get(d->publisher);

	write_one(m, &forwarding, NULL, NULL, g != NULL);
	write_one(m, &number, NULL, NULL, g != NULL ? g->number : 0);
	write_one(m, &confirmed, NULL, NULL, d->running.state != STORE_UNCONFIRMED);
	if (g == NULL)
		return;
	metrics_family(m, &info);
	metrics_count(m,
		(const struct metrics_label[]){ { "policy", g->policy->name },
			{ "mode", g->policy->mode == POLICY_SHADOW ? "shadow" : "enforce" },
			{ "sha256", g->policy->sha256 } },
		3, 1);
}

static void
write_geo(struct metrics *m, const struct daemon *d)
{
	static const struct metrics_family built = { "trefoil_geo_built_timestamp_seconds",
		METRICS_GAUGE, "When the geo table was built." };
	static const struct metrics_family stale = { "trefoil_geo_stale", METRICS_GAUGE,
		"1 if the geo data is older than max_geo_age_days." };
	static const struct metrics_family ranges = { "trefoil_geo_ranges", METRICS_GAUGE,
		"Ranges of the geo table by family." };

	if (d->geo == NULL)
		return;
	write_one(m, &built, NULL, NULL, (double)d->geo->table->built_at);
	write_one(m, &stale, NULL, NULL, daemon_has_old_data(d));
	write_one(m, &ranges, "family", "ipv4", (double)d->geo->table->n_ranges4);
	metrics_value(m, (const struct metrics_label[]){ { "family", "ipv6" } }, 1,
		(double)d->geo->table->n_ranges6);
}

static void
write_links(struct metrics *m, const struct daemon *d)
{
	static const struct metrics_family up = { "trefoil_link_up", METRICS_GAUGE,
		"1 if a port has a link." };
	unsigned int i;

	metrics_family(m, &up);
	for (i = 0; i < 2 * d->wires.n; i++) {
		const struct wire *w = &d->wires.items[i / 2];
		const struct port *port = i % 2 == 0 ? &w->inside : &w->outside;
		const struct metrics_label labels[] = { { "wire", w->settings->name },
			{ "side", i % 2 == 0 ? "inside" : "outside" }, { "port", port->name } };

		metrics_value(m, labels, 3, __atomic_load_n(&port->link_up, __ATOMIC_RELAXED));
	}
}

static void
write_daemon(struct metrics *m, const struct daemon *d)
{
	static const struct metrics_family build = { "trefoil_build", METRICS_INFO,
		"Version of the daemon." };
	static const struct metrics_family uptime = { "trefoil_uptime_seconds", METRICS_GAUGE,
		"Since the start." };
	static const struct metrics_family alarms = { "trefoil_alarm", METRICS_GAUGE,
		"1 while an alarm is raised; its text is in trefoilctl status." };
	const struct metrics_label version = { "version", TREFOIL_VERSION };
	struct timespec now;
	unsigned int i;

	clock_gettime(CLOCK_MONOTONIC, &now);
	metrics_family(m, &build);
	metrics_count(m, &version, 1, 1);
	write_one(m, &uptime, NULL, NULL, (double)((uint64_t)now.tv_sec - d->started_s));
	metrics_family(m, &alarms);
	for (i = 0; i < ALARM_N; i++) {
		const struct metrics_label label = { "alarm", alarm_names[i] };

		metrics_value(m, &label, 1, d->alarms[i][0] != '\0');
	}
}

char *
metrics_page(struct daemon *d, struct metrics_top *asns, enum metrics_format format, size_t *size)
{
	json_t *counters = report_all_counters(d);
	int status = -ENOMEM;
	struct metrics m;
	char *text;

	if (counters == NULL || metrics_begin(&m, format) != 0) {
		json_decref(counters);
		errno = ENOMEM;
		return NULL;
	}
	write_daemon(&m, d);
	write_generation(&m, d);
	write_geo(&m, d);
	write_links(&m, d);
	write_totals(&m, counters);
	write_reasons(&m, counters);
	write_places(&m, counters);
	status = write_asns(&m, counters, asns);
	write_ports(&m, counters);
	write_worker_packets(&m, counters);
	write_worker_load(&m, counters);
	write_mirror(&m, counters);
	json_decref(counters);
	text = metrics_end(&m, size);
	if (text != NULL && status == 0)
		return text;
	free(text);
	errno = ENOMEM;
	return NULL;
}

bool
metrics_health(const struct daemon *d, char *text, size_t size)
{
	bool is_closed = publisher_get(d->publisher) == NULL;
	bool is_well = !is_closed && d->alarms[ALARM_WORKER][0] == '\0';
	size_t at;
	unsigned int i;

	at = (size_t)snprintf(text, size, "%s\n",
		is_well     ? "ok"
		: is_closed ? "closed: no policy judges, everything is dropped"
			    : "a worker does not move");
	for (i = 0; i < ALARM_N && at < size; i++)
		if (d->alarms[i][0] != '\0')
			at += (size_t)snprintf(text + at, size - at, "alarm %s: %s\n",
				alarm_names[i], d->alarms[i]);
	return is_well;
}
