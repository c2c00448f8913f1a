/* SPDX-License-Identifier: BSD-3-Clause */
/* Link layer, IPv4, IPv6 and its extension headers, addresses, limits. */
#include "packet/packet.h"

#include "suite.h"
#include "test_packet_frame.h"

#include <stdio.h>
#include <string.h>

#define N_ROUNDS     4000000
#define N_OF(a)      (sizeof(a) / sizeof((a)[0]))
#define CHECK(cases) frame_check(frame_limits(), cases, N_OF(cases))

#define E4(payload)            ETH("0800") payload
#define E6(payload)            ETH("86dd") payload
#define LLC_FRAME(payload)     MACS "{0:" payload "}"
#define LABEL(bottom)          "00010" bottom "40"
#define MACS_A                 "a200 0000 0001 0200 0000 0002" /* first nibble: no IP */
#define ITAG                   ETH("88e7") "00000001"
#define PPPOE(protocol, inner) ETH("8864") "1100 0007 {0:" protocol inner "}"
#define HEADER8                "000000000000" /* rest of an extension header of 8 bytes: Pad1s */
#define ZEROS32                "0000000000000000000000000000000000000000000000000000000000000000"
#define OPTIONS8(next)         next "00" HEADER8
#define A4                     "203.0.113.5"
#define A4B                    "203.0.113.6"
#define A4C                    "203.0.113.7"
#define A6                     "2001:db8::5"
#define A6B                    "2001:db8::6"
#define A4S                    "198.51.100.9"
#define A6S                    "2001:db8::9"

static const struct frame_case link_cases[] = {
	{ "plain IPv4", E4(IPV4("06", D4, TCP)), "none eth/ipv4/tcp " A4 },
	{ "plain IPv6", E6(IPV6("06", D6, TCP)), "none eth/ipv6/tcp " A6 },
	{ "IPv6 with zeros in front", E6(IPV6("06", "00000000 00010000 00000000 00000005", TCP)),
		"none eth/ipv6/tcp 0:0:1::5" },
	{ "padding is no payload", E4(IPV4("04", D4, "") "4500001400000000"),
		"truncated eth/ipv4 " A4 },
	{ "an LLC trailer is no payload", LLC_FRAME("aaaa03 000000 0800") PLAIN4,
		"truncated eth/llc/snap -" },
	{ "one tag", ETH("8100") TAG("0800") PLAIN4, "none eth/vlan/ipv4/tcp " A4B },
	{ "tags in any mix", ETH("88a8") TAG("9100") TAG("9200") TAG("9300") TAG("86dd") PLAIN6,
		"none eth/vlan/vlan/vlan/vlan/ipv6/tcp " A6B },
	{ "five tags",
		ETH("8100") TAG("8100") TAG("8100") TAG("8100") TAG("8100") TAG("0800") PLAIN4,
		"too-many-tags eth/vlan/vlan/vlan/vlan -" },
	{ "a tag that the NIC stripped", E4(PLAIN4), "none eth/vlan/ipv4/tcp " A4B,
		.flags = RTE_MBUF_F_RX_VLAN_STRIPPED },
	{ "stripped tags count", ETH("8100") TAG("8100") TAG("8100") TAG("0800") PLAIN4,
		"too-many-tags eth/vlan/vlan/vlan/vlan -",
		.flags = RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED },
	{ "LLC behind a tag", ETH("8100") "0064 {0:aaaa03 000000 0800" PLAIN4 "}",
		"none eth/vlan/llc/snap/ipv4/tcp " A4B },
	{ "802.1ah", ETH("88a8") TAG("88e7") "00000001" ETH("8100") TAG("0800") PLAIN4,
		"none eth/vlan/pbb/eth/vlan/ipv4/tcp " A4B },
	{ "an I-TAG is a tag",
		ETH("8100") TAG("8100") TAG("8100") TAG("8100") TAG("88e7") "00000001" E4(PLAIN4),
		"too-many-tags eth/vlan/vlan/vlan/vlan -" },
	{ "802.1ah in 802.1ah in ...", ITAG ITAG ITAG ITAG ITAG E4(PLAIN4),
		"too-deep eth/pbb/eth/pbb/eth/pbb/eth/pbb/eth -" },
	{ "LLC SAP 06", LLC_FRAME("060603" PLAIN4), "none eth/llc/ipv4/tcp " A4B },
	{ "LLC SAP 06 is IPv4", LLC_FRAME("060603" PLAIN6), "bad-version eth/llc -" },
	{ "SNAP", LLC_FRAME("aaaa03 000000 86dd" PLAIN6), "none eth/llc/snap/ipv6/tcp " A6B },
	{ "SNAP of an unknown OUI", LLC_FRAME("aaaa03 00000c 2004" PLAIN6),
		"unknown-ethertype eth/llc/snap -" },
	{ "LLC with another control field", LLC_FRAME("aaaaaf 000000 0800" PLAIN4),
		"unknown-ethertype eth -" },
	{ "LLC length that lies", MACS "0040 424203 0000", "bad-total-length eth -" },
	{ "LLC SAP of IS-IS", LLC_FRAME("fefe03 83"), "unknown-ethertype eth/llc -" },
	{ "neither length nor type", ETH("05dd") PLAIN4, "unknown-ethertype eth -" },
	{ "VN-tag", ETH("8926") "00000000 0800" PLAIN4, "unknown-ethertype eth -" },
	{ "E-tag", ETH("893f") "000000000000 0800" PLAIN4, "unknown-ethertype eth -" },
	{ "R-tag", ETH("f1c1") "00000000 0800" PLAIN4, "unknown-ethertype eth -" },
	{ "RARP", ETH("8035") "0001", "unknown-ethertype eth -" },
	{ "IPv6 under IPv4's type", E4(PLAIN6), "bad-version eth -" },
	{ "IPv4 under IPv6's type", E6(PLAIN4 "00000000"), "bad-version eth -" },
	{ "a header that is cut", ETH("8100") "00", "truncated eth -" },
	{ "13 bytes", "0200 0000 0001 0200 0000 0002 08", "truncated  -" },
	{ "MACsec has no address", ETH("88e5") "0000 00000001" PLAIN4,
		"unknown-ethertype eth/opaque - opaque" },
	{ "NSH has no address", ETH("894f") "0000 00000001" PLAIN4,
		"unknown-ethertype eth/opaque - opaque" },
};

