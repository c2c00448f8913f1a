/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables say which key is shown where and how; three loops print them: of fields, of rows, of
 * totals. */
#include "view.h"

#include "print.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define N_COLUMNS 12
#define N(array)  (sizeof(array) / sizeof((array)[0]))

enum format {
	TEXT,  /* strings, numbers and yes/no as they are; each item of an array on its line */
	COUNT, /* packets; of {packets, bytes} the packets */
	BYTES, /* of {packets, bytes} the bytes */
	DAYS,
	DURATION, /* seconds */
	SPEED,    /* Mbit/s; 0 and 2^32-1 = unknown */
	PERCENT,
	LINK,    /* true = up */
	COUNTRY, /* null = unknown */
	ASN,     /* 0 = unknown */
	RANGE,   /* "first - last" of an object that has both */
};

struct field {
	const char *label;
	const char *path; /* keys with dots between, "" = the object itself */
	enum format format;
};

struct view {
	const char *key;    /* of the object or array that holds the rows */
	const char *label;  /* head of the column with the key of each row, NULL = an array */
	const char *weight; /* path of what to sort by, NULL = as they come */
	struct field columns[N_COLUMNS];
};

const char *const view_counters_by[] = { "reason", "country", "asn", "rule", "port", "worker",
	NULL };

static const json_t *
json_at(const json_t *object, const char *path)
{
	size_t length;

	for (; *path != '\0' && object != NULL; path += length + (path[length] == '.')) {
		length = strcspn(path, ".");
		object = json_object_getn(object, path, length);
	}
	return object;
}

static uint64_t
number_of(const json_t *value, const char *part)
{
	double real;

	if (json_is_object(value))
		value = json_object_get(value, part);
	real = json_number_value(value);
	if (!(real > 0 && real < 0x1p64))
		return 0;
	return json_is_integer(value) ? (uint64_t)json_integer_value(value) : (uint64_t)real;
}

static bool
is_number(const json_t *value, const char *part)
{
	return json_is_number(json_is_object(value) ? json_object_get(value, part) : value);
}

