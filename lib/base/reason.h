/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reason: the closed list of why a frame got its verdict: counter names, JSON values, capture
 * annotations.
 * Threads: pure functions.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef uint8_t reason_t; /* one of enum reason */

/* X(identifier, name, what it means for the reader) */
#define REASONS_JUDGED(X)                                                                          \
	X(APPROVED_PREFIX, "approved-prefix", "a [prefix] rule passes the deciding address")       \
	X(APPROVED_ASN, "approved-asn", "an [asn] rule passes the deciding address")               \
	X(APPROVED_COUNTRY, "approved-country", "a [country] rule passes the deciding address")    \
	X(APPROVED_DEFAULT, "approved-default",                                                    \
		"no rule matches and [policy] default or unknown passes")                          \
	X(SPECIAL, "special", "special-purpose address, decided by [special]")                     \
	X(NON_IP, "non-ip", "a protocol with a key in [non-ip]")                                   \
	X(INBOUND, "inbound", "entered from outside and [direction] inbound = pass")               \
	X(SHADOW, "shadow", "forwarded by mode = shadow although the policy would drop it")        \
	X(PREFIX, "prefix", "a [prefix] rule stops or mirrors the deciding address")               \
	X(ASN, "asn", "an [asn] rule stops or mirrors the deciding address")                       \
	X(COUNTRY, "country", "a [country] rule stops or mirrors the deciding address")            \
	X(DEFAULT, "default", "no rule matches the address's country or ASN: [policy] default")    \
	X(UNKNOWN, "unknown", "no data source knows the address: [policy] unknown")                \
	X(STALE_DATA, "stale-data", "the geo data is older than max_geo_age_days: [policy] stale") \
	X(SOURCE_ROUTE, "source-route", "IPv4 source-route option: [policy] source-route")         \
	X(OPAQUE_TUNNEL, "opaque-tunnel", "a tunnel nobody can look into: [policy] opaque-tunnel")

#define REASONS_UNPARSABLE(X)                                                                      \
	X(TRUNCATED, "truncated", "the frame or capture ends inside a header that must be read")   \
	X(BAD_VERSION, "bad-version", "the IP version does not fit the place it stands in")        \
	X(BAD_HEADER_LENGTH, "bad-header-length", "IHL < 5 or option lengths that lie")            \
	X(BAD_TOTAL_LENGTH, "bad-total-length", "a length field that lies, or a jumbogram")        \
	X(TOO_MANY_TAGS, "too-many-tags", "more VLAN tags than [limits] tags")                     \
	X(TOO_MANY_LABELS, "too-many-labels", "more MPLS labels than [limits] labels")             \
	X(TOO_MANY_HEADERS, "too-many-headers",                                                    \
		"more IPv6 extension headers or bytes of them than [limits] allow")                \
	X(TOO_DEEP, "too-deep", "more nested tunnels than [limits] depth")                         \
	X(BAD_ROUTING_HEADER, "bad-routing-header",                                                \
		"IPv6 routing header: type 0, unknown, or inconsistent")                           \
	X(BAD_FRAGMENT, "bad-fragment",                                                            \
		"fragment that cuts the header chain, is tiny, overlaps or runs over")             \
	X(BAD_HEADER_ORDER, "bad-header-order", "hop-by-hop options not first")                    \
	X(MAPPED_ADDRESS, "mapped-address", "IPv4-mapped or -compatible IPv6 address on the wire") \
	X(BAD_ENCAPSULATION, "bad-encapsulation",                                                  \
		"a valid tunnel header with something wrong behind it")                            \
	X(UNKNOWN_ETHERTYPE, "unknown-ethertype",                                                  \
		"an ethertype or LLC SAP that Trefoil does not know")

#define REASONS_APPLIANCE(X)                                                                       \
	X(NO_POLICY, "no-policy", "no valid policy is loaded: everything is dropped")              \
	X(TX_FULL, "tx-full", "the transmit queue was full")                                       \
	X(NO_MBUF, "no-mbuf", "the port had no buffer for the frame")                              \
	X(LINK_DOWN, "link-down", "the other port of the wire has no link")

#define REASONS(X) REASONS_JUDGED(X) REASONS_UNPARSABLE(X) REASONS_APPLIANCE(X)

enum reason {
	REASON_NONE, /* not decided yet; never leaves the classifier */
#define X(id, name, what) REASON_##id,
	REASONS(X)
#undef X
		REASON_N
};

/* The name, "none" for REASON_NONE. */
const char *reason_name(reason_t reason);

/* One sentence for people. */
const char *reason_text(reason_t reason);

/* True for the reasons that mean the frame could not be understood. */
bool reason_is_unparsable(reason_t reason);
