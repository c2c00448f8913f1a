/* SPDX-License-Identifier: BSD-3-Clause */
/* Tunnels: by IP protocol, by UDP port, opaque ones, and how deep they may go. */
#include "packet/packet.h"

#include "suite.h"
#include "test_packet_frame.h"

#define N_ROUNDS     4000000
#define N_OF(a)      (sizeof(a) / sizeof((a)[0]))
#define CHECK(cases) frame_check(frame_limits(), cases, N_OF(cases))

#define E4(payload)                  ETH("0800") payload
#define E6(payload)                  ETH("86dd") payload
#define A4                           "203.0.113.5"
#define A4B                          "203.0.113.6"
#define A6                           "2001:db8::5"
#define A6B                          "2001:db8::6"
#define GRE4(gre)                    E4(IPV4("2f", D4, gre))
#define U4(port, payload)            E4(IPV4("11", D4, UDP(port, payload)))
#define VXLAN(payload)               U4("12b5", "08000000 00000100" payload)
#define GPE(flags, next, payload)    U4("12b6", flags "0000" next "00000100" payload)
#define GENEVE(first, type, payload) U4("17c1", first "00" type "00000100" payload)
#define GTP(flags, type, payload)    U4("0868", flags type "{-4: 00000001" payload "}")
#define TEREDO(payload)              U4("0dd8", payload)
#define INNER4                       ETH("0800") PLAIN4
#define ERSPAN3(last2, inner)        "1000 22eb 00000001 2000 0000 00000000 0000" last2 inner

static const struct frame_case protocol_cases[] = {
	{ "IP in IP", E4(IPV4("04", D4, PLAIN4)), "none eth/ipv4/ipv4/tcp " A4 "," A4B },
	{ "6in4", E4(IPV4("29", D4, PLAIN6)), "none eth/ipv4/ipv6/tcp " A4 "," A6B },
	{ "4in6", E6(IPV6("04", D6, PLAIN4)), "none eth/ipv6/ipv4/tcp " A6 "," A4B },
	{ "6in6", E6(IPV6("29", D6, PLAIN6)), "none eth/ipv6/ipv6/tcp " A6 "," A6B },
	{ "sources of every header", E4(IPV4("29", D4, PLAIN6)),
		"none eth/ipv4/ipv6/tcp 198.51.100.9,2001:db8::9", .judge = PACKET_SOURCES },
	{ "6 in protocol 4", E4(IPV4("04", D4, PLAIN6)), "bad-version eth/ipv4 " A4 },
	{ "4 in protocol 41", E4(IPV4("29", D4, PLAIN4 PLAIN4)), "bad-version eth/ipv4 " A4 },
	{ "inner length beyond the outer's",
		E4(IPV4("04", D4, "45000015 00000000 403b0000" S4 D4B) "00000000"),
		"bad-total-length eth/ipv4/ipv4 " A4 "," A4B },
	{ "inner header beyond the outer's", E4(IPV4("04", D4, "45000014 0000") "0000 403b0000"),
		"truncated eth/ipv4 " A4 },
	{ "a mapped inner destination",
		E4(IPV4("29", D4, IPV6("3b", "00000000 00000000 0000ffff" D4B, ""))),
		"mapped-address eth/ipv4/ipv6 " A4 },
	{ "four deep", E4(IPV4("04", D4, IPV4("04", D4, IPV4("29", D4, IPV6("04", D6, PLAIN4))))),
		"none eth/ipv4/ipv4/ipv4/ipv6/ipv4/tcp " A4 "," A4 "," A4 "," A6 "," A4B },
	{ "five deep",
		E4(IPV4("04", D4,
			IPV4("04", D4, IPV4("04", D4, IPV4("04", D4, IPV4("04", D4, PLAIN4)))))),
		"too-deep eth/ipv4/ipv4/ipv4/ipv4/ipv4 " A4 "," A4 "," A4 "," A4 "," A4 },
	{ "EtherIP", E4(IPV4("61", D4, "3000" INNER4)),
		"none eth/ipv4/etherip/eth/ipv4/tcp " A4 "," A4B },
	{ "EtherIP version", E4(IPV4("61", D4, "4000" INNER4)), "bad-encapsulation eth/ipv4 " A4 },
	{ "MPLS in IP", E6(IPV6("89", D6, "00010140" PLAIN4)),
		"none eth/ipv6/mpls/ipv4/tcp " A6 "," A4B },
	{ "MPLS OAM in IP", E6(IPV6("89", D6, "00010140 10000007")),
		"none eth/ipv6/mpls/non-ip " A6 },
	{ "SRv6 Ethernet", E6(IPV6("8f", D6, INNER4)), "none eth/ipv6/eth/ipv4/tcp " A6 "," A4B },
	{ "PIM register", E4(IPV4("67", D4, "21000000 00000000" PLAIN4)),
		"none eth/ipv4/other " A4 },
	{ "behind AH", E6(IPV6("33", D6, "04 01 0000 00000001 00000001" PLAIN4)),
		"none eth/ipv6/ah/ipv4/tcp " A6 "," A4B },
};

