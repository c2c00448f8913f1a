/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Comparing: the candidate is compiled like any generation, compared and freed again; nothing of it
 * ever judges a frame. Frames without a deciding address (unparsable, non-IP...) have no class: their
 * traffic comes from the counters by reason.
 */
#include "report_diff.h"

#include "report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct end {
	const struct ruleset *rs;
	ruleset_class_t class;
};

int
comparison_init(struct comparison *c, struct daemon *d, const struct generation *before,
	const struct generation *after)
{
	struct stats_total total;

	*c = (struct comparison){ .before = before, .after = after };
	daemon_sum_workers(d, &total);
	if (traffic_read(d->traffic, before, &total, time(NULL), &c->window) != 0)
		return -ENOMEM;
	c->diff = diff_new(before->ruleset, after->ruleset, c->window.classes);
	if (c->diff != NULL)
		return 0;
	comparison_fini(c);
	return -ENOMEM;
}

void
comparison_fini(struct comparison *c)
{
	free(c->window.classes);
	diff_free(c->diff);
	*c = (struct comparison){ .before = NULL };
}

static double
percent(double part, double whole)
{
	return whole > 0 ? 100.0 * part / whole : 0.0;
}

static void
traffic_sum(struct diff_traffic *sum, const struct diff_traffic *traffic)
{
	sum->packets += traffic->packets;
	sum->bytes += traffic->bytes;
}

/* Frames that no address decides, by what decides them instead. */
struct frames {
	const char *name;
	uint32_t before, after; /* rules; the last of `n` where one of several changes */
	unsigned int n, n_changed;
	struct diff_traffic traffic;
};

static void
frames_compare(struct frames *f, const struct comparison *c, uint32_t before, uint32_t after)
{
	f->n++;
	if (c->before->policy->rules[before].verdict == c->after->policy->rules[after].verdict)
		return;
	f->n_changed++;
	f->before = before;
	f->after = after;
}

#define N_FRAMES 4u

static void
frames_init(struct frames frames[N_FRAMES], const struct comparison *c)
{
	const struct policy *a = c->before->policy, *b = c->after->policy;
	unsigned int i;

	memset(frames, 0, N_FRAMES * sizeof(*frames));
	frames[0].name = "unparsable";
	frames[1].name = "non-ip";
	frames[2].name = "source-route";
	frames[3].name = "opaque-tunnel";
	frames_compare(&frames[0], c, a->rule_unparsable, b->rule_unparsable);
	for (i = NON_IP_NONE + 1; i < NON_IP_N; i++)
		frames_compare(&frames[1], c, a->rule_non_ip[i], b->rule_non_ip[i]);
	frames_compare(&frames[2], c, a->rule_source_route, b->rule_source_route);
	frames_compare(&frames[3], c, a->rule_opaque, b->rule_opaque);
	for (i = 0; i < REASON_N; i++)
		if (reason_is_unparsable((reason_t)i))
			traffic_sum(&frames[0].traffic, &c->window.reasons[i]);
	frames[1].traffic = c->window.reasons[REASON_NON_IP];
	frames[2].traffic = c->window.reasons[REASON_SOURCE_ROUTE];
	frames[3].traffic = c->window.reasons[REASON_OPAQUE_TUNNEL];
}

/* All that was judged, and what of it changes. */
struct totals {
	struct diff_traffic all;
	struct diff_share affected;
};

static struct totals
totals_of(const struct comparison *c)
{
	struct totals t = { .all = c->diff->traffic, .affected = c->diff->affected };
	struct frames frames[N_FRAMES];
	unsigned int i;

	frames_init(frames, c);
	for (i = 0; i < N_FRAMES; i++) {
		traffic_sum(&t.all, &frames[i].traffic);
		if (frames[i].n_changed > 0)
			traffic_sum(&t.affected.most, &frames[i].traffic);
		if (frames[i].n_changed == frames[i].n)
			traffic_sum(&t.affected.certain, &frames[i].traffic);
	}
	return t;
}

/* Of the family that changes more. */
static double
space_percent(const struct diff_size *part, const struct diff_size *known)
{
	double p4 = percent(part->addresses4, known->addresses4);
	double p6 = percent(part->nets6, known->nets6);

	return p4 > p6 ? p4 : p6;
}

