/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ruleset: precedence, special addresses, stale data, and an oracle: a slow reading of policy and
 * table, written independently of layers and tables, that must agree everywhere.
 */
#include "suite.h"

#include "base/isa.h"
#include "base/reason.h"
#include "geo/geo_build.h"
#include "ruleset/ruleset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define N_RANDOM_SMALL 200000
#define N_RANDOM_FULL  10000000

struct fixture {
	struct policy *policy;
	struct geo_table *geo;
	struct ruleset *ruleset;
};

static struct policy *
policy_of(const char *text)
{
	static struct err_list errors;
	struct policy *policy;
	char buf[1024];

	errors.n = errors.n_found = 0;
	policy = policy_parse(text, strlen(text), "policy.ini", &errors);
	if (policy == NULL && errors.n > 0)
		printf("%s\n", err_format(&errors.items[0], buf, sizeof(buf)));
	return policy;
}

static void
add_of(struct geo_build *b, const char *name, const char *prefix, const char *country, uint32_t asn)
{
	int source = geo_build_add_source(b, name);
	struct ip_range range;

	CU_ASSERT_EQUAL_FATAL(ip_parse_prefix(prefix, &range), 0);
	if (country != NULL)
		CU_ASSERT_EQUAL_FATAL(geo_build_add_country(b, &range, country, source), 0);
	if (asn != 0)
		CU_ASSERT_EQUAL_FATAL(geo_build_add_asn(b, &range, asn, "NAME", source), 0);
}

static void
add(struct geo_build *b, const char *prefix, const char *country, uint32_t asn)
{
	add_of(b, "test", prefix, country, asn);
}

static struct geo_table *
small_geo(void)
{
	struct geo_build *b = geo_build_new();

	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	add(b, "1.0.0.0/8", "AU", 13335);
	add(b, "1.2.0.0/16", "CN", 4134);
	add(b, "1.2.3.4/32", "IE", 0);
	add(b, "5.0.0.0/8", "DE", 0);
	add(b, "6.0.0.0/8", NULL, 64500);
	add(b, "192.168.0.0/16", "AU", 0); /* the real tables claim this */
	add(b, "223.255.255.0/24", "JP", 1);
	add(b, "255.0.0.0/8", "US", 2);
	add(b, "2001:200::/23", "JP", 2500);
	add(b, "2a00::/12", "DE", 3320);
	add(b, "2a00:1::/32", "CN", 4134);
	add(b, "2a00:1:2:3:4:5:6:7/128", "IE", 5);
	add(b, "2002::/16", "JP", 6939);
	add(b, "ffff::/16", "US", 7);
	return geo_build_seal(b);
}

static const char sample[] = "[policy]\n"
			     "default = drop\n"
			     "unknown = drop+mirror\n"
			     "stale = mirror\n"
			     "[country]\n"
			     "approve = IE DE AU\n"
			     "drop+mirror = CN\n"
			     "mirror = US\n"
			     "[asn]\n"
			     "mirror = 13335\n"
			     "pass = 64500\n"
			     "[prefix]\n"
			     "drop = 5.5.0.0/16 2a00:5::/32\n"
			     "pass = 5.5.5.0/24 10.9.0.0/16 2a00:5:5::/48\n"
			     "drop+mirror = 0.0.0.0/1 ::/0\n"
			     "mirror = 5.5.5.5/32\n"
			     "[special]\n"
			     "private = drop\n"
			     "[nat64]\n"
			     "prefix = 2a00:64::/96\n";

static void
fixture_init(struct fixture *f, const char *text, struct geo_table *geo, bool is_stale)
{
	struct ruleset_options options = { .is_stale = is_stale };

	f->geo = geo;
	CU_ASSERT_PTR_NOT_NULL_FATAL(f->geo);
	f->policy = policy_of(text);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f->policy);
	f->ruleset = ruleset_compile(f->policy, f->geo, &options);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f->ruleset);
}

static void
fixture_fini(struct fixture *f)
{
	ruleset_free(f->ruleset);
	policy_free(f->policy);
	geo_free(f->geo);
}

/* One address is looked up in another way than several. */
static ruleset_class_t
class_of(const struct ruleset *rs, const struct ip_addr *ip)
{
	const uint32_t ips4[2] = { (uint32_t)ip->value, (uint32_t)ip->value };
	const ip6_t ips6[2] = { ip->value, ip->value };
	ruleset_class_t alone, both[2];

	if (ip->version == 4) {
		ruleset_lookup4(rs, ips4, &alone, 1);
		ruleset_lookup4(rs, ips4, both, 2);
	} else {
		ruleset_lookup6(rs, ips6, &alone, 1);
		ruleset_lookup6(rs, ips6, both, 2);
	}
	if (both[0] != alone || both[1] != alone)
		CU_FAIL("several addresses are looked up as one alone is");
	return alone;
}

