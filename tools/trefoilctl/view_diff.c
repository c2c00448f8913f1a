/* SPDX-License-Identifier: BSD-3-Clause */
/* What a candidate would change, for people: the sum first, then rules, countries, AS, ranges. */
#include "view.h"

#include "print.h"

#include <stdlib.h>
#include <string.h>

/* Text of a member, escaped, for free(); "-" when there is none. */
static char *
text_at(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return print_safe(text != NULL ? text : "-");
}

static double
number_at(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

static json_int_t
integer_at(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

/* "1.80 %", or "0.50 to 1.80 %" where counters cannot tell. */
static const char *
share_text(const json_t *share, char *buf, size_t size)
{
	double most = number_at(share, "percent"), certain = number_at(share, "certain_percent");

	if (certain == most)
		snprintf(buf, size, "%.2f %%", most);
	else
		snprintf(buf, size, "%.2f to %.2f %%", certain, most);
	return buf;
}

/* "312 prefixes (79,872 addresses, 3 IPv6 /64)". */
static char *
size_text(const json_t *size)
{
	char a[32], b[32], c[32], *text;

	print_count((uint64_t)(integer_at(size, "prefixes4") + integer_at(size, "prefixes6")), a,
		sizeof(a));
	print_count((uint64_t)number_at(size, "addresses4"), b, sizeof(b));
	print_count((uint64_t)number_at(size, "nets6"), c, sizeof(c));
	if (asprintf(&text, "%s prefixes: %s IPv4 addresses, %s IPv6 /64", a, b, c) < 0)
		return NULL;
	return text;
}

/* "EE", "private" or "unknown", for free(); NULL where the row is not about one. */
static char *
place_text(const json_t *end)
{
	const json_t *country = json_object_get(end, "country");

	if (json_is_string(json_object_get(end, "special")))
		return text_at(end, "special");
	if (country == NULL)
		return NULL;
	return json_is_string(country) ? text_at(end, "country") : strdup("unknown");
}

static void
show_arrow(const char *before, const char *after, FILE *out)
{
	if (strcmp(before, after) == 0)
		fprintf(out, " %s", before);
	else
		fprintf(out, " %s -> %s", before, after);
}

/* " EE -> XK pass -> drop+mirror" */
static void
show_ends(const json_t *row, FILE *out)
{
	const json_t *before = json_object_get(row, "before"),
		     *after = json_object_get(row, "after");
	char *from = place_text(before), *to = place_text(after);
	char *verdict = text_at(before, "verdict"), *new_verdict = text_at(after, "verdict");

	if (from != NULL && to != NULL)
		show_arrow(from, to, out);
	show_arrow(verdict, new_verdict, out);
	free(from);
	free(to);
	free(verdict);
	free(new_verdict);
}

static void
show_row(const json_t *row, FILE *out)
{
	char share[64], *size = size_text(json_object_get(row, "space")), *name;
	const json_t *traffic = json_object_get(row, "traffic");

	fputs(" ", out);
	if (json_object_get(row, "asn") != NULL) {
		name = text_at(row, "as_name");
		fprintf(out, " AS%" JSON_INTEGER_FORMAT " %s", integer_at(row, "asn"), name);
		free(name);
	}
	show_ends(row, out);
	fprintf(out, ": %s", size != NULL ? size : "-");
	if (integer_at(traffic, "bytes") > 0)
		fprintf(out, "; %s of bytes", share_text(traffic, share, sizeof(share)));
	fputc('\n', out);
	free(size);
}

static void
show_rows(const json_t *result, const char *key, const char *n_key, const char *title, FILE *out)
{
	const json_t *rows = json_object_get(result, key);
	json_int_t n = integer_at(result, n_key);
	size_t i;

	if (json_array_size(rows) > 0)
		fprintf(out, "\n%s\n", title);
	for (i = 0; i < json_array_size(rows); i++)
		show_row(json_array_get(rows, i), out);
	if ((size_t)n > i)
		fprintf(out, "  ... and %lld more%s%s\n", (long long)(n - (json_int_t)i),
			i == 0 ? " " : " (--limit)", i == 0 ? title : "");
}

static void
show_rules(const json_t *result, FILE *out)
{
	const json_t *rules = json_object_get(result, "rules"), *rule;
	char *before, *after;
	size_t i;

	if (json_array_size(rules) > 0)
		fputs("\nrules\n", out);
	for (i = 0; i < json_array_size(rules); i++) {
		rule = json_array_get(rules, i);
		before = text_at(rule, "before");
		after = text_at(rule, "after");
		if (json_is_string(json_object_get(rule, "before")))
			fprintf(out, "  - %s\n", before);
		if (json_is_string(json_object_get(rule, "after")))
			fprintf(out, "  + %s\n", after);
		free(before);
		free(after);
	}
	if (integer_at(result, "n_rules") > (json_int_t)i)
		fprintf(out, "  ... and %lld more rules\n",
			(long long)(integer_at(result, "n_rules") - (json_int_t)i));
}

static void
show_settings(const json_t *result, FILE *out)
{
	const json_t *settings = json_object_get(result, "settings"), *setting;
	char *key, *before, *after;
	size_t i;

	for (i = 0; i < json_array_size(settings); i++) {
		setting = json_array_get(settings, i);
		key = text_at(setting, "key");
		before = text_at(setting, "before");
		after = text_at(setting, "after");
		fprintf(out, "%s changes: %s -> %s\n", key, before, after);
		free(key);
		free(before);
		free(after);
	}
}

static void
show_ranges(const json_t *result, FILE *out)
{
	const json_t *changes = json_object_get(result, "changes"), *change;
	json_int_t n = integer_at(result, "n_changes");
	char *first, *last;
	size_t i;

	if (json_array_size(changes) > 0)
		fputs("\nranges whose verdict changes, IPv4 first, largest first\n", out);
	for (i = 0; i < json_array_size(changes); i++) {
		change = json_array_get(changes, i);
		first = text_at(change, "first");
		last = text_at(change, "last");
		fprintf(out, "  %s - %s ", first, last);
		show_ends(change, out);
		fputc('\n', out);
		free(first);
		free(last);
	}
	if ((size_t)n > i)
		fprintf(out, "  ... and %lld more ranges (--limit)\n",
			(long long)(n - (json_int_t)i));
}

static void
show_space(const json_t *space, const char *key, const char *what, FILE *out)
{
	const json_t *size = json_object_get(space, key);
	char *text = size_text(size);

	fprintf(out, "%-18s %s; %.3f %% of the known space\n", what, text != NULL ? text : "-",
		number_at(size, "percent"));
	free(text);
}

static void
show_traffic(const json_t *traffic, FILE *out)
{
	const json_t *affected = json_object_get(traffic, "affected");
	char bytes[32], window[32], share[64];

	print_bytes((uint64_t)integer_at(traffic, "bytes"), bytes, sizeof(bytes));
	print_duration((uint64_t)integer_at(traffic, "window_s"), window, sizeof(window));
	if (integer_at(traffic, "bytes") == 0)
		fprintf(out, "%-18s none was judged in the last %s\n", "traffic", window);
	else
		fprintf(out, "%-18s %s of %s judged in the last %s\n", "traffic affected",
			share_text(affected, share, sizeof(share)), bytes, window);
}

static void
show_frames(const json_t *traffic, FILE *out)
{
	const json_t *frames = json_object_get(traffic, "frames"), *row;
	char share[64], *name;
	size_t i;

	for (i = 0; i < json_array_size(frames); i++) {
		row = json_array_get(frames, i);
		name = text_at(row, "frames");
		fprintf(out, "  %s frames: %s of bytes\n", name,
			share_text(json_object_get(row, "traffic"), share, sizeof(share)));
		free(name);
	}
}

/* "next.ini against generation 7", "next.tgt with policy.ini against generation 7". */
static void
show_candidate(const json_t *result, FILE *out)
{
	const json_t *before = json_object_get(result, "before");
	const json_t *after = json_object_get(result, "after");
	bool is_data = !json_equal(
		json_object_get(before, "geo_sha256"), json_object_get(after, "geo_sha256"));
	char *file = text_at(after, "file"), *table = text_at(after, "geo_file");

	fprintf(out, "%-18s %s%s%s against generation %" JSON_INTEGER_FORMAT "\n", "candidate",
		is_data ? table : "", is_data ? " with " : "", file,
		integer_at(result, "generation"));
	free(file);
	free(table);
}

void
view_diff(const json_t *result, FILE *out)
{
	const json_t *space = json_object_get(result, "space");
	const json_t *traffic = json_object_get(result, "traffic");

	show_candidate(result, out);
	show_settings(result, out);
	show_space(space, "changed", "verdict changes", out);
	show_space(space, "moved", "origin changes", out);
	show_traffic(traffic, out);
	show_frames(traffic, out);
	show_rules(result, out);
	show_rows(result, "countries", "n_countries", "countries", out);
	show_rows(result, "asns", "n_asns", "autonomous systems", out);
	show_ranges(result, out);
}