int
comparison_check(const struct comparison *c, const struct blast_radius *radius, struct err *e)
{
	struct totals t = totals_of(c);
	double traffic = percent((double)t.affected.most.bytes, (double)t.all.bytes);
	double space = space_percent(&c->diff->changed, &c->diff->known);

	if (traffic > radius->traffic_percent)
		return err_set_code(e, EPERM, NULL, 0, NULL,
			"up to %.2f %% of the traffic of the last %u s would change its verdict, "
			"more than the %.2f %% allowed: look at the diff, then have it approved",
			traffic, c->window.seconds, radius->traffic_percent);
	if (space > radius->space_percent)
		return err_set_code(e, EPERM, NULL, 0, NULL,
			"%.2f %% of the known address space would change its verdict, more than "
			"the %.2f %% allowed: look at the diff, then have it approved",
			space, radius->space_percent);
	return 0;
}

static const struct geo_origin *
origin_of(const struct end *end)
{
	return &end->rs->geo->origins[end->rs->classes[end->class].origin];
}

static json_t *
verdict_json(const struct end *end)
{
	uint8_t verdict = end->rs->verdict[end->class];

	if (verdict & RULESET_VERDICT_CARRIER)
		return json_string("embedded");
	return json_string(verdict_name(verdict & RULESET_VERDICT_MASK));
}

/* What one end says of an address or a row. */
static json_t *
end_json(const struct end *end, bool with_asn)
{
	const struct geo_origin *origin = origin_of(end);
	const char *special = special_name(end->rs->classes[end->class].special);
	bool is_unknown = memcmp(origin->country, GEO_UNKNOWN_COUNTRY, 2) == 0;
	json_t *o = json_pack("{s:o, s:o, s:s?}", "verdict", verdict_json(end), "country",
		is_unknown ? json_null() : json_stringn(origin->country, 2), "special", special);

	if (with_asn)
		json_object_set_new(o, "asn", json_integer((json_int_t)origin->asn));
	return o;
}

static json_t *
size_json(const struct diff_size *size, const struct diff_size *known)
{
	return json_pack("{s:I, s:I, s:f, s:f, s:f}", "prefixes4", (json_int_t)size->prefixes4,
		"prefixes6", (json_int_t)size->prefixes6, "addresses4", size->addresses4, "nets6",
		size->nets6, "percent", space_percent(size, known));
}

static json_t *
share_json(const struct diff_share *share, const struct diff_traffic *all)
{
	return json_pack("{s:I, s:I, s:f, s:f}", "packets", (json_int_t)share->most.packets,
		"bytes", (json_int_t)share->most.bytes, "percent",
		percent((double)share->most.bytes, (double)all->bytes), "certain_percent",
		percent((double)share->certain.bytes, (double)all->bytes));
}

static json_t *
row_json(const struct comparison *c, const struct diff_row *row, const struct diff_traffic *all,
	bool by_asn)
{
	const struct end before = { c->diff->before, row->before };
	const struct end after = { c->diff->after, row->after };
	const struct geo_origin *from = origin_of(&before), *to = origin_of(&after);
	json_t *o = json_pack("{s:o, s:o, s:o, s:o, s:b}", "before", end_json(&before, by_asn),
		"after", end_json(&after, by_asn), "space", size_json(&row->size, &c->diff->known),
		"traffic", share_json(&row->traffic, all), "changes_verdict",
		diff_is_verdict(c->diff, row->before, row->after));

	if (!by_asn)
		return o;
	json_object_set_new(o, "asn", json_integer((json_int_t)(from->asn ? from->asn : to->asn)));
	json_object_set_new(o, "as_name", json_string(from->asn ? from->as_name : to->as_name));
	if (memcmp(from->country, to->country, 2) == 0) { /* the row may be in many countries */
		json_object_del(json_object_get(o, "before"), "country");
		json_object_del(json_object_get(o, "after"), "country");
	}
	return o;
}

static json_t *
rows_json(const struct comparison *c, const struct diff_rows *rows, const struct diff_traffic *all,
	bool by_asn, size_t limit)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < rows->n && i < limit; i++)
		json_array_append_new(list, row_json(c, &rows->items[i], all, by_asn));
	return list;
}

static void
add_changes(
	json_t *list, const struct comparison *c, const struct diff_changes *changes, size_t limit)
{
	char first[IP_TEXT_SIZE], last[IP_TEXT_SIZE];
	size_t i;

	for (i = 0; i < changes->n && i < limit; i++) {
		const struct diff_change *change = &changes->items[i];
		const struct ip_range *range = &change->range;
		struct ip_addr begin = { range->first, range->version };
		struct ip_addr end = { range->last, range->version };
		struct end before = { c->diff->before, change->before };
		struct end after = { c->diff->after, change->after };

		json_array_append_new(
			list, json_pack("{s:s, s:s, s:o, s:o}", "first", ip_format(&begin, first),
				      "last", ip_format(&end, last), "before",
				      end_json(&before, true), "after", end_json(&after, true)));
	}
}