static const struct frame_case non_ip_cases[] = {
	{ "ARP", ETH("0806") "0001", "none eth/arp - arp" },
	{ "ARP, tagged", ETH("8100") TAG("0806") "0001", "none eth/vlan/arp - arp" },
	{ "ARP in SNAP", LLC_FRAME("aaaa03 000000 0806 0001"), "none eth/llc/snap/arp - arp" },
	{ "LLDP", ETH("88cc") "0207", "none eth/non-ip - lldp" },
	{ "LACP", ETH("8809") "01", "none eth/non-ip - lacp" },
	{ "LACP marker", ETH("8809") "02", "none eth/non-ip - lacp" },
	{ "Ethernet OAM", ETH("8809") "03", "unknown-ethertype eth -" },
	{ "slow protocol without subtype", ETH("8809"), "truncated eth -" },
	{ "STP", LLC_FRAME("424203 0000"), "none eth/llc/non-ip - stp" },
	{ "PVST+", LLC_FRAME("aaaa03 00000c 010b"), "none eth/llc/snap/non-ip - stp" },
	{ "CDP", LLC_FRAME("aaaa03 00000c 2000"), "none eth/llc/snap/non-ip - cdp" },
	{ "PTP", ETH("88f7") "00", "none eth/non-ip - ptp" },
	{ "EAPOL", ETH("888e") "00", "none eth/non-ip - eapol" },
	{ "CFM", ETH("8902") "00", "none eth/non-ip - cfm" },
	{ "PPPoE discovery", ETH("8863") "1109", "none eth/non-ip - pppoe-control" },
	{ "PPPoE LCP", PPPOE("c021", "01010004"), "none eth/pppoe/non-ip - pppoe-control" },
	{ "PPPoE IPV6CP", PPPOE("8057", "01010004"), "none eth/pppoe/non-ip - pppoe-control" },
	{ "MPLS OAM", ETH("8847") LABEL("1") "10000007", "none eth/mpls/non-ip - mpls-oam" },
};

static const struct frame_case mpls_cases[] = {
	{ "IPv4", ETH("8847") LABEL("0") LABEL("1") PLAIN4, "none eth/mpls/ipv4/tcp " A4B },
	{ "IPv6, upstream labels", ETH("8848") LABEL("1") PLAIN6, "none eth/mpls/ipv6/tcp " A6B },
	{ "control word, Ethernet", ETH("8847") LABEL("1") "00000000" E4(PLAIN4),
		"none eth/mpls/cw/eth/ipv4/tcp " A4B },
	{ "Ethernet without control word", ETH("8847") LABEL("1") MACS_A "0800" PLAIN4,
		"none eth/mpls/eth/ipv4/tcp " A4B },
	{ "no Ethernet either", ETH("8847") LABEL("1") MACS_A "1234" PLAIN4,
		"bad-encapsulation eth/mpls -" },
	{ "control word, nothing known", ETH("8847") LABEL("1") "00000000" ETH("1234") PLAIN4,
		"unknown-ethertype eth/mpls/cw/eth -" },
	{ "no bottom of stack", ETH("8847") LABEL("0") LABEL("0"), "truncated eth -" },
	{ "nothing behind the stack", ETH("8847") LABEL("1"), "truncated eth/mpls -" },
	{ "16 labels",
		ETH("8847") LABEL("0") LABEL("0") LABEL("0") LABEL("0") LABEL("0") LABEL("0")
			LABEL("0") LABEL("0") LABEL("0") LABEL("0") LABEL("0") LABEL("0") LABEL("0")
				LABEL("0") LABEL("0") LABEL("1") PLAIN4,
		"none eth/mpls/ipv4/tcp " A4B },
	{ "17 labels",
		ETH("8847") LABEL("0") LABEL("0") LABEL("0") LABEL("0") LABEL("0") LABEL("0")
			LABEL("0") LABEL("0") LABEL("0") LABEL("0") LABEL("0") LABEL("0") LABEL("0")
				LABEL("0") LABEL("0") LABEL("0") LABEL("1") PLAIN4,
		"too-many-labels eth -" },
};

