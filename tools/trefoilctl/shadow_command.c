/* SPDX-License-Identifier: BSD-3-Clause */
/* push --shadow, shadow status, shadow drop. */
#include "candidate.h"
#include "command.h"
#include "view.h"

#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 120000 /* the daemon may compile a full table */

/* Takes `request`. */
static enum control_exit
ask(const struct command_line *line, json_t *request)
{
	const json_t *result;
	json_t *response;
	enum control_exit code;

	code = command_ask(line, request, TIMEOUT_MS, &response, &result);
	if (code != CONTROL_DONE)
		return code;
	if (line->json)
		command_print_json(json_deep_copy(result));
	else if (json_object_size(result) == 0)
		puts("nothing is judged beside the running generation any more");
	else
		view_shadow(result, stdout);
	json_decref(response);
	return CONTROL_DONE;
}

enum control_exit
command_shadow_push(const struct command_line *line)
{
	struct candidate c;
	enum control_exit code;

	code = candidate_init(&c, line);
	if (code != CONTROL_DONE)
		return code;
	code = ask(line, json_pack("{s:s, s:s, s:s%}", "command", "shadow-push", "name",
				 candidate_base_name(line->argument), "text", c.text, c.size));
	candidate_fini(&c);
	return code;
}

enum control_exit
command_shadow(const struct command_line *line)
{
	bool is_drop = line->argument != NULL && strcmp(line->argument, "drop") == 0;

	return ask(line, json_pack("{s:s}", "command", is_drop ? "shadow-drop" : "shadow"));
}
