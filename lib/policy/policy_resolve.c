/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What needs the whole file. ASNs and prefixes are sorted with their rules in the order of the
 * file, so that equal ones are neighbours: the first stays, another action is an error. Countries
 * are slots in an array: codes take theirs first, groups take what is left.
 */
#include "policy_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* `rule` says something else than `earlier`: quote both. */
static void
fail_rules(struct policy_build *b, uint32_t earlier, uint32_t rule, const char *advice)
{
	const struct policy_rule *r = &b->p->rules[rule];
	char key[80], other[160];

	snprintf(key, sizeof(key), "[%s] %s", r->section, r->action);
	policy_rule_format(b->p, earlier, other, sizeof(other));
	schema_fail_at(&b->reader, r->line, key, "'%s' contradicts %s: %s", r->item, other, advice);
}

static bool
is_same_action(const struct policy_build *b, uint32_t a, uint32_t c)
{
	return b->p->rules[a].verdict == b->p->rules[c].verdict;
}

static int
compare_asns(const void *a, const void *b)
{
	const struct policy_asn *l = a, *r = b;

	if (l->asn != r->asn)
		return l->asn < r->asn ? -1 : 1;
	return l->rule < r->rule ? -1 : l->rule > r->rule;
}

static void
resolve_asns(struct policy_build *b)
{
	struct policy *p = b->p;
	size_t i, n = 0;

	if (p->n_asns > 0)
		qsort(p->asns, p->n_asns, sizeof(p->asns[0]), compare_asns);
	for (i = 0; i < p->n_asns; i++) {
		if (n == 0 || p->asns[n - 1].asn != p->asns[i].asn)
			p->asns[n++] = p->asns[i];
		else if (!is_same_action(b, p->asns[n - 1].rule, p->asns[i].rule))
			fail_rules(b, p->asns[n - 1].rule, p->asns[i].rule, "remove one of them");
	}
	p->n_asns = n;
}

static int
compare_places(const struct policy_prefix *l, const struct policy_prefix *r)
{
	if (l->range.version != r->range.version)
		return l->range.version < r->range.version ? -1 : 1;
	if (l->range.first != r->range.first)
		return l->range.first < r->range.first ? -1 : 1;
	return (int)l->length - (int)r->length;
}

static int
compare_prefixes(const void *a, const void *b)
{
	const struct policy_prefix *l = a, *r = b;
	int order = compare_places(l, r);

	return order != 0 ? order : l->rule < r->rule ? -1 : l->rule > r->rule;
}

static void
resolve_prefixes(struct policy_build *b)
{
	struct policy *p = b->p;
	size_t i, n = 0;

	if (p->n_prefixes > 0)
		qsort(p->prefixes, p->n_prefixes, sizeof(p->prefixes[0]), compare_prefixes);
	for (i = 0; i < p->n_prefixes; i++) {
		if (n == 0 || compare_places(&p->prefixes[n - 1], &p->prefixes[i]) != 0)
			p->prefixes[n++] = p->prefixes[i];
		else if (!is_same_action(b, p->prefixes[n - 1].rule, p->prefixes[i].rule))
			fail_rules(b, p->prefixes[n - 1].rule, p->prefixes[i].rule,
				"remove one of them");
	}
	p->n_prefixes = n;
}

static void
fail_mention(struct policy_build *b, const struct mention *m)
{
	const struct policy_rule *rule = &b->p->rules[m->rule];
	char key[80], hint[SCHEMA_HINT_SIZE];

	snprintf(key, sizeof(key), "[%s] %s", rule->section, rule->action);
	group_hint(&b->groups, &b->reader, hint, m->name);
	if (strlen(m->name) <= 3)
		schema_fail_at(&b->reader, rule->line, key,
			"'%s' is not an ISO 3166-1 alpha-2 code%s", m->name, hint);
	else
		schema_fail_at(&b->reader, rule->line, key,
			"'%s' is neither an ISO 3166-1 alpha-2 code nor a group%s", m->name, hint);
}