/* What the oracle says of one address. */
struct answer {
	uint32_t rule, origin;
	enum special special;
};

static bool
holds(const struct ip_range *range, const struct ip_addr *ip)
{
	return range->version == ip->version && range->first <= ip->value &&
	       ip->value <= range->last;
}

static uint32_t
oracle_prefix_rule(const struct policy *policy, const struct ip_addr *ip)
{
	uint32_t rule = RULESET_RULE_NONE;
	int longest = -1;
	size_t i;

	for (i = 0; i < policy->n_prefixes; i++)
		if (holds(&policy->prefixes[i].range, ip) && policy->prefixes[i].length > longest) {
			longest = policy->prefixes[i].length;
			rule = policy->prefixes[i].rule;
		}
	return rule;
}

static enum special
oracle_special(const struct policy *policy, const struct ip_addr *ip)
{
	unsigned int i;

	for (i = 0; ip->version == 6 && i < policy->limits.n_nat64; i++)
		if (((ip->value ^ policy->limits.nat64[i].prefix) >>
			    (128 - policy->limits.nat64[i].length)) == 0)
			return SPECIAL_EMBEDDED;
	return special_find(ip);
}

/* The cursor makes scanning ascending addresses linear; it may point anywhere. */
static uint32_t
oracle_origin(const struct geo_table *geo, const struct ip_addr *ip, size_t *cursor)
{
	size_t i = *cursor;
	uint32_t origin = 0;

	if (ip->version == 4) {
		while (i > 0 && ip->value <= geo->ranges4[i - 1].last)
			i--;
		while (i < geo->n_ranges4 && geo->ranges4[i].last < ip->value)
			i++;
		if (i < geo->n_ranges4 && geo->ranges4[i].first <= ip->value)
			origin = geo->ranges4[i].origin;
	} else {
		while (i > 0 && ip->value <= geo->ranges6[i - 1].last)
			i--;
		while (i < geo->n_ranges6 && geo->ranges6[i].last < ip->value)
			i++;
		if (i < geo->n_ranges6 && geo->ranges6[i].first <= ip->value)
			origin = geo->ranges6[i].origin;
	}
	*cursor = i;
	return origin;
}

static uint32_t
oracle_country(const struct policy *p, const char country[2])
{
	size_t i;

	for (i = 0; i < p->n_countries; i++)
		if (memcmp(p->countries[i].country, country, 2) == 0)
			return p->countries[i].rule;
	return p->rule_default;
}

static uint32_t
oracle_rule(const struct policy *p, const struct geo_table *geo, const struct geo_origin *o)
{
	uint32_t rule, other;
	size_t i;

	for (i = 0; o->asn != 0 && i < p->n_asns; i++)
		if (p->asns[i].asn == o->asn)
			return p->asns[i].rule;
	if (strncmp(o->country, "ZZ", 2) == 0)
		return o->asn != 0 ? p->rule_default : p->rule_unknown;
	rule = oracle_country(p, o->country);
	if (o->n_dissents > 0 && p->conflict == POLICY_CONFLICT_UNKNOWN)
		return p->rule_unknown;
	for (i = 0; p->conflict == POLICY_CONFLICT_STRICTEST && i < o->n_dissents; i++) {
		other = oracle_country(p, geo->dissents[o->dissents + i].country);
		if (p->rules[other].verdict > p->rules[rule].verdict)
			rule = other;
	}
	return rule;
}

static struct answer
oracle(const struct fixture *f, const struct ip_addr *ip, size_t *cursor)
{
	struct answer a = { .rule = oracle_prefix_rule(f->policy, ip),
		.special = oracle_special(f->policy, ip) };

	if (a.special == SPECIAL_NONE)
		a.origin = oracle_origin(f->geo, ip, cursor);
	if (a.rule != RULESET_RULE_NONE || a.special == SPECIAL_EMBEDDED)
		return a;
	a.rule = a.special != SPECIAL_NONE
			 ? f->policy->rule_special[a.special]
			 : oracle_rule(f->policy, f->geo, &f->geo->origins[a.origin]);
	return a;
}

