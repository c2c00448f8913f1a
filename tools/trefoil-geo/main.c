/* SPDX-License-Identifier: BSD-3-Clause */
/* Which sub-commands there are. */
#include "trefoil_geo.h"

const char *argp_program_version = "trefoil-geo " TREFOIL_VERSION;

static const struct tool_command commands[] = {
	{ "build", command_build },
	{ "info", command_info },
	{ "lookup", command_lookup },
	{ "diff", command_diff },
	{ "export", command_export },
	{ "verify", command_verify },
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	static const struct tool tool = { "trefoil-geo",
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
		commands };

	return tool_run(&tool, argc, argv);
}