/* What a value is, without a format of its own. NULL = nothing to show. */
static char *
text_plain(const json_t *value)
{
	char buf[64];

	if (json_is_string(value))
		return print_safe(json_string_value(value));
	if (json_is_boolean(value))
		return strdup(json_is_true(value) ? "yes" : "no");
	if (!json_is_number(value))
		return NULL;
	if (json_is_integer(value))
		snprintf(buf, sizeof(buf), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else
		snprintf(buf, sizeof(buf), "%.1f", json_real_value(value));
	return strdup(buf);
}

static char *
text_range(const json_t *object)
{
	char *first = text_plain(json_object_get(object, "first"));
	char *last = text_plain(json_object_get(object, "last"));
	char *text = NULL;

	if (first != NULL && last != NULL && asprintf(&text, "%s - %s", first, last) < 0)
		text = NULL;
	free(first);
	free(last);
	return text;
}

/* Numbers with what they count. NULL = not a number, or a format that is none. */
static char *
text_number(const json_t *value, enum format format)
{
	char buf[64];

	if (!is_number(value, format == BYTES ? "bytes" : "packets"))
		return NULL;
	if (format == COUNT)
		return strdup(print_count(number_of(value, "packets"), buf, sizeof(buf)));
	if (format == BYTES)
		return strdup(print_bytes(number_of(value, "bytes"), buf, sizeof(buf)));
	if (format == DURATION)
		return strdup(print_duration(number_of(value, NULL), buf, sizeof(buf)));
	if (format == SPEED &&
		(number_of(value, NULL) == 0 || number_of(value, NULL) >= UINT32_MAX))
		return NULL;
	snprintf(buf, sizeof(buf), "%.*f%s", format == PERCENT, json_number_value(value),
		format == PERCENT ? "%"
		: format == SPEED ? " Mbit/s"
				  : " days");
	return strdup(buf);
}

/* For free(); NULL = nothing to show. */
static char *
text_of(const json_t *value, enum format format)
{
	char buf[32];

	switch (format) {
	case TEXT:
		return text_plain(value);
	case LINK:
		if (!json_is_boolean(value))
			return text_plain(value);
		return strdup(json_is_true(value) ? "up" : "down");
	case COUNTRY:
		return json_is_null(value) ? strdup("unknown") : text_plain(value);
	case ASN:
		if (!json_is_integer(value))
			return text_plain(value);
		snprintf(buf, sizeof(buf), "AS%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return strdup(json_integer_value(value) == 0 ? "unknown" : buf);
	case RANGE:
		return text_range(value);
	default:
		return text_number(value, format);
	}
}

static void
show_field(const char *label, const json_t *value, enum format format, FILE *out)
{
	char *text = text_of(value, format);

	if (text != NULL)
		fprintf(out, "%-14s %s\n", label, text);
	free(text);
}

/* Fields that are there, one a line. */
static void
show_fields(const json_t *object, const struct field *fields, size_t n, FILE *out)
{
	const json_t *value;
	size_t i, k;

	for (i = 0; i < n; i++) {
		value = json_at(object, fields[i].path);
		if (!json_is_array(value))
			show_field(fields[i].label, value, fields[i].format, out);
		for (k = 0; k < json_array_size(value); k++)
			show_field(k == 0 ? fields[i].label : "", json_array_get(value, k),
				fields[i].format, out);
	}
}

static void
add_row(struct table *t, const struct view *view, const char *key, const json_t *row)
{
	const struct field *column;
	const json_t *weight = view->weight != NULL ? json_at(row, view->weight) : NULL;

	table_row(t, number_of(weight, "bytes"));
	if (view->label != NULL)
		table_cell(t, print_safe(key), false);
	for (column = view->columns; column->label != NULL; column++)
		table_cell(t, text_of(json_at(row, column->path), column->format),
			column->format == COUNT || column->format == BYTES ||
				column->format == PERCENT);
}

/* Returns the number of rows. */
static size_t
show_rows(const json_t *object, const struct view *view, FILE *out)
{
	const char *heads[N_COLUMNS + 2] = { NULL };
	json_t *rows = json_object_get(object, view->key);
	size_t i, n = 0, n_heads = 0;
	struct table *t;
	void *at;

	if (view->label != NULL)
		heads[n_heads++] = view->label;
	for (i = 0; view->columns[i].label != NULL; i++)
		heads[n_heads++] = view->columns[i].label;
	t = table_new(heads);
	if (view->label == NULL)
		for (; n < json_array_size(rows); n++)
			add_row(t, view, NULL, json_array_get(rows, n));
	else
		for (at = json_object_iter(rows); at != NULL;
			at = json_object_iter_next(rows, at), n++)
			add_row(t, view, json_object_iter_key(at), json_object_iter_value(at));
	if (n > 0)
		fputc('\n', out);
	table_end(t, out);
	return n;
}

void
view_mirror(const json_t *result, FILE *out)
{
	static const struct field fields[] = {
		{ "mirror", "enabled", TEXT },
		{ "  format", "format", TEXT },
		{ "  directory", "dir", TEXT },
		{ "  segment", "segment", TEXT },
		{ "  segments", "segments", COUNT },
		{ "  written", "written", COUNT },
		{ "  lost", "lost", COUNT },
		{ "  queued", "queued", COUNT },
		{ "  evidence", "evidence.bytes", COUNT },
		{ "  chain lines", "evidence.chain.lines", COUNT },
		{ "  chain head", "evidence.chain.sha256", TEXT },
		{ "  key", "evidence.chain.key", TEXT },
		{ "  segment", "held", TEXT },
	};
	const json_t *mirror = json_object_get(result, "mirror");

	show_fields(json_is_object(mirror) ? mirror : result, fields, N(fields), out);
}

void
view_segments(const json_t *result, FILE *out)
{
	static const struct view view = { "segments", NULL, NULL,
		{ { "SEGMENT", "segment", TEXT }, { "BYTES", "bytes", COUNT },
			{ "PACKETS", "packets", COUNT }, { "CLOSED", "closed", TEXT },
			{ "HELD", "held", TEXT } } };

	if (show_rows(result, &view, out) == 0)
		fputs("no segments\n", out);
}

static void
show_headline(const json_t *result, FILE *out)
{
	char *name = text_plain(json_object_get(result, "name"));
	char *version = text_plain(json_object_get(result, "version"));
	char *state = text_plain(json_object_get(result, "state"));
	bool is_closed = state != NULL && strcmp(state, "no-policy") == 0;

	fprintf(out, "%s: %s (trefoild %s)\n", name != NULL ? name : "trefoild",
		is_closed       ? "no policy, everything is dropped"
		: state != NULL ? state
				: "running",
		version != NULL ? version : "of unknown version");
	free(name);
	free(version);
	free(state);
}

void
view_status(const json_t *result, FILE *out)
{
	static const struct field fields[] = {
		{ "ALARM", "alarms", TEXT },
		{ "mode", "mode", TEXT },
		{ "up for", "uptime_s", DURATION },
		{ "generation", "generation", COUNT },
		{ "policy", "policy.name", TEXT },
		{ "  file", "policy.file", TEXT },
		{ "  sha256", "policy.sha256", TEXT },
		{ "  pushed by", "policy.pushed_by", TEXT },
		{ "  pushed at", "policy.pushed_at", TEXT },
		{ "  message", "policy.message", TEXT },
		{ "  confirmed", "policy.confirmed", TEXT },
		{ "  time left", "policy.confirm_left_s", DURATION },
		{ "rolled back", "policy.rolled_back.generation", COUNT },
		{ "  why", "policy.rolled_back.note", TEXT },
		{ "waiting", "waiting", TEXT },
		{ "geo table", "geo.file", TEXT },
		{ "  sha256", "geo.sha256", TEXT },
		{ "  built at", "geo.built_at", TEXT },
		{ "  age", "geo.age_days", DAYS },
		{ "  stale", "geo.stale", TEXT },
		{ "  IPv4", "geo.prefixes4", COUNT },
		{ "  IPv6", "geo.prefixes6", COUNT },
		{ "  IPv4 ranges", "geo.ranges4", COUNT },
		{ "  IPv6 ranges", "geo.ranges6", COUNT },
		{ "  origins", "geo.origins", COUNT },
		{ "audit lines", "audit.lines", COUNT },
		{ "  chain head", "audit.sha256", TEXT },
	};
	static const struct view wires = { "wires", NULL, NULL,
		{ { "WIRE", "name", TEXT }, { "INSIDE", "inside.port", TEXT },
			{ "LINK", "inside.link", LINK }, { "SPEED", "inside.speed_mbps", SPEED },
			{ "OUTSIDE", "outside.port", TEXT }, { "LINK", "outside.link", LINK },
			{ "SPEED", "outside.speed_mbps", SPEED }, { "QUEUES", "queues", COUNT } } };
	static const struct view workers = { "workers", NULL, NULL,
		{ { "CORE", "core", TEXT }, { "RX PACKETS", "rx_packets", COUNT },
			{ "BUSY", "busy_percent", PERCENT },
			{ "CYCLES/PACKET", "cycles_per_packet", COUNT },
			{ "PACKETS/BURST", "packets_per_burst", TEXT },
			{ "WAITING", "queue_depth", COUNT }, { "ALIVE", "alive", TEXT } } };

	show_headline(result, out);
	show_fields(result, fields, N(fields), out);
	if (json_is_object(json_object_get(result, "mirror")))
		view_mirror(result, out);
	show_rows(result, &wires, out);
	show_rows(result, &workers, out);
}

static void
show_totals(const json_t *result, FILE *out)
{
	static const char *const heads[] = { "TOTAL", "PACKETS", "BYTES", NULL };
	static const struct field rows[] = {
		{ "received", "rx", COUNT },
		{ "forwarded", "forwarded", COUNT },
		{ "dropped", "dropped", COUNT },
		{ "mirrored", "mirrored", COUNT },
		{ "copies written", "mirror.written", COUNT },
		{ "copies lost", "mirror.lost", COUNT },
		{ "copies queued", "mirror.queued", COUNT },
	};
	struct table *t = table_new(heads);
	const json_t *value;
	size_t i;

	for (i = 0; i < N(rows); i++) {
		value = json_at(result, rows[i].path);
		table_row(t, 0);
		table_cell(t, print_safe(rows[i].label), false);
		table_cell(t, text_of(value, COUNT), true);
		table_cell(t, json_is_object(value) ? text_of(value, BYTES) : NULL, true);
	}
	table_end(t, out);
}

#define JUDGED                                                                                     \
	{ "PACKETS", "packets", COUNT }, { "BYTES", "bytes", BYTES },                              \
		{ "DROPPED", "dropped", COUNT },                                                   \
	{                                                                                          \
		"MIRRORED", "mirrored", COUNT                                                      \
	}

void
view_counters(const json_t *result, const char *by, FILE *out)
{
	static const struct {
		const char *by;
		bool is_default; /* shown without --by */
		struct view view;
	} views[] = {
		{ "reason", true,
			{ "reasons", "REASON", "bytes",
				{ { "PACKETS", "packets", COUNT }, { "BYTES", "bytes", BYTES },
					{ "FORWARDED", "forwarded", COUNT },
					{ "DROPPED", "dropped", COUNT } } } },
		{ "reason", true,
			{ "shadow", "WOULD BE DROPPED", "bytes",
				{ { "PACKETS", "packets", COUNT },
					{ "BYTES", "bytes", BYTES } } } },
		{ "country", true, { "countries", "COUNTRY", "bytes", { JUDGED } } },
		{ "country", true, { "specials", "SPECIAL", "bytes", { JUDGED } } },
		{ "country", true,
			{ "inbound", "INBOUND FROM", "bytes",
				{ { "PACKETS", "packets", COUNT },
					{ "BYTES", "bytes", BYTES } } } },
		{ "asn", false, { "asns", "ASN", "bytes", { JUDGED, { "NAME", "name", TEXT } } } },
		{ "rule", false, { "rules", "RULE", "bytes", { JUDGED } } },
		{ "port", false,
			{ "ports", "PORT", "rx.bytes",
				{ { "RX PACKETS", "rx", COUNT }, { "RX BYTES", "rx.bytes", BYTES },
					{ "TX PACKETS", "tx", COUNT },
					{ "TX BYTES", "tx.bytes", BYTES },
					{ "MISSED", "missed", COUNT },
					{ "NO MBUF", "no_mbuf", COUNT },
					{ "ERRORS", "errors", COUNT } } } },
		{ "worker", false,
			{ "workers", "WORKER", "rx.bytes",
				{ { "RX", "rx", COUNT }, { "BYTES", "rx.bytes", BYTES },
					{ "FORWARDED", "forwarded", COUNT },
					{ "DROPPED", "dropped", COUNT },
					{ "MIRRORED", "mirrored", COUNT },
					{ "BUSY", "busy_percent", PERCENT },
					{ "CYCLES/BURST", "cycles_per_burst", COUNT },
					{ "CYCLES/PACKET", "cycles_per_packet", COUNT },
					{ "PACKETS/BURST", "packets_per_burst", TEXT },
					{ "WAITING", "queue_depth", COUNT },
					{ "MOST", "queue_depth_max", COUNT } } } },
	};
	size_t i, n = 0;

	show_totals(result, out);
	for (i = 0; i < N(views); i++)
		if (by != NULL ? strcmp(views[i].by, by) == 0 : views[i].is_default)
			n += show_rows(result, &views[i].view, out);
	if (n == 0)
		fprintf(out, "\nnothing counted yet\n");
}

/* "geo-whois says US", one a line. */
static void
show_disagree(const json_t *list, const char *indent, FILE *out)
{
	char *source, *country;
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		source = text_plain(json_object_get(json_array_get(list, i), "source"));
		country = text_plain(json_object_get(json_array_get(list, i), "country"));
		if (source != NULL && country != NULL)
			fprintf(out, "%s%-*s %s says %s\n", indent, 14 - (int)strlen(indent),
				i == 0 ? "disagree" : "", source, country);
		free(source);
		free(country);
	}
}

static void
show_destinations(const json_t *list, FILE *out)
{
	static const struct field fields[] = {
		{ "    verdict", "verdict", TEXT },
		{ "    reason", "reason", TEXT },
		{ "    rule", "rule", TEXT },
		{ "    special", "special", TEXT },
		{ "    country", "country", COUNTRY },
		{ "    AS", "asn", ASN },
		{ "    AS name", "as_name", TEXT },
		{ "    range", "", RANGE },
		{ "    sources", "sources", TEXT },
		{ "    conflict", "conflict", TEXT },
	};
	const json_t *item;
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		item = json_array_get(list, i);
		show_field("  address", json_object_get(item, "address"), TEXT, out);
		if (json_is_true(json_object_get(item, "carrier")))
			fprintf(out, "%-14s the address that it embeds is judged\n", "    carrier");
		else
			show_fields(item, fields, N(fields), out);
		show_disagree(json_object_get(item, "disagree"), "    ", out);
	}
}

