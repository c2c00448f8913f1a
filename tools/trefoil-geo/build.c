/* SPDX-License-Identifier: BSD-3-Clause */
/* trefoil-geo build: files of other publishers into one table. */
#include "trefoil_geo.h"

#include "geo/geo_import.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUTS_MAX 256

enum input_kind { INPUT_COUNTRY, INPUT_ASN, INPUT_OVERLAY };

struct input {
	enum input_kind kind;
	const char *path;
	const char *source; /* NULL = the base name of path */
};

struct arguments {
	struct options options;
	const char *out;
	const char *source; /* of the files that follow */
	struct input inputs[INPUTS_MAX];
	size_t n_inputs;
};

static void
input_add(struct arguments *a, struct argp_state *state, enum input_kind kind, const char *path)
{
	if (a->n_inputs == INPUTS_MAX)
		argp_error(state, "more than %d files", INPUTS_MAX);
	else
		a->inputs[a->n_inputs++] = (struct input){ kind, path, a->source };
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 'o':
		a->out = arg;
		return 0;
	case 's':
		a->source = arg;
		return 0;
	case 'j':
		a->options.json = true;
		return 0;
	case 'c':
		input_add(a, state, INPUT_COUNTRY, arg);
		return 0;
	case 'a':
		input_add(a, state, INPUT_ASN, arg);
		return 0;
	case 'O':
		input_add(a, state, INPUT_OVERLAY, arg);
		return 0;
	case ARGP_KEY_END:
		if (a->out == NULL)
			argp_error(state, "-o OUT is missing");
		if (a->n_inputs == 0)
			argp_error(state, "no file: give --country, --asn or --overlay");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option option_list[] = {
	{ "output", 'o', "OUT", 0, "Table file to write; replaced as a whole", 0 },
	{ "country", 'c', "FILE", 0, "Country data: MMDB or range CSV", 0 },
	{ "asn", 'a', "FILE", 0, "ASN data: MMDB or range CSV", 0 },
	{ "overlay", 'O', "FILE", 0, "Own corrections: they win over all other files", 0 },
	{ "source", 's', "\"NAME VERSION\"", 0,
		"Name the source of the files after it (default: each file's base name)", 0 },
	{ "json", 'j', NULL, 0, "Print JSON", 0 },
	{ 0 },
};

static const struct argp argp = { option_list, parse, NULL,
	"Merge country and ASN files into one geo table.\v"
	"The format of a file follows from its content. Where rows of one kind overlap, the one "
	"that was read last wins. SOURCE_DATE_EPOCH, when set, is the date of the table; else "
	"the newest date of the files is.",
	NULL, NULL, NULL };

/* The label of an input. A base name that is no clean text needs --source. */
static int
source_add(struct geo_build *b, const struct input *in, struct err *e)
{
	const char *slash = strrchr(in->path, '/');
	const char *name = in->source != NULL ? in->source : slash != NULL ? slash + 1 : in->path;
	int source = geo_build_add_source(b, name);

	if (source > 0)
		return source;
	return err_set_code(e, -source, in->path, 0, "source",
		"'%.60s' cannot name a source (1 to 200 bytes of UTF-8, few sources): use "
		"--source",
		name);
}

static int
input_read(struct geo_build *b, const struct input *in, struct err *e)
{
	int source = source_add(b, in, e);

	if (source < 0)
		return source;
	tool_progress("reading %s", in->path);
	if (in->kind == INPUT_OVERLAY)
		return geo_import_overlay(b, in->path, source, e);
	return geo_import_file(
		b, in->path, in->kind == INPUT_COUNTRY ? GEO_COUNTRY : GEO_ASN, source, e);
}

/* Overlays last, so that their rows win. */
static int
inputs_read(struct geo_build *b, const struct arguments *a, struct err *e)
{
	size_t i;
	int pass, rc = 0;

	for (pass = 0; pass < 2; pass++)
		for (i = 0; i < a->n_inputs && rc == 0; i++)
			if ((a->inputs[i].kind == INPUT_OVERLAY) == (pass == 1))
				rc = input_read(b, &a->inputs[i], e);
	return rc;
}

/* SOURCE_DATE_EPOCH (reproducible-builds.org). Returns 1 when set, 0 when not, or an error. */
static int
epoch_read(uint64_t *out, struct err *e)
{
	const char *text = getenv("SOURCE_DATE_EPOCH");
	char *end;

	if (text == NULL || text[0] == '\0')
		return 0;
	errno = 0;
	*out = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0)
		return err_set(e, NULL, 0, "SOURCE_DATE_EPOCH",
			"'%.40s' is not a number of seconds", text);
	return 1;
}

static struct geo_table *
table_build(const struct arguments *a, struct err *e, int *rc)
{
	struct geo_build *b = geo_build_new();
	struct geo_table *t = NULL;

	*rc = b != NULL ? inputs_read(b, a, e) : -ENOMEM;
	if (*rc != 0) {
		geo_build_free(b);
		return NULL;
	}
	tool_progress("merging");
	t = geo_build_seal(b);
	if (t == NULL)
		*rc = err_set_code(e, ENOMEM, NULL, 0, NULL, "out of memory");
	return t;
}

int
command_build(int argc, char **argv)
{
	struct arguments a = { 0 };
	struct err e = { .message = "out of memory" };
	struct geo_table *t;
	uint64_t epoch;
	int rc, dated;

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	dated = epoch_read(&epoch, &e);
	if (dated < 0)
		return tool_fail(&e, dated);
	t = table_build(&a, &e, &rc);
	if (t == NULL)
		return tool_fail(&e, rc);
	if (dated == 1)
		t->built_at = epoch;
	tool_progress("compressing");
	rc = geo_save(t, a.out, &e);
	tool_progress(NULL);
	if (rc == 0)
		info_print(t, a.out, a.options.json);
	geo_free(t);
	return rc == 0 ? tool_finish() : tool_fail(&e, rc);
}
