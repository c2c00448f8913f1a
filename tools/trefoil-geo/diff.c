/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * trefoil-geo diff: address space whose country or ASN differs between two tables. Both tables are
 * walked side by side, cut at the boundaries of both; neighbours with the same change are joined.
 */
#include "trefoil_geo.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_DEFAULT 50

/* What is compared; names are not. */
struct place {
	char country[2];
	uint32_t asn;
};

struct change {
	struct ip_range range;
	struct place from, to;
};

struct changes {
	struct change *items;
	size_t n, capacity;
};

/* Per version: how much changes. */
struct total {
	uint64_t ranges, country_ranges, asn_ranges;
	double size, country_size, asn_size; /* addresses, or /64 networks */
};

/* Country pairs, for the summary. */
struct pair {
	char from[2], to[2];
	double size4, size6;
};

struct arguments {
	bool json;
	long limit; /* changes listed, 0 = all */
	const char *path[2];
	unsigned int n_paths;
};

static struct place
place_of(const struct geo_origin *o)
{
	return (struct place){ { o->country[0], o->country[1] }, o->asn };
}

static bool
same_country(const struct place *a, const struct place *b)
{
	return memcmp(a->country, b->country, 2) == 0;
}

static bool
same_place(const struct place *a, const struct place *b)
{
	return same_country(a, b) && a->asn == b->asn;
}

/* Addresses, or /64 networks; part of one counts as its share. */
static double
range_size(const struct ip_range *range)
{
	double size = (double)(range->last - range->first) + 1;

	return range->version == 4 ? size : size / 0x1p64;
}

static int
changes_add(struct changes *c, const struct change *change)
{
	struct change *last = c->n > 0 ? &c->items[c->n - 1] : NULL;
	size_t capacity = c->capacity > 0 ? c->capacity * 2 : 1024;
	struct change *bigger;

	if (last != NULL && last->range.version == change->range.version &&
		last->range.last + 1 == change->range.first &&
		same_place(&last->from, &change->from) && same_place(&last->to, &change->to)) {
		last->range.last = change->range.last;
		return 0;
	}
	if (c->n == c->capacity) {
		bigger = realloc(c->items, capacity * sizeof(*bigger));
		if (bigger == NULL)
			return -ENOMEM;
		c->items = bigger;
		c->capacity = capacity;
	}
	c->items[c->n++] = *change;
	return 0;
}

static int
compare(const struct geo_table *a, const struct geo_table *b, uint8_t version, struct changes *out)
{
	struct ip_addr at = { 0, version };
	struct geo_answer from, to;
	struct change change;
	ip6_t last;

	for (;;) {
		geo_lookup(a, &at, &from);
		geo_lookup(b, &at, &to);
		last = from.range.last < to.range.last ? from.range.last : to.range.last;
		change = (struct change){ { at.value, last, version }, place_of(from.origin),
			place_of(to.origin) };
		if (!same_place(&change.from, &change.to) && changes_add(out, &change) != 0)
			return -ENOMEM;
		if (last == ip_max(version))
			return 0;
		at.value = last + 1;
	}
}

/* IPv4 first, larger first, then by address. */
static int
change_compare(const void *a, const void *b)
{
	const struct ip_range *x = &((const struct change *)a)->range;
	const struct ip_range *y = &((const struct change *)b)->range;
	ip6_t size_x = x->last - x->first, size_y = y->last - y->first;

	if (x->version != y->version)
		return x->version < y->version ? -1 : 1;
	if (size_x != size_y)
		return size_x > size_y ? -1 : 1;
	return x->first < y->first ? -1 : x->first > y->first;
}

static void
totals_count(const struct changes *c, struct total totals[2])
{
	size_t i;

	for (i = 0; i < c->n; i++) {
		const struct change *change = &c->items[i];
		struct total *t = &totals[change->range.version == 6];
		double size = range_size(&change->range);

		t->ranges++;
		t->size += size;
		if (!same_country(&change->from, &change->to)) {
			t->country_ranges++;
			t->country_size += size;
		}
		if (change->from.asn != change->to.asn) {
			t->asn_ranges++;
			t->asn_size += size;
		}
	}
}

static int
pair_compare_codes(const void *a, const void *b)
{
	return memcmp(a, b, offsetof(struct pair, size4));
}

static int
pair_compare_size(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	if (x->size4 != y->size4)
		return x->size4 > y->size4 ? -1 : 1;
	if (x->size6 != y->size6)
		return x->size6 > y->size6 ? -1 : 1;
	return pair_compare_codes(a, b);
}

/* Join pairs of the same countries; returns how many are left. */
static size_t
pairs_join(struct pair *pairs, size_t n)
{
	size_t i, out = 0;

	qsort(pairs, n, sizeof(*pairs), pair_compare_codes);
	for (i = 0; i < n; i++) {
		if (out > 0 && pair_compare_codes(&pairs[out - 1], &pairs[i]) == 0) {
			pairs[out - 1].size4 += pairs[i].size4;
			pairs[out - 1].size6 += pairs[i].size6;
		} else {
			pairs[out++] = pairs[i];
		}
	}
	qsort(pairs, out, sizeof(*pairs), pair_compare_size);
	return out;
}

