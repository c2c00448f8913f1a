/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The slow reading: the longest prefix rule by one binary search per prefix length, the registries
 * from their last entry to the first, the geo table by binary search, then the rules by their order
 * of precedence. Class numbers are the compiler's own; what stands behind them is compared.
 */
#include "ruleset/verify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BATCH    256
#define NOT_READ (RULESET_RULE_NONE - 1)

/* Neighbours of which a source says the same: the kind of special address, or the origin. */
struct stretch {
	ip6_t first, last;
	uint32_t said;
};

struct verifier {
	const struct ruleset *rs;
	struct err *e;
	uint8_t version;
	unsigned int n;
	ip6_t ips[BATCH];
	uint8_t lengths[129]; /* prefix lengths that the policy has, longest first */
	unsigned int n_lengths;
	const struct policy_prefix *prefixes; /* of the version */
	size_t n_prefixes;
	struct stretch special, geo; /* where the last address was */
	uint32_t *rules;             /* by origin, NOT_READ: not needed so far */
};

/* What the sources say of one address. */
struct reading {
	uint32_t origin, rule;
	uint8_t special;
	uint8_t verdict;
};

static int
prefix_compare(const struct policy_prefix *p, ip6_t first, uint8_t length)
{
	if (p->range.first != first)
		return p->range.first < first ? -1 : 1;
	return (int)p->length - (int)length;
}