void
view_explain(const json_t *result, FILE *out)
{
	static const struct field fields[] = {
		{ "direction", "direction", TEXT },
		{ "layers", "layers", TEXT },
		{ "verdict", "verdict", TEXT },
		{ "reason", "reason", TEXT },
		{ "rule", "rule", TEXT },
		{ "shadows", "shadows", TEXT },
		{ "protocol", "protocol", TEXT },
		{ "decided by", "deciding", TEXT },
		{ "special", "special", TEXT },
		{ "country", "country", COUNTRY },
		{ "AS", "asn", ASN },
		{ "AS name", "as_name", TEXT },
		{ "range", "", RANGE },
		{ "sources", "sources", TEXT },
		{ "conflict", "conflict", TEXT },
		{ "generation", "generation", COUNT },
		{ "geo table", "geo_file", TEXT },
		{ "geo built at", "geo_built_at", TEXT },
	};
	const json_t *destinations = json_object_get(result, "destinations");

	show_field("address", json_object_get(result, "address"), TEXT, out);
	show_fields(result, fields, N(fields), out);
	show_disagree(json_object_get(result, "disagree"), "", out);
	if (json_is_true(json_object_get(result, "shadow")))
		fprintf(out, "%-14s forwarded all the same: mode = shadow\n", "shadow");
	if (json_array_size(destinations) > 1)
		fprintf(out, "judged\n");
	if (json_array_size(destinations) > 1)
		show_destinations(destinations, out);
}

void
view_geo(const json_t *result, FILE *out)
{
	static const struct field fields[] = {
		{ "geo table", "file", TEXT },
		{ "sha256", "sha256", TEXT },
		{ "built at", "built_at", TEXT },
		{ "age", "age_days", DAYS },
		{ "stale", "stale", TEXT },
		{ "IPv4 ranges", "ranges4", COUNT },
		{ "IPv6 ranges", "ranges6", COUNT },
		{ "origins", "origins", COUNT },
		{ "canaries", "canaries", COUNT },
		{ "checks", "checks", TEXT },
	};

	show_fields(result, fields, N(fields), out);
}
