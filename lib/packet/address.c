/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The lists of judged addresses. An IPv6 address that embeds IPv4 ones is listed as a carrier and
 * they follow it; one that is mapped or compatible has no place on the wire (RFC 4291).
 * A list that is full makes the frame unparsable: an address that is not listed is not judged.
 */
#include "packet_impl.h"

#define MAPPED_MARK 0xffffu /* bits 80..95 of ::ffff:0:0/96 */

/* The first 16 or 32 bits of what embeds IPv4 addresses */
#define SIX_TO_FOUR 0x2002u     /* 2002::/16, RFC 3056 */
#define TEREDO      0x20010000u /* 2001::/32, RFC 4380 */
#define NAT64       0x0064ff9bu /* 64:ff9b::/96 and 64:ff9b:1::/48, RFC 6052 and 8215 */

static void
add(struct packet_walk *w, ip6_t value, uint8_t version, bool is_carrier)
{
	struct packet_info *info = w->info;

	if (info->n_addresses == PACKET_ADDRESSES_MAX) {
		packet_fail(w, REASON_TOO_MANY_HEADERS);
		return;
	}
	info->addresses[info->n_addresses++] = (struct packet_address){
		.value = value, .version = version, .carrier = is_carrier
	};
}

void
packet_add4(struct packet_walk *w, uint32_t ip)
{
	add(w, ip, 4, false);
}

static bool
is_mapped(ip6_t ip)
{
	uint32_t mark = (uint32_t)(ip >> 32);

	return (uint64_t)(ip >> 64) == 0 && (mark == 0 || mark == MAPPED_MARK) && ip != 0 &&
	       ip != 1;
}

static bool
is_within(ip6_t ip, ip6_t prefix, unsigned int length)
{
	return length > 0 && length <= 128 && (ip ^ prefix) >> (128 - length) == 0;
}

/* RFC 6052 section 2.2: the IPv4 address follows the prefix and skips bits 64..71. */
static uint32_t
embedded_in(ip6_t ip, unsigned int length)
{
	uint64_t high = (uint64_t)(ip >> 64), low = (uint64_t)ip;

	if (length == 96)
		return (uint32_t)low;
	if (length == 32)
		return (uint32_t)high;
	return (uint32_t)(high << (length - 32)) | (uint32_t)((low << 8) >> (96 - length));
}

/* The IPv4 addresses inside `ip`, at most 2 * LIMITS_NAT64_MAX. Returns how many. */
static unsigned int
find_embedded(const struct limits *limits, ip6_t ip, uint32_t *found)
{
	unsigned int i, n = 0;

	if (ip >> 112 == SIX_TO_FOUR) {
		found[n++] = (uint32_t)(ip >> 80);
	} else if (ip >> 96 == TEREDO) {
		found[n++] = (uint32_t)(ip >> 64);
		found[n++] = ~(uint32_t)ip;
	} else if (is_within(ip, IP6((uint64_t)NAT64 << 32, 0), 96)) {
		found[n++] = embedded_in(ip, 96);
	} else if (is_within(ip, IP6((uint64_t)NAT64 << 32 | 1 << 16, 0), 48)) {
		found[n++] = embedded_in(ip, 48);
		found[n++] = embedded_in(ip, 96);
	}
	for (i = 0; i < limits->n_nat64 && i < LIMITS_NAT64_MAX; i++)
		if (is_within(ip, limits->nat64[i].prefix, limits->nat64[i].length))
			found[n++] = embedded_in(ip, limits->nat64[i].length);
	return n;
}

/* What most addresses are: neither mapped nor an embedding one, as the first 32 bits tell. */
static bool
is_plain(const struct limits *limits, ip6_t ip)
{
	uint32_t first = (uint32_t)(ip >> 96);

	return first >> 16 != SIX_TO_FOUR && first != TEREDO && first != NAT64 && first != 0 &&
	       limits->n_nat64 == 0;
}

static __rte_noinline void
add_unusual(struct packet_walk *w, ip6_t ip)
{
	uint32_t found[2 * LIMITS_NAT64_MAX];
	unsigned int i, n;

	if (is_mapped(ip)) {
		packet_fail(w, REASON_MAPPED_ADDRESS);
		return;
	}
	n = find_embedded(w->limits, ip, found);
	add(w, ip, 6, n > 0);
	for (i = 0; i < n; i++)
		packet_add4(w, found[i]);
}

void
packet_add6(struct packet_walk *w, ip6_t ip)
{
	if (is_plain(w->limits, ip))
		add(w, ip, 6, false);
	else
		add_unusual(w, ip);
}

static void
keep_source(struct packet_walk *w, ip6_t source, uint8_t version)
{
	if (w->info->has_source)
		return;
	w->info->has_source = true;
	w->info->outer_source = (struct packet_address){ .value = source, .version = version };
}

void
packet_add_header4(struct packet_walk *w, uint32_t source, uint32_t destination)
{
	keep_source(w, source, 4);
	packet_add4(w, w->judge == PACKET_SOURCES ? source : destination);
}

void
packet_add_header6(struct packet_walk *w, ip6_t source, ip6_t destination)
{
	keep_source(w, source, 6);
	packet_add6(w, w->judge == PACKET_SOURCES ? source : destination);
}
