/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The "counters" answer. Sums over the workers are taken when asked; the frames a port lost for
 * lack of buffers are added to rx and to the drops, so that rx = forwarded + sum of drops holds.
 */
#include "report.h"

#include <stdlib.h>
#include <string.h>

static json_t *
pair_json(const struct stats_pair *pair)
{
	return json_pack("{s:I, s:I}", "packets", (json_int_t)pair->packets, "bytes",
		(json_int_t)pair->bytes);
}

static json_t *
count_json(const struct tally_count *count)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "packets", (json_int_t)count->all.packets, "bytes",
		(json_int_t)count->all.bytes, "dropped", (json_int_t)count->dropped.packets,
		"mirrored", (json_int_t)count->mirrored.packets);
}

void
daemon_sum_workers(const struct daemon *d, struct stats_total *sum)
{
	uint64_t missed = wires_missed(&d->wires);
	unsigned int i;

	memset(sum, 0, sizeof(*sum));
	for (i = 0; i < d->n_workers; i++)
		stats_total_add(sum, &d->workers[i].stats);
	sum->rx.packets += missed;
	sum->dropped.packets += missed;
	sum->reason[REASON_NO_MBUF][1].packets += missed;
}

static json_t *
reasons_json(const struct stats_total *sum)
{
	json_t *o = json_object();
	unsigned int i;

	for (i = 1; i < REASON_N; i++) {
		const struct stats_pair *f = &sum->reason[i][0], *d = &sum->reason[i][1];

		if (f->packets + d->packets == 0)
			continue;
		json_object_set_new(o, reason_name((reason_t)i),
			json_pack("{s:I, s:I, s:I, s:I}", "packets",
				(json_int_t)(f->packets + d->packets), "bytes",
				(json_int_t)(f->bytes + d->bytes), "forwarded",
				(json_int_t)f->packets, "dropped", (json_int_t)d->packets));
	}
	return o;
}

static json_t *
shadow_json(const struct stats_total *sum)
{
	json_t *o = json_object();
	unsigned int i;

	for (i = 1; i < REASON_N; i++)
		if (sum->shadow[i].packets != 0)
			json_object_set_new(
				o, reason_name((reason_t)i), pair_json(&sum->shadow[i]));
	return o;
}

static json_t *
countries_json(const struct tally_count *countries, const struct tally_count *unknown)
{
	json_t *o = json_object();
	char country[3];
	unsigned int i;

	for (i = 0; i < TALLY_COUNTRIES; i++) {
		if (countries[i].all.packets == 0)
			continue;
		tally_country(i, country);
		json_object_set_new(o, country, count_json(&countries[i]));
	}
	if (unknown->all.packets != 0)
		json_object_set_new(o, "unknown", count_json(unknown));
	return o;
}

static json_t *
specials_json(const struct tally *t)
{
	json_t *o = json_object();
	unsigned int i;

	for (i = 0; i < SPECIAL_N; i++)
		if (t->specials[i].all.packets != 0 && special_name((enum special)i) != NULL)
			json_object_set_new(
				o, special_name((enum special)i), count_json(&t->specials[i]));
	return o;
}

static int
asn_compare(const void *a, const void *b)
{
	const struct tally_asn *x = a, *y = b;

	return x->asn < y->asn ? -1 : x->asn > y->asn;
}

/* names[i] = what the loaded table calls t->asns[i], which are sorted, or NULL. */
static void
name_asns(const struct daemon *d, const struct tally *t, const char **names)
{
	size_t i;

	for (i = 0; d->geo != NULL && i < d->geo->table->n_origins; i++) {
		const struct geo_origin *origin = &d->geo->table->origins[i];
		struct tally_asn key = { .asn = origin->asn };
		const struct tally_asn *found =
			bsearch(&key, t->asns, t->n_asns, sizeof(key), asn_compare);

		if (found != NULL && names[found - t->asns] == NULL)
			names[found - t->asns] = origin->as_name;
	}
}

static json_t *
asns_json(const struct daemon *d, const struct tally *t)
{
	const char **names = calloc(t->n_asns + 1, sizeof(*names));
	json_t *o = json_object(), *item;
	char key[16];
	size_t i;

	if (names != NULL && t->n_asns > 0)
		name_asns(d, t, names);
	for (i = 0; i < t->n_asns; i++) {
		const char *name = names != NULL ? names[i] : NULL;

		snprintf(key, sizeof(key), "AS%u", t->asns[i].asn);
		item = count_json(&t->asns[i].count);
		json_object_set_new(item, "name", json_string(name != NULL ? name : ""));
		json_object_set_new(o, key, item);
	}
	free(names);
	return o;
}

static void
add_class(struct tally_count *count, const struct stats_class *c, uint32_t class, verdict_t verdict)
{
	stats_sum(&count->all, &c->all[class]);
	stats_sum(
		&count->dropped, verdict & VERDICT_DROP ? &c->all[class] : &c->odd_dropped[class]);
	stats_sum(&count->mirrored,
		verdict & VERDICT_MIRROR ? &c->all[class] : &c->odd_mirrored[class]);
}

