/* SPDX-License-Identifier: BSD-3-Clause */
/* Generations for people: one a row, or one with its policy. */
#include "view.h"

#include "print.h"

#include <stdlib.h>
#include <string.h>

#define DIGEST_LENGTH 12

/* For free(), NULL = not there. */
static char *
text_at(const json_t *object, const char *key, const char *inner)
{
	const json_t *value = json_object_get(object, key);
	const char *text;

	if (inner != NULL)
		value = json_object_get(value, inner);
	text = json_string_value(value);
	return text != NULL && *text != '\0' ? print_safe(text) : NULL;
}

static char *
digest_at(const json_t *object, const char *key)
{
	char *text = text_at(object, key, "sha256");

	if (text != NULL && strlen(text) > DIGEST_LENGTH)
		text[DIGEST_LENGTH] = '\0';
	return text;
}

/* "42", "42*" for the running one. */
static char *
number_of(const json_t *record)
{
	char *text;

	if (asprintf(&text, "%" JSON_INTEGER_FORMAT "%s",
		    json_integer_value(json_object_get(record, "generation")),
		    json_is_true(json_object_get(record, "running")) ? "*" : "") < 0)
		return NULL;
	return text;
}

void
view_history(const json_t *result, FILE *out)
{
	static const char *const heads[] = { "GENERATION", "STATE", "KIND", "PUSHED AT", "BY",
		"POLICY", "SHA256", "GEO", "MESSAGE", NULL };
	const json_t *list = json_object_get(result, "generations"), *record;
	struct table *t = table_new(heads);
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		record = json_array_get(list, i);
		table_row(t, 0);
		table_cell(t, number_of(record), false);
		table_cell(t, text_at(record, "state", NULL), false);
		table_cell(t, text_at(record, "kind", NULL), false);
		table_cell(t, text_at(record, "pushed", "at"), false);
		table_cell(t, text_at(record, "pushed", "by"), false);
		table_cell(t, text_at(record, "policy", "name"), false);
		table_cell(t, digest_at(record, "policy"), false);
		table_cell(t, digest_at(record, "geo"), false);
		table_cell(t, text_at(record, "message", NULL), false);
	}
	table_end(t, out);
}

static void
show_line(const char *label, char *text, FILE *out)
{
	if (text != NULL)
		fprintf(out, "%-14s %s\n", label, text);
	free(text);
}

static void
show_approvals(const json_t *result, FILE *out)
{
	const json_t *list = json_object_get(result, "approvals");
	json_int_t n_needed = json_integer_value(json_object_get(result, "approvals_needed"));
	size_t i;

	if (n_needed > 0)
		fprintf(out, "%-14s %zu of %" JSON_INTEGER_FORMAT "\n", "approvals",
			json_array_size(list), n_needed);
	for (i = 0; i < json_array_size(list); i++)
		show_line("  by", text_at(json_array_get(list, i), "by", NULL), out);
}

/* The policy comes last, as it was pushed: it is text that anybody may pipe into a file. */
static void
show_text(const json_t *result, FILE *out)
{
	const json_t *text = json_object_get(result, "text");

	fputc('\n', out);
	fwrite(json_string_value(text), 1, json_string_length(text), out);
}

void
view_show(const json_t *result, FILE *out)
{
	static const struct {
		const char *label, *key, *inner;
	} lines[] = {
		{ "state", "state", NULL },
		{ "kind", "kind", NULL },
		{ "policy", "policy", "name" },
		{ "  file", "policy", "file" },
		{ "  sha256", "policy", "sha256" },
		{ "geo table", "geo", "file" },
		{ "  sha256", "geo", "sha256" },
		{ "pushed by", "pushed", "by" },
		{ "pushed at", "pushed", "at" },
		{ "message", "message", NULL },
		{ "confirmed by", "confirmed", "by" },
		{ "confirmed at", "confirmed", "at" },
		{ "note", "note", NULL },
	};
	size_t i;

	show_line("generation", number_of(result), out);
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		show_line(lines[i].label, text_at(result, lines[i].key, lines[i].inner), out);
	show_approvals(result, out);
	show_text(result, out);
}
