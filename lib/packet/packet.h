/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * packet: walks a frame from its first header to the innermost one it can be understood to, and
 * lists every address that must be judged. Reads nothing outside the mbuf's data, does bounded
 * work, knows no policy beyond `limits`.
 *
 * Threads: pure functions.
 * Units: offsets and lengths are bytes from the start of the frame; addresses in host order.
 * Source: IEEE 802.1Q, 802.1ad, 802.1ah, RFC 791, 8200, 8754, 6554, 6275, 2784, 7348, 8926, 4380,
 * 6052 and the classification contract (README, trefoil-reasons(7)).
 *
 * A tunnel is an IP or Ethernet header inside an IP packet, an I-TAG or an MPLS pseudowire; labels,
 * tags and PPPoE are none. A mapped address is looked for on the judged side. A non-IP protocol
 * inside IP is judged by the addresses outside.
 */
#pragma once

#include "base/ip.h"
#include "base/limits.h"
#include "base/reason.h"

#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

/* What the first byte of the frame is. A port gives Ethernet; captures may give others. */
enum packet_link {
	PACKET_LINK_ETHERNET,
	PACKET_LINK_IP,   /* raw IPv4 or IPv6, by the first nibble (LINKTYPE_RAW, IPV4, IPV6) */
	PACKET_LINK_SLL,  /* Linux cooked v1 */
	PACKET_LINK_SLL2, /* Linux cooked v2 */
	PACKET_LINK_NULL, /* BSD loopback: 4 bytes of address family in either byte order */
};

/* Which addresses are listed. */
enum packet_judge { PACKET_DESTINATIONS, PACKET_SOURCES };

/* X(identifier, word in "layers") */
#define PACKET_LAYERS(X)                                                                           \
	X(ETH, "eth")                                                                              \
	X(SLL, "sll")                                                                              \
	X(NULL, "null")                                                                            \
	X(VLAN, "vlan")                                                                            \
	X(PBB, "pbb")                                                                              \
	X(LLC, "llc")                                                                              \
	X(SNAP, "snap")                                                                            \
	X(MPLS, "mpls")                                                                            \
	X(CONTROL_WORD, "cw")                                                                      \
	X(PPPOE, "pppoe")                                                                          \
	X(IPV4, "ipv4")                                                                            \
	X(IPV6, "ipv6")                                                                            \
	X(HOP_BY_HOP, "hopopts")                                                                   \
	X(ROUTING, "routing")                                                                      \
	X(FRAGMENT, "fragment")                                                                    \
	X(DESTINATION_OPTIONS, "dstopts")                                                          \
	X(AH, "ah")                                                                                \
	X(MOBILITY, "mobility")                                                                    \
	X(HIP, "hip")                                                                              \
	X(SHIM6, "shim6")                                                                          \
	X(ESP, "esp")                                                                              \
	X(TCP, "tcp")                                                                              \
	X(UDP, "udp")                                                                              \
	X(SCTP, "sctp")                                                                            \
	X(ICMP, "icmp")                                                                            \
	X(ICMPV6, "icmpv6")                                                                        \
	X(GRE, "gre")                                                                              \
	X(NVGRE, "nvgre")                                                                          \
	X(ERSPAN, "erspan")                                                                        \
	X(ETHERIP, "etherip")                                                                      \
	X(VXLAN, "vxlan")                                                                          \
	X(VXLAN_GPE, "vxlan-gpe")                                                                  \
	X(GENEVE, "geneve")                                                                        \
	X(GTP_U, "gtp-u")                                                                          \
	X(TEREDO, "teredo")                                                                        \
	X(OPAQUE, "opaque")                                                                        \
	X(OTHER, "other")                                                                          \
	X(ARP, "arp")                                                                              \
	X(NON_IP, "non-ip")

enum packet_layer {
#define X(id, name) PACKET_LAYER_##id,
	PACKET_LAYERS(X)
#undef X
		PACKET_LAYER_N
};

#define PACKET_LAYERS_MAX    64
#define PACKET_ADDRESSES_MAX 256

struct packet_address {
	ip6_t value;
	uint8_t version; /* 4 or 6 */
	bool carrier;    /* 6to4, Teredo, NAT64: judged by the embedded ones that follow */
};

struct packet_info {
	reason_t reason; /* REASON_NONE = understood; else one of the unparsable reasons */
	uint8_t non_ip;  /* enum non_ip: the frame is one of these; then there are no addresses */
	bool has_source_route;   /* an IPv4 LSRR or SSRR option; its hops are listed */
	bool has_opaque;         /* at least one tunnel that cannot be looked into */
	bool has_source;         /* outer_source is set */
	uint8_t n_layers;        /* layers beyond PACKET_LAYERS_MAX are not listed */
	uint16_t n_addresses;    /* in frame order, embedded ones behind their carrier */
	uint32_t headers_length; /* end of the innermost header understood, L4 too; <= pkt_len */
	uint32_t n_steps;        /* headers read: the bound on work, see PACKET_STEPS_MAX */
	struct packet_address outer_source; /* whom inbound traffic is counted for; no carrier */
	uint8_t layers[PACKET_LAYERS_MAX];
	struct packet_address addresses[PACKET_ADDRESSES_MAX];
};

/* No frame costs more header steps than this with the largest limits a policy may set. */
#define PACKET_STEPS_MAX 1024

/* HOT for what packet_burst_keys() leaves: walk one frame (multi-segment allowed) and fill `info`
 * (every field up to the arrays' counts). `wire_length` is the length on the wire: larger than
 * pkt_len when a capture cut the frame; a smaller one is not believed. Whatever cannot be fully
 * understood sets info->reason; the addresses found until then stay listed. Without a reason there
 * is a non-IP protocol or at least one address. Cannot fail. */
void packet_parse(const struct rte_mbuf *m, uint32_t wire_length, enum packet_link link,
	const struct limits *limits, enum packet_judge judge, struct packet_info *info);

/* "eth/vlan/ipv4/gre/ipv4"; cut to fit, always NUL-terminated. Returns `buf`. */
const char *packet_layers_format(const struct packet_info *info, char *buf, size_t size);