/* Which countries lose space to which. The caller frees; NULL = no memory. */
static struct pair *
pairs_count(const struct changes *c, size_t *n)
{
	struct pair *pairs = calloc(c->n + 1, sizeof(*pairs));
	size_t i;

	*n = 0;
	for (i = 0; pairs != NULL && i < c->n; i++) {
		const struct change *change = &c->items[i];
		struct pair *pair = &pairs[*n];

		if (same_country(&change->from, &change->to))
			continue;
		memcpy(pair->from, change->from.country, 2);
		memcpy(pair->to, change->to.country, 2);
		*(change->range.version == 4 ? &pair->size4 : &pair->size6) =
			range_size(&change->range);
		++*n;
	}
	if (pairs != NULL)
		*n = pairs_join(pairs, *n);
	return pairs;
}

static bool
next_prefix(struct ip_range *rest, struct ip_range *prefix)
{
	if (rest->first > rest->last)
		return false;
	*prefix = geo_range_prefix(rest);
	rest->first = prefix->last + 1;
	if (prefix->last == rest->last)
		*rest = (struct ip_range){ 1, 0, rest->version };
	return true;
}

static const char *
prefix_format(const struct ip_range *prefix, char *buf)
{
	struct ip_addr first = { prefix->first, prefix->version };
	unsigned int length = prefix->version == 4 ? 32 : 128;
	ip6_t host = prefix->last - prefix->first;

	for (; host != 0; host >>= 1)
		length--;
	ip_format(&first, buf);
	snprintf(buf + strlen(buf), IP_TEXT_SIZE - strlen(buf), "/%u", length);
	return buf;
}

static json_t *
country_json(const char code[2])
{
	return memcmp(code, GEO_UNKNOWN_COUNTRY, 2) != 0 ? json_stringn(code, 2) : json_null();
}

static json_t *
place_json(const struct place *p)
{
	return json_pack("{sosI}", "country", country_json(p->country), "asn", (json_int_t)p->asn);
}

static json_t *
change_json(const struct change *c)
{
	struct ip_addr first = { c->range.first, c->range.version };
	struct ip_addr last = { c->range.last, c->range.version };
	struct ip_range rest = c->range, prefix;
	json_t *prefixes = json_array();
	char a[IP_TEXT_SIZE], b[IP_TEXT_SIZE];

	while (next_prefix(&rest, &prefix))
		json_array_append_new(prefixes, json_string(prefix_format(&prefix, a)));
	return json_pack("{sssssososo}", "first", ip_format(&first, a), "last", ip_format(&last, b),
		"prefixes", prefixes, "from", place_json(&c->from), "to", place_json(&c->to));
}

static json_t *
total_json(const struct total *t, const char *unit)
{
	return json_pack("{sIsIsIs{sfsfsf}}", "ranges", (json_int_t)t->ranges, "country_ranges",
		(json_int_t)t->country_ranges, "asn_ranges", (json_int_t)t->asn_ranges, unit, "all",
		t->size, "country", t->country_size, "asn", t->asn_size);
}

static json_t *
pair_json(const struct pair *p)
{
	return json_pack("{sososfsf}", "from", country_json(p->from), "to", country_json(p->to),
		"addresses4", p->size4, "nets6", p->size6);
}

static json_t *
table_json(const char *path, const struct geo_table *t)
{
	return json_pack("{ssss}", "table", path, "sha256", t->sha256);
}

static size_t
listed(const struct arguments *a, size_t n)
{
	return a->limit == 0 || n < (size_t)a->limit ? n : (size_t)a->limit;
}

static void
print_json(const struct arguments *a, struct geo_table *const t[2], const struct changes *c,
	const struct total totals[2], const struct pair *pairs, size_t n_pairs)
{
	json_t *changes = json_array(), *countries = json_array();
	size_t i;

	for (i = 0; i < n_pairs; i++)
		json_array_append_new(countries, pair_json(&pairs[i]));
	for (i = 0; i < listed(a, c->n); i++)
		json_array_append_new(changes, change_json(&c->items[i]));
	tool_print_json(json_pack("{sososososOsO}", "a", table_json(a->path[0], t[0]), "b",
		table_json(a->path[1], t[1]), "ipv4", total_json(&totals[0], "addresses"), "ipv6",
		total_json(&totals[1], "nets"), "countries", countries, "changes", changes));
	json_decref(changes);
	json_decref(countries);
}

static void
print_place(const struct place *p)
{
	bool known = memcmp(p->country, GEO_UNKNOWN_COUNTRY, 2) != 0;

	if (!known && p->asn == 0)
		printf("unknown");
	else
		printf("%.*s", known ? 2 : 1, known ? p->country : "-");
	if (p->asn != 0)
		printf(" AS%u", p->asn);
}

