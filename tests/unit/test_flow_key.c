/* SPDX-License-Identifier: BSD-3-Clause */
/* flow_key: the outermost 5-tuple, whatever is in front of it and wherever the copy was cut. */
#include "suite.h"

#include "mirror/flow_key.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IP4     "450000280000000040"
#define IP4_END "0000c0000201c6336407"
#define IP6     "6000000000"
#define IP6_END "4020010db800000000000000000000000120010db8000000000000000000000002"
#define MACS    "020000000001020000000002"

static uint32_t
bytes_of(const char *hex, uint8_t *out)
{
	uint32_t n = 0;
	unsigned int byte;

	for (; hex[0] != '\0'; hex += 2) {
		CU_ASSERT_EQUAL_FATAL(sscanf(hex, "%2x", &byte), 1);
		out[n++] = (uint8_t)byte;
	}
	return n;
}

static const struct {
	const char *what, *frame, *source, *destination;
	unsigned int version, protocol;
} cases[] = {
	{ "UDP", MACS "0800" IP4 "11" IP4_END "003500500008", "192.0.2.1:53", "198.51.100.7:80", 4,
		17 },
	{ "TCP behind two tags",
		MACS "88a8000181000002"
		     "0800" IP4 "06" IP4_END "00350050",
		"192.0.2.1:53", "198.51.100.7:80", 4, 6 },
	{ "ICMP has no ports", MACS "0800" IP4 "01" IP4_END "08000050", "192.0.2.1", "198.51.100.7",
		4, 1 },
	{ "IPv4 options",
		MACS "0800460000280000000040"
		     "11" IP4_END "0101010100350050",
		"192.0.2.1:53", "198.51.100.7:80", 4, 17 },
	{ "a fragment that is not the first",
		MACS "0800450000280000000140"
		     "11" IP4_END "00350050",
		"192.0.2.1", "198.51.100.7", 4, 17 },
	{ "the first fragment",
		MACS "0800450000280000200040"
		     "11" IP4_END "00350050",
		"192.0.2.1:53", "198.51.100.7:80", 4, 17 },
	{ "ports cut off", MACS "0800" IP4 "11" IP4_END "003500", "192.0.2.1", "198.51.100.7", 4,
		17 },
	{ "a header length of less than a header",
		MACS "0800440000280000000040"
		     "11" IP4_END "00350050",
		"192.0.2.1", "198.51.100.7", 4, 17 },
	{ "IPv6 UDP", MACS "86dd" IP6 "0811" IP6_END "003500500008", "[2001:db8::1]:53",
		"[2001:db8::2]:80", 6, 17 },
	{ "hop-by-hop and destination options",
		MACS "86dd" IP6 "0800" IP6_END "3c00000000000000"
		     "0600000000000000"
		     "003500500000000000000000",
		"[2001:db8::1]:53", "[2001:db8::2]:80", 6, 6 },
	{ "IPv6 fragment that is not the first",
		MACS "86dd" IP6 "082c" IP6_END "1100000800000001"
		     "0035005000000000",
		"2001:db8::1", "2001:db8::2", 6, 44 },
	{ "IPv6 first fragment",
		MACS "86dd" IP6 "082c" IP6_END "1100000100000001"
		     "0035005000000000",
		"[2001:db8::1]:53", "[2001:db8::2]:80", 6, 17 },
	{ "an extension header longer than all", MACS "86dd" IP6 "0800" IP6_END "11ff000000000000",
		"2001:db8::1", "2001:db8::2", 6, 17 },
};

static void
test_the_outermost_tuple_is_found(void)
{
	uint8_t frame[256];
	char text[FLOW_ADDRESS_SIZE];
	struct flow_key key;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t length = bytes_of(cases[i].frame, frame);
		bool is_right = flow_key_parse(frame, length, &key) &&
				key.version == cases[i].version &&
				key.protocol == cases[i].protocol;

		is_right =
			is_right && strcmp(flow_key_format(&key, true, text), cases[i].source) == 0;
		is_right = is_right &&
			   strcmp(flow_key_format(&key, false, text), cases[i].destination) == 0;
		if (!is_right)
			printf("%s: version %u protocol %u %s\n", cases[i].what, key.version,
				key.protocol, flow_key_format(&key, true, text));
		CU_ASSERT_TRUE(is_right);
	}
}

static void
test_what_is_no_ip_has_no_key(void)
{
	static const char *const frames[] = { "", MACS, MACS "08", MACS "0806",
		MACS "0806" IP4 "11", MACS "080065" IP4_END IP4_END,
		MACS "86dd" IP4 "11" IP4_END "0000000000000000", MACS "8100" };
	static const struct flow_key nothing;
	struct flow_key key;
	uint8_t frame[256];
	size_t i;

	for (i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		CU_ASSERT_FALSE(flow_key_parse(frame, bytes_of(frames[i], frame), &key));
		CU_ASSERT_EQUAL(memcmp(&key, &nothing, sizeof(key)), 0);
	}
}

/* Each copy in a block of its very size: a sanitizer sees one byte too many. */
static void
test_cut_anywhere_nothing_behind_the_cut_is_read(void)
{
	uint8_t frame[256], *copy;
	struct flow_key key;
	uint32_t length, n;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		length = bytes_of(cases[i].frame, frame);
		for (n = 0; n <= length; n++) {
			copy = malloc(n != 0 ? n : 1);
			CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
			memcpy(copy, frame, n);
			if (flow_key_parse(copy, n, &key))
				CU_ASSERT(n >= 34 && key.version == cases[i].version);
			free(copy);
		}
	}
}

static void
test_any_number_of_tags_ends(void)
{
	uint8_t frame[256];
	struct flow_key key;
	uint32_t n;

	memset(frame, 0, sizeof(frame));
	for (n = 12; n + 4 <= sizeof(frame); n += 4)
		memcpy(frame + n, "\x81\x00\x00\x01", 4);
	CU_ASSERT_FALSE(flow_key_parse(frame, sizeof(frame), &key));
}

SUITE("flow_key", { "the outermost tuple is found", test_the_outermost_tuple_is_found },
	{ "what is no IP has no key", test_what_is_no_ip_has_no_key },
	{ "cut anywhere", test_cut_anywhere_nothing_behind_the_cut_is_read },
	{ "any number of tags ends", test_any_number_of_tags_ends })
