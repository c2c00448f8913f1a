/* SPDX-License-Identifier: BSD-3-Clause */
/* diff and geo diff: send the candidate, show what it would change. */
#include "candidate.h"
#include "command.h"
#include "print.h"
#include "view.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS     120000             /* the daemon compiles a full table */
#define TABLE_SIZE_MAX ((size_t)11 << 20) /* as base64 it fits one request */

/* Takes `request`. */
static enum control_exit
ask(const struct command_line *line, json_t *request)
{
	if (request != NULL && line->limit >= 0)
		json_object_set_new(request, "limit", json_integer(line->limit));
	return command_ask_and_show(line, request, TIMEOUT_MS, view_diff);
}

enum control_exit
command_diff(const struct command_line *line)
{
	struct candidate c;
	enum control_exit code;

	if (line->argument == NULL)
		return ask(line, json_pack("{s:s}", "command", "diff"));
	code = candidate_init(&c, line);
	if (code != CONTROL_DONE)
		return code;
	code = ask(line, json_pack("{s:s, s:s, s:s%}", "command", "diff", "name",
				 candidate_base_name(line->argument), "text", c.text, c.size));
	candidate_fini(&c);
	return code;
}

/* Text for free(), NULL = no memory. */
static char *
base64(const char *bytes, size_t size)
{
	char *text = malloc(size / 3 * 4 + 5);

	if (text != NULL)
		EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)bytes, (int)size);
	return text;
}

/* Why, where the change is too large, and what to do. */
static void
show_waiting(const json_t *change, json_int_t generation, FILE *out)
{
	const char *note = json_string_value(json_object_get(change, "note"));
	char *safe = print_safe(note != NULL ? note : "");

	fprintf(out,
		"generation %" JSON_INTEGER_FORMAT
		" waits for approval: trefoilctl approve %" JSON_INTEGER_FORMAT "%s%s\n",
		generation, generation, *safe != '\0' ? "\n" : "", safe);
	free(safe);
}

/* What a change of data came to, or the state of the data. */
static void
view_change(const json_t *result, FILE *out)
{
	const json_t *change = json_object_get(result, "change");
	json_int_t generation = json_integer_value(json_object_get(change, "generation"));

	if (!json_is_object(change))
		view_geo(result, out);
	else if (json_is_true(json_object_get(change, "waiting")))
		show_waiting(change, generation, out);
	else
		fprintf(out, "generation %" JSON_INTEGER_FORMAT " is running\n", generation);
}

static enum control_exit
ask_change(const struct command_line *line, json_t *request)
{
	if (request != NULL && line->message != NULL)
		json_object_set_new(request, "message", json_string(line->message));
	return command_ask_and_show(line, request, TIMEOUT_MS, view_change);
}

enum control_exit
command_geo(const struct command_line *line)
{
	struct err_list errors = { .n = 0 };
	char *bytes, *text = NULL;
	enum control_exit code;
	size_t size = 0;

	if (line->second == NULL)
		return ask_change(
			line, json_pack("{s:s, s:s}", "command", "geo", "action", line->argument));
	bytes = candidate_read(line->second, TABLE_SIZE_MAX, &size, &errors);
	if (bytes != NULL)
		text = base64(bytes, size);
	free(bytes);
	if (text == NULL) {
		if (errors.n == 0)
			err_set(err_list_next(&errors), NULL, 0, NULL, "out of memory");
		return command_fail(line, CONTROL_REFUSED, &errors);
	}
	if (strcmp(line->argument, "push") == 0)
		code = ask_change(
			line, json_pack("{s:s, s:s, s:s, s:s}", "command", "geo", "action", "push",
				      "name", candidate_base_name(line->second), "table", text));
	else
		code = ask(line, json_pack("{s:s, s:s, s:s}", "command", "diff", "name",
					 candidate_base_name(line->second), "table", text));
	free(text);
	return code;
}
