/* SPDX-License-Identifier: BSD-3-Clause */
/* trefoil-geo verify: is a file a whole and sound table, and is it the expected one? */
#include "trefoil_geo.h"

#include <stdio.h>
#include <strings.h>

struct arguments {
	struct options options; /* first: table_parse() gets it */
	const char *sha256;     /* NULL = any */
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 's':
		a->sha256 = arg;
		return 0;
	default:
		return table_parse(key, arg, state);
	}
}

static const struct argp_option option_list[] = {
	{ "sha256", 's', "HEX", 0, "Digest that the file must have", 0 },
	{ 0 },
};

static int
verify(const struct geo_table *t, const struct arguments *a, const char *path)
{
	struct err e = { 0 };

	if (a->sha256 != NULL && strcasecmp(a->sha256, t->sha256) != 0)
		return tool_fail(&e,
			err_set(&e, path, 0, "sha256", "is %s, expected %s", t->sha256, a->sha256));
	if (a->options.json)
		tool_print_json(json_pack("{sssbss}", "table", path, "ok", 1, "sha256", t->sha256));
	else
		printf("%s: ok, sha256 %s\n", path, t->sha256);
	return tool_finish();
}

int
command_verify(int argc, char **argv)
{
	static const struct argp_child children[] = { { &options_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = { option_list, parse, "[TABLE]",
		"Check a table file: checksum, format and every invariant.", children, NULL, NULL };
	struct arguments a = { 0 };
	struct geo_table *t;
	int code;

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	t = table_load(a.options.table, &code);
	if (t == NULL)
		return code;
	code = verify(t, &a, a.options.table != NULL ? a.options.table : geo_default_path());
	geo_free(t);
	return code;
}
