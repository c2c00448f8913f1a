/* SPDX-License-Identifier: BSD-3-Clause */
/* base: numbers, words and constants that everything else stands on. */
#include "suite.h"

#include "base/err.h"
#include "base/ip.h"
#include "base/isa.h"
#include "base/limits.h"
#include "base/reason.h"
#include "base/sha256.h"
#include "base/special.h"
#include "base/text.h"
#include "base/verdict.h"

#include <errno.h>
#include <string.h>

static void
test_prefixes_have_a_length_and_no_host_bits(void)
{
	static const struct {
		const char *text;
		int want;
	} cases[] = {
		{ "192.0.2.0/24", 0 },
		{ "0.0.0.0/0", 0 },
		{ "192.0.2.1/32", 0 },
		{ "::/0", 0 },
		{ "2001:db8::/32", 0 },
		{ "2001:db8::1/128", 0 },
		{ "192.0.2.1/24", -EDOM },
		{ "2001:db8::1/64", -EDOM },
		{ "192.0.2.0", -EINVAL },
		{ "192.0.2.0/", -EINVAL },
		{ "192.0.2.0/33", -EINVAL },
		{ "192.0.2.0/024", -EINVAL },
		{ "192.0.2.0/+8", -EINVAL },
		{ "192.0.2.0/24 ", -EINVAL },
		{ "192.0.2/24", -EINVAL },
		{ "2001:db8::/129", -EINVAL },
		{ "/24", -EINVAL },
		{ "", -EINVAL },
	};
	struct ip_range range;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CU_ASSERT_EQUAL(ip_parse_prefix(cases[i].text, &range), cases[i].want);
	CU_ASSERT_EQUAL(ip_parse_prefix("10.0.0.0/8", &range), 0);
	CU_ASSERT(range.first == IP4(10, 0, 0, 0) && range.last == IP4(10, 255, 255, 255));
	CU_ASSERT_EQUAL(ip_parse_prefix("::/0", &range), 0);
	CU_ASSERT(range.first == 0 && range.last == ip_max(6));
}

static void
test_addresses_round_trip_in_canonical_text(void)
{
	static const char *const texts[] = { "0.0.0.0", "255.255.255.255", "1.1.1.1", "::", "::1",
		"2001:db8::1", "ff02::fb", "2606:4700::1111" };
	char buf[IP_TEXT_SIZE];
	struct ip_addr ip;
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		CU_ASSERT_EQUAL(ip_parse(texts[i], &ip), 0);
		CU_ASSERT_STRING_EQUAL(ip_format(&ip, buf), texts[i]);
	}
	CU_ASSERT_EQUAL(ip_parse("1.2.3", &ip), -EINVAL);
	CU_ASSERT_EQUAL(ip_parse("1.2.3.4.5", &ip), -EINVAL);
	CU_ASSERT_EQUAL(ip_parse(":::", &ip), -EINVAL);
}

