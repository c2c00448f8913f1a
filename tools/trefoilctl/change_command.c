/* SPDX-License-Identifier: BSD-3-Clause */
/* push, confirm, rollback, approve: what changes what judges. history, show: what judged. */
#include "candidate.h"
#include "command.h"
#include "print.h"
#include "view.h"

#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 120000 /* the daemon may compile a full table */

/* "generation 7 is running (policy x, sha256 y)", "... waits for approval", "... is withdrawn". */
static void
print_change(const json_t *result, FILE *out)
{
	const json_t *change = json_object_get(result, "change");
	const json_t *policy = json_object_get(result, "policy");
	json_int_t generation = json_integer_value(json_object_get(change, "generation"));
	json_int_t left = json_integer_value(json_object_get(policy, "confirm_left_s"));
	const char *name = json_string_value(json_object_get(policy, "name"));
	const char *sha256 = json_string_value(json_object_get(policy, "sha256"));
	char *safe_name = print_safe(name != NULL ? name : "-");
	char *safe_sha256 = print_safe(sha256 != NULL ? sha256 : "-");

	if (json_is_true(json_object_get(change, "waiting")))
		fprintf(out,
			"generation %" JSON_INTEGER_FORMAT
			" waits for approval: trefoilctl approve %" JSON_INTEGER_FORMAT "\n",
			generation, generation);
	else if (json_is_true(json_object_get(change, "withdrawn")))
		fprintf(out, "generation %" JSON_INTEGER_FORMAT " is withdrawn\n", generation);
	else
		fprintf(out,
			"generation %" JSON_INTEGER_FORMAT " is running (policy %s, sha256 %s)\n",
			generation, safe_name, safe_sha256);
	if (left > 0)
		fprintf(out,
			"it is rolled back in %" JSON_INTEGER_FORMAT
			" s unless it is confirmed: trefoilctl confirm\n",
			left);
	free(safe_name);
	free(safe_sha256);
}

enum control_exit
command_push(const struct command_line *line)
{
	struct candidate c;
	enum control_exit code;
	json_t *request;

	if (line->is_shadow)
		return command_shadow_push(line);
	code = candidate_init(&c, line);
	if (code != CONTROL_DONE)
		return code;
	request = json_pack("{s:s, s:s, s:s%, s:s*}", "command", "push", "name",
		candidate_base_name(line->argument), "text", c.text, c.size, "message",
		line->message);
	if (request != NULL && line->confirm_within_s > 0)
		json_object_set_new(
			request, "confirm_within_s", json_integer(line->confirm_within_s));
	code = command_ask_and_show(line, request, TIMEOUT_MS, print_change);
	candidate_fini(&c);
	return code;
}

/* {"command":NAME,"generation":N}, N as given. */
static json_t *
request_of(const struct command_line *line, const char *name)
{
	json_t *request = json_pack("{s:s, s:s*}", "command", name, "message", line->message);

	if (request != NULL && line->argument != NULL)
		json_object_set_new(
			request, "generation", json_integer(strtol(line->argument, NULL, 10)));
	return request;
}

enum control_exit
command_promote(const struct command_line *line)
{
	json_t *request = request_of(line, "promote");

	if (request != NULL && line->confirm_within_s > 0)
		json_object_set_new(
			request, "confirm_within_s", json_integer(line->confirm_within_s));
	return command_ask_and_show(line, request, TIMEOUT_MS, print_change);
}

static void
print_confirmed(const json_t *result, FILE *out)
{
	fprintf(out, "generation %" JSON_INTEGER_FORMAT " is confirmed\n",
		json_integer_value(json_object_get(result, "generation")));
}

enum control_exit
command_confirm(const struct command_line *line)
{
	return command_ask_and_show(line, request_of(line, "confirm"), TIMEOUT_MS, print_confirmed);
}

enum control_exit
command_rollback(const struct command_line *line)
{
	return command_ask_and_show(line, request_of(line, "rollback"), TIMEOUT_MS, print_change);
}

enum control_exit
command_approve(const struct command_line *line)
{
	return command_ask_and_show(line, request_of(line, "approve"), TIMEOUT_MS, print_change);
}

enum control_exit
command_history(const struct command_line *line)
{
	return command_ask_and_show(line, request_of(line, "history"), TIMEOUT_MS, view_history);
}

enum control_exit
command_show(const struct command_line *line)
{
	return command_ask_and_show(line, request_of(line, "show"), TIMEOUT_MS, view_show);
}
