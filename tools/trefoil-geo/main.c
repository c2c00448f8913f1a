/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line: which sub-command, and what all of them share. */
#include "trefoil_geo.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *argp_program_version = "trefoil-geo " TREFOIL_VERSION;

static const struct {
	const char *name;
	command_fn *run;
} commands[] = {
	{ "build", command_build },
	{ "info", command_info },
	{ "lookup", command_lookup },
	{ "diff", command_diff },
	{ "export", command_export },
	{ "verify", command_verify },
};

struct invocation {
	int code;
};

static command_fn *
command_find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].name, name) == 0)
			return commands[i].run;
	return NULL;
}

/* The rest of the line belongs to the sub-command. */
static void
command_run(command_fn *run, char *name, struct argp_state *state)
{
	struct invocation *invocation = state->input;
	char **argv = state->argv + state->next - 1;
	int argc = state->argc - state->next + 1;
	char program[64];

	snprintf(program, sizeof(program), "trefoil-geo %s", name);
	argv[0] = program;
	state->next = state->argc;
	invocation->code = run(argc, argv);
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	command_fn *run;

	switch (key) {
	case ARGP_KEY_ARG:
		run = command_find(arg);
		if (run == NULL)
			argp_error(state, "no command '%s'", arg);
		else
			command_run(run, arg, state);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "a command is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int
main(int argc, char **argv)
{
	static const struct argp argp = { NULL, parse, "COMMAND [ARGUMENT...]",
		"Build, inspect and compare geo tables: which country and AS an address belongs "
		"to.\v"
		"Commands:\n"
		"  build     merge country and ASN files into a table\n"
		"  info      what is in a table\n"
		"  lookup    country, AS and range of addresses\n"
		"  diff      address space that changes between two tables\n"
		"  export    a table as CSV\n"
		"  verify    check a table file\n"
		"\nEvery command has its own --help. The manual is trefoil-geo(1).",
		NULL, NULL, NULL };
	struct invocation invocation = { EXIT_DONE };

	argp_err_exit_status = EXIT_USAGE;
	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &invocation) != 0)
		return EXIT_USAGE;
	return invocation.code;
}