static const struct frame_case pppoe_cases[] = {
	{ "IPv4", PPPOE("0021", PLAIN4), "none eth/pppoe/ipv4/tcp " A4B },
	{ "IPv6", PPPOE("0057", PLAIN6), "none eth/pppoe/ipv6/tcp " A6B },
	{ "compressed protocol field", PPPOE("21", PLAIN4), "none eth/pppoe/ipv4/tcp " A4B },
	{ "MPLS", PPPOE("0281", LABEL("1") PLAIN4), "none eth/pppoe/mpls/ipv4/tcp " A4B },
	{ "compressed datagrams", PPPOE("00fd", PLAIN4), "bad-encapsulation eth/pppoe -" },
	{ "unknown control", PPPOE("8fff", PLAIN4), "bad-encapsulation eth/pppoe -" },
	{ "version", ETH("8864") "2100 0007 {0: 0021" PLAIN4 "}", "bad-encapsulation eth -" },
	{ "code", ETH("8864") "1101 0007 {0: 0021" PLAIN4 "}", "bad-encapsulation eth -" },
	{ "length beyond the frame", ETH("8864") "1100 0007 {1: 0021" PLAIN4 "}",
		"bad-total-length eth/pppoe -" },
	{ "length short of the packet", ETH("8864") "1100 0007 {-1: 0021" PLAIN4 "}",
		"bad-total-length eth/pppoe/ipv4 " A4B },
};

static const struct frame_case other_link_cases[] = {
	{ "raw IPv4", PLAIN4, "none ipv4/tcp " A4B, .link = PACKET_LINK_IP },
	{ "raw IPv6", PLAIN6, "none ipv6/tcp " A6B, .link = PACKET_LINK_IP },
	{ "raw nothing", "50", "bad-version  -", .link = PACKET_LINK_IP },
	{ "cooked", "0000 0001 0006 020000000001 0000 0800" PLAIN4, "none sll/ipv4/tcp " A4B,
		.link = PACKET_LINK_SLL },
	{ "cooked, tagged", "0000 0001 0006 020000000001 0000 8100" TAG("0800") PLAIN4,
		"none sll/vlan/ipv4/tcp " A4B, .link = PACKET_LINK_SLL },
	{ "cooked, LLC", "0000 0001 0006 020000000001 0000 0004 424203",
		"none sll/llc/non-ip - stp", .link = PACKET_LINK_SLL },
	{ "cooked, unknown", "0000 0001 0006 020000000001 0000 0003", "unknown-ethertype sll -",
		.link = PACKET_LINK_SLL },
	{ "cooked v2", "86dd 0000 00000002 0001 00 06 0200000000010000" PLAIN6,
		"none sll/ipv6/tcp " A6B, .link = PACKET_LINK_SLL2 },
	{ "loopback, little endian", "02000000" PLAIN4, "none null/ipv4/tcp " A4B,
		.link = PACKET_LINK_NULL },
	{ "loopback, big endian", "0000001e" PLAIN6, "none null/ipv6/tcp " A6B,
		.link = PACKET_LINK_NULL },
	{ "loopback, unknown", "00000007" PLAIN6, "unknown-ethertype null -",
		.link = PACKET_LINK_NULL },
};

#define IP4_RAW(first, total, options)                                                             \
	ETH("0800") first "00" total "0000 0000 40 06 0000" S4 D4 options TCP
#define IP4_OPTIONS(options) /* 8 bytes of options */ IP4_RAW("47", "0030", options)

static const struct frame_case ip4_cases[] = {
	{ "version", IP4_RAW("55", "0028", ""), "bad-version eth -" },
	{ "header length 4", IP4_RAW("44", "0028", ""), "bad-header-length eth/ipv4 " A4 },
	{ "header longer than the datagram", IP4_RAW("4f", "0028", ""),
		"bad-total-length eth/ipv4 " A4 },
	{ "total length 0", IP4_RAW("45", "0000", ""), "bad-total-length eth/ipv4 " A4 },
	{ "total length beyond the frame", IP4_RAW("45", "0029", ""),
		"bad-total-length eth/ipv4 " A4 },
	{ "padding", IP4_RAW("45", "0028", "") "000000000000", "none eth/ipv4/tcp " A4 },
	{ "any leaf protocol", E4(IPV4("fd", D4, "")), "none eth/ipv4/other " A4 },
	{ "IPv6 headers are none behind IPv4", E4(IPV4("2b", D4, "0000")),
		"none eth/ipv4/other " A4 },
	{ "TCP that is cut has its addresses", E4(IPV4("06", D4, "0102")),
		"none eth/ipv4/tcp " A4 },
	{ "UDP that is cut may be a tunnel", E4(IPV4("11", D4, "c000 0035 0008")),
		"truncated eth/ipv4 " A4 },
	{ "SCTP", E4(IPV4("84", D4, "c0000050 00000000 00000000")), "none eth/ipv4/sctp " A4 },
	{ "ICMP", E4(IPV4("01", D4, "0800000000000000")), "none eth/ipv4/icmp " A4 },
	{ "AH", E4(IPV4("33", D4, "06 01 0000 00000001 00000001" TCP)),
		"none eth/ipv4/ah/tcp " A4 },
	{ "HIP", E4(IPV4("8b", D4, "3b 00 000000000000")), "none eth/ipv4/hip " A4 },
	{ "no next header", E4(IPV4("3b", D4, "01")), "none eth/ipv4 " A4 },
	{ "sources", E4(IPV4("06", D4, TCP)), "none eth/ipv4/tcp " A4S, .judge = PACKET_SOURCES },
	{ "timestamp option", IP4_OPTIONS("4408050000000000"), "none eth/ipv4/tcp " A4 },
	{ "router alert, then the end", IP4_OPTIONS("94040000 00000000"), "none eth/ipv4/tcp " A4 },
	{ "loose source route", IP4_OPTIONS("83 07 04" D4B "00"),
		"none eth/ipv4/tcp " A4 "," A4B " source-route" },
	{ "strict source route", IP4_OPTIONS("01 89 07 04" D4B),
		"none eth/ipv4/tcp " A4 "," A4B " source-route" },
	{ "hops behind the pointer are hops", IP4_OPTIONS("83 07 08" D4B "00"),
		"none eth/ipv4/tcp " A4 "," A4B " source-route" },
	{ "source route without hops", IP4_OPTIONS("83 03 04 0000000000"),
		"none eth/ipv4/tcp " A4 " source-route" },
	{ "source route of sources", IP4_OPTIONS("83 07 04" D4B "00"),
		"none eth/ipv4/tcp " A4S " source-route", .judge = PACKET_SOURCES },
	{ "source route with half a hop", IP4_OPTIONS("83 06 04 010203 0000"),
		"bad-header-length eth/ipv4 " A4 },
	{ "source route pointer", IP4_OPTIONS("83 07 03" D4B "00"),
		"bad-header-length eth/ipv4 " A4 },
	{ "option length 1", IP4_OPTIONS("4401000000000000"), "bad-header-length eth/ipv4 " A4 },
	{ "option length 9 of 8", IP4_OPTIONS("4409000000000000"),
		"bad-header-length eth/ipv4 " A4 },
	{ "option without length", IP4_OPTIONS("01010101 01010144"),
		"bad-header-length eth/ipv4 " A4 },
	{ "captured up to the address", ETH("0800") "4500 0400 0000 0000 40 06 0000" S4 D4,
		"none eth/ipv4/tcp " A4, .wire_length = 1038 },
	{ "captured up to a UDP header", ETH("0800") "4500 0400 0000 0000 40 11 0000" S4 D4 "00",
		"truncated eth/ipv4 " A4, .wire_length = 1038 },
	{ "captured up to the ports", ETH("0800") "4500 0400 0000 0000 40 11 0000" S4 D4 "c0000035",
		"none eth/ipv4/udp " A4, .wire_length = 1038 },
	{ "captured up to a tunnel's port",
		ETH("0800") "4500 0400 0000 0000 40 11 0000" S4 D4 "c00012b5",
		"truncated eth/ipv4/udp " A4, .wire_length = 1038 },
};

