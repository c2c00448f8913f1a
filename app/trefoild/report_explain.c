/* SPDX-License-Identifier: BSD-3-Clause */
/* The "explain" answer: the look-up of the data plane, then everything behind the class it found. */
#include "report.h"

#include <string.h>

static ruleset_class_t
class_of(const struct ruleset *rs, const struct ip_addr *ip)
{
	ruleset_class_t class;
	uint32_t ip4 = (uint32_t)ip->value;

	if (ip->version == 4)
		ruleset_lookup4(rs, &ip4, &class, 1);
	else
		ruleset_lookup6(rs, &ip->value, &class, 1);
	return class;
}

static void
add_rule(json_t *list, const struct policy *policy, const struct policy_rule *rule, uint32_t winner)
{
	uint32_t index;
	char text[256];

	if (rule == NULL)
		return;
	index = (uint32_t)(rule - policy->rules);
	if (index != winner)
		json_array_append_new(
			list, json_string(policy_rule_format(policy, index, text, sizeof(text))));
}

/* Rules that match the address too, but are less specific than the one that decides. */
static json_t *
shadowed_json(const struct ruleset *rs, const struct ip_addr *ip, const struct geo_origin *origin,
	uint32_t winner)
{
	const struct policy *policy = rs->policy;
	json_t *list = json_array();
	size_t i;

	for (i = policy->n_prefixes; i > 0; i--) {
		const struct policy_prefix *p = &policy->prefixes[i - 1];

		if (p->range.version == ip->version && p->range.first <= ip->value &&
			ip->value <= p->range.last)
			add_rule(list, policy, &policy->rules[p->rule], winner);
	}
	if (origin->asn != 0)
		add_rule(list, policy, policy_find_asn(policy, origin->asn), winner);
	add_rule(list, policy, policy_find_country(policy, origin->country), winner);
	add_rule(list, policy, &policy->rules[policy->rule_default], winner);
	return list;
}

static json_t *
sources_json(const struct geo_table *geo, const struct geo_origin *origin)
{
	json_t *list = json_array();

	if (origin->country_source != 0)
		json_array_append_new(list, json_string(geo->sources[origin->country_source]));
	if (origin->asn_source != 0 && origin->asn_source != origin->country_source)
		json_array_append_new(list, json_string(geo->sources[origin->asn_source]));
	return list;
}

static json_t *
country_json(const struct geo_origin *origin)
{
	if (memcmp(origin->country, GEO_UNKNOWN_COUNTRY, 2) == 0)
		return json_null();
	return json_stringn(origin->country, 2);
}

static void
set_range(json_t *o, const struct ruleset *rs, const struct ip_addr *ip)
{
	struct ip_range range;
	struct ip_addr first, last;
	char text[IP_TEXT_SIZE];

	ruleset_explain_range(rs, ip, &range);
	first = (struct ip_addr){ .value = range.first, .version = range.version };
	last = (struct ip_addr){ .value = range.last, .version = range.version };
	json_object_set_new(o, "first", json_string(ip_format(&first, text)));
	json_object_set_new(o, "last", json_string(ip_format(&last, text)));
}

static void
set_rule(json_t *o, const struct ruleset *rs, uint32_t rule)
{
	char text[256];

	if (rule == RULESET_RULE_NONE)
		json_object_set_new(o, "rule", json_null());
	else
		json_object_set_new(o, "rule",
			json_string(policy_rule_format(rs->policy, rule, text, sizeof(text))));
}

json_t *
report_explain(const struct generation *g, const struct ip_addr *ip)
{
	const struct ruleset *rs = g->ruleset;
	ruleset_class_t index = class_of(rs, ip);
	const struct ruleset_class *class = &rs->classes[index];
	const struct geo_origin *origin = &rs->geo->origins[class->origin];
	const char *special = special_name(class->special);
	char text[IP_TEXT_SIZE];
	json_t *o = json_pack("{s:s, s:o, s:o, s:I, s:s, s:o, s:o, s:s, s:s, s:I, s:b}", "address",
		ip_format(ip, text), "special",
		special != NULL ? json_string(special) : json_null(), "country",
		country_json(origin), "asn", (json_int_t)origin->asn, "as_name", origin->as_name,
		"sources", sources_json(rs->geo, origin), "shadows",
		shadowed_json(rs, ip, origin, class->rule), "verdict",
		verdict_name(rs->verdict[index] & RULESET_VERDICT_MASK), "reason",
		reason_name(rs->reason[index]), "generation", (json_int_t)g->number, "carrier",
		(int)(class->special == SPECIAL_EMBEDDED));

	if (o == NULL)
		return NULL;
	json_object_set_new(o, "geo_built_at", report_time((time_t)rs->geo->built_at));
	set_range(o, rs, ip);
	set_rule(o, rs, class->rule);
	return o;
}