static const struct frame_case gre_cases[] = {
	{ "IPv4", GRE4("0000 0800" PLAIN4), "none eth/ipv4/gre/ipv4/tcp " A4 "," A4B },
	{ "IPv6, with a key", GRE4("2000 86dd 00000001" PLAIN6),
		"none eth/ipv4/gre/ipv6/tcp " A4 "," A6B },
	{ "checksum, key, sequence", GRE4("b000 0800 00000000 00000001 00000002" PLAIN4),
		"none eth/ipv4/gre/ipv4/tcp " A4 "," A4B },
	{ "over IPv6", E6(IPV6("2f", D6, "0000 0800" PLAIN4)),
		"none eth/ipv6/gre/ipv4/tcp " A6 "," A4B },
	{ "Ethernet", GRE4("0000 6558" INNER4), "none eth/ipv4/gre/eth/ipv4/tcp " A4 "," A4B },
	{ "NVGRE", GRE4("2000 6558 00000100" INNER4),
		"none eth/ipv4/nvgre/eth/ipv4/tcp " A4 "," A4B },
	{ "MPLS", GRE4("0000 8847 00010140" PLAIN4),
		"none eth/ipv4/gre/mpls/ipv4/tcp " A4 "," A4B },
	{ "ERSPAN I", GRE4("0000 88be" INNER4),
		"none eth/ipv4/gre/erspan/eth/ipv4/tcp " A4 "," A4B },
	{ "ERSPAN II", GRE4("1000 88be 00000001 1000 0000 00000000" INNER4),
		"none eth/ipv4/gre/erspan/eth/ipv4/tcp " A4 "," A4B },
	{ "ERSPAN II, version", GRE4("1000 88be 00000001 3000 0000 00000000" INNER4),
		"bad-encapsulation eth/ipv4/gre/erspan " A4 },
	{ "ERSPAN III", GRE4(ERSPAN3("0000", INNER4)),
		"none eth/ipv4/gre/erspan/eth/ipv4/tcp " A4 "," A4B },
	{ "ERSPAN III, subheader", GRE4(ERSPAN3("0001", "0000000000000000" INNER4)),
		"none eth/ipv4/gre/erspan/eth/ipv4/tcp " A4 "," A4B },
	{ "ERSPAN III of IP", GRE4(ERSPAN3("0800", PLAIN6)),
		"none eth/ipv4/gre/erspan/ipv6/tcp " A4 "," A6B },
	{ "ERSPAN III of something", GRE4(ERSPAN3("0400", PLAIN6)),
		"bad-encapsulation eth/ipv4/gre/erspan " A4 },
	{ "source routes", GRE4("4000 0800 00000000 00000000" PLAIN4),
		"bad-encapsulation eth/ipv4 " A4 },
	{ "version 2", GRE4("0002 0800" PLAIN4), "bad-encapsulation eth/ipv4 " A4 },
	{ "PPTP", GRE4("3001 880b 00000001 00000001" PLAIN4),
		"none eth/ipv4/gre/opaque " A4 " opaque" },
	{ "unknown protocol", GRE4("0000 2001" PLAIN4), "none eth/ipv4/gre/opaque " A4 " opaque" },
	{ "ARP in Ethernet", GRE4("0000 6558" ETH("0806") "0001"),
		"none eth/ipv4/gre/eth/arp " A4 },
	{ "header cut", GRE4("2000 0800 0000"), "truncated eth/ipv4 " A4 },
	{ "inner header wrong", GRE4("0000 0800 44"), "truncated eth/ipv4/gre " A4 },
};

