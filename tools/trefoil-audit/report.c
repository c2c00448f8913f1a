/* SPDX-License-Identifier: BSD-3-Clause */
/* trefoil-audit report: sums over a directory, on one page. */
#include "trefoil_audit.h"

#include <inttypes.h>
#include <string.h>

struct report {
	uint64_t n_packets, n_bytes, n_kept, first_ns, last_ns;
	json_t *by; /* {"verdicts":{name:{packets,bytes}},..} */
};

static const char *const kinds[] = { "verdicts", "reasons", "countries", "rules" };

static void
add(json_t *o, const char *key, json_int_t n)
{
	json_t *sum = json_object_get(o, key);

	if (sum == NULL)
		json_object_set_new(o, key, json_integer(n));
	else
		json_integer_set(sum, json_integer_value(sum) + n);
}

static void
count(struct report *r, const char *kind, const struct text *name, uint32_t bytes)
{
	json_t *group = json_object_get(r->by, kind), *item;
	char key[256];

	snprintf(key, sizeof(key), "%.*s", (int)name->length, name->at);
	item = json_object_get(group, key);
	if (item == NULL) {
		item = json_object();
		json_object_set_new(group, key, item);
	}
	add(item, "packets", 1);
	add(item, "bytes", bytes);
}

static int
on_block(void *context, const struct packet *p, struct err *e)
{
	struct report *r = context;
	const struct capture_block *b = p->block;

	if (b->kind != CAPTURE_BLOCK_PACKET)
		return 0;
	if (r->n_packets++ == 0 || b->time_ns < r->first_ns)
		r->first_ns = b->time_ns;
	if (b->time_ns > r->last_ns)
		r->last_ns = b->time_ns;
	r->n_bytes += b->wire_length;
	r->n_kept += b->length;
	count(r, "verdicts", &p->annotation.verdict, b->wire_length);
	count(r, "reasons", &p->annotation.reason, b->wire_length);
	count(r, "countries", &p->annotation.country, b->wire_length);
	count(r, "rules", &p->annotation.rule, b->wire_length);
	return 0;
}

/* Copies that the manifest says are lost, by cause. */
static json_t *
losses(const struct options *o, struct err *e, int *rc)
{
	struct chain_check check = { .key = o->key, .allow_torn = true };
	struct inventory inventory;
	json_t *sum = json_object(), *n;
	const char *cause;
	size_t i;

	*rc = inventory_load(o->directory, &check, true, &inventory, e);
	for (i = 0; i < inventory.n; i++) {
		json_t *lost = json_object_get(inventory.items[i].closed, "lost");

		json_object_foreach(lost, cause, n) add(sum, cause, json_integer_value(n));
	}
	inventory_fini(&inventory);
	return sum;
}

static void
print_text(const struct report *r, const json_t *lost)
{
	char first[TIME_SIZE], last[TIME_SIZE];
	const char *name;
	json_t *item;
	size_t i;

	printf("%" PRIu64 " packets, %" PRIu64 " bytes on the wire, %" PRIu64 " bytes kept\n",
		r->n_packets, r->n_bytes, r->n_kept);
	if (r->n_packets != 0)
		printf("from %s to %s\n", time_format(r->first_ns, first),
			time_format(r->last_ns, last));
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		printf("\n%12s %14s  %s\n", "PACKETS", "BYTES", kinds[i]);
		json_object_foreach(json_object_get(r->by, kinds[i]), name, item)
			printf("%12" JSON_INTEGER_FORMAT " %14" JSON_INTEGER_FORMAT "  %s\n",
				json_integer_value(json_object_get(item, "packets")),
				json_integer_value(json_object_get(item, "bytes")), name);
	}
	printf("\nCopies that are not in the segments, by cause:\n");
	json_object_foreach(json_incref((json_t *)(uintptr_t)lost), name, item)
		printf("%12" JSON_INTEGER_FORMAT "  %s\n", json_integer_value(item), name);
	json_decref((json_t *)(uintptr_t)lost);
}

static int
show(struct query *q)
{
	struct report r = { .by = json_pack("{s:{}, s:{}, s:{}, s:{}}", "verdicts", "reasons",
				    "countries", "rules") };
	struct err e = { .message = "" };
	json_t *lost;
	int rc = walk(&q->options, &q->selection, on_block, &r, &e), code, lost_rc;

	lost = losses(&q->options, &e, &lost_rc);
	if (q->options.json) {
		json_object_set(r.by, "lost", lost);
		json_object_set_new(r.by, "packets", json_integer((json_int_t)r.n_packets));
		json_object_set_new(r.by, "bytes", json_integer((json_int_t)r.n_bytes));
		tool_print_json(json_incref(r.by));
	} else {
		print_text(&r, lost);
	}
	json_decref(lost);
	json_decref(r.by);
	code = tool_finish();
	return rc != 0 ? tool_fail(&e, rc) : code;
}

int
command_report(int argc, char **argv)
{
	static const struct argp argp = { NULL, query_parse, "DIRECTORY",
		"Sums over the evidence by verdict, reason, country and rule, and what was lost.",
		query_children, NULL, NULL };
	struct query q = { .options.json = false };

	return query_run(&argp, &q, show, argc, argv);
}