/* `*slot` (a rule or RULE_NONE) gets the rule of `m` unless another has it. */
static void
take_slot(struct policy_build *b, uint32_t *slot, const struct mention *m)
{
	if (*slot == RULE_NONE)
		*slot = m->rule;
	else if (!is_same_action(b, *slot, m->rule))
		fail_rules(b, *slot, m->rule, "remove one of them");
}

/* Codes take their slots; what is neither code nor group is an error. */
static void
resolve_codes(struct policy_build *b, uint32_t *rules)
{
	const struct mention *m;
	int slot;
	size_t i;

	for (i = 0; i < b->n_mentions; i++) {
		m = &b->mentions[i];
		slot = country_slot(m->name);
		if (slot >= 0 && country_find(m->name) != NULL)
			take_slot(b, &rules[slot], m);
		else if (group_find(&b->groups, m->name) == NULL)
			fail_mention(b, m);
	}
}

/* Two groups share countries under different actions: say once which. */
static void
fail_overlap(
	struct policy_build *b, const struct group *group, const uint32_t *rules, uint32_t other)
{
	char text[120] = "they share";
	size_t at = strlen(text);
	int slot;

	for (slot = 0; slot < COUNTRY_SLOTS && at < 60; slot++)
		if (group->has[slot] && rules[slot] == other)
			at += (size_t)snprintf(text + at, sizeof(text) - at, " %c%c",
				'A' + slot / 26, 'A' + slot % 26);
	snprintf(text + at, sizeof(text) - at, "%s; name these by code, or one group only",
		at < 60 ? "" : " ...");
	fail_rules(b, other, group->rule, text);
}

/* One group takes the slots that no code has. */
static void
resolve_group(
	struct policy_build *b, const struct group *group, const uint32_t *codes, uint32_t *rules)
{
	int slot;

	for (slot = 0; slot < COUNTRY_SLOTS; slot++) {
		if (!group->has[slot] || codes[slot] != RULE_NONE)
			continue;
		if (rules[slot] == RULE_NONE) {
			rules[slot] = group->rule;
		} else if (!is_same_action(b, rules[slot], group->rule)) {
			fail_overlap(b, group, rules, rules[slot]);
			return;
		}
	}
}

static void
resolve_groups(struct policy_build *b, const uint32_t *codes, uint32_t *rules)
{
	struct group *group;
	bool is_first;
	size_t i;

	for (i = 0; i < b->n_mentions; i++) {
		group = group_find(&b->groups, b->mentions[i].name);
		if (group == NULL)
			continue;
		is_first = group->rule == RULE_NONE;
		take_slot(b, &group->rule, &b->mentions[i]);
		if (is_first)
			resolve_group(b, group, codes, rules);
	}
}

static int
resolve_countries(struct policy_build *b)
{
	struct policy *p = b->p;
	uint32_t codes[COUNTRY_SLOTS], rules[COUNTRY_SLOTS];
	int slot;

	memset(codes, 0xff, sizeof(codes));
	memset(rules, 0xff, sizeof(rules));
	group_list_sort(&b->groups);
	resolve_codes(b, codes);
	resolve_groups(b, codes, rules);
	p->countries = calloc(COUNTRY_SLOTS, sizeof(p->countries[0]));
	if (p->countries == NULL)
		return -ENOMEM;
	for (slot = 0; slot < COUNTRY_SLOTS; slot++)
		if (codes[slot] != RULE_NONE || rules[slot] != RULE_NONE)
			p->countries[p->n_countries++] = (struct policy_country){
				.country = { (char)('A' + slot / 26), (char)('A' + slot % 26) },
				.rule = codes[slot] != RULE_NONE ? codes[slot] : rules[slot],
			};
	return 0;
}

int
policy_resolve(struct policy_build *b)
{
	resolve_asns(b);
	resolve_prefixes(b);
	evidence_resolve(b);
	return resolve_countries(b);
}
