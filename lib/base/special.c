/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The registries as constants. Where a registry has "globally reachable: true" inside a larger
 * block that is not, the hole is an entry with SPECIAL_NONE. 192.88.99.0/24 (deprecated 6to4
 * relays, RFC 7526) has "n/a" and is really routed, so the geo table judges it: the stricter
 * reading.
 */
#include "base/special.h"

#define V4(a, b, c, d, length, what)                                                               \
	{                                                                                          \
		{ .first = IP4(a, b, c, d),                                                        \
			.last = IP4(a, b, c, d) +                                                  \
				(uint32_t)((UINT64_C(1) << (32 - (length))) - 1),                  \
			.version = 4 },                                                            \
			SPECIAL_##what                                                             \
	}
#define V6(hi, lo, length, what)                                                                   \
	{                                                                                          \
		{ .first = IP6(hi, lo),                                                            \
			.last = IP6(hi, lo) +                                                      \
				((length) == 128 ? 0                                               \
						 : (((ip6_t)1 << (128 - (length)) % 128) - 1)),    \
			.version = 6 },                                                            \
			SPECIAL_##what                                                             \
	}

static const struct special_entry entries4[] = {
	V4(0, 0, 0, 0, 8, RESERVED),
	V4(10, 0, 0, 0, 8, PRIVATE),
	V4(100, 64, 0, 0, 10, SHARED),
	V4(127, 0, 0, 0, 8, LOOPBACK),
	V4(169, 254, 0, 0, 16, LINK_LOCAL),
	V4(172, 16, 0, 0, 12, PRIVATE),
	V4(192, 0, 0, 0, 24, RESERVED),
	V4(192, 0, 0, 9, 32, NONE),  /* PCP anycast, RFC 7723 */
	V4(192, 0, 0, 10, 32, NONE), /* TURN anycast, RFC 8155 */
	V4(192, 0, 2, 0, 24, DOCUMENTATION),
	V4(192, 168, 0, 0, 16, PRIVATE),
	V4(198, 18, 0, 0, 15, BENCHMARKING),
	V4(198, 51, 100, 0, 24, DOCUMENTATION),
	V4(203, 0, 113, 0, 24, DOCUMENTATION),
	V4(224, 0, 0, 0, 4, MULTICAST),
	V4(240, 0, 0, 0, 4, RESERVED),
};

static const struct special_entry entries6[] = {
	V6(0, 0, 128, RESERVED),                               /* :: */
	V6(0, 1, 128, LOOPBACK),                               /* ::1 */
	V6(0, UINT64_C(0x0000ffff00000000), 96, RESERVED),     /* ::ffff:0:0/96 */
	V6(UINT64_C(0x0064ff9b00000000), 0, 96, EMBEDDED),     /* 64:ff9b::/96, RFC 6052 */
	V6(UINT64_C(0x0064ff9b00010000), 0, 48, EMBEDDED),     /* 64:ff9b:1::/48, RFC 8215 */
	V6(UINT64_C(0x0100000000000000), 0, 64, RESERVED),     /* discard, RFC 6666 */
	V6(UINT64_C(0x0100000000000001), 0, 64, RESERVED),     /* dummy, RFC 9780 */
	V6(UINT64_C(0x2001000000000000), 0, 23, RESERVED),     /* IETF protocol assignments */
	V6(UINT64_C(0x2001000000000000), 0, 32, EMBEDDED),     /* Teredo, RFC 4380 */
	V6(UINT64_C(0x2001000100000000), 1, 128, NONE),        /* PCP anycast */
	V6(UINT64_C(0x2001000100000000), 2, 128, NONE),        /* TURN anycast */
	V6(UINT64_C(0x2001000100000000), 3, 128, NONE),        /* DNS-SD SRP anycast, RFC 9665 */
	V6(UINT64_C(0x2001000200000000), 0, 48, BENCHMARKING), /* RFC 5180 */
	V6(UINT64_C(0x2001000300000000), 0, 32, NONE),         /* AMT, RFC 7450 */
	V6(UINT64_C(0x2001000401120000), 0, 48, NONE),         /* AS112, RFC 7535 */
	V6(UINT64_C(0x2001002000000000), 0, 28, NONE),         /* ORCHIDv2, RFC 7343 */
	V6(UINT64_C(0x2001003000000000), 0, 28, NONE),         /* DRIP, RFC 9374 */
	V6(UINT64_C(0x20010db800000000), 0, 32, DOCUMENTATION),
	V6(UINT64_C(0x2002000000000000), 0, 16, EMBEDDED),      /* 6to4, RFC 3056 */
	V6(UINT64_C(0x3fff000000000000), 0, 20, DOCUMENTATION), /* RFC 9637 */
	V6(UINT64_C(0x5f00000000000000), 0, 16, RESERVED),      /* SRv6 SIDs, RFC 9602 */
	V6(UINT64_C(0xfc00000000000000), 0, 7, PRIVATE),
	V6(UINT64_C(0xfe80000000000000), 0, 10, LINK_LOCAL),
	V6(UINT64_C(0xff00000000000000), 0, 8, MULTICAST),
};

static const char *const names[SPECIAL_N] = {
#define X(id, name) [SPECIAL_##id] = name,
	SPECIALS(X)
#undef X
};

const char *
special_name(enum special special)
{
	return special < SPECIAL_N ? names[special] : NULL;
}

const struct special_entry *
special_entries(uint8_t version, size_t *n)
{
	*n = version == 4 ? sizeof(entries4) / sizeof(entries4[0])
			  : sizeof(entries6) / sizeof(entries6[0]);
	return version == 4 ? entries4 : entries6;
}

enum special
special_find(const struct ip_addr *ip)
{
	enum special found = SPECIAL_NONE;
	size_t i, n;
	const struct special_entry *entries = special_entries(ip->version, &n);

	for (i = 0; i < n; i++)
		if (ip->value >= entries[i].range.first && ip->value <= entries[i].range.last)
			found = entries[i].special;
	return found;
}
