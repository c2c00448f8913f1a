/* SPDX-License-Identifier: BSD-3-Clause */
/* Which sub-commands there are. */
#include "trefoil_audit.h"

const char *argp_program_version = "trefoil-audit " TREFOIL_VERSION;

static const struct tool_command commands[] = {
	{ "list", command_list },
	{ "verify", command_verify },
	{ "extract", command_extract },
	{ "flows", command_flows },
	{ "report", command_report },
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	static const struct tool tool = { "trefoil-audit",
		"Check and read the evidence that trefoild keeps. Runs on any machine.\v"
		"Commands:\n"
		"  list      the segments of a directory\n"
		"  verify    is every byte as it was written?\n"
		"  extract   packets that were mirrored, as pcapng\n"
		"  flows     who was stopped: one record per flow\n"
		"  report    sums by verdict, reason, country and rule\n"
		"\nEvery command has its own --help. The manual is trefoil-audit(1).",
		commands };

	return tool_run(&tool, argc, argv);
}