static const struct frame_case ip4_fragment_cases[] = {
	{ "do not fragment", E4(IPV4_FRAGMENT("4000", "06", D4, TCP)), "none eth/ipv4/tcp " A4 },
	{ "first", E4(IPV4_FRAGMENT("2000", "06", D4, TCP "00000000")), "none eth/ipv4/tcp " A4 },
	{ "later: nothing inside is guessed", E4(IPV4_FRAGMENT("0004", "04", D4, PLAIN4)),
		"none eth/ipv4 " A4 },
	{ "tiny", E4(IPV4_FRAGMENT("2000", "06", D4, "1000 0050 00000001")),
		"bad-fragment eth/ipv4/tcp " A4 },
	{ "first without UDP header", E4(IPV4_FRAGMENT("2000", "11", D4, "")),
		"bad-fragment eth/ipv4 " A4 },
	{ "TCP at offset 1", E4(IPV4_FRAGMENT("0001", "06", D4, TCP)),
		"bad-fragment eth/ipv4 " A4 },
	{ "UDP at offset 1", E4(IPV4_FRAGMENT("0001", "11", D4, TCP)), "none eth/ipv4 " A4 },
	{ "over 65,535", E4(IPV4_FRAGMENT("1fff", "11", D4, "")), "bad-fragment eth/ipv4 " A4 },
	{ "up to 65,535", E4(IPV4_FRAGMENT("1ffc", "11", D4, "000000")), "none eth/ipv4 " A4 },
	{ "inner length beyond a first fragment",
		E4(IPV4_FRAGMENT("2000", "04", D4, "45000100 00000000 40060000" S4 D4B TCP)),
		"none eth/ipv4/ipv4/tcp " A4 "," A4B },
	{ "inner header cut by it",
		E4(IPV4_FRAGMENT("2000", "04", D4, "45000100 00000000 40060000" S4)),
		"bad-fragment eth/ipv4 " A4 },
	{ "inner transport cut by it",
		E4(IPV4_FRAGMENT("2000", "04", D4, "45000100 00000000 40060000" S4 D4B "10000050")),
		"bad-fragment eth/ipv4/ipv4/tcp " A4 "," A4B },
	{ "what a receiver rounds off is not there",
		E4(IPV4_FRAGMENT("2000", "04", D4, "45000100 00000000 403b0000" S4 D4B "000000")),
		"bad-fragment eth/ipv4 " A4 },
	{ "length lies inside a datagram that is whole",
		E4(IPV4_FRAGMENT("2000", "04", D4,
			"45000028 00000000 40040000" S4 D4B "45000100 00000000 403b0000" S4 D4C
			"0000000000000000")),
		"bad-total-length eth/ipv4/ipv4/ipv4 " A4 "," A4B "," A4C },
	{ "later fragment with a source route",
		ETH("0800") "47 00 001c 0000 0004 40 06 0000" S4 D4 "83 07 04" D4B "00",
		"none eth/ipv4 " A4 "," A4B " source-route" },
};

#define SEGMENT(last4) "20010db8 00000000 00000001" last4