static const struct frame_case opaque_cases[] = {
	{ "ESP", E4(IPV4("32", D4, "00000001")), "none eth/ipv4/esp " A4 " opaque" },
	{ "IPComp", E4(IPV4("6c", D4, "04000001")), "none eth/ipv4/opaque " A4 " opaque" },
	{ "L2TPv3", E4(IPV4("73", D4, "00000001")), "none eth/ipv4/opaque " A4 " opaque" },
	{ "minimal encapsulation", E4(IPV4("37", D4, "04800000")),
		"none eth/ipv4/opaque " A4 " opaque" },
	{ "WireGuard", U4("ca6c", "04000000"), "none eth/ipv4/udp/opaque " A4 " opaque" },
	{ "WireGuard, from its port", E4(IPV4("11", D4, UDP_FROM("ca6c", "04000000"))),
		"none eth/ipv4/udp/opaque " A4 " opaque" },
	{ "L2TP", U4("06a5", "c002"), "none eth/ipv4/udp/opaque " A4 " opaque" },
	{ "LISP", U4("10f5", "c0020000"), "none eth/ipv4/udp/opaque " A4 " opaque" },
	{ "an opaque tunnel in another", VXLAN(E4(IPV4("32", D4B, "00000001"))),
		"none eth/ipv4/udp/vxlan/eth/ipv4/esp " A4 "," A4B " opaque" },
	{ "MACsec in VXLAN", VXLAN(ETH("88e5") "0000"),
		"none eth/ipv4/udp/vxlan/eth/opaque " A4 " opaque" },
};

