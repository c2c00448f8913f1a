/* SPDX-License-Identifier: BSD-3-Clause */
/* trefoil-audit flows: one record per 5-tuple, verdict and rule, built from the mirror's headers. */
#include "trefoil_audit.h"

#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

enum format { FORMAT_TABLE, FORMAT_CSV, FORMAT_JSON };

struct arguments {
	struct query query; /* first: it is handed around */
	enum format format;
	bool is_all;
};

struct flow {
	struct flow_key key;
	uint32_t asn;
	char verdict[16], country[8], reason[32], rule[256];
	uint64_t first_ns, last_ns, n_packets, n_bytes;
};

struct flows {
	const struct arguments *a;
	void *tree;
	struct flow **items; /* in the order of their first packet */
	size_t n;
};

enum { KEY_CSV = 256, KEY_ALL };

static const struct argp_option option_list[] = {
	{ "csv", KEY_CSV, NULL, 0, "Comma-separated values with a header line", 0 },
	{ "all", KEY_ALL, NULL, 0, "Also what was mirrored and not stopped", 0 },
	{ 0 },
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case KEY_CSV:
		a->format = FORMAT_CSV;
		return 0;
	case KEY_ALL:
		a->is_all = true;
		return 0;
	default:
		return query_parse(key, arg, state);
	}
}

static int
compare(const void *x, const void *y)
{
	const struct flow *a = x, *b = y;
	int order = memcmp(&a->key, &b->key, sizeof(a->key));

	if (order == 0)
		order = strcmp(a->verdict, b->verdict);
	if (order == 0)
		order = strcmp(a->reason, b->reason);
	return order != 0 ? order : strcmp(a->rule, b->rule);
}

static void
copy(char *out, size_t size, const struct text *text)
{
	snprintf(out, size, "%.*s", (int)text->length, text->at);
}

static struct flow *
flow_new(struct flows *flows, const struct flow *like)
{
	struct flow *flow = malloc(sizeof(*flow));
	struct flow **items = reallocarray(flows->items, flows->n + 1, sizeof(struct flow *));

	if (items != NULL)
		flows->items = items;
	if (flow == NULL || items == NULL) {
		free(flow);
		return NULL;
	}
	*flow = *like;
	if (tsearch(flow, &flows->tree, compare) == NULL) {
		free(flow);
		return NULL;
	}
	flows->items[flows->n++] = flow;
	return flow;
}

static int
on_block(void *context, const struct packet *p, struct err *e)
{
	struct flows *flows = context;
	struct flow wanted = {
		.key = p->flow, .asn = p->annotation.asn, .first_ns = p->block->time_ns
	};
	void *found;
	struct flow *flow;

	if (p->block->kind != CAPTURE_BLOCK_PACKET ||
		(!flows->a->is_all && p->annotation.verdict.length > 0 &&
			memmem(p->annotation.verdict.at, p->annotation.verdict.length, "drop", 4) ==
				NULL))
		return 0;
	copy(wanted.verdict, sizeof(wanted.verdict), &p->annotation.verdict);
	copy(wanted.country, sizeof(wanted.country), &p->annotation.country);
	copy(wanted.reason, sizeof(wanted.reason), &p->annotation.reason);
	copy(wanted.rule, sizeof(wanted.rule), &p->annotation.rule);
	found = tfind(&wanted, &flows->tree, compare);
	flow = found != NULL ? *(struct flow **)found : flow_new(flows, &wanted);
	if (flow == NULL)
		return err_set_code(e, ENOMEM, NULL, 0, NULL, "out of memory");
	flow->last_ns = p->block->time_ns;
	flow->n_packets++;
	flow->n_bytes += p->block->wire_length;
	return 0;
}

static void
print_json(const struct flow *f, const char *source, const char *destination)
{
	char first[TIME_SIZE], last[TIME_SIZE];

	tool_print_json(json_pack("{s:s, s:s, s:i, s:s, s:s, s:I, s:I, s:o, s:I, s:s, s:s, s:s}",
		"source", source, "destination", destination, "protocol", (int)f->key.protocol,
		"first", time_format(f->first_ns, first), "last", time_format(f->last_ns, last),
		"packets", (json_int_t)f->n_packets, "bytes", (json_int_t)f->n_bytes, "country",
		strcmp(f->country, "-") == 0 ? json_null() : json_string(f->country), "asn",
		(json_int_t)f->asn, "verdict", f->verdict, "reason", f->reason, "rule", f->rule));
}

static void
print_csv(const struct flow *f, const char *source, const char *destination)
{
	char first[TIME_SIZE], last[TIME_SIZE];
	const char *at;

	printf("%s,%s,%u,%s,%s,%" PRIu64 ",%" PRIu64 ",%s,%u,%s,%s,\"", source, destination,
		f->key.protocol, time_format(f->first_ns, first), time_format(f->last_ns, last),
		f->n_packets, f->n_bytes, f->country, f->asn, f->verdict, f->reason);
	for (at = f->rule; *at != '\0'; at++)
		printf(*at == '"' ? "\"\"" : "%c", *at);
	puts("\"");
}

static void
print_flow(const struct arguments *a, const struct flow *f)
{
	char source[FLOW_ADDRESS_SIZE], destination[FLOW_ADDRESS_SIZE], first[TIME_SIZE];
	char last[TIME_SIZE];

	flow_key_format(&f->key, true, source);
	flow_key_format(&f->key, false, destination);
	if (a->query.options.json)
		print_json(f, source, destination);
	else if (a->format == FORMAT_CSV)
		print_csv(f, source, destination);
	else
		printf("%-27s %-27s %5u %.23s %.23s %9" PRIu64 " %11" PRIu64
		       " %-2s %10u %-11s %s\n",
			source, destination, f->key.protocol, time_format(f->first_ns, first),
			time_format(f->last_ns, last), f->n_packets, f->n_bytes, f->country, f->asn,
			f->verdict, f->rule);
}

static void
print_header(const struct arguments *a)
{
	if (a->query.options.json)
		return;
	if (a->format == FORMAT_CSV)
		puts("source,destination,protocol,first,last,packets,bytes,country,asn,verdict,"
		     "reason,rule");
	else
		printf("%-27s %-27s %5s %-23s %-23s %9s %11s %-2s %10s %-11s %s\n", "SOURCE",
			"DESTINATION", "PROTO", "FIRST", "LAST", "PACKETS", "BYTES", "CC", "ASN",
			"VERDICT", "RULE");
}

static int
show(struct query *q)
{
	const struct arguments *a = (const struct arguments *)q;
	struct flows flows = { .a = a };
	struct err e = { .message = "" };
	int rc = walk(&q->options, &q->selection, on_block, &flows, &e), code;
	size_t i;

	print_header(a);
	for (i = 0; i < flows.n; i++)
		print_flow(a, flows.items[i]);
	tdestroy(flows.tree, free);
	free(flows.items);
	code = tool_finish();
	return rc != 0 ? tool_fail(&e, rc) : code;
}

int
command_flows(int argc, char **argv)
{
	static const struct argp argp = { option_list, parse, "DIRECTORY",
		"Records of what was stopped: addresses and ports, first and last packet, packets, "
		"bytes, country, ASN and rule.",
		query_children, NULL, NULL };
	struct arguments a = { .query.options.json = false };

	return query_run(&argp, &a.query, show, argc, argv);
}