static const struct frame_case ip6_cases[] = {
	{ "version", ETH("86dd") "50000000 0000 3b40" S6 D6, "bad-version eth -" },
	{ "payload beyond the frame", ETH("86dd") "60000000 0001 3b40" S6 D6,
		"bad-total-length eth/ipv6 " A6 },
	{ "no payload, no next header", E6(IPV6("3b", D6, "")), "none eth/ipv6 " A6 },
	{ "no length, but a payload", E6("60000000 0000 0640" S6 D6 TCP),
		"bad-total-length eth/ipv6 " A6 },
	{ "jumbogram", E6("60000000 0000 0040" S6 D6 "3b00 c204 00010000"),
		"bad-total-length eth/ipv6 " A6 },
	{ "jumbo option with a length", E6(IPV6("00", D6, "3b00 c204 00010000")),
		"bad-total-length eth/ipv6/hopopts " A6 },
	{ "padding", E6(IPV6("04", D6, "") "45000014"), "bad-total-length eth/ipv6 " A6 },
	{ "every header",
		E6(IPV6("00", D6,
			"3c00 0502 0000 0100" OPTIONS8("33") "8b01 0000 00000001 00000001" OPTIONS8(
				"8c") OPTIONS8("87") OPTIONS8("3a") "8000000000000000")),
		"none eth/ipv6/hopopts/dstopts/ah/hip/shim6/mobility/icmpv6 " A6 },
	{ "hop-by-hop not first", E6(IPV6("3c", D6, OPTIONS8("00") OPTIONS8("06") TCP)),
		"bad-header-order eth/ipv6/dstopts " A6 },
	{ "hop-by-hop twice", E6(IPV6("00", D6, OPTIONS8("00") OPTIONS8("06") TCP)),
		"bad-header-order eth/ipv6/hopopts " A6 },
	{ "eight headers",
		E6(IPV6("3c", D6,
			OPTIONS8("3c") OPTIONS8("3c") OPTIONS8("3c") OPTIONS8("3c") OPTIONS8("3c")
				OPTIONS8("3c") OPTIONS8("3c") OPTIONS8("06") TCP)),
		"none "
		"eth/ipv6/dstopts/dstopts/dstopts/dstopts/dstopts/dstopts/dstopts/dstopts/"
		"tcp " A6 },
	{ "nine headers",
		E6(IPV6("3c", D6,
			OPTIONS8("3c") OPTIONS8("3c") OPTIONS8("3c") OPTIONS8("3c") OPTIONS8("3c")
				OPTIONS8("3c") OPTIONS8("3c") OPTIONS8("3c") OPTIONS8("06") TCP)),
		"too-many-headers "
		"eth/ipv6/dstopts/dstopts/dstopts/dstopts/dstopts/dstopts/dstopts/dstopts " A6 },
	{ "header beyond the packet", E6(IPV6("3c", D6, "0601 000000000000")),
		"truncated eth/ipv6 " A6 },
	{ "header that is cut", E6(IPV6("3c", D6, "0600")), "truncated eth/ipv6 " A6 },
	{ "option beyond its header", E6(IPV6("3c", D6, "0600 0105 00000000" TCP)),
		"bad-header-length eth/ipv6/dstopts " A6 },
	{ "options longer than one read",
		E6(IPV6("3c", D6, "0609 0140" ZEROS32 ZEROS32 "0102 0000 00 00 0504 00000000" TCP)),
		"none eth/ipv6/dstopts/tcp " A6 },
	{ "the last option of many lies",
		E6(IPV6("3c", D6, "0609 0000" ZEROS32 ZEROS32 "000000 000000 0505 00000000" TCP)),
		"bad-header-length eth/ipv6/dstopts " A6 },
	{ "option without length", E6(IPV6("3c", D6, "0600 0000 00000001" TCP)),
		"bad-header-length eth/ipv6/dstopts " A6 },
	{ "AH too short", E6(IPV6("33", D6, "0600 0000 00000000" TCP)),
		"bad-header-length eth/ipv6 " A6 },
	{ "ESP", E6(IPV6("32", D6, "00000001 00000001")), "none eth/ipv6/esp " A6 " opaque" },
	{ "sources", E6(PLAIN6), "none eth/ipv6/tcp " A6S, .judge = PACKET_SOURCES },
};

