/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * special: the IANA special-purpose address registries, which are decided before any geo data, and
 * the prefixes whose addresses are judged by the IPv4 address that they embed.
 * Threads: pure
 * functions over constant tables.
 * Units: addresses in host order.
 * Source: IANA special-purpose
 * registries (RFC 6890 and later), RFC 4380, RFC 6052, RFC 8215, RFC 3056.
 */
#pragma once

#include "base/ip.h"

#include <stddef.h>
#include <stdint.h>

/* X(identifier, key in [special]) */
#define SPECIALS(X)                                                                                \
	X(PRIVATE, "private")                                                                      \
	X(SHARED, "shared")                                                                        \
	X(LOOPBACK, "loopback")                                                                    \
	X(LINK_LOCAL, "link-local")                                                                \
	X(MULTICAST, "multicast")                                                                  \
	X(DOCUMENTATION, "documentation")                                                          \
	X(BENCHMARKING, "benchmarking")                                                            \
	X(RESERVED, "reserved")

enum special {
	SPECIAL_NONE, /* an ordinary address: the geo table speaks */
#define X(id, name) SPECIAL_##id,
	SPECIALS(X)
#undef X
		SPECIAL_EMBEDDED, /* 6to4, Teredo, NAT64: judged by what it embeds, has no key */
	SPECIAL_N
};

struct special_entry {
	struct ip_range range;
	enum special special; /* SPECIAL_NONE: globally reachable hole in a larger entry */
};

/* The key ("private"), NULL for SPECIAL_NONE and SPECIAL_EMBEDDED. */
const char *special_name(enum special special);

/* Entries of one IP version (4 or 6), nested ones AFTER those that hold them: later entries win. */
const struct special_entry *special_entries(uint8_t version, size_t *n);

/* What one address is. Linear, for tools and tests. */
enum special special_find(const struct ip_addr *ip);
