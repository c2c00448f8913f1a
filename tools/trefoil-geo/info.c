/* SPDX-License-Identifier: BSD-3-Clause */
/* trefoil-geo info: what is in a table. */
#include "trefoil_geo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

struct counts {
	uint64_t prefixes4, prefixes6;
	uint64_t addresses4; /* covered */
	uint32_t countries, asns;
};

static uint64_t
prefixes_of(const struct ip_range *range)
{
	ip6_t at = range->first;
	uint64_t n = 0;
	struct ip_range prefix;

	do {
		prefix = geo_range_prefix(&(struct ip_range){ at, range->last, range->version });
		at = prefix.last + 1;
		n++;
	} while (prefix.last != range->last);
	return n;
}

static void
count_ranges(const struct geo_table *t, struct counts *c)
{
	size_t i;

	for (i = 0; i < t->n_ranges4; i++) {
		const struct geo_range4 *r = &t->ranges4[i];

		c->prefixes4 += prefixes_of(&(struct ip_range){ r->first, r->last, 4 });
		c->addresses4 += (uint64_t)r->last - r->first + 1;
	}
	for (i = 0; i < t->n_ranges6; i++) {
		const struct geo_range6 *r = &t->ranges6[i];

		c->prefixes6 += prefixes_of(&(struct ip_range){ r->first, r->last, 6 });
	}
}

static int
asn_compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Distinct numbers except 0. */
static uint32_t
count_distinct(uint32_t *items, size_t n)
{
	uint32_t last = 0, distinct = 0;
	size_t i;

	qsort(items, n, sizeof(*items), asn_compare);
	for (i = 0; i < n; last = items[i++])
		distinct += items[i] != last;
	return distinct;
}

static void
count_origins(const struct geo_table *t, struct counts *c)
{
	uint32_t *items = calloc(t->n_origins, sizeof(*items));
	size_t i;

	if (items == NULL)
		return;
	for (i = 0; i < t->n_origins; i++)
		items[i] = t->origins[i].asn;
	c->asns = count_distinct(items, t->n_origins);
	for (i = 0; i < t->n_origins; i++) {
		const char *code = t->origins[i].country;
		bool known = memcmp(code, GEO_UNKNOWN_COUNTRY, 2) != 0;

		items[i] = known ? (uint32_t)code[0] << 8 | (uint32_t)code[1] : 0;
	}
	c->countries = count_distinct(items, t->n_origins);
	free(items);
}

static void
time_format(uint64_t seconds, char *buf, size_t size)
{
	time_t at = (time_t)seconds;
	struct tm tm;

	if (seconds > INT64_MAX || gmtime_r(&at, &tm) == NULL ||
		strftime(buf, size, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		snprintf(buf, size, "%llu s", (unsigned long long)seconds);
}

static uint64_t
age_days(const struct geo_table *t)
{
	uint64_t now = (uint64_t)time(NULL);

	return now > t->built_at ? (now - t->built_at) / 86400 : 0;
}

static uint64_t
file_size(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static void
print_json(const struct geo_table *t, const struct counts *c, const char *path)
{
	json_t *sources = json_array();
	char when[40];
	size_t i;

	for (i = 1; i < t->n_sources; i++)
		json_array_append_new(sources, json_string(t->sources[i]));
	time_format(t->built_at, when, sizeof(when));
	tool_print_json(json_pack("{sssIsssssIsIsIsIsIsIsIsIsIso}", "table", path, "size",
		(json_int_t)file_size(path), "sha256", t->sha256, "built_at", when, "age_days",
		(json_int_t)age_days(t), "ranges4", (json_int_t)t->n_ranges4, "ranges6",
		(json_int_t)t->n_ranges6, "prefixes4", (json_int_t)c->prefixes4, "prefixes6",
		(json_int_t)c->prefixes6, "addresses4", (json_int_t)c->addresses4, "origins",
		(json_int_t)(t->n_origins - 1), "countries", (json_int_t)c->countries, "asns",
		(json_int_t)c->asns, "sources", sources));
}

static void
print_text(const struct geo_table *t, const struct counts *c, const char *path)
{
	char when[40];
	size_t i;

	time_format(t->built_at, when, sizeof(when));
	printf("table      %s\n", path);
	printf("size       %llu bytes\n", (unsigned long long)file_size(path));
	printf("sha256     %s\n", t->sha256);
	printf("built at   %s (%llu days ago)\n", when, (unsigned long long)age_days(t));
	printf("IPv4       %zu ranges, %llu prefixes, %.1f %% of the address space\n", t->n_ranges4,
		(unsigned long long)c->prefixes4, (double)c->addresses4 * 100 / 0x1p32);
	printf("IPv6       %zu ranges, %llu prefixes\n", t->n_ranges6,
		(unsigned long long)c->prefixes6);
	printf("origins    %zu of %u countries and %u ASNs\n", t->n_origins - 1, c->countries,
		c->asns);
	for (i = 1; i < t->n_sources; i++)
		printf("%-10s %s\n", i == 1 ? "sources" : "", t->sources[i]);
}

void
info_print(const struct geo_table *t, const char *path, bool json)
{
	struct counts c = { 0 };

	count_ranges(t, &c);
	count_origins(t, &c);
	if (json)
		print_json(t, &c, path);
	else
		print_text(t, &c, path);
}

int
command_info(int argc, char **argv)
{
	static const struct argp_child children[] = { { &options_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = { NULL, table_parse, "[TABLE]",
		"Show what is in a geo table.", children, NULL, NULL };
	struct options o = { 0 };
	struct geo_table *t;
	int code;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	t = table_load(o.table, &code);
	if (t == NULL)
		return code;
	info_print(t, o.table != NULL ? o.table : geo_default_path(), o.json);
	geo_free(t);
	return tool_finish();
}
