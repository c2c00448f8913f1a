/* SPDX-License-Identifier: BSD-3-Clause */
/* Options that the sub-commands share. */
#include "trefoil_geo.h"

#include <errno.h>

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 't':
		o->table = arg;
		return 0;
	case 'j':
		o->json = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option option_list[] = {
	{ "table", 't', "TABLE", 0, "Table file (default: the installed one, else the shipped one)",
		0 },
	{ "json", 'j', NULL, 0, "Print JSON", 0 },
	{ 0 },
};

const struct argp options_argp = { option_list, parse, NULL, NULL, NULL, NULL, NULL };

error_t
table_parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = o;
		return 0;
	case ARGP_KEY_ARG:
		if (o->table != NULL)
			argp_error(state, "more than one table");
		o->table = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

struct geo_table *
table_load(const char *path, int *code)
{
	struct err e = { 0 };
	struct geo_table *t = geo_load(path != NULL ? path : geo_default_path(), &e);

	if (t == NULL)
		*code = tool_fail(&e, -errno);
	return t;
}
