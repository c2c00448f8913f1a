/* SPDX-License-Identifier: BSD-3-Clause */
/* policy: every rule of trefoil-policy(5), every error with its line, and hostile texts. */
#include "suite.h"

#include "policy/country.h"
#include "policy/policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define N(array) (sizeof(array) / sizeof((array)[0]))

static struct err_list errors;

/* NULL for a text with errors, which are in `errors` then. */
static struct policy *
parse(const char *text)
{
	memset(&errors, 0, sizeof(errors));
	return policy_parse(text, strlen(text), "/etc/trefoil/policy.ini", &errors);
}

static void
print_errors(void)
{
	char text[1024];
	unsigned int i;

	for (i = 0; i < errors.n; i++)
		printf("    %s\n", err_format(&errors.items[i], text, sizeof(text)));
}

/* A text that must be right. */
static struct policy *
parse_good(const char *text)
{
	struct policy *p = parse(text);

	if (p == NULL)
		print_errors();
	CU_ASSERT_EQUAL(errors.n, 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	return p;
}

static const char *
rule_text(const struct policy *p, uint32_t rule)
{
	static char text[256];

	return policy_rule_format(p, rule, text, sizeof(text));
}

static const char *
country_text(const struct policy *p, const char *country)
{
	const struct policy_rule *rule = policy_find_country(p, country);

	return rule != NULL ? rule_text(p, (uint32_t)(rule - p->rules)) : "none";
}

static void
test_an_empty_policy_has_the_documented_defaults(void)
{
	static struct limits limits;
	struct policy *p = parse_good("");
	const verdict_t both = VERDICT_DROP | VERDICT_MIRROR;

	CU_ASSERT_STRING_EQUAL(p->name, "policy");
	CU_ASSERT_STRING_EQUAL(p->file, "policy.ini");
	CU_ASSERT_STRING_EQUAL(
		p->sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	CU_ASSERT_EQUAL(p->mode, POLICY_ENFORCE);
	CU_ASSERT_EQUAL(p->inbound, POLICY_INBOUND_PASS);
	CU_ASSERT_EQUAL(p->conflict, POLICY_CONFLICT_FIRST);
	CU_ASSERT_EQUAL(p->rules[p->rule_default].verdict, both);
	CU_ASSERT_EQUAL(p->rules[p->rule_unknown].verdict, both);
	CU_ASSERT_EQUAL(p->rules[p->rule_unparsable].verdict, both);
	CU_ASSERT_EQUAL(p->rules[p->rule_source_route].verdict, both);
	CU_ASSERT_EQUAL(p->rules[p->rule_opaque].verdict, POLICY_ACTION_NONE);
	CU_ASSERT_EQUAL(p->rules[p->rule_stale].verdict, POLICY_ACTION_NONE);
	CU_ASSERT_STRING_EQUAL(
		rule_text(p, p->rule_unknown), "default [policy] unknown drop+mirror");
	CU_ASSERT_STRING_EQUAL(
		rule_text(p, p->rule_opaque), "default [policy] opaque-tunnel outer");
	limits_init(&limits);
	CU_ASSERT_EQUAL(memcmp(&p->limits, &limits, sizeof(limits)), 0);
	CU_ASSERT(p->n_countries == 0 && p->n_asns == 0 && p->n_prefixes == 0);
	CU_ASSERT_PTR_NULL(policy_find_country(p, "IE"));
	CU_ASSERT_PTR_NULL(policy_find_asn(p, 64496));
	policy_free(p);
	policy_free(NULL);
}

static void
test_special_and_non_ip_have_a_rule_each(void)
{
	struct policy *p = parse_good("[special]\nmulticast = mirror\n[non-ip]\ncdp = pass\n");
	uint32_t rule;
	unsigned int i;

#define X(id, key)                                                                                 \
	rule = p->rule_special[SPECIAL_##id];                                                      \
	CU_ASSERT_STRING_EQUAL(p->rules[rule].action, key);                                        \
	CU_ASSERT_EQUAL(p->rules[rule].verdict,                                                    \
		SPECIAL_##id == SPECIAL_MULTICAST ? VERDICT_MIRROR : VERDICT_PASS);
	SPECIALS(X)
#undef X
	for (i = NON_IP_NONE + 1; i < NON_IP_N; i++) {
		rule = p->rule_non_ip[i];
		CU_ASSERT_STRING_EQUAL(p->rules[rule].action, non_ip_name((enum non_ip)i));
		CU_ASSERT_EQUAL(p->rules[rule].verdict,
			i <= NON_IP_LACP || i == NON_IP_CDP ? VERDICT_PASS : VERDICT_DROP);
	}
	CU_ASSERT_STRING_EQUAL(rule_text(p, p->rule_special[SPECIAL_MULTICAST]),
		"policy.ini:2 [special] multicast mirror");
	CU_ASSERT_STRING_EQUAL(
		rule_text(p, p->rule_non_ip[NON_IP_STP]), "default [non-ip] stp drop");
	policy_free(p);
}

static void
test_policy_keys_reach_their_fields(void)
{
	struct policy *p =
		parse_good("[policy]\nname = D\xc3\xbanLaoghaire 1\nmode = shadow\n"
			   "default = approve\nunknown = mirror\nunparsable = drop\n"
			   "source-route = pass\nopaque-tunnel = drop\nstale = mirror\n"
			   "conflict = strictest\n"
			   "[direction]\ninbound = destination\n[limits]\ntags = 0\n"
			   "labels = 64\nheaders = 32\nheader-bytes = 4096\ndepth = 8\n");

	CU_ASSERT_STRING_EQUAL(p->name, "D\xc3\xbanLaoghaire 1");
	CU_ASSERT_EQUAL(p->mode, POLICY_SHADOW);
	CU_ASSERT_EQUAL(p->rules[p->rule_default].verdict, VERDICT_PASS);
	CU_ASSERT_EQUAL(p->rules[p->rule_unknown].verdict, VERDICT_MIRROR);
	CU_ASSERT_EQUAL(p->rules[p->rule_unparsable].verdict, VERDICT_DROP);
	CU_ASSERT_EQUAL(p->rules[p->rule_source_route].verdict, VERDICT_PASS);
	CU_ASSERT_EQUAL(p->rules[p->rule_opaque].verdict, VERDICT_DROP);
	CU_ASSERT_EQUAL(p->rules[p->rule_stale].verdict, VERDICT_MIRROR);
	CU_ASSERT_STRING_EQUAL(
		rule_text(p, p->rule_default), "policy.ini:4 [policy] default approve");
	CU_ASSERT_EQUAL(p->inbound, POLICY_INBOUND_DESTINATION);
	CU_ASSERT_EQUAL(p->conflict, POLICY_CONFLICT_STRICTEST);
	CU_ASSERT_EQUAL(p->limits.n_tags_max, 0);
	CU_ASSERT_EQUAL(p->limits.n_labels_max, 64);
	CU_ASSERT_EQUAL(p->limits.n_headers_max, 32);
	CU_ASSERT_EQUAL(p->limits.headers_size_max, 4096);
	CU_ASSERT_EQUAL(p->limits.n_tunnels_max, 8);
	policy_free(p);
}

static void
test_codes_beat_groups_and_groups_resolve(void)
{
	struct policy *p = parse_good("[country]\napprove = EU EEA adequacy\nmirror = US\n"
				      "drop = HU KP\ndrop+mirror = latam\npass = NO XK AN\n"
				      "[group latam]\ncountries = BR CL\ncountries = MX\n");

	CU_ASSERT_STRING_EQUAL(country_text(p, "IE"), "policy.ini:2 [country] approve EU");
	CU_ASSERT_STRING_EQUAL(country_text(p, "IS"), "policy.ini:2 [country] approve EEA");
	CU_ASSERT_STRING_EQUAL(country_text(p, "JP"), "policy.ini:2 [country] approve adequacy");
	CU_ASSERT_STRING_EQUAL(country_text(p, "NO"), "policy.ini:6 [country] pass NO");
	CU_ASSERT_STRING_EQUAL(country_text(p, "HU"), "policy.ini:4 [country] drop HU");
	CU_ASSERT_STRING_EQUAL(country_text(p, "US"), "policy.ini:3 [country] mirror US");
	CU_ASSERT_STRING_EQUAL(country_text(p, "MX"), "policy.ini:5 [country] drop+mirror latam");
	CU_ASSERT_STRING_EQUAL(country_text(p, "XK"), "policy.ini:6 [country] pass XK");
	CU_ASSERT_STRING_EQUAL(country_text(p, "AN"), "policy.ini:6 [country] pass AN");
	CU_ASSERT_STRING_EQUAL(country_text(p, "CN"), "none");
	CU_ASSERT_STRING_EQUAL(country_text(p, "EU"), "none");
	CU_ASSERT_EQUAL(policy_find_country(p, "MX")->verdict, VERDICT_DROP | VERDICT_MIRROR);
	CU_ASSERT_EQUAL(p->n_countries, 27 + 3 + 14 + 2 + 3 + 2);
	policy_free(p);
	p = parse_good("[country]\napprove = EU EU DE\npass = DE EU\ndrop = x\n[group x]\n"
		       "countries = DE FR FR\n[country]\ndrop = FR\n");
	CU_ASSERT_STRING_EQUAL(country_text(p, "DE"), "policy.ini:2 [country] approve DE");
	CU_ASSERT_STRING_EQUAL(country_text(p, "FR"), "policy.ini:8 [country] drop FR");
	policy_free(p);
}

static void
test_built_in_groups_have_their_members(void)
{
	static const struct {
		const char *group;
		size_t n;
		const char *in, *out;
	} cases[] = {
		{ "EU", 27, "HR", "GB" },
		{ "EEA", 30, "LI", "CH" },
		{ "adequacy", 14, "UY", "US" },
	};
	char text[64];
	struct policy *p;
	size_t i;

	for (i = 0; i < N(cases); i++) {
		snprintf(text, sizeof(text), "[country]\ndrop = %s\n", cases[i].group);
		p = parse_good(text);
		CU_ASSERT_EQUAL(p->n_countries, cases[i].n);
		CU_ASSERT_PTR_NOT_NULL(policy_find_country(p, cases[i].in));
		CU_ASSERT_PTR_NULL(policy_find_country(p, cases[i].out));
		policy_free(p);
	}
}

static void
test_asns_are_sorted_and_found(void)
{
	struct policy *p = parse_good("[asn]\ndrop+mirror = 64496 AS64511\napprove = 13335 1\n"
				      "drop = AS4294967295 64497 64497\ndrop = 64497\n");
	size_t i;

	CU_ASSERT_EQUAL(p->n_asns, 6);
	for (i = 1; i < p->n_asns; i++)
		CU_ASSERT(p->asns[i - 1].asn < p->asns[i].asn);
	CU_ASSERT_STRING_EQUAL(policy_find_asn(p, 64511)->item, "AS64511");
	CU_ASSERT_EQUAL(policy_find_asn(p, 64496)->verdict, VERDICT_DROP | VERDICT_MIRROR);
	CU_ASSERT_EQUAL(policy_find_asn(p, 13335)->verdict, VERDICT_PASS);
	CU_ASSERT_EQUAL(policy_find_asn(p, 4294967295u)->line, 4);
	CU_ASSERT_EQUAL(policy_find_asn(p, 64497)->line, 4);
	CU_ASSERT_PTR_NULL(policy_find_asn(p, 64498));
	policy_free(p);
}

static void
test_prefixes_are_sorted_holders_first(void)
{
	static const char *const want[] = { "0.0.0.0/0", "192.0.2.0/24", "192.0.2.0/25",
		"192.0.2.128/25", "2001:DB8::/32", "2001:db8::/48" };
	struct policy *p = parse_good("[prefix]\ndrop = 192.0.2.128/25 192.0.2.0/25 2001:db8::/48\n"
				      "pass = 2001:DB8::/32 192.0.2.0/24\nmirror = 0.0.0.0/0\n"
				      "approve = 2001:db8::/32\n");
	size_t i;

	CU_ASSERT_EQUAL_FATAL(p->n_prefixes, N(want));
	for (i = 0; i < N(want); i++)
		CU_ASSERT_STRING_EQUAL(p->rules[p->prefixes[i].rule].item, want[i]);
	CU_ASSERT_EQUAL(p->prefixes[1].length, 24);
	CU_ASSERT_EQUAL(p->prefixes[1].range.last, IP4(192, 0, 2, 255));
	CU_ASSERT_EQUAL(p->prefixes[5].length, 48);
	CU_ASSERT_STRING_EQUAL(
		rule_text(p, p->prefixes[4].rule), "policy.ini:3 [prefix] pass 2001:DB8::/32");
	policy_free(p);
}

static void
test_port_lists_replace_their_defaults(void)
{
	struct policy *p = parse_good(
		"[ports]\nvxlan = 4790 65535\nvxlan = 1\nvxlan-gpe = 4789\nopaque = 500 500\n");

	CU_ASSERT_EQUAL(limits_port(&p->limits, 4790), TUNNEL_PORT_VXLAN);
	CU_ASSERT_EQUAL(limits_port(&p->limits, 65535), TUNNEL_PORT_VXLAN);
	CU_ASSERT_EQUAL(limits_port(&p->limits, 1), TUNNEL_PORT_VXLAN);
	CU_ASSERT_EQUAL(limits_port(&p->limits, 8472), TUNNEL_PORT_NONE);
	CU_ASSERT_EQUAL(limits_port(&p->limits, 4789), TUNNEL_PORT_VXLAN_GPE);
	CU_ASSERT_EQUAL(limits_port(&p->limits, 500), TUNNEL_PORT_OPAQUE);
	CU_ASSERT_EQUAL(limits_port(&p->limits, 51820), TUNNEL_PORT_NONE);
	CU_ASSERT_EQUAL(limits_port(&p->limits, 6081), TUNNEL_PORT_GENEVE);
	policy_free(p);
}

static void
test_nat64_prefixes_have_the_lengths_of_rfc_6052(void)
{
	struct policy *p = parse_good(
		"[nat64]\nprefix = 2001:db8::/32 2001:db9:100::/40 2001:dba::/48\n"
		"prefix = 2001:dbb::/56 2001:dbc::/64 2001:dbd::/96 64:ff9b:1:fffe::/96\n"
		"prefix = fd00:64::/96\n");

	CU_ASSERT_EQUAL(p->limits.n_nat64, 8);
	CU_ASSERT_EQUAL(p->limits.nat64[1].length, 40);
	CU_ASSERT(p->limits.nat64[1].prefix == IP6(UINT64_C(0x20010db901000000), 0));
	CU_ASSERT_EQUAL(p->limits.nat64[7].length, 96);
	policy_free(p);
}

static void
test_each_mistake_is_told_with_its_place(void)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "[country]\ndrop = XQQ\n",
			"2: [country] drop: 'XQQ' is not an ISO 3166-1 alpha-2 "
			"code (did you mean 'XK'?)" },
		{ "[country]\ndrop = eu\n", "2: [country] drop: 'eu' is not an ISO 3166-1 alpha-2 "
					    "code (did you mean 'EU'?)" },
		{ "[country]\ndrop = de\n", "2: [country] drop: 'de' is not an ISO 3166-1 alpha-2 "
					    "code (did you mean 'DE'?)" },
		{ "[country]\ndrop = UK\n", "2: [country] drop: 'UK' is not an ISO 3166-1 alpha-2 "
					    "code (did you mean 'GB'?)" },
		{ "[country]\ndrop = IRL\n",
			"2: [country] drop: 'IRL' is not an ISO 3166-1 alpha-2 "
			"code (did you mean 'IE'?)" },
		{ "[country]\ndrop = QQ\n", "2: [country] drop: 'QQ' is not an ISO 3166-1 alpha-2 "
					    "code (did you mean 'QA'?)" },
		{ "[country]\ndrop = Germany\n",
			"2: [country] drop: 'Germany' is neither an ISO 3166-1 alpha-2 code nor a "
			"group (did you mean 'DE'?)" },
		{ "[country]\ndrop = nordic\n[group nordics]\ncountries = DK\n",
			"2: [country] drop: 'nordic' is neither an ISO 3166-1 alpha-2 code nor a "
			"group (did you mean 'nordics'?)" },
		{ "[country]\ndrop = DE,FR\n",
			"2: [country] drop: 'DE,FR': blanks separate the items, not commas" },
		{ "[country]\nblock = DE\n",
			"2: [country] block: 'block' is not a key of [country], "
			"which has: approve, pass, mirror, drop, drop+mirror" },
		{ "[country]\napprove = DE\n\ndrop = DE\n",
			"4: [country] drop: 'DE' contradicts policy.ini:2 [country] approve DE: "
			"remove one of them" },
		{ "[country]\napprove = EU\ndrop = EU\n",
			"3: [country] drop: 'EU' contradicts policy.ini:2 [country] approve EU: "
			"remove one of them" },
		{ "[country]\napprove = x\ndrop = y\nmirror = DK\n[group x]\ncountries = DK NO SE\n"
		  "[group y]\ncountries = DK SE FI\n",
			"3: [country] drop: 'y' contradicts policy.ini:2 [country] approve x: they "
			"share SE; name these by code, or one group only" },
		{ "[country]\napprove = EU\ndrop = EEA\n",
			"3: [country] drop: 'EEA' contradicts policy.ini:2 [country] approve EU: "
			"they "
			"share AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT ...; name these "
			"by "
			"code, or one group only" },
		{ "[asn]\ndrop = 0\n", "2: [asn] drop: '0' is outside 1..4294967295" },
		{ "[asn]\ndrop = 4294967296\n",
			"2: [asn] drop: '4294967296' is outside 1..4294967295" },
		{ "[asn]\ndrop = 99999999999999999999\n",
			"2: [asn] drop: '99999999999999999999' is outside 1..4294967295" },
		{ "[asn]\ndrop = as64496\n",
			"2: [asn] drop: 'as64496' is not an ASN (did you mean 'AS64496'?)" },
		{ "[asn]\ndrop = AS1.10\n",
			"2: [asn] drop: 'AS1.10' is asdot: write the number (did "
			"you mean 'AS65546'?)" },
		{ "[asn]\ndrop = AS 1\n",
			"2: [asn] drop: 'AS' is not an ASN: 64496 or AS64496, 1 to 4294967295" },
		{ "[asn]\ndrop = 1-9\n",
			"2: [asn] drop: '1-9' is not an ASN: 64496 or AS64496, 1 to 4294967295" },
		{ "[asn]\nmirror = 64496\npass = AS64496\n",
			"3: [asn] pass: 'AS64496' contradicts policy.ini:2 [asn] mirror 64496: "
			"remove "
			"one of them" },
		{ "[prefix]\ndrop = 192.0.2.1/24\n",
			"2: [prefix] drop: '192.0.2.1/24' has host bits "
			"set (did you mean '192.0.2.0/24'?)" },
		{ "[prefix]\ndrop = 2001:db8::1/32\n",
			"2: [prefix] drop: '2001:db8::1/32' has host bits set (did you mean "
			"'2001:db8::/32'?)" },
		{ "[prefix]\ndrop = 192.0.2.1\n",
			"2: [prefix] drop: '192.0.2.1' has no length (did "
			"you mean '192.0.2.1/32'?)" },
		{ "[prefix]\ndrop = ::1/129\n",
			"2: [prefix] drop: '::1/129': the length is not 0..128" },
		{ "[prefix]\ndrop = 1.0.0.0/08\n",
			"2: [prefix] drop: '1.0.0.0/08': the length is not 0..32" },
		{ "[prefix]\ndrop = 1.2.3/24\n",
			"2: [prefix] drop: '1.2.3/24' is not an IPv4 or IPv6 prefix" },
		{ "[prefix]\ndrop = 2001:db8::/32\nmirror = 2001:DB8:0::/32\n",
			"3: [prefix] mirror: '2001:DB8:0::/32' contradicts policy.ini:2 [prefix] "
			"drop "
			"2001:db8::/32: remove one of them" },
		{ "[special]\nprivate = drop mirror\n",
			"2: [special] private: 'drop mirror' is not one of "
			"pass|approve|mirror|drop|drop+mirror (did you mean 'drop+mirror'?)" },
		{ "[special]\nlinklocal = drop\n", "2: [special] linklocal: 'linklocal' is not a "
						   "key of [special] (did you mean "
						   "'link-local'?)" },
		{ "[special]\nunknown = drop\n",
			"2: [special] unknown: 'unknown' is not a key of [special], which has: "
			"private, "
			"shared, loopback, link-local, multicast, documentation, benchmarking, "
			"reserved" },
		{ "[policy]\nmode = off\n",
			"2: [policy] mode: 'off' is not one of enforce|shadow" },
		{ "[policy]\nmode = shadow\n[policy]\nmode = shadow\n",
			"4: [policy] mode: 'mode' was already given in line 2" },
		{ "[policy]\ndefault = outer\n", "2: [policy] default: 'outer' is not one of "
						 "pass|approve|mirror|drop|drop+mirror" },
		{ "[policy]\nopaque-tunnel = oter\n",
			"2: [policy] opaque-tunnel: 'oter' is not one of "
			"outer|pass|approve|mirror|drop|drop+mirror (did you mean 'outer'?)" },
		{ "[policy]\nconflict = strict\n", "2: [policy] conflict: 'strict' is not one of "
						   "first|strictest|unknown (did you mean "
						   "'strictest'?)" },
		{ "[policy]\nconflict = drop\n",
			"2: [policy] conflict: 'drop' is not one of first|strictest|unknown" },
		{ "[policy]\nconflict = first\nconflict = first\n",
			"3: [policy] conflict: 'conflict' was already given in line 2" },
		{ "[limits]\ntags = 17\n", "2: [limits] tags: '17' is outside 0..16" },
		{ "[limits]\nheader-bytes = 4097\n",
			"2: [limits] header-bytes: '4097' is outside 0..4096 bytes" },
		{ "[ports]\nvxlan = 0\n", "2: [ports] vxlan: '0' is outside 1..65535" },
		{ "[ports]\nvxlan = 7\ngeneve = 7\n",
			"3: [ports] geneve: 7 is already a port of vxlan in line 2" },
		{ "[ports]\nvxlan = 6081\n", "2: [ports] vxlan: 6081 is a default port of geneve: "
					     "give geneve a list of its own" },
		{ "[nat64]\nprefix = 2001:db8::/33\n",
			"2: [nat64] prefix: '2001:db8::/33': an IPv6 prefix of length 32, 40, 48, "
			"56, "
			"64 or 96 is expected, with bits 64 to 71 zero (RFC 6052)" },
		{ "[nat64]\nprefix = 2001:db8:0:0:ff00::/96\n",
			"2: [nat64] prefix: '2001:db8:0:0:ff00::/96': an IPv6 prefix of length 32, "
			"40, 48, 56, 64 or 96 is expected, with bits 64 to 71 zero (RFC 6052)" },
		{ "[nat64]\nprefix = 192.0.2.0/24\n",
			"2: [nat64] prefix: '192.0.2.0/24': an IPv6 prefix of length 32, 40, 48, "
			"56, "
			"64 or 96 is expected, with bits 64 to 71 zero (RFC 6052)" },
		{ "[nat64]\nprefix = 2001:db8::/32 2001:db8:1::/48\n",
			"2: [nat64] prefix: '2001:db8:1::/48' overlaps a prefix listed before: "
			"which "
			"addresses are embedded would be ambiguous" },
		{ "[group EU]\ncountries = DE\n", "1: [group EU]: 'EU' is a built-in group and "
						  "cannot be redefined" },
		{ "[group eea]\ncountries = DE\n", "1: [group eea]: 'EEA' is a built-in group and "
						   "cannot be redefined" },
		{ "[group De]\ncountries = DE\n",
			"1: [group De]: 'DE' is a country code (Germany), "
			"not a name for a group" },
		{ "[group x]\n", "1: [group x]: 'countries' is missing" },
		{ "[group x]\ncountries = DE\n[group x]\ncountries = FR\n",
			"3: [group x]: there is already a [group x]" },
		{ "[group x]\ncountries = EU\n",
			"2: [group x] countries: 'EU' is a group: groups do "
			"not nest, name its countries" },
		{ "[group x]\ncountries = DEU\n",
			"2: [group x] countries: 'DEU' is not an ISO 3166-1 alpha-2 code (did you "
			"mean 'DE'?)" },
		{ "[contry]\ndrop = DE\n", "1: [contry]: 'contry' is not a section (did you mean "
					   "'country'?)" },
		{ "drop = DE\n", "1: 'drop' stands in front of the first [section]" },
		{ "[prefix]\n2001:db8::/32 = drop\n",
			"2: '2001:db8::/32' cannot be a key: expected 'key = value' (':' does not "
			"separate them)" },
	};
	char text[1024];
	const char *got;
	size_t i;

	for (i = 0; i < N(cases); i++) {
		CU_ASSERT_PTR_NULL(parse(cases[i].text));
		CU_ASSERT_EQUAL(errno, EINVAL);
		CU_ASSERT_EQUAL_FATAL(errors.n_found, 1);
		got = err_format(&errors.items[0], text, sizeof(text)) +
		      strlen("/etc/trefoil/policy.ini:");
		if (strcmp(got, cases[i].want) != 0)
			printf("\ngot  %s\nwant %s\n", got, cases[i].want);
		CU_ASSERT_STRING_EQUAL(got, cases[i].want);
	}
}

static void
test_all_mistakes_are_told_in_the_order_of_lines(void)
{
	static const unsigned int want[] = { 1, 3, 4, 5, 8, 9, 12 };
	unsigned int i;

	CU_ASSERT_PTR_NULL(
		parse("oops\n[country]\ndrop = QQ\n drop = DE\n[asn ]\n[country]\n"
		      "pass = DE\ndrop = DE\n[group y]\n[limits]\ntags = 4\ntags = 99\n"));
	CU_ASSERT_EQUAL_FATAL(errors.n, N(want));
	for (i = 0; i < N(want); i++)
		CU_ASSERT_EQUAL(errors.items[i].line, want[i]);
}

static void
test_more_than_eight_nat64_prefixes_are_refused(void)
{
	CU_ASSERT_PTR_NULL(
		parse("[nat64]\nprefix = 2001:1::/32 2001:2::/32 2001:3::/32 2001:4::/32\n"
		      "prefix = 2001:5::/32 2001:6::/32 2001:7::/32 2001:8::/32\n"
		      "prefix = 2001:9::/32\n"));
	CU_ASSERT_STRING_EQUAL(errors.items[0].message, "more than 8 prefixes");
	CU_ASSERT_EQUAL(errors.items[0].line, 4);
}

static void
test_every_country_code_can_be_named(void)
{
	const struct country *all, *found;
	char text[64];
	struct policy *p;
	size_t i, n;

	all = country_all(&n);
	CU_ASSERT_EQUAL(n, 249 + 2);
	for (i = 0; i < n; i++) {
		CU_ASSERT(i == 0 || strcmp(all[i - 1].code, all[i].code) < 0);
		found = country_find(all[i].code);
		CU_ASSERT_PTR_EQUAL(found, &all[i]);
		snprintf(text, sizeof(text), "[country]\ndrop = %s\n", all[i].code);
		p = parse_good(text);
		CU_ASSERT_PTR_NOT_NULL(policy_find_country(p, all[i].code));
		policy_free(p);
	}
	CU_ASSERT_PTR_NULL(country_find("ZZ"));
	CU_ASSERT_PTR_NULL(country_find("EU"));
	CU_ASSERT_PTR_NULL(country_guess("Atlantis"));
}

static void
test_codes_of_the_real_tables_can_be_named(void)
{
	const char *path = suite_shared("geo/country-sample-ipv4.csv");
	FILE *f = path != NULL ? fopen(path, "r") : NULL;
	char line[128], *code;

	if (f == NULL) {
		suite_skip("no shared geo samples");
		return;
	}
	while (fgets(line, sizeof(line), f) != NULL) {
		code = strrchr(line, ',');
		CU_ASSERT_PTR_NOT_NULL_FATAL(code);
		CU_ASSERT_PTR_NOT_NULL(country_find(code + 1));
	}
	fclose(f);
}

static char *
load_shipped(size_t *size)
{
	char *text = ini_load(TREFOIL_SOURCE_ROOT "/config/policy.ini", size, NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	return text;
}

static void
test_the_shipped_policy_is_right(void)
{
	struct policy *p;

	memset(&errors, 0, sizeof(errors));
	p = policy_load(TREFOIL_SOURCE_ROOT "/config/policy.ini", &errors);
	print_errors();
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	CU_ASSERT_STRING_EQUAL(p->name, "ie-border");
	CU_ASSERT_STRING_EQUAL(p->file, "policy.ini");
	CU_ASSERT_EQUAL(policy_find_country(p, "IE")->verdict, VERDICT_PASS);
	CU_ASSERT_EQUAL(policy_find_country(p, "US")->verdict, VERDICT_MIRROR);
	CU_ASSERT_EQUAL(policy_find_country(p, "KP")->verdict, VERDICT_DROP);
	CU_ASSERT_PTR_NULL(policy_find_country(p, "CN"));
	policy_free(p);
}

static void
test_a_missing_policy_is_an_error(void)
{
	memset(&errors, 0, sizeof(errors));
	CU_ASSERT_PTR_NULL(policy_load("/nonexistent/policy.ini", &errors));
	CU_ASSERT_EQUAL(errno, ENOENT);
	CU_ASSERT_EQUAL(errors.n, 1);
	CU_ASSERT_PTR_NULL(policy_load("/tmp", &errors));
	CU_ASSERT_EQUAL(errno, EISDIR);
	CU_ASSERT_PTR_NULL(policy_load("/nonexistent", NULL));
}

/* Whatever is accepted must be consistent. */
static void
check_invariants(const struct policy *p)
{
	size_t i;

	for (i = 0; i < p->n_rules; i++)
		CU_ASSERT(p->rules[i].item != NULL && p->rules[i].action != NULL);
	for (i = 0; i < p->n_countries; i++)
		CU_ASSERT(p->countries[i].rule < p->n_rules);
	for (i = 1; i < p->n_asns; i++)
		CU_ASSERT(p->asns[i - 1].asn < p->asns[i].asn);
	for (i = 0; i < p->n_prefixes; i++)
		CU_ASSERT(p->prefixes[i].range.first <= p->prefixes[i].range.last);
	CU_ASSERT(p->rules[p->rule_default].line == 0 ||
		  strcmp(p->rules[p->rule_default].action, "default") == 0);
	CU_ASSERT(p->limits.n_tags_max <= 16 && p->limits.n_tunnels_max <= 8);
}

/* A copy of its own, so that the sanitizer sees every byte read beyond it. */
static void
parse_hostile(const char *text, size_t size)
{
	char *copy = malloc(size > 0 ? size : 1);
	struct policy *p;

	CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
	memcpy(copy, text, size);
	memset(&errors, 0, sizeof(errors));
	p = policy_parse(copy, size, "policy.ini", &errors);
	free(copy);
	if (p != NULL)
		check_invariants(p);
	CU_ASSERT((p == NULL) == (errors.n > 0));
	policy_free(p);
}

static void
test_every_truncation_is_survived(void)
{
	size_t i, size;
	char *text = load_shipped(&size);

	for (i = 0; i <= size; i += 1 + i / 400)
		parse_hostile(text, i);
	parse_hostile(text, size);
	free(text);
}

static uint32_t
next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static void
test_random_mutations_are_survived(void)
{
	static const char pieces[][12] = { "\n", "=", "[", "]", " ;", "EU", "::/0", "\xff", "AS1",
		",", " ", "drop", "[asn]\n", "[prefix]\n", "[group x]\n", "4294967295" };
	static char mutant[16384];
	uint32_t state = 2026;
	size_t size, at, length;
	char *text = load_shipped(&size);
	unsigned int i, j;

	CU_ASSERT_FATAL(size < sizeof(mutant));
	for (i = 0; i < 3000; i++) {
		memcpy(mutant, text, size);
		for (j = 0; j < 1 + i % 8; j++) {
			at = next_random(&state) % (size - sizeof(pieces[0]));
			length = strlen(pieces[next_random(&state) % N(pieces)]);
			memcpy(mutant + at, pieces[next_random(&state) % N(pieces)], length);
			mutant[next_random(&state) % size] = (char)next_random(&state);
		}
		parse_hostile(mutant, size);
	}
	free(text);
}

static double
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static size_t
write_big(char *text, size_t room, unsigned int n)
{
	size_t at = (size_t)snprintf(text, room, "[asn]\n");
	unsigned int i;

	for (i = 0; i < n; i++)
		at += (size_t)snprintf(text + at, room - at, "%s%u%s",
			i % 10 == 0 ? "drop = " : " ", 4000000000u - i, i % 10 == 9 ? "\n" : "");
	at += (size_t)snprintf(text + at, room - at, "\n[prefix]\n");
	for (i = 0; i < n; i++)
		at += (size_t)snprintf(text + at, room - at, "pass = %u.%u.%u.0/24\n",
			i >> 16 & 255, i >> 8 & 255, i & 255);
	return at;
}

static void
test_a_hundred_thousand_rules_take_little_time(void)
{
	char *text = malloc(INI_SIZE_MAX);
	double start = seconds();
	struct policy *p;
	size_t size;

	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	size = write_big(text, INI_SIZE_MAX, 100000);
	p = policy_parse(text, size, "big.ini", &errors);
	free(text);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	CU_ASSERT_EQUAL(p->n_asns, 100000);
	CU_ASSERT_EQUAL(p->n_prefixes, 100000);
	CU_ASSERT(seconds() - start < 5);
	policy_free(p);
}

/* Fill 4 MiB with one line again and again behind a head. */
static void
parse_flood(const char *head, const char *line)
{
	char *text = malloc(INI_SIZE_MAX);
	size_t at = strlen(head), length = strlen(line);
	double start = seconds();

	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	memcpy(text, head, at);
	for (; at + length <= INI_SIZE_MAX; at += length)
		memcpy(text + at, line, length);
	memset(&errors, 0, sizeof(errors));
	policy_free(policy_parse(text, at, "flood.ini", &errors));
	if (seconds() - start > 10)
		printf("%s: %.1f s\n", line, seconds() - start);
	CU_ASSERT(seconds() - start < 10);
	free(text);
}

static void
test_four_mebibytes_of_anything_take_little_time(void)
{
	static const struct {
		const char *head, *line;
	} cases[] = {
		{ "[country]\n", "drop = EU EU EU EU EU EU EU EU EU EU EU EU EU\n" },
		{ "[country]\n", "drop = DE\npass = DE\n" },
		{ "[country]\n", "drop = x y z a b c d e f g h i j k l m n o p q r s t u v w\n" },
		{ "[asn]\n", "drop = 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n" },
		{ "[asn]\n", "drop = 1\npass = 1\n" },
		{ "", "[group x]\n" },
		{ "[group x]\n", "countries = x y z a b c d e f g h i j k l m n o p q\n" },
		{ "", "x\n" },
		{ "", "\xff\n" },
		{ "[policy]\n", "mode = x\n" },
		{ "[ports]\n", "vxlan = 1 2 3 4 5 6 7 8 9\n" },
	};
	size_t i;

	for (i = 0; i < N(cases); i++)
		parse_flood(cases[i].head, cases[i].line);
}

static void
test_more_than_four_mebibytes_are_refused(void)
{
	char *text = malloc(INI_SIZE_MAX + 1);

	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	memset(text, '\n', INI_SIZE_MAX + 1);
	memset(&errors, 0, sizeof(errors));
	CU_ASSERT_PTR_NULL(policy_parse(text, INI_SIZE_MAX + 1, "big.ini", &errors));
	CU_ASSERT_EQUAL(errno, EFBIG);
	CU_ASSERT_EQUAL(errors.n, 1);
	free(text);
}

SUITE("policy",
	{ "an empty policy has the documented defaults",
		test_an_empty_policy_has_the_documented_defaults },
	{ "special and non-ip have a rule each", test_special_and_non_ip_have_a_rule_each },
	{ "policy keys reach their fields", test_policy_keys_reach_their_fields },
	{ "codes beat groups and groups resolve", test_codes_beat_groups_and_groups_resolve },
	{ "built-in groups have their members", test_built_in_groups_have_their_members },
	{ "ASNs are sorted and found", test_asns_are_sorted_and_found },
	{ "prefixes are sorted, holders first", test_prefixes_are_sorted_holders_first },
	{ "port lists replace their defaults", test_port_lists_replace_their_defaults },
	{ "NAT64 prefixes have the lengths of RFC 6052",
		test_nat64_prefixes_have_the_lengths_of_rfc_6052 },
	{ "each mistake is told with its place", test_each_mistake_is_told_with_its_place },
	{ "all mistakes are told in the order of lines",
		test_all_mistakes_are_told_in_the_order_of_lines },
	{ "more than eight NAT64 prefixes are refused",
		test_more_than_eight_nat64_prefixes_are_refused },
	{ "every country code can be named", test_every_country_code_can_be_named },
	{ "codes of the real tables can be named", test_codes_of_the_real_tables_can_be_named },
	{ "the shipped policy is right", test_the_shipped_policy_is_right },
	{ "a missing policy is an error", test_a_missing_policy_is_an_error },
	{ "every truncation is survived", test_every_truncation_is_survived },
	{ "random mutations are survived", test_random_mutations_are_survived },
	{ "a hundred thousand rules take little time",
		test_a_hundred_thousand_rules_take_little_time },
	{ "four mebibytes of anything take little time",
		test_four_mebibytes_of_anything_take_little_time },
	{ "more than four mebibytes are refused", test_more_than_four_mebibytes_are_refused })