static const struct frame_case routing_cases[] = {
	{ "SRH",
		E6(IPV6("2b", D6, "06040401 01000000" SEGMENT("0000000a") SEGMENT("0000000b") TCP)),
		"none eth/ipv6/routing/tcp " A6 ",2001:db8::1:0:a,2001:db8::1:0:b" },
	{ "SRH, reduced", E6(IPV6("2b", D6, "06020401 00000000" SEGMENT("0000000a") TCP)),
		"none eth/ipv6/routing/tcp " A6 ",2001:db8::1:0:a" },
	{ "SRH with TLV",
		E6(IPV6("2b", D6, "06030401 00000000" SEGMENT("0000000a") "0406 000000000000" TCP)),
		"none eth/ipv6/routing/tcp " A6 ",2001:db8::1:0:a" },
	{ "SRH, too much left", E6(IPV6("2b", D6, "06020402 00000000" SEGMENT("0000000a") TCP)),
		"bad-routing-header eth/ipv6/routing " A6 },
	{ "SRH, more entries than bytes",
		E6(IPV6("2b", D6, "06020401 01000000" SEGMENT("0000000a") TCP)),
		"bad-routing-header eth/ipv6/routing " A6 },
	{ "SRH, nothing left", E6(IPV6("2b", D6, "06020400 00000000" SEGMENT("0000000a") TCP)),
		"none eth/ipv6/routing/tcp " A6 },
	{ "SRH, sources", E6(IPV6("2b", D6, "06020401 00000000" SEGMENT("0000000a") TCP)),
		"none eth/ipv6/routing/tcp " A6S, .judge = PACKET_SOURCES },
	{ "SRH, mapped segment",
		E6(IPV6("2b", D6,
			"06020401 00000000"
			"00000000 00000000 0000ffff 08080808" TCP)),
		"mapped-address eth/ipv6/routing " A6 },
	{ "SRH, segment that embeds",
		E6(IPV6("2b", D6,
			"06020401 00000000"
			"2002cb00 71060000 00000000 00000001" TCP)),
		"none eth/ipv6/routing/tcp " A6 ",2002:cb00:7106::1*," A4B },
	{ "RPL, whole addresses",
		E6(IPV6("2b", D6, "06040302 00000000" SEGMENT("0000000a") SEGMENT("0000000b") TCP)),
		"none eth/ipv6/routing/tcp " A6 ",2001:db8::1:0:a,2001:db8::1:0:b" },
	{ "RPL, compressed", E6(IPV6("2b", D6, "06010302 fe500000 0a 1122 0000000000" TCP)),
		"none eth/ipv6/routing/tcp " A6 ",2001:db8::a,2001:db8::1122" },
	{ "RPL, too much left", E6(IPV6("2b", D6, "06010303 fe500000 0a 1122 0000000000" TCP)),
		"bad-routing-header eth/ipv6/routing " A6 },
	{ "RPL, padding beyond the header",
		E6(IPV6("2b", D6, "06010301 00f00000 0000000000000000" TCP)),
		"bad-routing-header eth/ipv6/routing " A6 },
	{ "RPL, uneven", E6(IPV6("2b", D6, "06010302 de000000 0000000000000000" TCP)),
		"none eth/ipv6/routing/tcp " A6 ",2001:db8::,2001:db8::,2001:db8::" },
	{ "type 2", E6(IPV6("2b", D6, "06020201 00000000" D6B TCP)),
		"none eth/ipv6/routing/tcp " A6 "," A6B },
	{ "type 2 of another size", E6(IPV6("2b", D6, "06010201 00000000 0000000000000000" TCP)),
		"bad-routing-header eth/ipv6/routing " A6 },
	{ "type 2, two left", E6(IPV6("2b", D6, "06020202 00000000" D6B TCP)),
		"bad-routing-header eth/ipv6/routing " A6 },
	{ "type 0", E6(IPV6("2b", D6, "06020001 00000000" D6B TCP)),
		"bad-routing-header eth/ipv6/routing " A6 },
	{ "type 0, nothing left", E6(IPV6("2b", D6, "06020000 00000000" D6B TCP)),
		"none eth/ipv6/routing/tcp " A6 },
	{ "unknown type", E6(IPV6("2b", D6, "06000501 00000000" TCP)),
		"bad-routing-header eth/ipv6/routing " A6 },
	{ "unknown type, nothing left", E6(IPV6("2b", D6, "06000500 00000000" TCP)),
		"none eth/ipv6/routing/tcp " A6 },
	{ "later fragment behind a routing header",
		E6(IPV6("2b", D6, "2c020401 00000000" SEGMENT("0000000a") "0600 0010 00000001 00")),
		"none eth/ipv6/routing/fragment " A6 ",2001:db8::1:0:a" },
};

static const struct frame_case ip6_fragment_cases[] = {
	{ "atomic", E6(IPV6("2c", D6, "0600 0000 00000001 0000")),
		"none eth/ipv6/fragment/tcp " A6 },
	{ "first", E6(IPV6("2c", D6, "0600 0001 00000001" TCP "00000000")),
		"none eth/ipv6/fragment/tcp " A6 },
	{ "first, chain cut",
		E6(IPV6("2c", D6,
			"3c00 0001 00000001"
			"0601 000000000000")),
		"bad-fragment eth/ipv6/fragment " A6 },
	{ "first, transport cut",
		E6(IPV6("2c", D6,
			"0600 0001 00000001"
			"10000050 00000000")),
		"bad-fragment eth/ipv6/fragment/tcp " A6 },
	{ "first, tunnel header cut",
		E6(IPV6("2c", D6,
			"1100 0001 00000001"
			"c000 12b5 0100 0000")),
		"bad-fragment eth/ipv6/fragment/udp " A6 },
	{ "first of a tunnel",
		E6(IPV6("2c", D6,
			"2900 0001 00000001"
			"60000000 0400 0640" S6 D6B TCP "00000000")),
		"none eth/ipv6/fragment/ipv6/tcp " A6 "," A6B },
	{ "later",
		E6(IPV6("2c", D6,
			"2900 0010 00000001"
			"60")),
		"none eth/ipv6/fragment " A6 },
	{ "TCP at offset 1", E6(IPV6("2c", D6, "0600 0008 00000001" TCP)),
		"bad-fragment eth/ipv6/fragment " A6 },
	{ "over 65,535", E6(IPV6("2c", D6, "1100 fff8 00000001 0000000000000000")),
		"bad-fragment eth/ipv6/fragment " A6 },
	{ "up to 65,535", E6(IPV6("2c", D6, "1100 fff8 00000001 00000000000000")),
		"none eth/ipv6/fragment " A6 },
};