static void
test_special_registries_are_known_with_their_holes(void)
{
	static const struct {
		const char *address;
		enum special want;
	} cases[] = {
		{ "9.255.255.255", SPECIAL_NONE },
		{ "10.0.0.0", SPECIAL_PRIVATE },
		{ "10.255.255.255", SPECIAL_PRIVATE },
		{ "11.0.0.0", SPECIAL_NONE },
		{ "0.1.2.3", SPECIAL_RESERVED },
		{ "100.64.0.1", SPECIAL_SHARED },
		{ "100.128.0.0", SPECIAL_NONE },
		{ "127.0.0.1", SPECIAL_LOOPBACK },
		{ "169.254.1.1", SPECIAL_LINK_LOCAL },
		{ "172.31.255.255", SPECIAL_PRIVATE },
		{ "172.32.0.0", SPECIAL_NONE },
		{ "192.0.0.1", SPECIAL_RESERVED },
		{ "192.0.0.9", SPECIAL_NONE },
		{ "192.88.99.1", SPECIAL_NONE },
		{ "198.19.255.255", SPECIAL_BENCHMARKING },
		{ "203.0.113.7", SPECIAL_DOCUMENTATION },
		{ "239.1.1.1", SPECIAL_MULTICAST },
		{ "240.0.0.1", SPECIAL_RESERVED },
		{ "255.255.255.255", SPECIAL_RESERVED },
		{ "::", SPECIAL_RESERVED },
		{ "::1", SPECIAL_LOOPBACK },
		{ "::2", SPECIAL_NONE },
		{ "::ffff:1.2.3.4", SPECIAL_RESERVED },
		{ "64:ff9b::1.2.3.4", SPECIAL_EMBEDDED },
		{ "64:ff9b:1:ffff::1", SPECIAL_EMBEDDED },
		{ "64:ff9b:2::1", SPECIAL_NONE },
		{ "100::1", SPECIAL_RESERVED },
		{ "2001::1", SPECIAL_EMBEDDED },
		{ "2001:1::1", SPECIAL_NONE },
		{ "2001:1::4", SPECIAL_RESERVED },
		{ "2001:2::1", SPECIAL_BENCHMARKING },
		{ "2001:20::1", SPECIAL_NONE },
		{ "2001:db8::", SPECIAL_DOCUMENTATION },
		{ "2001:db9::", SPECIAL_NONE },
		{ "2002:102:304::1", SPECIAL_EMBEDDED },
		{ "3fff::1", SPECIAL_DOCUMENTATION },
		{ "3fff:1000::1", SPECIAL_NONE },
		{ "5f00::1", SPECIAL_RESERVED },
		{ "fd00::1", SPECIAL_PRIVATE },
		{ "fe80::1", SPECIAL_LINK_LOCAL },
		{ "ff02::1", SPECIAL_MULTICAST },
		{ "4000::1", SPECIAL_NONE },
	};
	struct ip_addr ip;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CU_ASSERT_EQUAL_FATAL(ip_parse(cases[i].address, &ip), 0);
		CU_ASSERT_EQUAL(special_find(&ip), cases[i].want);
	}
	CU_ASSERT_PTR_NULL(special_name(SPECIAL_NONE));
	CU_ASSERT_PTR_NULL(special_name(SPECIAL_EMBEDDED));
	CU_ASSERT_STRING_EQUAL(special_name(SPECIAL_LINK_LOCAL), "link-local");
}

static void
test_verdict_words_go_both_ways(void)
{
	verdict_t v = 0x55;

	CU_ASSERT_EQUAL(verdict_parse("approve", &v), 0);
	CU_ASSERT_EQUAL(v, VERDICT_PASS);
	CU_ASSERT_EQUAL(verdict_parse("drop+mirror", &v), 0);
	CU_ASSERT_EQUAL(v, VERDICT_DROP | VERDICT_MIRROR);
	CU_ASSERT_EQUAL(verdict_parse("Drop", &v), -EINVAL);
	CU_ASSERT_EQUAL(verdict_parse("mirror+drop", &v), -EINVAL);
	CU_ASSERT_STRING_EQUAL(verdict_name(VERDICT_DROP), "drop");
	CU_ASSERT_STRING_EQUAL(verdict_name(VERDICT_DROP | VERDICT_MIRROR), "drop+mirror");
}

static void
test_reasons_are_named_once(void)
{
	unsigned int i, j;

	for (i = 1; i < REASON_N; i++)
		for (j = i + 1; j < REASON_N; j++)
			CU_ASSERT_STRING_NOT_EQUAL(
				reason_name((reason_t)i), reason_name((reason_t)j));
	CU_ASSERT_STRING_EQUAL(reason_name(REASON_N), "none");
	CU_ASSERT(reason_is_unparsable(REASON_TRUNCATED));
	CU_ASSERT(reason_is_unparsable(REASON_UNKNOWN_ETHERTYPE));
	CU_ASSERT_FALSE(reason_is_unparsable(REASON_NO_POLICY));
	CU_ASSERT_FALSE(reason_is_unparsable(REASON_SOURCE_ROUTE));
}