/* A change as one line: its prefix, or first and last address. */
static void
print_change(const struct change *c)
{
	struct ip_addr first = { c->range.first, c->range.version };
	struct ip_addr last = { c->range.last, c->range.version };
	struct ip_range prefix = geo_range_prefix(&c->range);
	char text[IP_TEXT_SIZE];

	if (prefix.last == c->range.last) {
		printf("%s", prefix_format(&prefix, text));
	} else {
		printf("%s", ip_format(&first, text));
		printf(" - %s", ip_format(&last, text));
	}
	printf("  ");
	print_place(&c->from);
	printf(" -> ");
	print_place(&c->to);
	putchar('\n');
}

static void
print_total(const char *version, const char *unit, const struct total *t)
{
	printf("%s: %llu ranges, %.0f %s change; country of %llu ranges, %.0f %s; ASN of %llu "
	       "ranges, %.0f %s\n",
		version, (unsigned long long)t->ranges, t->size, unit,
		(unsigned long long)t->country_ranges, t->country_size, unit,
		(unsigned long long)t->asn_ranges, t->asn_size, unit);
}

static void
print_pairs(const struct arguments *a, const struct pair *pairs, size_t n)
{
	size_t i;

	if (n > 0)
		printf("\ncountry changes, largest first (IPv4 addresses, IPv6 /64 networks):\n");
	for (i = 0; i < listed(a, n); i++)
		printf("  %.2s -> %.2s  %.0f  %.0f\n", pairs[i].from, pairs[i].to, pairs[i].size4,
			pairs[i].size6);
	if (listed(a, n) < n)
		printf("  ... and %zu more pairs (--limit 0 lists all)\n", n - listed(a, n));
}

static void
print_text(const struct arguments *a, const struct changes *c, const struct total totals[2],
	const struct pair *pairs, size_t n_pairs)
{
	size_t i;

	print_total("IPv4", "addresses", &totals[0]);
	print_total("IPv6", "/64 networks", &totals[1]);
	print_pairs(a, pairs, n_pairs);
	if (c->n > 0)
		printf("\nranges, IPv4 first, largest first:\n");
	for (i = 0; i < listed(a, c->n); i++) {
		printf("  ");
		print_change(&c->items[i]);
	}
	if (listed(a, c->n) < c->n)
		printf("  ... and %zu more ranges (--limit 0 lists all)\n", c->n - listed(a, c->n));
}

/* Returns 0 or -ENOMEM. */
static int
diff(const struct arguments *a, struct geo_table *const t[2])
{
	struct changes c = { 0 };
	struct total totals[2] = { 0 };
	struct pair *pairs = NULL;
	size_t n_pairs = 0;
	int rc = compare(t[0], t[1], 4, &c);

	if (rc == 0)
		rc = compare(t[0], t[1], 6, &c);
	if (rc == 0)
		pairs = pairs_count(&c, &n_pairs);
	if (pairs != NULL) {
		totals_count(&c, totals);
		qsort(c.items, c.n, sizeof(*c.items), change_compare);
		if (a->json)
			print_json(a, t, &c, totals, pairs, n_pairs);
		else
			print_text(a, &c, totals, pairs, n_pairs);
	}
	rc = pairs != NULL ? 0 : -ENOMEM;
	free(pairs);
	free(c.items);
	return rc;
}

static long
parse_limit(struct argp_state *state, const char *text)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0')
		argp_error(state, "--limit: '%s' is not a number", text);
	return value;
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 'j':
		a->json = true;
		return 0;
	case 'l':
		a->limit = parse_limit(state, arg);
		return 0;
	case ARGP_KEY_ARG:
		if (a->n_paths == 2)
			argp_error(state, "more than two tables");
		else
			a->path[a->n_paths++] = arg;
		return 0;
	case ARGP_KEY_END:
		if (a->n_paths != 2)
			argp_error(state, "two tables are needed");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option option_list[] = {
	{ "limit", 'l', "N", 0, "List at most N ranges and country pairs, 0 = all (default 50)",
		0 },
	{ "json", 'j', NULL, 0, "Print JSON", 0 },
	{ 0 },
};

int
command_diff(int argc, char **argv)
{
	static const struct argp argp = { option_list, parse, "A B",
		"Show address space whose country or ASN differs between tables A and B.", NULL,
		NULL, NULL };
	struct arguments a = { .limit = LIMIT_DEFAULT };
	struct geo_table *t[2];
	struct err e = { .message = "out of memory" };
	int code = EXIT_DONE;

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	t[0] = table_load(a.path[0], &code);
	t[1] = t[0] != NULL ? table_load(a.path[1], &code) : NULL;
	if (t[1] != NULL)
		code = diff(&a, t) == 0 ? tool_finish() : tool_fail(&e, -ENOMEM);
	geo_free(t[0]);
	geo_free(t[1]);
	return code;
}
