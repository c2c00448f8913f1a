/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line: which sub-command. */
#include "trefoil_audit.h"

#include <string.h>

const char *argp_program_version = "trefoil-audit " TREFOIL_VERSION;

static const struct {
	const char *name;
	command_fn *run;
} commands[] = {
	{ "list", command_list },
	{ "verify", command_verify },
	{ "extract", command_extract },
	{ "flows", command_flows },
	{ "report", command_report },
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

	snprintf(program, sizeof(program), "trefoil-audit %s", name);
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
		"Check and read the evidence that trefoild keeps. Runs on any machine.\v"
		"Commands:\n"
		"  list      the segments of a directory\n"
		"  verify    is every byte as it was written?\n"
		"  extract   packets that were mirrored, as pcapng\n"
		"  flows     who was stopped: one record per flow\n"
		"  report    sums by verdict, reason, country and rule\n"
		"\nEvery command has its own --help. The manual is trefoil-audit(1).",
		NULL, NULL, NULL };
	struct invocation invocation = { EXIT_DONE };

	argp_err_exit_status = EXIT_USAGE;
	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &invocation) != 0)
		return EXIT_USAGE;
	return invocation.code;
}
