/* SPDX-License-Identifier: BSD-3-Clause */
/* Ask the daemon, show the answer: as text for people or, with --json, as it came. */
#include "command.h"

#include "print.h"
#include "remote.h"
#include "view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 15000

void
command_print_json(json_t *object)
{
	json_dumpf(object, stdout, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(9));
	putchar('\n');
	json_decref(object);
}

static void
print_error(const struct err *e)
{
	char text[sizeof(*e) + 64], *safe;

	safe = print_safe(err_format(e, text, sizeof(text)));
	fprintf(stderr, "%s%s\n", e->file[0] != '\0' ? "" : "trefoilctl: ", safe);
	free(safe);
}

enum control_exit
command_fail(const struct command_line *line, enum control_exit code, const struct err_list *errors)
{
	unsigned int i;

	for (i = 0; i < errors->n; i++)
		print_error(&errors->items[i]);
	if (errors->n_found > errors->n)
		fprintf(stderr, "trefoilctl: and %u more errors\n", errors->n_found - errors->n);
	if (line->json)
		command_print_json(control_refuse(code, errors->items, errors->n));
	return code;
}

enum control_exit
command_ask(const struct command_line *line, json_t *request, unsigned int timeout_ms,
	json_t **response, const json_t **result)
{
	struct err_list errors = { .n = 0 };
	enum control_exit code;
	int status;

	*response = NULL;
	if (request == NULL) {
		err_set(err_list_next(&errors), NULL, 0, NULL,
			"a name or message of the request is no valid UTF-8");
		return command_fail(line, CONTROL_USAGE, &errors);
	}
	status = remote_call(line, request, timeout_ms, response, err_list_next(&errors));
	json_decref(request);
	if (status < 0)
		return command_fail(line,
			status == -EACCES     ? CONTROL_NOT_PERMITTED
			: status == -EMSGSIZE ? CONTROL_REFUSED
					      : CONTROL_UNREACHABLE,
			&errors);
	errors.n = errors.n_found = 0;
	code = control_outcome(*response, result, &errors);
	if (code == CONTROL_DONE)
		return code;
	json_decref(*response);
	*response = NULL;
	return command_fail(line, code, &errors);
}

enum control_exit
command_ask_and_show(const struct command_line *line, json_t *request, unsigned int timeout_ms,
	void (*view)(const json_t *result, FILE *out))
{
	const json_t *result;
	json_t *response;
	enum control_exit code;

	code = command_ask(line, request, timeout_ms, &response, &result);
	if (code != CONTROL_DONE)
		return code;
	if (line->json)
		command_print_json(json_deep_copy(result));
	else
		view(result, stdout);
	json_decref(response);
	return CONTROL_DONE;
}

enum control_exit
command_status(const struct command_line *line)
{
	return command_ask_and_show(
		line, json_pack("{s:s}", "command", "status"), TIMEOUT_MS, view_status);
}

enum control_exit
command_mirror(const struct command_line *line)
{
	json_t *request = json_pack("{s:s, s:s, s:s*, s:s*}", "command", "mirror", "action",
		line->argument, "segment", line->second, "message", line->message);

	return command_ask_and_show(line, request, TIMEOUT_MS,
		strcmp(line->argument, "list") == 0 ? view_segments : view_mirror);
}

enum control_exit
command_counters(const struct command_line *line)
{
	json_t *request = json_pack("{s:s, s:s*}", "command", "counters", "by", line->by);
	const json_t *result;
	json_t *response;
	enum control_exit code;

	code = command_ask(line, request, TIMEOUT_MS, &response, &result);
	if (code != CONTROL_DONE)
		return code;
	if (line->json)
		command_print_json(json_deep_copy(result));
	else
		view_counters(result, line->by, stdout);
	json_decref(response);
	return CONTROL_DONE;
}
