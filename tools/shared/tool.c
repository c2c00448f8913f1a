/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line up to the sub-command, and how all of them end. */
#include "tool.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct invocation {
	const struct tool *tool;
	int code;
};

static const char *tool_name = "trefoil"; /* set once, by tool_run() */

static const struct tool_command *
command_find(const struct tool *tool, const char *name)
{
	const struct tool_command *c;

	for (c = tool->commands; c->name != NULL; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

/* The rest of the line belongs to the sub-command. */
static void
command_run(const struct tool_command *command, struct argp_state *state)
{
	struct invocation *invocation = state->input;
	char **argv = state->argv + state->next - 1;
	int argc = state->argc - state->next + 1;
	char program[64];

	snprintf(program, sizeof(program), "%s %s", invocation->tool->name, command->name);
	argv[0] = program;
	state->next = state->argc;
	invocation->code = command->run(argc, argv);
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	const struct invocation *invocation = state->input;
	const struct tool_command *command;

	switch (key) {
	case ARGP_KEY_ARG:
		command = command_find(invocation->tool, arg);
		if (command == NULL)
			argp_error(state, "no command '%s'", arg);
		else
			command_run(command, state);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "a command is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int
tool_run(const struct tool *tool, int argc, char **argv)
{
	const struct argp argp = { NULL, parse, "COMMAND [ARGUMENT...]", tool->doc, NULL, NULL,
		NULL };
	struct invocation invocation = { tool, EXIT_DONE };

	tool_name = tool->name;
	argp_err_exit_status = EXIT_USAGE;
	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &invocation) != 0)
		return EXIT_USAGE;
	return invocation.code;
}

int
tool_fail(const struct err *e, int rc)
{
	char text[sizeof(*e) + 64];

	tool_progress(NULL);
	fprintf(stderr, "%s: %s\n", tool_name, err_format(e, text, sizeof(text)));
	return rc == -EACCES || rc == -EPERM ? EXIT_NOT_PERMITTED : EXIT_REFUSED;
}

int
tool_finish(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return EXIT_DONE;
	fprintf(stderr, "%s: cannot write to standard output: %s\n", tool_name, strerror(errno));
	return EXIT_REFUSED;
}

void
tool_progress(const char *format, ...)
{
	va_list args;

	if (!isatty(STDERR_FILENO))
		return;
	fputs("\r\033[K", stderr);
	if (format != NULL) {
		va_start(args, format);
		vfprintf(stderr, format, args);
		va_end(args);
	}
	fflush(stderr);
}

void
tool_print_json(json_t *object)
{
	char *line = json_dumps(object, JSON_COMPACT);

	if (line != NULL)
		puts(line);
	free(line);
	json_decref(object);
}