/* True when ruleset and oracle agree on an address. */
static bool
agrees(const struct fixture *f, const struct ip_addr *ip, size_t *cursor)
{
	const struct ruleset *rs = f->ruleset;
	ruleset_class_t class = class_of(rs, ip);
	struct answer want = oracle(f, ip, cursor);
	verdict_t verdict =
		want.rule == RULESET_RULE_NONE ? VERDICT_PASS : f->policy->rules[want.rule].verdict;
	char text[IP_TEXT_SIZE];

	if (class < rs->n_classes && rs->classes[class].rule == want.rule &&
		rs->classes[class].origin == want.origin &&
		rs->classes[class].special == want.special &&
		(rs->verdict[class] & RULESET_VERDICT_MASK) == verdict)
		return true;
	printf("%s: class %u rule %u origin %u, oracle rule %u origin %u\n", ip_format(ip, text),
		class, rs->classes[class].rule, rs->classes[class].origin, want.rule, want.origin);
	return false;
}

/* `ip` and its neighbours. */
static unsigned int
disagreements_around(const struct fixture *f, ip6_t ip, uint8_t version, size_t *cursor)
{
	struct ip_addr probe = { .version = version };
	unsigned int n = 0;
	int delta;

	for (delta = -1; delta <= 1; delta++) {
		if ((delta < 0 && ip == 0) || (delta > 0 && ip == ip_max(version)))
			continue;
		probe.value = ip + (ip6_t)(__int128)delta;
		n += !agrees(f, &probe, cursor);
	}
	return n;
}

static unsigned int
disagreements_on_boundaries(const struct fixture *f)
{
	size_t i, k, n_special, cursor4 = 0, cursor6 = 0;
	const struct special_entry *special;
	unsigned int n = 0;
	uint8_t version;

	for (i = 0; i < f->geo->n_ranges4 && n < 10; i++) {
		n += disagreements_around(f, f->geo->ranges4[i].first, 4, &cursor4);
		n += disagreements_around(f, f->geo->ranges4[i].last, 4, &cursor4);
	}
	for (i = 0; i < f->geo->n_ranges6 && n < 10; i++) {
		n += disagreements_around(f, f->geo->ranges6[i].first, 6, &cursor6);
		n += disagreements_around(f, f->geo->ranges6[i].last, 6, &cursor6);
	}
	for (version = 4; version <= 6; version += 2) {
		special = special_entries(version, &n_special);
		for (k = 0; k < n_special; k++) {
			size_t *cursor = version == 4 ? &cursor4 : &cursor6;

			n += disagreements_around(f, special[k].range.first, version, cursor);
			n += disagreements_around(f, special[k].range.last, version, cursor);
		}
	}
	for (i = 0; i < f->policy->n_prefixes; i++) {
		const struct ip_range *r = &f->policy->prefixes[i].range;
		size_t *cursor = r->version == 4 ? &cursor4 : &cursor6;

		n += disagreements_around(f, r->first, r->version, cursor);
		n += disagreements_around(f, r->last, r->version, cursor);
	}
	n += disagreements_around(f, 0, 4, &cursor4) + disagreements_around(f, 0, 6, &cursor6);
	n += disagreements_around(f, ip_max(4), 4, &cursor4);
	return n + disagreements_around(f, ip_max(6), 6, &cursor6);
}

static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* A random address; every other IPv6 one stands a random distance behind a known range's start. */
static struct ip_addr
random_address(const struct geo_table *geo, uint64_t *state)
{
	struct ip_addr ip = { .version = next_random(state) & 1 ? 4 : 6 };

	if (ip.version == 4) {
		ip.value = (uint32_t)next_random(state);
		return ip;
	}
	if (next_random(state) & 1)
		ip.value = IP6(next_random(state), next_random(state));
	else
		ip.value =
			geo->ranges6[next_random(state) % geo->n_ranges6].first +
			(IP6(next_random(state), next_random(state)) >> (next_random(state) % 128));
	return ip;
}

static int
address_compare(const void *a, const void *b)
{
	const struct ip_addr *x = a, *y = b;

	if (x->version != y->version)
		return x->version - y->version;
	return x->value < y->value ? -1 : x->value > y->value;
}

/* Sorted, so that the oracle's scan is linear over all of them together. */
static unsigned int
disagreements_on_random(const struct fixture *f, size_t n_addresses)
{
	struct ip_addr *ips = calloc(n_addresses, sizeof(*ips));
	uint64_t state = UINT64_C(0x9e3779b97f4a7c15);
	size_t i, cursor4 = 0, cursor6 = 0;
	unsigned int n = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(ips);
	for (i = 0; i < n_addresses; i++)
		ips[i] = random_address(f->geo, &state);
	qsort(ips, n_addresses, sizeof(*ips), address_compare);
	for (i = 0; i < n_addresses && n < 10; i++)
		n += !agrees(f, &ips[i], ips[i].version == 4 ? &cursor4 : &cursor6);
	free(ips);
	return n;
}

