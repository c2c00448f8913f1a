/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * limits: what the frame parser takes from the policy: bounds, tunnel ports, NAT64 prefixes, and
 * the names of the protocols it tells apart. Lives in base so that policy and packet need not know
 * each other.
 * Threads: immutable once a policy is parsed.
 * Units: ports in host order, but for `wire_port`.
 */
#pragma once

#include "base/ip.h"

#include <arpa/inet.h>
#include <stdint.h>

/* X(identifier, key in [non-ip], passes by default) */
#define NON_IPS(X)                                                                                 \
	X(ARP, "arp", 1)                                                                           \
	X(LLDP, "lldp", 1)                                                                         \
	X(LACP, "lacp", 1)                                                                         \
	X(STP, "stp", 0)                                                                           \
	X(CDP, "cdp", 0)                                                                           \
	X(PTP, "ptp", 0)                                                                           \
	X(EAPOL, "eapol", 0)                                                                       \
	X(PPPOE_CONTROL, "pppoe-control", 0)                                                       \
	X(MPLS_OAM, "mpls-oam", 0)                                                                 \
	X(CFM, "cfm", 0)

enum non_ip {
	NON_IP_NONE,
#define X(id, name, pass) NON_IP_##id,
	NON_IPS(X)
#undef X
		NON_IP_N
};

/* X(identifier, key in [ports], default destination ports...): UDP tunnels the parser looks into.
 */
#define TUNNEL_PORTS(X)                                                                            \
	X(VXLAN, "vxlan", 4789, 8472)                                                              \
	X(VXLAN_GPE, "vxlan-gpe", 4790)                                                            \
	X(GENEVE, "geneve", 6081)                                                                  \
	X(GTP_U, "gtp-u", 2152)                                                                    \
	X(MPLS_IN_UDP, "mpls-in-udp", 6635)                                                        \
	X(GRE_IN_UDP, "gre-in-udp", 4754)                                                          \
	X(TEREDO, "teredo", 3544)                                                                  \
	X(OPAQUE, "opaque", 1194, 1701, 4341, 4500, 51820)

enum tunnel_port {
	TUNNEL_PORT_NONE,
#define X(id, ...) TUNNEL_PORT_##id,
	TUNNEL_PORTS(X)
#undef X
		TUNNEL_PORT_N
};

#define LIMITS_NAT64_MAX 8

/* Slots of a table of 16-bit words, by the highest bits of a product. */
#define LIMITS_SLOT_BITS 6
#define LIMITS_SLOTS     (1u << LIMITS_SLOT_BITS)

struct limits {
	uint8_t n_tags_max;        /* VLAN tags per Ethernet header */
	uint8_t n_labels_max;      /* MPLS labels per stack */
	uint8_t n_headers_max;     /* IPv6 extension headers per IPv6 header */
	uint16_t headers_size_max; /* bytes of them together */
	uint8_t n_tunnels_max;     /* nested tunnels per frame */
	uint8_t n_nat64;           /* configured prefixes beside the two well-known ones */
	struct {
		ip6_t prefix;
		uint8_t length; /* 32, 40, 48, 56, 64 or 96: RFC 6052 */
	} nat64[LIMITS_NAT64_MAX];
	/* enum tunnel_port by UDP port as it is on the wire: one look-up, no list. Elsewhere
	 * limits_port() and limits_set_port() are to be used. */
	uint8_t wire_port[65536];
	/* The same ports once more, for many comparisons at once: where any is, it is in slot
	 * limits_slot(). Only when `slot_factor` is not 0: with many ports there is no such factor. */
	uint16_t slots[LIMITS_SLOTS]; /* as on the wire */
	uint16_t slot_factor;
};

static inline enum tunnel_port
limits_port(const struct limits *limits, uint16_t port)
{
	return (enum tunnel_port)limits->wire_port[htons(port)];
}

static inline void
limits_set_port(struct limits *limits, uint16_t port, enum tunnel_port kind)
{
	limits->wire_port[htons(port)] = (uint8_t)kind;
	limits->slot_factor = 0;
}

static inline unsigned int
limits_slot(uint16_t wire_port, uint16_t factor)
{
	return (uint16_t)((uint32_t)wire_port * factor) >> (16 - LIMITS_SLOT_BITS);
}

/* Fill `slots`: when all ports are set. Without it frames are parsed slower, not otherwise. */
void limits_fill_slots(struct limits *limits);

/* The documented defaults. */
void limits_init(struct limits *limits);

/* Names as in the policy; NULL for NONE. */
const char *non_ip_name(enum non_ip protocol);
const char *tunnel_port_name(enum tunnel_port kind);