static const struct frame_case vxlan_cases[] = {
	{ "VXLAN", VXLAN(INNER4), "none eth/ipv4/udp/vxlan/eth/ipv4/tcp " A4 "," A4B },
	{ "VXLAN, Linux port", U4("2118", "08000000 00000100" INNER4),
		"none eth/ipv4/udp/vxlan/eth/ipv4/tcp " A4 "," A4B },
	{ "reserved bits are ignored", U4("12b5", "ffffffff ffffffff" INNER4),
		"none eth/ipv4/udp/vxlan/eth/ipv4/tcp " A4 "," A4B },
	{ "no VNI flag: no tunnel", U4("12b5", "00000000 00000100" INNER4),
		"none eth/ipv4/udp " A4 },
	{ "too short for a header: no tunnel", U4("12b5", "08000000 000001"),
		"none eth/ipv4/udp " A4 },
	{ "from the port: no tunnel",
		E4(IPV4("11", D4, UDP_FROM("12b5", "08000000 00000100" INNER4))),
		"none eth/ipv4/udp " A4 },
	{ "VXLAN over IPv6", E6(IPV6("11", D6, UDP("12b5", "08000000 00000100" INNER4))),
		"none eth/ipv6/udp/vxlan/eth/ipv4/tcp " A6 "," A4B },
	{ "five tags inside",
		VXLAN(ETH("8100") TAG("8100") TAG("8100") TAG("8100") TAG("8100") TAG("0800")
				PLAIN4),
		"too-many-tags eth/ipv4/udp/vxlan/eth/vlan/vlan/vlan/vlan " A4 },
	{ "four tags outside and inside",
		ETH("8100") TAG("8100") TAG("8100") TAG("8100") TAG("0800") IPV4("11", D4,
			UDP("12b5", "08000000 00000100" ETH("8100") TAG("8100") TAG("8100")
					    TAG("8100") TAG("0800") PLAIN4)),
		"none eth/vlan/vlan/vlan/vlan/ipv4/udp/vxlan/eth/vlan/vlan/vlan/vlan/ipv4/tcp " A4
		"," A4B },
	{ "an unknown type inside", VXLAN(ETH("1234")),
		"unknown-ethertype eth/ipv4/udp/vxlan/eth " A4 },
	{ "ARP inside", VXLAN(ETH("0806") "0001"), "none eth/ipv4/udp/vxlan/eth/arp " A4 },
	{ "nothing inside", VXLAN(""), "truncated eth/ipv4/udp/vxlan " A4 },
	{ "a length that lies inside", VXLAN(E4("45000015 00000000 403b0000" S4 D4B)),
		"bad-total-length eth/ipv4/udp/vxlan/eth/ipv4 " A4 "," A4B },
	{ "a UDP length beyond the datagram",
		E4(IPV4("11", D4, "c000 12b5 {7: 0000 08000000 00000100" INNER4 "}")),
		"bad-total-length eth/ipv4/udp/vxlan " A4 },
	{ "a UDP length below 8",
		E4(IPV4("11", D4, "c000 12b5 0007 0000 08000000 00000100" INNER4)),
		"bad-total-length eth/ipv4/udp/vxlan " A4 },
	{ "a UDP length that cuts the inner frame",
		E4(IPV4("11", D4, "c000 12b5 0018 0000 08000000 00000100" INNER4)),
		"truncated eth/ipv4/udp/vxlan " A4 },
	{ "a UDP length that lies in front of no tunnel",
		E4(IPV4("11", D4, "c000 0035 0001 0000 01020304")), "none eth/ipv4/udp " A4 },
	{ "GPE, IPv4", GPE("0c", "01", PLAIN4),
		"none eth/ipv4/udp/vxlan-gpe/ipv4/tcp " A4 "," A4B },
	{ "GPE, IPv6", GPE("0c", "02", PLAIN6),
		"none eth/ipv4/udp/vxlan-gpe/ipv6/tcp " A4 "," A6B },
	{ "GPE, Ethernet", GPE("0c", "03", INNER4),
		"none eth/ipv4/udp/vxlan-gpe/eth/ipv4/tcp " A4 "," A4B },
	{ "GPE, no next protocol", GPE("08", "00", INNER4),
		"none eth/ipv4/udp/vxlan-gpe/eth/ipv4/tcp " A4 "," A4B },
	{ "GPE, NSH", GPE("0c", "04", INNER4), "none eth/ipv4/udp/vxlan-gpe/opaque " A4 " opaque" },
	{ "GPE, MPLS", GPE("0c", "05", "00010140" PLAIN4),
		"none eth/ipv4/udp/vxlan-gpe/mpls/ipv4/tcp " A4 "," A4B },
	{ "GPE, unknown", GPE("0c", "09", INNER4), "bad-encapsulation eth/ipv4/udp/vxlan-gpe " A4 },
	{ "GPE, version 1: no tunnel", GPE("1c", "01", PLAIN4), "none eth/ipv4/udp " A4 },
};

static const struct frame_case geneve_cases[] = {
	{ "Ethernet", GENEVE("00", "6558", INNER4),
		"none eth/ipv4/udp/geneve/eth/ipv4/tcp " A4 "," A4B },
	{ "IPv6 behind options", GENEVE("02", "86dd", "0102 00 01 00000000" PLAIN6),
		"none eth/ipv4/udp/geneve/ipv6/tcp " A4 "," A6B },
	{ "options beyond the datagram: no tunnel", GENEVE("3f", "0800", PLAIN4),
		"none eth/ipv4/udp " A4 },
	{ "options beyond a first fragment",
		E4(IPV4_FRAGMENT("2000", "11", D4, "c000 17c1 0200 0000 3f00 0800 00000100")),
		"bad-fragment eth/ipv4/udp " A4 },
	{ "options that the capture cut off",
		E4("4500 0400 0000 0000 40 11 0000" S4 D4 "c000 17c1 03ec 0000"
		   "3f00 0800 00000100"),
		"truncated eth/ipv4/udp/geneve " A4, .wire_length = 1038 },
	{ "version 1: no tunnel", GENEVE("40", "0800", PLAIN4), "none eth/ipv4/udp " A4 },
	{ "NSH", GENEVE("00", "894f", ""), "none eth/ipv4/udp/geneve/opaque " A4 " opaque" },
	{ "unknown protocol", GENEVE("00", "1234", PLAIN4),
		"bad-encapsulation eth/ipv4/udp/geneve " A4 },
};