static void
test_most_specific_kind_of_rule_decides(void)
{
	static const struct {
		const char *address, *verdict, *reason;
	} cases[] = {
		{ "200.0.0.1", "drop+mirror", "unknown" }, { "223.255.255.1", "drop", "default" },
		{ "255.1.1.1", "pass", "special" }, /* 240/4 before the table's US */
		{ "192.168.1.1", "drop", "special" },
		{ "1.1.1.1", "drop+mirror", "prefix" }, /* 0.0.0.0/1 beats asn 13335 */
		{ "5.5.1.1", "drop", "prefix" }, { "5.5.5.1", "pass", "approved-prefix" },
		{ "5.5.5.5", "mirror", "prefix" },
		{ "10.9.1.1", "pass", "approved-prefix" }, /* [prefix] beats [special] */
		{ "10.10.1.1", "drop+mirror", "prefix" }, { "224.0.0.1", "pass", "special" },
		{ "2a00:5::1", "drop", "prefix" }, { "2a00:5:5::1", "pass", "approved-prefix" },
		{ "2a00::1", "drop+mirror", "prefix" }, /* ::/0 */
	};
	struct fixture f;
	struct ip_addr ip;
	size_t i;

	fixture_init(&f, sample, small_geo(), false);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ruleset_class_t class;

		CU_ASSERT_EQUAL_FATAL(ip_parse(cases[i].address, &ip), 0);
		class = class_of(f.ruleset, &ip);
		CU_ASSERT_STRING_EQUAL(
			verdict_name(f.ruleset->verdict[class] & RULESET_VERDICT_MASK),
			cases[i].verdict);
		CU_ASSERT_STRING_EQUAL(reason_name(f.ruleset->reason[class]), cases[i].reason);
	}
	fixture_fini(&f);
}

static void
test_asn_beats_country_beats_default(void)
{
	static const char text[] =
		"[policy]\ndefault = drop\nunknown = mirror\n"
		"[country]\napprove = AU DE\n[asn]\ndrop = 13335\npass = 64500\n";
	static const struct {
		const char *address, *verdict, *reason;
	} cases[] = {
		{ "1.1.1.1", "drop", "asn" },
		{ "1.2.1.1", "drop", "default" },
		{ "1.2.3.4", "drop", "default" }, /* IE of its own, CN's ASN does not reach */
		{ "5.1.1.1", "pass", "approved-country" },
		{ "6.1.1.1", "pass", "approved-asn" },
		{ "7.1.1.1", "mirror", "unknown" },
		{ "2a00::1", "pass", "approved-country" },
		{ "2a00:1::1", "drop", "default" },
		{ "2a01::1", "pass", "approved-country" },
		{ "2b00::1", "mirror", "unknown" },
	};
	struct fixture f;
	struct ip_addr ip;
	size_t i;

	fixture_init(&f, text, small_geo(), false);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ruleset_class_t class;

		CU_ASSERT_EQUAL_FATAL(ip_parse(cases[i].address, &ip), 0);
		class = class_of(f.ruleset, &ip);
		CU_ASSERT_STRING_EQUAL(verdict_name(f.ruleset->verdict[class]), cases[i].verdict);
		CU_ASSERT_STRING_EQUAL(reason_name(f.ruleset->reason[class]), cases[i].reason);
	}
	fixture_fini(&f);
}

static void
test_carriers_have_no_say_unless_a_prefix_names_them(void)
{
	static const char text[] =
		"[nat64]\nprefix = 2a00:64::/96\n[prefix]\ndrop = 2002:505::/32\n";
	static const char *const carriers[] = { "2002:101::1", "2001::1", "64:ff9b::1",
		"64:ff9b:1::1", "2a00:64::1.2.3.4" };
	struct fixture f;
	struct ip_addr ip;
	size_t i;

	fixture_init(&f, text, small_geo(), false);
	for (i = 0; i < sizeof(carriers) / sizeof(carriers[0]); i++) {
		CU_ASSERT_EQUAL_FATAL(ip_parse(carriers[i], &ip), 0);
		CU_ASSERT_EQUAL(
			f.ruleset->verdict[class_of(f.ruleset, &ip)], RULESET_VERDICT_CARRIER);
	}
	CU_ASSERT_EQUAL_FATAL(ip_parse("2002:505::1", &ip), 0);
	CU_ASSERT_EQUAL(f.ruleset->verdict[class_of(f.ruleset, &ip)],
		RULESET_VERDICT_CARRIER | VERDICT_DROP);
	fixture_fini(&f);
}