static const struct frame_case address_cases[] = {
	{ "6to4", E6(IPV6("3b", "2002cb00 71060001 00000000 00000001", "")),
		"none eth/ipv6 2002:cb00:7106:1::1*," A4B },
	{ "Teredo", E6(IPV6("3b", "20010000 cb007105 0000ffff 34ff8ef9", "")),
		"none eth/ipv6 2001:0:cb00:7105:0:ffff:34ff:8ef9*," A4 "," A4B },
	{ "NAT64", E6(IPV6("3b", "0064ff9b 00000000 00000000" D4, "")),
		"none eth/ipv6 64:ff9b::cb00:7105*," A4 },
	{ "beside NAT64", E6(IPV6("3b", "0064ff9b 00000000 00000001" D4, "")),
		"none eth/ipv6 64:ff9b::1:cb00:7105" },
	{ "local-use NAT64, both forms", E6(IPV6("3b", "0064ff9b 0001cb00 00710600" D4, "")),
		"none eth/ipv6 64:ff9b:1:cb00:71:600:cb00:7105*," A4B "," A4 },
	{ "mapped", E6(IPV6("3b", "00000000 00000000 0000ffff" D4, "")),
		"mapped-address eth/ipv6 -" },
	{ "compatible", E6(IPV6("3b", "00000000 00000000 00000000" D4, "")),
		"mapped-address eth/ipv6 -" },
	{ "unspecified", E6(IPV6("3b", "00000000 00000000 00000000 00000000", "")),
		"none eth/ipv6 ::" },
	{ "loopback", E6(IPV6("3b", "00000000 00000000 00000000 00000001", "")),
		"none eth/ipv6 ::1" },
	{ "translated, not mapped", E6(IPV6("3b", "00000000 00000000 ffff0000" D4, "")),
		"none eth/ipv6 ::ffff:0:cb00:7105" },
	{ "a mapped source is no destination",
		E6("60000000 0000 3b40 00000000 00000000 0000ffff" D4 D6), "none eth/ipv6 " A6 },
	{ "a mapped source is judged as one",
		E6("60000000 0000 3b40 00000000 00000000 0000ffff" D4 D6),
		"mapped-address eth/ipv6 -", .judge = PACKET_SOURCES },
	{ "a source that embeds", E6("60000000 0000 3b40 2002cb00 71060000 00000000 00000001" D6),
		"none eth/ipv6 2002:cb00:7106::1*," A4B, .judge = PACKET_SOURCES },
};

static void
test_link_layer(void)
{
	CHECK(link_cases);
	CHECK(non_ip_cases);
	CHECK(mpls_cases);
	CHECK(pppoe_cases);
	CHECK(other_link_cases);
}

static void
test_ipv4(void)
{
	CHECK(ip4_cases);
	CHECK(ip4_fragment_cases);
}

static void
test_ipv6(void)
{
	CHECK(ip6_cases);
	CHECK(routing_cases);
	CHECK(ip6_fragment_cases);
}

static void
test_embedded_and_mapped_addresses(void)
{
	CHECK(address_cases);
}

static void
test_configured_nat64_prefixes_follow_rfc_6052(void)
{
	static const struct {
		unsigned int length;
		const char *destination;
	} forms[] = {
		{ 32, "20010db8 cb007105 00000000 00000000" },
		{ 40, "20010db8 00cb0071 00050000 00000000" },
		{ 48, "20010db8 0000cb00 00710500 00000000" },
		{ 56, "20010db8 000000cb 00007105 00000000" },
		{ 64, "20010db8 00000000 00cb0071 05000000" },
		{ 96, "20010db8 00000000 00000000 cb007105" },
	};
	struct limits limits = *frame_limits();
	size_t i;

	limits.n_nat64 = 1;
	limits.nat64[0].prefix = IP6(UINT64_C(0x20010db800000000), 0);
	for (i = 0; i < N_OF(forms); i++) {
		char frame[256];
		uint8_t bytes[128];
		struct packet_info info;
		struct rte_mbuf m = { .buf_addr = bytes, .nb_segs = 1 };

		limits.nat64[0].length = (uint8_t)forms[i].length;
		snprintf(frame, sizeof(frame), E6("60000000 0000 3b40" S6 "%s"),
			forms[i].destination);
		m.pkt_len = m.data_len = (uint16_t)frame_build(frame, bytes, sizeof(bytes));
		packet_parse(
			&m, m.pkt_len, PACKET_LINK_ETHERNET, &limits, PACKET_DESTINATIONS, &info);
		CU_ASSERT_EQUAL_FATAL(info.n_addresses, 2);
		CU_ASSERT(info.addresses[0].carrier);
		CU_ASSERT_EQUAL(info.addresses[1].version, 4);
		CU_ASSERT_EQUAL((uint32_t)info.addresses[1].value, IP4(203, 0, 113, 5));
	}
}

static void
test_limits_of_the_policy_hold(void)
{
	static const struct frame_case cases[] = {
		{ "no tag", E4(PLAIN4), "none eth/ipv4/tcp " A4B },
		{ "a tag", ETH("8100") TAG("0800") PLAIN4, "too-many-tags eth -" },
		{ "a tag that the NIC stripped", E4(PLAIN4), "too-many-tags eth -",
			.flags = RTE_MBUF_F_RX_VLAN_STRIPPED },
		{ "a label", ETH("8847") LABEL("1") PLAIN4, "too-many-labels eth -" },
		{ "a header", E6(IPV6("3c", D6, OPTIONS8("06") TCP)),
			"none eth/ipv6/dstopts/tcp " A6 },
		{ "a longer header", E6(IPV6("3c", D6, "0601 0000 00000000 0000000000000000" TCP)),
			"too-many-headers eth/ipv6 " A6 },
		{ "a tunnel", E4(IPV4("04", D4, PLAIN4)), "too-deep eth/ipv4 " A4 },
	};
	struct limits limits = *frame_limits();

	limits.n_tags_max = 0;
	limits.n_labels_max = 0;
	limits.headers_size_max = 8;
	limits.n_tunnels_max = 0;
	frame_check(&limits, cases, N_OF(cases));
}