static const struct policy_prefix *
find_prefix(const struct verifier *v, ip6_t first, uint8_t length)
{
	size_t low = 0, high = v->n_prefixes;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = prefix_compare(&v->prefixes[middle], first, length);

		if (order == 0)
			return &v->prefixes[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static uint32_t
longest_prefix(const struct verifier *v, ip6_t ip)
{
	unsigned int bits = v->version == 4 ? 32 : 128, i;

	for (i = 0; i < v->n_lengths; i++) {
		unsigned int host = bits - v->lengths[i];
		ip6_t first = host >= 128 ? 0 : ip >> host << host;
		const struct policy_prefix *p = find_prefix(v, first, v->lengths[i]);

		if (p != NULL)
			return p->rule;
	}
	return RULESET_RULE_NONE;
}

/* One special range: the stretch around `ip` ends where it begins or ends. Returns whether it holds
 * `ip`. */
static bool
narrow(struct stretch *s, ip6_t ip, ip6_t first, ip6_t last)
{
	if (ip < first) {
		s->last = first <= s->last ? first - 1 : s->last;
		return false;
	}
	if (ip > last) {
		s->first = last >= s->first ? last + 1 : s->first;
		return false;
	}
	s->first = first > s->first ? first : s->first;
	s->last = last < s->last ? last : s->last;
	return true;
}

/* The smallest range speaks, of the registries and of the operator's NAT64 prefixes. */
static struct stretch
find_special(const struct verifier *v, ip6_t ip)
{
	const struct limits *limits = &v->rs->policy->limits;
	struct stretch s = { 0, ip_max(v->version), SPECIAL_NONE };
	const struct special_entry *entries;
	ip6_t smallest = ip_max(v->version), size;
	size_t i, n;

	entries = special_entries(v->version, &n);
	for (i = 0; i < n; i++) {
		size = entries[i].range.last - entries[i].range.first;
		if (!narrow(&s, ip, entries[i].range.first, entries[i].range.last) ||
			size > smallest)
			continue;
		smallest = size;
		s.said = entries[i].special;
	}
	for (i = 0; v->version == 6 && i < limits->n_nat64; i++) {
		ip6_t first = limits->nat64[i].prefix;

		size = ~(ip6_t)0 >> limits->nat64[i].length;
		if (!narrow(&s, ip, first, first | size) || size > smallest)
			continue;
		smallest = size;
		s.said = SPECIAL_EMBEDDED;
	}
	return s;
}

static bool
holds(const struct stretch *s, ip6_t ip)
{
	return s->first <= ip && ip <= s->last;
}

/* Most addresses lie next to the one before. */
static uint8_t
special_of(struct verifier *v, ip6_t ip)
{
	if (!holds(&v->special, ip))
		v->special = find_special(v, ip);
	return (uint8_t)v->special.said;
}

static uint32_t
origin_of(struct verifier *v, ip6_t ip)
{
	const struct geo_table *geo = v->rs->geo;
	struct ip_addr address = { .value = ip, .version = v->version };
	struct geo_answer answer;

	if (holds(&v->geo, ip))
		return v->geo.said;
	geo_lookup(geo, &address, &answer);
	v->geo = (struct stretch){ answer.range.first, answer.range.last,
		(uint32_t)(answer.origin - geo->origins) };
	return v->geo.said;
}

/* What one country gets. */
static const struct policy_rule *
country_rule(const struct policy *policy, const char country[2])
{
	const struct policy_rule *rule = policy_find_country(policy, country);

	return rule != NULL ? rule : &policy->rules[policy->rule_default];
}

/* Of all that is said of the country, the first that no other is stricter than. */
static uint32_t
disputed_rule(const struct verifier *v, const struct geo_origin *origin)
{
	const struct policy *policy = v->rs->policy;
	const struct geo_dissent *others = &v->rs->geo->dissents[origin->dissents];
	const struct policy_rule *said;
	unsigned int verdict, i;

	if (policy->conflict == POLICY_CONFLICT_UNKNOWN)
		return policy->rule_unknown;
	for (verdict = VERDICT_DROP | VERDICT_MIRROR; verdict > VERDICT_PASS; verdict--)
		for (i = 0; i <= origin->n_dissents; i++) {
			said = country_rule(
				policy, i > 0 ? others[i - 1].country : origin->country);
			if (said->verdict == verdict)
				return (uint32_t)(said - policy->rules);
		}
	return (uint32_t)(country_rule(policy, origin->country) - policy->rules);
}

static uint32_t
read_rule(const struct verifier *v, const struct geo_origin *origin)
{
	const struct policy *policy = v->rs->policy;
	bool has_country = memcmp(origin->country, GEO_UNKNOWN_COUNTRY, 2) != 0;
	const struct policy_rule *rule = NULL;

	if (origin->asn != 0)
		rule = policy_find_asn(policy, origin->asn);
	if (rule == NULL && origin->n_dissents > 0 && policy->conflict != POLICY_CONFLICT_FIRST)
		return disputed_rule(v, origin);
	if (rule == NULL && has_country)
		rule = policy_find_country(policy, origin->country);
	if (rule != NULL)
		return (uint32_t)(rule - policy->rules);
	return has_country || origin->asn != 0 ? policy->rule_default : policy->rule_unknown;
}

static uint32_t
rule_of(const struct verifier *v, const struct reading *r)
{
	if (r->special == SPECIAL_EMBEDDED)
		return RULESET_RULE_NONE;
	if (r->special != SPECIAL_NONE)
		return v->rs->policy->rule_special[r->special];
	if (v->rules[r->origin] == NOT_READ)
		v->rules[r->origin] = read_rule(v, &v->rs->geo->origins[r->origin]);
	return v->rules[r->origin];
}

/* Old data must not decide alone. */
static void
add_stale(const struct verifier *v, struct reading *r, bool is_prefix)
{
	const struct policy *policy = v->rs->policy;
	verdict_t stale = policy->rules[policy->rule_stale].verdict;

	if (!v->rs->options.is_stale || stale == POLICY_ACTION_NONE || is_prefix ||
		r->special != SPECIAL_NONE || (r->verdict | stale) == r->verdict)
		return;
	r->verdict |= stale;
	r->rule = policy->rule_stale;
}

static void
read_slowly(struct verifier *v, ip6_t ip, struct reading *r)
{
	const struct policy *policy = v->rs->policy;
	uint32_t prefix = longest_prefix(v, ip);

	r->special = special_of(v, ip);
	r->origin = r->special == SPECIAL_NONE ? origin_of(v, ip) : 0;
	r->rule = prefix != RULESET_RULE_NONE ? prefix : rule_of(v, r);
	r->verdict = r->rule != RULESET_RULE_NONE ? policy->rules[r->rule].verdict : 0;
	if (r->rule != RULESET_RULE_NONE)
		add_stale(v, r, prefix != RULESET_RULE_NONE);
	if (r->special == SPECIAL_EMBEDDED)
		r->verdict |= RULESET_VERDICT_CARRIER;
}

static int
differ(const struct verifier *v, ip6_t ip, const struct reading *r, ruleset_class_t class)
{
	struct ip_addr address = { .value = ip, .version = v->version };
	char text[IP_TEXT_SIZE];

	return err_set_code(v->e, EBADMSG, NULL, 0, NULL,
		"the compiled table is wrong at %s: verdict %s, policy and data say %s; report "
		"this, nothing was changed",
		ip_format(&address, text),
		verdict_name(v->rs->verdict[class] & RULESET_VERDICT_MASK),
		verdict_name(r->verdict & RULESET_VERDICT_MASK));
}

/* An answer repeats what its class says. */
static bool
says_the_same(const struct ruleset *rs, ruleset_answer_t answer)
{
	ruleset_class_t class = answer & RULESET_CLASS_MASK;
	bool is_carrier = (rs->verdict[class] & RULESET_VERDICT_CARRIER) != 0;

	return ruleset_answer_verdict(answer) == (rs->verdict[class] & RULESET_VERDICT_MASK) &&
	       ruleset_answer_reason(answer) == rs->reason[class] &&
	       ((answer & RULESET_CARRIER) != 0) == is_carrier;
}

static int
flush(struct verifier *v)
{
	ruleset_answer_t answers[BATCH];
	uint32_t ips4[BATCH];
	unsigned int i, n = v->n;

	for (i = 0; i < n; i++)
		ips4[i] = (uint32_t)v->ips[i];
	if (v->version == 4)
		ruleset_answer4(v->rs, ips4, answers, n);
	else
		ruleset_answer6(v->rs, v->ips, answers, n);
	v->n = 0;
	for (i = 0; i < n; i++) {
		const struct ruleset_class *class;
		struct reading r;
		uint32_t number;

		read_slowly(v, v->ips[i], &r);
		number = answers[i] & RULESET_CLASS_MASK;
		if (number >= v->rs->n_classes)
			return differ(v, v->ips[i], &r, 0);
		class = &v->rs->classes[number];
		if (class->origin != r.origin || class->special != r.special ||
			class->rule != r.rule || v->rs->verdict[number] != r.verdict ||
			!says_the_same(v->rs, answers[i]))
			return differ(v, v->ips[i], &r, number);
	}
	return 0;
}

static int
add(struct verifier *v, ip6_t ip)
{
	v->ips[v->n++] = ip;
	return v->n == BATCH ? flush(v) : 0;
}

/* Both ends, and what lies next to them. */
static int
add_range(struct verifier *v, ip6_t first, ip6_t last)
{
	int status = add(v, first);

	if (status == 0 && last != first)
		status = add(v, last);
	if (status == 0 && first > 0)
		status = add(v, first - 1);
	if (status == 0 && last < ip_max(v->version))
		status = add(v, last + 1);
	return status;
}

/* The neighbours of a geo range are the ends of others or of gaps: only gaps are looked up twice. */
static int
add_geo(struct verifier *v)
{
	const struct geo_table *geo = v->rs->geo;
	size_t i, n = v->version == 4 ? geo->n_ranges4 : geo->n_ranges6;
	ip6_t first, last, next = 0;
	int status = 0;

	for (i = 0; i < n && status == 0; i++, next = last + 1) {
		first = v->version == 4 ? geo->ranges4[i].first : geo->ranges6[i].first;
		last = v->version == 4 ? geo->ranges4[i].last : geo->ranges6[i].last;
		if (first != next && (status = add(v, next)) == 0)
			status = add(v, first - 1);
		if (status == 0)
			status = add(v, first);
		if (status == 0 && last != first)
			status = add(v, last);
	}
	return status == 0 ? add(v, ip_max(v->version)) : status;
}

static int
add_others(struct verifier *v)
{
	const struct special_entry *entries;
	size_t i, n;
	int status = 0;

	entries = special_entries(v->version, &n);
	for (i = 0; i < n && status == 0; i++)
		status = add_range(v, entries[i].range.first, entries[i].range.last);
	for (i = 0; i < v->n_prefixes && status == 0; i++)
		status = add_range(v, v->prefixes[i].range.first, v->prefixes[i].range.last);
	return status;
}

/* The policy's prefixes of one version are one run of its array. */
static void
find_prefixes(struct verifier *v)
{
	const struct policy *policy = v->rs->policy;
	bool has[129] = { false };
	size_t i;
	int length;

	for (i = 0; i < policy->n_prefixes; i++) {
		if (policy->prefixes[i].range.version != v->version)
			continue;
		if (v->n_prefixes++ == 0)
			v->prefixes = &policy->prefixes[i];
		has[policy->prefixes[i].length] = true;
	}
	for (length = 128; length >= 0; length--)
		if (has[length])
			v->lengths[v->n_lengths++] = (uint8_t)length;
}

static int
verify_version(const struct ruleset *rs, uint8_t version, uint32_t *rules, struct err *e)
{
	const struct stretch none = { .first = 1 };
	struct verifier v = {
		.rs = rs, .e = e, .version = version, .special = none, .geo = none, .rules = rules
	};
	int status;

	find_prefixes(&v);
	status = add_geo(&v);
	if (status == 0)
		status = add_others(&v);
	return status == 0 ? flush(&v) : status;
}

int
ruleset_verify(const struct ruleset *rs, struct err *e)
{
	uint32_t *rules = malloc(rs->geo->n_origins * sizeof(*rules));
	size_t i;
	int status;

	if (rules == NULL)
		return err_set_code(e, ENOMEM, NULL, 0, NULL, "no memory to verify the ruleset");
	for (i = 0; i < rs->geo->n_origins; i++)
		rules[i] = NOT_READ;
	status = verify_version(rs, 4, rules, e);
	if (status == 0)
		status = verify_version(rs, 6, rules, e);
	free(rules);
	return status;
}