static void
test_stale_data_adds_the_stale_action(void)
{
	static const char text[] = "[policy]\nstale = drop\n[country]\napprove = DE\n"
				   "[prefix]\npass = 5.5.5.0/24\n";
	struct fixture f;
	struct ip_addr ip;
	ruleset_class_t class;

	fixture_init(&f, text, small_geo(), true);
	CU_ASSERT_EQUAL_FATAL(ip_parse("5.1.1.1", &ip), 0);
	class = class_of(f.ruleset, &ip);
	CU_ASSERT_EQUAL(f.ruleset->verdict[class], VERDICT_DROP);
	CU_ASSERT_EQUAL(f.ruleset->reason[class], REASON_STALE_DATA);
	CU_ASSERT_EQUAL_FATAL(ip_parse("5.5.5.1", &ip), 0); /* rests on no geo data */
	CU_ASSERT_EQUAL(f.ruleset->verdict[class_of(f.ruleset, &ip)], VERDICT_PASS);
	CU_ASSERT_EQUAL_FATAL(ip_parse("10.1.1.1", &ip), 0);
	CU_ASSERT_EQUAL(f.ruleset->verdict[class_of(f.ruleset, &ip)], VERDICT_PASS);
	fixture_fini(&f);
}

/* Three sources; the last one is believed where it speaks. */
static struct geo_table *
disputed_geo(void)
{
	struct geo_build *b = geo_build_new();

	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	add_of(b, "one", "5.0.0.0/8", "DE", 0);
	add_of(b, "one", "2a00::/16", "DE", 0);
	add_of(b, "two", "5.1.0.0/16", "CN", 0);
	add_of(b, "two", "5.2.0.0/16", "US", 0);
	add_of(b, "two", "5.3.0.0/16", "BR", 64500);
	add_of(b, "two", "5.4.0.0/16", "KP", 0);
	add_of(b, "two", "5.6.0.0/16", "DE", 0);
	add_of(b, "two", "5.7.0.0/16", "BR", 64501);
	add_of(b, "two", "2a00:1::/32", "KP", 0);
	add_of(b, "three", "5.1.128.0/17", "US", 0);
	add_of(b, "three", "5.4.128.0/17", "CN", 0);
	return geo_build_seal(b);
}

static void
check_conflict(const char *word, const char *const (*cases)[3], size_t n)
{
	struct fixture f;
	struct ip_addr ip;
	char text[400], rule[128];
	ruleset_class_t class;
	size_t i;

	snprintf(text, sizeof(text),
		"[policy]\ndefault = mirror\nunknown = drop\nconflict = %s\n[country]\npass = DE\n"
		"drop = CN\ndrop+mirror = KP\nmirror = US\n[asn]\npass = 64500\n"
		"[prefix]\npass = 5.4.4.0/24\n",
		word);
	fixture_init(&f, text, disputed_geo(), false);
	CU_ASSERT_EQUAL(disagreements_on_boundaries(&f), 0);
	for (i = 0; i < n; i++) {
		CU_ASSERT_EQUAL_FATAL(ip_parse(cases[i][0], &ip), 0);
		class = class_of(f.ruleset, &ip);
		policy_rule_format(f.policy, f.ruleset->classes[class].rule, rule, sizeof(rule));
		if (strcmp(strrchr(rule, '[') - 1, cases[i][1]) != 0 ||
			strcmp(reason_name(f.ruleset->reason[class]), cases[i][2]) != 0) {
			printf("%s %s: %s, %s ", word, cases[i][0], rule,
				reason_name(f.ruleset->reason[class]));
			CU_FAIL("the rule");
		}
	}
	fixture_fini(&f);
}

#define BELIEVED_DE " [country] pass DE"
#define NAMED_CN    " [country] drop CN"
#define NAMED_KP    " [country] drop+mirror KP"
#define NAMED_US    " [country] mirror US"

