/* SPDX-License-Identifier: BSD-3-Clause */
/* trefoil-geo export: a table as CSV in the form that build --overlay reads. */
#include "trefoil_geo.h"

#include <stdio.h>
#include <string.h>

/* RFC 4180: quotes around everything that needs them. */
static void
print_quoted(const char *text)
{
	if (strpbrk(text, ",\"") == NULL) {
		fputs(text, stdout);
		return;
	}
	putchar('"');
	for (; *text != '\0'; text++) {
		if (*text == '"')
			putchar('"');
		putchar(*text);
	}
	putchar('"');
}

static void
print_csv(const char *first, const char *last, const struct geo_origin *o)
{
	bool known = memcmp(o->country, GEO_UNKNOWN_COUNTRY, 2) != 0;

	printf("%s,%s,%.2s", first, last, known ? o->country : "");
	if (o->asn != 0)
		printf(",%u", o->asn);
	if (o->as_name[0] != '\0') {
		putchar(',');
		print_quoted(o->as_name);
	}
	putchar('\n');
}

static void
print_json(const char *first, const char *last, const struct geo_origin *o)
{
	json_t *object = json_object();

	json_object_set_new(object, "first", json_string(first));
	json_object_set_new(object, "last", json_string(last));
	json_set_origin(object, o);
	tool_print_json(object);
}

static void export(const struct geo_table *t, bool json)
{
	void (*print)(const char *, const char *, const struct geo_origin *) =
		json ? print_json : print_csv;
	char first[IP_TEXT_SIZE], last[IP_TEXT_SIZE];
	size_t i;

	for (i = 0; i < t->n_ranges4; i++)
		print(ip4_format(t->ranges4[i].first, first), ip4_format(t->ranges4[i].last, last),
			&t->origins[t->ranges4[i].origin]);
	for (i = 0; i < t->n_ranges6; i++)
		print(ip6_format(t->ranges6[i].first, first), ip6_format(t->ranges6[i].last, last),
			&t->origins[t->ranges6[i].origin]);
}

int
command_export(int argc, char **argv)
{
	static const struct argp_child children[] = { { &options_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = { NULL, table_parse, "[TABLE]",
		"Print a table as CSV: start,end,CC[,ASN[,name]], IPv4 first.\v"
		"build --overlay reads it. With --json: one object per line.",
		children, NULL, NULL };
	struct options o = { 0 };
	struct geo_table *t;
	int code;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	t = table_load(o.table, &code);
	if (t == NULL)
		return code;
	export(t, o.json);
	geo_free(t);
	return tool_finish();
}