static const struct frame_case gtp_cases[] = {
	{ "IPv4", GTP("30", "ff", PLAIN4), "none eth/ipv4/udp/gtp-u/ipv4/tcp " A4 "," A4B },
	{ "sequence number", GTP("32", "ff", "00010000" PLAIN6),
		"none eth/ipv4/udp/gtp-u/ipv6/tcp " A4 "," A6B },
	{ "extension headers",
		GTP("34", "ff",
			"00000085 01000940 02000000000000"
			"00" PLAIN4),
		"none eth/ipv4/udp/gtp-u/ipv4/tcp " A4 "," A4B },
	{ "next extension without the flag", GTP("32", "ff", "00010085" PLAIN4),
		"none eth/ipv4/udp/gtp-u/ipv4/tcp " A4 "," A4B },
	{ "extension of length 0", GTP("34", "ff", "00000085 00000000" PLAIN4),
		"bad-encapsulation eth/ipv4/udp/gtp-u " A4 },
	{ "extension beyond the packet", GTP("34", "ff", "00000085 ff000000" PLAIN4),
		"truncated eth/ipv4/udp/gtp-u " A4 },
	{ "nine extensions",
		GTP("34", "ff",
			"00000085 01000085 01000085 01000085 01000085 01000085"
			"01000085 01000085 01000085 01000000" PLAIN4),
		"too-many-headers eth/ipv4/udp/gtp-u " A4 },
	{ "echo: no tunnel", GTP("32", "01", "00010000"), "none eth/ipv4/udp " A4 },
	{ "version 2: no tunnel", GTP("50", "ff", PLAIN4), "none eth/ipv4/udp " A4 },
	{ "GTP': no tunnel", GTP("20", "ff", PLAIN4), "none eth/ipv4/udp " A4 },
	{ "length beyond the datagram", U4("0868", "30ff 0100 00000001" PLAIN4),
		"bad-total-length eth/ipv4/udp/gtp-u " A4 },
	{ "no IP inside", GTP("30", "ff", "0200"), "bad-encapsulation eth/ipv4/udp/gtp-u " A4 },
};

