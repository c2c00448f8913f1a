/* SPDX-License-Identifier: BSD-3-Clause */
/* Options and errors that the sub-commands share. */
#include "trefoil_geo.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

int
fail(const struct err *e, int rc)
{
	char text[sizeof(*e) + 64];

	progress(NULL);
	fprintf(stderr, "trefoil-geo: %s\n", err_format(e, text, sizeof(text)));
	return rc == -EACCES || rc == -EPERM ? EXIT_NOT_PERMITTED : EXIT_REFUSED;
}

struct geo_table *
table_load(const char *path, int *code)
{
	struct err e = { 0 };
	struct geo_table *t = geo_load(path != NULL ? path : geo_default_path(), &e);

	if (t == NULL)
		*code = fail(&e, -errno);
	return t;
}

int
finish(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return EXIT_DONE;
	fprintf(stderr, "trefoil-geo: cannot write to standard output: %s\n", strerror(errno));
	return EXIT_REFUSED;
}

void
progress(const char *format, ...)
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
