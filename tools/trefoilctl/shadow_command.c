/* SPDX-License-Identifier: BSD-3-Clause */
/* push --shadow, shadow status, shadow drop. */
#include "candidate.h"
#include "command.h"
#include "view.h"

#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 120000 /* the daemon may compile a full table */

static void
view(const json_t *result, FILE *out)
{
	if (json_object_size(result) == 0)
		fputs("nothing is judged beside the running generation any more\n", out);
	else
		view_shadow(result, out);
}

static enum control_exit
ask(const struct command_line *line, json_t *request)
{
	return command_ask_and_show(line, request, TIMEOUT_MS, view);
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
