/* SPDX-License-Identifier: BSD-3-Clause */
/* trefoil-audit list: the segments, by the manifest. */
#include "trefoil_audit.h"

#include <inttypes.h>

#define NS_PER_SECOND UINT64_C(1000000000)

static const char *
state_of(const struct inventory_segment *s)
{
	if (s->is_removed)
		return "removed";
	if (s->is_missing)
		return "missing";
	if (!s->claim.is_closed)
		return "open";
	if (s->is_held)
		return "held";
	return s->is_recovered ? "recovered" : "closed";
}

static void
print_json(const struct inventory_segment *s)
{
	json_t *o = json_pack("{s:s, s:s, s:I, s:I, s:I, s:b, s:s, s:O}", "segment", s->claim.name,
		"state", state_of(s), "number", (json_int_t)s->number, "bytes",
		(json_int_t)s->claim.bytes, "packets", (json_int_t)s->n_packets, "held",
		(int)s->is_held, "sha256", s->claim.sha256, "opened", s->opened);

	json_object_set_new(o, "closed", s->closed != NULL ? json_incref(s->closed) : json_null());
	tool_print_json(o);
}

static void
print_row(const struct inventory_segment *s)
{
	char opened[TIME_SIZE];

	time_format((uint64_t)s->opened_s * NS_PER_SECOND, opened);
	printf("%-9s %12" PRIu64 " %10" PRIu64 "  %.19sZ  %s\n", state_of(s), s->claim.bytes,
		s->n_packets, opened, s->claim.name);
}

int
command_list(int argc, char **argv)
{
	static const struct argp_child children[] = { { &options_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = { NULL, NULL, "DIRECTORY",
		"List the segments of an evidence directory, by its manifest.", children, NULL,
		NULL };
	struct options o = { .directory = NULL };
	struct chain_check check = { .allow_torn = true };
	struct inventory inventory;
	struct err e = { .message = "" };
	size_t i;
	int code, rc;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	code = options_load(&o);
	if (code != EXIT_DONE)
		return code;
	check.key = o.key;
	rc = inventory_load(o.directory, &check, true, &inventory, &e);
	if (!o.json && inventory.n != 0)
		printf("%-9s %12s %10s  %-20s  %s\n", "STATE", "BYTES", "PACKETS", "OPENED",
			"SEGMENT");
	for (i = 0; i < inventory.n; i++) {
		if (o.json)
			print_json(&inventory.items[i]);
		else
			print_row(&inventory.items[i]);
	}
	inventory_fini(&inventory);
	options_fini(&o);
	code = tool_finish();
	return rc != 0 ? tool_fail(&e, rc) : code;
}