static json_t *
rule_json(const struct policy *policy, uint32_t rule)
{
	char text[256];

	if (rule == RULESET_RULE_NONE)
		return json_null();
	return json_string(policy_rule_format(policy, rule, text, sizeof(text)));
}

/* So many fit into one answer. */
#define RULES_MAX 10000u

static json_t *
rules_json(const struct comparison *c, size_t *n_found)
{
	const struct policy *a = c->before->policy, *b = c->after->policy;
	json_t *list = json_array();
	struct diff_rule *rules;
	size_t i, n = 0;

	*n_found = 0;
	if (diff_rules(a, b, &rules, &n) != 0)
		return list;
	*n_found = n;
	for (i = 0; i < n && i < RULES_MAX; i++)
		json_array_append_new(
			list, json_pack("{s:s, s:o, s:o}", "change",
				      rules[i].before == RULESET_RULE_NONE  ? "added"
				      : rules[i].after == RULESET_RULE_NONE ? "removed"
									    : "changed",
				      "before", rule_json(a, rules[i].before), "after",
				      rule_json(b, rules[i].after)));
	free(rules);
	return list;
}

static json_t *
frames_json(const struct comparison *c, const struct diff_traffic *all)
{
	json_t *list = json_array();
	struct frames frames[N_FRAMES];
	unsigned int i;

	frames_init(frames, c);
	for (i = 0; i < N_FRAMES; i++) {
		struct diff_share share = { .most = frames[i].traffic };

		if (frames[i].n_changed == 0)
			continue;
		if (frames[i].n_changed == frames[i].n)
			share.certain = share.most;
		json_array_append_new(
			list, json_pack("{s:s, s:o, s:o, s:o}", "frames", frames[i].name, "before",
				      rule_json(c->before->policy, frames[i].before), "after",
				      rule_json(c->after->policy, frames[i].after), "traffic",
				      share_json(&share, all)));
	}
	return list;
}

static json_t *
side_json(const struct generation *g)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:b}", "policy", g->policy->name, "file",
		g->policy->file, "sha256", g->policy->sha256, "geo_file", g->geo->path,
		"geo_sha256", g->geo->table->sha256, "geo_built_at",
		report_time((time_t)g->geo->table->built_at), "stale",
		(int)g->ruleset->options.is_stale);
}

static json_t *
space_json(const struct diff *d)
{
	return json_pack("{s:o, s:o, s:o}", "known", size_json(&d->known, &d->known), "changed",
		size_json(&d->changed, &d->known), "moved", size_json(&d->moved, &d->known));
}

json_t *
report_diff(const struct comparison *c, size_t limit)
{
	const struct diff *d = c->diff;
	struct totals t = totals_of(c);
	json_t *changes = json_array(), *rules;
	size_t n_rules;

	add_changes(changes, c, &d->changes4, limit);
	add_changes(changes, c, &d->changes6, limit);
	rules = rules_json(c, &n_rules);
	return json_pack(
		"{s:I, s:o, s:o, s:o, s:o, s:I, s:o, s:{s:I, s:I, s:I, s:o, s:o}, s:o, s:I, "
		"s:o, s:I, s:o, s:I}",
		"generation", (json_int_t)c->before->number, "before", side_json(c->before),
		"after", side_json(c->after), "settings",
		report_settings(c->before->policy, c->after->policy), "rules", rules, "n_rules",
		(json_int_t)n_rules, "space", space_json(d), "traffic", "window_s",
		(json_int_t)c->window.seconds, "packets", (json_int_t)t.all.packets, "bytes",
		(json_int_t)t.all.bytes, "affected", share_json(&t.affected, &t.all), "frames",
		frames_json(c, &t.all), "countries",
		rows_json(c, &d->countries, &t.all, false, limit), "n_countries",
		(json_int_t)d->countries.n, "asns", rows_json(c, &d->asns, &t.all, true, limit),
		"n_asns", (json_int_t)d->asns.n, "changes", changes, "n_changes",
		(json_int_t)(d->changes4.n_found + d->changes6.n_found));
}