static const struct frame_case other_port_cases[] = {
	{ "MPLS in UDP", U4("19eb", "00010140" PLAIN4),
		"none eth/ipv4/udp/mpls/ipv4/tcp " A4 "," A4B },
	{ "MPLS in UDP, nothing known", U4("19eb", "00010140 f0000000"),
		"truncated eth/ipv4/udp/mpls " A4 },
	{ "GRE in UDP", U4("1292", "0000 0800" PLAIN4),
		"none eth/ipv4/udp/gre/ipv4/tcp " A4 "," A4B },
	{ "GRE in UDP, version: no tunnel", U4("1292", "0001 0800" PLAIN4),
		"none eth/ipv4/udp " A4 },
	{ "GRE in UDP, source routes: no tunnel", U4("1292", "4000 0800" PLAIN4),
		"none eth/ipv4/udp " A4 },
	{ "Teredo", TEREDO(PLAIN6), "none eth/ipv4/udp/teredo/ipv6/tcp " A4 "," A6B },
	{ "Teredo, from its port", E4(IPV4("11", D4, UDP_FROM("0dd8", PLAIN6))),
		"none eth/ipv4/udp/teredo/ipv6/tcp " A4 "," A6B },
	{ "Teredo, authentication and origin",
		TEREDO("0001 0402 01020304 0506 0000000000000000 00 0000 ffff ffffffff" PLAIN6),
		"none eth/ipv4/udp/teredo/ipv6/tcp " A4 "," A6B },
	{ "Teredo, origin", TEREDO("0000 ffff ffffffff" PLAIN6),
		"none eth/ipv4/udp/teredo/ipv6/tcp " A4 "," A6B },
	{ "Teredo, something else: no tunnel", TEREDO(PLAIN4 PLAIN4), "none eth/ipv4/udp " A4 },
	{ "Teredo, a length that lies", TEREDO("60000000 0001 3b40" S6 D6B),
		"bad-total-length eth/ipv4/udp/teredo/ipv6 " A4 "," A6B },
	{ "Teredo from its port to an opaque one",
		E4(IPV4("11", D4, "0dd8 1194 {6: 0000" PLAIN6 "}")),
		"none eth/ipv4/udp/opaque/teredo/ipv6/tcp " A4 "," A6B " opaque" },
	{ "Teredo from its port to one that is no tunnel",
		E4(IPV4("11", D4, "0dd8 12b5 {6: 0000 0000ffff ffffffff" PLAIN6 "}")),
		"none eth/ipv4/udp/teredo/ipv6/tcp " A4 "," A6B },
	{ "GTP-U in VXLAN in Geneve in GRE",
		GRE4("0000 0800" IPV4("11", D4,
			UDP("17c1",
				"0000 6558 00000100" E4(IPV4("11", D4,
					UDP("12b5", "08000000 00000100" E4(IPV4("11", D4,
							    UDP("0868", "30ff {-4: 00000001" PLAIN4
									"}"))))))))),
		"none "
		"eth/ipv4/gre/ipv4/udp/geneve/eth/ipv4/udp/vxlan/eth/ipv4/udp/gtp-u/ipv4/tcp " A4
		"," A4 "," A4 "," A4 "," A4B },
};

static void
test_tunnels_by_ip_protocol(void)
{
	CHECK(protocol_cases);
	CHECK(gre_cases);
}

static void
test_opaque_tunnels_are_marked(void)
{
	CHECK(opaque_cases);
}

static void
test_tunnels_by_port_only_when_their_header_is_valid(void)
{
	CHECK(vxlan_cases);
	CHECK(geneve_cases);
	CHECK(gtp_cases);
	CHECK(other_port_cases);
}

static void
test_configured_ports_replace_the_defaults(void)
{
	static const struct frame_case cases[] = {
		{ "VXLAN's port", VXLAN(INNER4), "none eth/ipv4/udp " A4 },
		{ "DNS's port", U4("0035", "08000000 00000100" INNER4),
			"none eth/ipv4/udp/vxlan/eth/ipv4/tcp " A4 "," A4B },
	};
	struct limits limits = *frame_limits();

	limits_set_port(&limits, 4789, TUNNEL_PORT_NONE);
	limits_set_port(&limits, 53, TUNNEL_PORT_VXLAN);
	frame_check(&limits, cases, N_OF(cases));
}

static void
test_changed_frames_break_no_rule(void)
{
	frame_mutate(frame_limits(), protocol_cases, N_OF(protocol_cases), N_ROUNDS / 4);
	frame_mutate(frame_limits(), gre_cases, N_OF(gre_cases), N_ROUNDS / 4);
	frame_mutate(frame_limits(), vxlan_cases, N_OF(vxlan_cases), N_ROUNDS / 4);
	frame_mutate(frame_limits(), gtp_cases, N_OF(gtp_cases), N_ROUNDS / 4);
	frame_mutate(frame_limits(), other_port_cases, N_OF(other_port_cases), N_ROUNDS / 4);
}

SUITE("packet tunnels", { "by IP protocol", test_tunnels_by_ip_protocol },
	{ "opaque", test_opaque_tunnels_are_marked },
	{ "by port", test_tunnels_by_port_only_when_their_header_is_valid },
	{ "configured ports", test_configured_ports_replace_the_defaults },
	{ "changed frames", test_changed_frames_break_no_rule })
