/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ip: addresses and prefixes as numbers, and their text.
 * Threads: pure functions.
 * Units: every address is in HOST order; an IPv4 one sits in the low 32 bits; prefix lengths are
 * bits.
 * Source: RFC 791, RFC 4291, text by RFC 5952.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef unsigned __int128 ip6_t; /* an IPv6 address, host order */

#define IP6(hi, lo) (((ip6_t)(hi) << 64) | (ip6_t)(lo))
#define IP4(a, b, c, d)                                                                            \
	(((uint32_t)(a) << 24) | ((uint32_t)(b) << 16) | ((uint32_t)(c) << 8) | (uint32_t)(d))
#define IP_TEXT_SIZE 64 /* room for an address or a prefix with its NUL */

struct ip_addr {
	ip6_t value;
	uint8_t version; /* 4 or 6 */
};

struct ip_range {
	ip6_t first; /* inclusive */
	ip6_t last;  /* inclusive, >= first */
	uint8_t version;
};

/* 16 bytes in network order to a number and back. */
static inline ip6_t
ip6_from_bytes(const uint8_t bytes[16])
{
	uint64_t hi, lo;

	memcpy(&hi, bytes, 8);
	memcpy(&lo, bytes + 8, 8);
	return IP6(__builtin_bswap64(hi), __builtin_bswap64(lo));
}

void ip6_to_bytes(ip6_t ip, uint8_t bytes[16]);

/* Highest address of a version: 2^32-1 or 2^128-1. */
ip6_t ip_max(uint8_t version);

/* Parse an address, no surrounding blanks. Returns 0 or -EINVAL, `*out` untouched then. */
int ip_parse(const char *text, struct ip_addr *out);

/* Parse "address/length" to a range. Returns 0; -EINVAL (not a prefix, no length); -EDOM (host bits
 * set). */
int ip_parse_prefix(const char *text, struct ip_range *out);

/* Text by RFC 5952. Returns `buf`, which holds at least IP_TEXT_SIZE bytes. */
const char *ip_format(const struct ip_addr *ip, char *buf);
const char *ip4_format(uint32_t ip, char *buf);
const char *ip6_format(ip6_t ip, char *buf);
