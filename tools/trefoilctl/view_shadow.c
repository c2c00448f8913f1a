/* SPDX-License-Identifier: BSD-3-Clause */
/* What a candidate would have done otherwise, for people. */
#include "view.h"

#include "print.h"

#include <stdlib.h>

static uint64_t
number_at(const json_t *o, const char *part, const char *key)
{
	const json_t *value = json_object_get(part != NULL ? json_object_get(o, part) : o, key);
	json_int_t n = json_integer_value(value);

	return n > 0 ? (uint64_t)n : 0;
}

static char *
text_at(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return print_safe(text != NULL ? text : "-");
}

static char *
count_text(uint64_t n, bool is_bytes)
{
	char buf[32], *text;

	if (asprintf(&text, "%s",
		    is_bytes ? print_bytes(n, buf, sizeof(buf))
			     : print_count(n, buf, sizeof(buf))) < 0)
		return NULL;
	return text;
}

static void
show_sum(const json_t *result, const char *key, const char *label, FILE *out)
{
	char packets[32], bytes[32];

	fprintf(out, "%-14s %s packets, %s\n", label,
		print_count(number_at(result, key, "packets"), packets, sizeof(packets)),
		print_bytes(number_at(result, key, "bytes"), bytes, sizeof(bytes)));
}

static void
show_verdicts(const json_t *list, FILE *out)
{
	static const char *const heads[] = { "NOW", "THEN", "PACKETS", "BYTES", NULL };
	struct table *t = table_new(heads);
	const json_t *row;
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		row = json_array_get(list, i);
		table_row(t, number_at(row, NULL, "bytes"));
		table_cell(t, text_at(row, "before"), false);
		table_cell(t, text_at(row, "after"), false);
		table_cell(t, count_text(number_at(row, NULL, "packets"), false), true);
		table_cell(t, count_text(number_at(row, NULL, "bytes"), true), true);
	}
	if (i > 0)
		fputc('\n', out);
	table_end(t, out);
}

static void
show_places(json_t *places, const char *head, FILE *out)
{
	const char *const heads[] = { head, "STRICTER", "BYTES", "LOOSER", "BYTES", "NAME", NULL };
	struct table *t = table_new(heads);
	const char *key;
	json_t *row;

	json_object_foreach(places, key, row)
	{
		table_row(
			t, number_at(row, "stricter", "bytes") + number_at(row, "looser", "bytes"));
		table_cell(t, print_safe(key), false);
		table_cell(t, count_text(number_at(row, "stricter", "packets"), false), true);
		table_cell(t, count_text(number_at(row, "stricter", "bytes"), true), true);
		table_cell(t, count_text(number_at(row, "looser", "packets"), false), true);
		table_cell(t, count_text(number_at(row, "looser", "bytes"), true), true);
		table_cell(t, text_at(row, "name"), false);
	}
	if (json_object_size(places) > 0)
		fputc('\n', out);
	table_end(t, out);
}

void
view_shadow(const json_t *result, FILE *out)
{
	char *file = text_at(result, "file"), *since = text_at(result, "since");
	char *who = text_at(result, "pushed_by"), *sha256 = text_at(result, "sha256");

	fprintf(out, "%-14s %s\n%-14s %s\n%-14s %s\n", "candidate", file, "  sha256", sha256,
		"  pushed by", who);
	fprintf(out, "%-14s generation %llu, since %s\n", "judged beside",
		(unsigned long long)number_at(result, NULL, "against"), since);
	show_sum(result, "judged", "judged", out);
	show_sum(result, "stricter", "stricter", out);
	show_sum(result, "looser", "looser", out);
	fprintf(out, "%-14s %.2f %% of bytes\n", "would change",
		json_number_value(json_object_get(result, "percent")));
	show_verdicts(json_object_get(result, "verdicts"), out);
	show_places(json_object_get(result, "countries"), "COUNTRY", out);
	show_places(json_object_get(result, "asns"), "AS", out);
	free(file);
	free(since);
	free(who);
	free(sha256);
}