static void
test_disputed_countries_get_what_the_policy_says(void)
{
	static const char *const first[][3] = { { "5.9.0.1", BELIEVED_DE, "approved-country" },
		{ "5.1.0.1", NAMED_CN, "country" }, { "5.1.128.1", NAMED_US, "country" },
		{ "5.7.0.1", " [policy] default mirror", "default" },
		{ "5.4.128.1", NAMED_CN, "country" }, { "5.4.0.1", NAMED_KP, "country" } };
	static const char *const strictest[][3] = { { "5.9.0.1", BELIEVED_DE, "approved-country" },
		{ "5.6.0.1", BELIEVED_DE, "approved-country" }, /* they agree */
		{ "5.1.0.1", NAMED_CN, "country" }, { "5.1.128.1", NAMED_CN, "country" },
		{ "5.2.0.1", NAMED_US, "country" },
		{ "5.3.0.1", " [asn] pass 64500", "approved-asn" },
		{ "5.7.0.1", " [policy] default mirror", "default" }, /* no rule for BR */
		{ "5.4.0.1", NAMED_KP, "country" }, { "5.4.128.1", NAMED_KP, "country" },
		{ "5.4.4.1", " [prefix] pass 5.4.4.0/24", "approved-prefix" },
		{ "2a00:1::1", NAMED_KP, "country" },
		{ "2a00:2::1", BELIEVED_DE, "approved-country" } };
	static const char *const unknown[][3] = { { "5.9.0.1", BELIEVED_DE, "approved-country" },
		{ "5.6.0.1", BELIEVED_DE, "approved-country" },
		{ "5.1.0.1", " [policy] unknown drop", "unknown" },
		{ "5.3.0.1", " [asn] pass 64500", "approved-asn" },
		{ "5.7.0.1", " [policy] unknown drop", "unknown" }, /* with an AS too */
		{ "5.4.4.1", " [prefix] pass 5.4.4.0/24", "approved-prefix" },
		{ "2a00:1::1", " [policy] unknown drop", "unknown" } };

	check_conflict("first", first, sizeof(first) / sizeof(first[0]));
	check_conflict("strictest", strictest, sizeof(strictest) / sizeof(strictest[0]));
	check_conflict("unknown", unknown, sizeof(unknown) / sizeof(unknown[0]));
}

static void
test_empty_table_knows_nothing_and_drops(void)
{
	struct fixture f;
	struct ip_addr ip;

	fixture_init(&f, "", geo_build_seal(geo_build_new()), false);
	CU_ASSERT_EQUAL_FATAL(ip_parse("8.8.8.8", &ip), 0);
	CU_ASSERT_EQUAL(class_of(f.ruleset, &ip), RULESET_UNKNOWN);
	CU_ASSERT_EQUAL(f.ruleset->verdict[RULESET_UNKNOWN], VERDICT_DROP | VERDICT_MIRROR);
	CU_ASSERT_EQUAL(disagreements_on_boundaries(&f), 0);
	fixture_fini(&f);
}

static void
test_oracle_agrees_on_a_small_table_with_nested_prefixes(void)
{
	struct fixture f;

	fixture_init(&f, sample, small_geo(), false);
	CU_ASSERT_EQUAL(disagreements_on_boundaries(&f), 0);
	CU_ASSERT_EQUAL(disagreements_on_random(&f, N_RANDOM_SMALL), 0);
	fixture_fini(&f);
}

/* Rules for every length on the way to some addresses, and more next to each other than a node has
 * parts for, by bits from each of the words of an address. */
static void
test_oracle_agrees_on_prefixes_of_every_length(void)
{
	static const struct {
		const char *first;
		unsigned int length;
	} neighbours[] = { { "2a01::", 32 }, { "2a02:7::", 64 }, { "2a02:8:1:2::", 96 },
		{ "2a02:9:1:2:3:4:5:0", 128 }, { "fd00::", 32 }, { "fd01:2::", 48 },
		{ "e000::", 80 } };
	static const char *const ends[] = { "2a0f:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"2a05:1234:5678:9abc:def0:1234:5678:9abc", "fc12:3456:789a:bcde:f012::1",
		"4000::" };
	static const char *const actions[] = { "drop", "pass", "mirror" };
	static char text[1 << 18];
	size_t length = (size_t)snprintf(text, sizeof(text), "[prefix]\n"), i;
	char address[IP_TEXT_SIZE];
	struct fixture f;
	struct ip_addr ip;
	unsigned int k;

	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		for (k = 4; k <= 128; k++) {
			CU_ASSERT_EQUAL_FATAL(ip_parse(ends[i], &ip), 0);
			ip.value &= ~(k < 128 ? ~(ip6_t)0 >> k : 0);
			length += (size_t)snprintf(text + length, sizeof(text) - length,
				"%s = %s/%u\n", actions[k % 3], ip_format(&ip, address), k);
		}
	for (i = 0; i < sizeof(neighbours) / sizeof(neighbours[0]); i++)
		for (k = 0; k < 300; k++) {
			CU_ASSERT_EQUAL_FATAL(ip_parse(neighbours[i].first, &ip), 0);
			ip.value += (ip6_t)k << (128 - neighbours[i].length);
			length += (size_t)snprintf(text + length, sizeof(text) - length,
				"%s = %s/%u\n", actions[k % 2], ip_format(&ip, address),
				neighbours[i].length);
		}
	CU_ASSERT_FATAL(length < sizeof(text));
	fixture_init(&f, text, geo_build_seal(geo_build_new()), false);
	CU_ASSERT_EQUAL(disagreements_on_boundaries(&f), 0);
	fixture_fini(&f);
}