/* With limits that bound nothing, the arrays and the steps are bounded still. */
static void
test_work_is_bounded_whatever_the_limits(void)
{
	static uint8_t bytes[16384];
	struct limits limits = *frame_limits();
	struct rte_mbuf m = {
		.buf_addr = bytes, .data_len = sizeof(bytes), .pkt_len = sizeof(bytes), .nb_segs = 1
	};
	struct packet_info info;
	size_t at;

	limits.n_tags_max = limits.n_labels_max = limits.n_headers_max = UINT8_MAX;
	limits.n_tunnels_max = UINT8_MAX;
	limits.headers_size_max = UINT16_MAX;
	frame_build(ETH("8847"), bytes, 14);
	for (at = 14; at + 18 <= sizeof(bytes); at += 18)
		frame_build("00010140" ETH("8847"), bytes + at, 18);
	for (at = 14; at + 18 <= sizeof(bytes); at += 18)
		bytes[at + 4] = 0xa2; /* neither IP nor a control word */
	packet_parse(&m, m.pkt_len, PACKET_LINK_ETHERNET, &limits, PACKET_DESTINATIONS, &info);
	CU_ASSERT_EQUAL(info.reason, REASON_TOO_DEEP);
	CU_ASSERT_EQUAL(info.n_layers, PACKET_LAYERS_MAX);

	/* One routing header with 6to4 segments: 127 carriers and what they embed. */
	memset(bytes, 0, sizeof(bytes));
	frame_build(ETH("86dd") "60000000 2000 2b40" S6 D6 "2bfe0401 7e000000", bytes, 62);
	for (at = 62; at < 62 + 127 * 16; at += 16)
		frame_build("2002", bytes + at, 2);
	frame_build("3bfe0401 7e000000", bytes + at, 8);
	for (at += 8; at < 62 + 8 + 254 * 16; at += 16)
		frame_build("2002", bytes + at, 2);
	packet_parse(&m, m.pkt_len, PACKET_LINK_ETHERNET, &limits, PACKET_DESTINATIONS, &info);
	CU_ASSERT_EQUAL(info.reason, REASON_TOO_MANY_HEADERS);
	CU_ASSERT_EQUAL(info.n_addresses, PACKET_ADDRESSES_MAX);
}

static void
test_source_and_header_length(void)
{
	uint8_t bytes[256];
	struct packet_info info;
	struct rte_mbuf m = { .buf_addr = bytes, .nb_segs = 1 };

	m.pkt_len = m.data_len = (uint16_t)frame_build(
		ETH("0800") IPV4("29", D4, IPV6("06", D6, TCP "0102030405")), bytes, sizeof(bytes));
	packet_parse(
		&m, m.pkt_len, PACKET_LINK_ETHERNET, frame_limits(), PACKET_DESTINATIONS, &info);
	CU_ASSERT_EQUAL(info.headers_length, 14 + 20 + 40 + 20);
	CU_ASSERT(info.has_source);
	CU_ASSERT_EQUAL(info.outer_source.version, 4);
	CU_ASSERT_EQUAL((uint32_t)info.outer_source.value, IP4(198, 51, 100, 9));
}

static void
test_layers_are_cut_to_fit(void)
{
	struct packet_info info = { .n_layers = 3,
		.layers = { PACKET_LAYER_ETH, PACKET_LAYER_IPV4, PACKET_LAYER_TCP } };
	char buf[16], small[6];

	CU_ASSERT_STRING_EQUAL(packet_layers_format(&info, buf, sizeof(buf)), "eth/ipv4/tcp");
	CU_ASSERT_STRING_EQUAL(packet_layers_format(&info, small, sizeof(small)), "eth/i");
	info.n_layers = 0;
	CU_ASSERT_STRING_EQUAL(packet_layers_format(&info, buf, sizeof(buf)), "");
}

static void
test_changed_frames_break_no_rule(void)
{
	frame_mutate(frame_limits(), link_cases, N_OF(link_cases), N_ROUNDS / 4);
	frame_mutate(frame_limits(), mpls_cases, N_OF(mpls_cases), N_ROUNDS / 8);
	frame_mutate(frame_limits(), ip4_cases, N_OF(ip4_cases), N_ROUNDS / 4);
	frame_mutate(frame_limits(), ip6_cases, N_OF(ip6_cases), N_ROUNDS / 4);
	frame_mutate(frame_limits(), routing_cases, N_OF(routing_cases), N_ROUNDS / 4);
	frame_mutate(frame_limits(), ip6_fragment_cases, N_OF(ip6_fragment_cases), N_ROUNDS / 8);
}

SUITE("packet", { "link layer", test_link_layer }, { "IPv4", test_ipv4 }, { "IPv6", test_ipv6 },
	{ "embedded and mapped addresses", test_embedded_and_mapped_addresses },
	{ "configured NAT64 prefixes", test_configured_nat64_prefixes_follow_rfc_6052 },
	{ "limits of the policy", test_limits_of_the_policy_hold },
	{ "work is bounded", test_work_is_bounded_whatever_the_limits },
	{ "source and header length", test_source_and_header_length },
	{ "layers as text", test_layers_are_cut_to_fit },
	{ "changed frames", test_changed_frames_break_no_rule })
