/* SPDX-License-Identifier: BSD-3-Clause */
/* trefoil-geo lookup: country, AS and range of addresses; special-purpose ones are decided first.
 */
#include "trefoil_geo.h"

#include "base/special.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arguments {
	struct options options;
	struct ip_addr *addresses;
	size_t n_addresses;
};

struct answer {
	const struct geo_origin *origin;
	struct ip_range range;
	enum special special;
	bool is_special; /* has a key in [special]: the table does not speak */
};

/* Cut a range so that it holds only addresses of the same registry entry as `ip`. */
static void
range_clip(struct ip_range *range, ip6_t ip)
{
	size_t i, n;
	const struct special_entry *entries = special_entries(range->version, &n);

	for (i = 0; i < n; i++) {
		const struct ip_range *r = &entries[i].range;

		if (r->last < ip && r->last >= range->first)
			range->first = r->last + 1;
		if (r->first > ip && r->first <= range->last)
			range->last = r->first - 1;
		if (r->first > ip || r->last < ip)
			continue;
		range->first = r->first > range->first ? r->first : range->first;
		range->last = r->last < range->last ? r->last : range->last;
	}
}

static void
answer_find(const struct geo_table *t, const struct ip_addr *ip, struct answer *out)
{
	struct geo_answer found;

	geo_lookup(t, ip, &found);
	*out = (struct answer){ found.origin, found.range, special_find(ip), false };
	out->is_special = special_name(out->special) != NULL;
	if (out->is_special) {
		out->origin = &t->origins[0];
		out->range = (struct ip_range){ 0, ip_max(ip->version), ip->version };
	}
	range_clip(&out->range, ip->value);
}

static json_t *
sources_json(const struct geo_table *t, const struct geo_origin *o)
{
	json_t *list = json_array();

	if (o->country_source != 0)
		json_array_append_new(list, json_string(t->sources[o->country_source]));
	if (o->asn_source != 0 && o->asn_source != o->country_source)
		json_array_append_new(list, json_string(t->sources[o->asn_source]));
	return list;
}

/* Sources that name another country. NEW, NULL = none. */
static json_t *
disagree_json(const struct geo_table *t, const struct geo_origin *o)
{
	json_t *list = o->n_dissents > 0 ? json_array() : NULL;
	unsigned int i;

	for (i = 0; i < o->n_dissents; i++) {
		const struct geo_dissent *d = &t->dissents[o->dissents + i];

		json_array_append_new(
			list, json_pack("{s:s, s:s%}", "source", t->sources[d->source], "country",
				      d->country, (size_t)2));
	}
	return list;
}

static void
print_json(const struct geo_table *t, const struct ip_addr *ip, const struct answer *a)
{
	struct ip_addr first = { a->range.first, ip->version },
		       last = { a->range.last, ip->version };
	json_t *object = json_object();
	char text[IP_TEXT_SIZE];

	json_object_set_new(object, "address", json_string(ip_format(ip, text)));
	json_set_origin(object, a->origin);
	json_object_set_new(object, "special",
		a->is_special ? json_string(special_name(a->special)) : json_null());
	json_object_set_new(object, "first", json_string(ip_format(&first, text)));
	json_object_set_new(object, "last", json_string(ip_format(&last, text)));
	json_object_set_new(object, "sources", sources_json(t, a->origin));
	if (a->origin->n_dissents > 0)
		json_object_set_new(object, "disagree", disagree_json(t, a->origin));
	tool_print_json(object);
}

static void
print_disagree(const struct geo_table *t, const struct geo_origin *o)
{
	unsigned int i;

	for (i = 0; i < o->n_dissents; i++) {
		const struct geo_dissent *d = &t->dissents[o->dissents + i];

		printf("%s%s says %.2s", i == 0 ? "; but " : ", ", t->sources[d->source],
			d->country);
	}
}

static void
print_sources(const struct geo_table *t, const struct geo_origin *o)
{
	uint16_t country = o->country_source, asn = o->asn_source;

	if (country != 0)
		printf("; %s", t->sources[country]);
	if (asn != 0 && asn != country)
		printf("%s%s", country != 0 ? ", " : "; ", t->sources[asn]);
}

static void
print_text(const struct geo_table *t, const struct ip_addr *ip, const struct answer *a)
{
	struct ip_addr first = { a->range.first, ip->version },
		       last = { a->range.last, ip->version };
	char text[IP_TEXT_SIZE];

	printf("%s: ", ip_format(ip, text));
	if (a->is_special)
		printf("special-purpose (%s)", special_name(a->special));
	else if (a->origin == &t->origins[0])
		printf("unknown");
	else
		print_origin(a->origin);
	printf("; %s", ip_format(&first, text));
	printf(" - %s", ip_format(&last, text));
	print_sources(t, a->origin);
	print_disagree(t, a->origin);
	if (a->special == SPECIAL_EMBEDDED)
		printf("; a filter judges the IPv4 address inside");
	putchar('\n');
}

static void
address_add(struct arguments *a, struct argp_state *state, const char *text)
{
	if (a->addresses == NULL)
		a->addresses = calloc((size_t)state->argc, sizeof(*a->addresses));
	if (a->addresses == NULL)
		argp_failure(state, EXIT_REFUSED, 0, "out of memory");
	else if (ip_parse(text, &a->addresses[a->n_addresses++]) != 0)
		argp_failure(state, EXIT_REFUSED, 0,
			"'%s' is not an IPv4 or IPv6 address (no names, no prefix lengths)", text);
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &a->options;
		return 0;
	case ARGP_KEY_ARG:
		address_add(a, state, arg);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "an address is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void
lookup(const struct geo_table *t, const struct arguments *a)
{
	struct answer answer;
	size_t i;

	for (i = 0; i < a->n_addresses; i++) {
		answer_find(t, &a->addresses[i], &answer);
		if (a->options.json)
			print_json(t, &a->addresses[i], &answer);
		else
			print_text(t, &a->addresses[i], &answer);
	}
}

int
command_lookup(int argc, char **argv)
{
	static const struct argp_child children[] = { { &options_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = { NULL, parse, "ADDRESS...",
		"Show country, AS, range and sources of addresses.", children, NULL, NULL };
	struct arguments a = { 0 };
	struct geo_table *t;
	int code = EXIT_DONE;

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	t = table_load(a.options.table, &code);
	if (t != NULL) {
		lookup(t, &a);
		code = tool_finish();
	}
	geo_free(t);
	free(a.addresses);
	return code;
}