static void
test_bulk_look_up_equals_single_look_up(void)
{
	enum { N = 1000 };
	static uint32_t ips4[N];
	static ip6_t ips6[N];
	static ruleset_class_t bulk[N];
	uint64_t state = 42;
	struct fixture f;
	unsigned int i, n;

	fixture_init(&f, sample, small_geo(), false);
	for (i = 0; i < N; i++) {
		ips4[i] = (uint32_t)next_random(&state);
		ips6[i] = random_address(f.geo, &state).value;
	}
	for (n = 0; n <= N; n = n < 70 ? n + 1 : n * 3 + 1) {
		ruleset_lookup4(f.ruleset, ips4, bulk, n);
		for (i = 0; i < n; i++)
			CU_ASSERT_EQUAL(
				bulk[i], class_of(f.ruleset, &(struct ip_addr){ ips4[i], 4 }));
		ruleset_lookup6(f.ruleset, ips6, bulk, n);
		for (i = 0; i < n; i++)
			CU_ASSERT_EQUAL(
				bulk[i], class_of(f.ruleset, &(struct ip_addr){ ips6[i], 6 }));
	}
	fixture_fini(&f);
}

static double
seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Answers of the selected instruction set that differ from what the class says, or from the answers
 * of another run, which are put into `answers` where `is_first`. */
static size_t
wrong_answers4(const struct fixture *f, const uint32_t *ips, ruleset_answer_t *answers, size_t n,
	bool is_first)
{
	const struct ruleset *rs = f->ruleset;
	ruleset_answer_t found[64];
	size_t i, k, n_now, n_wrong = 0;

	for (i = 0; i < n; i += n_now) {
		n_now = n - i < 61 ? n - i : 61; /* no multiple of a register */
		ruleset_answer4(rs, ips + i, found, (unsigned int)n_now);
		for (k = 0; k < n_now; k++) {
			ruleset_class_t class = found[k] & RULESET_CLASS_MASK;

			if (is_first)
				answers[i + k] = found[k];
			n_wrong += answers[i + k] != found[k] ||
				   ruleset_answer_reason(found[k]) != rs->reason[class] ||
				   ruleset_answer_verdict(found[k]) !=
					   (rs->verdict[class] & RULESET_VERDICT_MASK);
		}
	}
	return n_wrong;
}

static size_t
wrong_answers6(const struct fixture *f, const ip6_t *ips, ruleset_answer_t *answers, size_t n,
	bool is_first)
{
	const struct ruleset *rs = f->ruleset;
	ruleset_answer_t found[64];
	size_t i, k, n_now, n_wrong = 0;

	for (i = 0; i < n; i += n_now) {
		n_now = n - i < 61 ? n - i : 61;
		ruleset_answer6(rs, ips + i, found, (unsigned int)n_now);
		for (k = 0; k < n_now; k++) {
			ruleset_class_t class = found[k] & RULESET_CLASS_MASK;
			uint8_t verdict = rs->verdict[class];

			if (is_first)
				answers[i + k] = found[k];
			n_wrong += answers[i + k] != found[k] ||
				   ruleset_answer_reason(found[k]) != rs->reason[class] ||
				   ruleset_answer_verdict(found[k]) !=
					   (verdict & RULESET_VERDICT_MASK) ||
				   ((found[k] & RULESET_CARRIER) != 0) !=
					   ((verdict & RULESET_VERDICT_CARRIER) != 0);
		}
	}
	return n_wrong;
}