static void
test_nearest_word_is_near_or_none(void)
{
	static const char *const words[] = { "default", "unknown", "unparsable", NULL, "mode" };

	CU_ASSERT_STRING_EQUAL(text_nearest("defualt", words, 5), "default");
	CU_ASSERT_STRING_EQUAL(text_nearest("MODE", words, 5), "mode");
	CU_ASSERT_PTR_NULL(text_nearest("zzzzzzzz", words, 5));
	CU_ASSERT_PTR_NULL(text_nearest("", words, 5));
}

static void
test_copies_are_cut_between_characters(void)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "" },
		{ "abcd", "abcd" },
		{ "abcde", "abcd" },
		{ "ab\xc3\xa9", "ab\xc3\xa9" },
		{ "abc\xc3\xa9", "abc" },
		{ "abc\xc3\xa9x", "abc" },
		{ "\xf0\x9f\x8d\x80\xf0\x9f\x8d\x80", "\xf0\x9f\x8d\x80" },
		{ "ab\xe2\x82\xac", "ab" },
	};
	char out[5];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		text_copy(out, sizeof(out), cases[i].text);
		CU_ASSERT_STRING_EQUAL(out, cases[i].want);
	}
	text_copy(out, 1, "a");
	CU_ASSERT_STRING_EQUAL(out, "");
	CU_ASSERT(text_has_control("a\nb") && text_has_control("\x1b[31m"));
	CU_ASSERT(text_has_control("\x7f") && !text_has_control("caf\xc3\xa9 1.ini"));
}

static void
test_errors_show_place_and_survive_long_text(void)
{
	static struct err_list list;
	struct err e;
	char text[1024], longer[2000];
	unsigned int i;

	CU_ASSERT_EQUAL(
		err_set(&e, "policy.ini", 12, "[country] drop", "'%s' is bad", "XQQ"), -EINVAL);
	CU_ASSERT_STRING_EQUAL(
		err_format(&e, text, sizeof(text)), "policy.ini:12: [country] drop: 'XQQ' is bad");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	CU_ASSERT_EQUAL(err_set_code(&e, ENOENT, longer, 0, longer, "%s", longer), -ENOENT);
	CU_ASSERT(strlen(err_format(&e, text, sizeof(text))) < sizeof(text));
	CU_ASSERT_EQUAL(err_set(NULL, "x", 1, "y", "z"), -EINVAL);
	for (i = 0; i < ERR_LIST_MAX + 5; i++)
		err_set(err_list_next(&list), "f", i, NULL, "n");
	CU_ASSERT_EQUAL(list.n, ERR_LIST_MAX);
	CU_ASSERT_EQUAL(list.n_found, ERR_LIST_MAX + 5);
}

