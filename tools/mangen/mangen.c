/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fills the tables of a manual page: copies a template, and puts the sections and keys of a schema
 * in place of a line `.\" KEYS`, and the file that the second argument names in place of
 * `.\" FILE`. Built once for every schema: MANGEN_SCHEMA and MANGEN_HEADER say which.
 */
#include MANGEN_HEADER

#include "base/schema.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Text in which roff finds no requests. */
static void
put_text(const char *text)
{
	if (text[0] == '.' || text[0] == '\'')
		fputs("\\&", stdout);
	for (; *text != '\0'; text++) {
		if (*text == '-')
			fputs("\\-", stdout);
		else if (*text == '\\')
			fputs("\\e", stdout);
		else
			putchar(*text);
	}
}

/* As it is written in a file: blanks separate the items. */
static void
put_default(const struct schema_key *k)
{
	char text[INI_LINE_MAX + 1], *save, *item;

	if (k->required)
		fputs("Required.\n", stdout);
	if (k->fallback == NULL)
		return;
	fputs("Default:\n.BR \"", stdout);
	snprintf(text, sizeof(text), "%s", k->fallback);
	for (item = strtok_r(text, " ,", &save); item != NULL; item = strtok_r(NULL, " ,", &save)) {
		fputs(item != text ? " " : "", stdout);
		put_text(item);
	}
	fputs("\" .\n", stdout);
}

static void
put_key(const struct schema_key *k)
{
	char values[256];

	schema_values_format(k, values, sizeof(values));
	fputs(".TP\n.BR ", stdout);
	put_text(k->name);
	fputs(" \" = ", stdout);
	put_text(values);
	fputs(k->many == SCHEMA_LIST ? " ...\"\n" : "\"\n", stdout);
	put_text(k->help);
	if (k->unit != NULL)
		printf(" (%s)", k->unit);
	fputs(k->many == SCHEMA_REPEAT ? "; may repeat.\n" : ".\n", stdout);
	put_default(k);
}

static void
put_section(const struct schema_section *s)
{
	size_t i;

	printf(".SS [%s%s]\n", s->name, s->named ? " NAME" : "");
	put_text(s->help);
	putchar('\n');
	for (i = 0; i < s->n_keys; i++)
		put_key(&s->keys[i]);
}

static void
put_schema(const struct schema *schema)
{
	size_t i;

	for (i = 0; i < schema->n_sections; i++)
		put_section(&schema->sections[i]);
}

static FILE *
open_file(const char *path)
{
	FILE *f = path != NULL ? fopen(path, "r") : NULL;

	if (f == NULL) {
		fprintf(stderr, "mangen: %s: %s\n", path != NULL ? path : "no file",
			strerror(errno));
		exit(EXIT_FAILURE);
	}
	return f;
}

static void
put_file(const char *path)
{
	FILE *f = open_file(path);
	char line[1024];

	fputs(".nf\n", stdout);
	while (fgets(line, sizeof(line), f) != NULL)
		put_text(line);
	fputs(".fi\n", stdout);
	fclose(f);
}

int
main(int argc, char **argv)
{
	FILE *f = open_file(argv[1]);
	char line[1024];

	while (fgets(line, sizeof(line), f) != NULL) {
		if (strcmp(line, ".\\\" KEYS\n") == 0)
			put_schema(&MANGEN_SCHEMA);
		else if (strcmp(line, ".\\\" FILE\n") == 0)
			put_file(argc > 2 ? argv[2] : NULL);
		else
			fputs(line, stdout);
	}
	fclose(f);
	return fflush(stdout) == 0 && !ferror(stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
}