/* By rule of the running generation. */
static json_t *
rules_json(const struct generation *g)
{
	struct tally_count *counts = calloc(g->policy->n_rules + 1, sizeof(*counts));
	json_t *o = json_object();
	unsigned int w;
	uint32_t i;
	char text[256];

	for (i = 0; counts != NULL && i < g->ruleset->n_classes; i++)
		for (w = 0; w < g->n_workers; w++)
			if (g->ruleset->classes[i].rule != RULESET_RULE_NONE)
				add_class(&counts[g->ruleset->classes[i].rule], &g->counters[w], i,
					g->keys[i].verdict);
	for (i = 0; counts != NULL && i < g->policy->n_rules; i++)
		if (counts[i].all.packets != 0)
			json_object_set_new(o, policy_rule_format(g->policy, i, text, sizeof(text)),
				count_json(&counts[i]));
	free(counts);
	return o;
}

static void
add_port(json_t *o, const struct port *port)
{
	struct rte_eth_stats s;

	memset(&s, 0, sizeof(s));
	if (port->id != PORT_ABSENT && rte_eth_stats_get(port->id, &s) != 0)
		return;
	json_object_set_new(o, port->name,
		json_pack("{s:{s:I, s:I}, s:{s:I, s:I}, s:I, s:I, s:I, s:I, s:I, s:I}", "rx",
			"packets", (json_int_t)s.ipackets, "bytes", (json_int_t)s.ibytes, "tx",
			"packets", (json_int_t)s.opackets, "bytes", (json_int_t)s.obytes, "missed",
			(json_int_t)s.imissed, "no_mbuf", (json_int_t)s.rx_nombuf, "errors",
			(json_int_t)(s.ierrors + s.oerrors), "link_downs",
			(json_int_t)port->n_downs, "link_held", (json_int_t)port->n_held,
			"unplugged", (json_int_t)port->n_unplugged));
}

static json_t *
ports_json(const struct daemon *d)
{
	json_t *o = json_object();
	unsigned int i;

	for (i = 0; i < d->wires.n; i++) {
		add_port(o, &d->wires.items[i].inside);
		add_port(o, &d->wires.items[i].outside);
	}
	return o;
}

static json_t *
workers_json(const struct daemon *d)
{
	json_t *o = json_object(), *worker;
	char key[32];
	unsigned int i;

	for (i = 0; i < d->n_workers; i++) {
		struct stats_total s = stats_of(&d->workers[i].stats);

		snprintf(key, sizeof(key), "core %u", d->settings->cores[i]);
		worker = json_pack("{s:o, s:o, s:o, s:o}", "rx", pair_json(&s.rx), "forwarded",
			pair_json(&s.forwarded), "dropped", pair_json(&s.dropped), "mirrored",
			pair_json(&s.mirrored));
		json_object_update_missing_new(worker, report_load(d, i));
		json_object_set_new(o, key, worker);
	}
	return o;
}

/* Totals and reasons are in every answer; countries too, since scripts rely on them. */
static json_t *
base_json(struct daemon *d, const struct tally *t)
{
	struct stats_total sum;
	json_t *status = report_status(d), *o;

	daemon_sum_workers(d, &sum);
	o = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:O}", "rx",
		pair_json(&sum.rx), "forwarded", pair_json(&sum.forwarded), "dropped",
		pair_json(&sum.dropped), "mirrored", pair_json(&sum.mirrored), "reasons",
		reasons_json(&sum), "shadow", shadow_json(&sum), "countries",
		countries_json(t->countries, &t->unknown), "specials", specials_json(t), "inbound",
		countries_json(t->inbound_countries, &t->inbound_unknown), "mirror",
		json_object_get(status, "mirror"));
	json_decref(status);
	return o;
}

static void
add_by(json_t *o, const struct daemon *d, const struct tally *t, const char *by)
{
	const struct generation *g = publisher_get(d->publisher);

	if (strcmp(by, "asn") == 0)
		json_object_set_new(o, "asns", asns_json(d, t));
	else if (strcmp(by, "rule") == 0)
		json_object_set_new(o, "rules", g != NULL ? rules_json(g) : json_object());
	else if (strcmp(by, "port") == 0)
		json_object_set_new(o, "ports", ports_json(d));
	else if (strcmp(by, "worker") == 0)
		json_object_set_new(o, "workers", workers_json(d));
}

bool
report_is_known(const char *by)
{
	static const char *const known[] = { "country", "reason", "asn", "rule", "port", "worker" };
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(by, known[i]) == 0)
			return true;
	return false;
}

json_t *
report_all_counters(struct daemon *d)
{
	static const char *const all[] = { "asn", "port", "worker" };
	struct tally tally = { .n_asns = 0 };
	json_t *o = NULL;
	size_t i;

	if (publisher_tally(d->publisher, &tally) == 0)
		o = base_json(d, &tally);
	for (i = 0; o != NULL && i < sizeof(all) / sizeof(all[0]); i++)
		add_by(o, d, &tally, all[i]);
	tally_fini(&tally);
	return o;
}

json_t *
report_counters(struct daemon *d, const char *by)
{
	struct tally tally = { .n_asns = 0 };
	json_t *o = NULL;

	if (publisher_tally(d->publisher, &tally) == 0)
		o = base_json(d, &tally);
	if (o != NULL && by != NULL)
		add_by(o, d, &tally, by);
	tally_fini(&tally);
	return o;
}