static void
test_sha256_text_is_told_from_others(void)
{
	static const char *const others[] = { "", "ba7816bf",
		"BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a",
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad0",
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a\n" };
	size_t i;

	CU_ASSERT_TRUE(
		sha256_is_text("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		CU_ASSERT_FALSE(sha256_is_text(others[i]));
}

static void
test_sha256_is_the_standard_one(void)
{
	char text[SHA256_TEXT_SIZE];

	CU_ASSERT_EQUAL(sha256_text("abc", 3, text), 0);
	CU_ASSERT_STRING_EQUAL(
		text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void
test_limits_start_with_the_documented_defaults(void)
{
	static struct limits limits;

	limits_init(&limits);
	CU_ASSERT_EQUAL(limits.n_tags_max, 4);
	CU_ASSERT_EQUAL(limits_port(&limits, 4789), TUNNEL_PORT_VXLAN);
	CU_ASSERT_EQUAL(limits_port(&limits, 8472), TUNNEL_PORT_VXLAN);
	CU_ASSERT_EQUAL(limits_port(&limits, 3544), TUNNEL_PORT_TEREDO);
	CU_ASSERT_EQUAL(limits_port(&limits, 443), TUNNEL_PORT_NONE);
	CU_ASSERT_STRING_EQUAL(tunnel_port_name(TUNNEL_PORT_GTP_U), "gtp-u");
	CU_ASSERT_STRING_EQUAL(non_ip_name(NON_IP_PPPOE_CONTROL), "pppoe-control");
	CU_ASSERT_PTR_NULL(non_ip_name(NON_IP_NONE));
}

/* Whether the slots name exactly the ports of the table. */
static bool
are_slots_right(const struct limits *limits)
{
	unsigned int port;

	for (port = 0; port < 65536; port++)
		if ((limits->wire_port[port] != TUNNEL_PORT_NONE) !=
			(limits->slots[limits_slot((uint16_t)port, limits->slot_factor)] == port))
			return false;
	return true;
}

static void
test_slots_are_the_ports_or_not_there(void)
{
	static struct limits limits;
	unsigned int n, n_with = 0;
	uint32_t random = 1;

	limits_init(&limits);
	CU_ASSERT_NOT_EQUAL(limits.slot_factor, 0);
	CU_ASSERT(are_slots_right(&limits));
	memset(&limits, 0, sizeof(limits));
	limits_fill_slots(&limits);
	CU_ASSERT_NOT_EQUAL(limits.slot_factor, 0);
	CU_ASSERT(are_slots_right(&limits));
	for (n = 1; n < 200; n++) {
		random = random * 1103515245 + 12345;
		limits_set_port(&limits, (uint16_t)(random >> 12 | 1), TUNNEL_PORT_VXLAN);
		CU_ASSERT_EQUAL(limits.slot_factor, 0); /* until they are filled */
		limits_fill_slots(&limits);
		n_with += limits.slot_factor != 0;
		CU_ASSERT(limits.slot_factor == 0 || are_slots_right(&limits));
	}
	CU_ASSERT(n_with >= 20 && n_with <= LIMITS_SLOTS);
	memset(&limits, 0, sizeof(limits));
	limits_set_port(&limits, 0, TUNNEL_PORT_VXLAN);
	limits_fill_slots(&limits);
	CU_ASSERT_EQUAL(limits.slot_factor, 0);
}

static void
test_instruction_sets_are_chosen_by_name_and_cpu(void)
{
	enum isa isa, before = isa_selected;

	CU_ASSERT_EQUAL(isa_select(ISA_SCALAR), 0);
	for (isa = ISA_SCALAR; isa < ISA_N; isa++) {
		CU_ASSERT_PTR_NOT_NULL(isa_name(isa));
		if (isa_select(isa) == 0)
			CU_ASSERT_EQUAL(isa_selected, isa);
	}
	CU_ASSERT_EQUAL(isa_select(ISA_N), -ENOTSUP);
	CU_ASSERT_PTR_NULL(isa_name(ISA_N));
	CU_ASSERT_EQUAL(isa_select(before), 0);
}

SUITE("base",
	{ "prefixes have a length and no host bits", test_prefixes_have_a_length_and_no_host_bits },
	{ "addresses round trip in canonical text", test_addresses_round_trip_in_canonical_text },
	{ "special registries are known with their holes",
		test_special_registries_are_known_with_their_holes },
	{ "verdict words go both ways", test_verdict_words_go_both_ways },
	{ "reasons are named once", test_reasons_are_named_once },
	{ "nearest word is near or none", test_nearest_word_is_near_or_none },
	{ "copies are cut between characters", test_copies_are_cut_between_characters },
	{ "errors show place and survive long text", test_errors_show_place_and_survive_long_text },
	{ "sha256 is the standard one", test_sha256_is_the_standard_one },
	{ "sha256 text is told from others", test_sha256_text_is_told_from_others },
	{ "limits start with the documented defaults",
		test_limits_start_with_the_documented_defaults },
	{ "slots are the ports or not there", test_slots_are_the_ports_or_not_there },
	{ "instruction sets are chosen by name and cpu",
		test_instruction_sets_are_chosen_by_name_and_cpu })