/* Every border of the table and its neighbours. */
static void
test_instruction_sets_give_the_same_answers(void)
{
	struct geo_table *geo = geo_load(TREFOIL_SOURCE_ROOT "/config/geo/internet.tgt", NULL);
	enum isa isa, before = isa_selected;
	uint32_t *ips4;
	ip6_t *ips6;
	ruleset_answer_t *answers4, *answers6;
	struct fixture f;
	size_t i, n4 = 0, n6 = 0;
	unsigned int n_sets = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(geo);
	fixture_init(&f, sample, geo, false);
	ips4 = calloc(4 * geo->n_ranges4, sizeof(*ips4));
	answers4 = calloc(4 * geo->n_ranges4, sizeof(*answers4));
	ips6 = calloc(4 * geo->n_ranges6, sizeof(*ips6));
	answers6 = calloc(4 * geo->n_ranges6, sizeof(*answers6));
	CU_ASSERT_FATAL(ips4 != NULL && answers4 != NULL && ips6 != NULL && answers6 != NULL);
	for (i = 0; i < geo->n_ranges4; i++) {
		ips4[n4++] = geo->ranges4[i].first - 1;
		ips4[n4++] = geo->ranges4[i].first;
		ips4[n4++] = geo->ranges4[i].last;
		ips4[n4++] = geo->ranges4[i].last + 1;
	}
	for (i = 0; i < geo->n_ranges6; i++) {
		ips6[n6++] = geo->ranges6[i].first - 1;
		ips6[n6++] = geo->ranges6[i].first;
		ips6[n6++] = geo->ranges6[i].last;
		ips6[n6++] = geo->ranges6[i].last + 1;
	}
	for (isa = ISA_SCALAR; isa < ISA_N; isa++) {
		if (isa_select(isa) != 0) {
			printf("no %s on this CPU ", isa_name(isa));
			continue;
		}
		CU_ASSERT_EQUAL(wrong_answers4(&f, ips4, answers4, n4, n_sets == 0), 0);
		CU_ASSERT_EQUAL(wrong_answers6(&f, ips6, answers6, n6, n_sets == 0), 0);
		n_sets++;
	}
	CU_ASSERT(n_sets > 0);
	CU_ASSERT_EQUAL(isa_select(before), 0);
	free(ips4);
	free(ips6);
	free(answers4);
	free(answers6);
	fixture_fini(&f);
}

static void
test_oracle_agrees_on_the_full_default_table(void)
{
	static const char text[] =
		"[country]\napprove = EU EEA adequacy\nmirror = US\ndrop = KP\n"
		"[asn]\ndrop = 4134 15169\napprove = 13335\n"
		"[prefix]\ndrop = 8.8.0.0/16 2001:4860::/32\npass = 8.8.8.0/24\n";
	double begin;
	struct fixture f;
	struct err e;

	f.geo = geo_load(TREFOIL_SOURCE_ROOT "/config/geo/internet.tgt", &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f.geo);
	CU_ASSERT(f.geo->n_ranges4 > 500000 && f.geo->n_ranges6 > 200000);
	begin = seconds_now();
	fixture_init(&f, text, f.geo, false);
	printf("compiled in %.2f s, %u classes, %zu MiB ", seconds_now() - begin,
		f.ruleset->n_classes, ruleset_memory_size(f.ruleset) >> 20);
	CU_ASSERT_EQUAL(disagreements_on_boundaries(&f), 0);
	CU_ASSERT_EQUAL(disagreements_on_random(&f, N_RANDOM_FULL), 0);
	fixture_fini(&f);
}

static void
test_explained_range_is_uniform_and_maximal_inside_its_sources(void)
{
	struct ip_range range;
	struct fixture f;
	struct ip_addr ip;
	ruleset_class_t class;

	fixture_init(&f, sample, small_geo(), false);
	CU_ASSERT_EQUAL_FATAL(ip_parse("5.5.5.9", &ip), 0);
	class = class_of(f.ruleset, &ip);
	ruleset_explain_range(f.ruleset, &ip, &range);
	CU_ASSERT(range.first == IP4(5, 5, 5, 6) && range.last == IP4(5, 5, 5, 255));
	CU_ASSERT_EQUAL(class_of(f.ruleset, &(struct ip_addr){ range.first, 4 }), class);
	CU_ASSERT_EQUAL(class_of(f.ruleset, &(struct ip_addr){ range.last, 4 }), class);
	CU_ASSERT_NOT_EQUAL(class_of(f.ruleset, &(struct ip_addr){ range.last + 1, 4 }), class);
	fixture_fini(&f);
}

SUITE("ruleset", { "most specific kind of rule decides", test_most_specific_kind_of_rule_decides },
	{ "asn beats country beats default", test_asn_beats_country_beats_default },
	{ "carriers have no say unless a prefix names them",
		test_carriers_have_no_say_unless_a_prefix_names_them },
	{ "stale data adds the stale action", test_stale_data_adds_the_stale_action },
	{ "disputed countries get what the policy says",
		test_disputed_countries_get_what_the_policy_says },
	{ "empty table knows nothing and drops", test_empty_table_knows_nothing_and_drops },
	{ "oracle agrees on a small table with nested prefixes",
		test_oracle_agrees_on_a_small_table_with_nested_prefixes },
	{ "oracle agrees on prefixes of every length",
		test_oracle_agrees_on_prefixes_of_every_length },
	{ "bulk look-up equals single look-up", test_bulk_look_up_equals_single_look_up },
	{ "instruction sets give the same answers", test_instruction_sets_give_the_same_answers },
	{ "oracle agrees on the full default table", test_oracle_agrees_on_the_full_default_table },
	{ "explained range is uniform and maximal inside its sources",
		test_explained_range_is_uniform_and_maximal_inside_its_sources })
