/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * burst: the fast half of the parser. Picks out of a burst the frames whose only judged address can
 * be read at a fixed place (Ethernet, at most one VLAN tag, IPv4 without options or IPv6 without
 * extension headers, TCP, ICMP, or UDP to and from ports that are no tunnel's) and leaves all
 * others to packet_parse(). Both give the same answer for what is picked.
 *
 * Threads: pure functions.
 * Units: addresses in HOST order.
 *
 * Small loops, none of which branches on what plain traffic is a mix of: the first fetches the frames,
 * the second picks out IPv4, the third IPv6 from the rest. Inline, so that the caller can
 * fetch what it knows about an address while later frames are still parsed.
 */
#pragma once

#include "packet/packet.h"

#include <rte_common.h>
#include <rte_prefetch.h>
#include <string.h>

#define PACKET_BURST_MAX 64

struct packet_keys {
	unsigned int n4, n6, n_slow;
	/* One more than fits: a frame is written before it is known where it belongs. */
	uint8_t at4[PACKET_BURST_MAX + 1]; /* position of ip4[i]'s frame in the burst */
	uint8_t at6[PACKET_BURST_MAX + 1];
	uint8_t slow[PACKET_BURST_MAX + 1]; /* positions of the frames for packet_parse() */
	uint32_t ip4[PACKET_BURST_MAX + 1];
	ip6_t ip6[PACKET_BURST_MAX + 1];
};

/* HOT: called with each address as it is found. */
typedef void packet_found4_fn(const void *context, uint32_t ip);
typedef void packet_found6_fn(const void *context, ip6_t ip);

/* HOT: sort pkts[0..n) into `keys`; n <= PACKET_BURST_MAX. Each frame lands in exactly one of the
 * three lists. IPv6 addresses may still turn out to be carriers: the look-up tells. Cannot fail. */
void packet_burst_keys(struct rte_mbuf *const *pkts, unsigned int n, const struct limits *limits,
	enum packet_judge judge, struct packet_keys *keys);

/* What follows is packet_burst_keys() for callers that look up themselves. */

#define PACKET_ETHER_SIZE    14u
#define PACKET_VLAN_SIZE     4u
#define PACKET_IP4_SIZE      20u
#define PACKET_IP6_SIZE      40u
#define PACKET_PORTS_SIZE    4u
#define PACKET_UDP           17u
#define PACKET_STRIPPED_TAGS (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED)

/* Shorter frames than one with a tag and ports are the walker's: nothing is read behind their end. */
#define PACKET_PLAIN_MIN                                                                           \
	(PACKET_ETHER_SIZE + PACKET_VLAN_SIZE + PACKET_IP4_SIZE + PACKET_PORTS_SIZE)
#define PACKET_ROOM6_MIN (PACKET_IP6_SIZE + PACKET_PORTS_SIZE)

/* The four bytes that end in the first one of an IP header, and what they are: the ethertype, the
 * version, and IPv4's header length. The second byte of the header is not looked at. */
#define PACKET_KIND4      RTE_BE32(0x08004500)
#define PACKET_KIND4_MASK RTE_BE32(0xffffff00)
#define PACKET_KIND6      RTE_BE32(0x86dd6000)
#define PACKET_KIND6_MASK RTE_BE32(0xfffff000)
#define PACKET_FRAGMENT   RTE_BE16(0xbfff) /* all of the field but "don't fragment" */

/* By IP protocol: the least bytes of a transport header that leads nowhere, and above them the bits of a
 * port's kind that matter. A protocol that is not plain has more bytes than there are. */
#define PACKET_LEAST_MASK  0xffffffu
#define PACKET_PORTS_SHIFT 24
extern const uint32_t packet_transport4[256], packet_transport6[256];

static inline uint32_t
packet_load16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t
packet_load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t
packet_get16(const uint8_t *p)
{
	return __builtin_bswap16((uint16_t)packet_load16(p));
}

static inline uint32_t
packet_get32(const uint8_t *p)
{
	return __builtin_bswap32(packet_load32(p));
}

static inline ip6_t
packet_get128(const uint8_t *p)
{
	uint64_t half[2];

	memcpy(half, p, sizeof(half));
	return (ip6_t)__builtin_bswap64(half[0]) << 64 | __builtin_bswap64(half[1]);
}

/* What is wrong with `size` bytes of IP payload at `l4` (the ports can be read): 0 for a whole header
 * that is no tunnel's. Conditions are numbers here and below: nothing is skipped, so nothing is
 * mispredicted. */
static __rte_always_inline uint32_t
packet_is_no_transport(
	uint32_t transport, const uint8_t *l4, uint32_t size, const struct limits *limits)
{
	uint32_t tunnel =
		limits->wire_port[packet_load16(l4)] | limits->wire_port[packet_load16(l4 + 2)];

	return (tunnel & transport >> PACKET_PORTS_SHIFT) |
	       (size - (transport & PACKET_LEAST_MASK)) >> 31; /* less than the least */
}

/* `room` bytes are at `ip`, `kind` are the bytes of PACKET_KIND4. */
static __rte_always_inline unsigned int
packet_is_plain4(uint32_t kind, const uint8_t *ip, uint32_t room, const struct limits *limits)
{
	uint32_t total = packet_get16(ip + 2);
	uint32_t wrong = (kind & PACKET_KIND4_MASK) ^ PACKET_KIND4;

	wrong |= packet_load16(ip + 6) & PACKET_FRAGMENT;
	wrong |= (room - total) >> 31;
	wrong |= packet_is_no_transport(
		packet_transport4[ip[9]], ip + PACKET_IP4_SIZE, total - PACKET_IP4_SIZE, limits);
	return wrong == 0;
}

/* Addresses under ::/64 (mapped, compatible, unspecified, loopback) are the walker's. */
static __rte_always_inline unsigned int
packet_is_plain6(const uint8_t *ip, uint32_t room, const struct limits *limits, ip6_t judged)
{
	uint32_t size = packet_get16(ip + 4);
	uint32_t wrong = (room - PACKET_IP6_SIZE - size) >> 31;

	wrong |= (uint64_t)(judged >> 64) == 0;
	wrong |= packet_is_no_transport(
		packet_transport6[ip[6]], ip + PACKET_IP6_SIZE, size, limits);
	return wrong == 0;
}

/* The IP header of a frame is behind Ethernet's and at most one tag. */
static __rte_always_inline uint32_t
packet_ip_offset(const uint8_t *frame, uint32_t vlan)
{
	return PACKET_ETHER_SIZE +
	       (packet_load16(frame + PACKET_ETHER_SIZE - 2) == vlan ? PACKET_VLAN_SIZE : 0);
}

/* What only the walker can read: short, in pieces, or without a tag that the NIC took off. */
static __rte_always_inline bool
packet_is_unusual(const struct rte_mbuf *m)
{
	return m->data_len < PACKET_PLAIN_MIN || m->nb_segs != 1 ||
	       (m->ol_flags & PACKET_STRIPPED_TAGS) != 0;
}

/* Lists IPv4, and in keys->slow the frames that packet_parse() must take. Returns how many others there
 * are, listed in `rest`. */
static __rte_always_inline unsigned int
packet_pick4(struct rte_mbuf *const *pkts, unsigned int n, const struct limits *limits,
	uint32_t vlan, unsigned int judged_at, struct packet_keys *keys, uint8_t *rest,
	packet_found4_fn *found4, const void *context)
{
	unsigned int i, n4 = 0, n_rest = 0, n_slow = 0;

	for (i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(pkts[i], const uint8_t *));
	for (i = 0; i < n; i++) {
		const uint8_t *frame = rte_pktmbuf_mtod(pkts[i], const uint8_t *), *ip;
		unsigned int is4;
		uint32_t at;

		if (unlikely(packet_is_unusual(pkts[i]))) {
			keys->slow[n_slow++] = (uint8_t)i;
			continue;
		}
		at = packet_ip_offset(frame, vlan);
		ip = frame + at;
		is4 = packet_is_plain4(packet_load32(ip - 2), ip, pkts[i]->data_len - at, limits);
		keys->ip4[n4] = packet_get32(ip + judged_at);
		found4(context, keys->ip4[n4]);
		keys->at4[n4] = (uint8_t)i;
		n4 += is4;
		rest[n_rest] = (uint8_t)i;
		n_rest += is4 ^ 1;
	}
	keys->n4 = n4;
	keys->n_slow = n_slow;
	return n_rest;
}

/* Lists IPv6 among `rest`, and adds all others to keys->slow. */
static __rte_always_inline void
packet_pick6(struct rte_mbuf *const *pkts, const uint8_t *rest, unsigned int n_rest,
	const struct limits *limits, uint32_t vlan, unsigned int judged_at,
	struct packet_keys *keys, packet_found6_fn *found6, const void *context)
{
	unsigned int i, n6 = 0, n_slow = keys->n_slow;

	for (i = 0; i < n_rest; i++) {
		const uint8_t *frame = rte_pktmbuf_mtod(pkts[rest[i]], const uint8_t *);
		uint32_t at = packet_ip_offset(frame, vlan), room = pkts[rest[i]]->data_len - at;
		const uint8_t *ip = frame + at;
		unsigned int is6;
		ip6_t judged;

		keys->slow[n_slow] = rest[i];
		/* A walk costs more than a wrong guess about it. */
		if ((packet_load32(ip - 2) & PACKET_KIND6_MASK) != PACKET_KIND6 ||
			room < PACKET_ROOM6_MIN) {
			n_slow++;
			continue;
		}
		judged = packet_get128(ip + judged_at);
		is6 = packet_is_plain6(ip, room, limits, judged);
		keys->ip6[n6] = judged;
		found6(context, judged);
		keys->at6[n6] = rest[i];
		n6 += is6;
		n_slow += is6 ^ 1;
	}
	keys->n6 = n6;
	keys->n_slow = n_slow;
}

static __rte_always_inline void
packet_burst_keys_found(struct rte_mbuf *const *pkts, unsigned int n, const struct limits *limits,
	enum packet_judge judge, struct packet_keys *keys, packet_found4_fn *found4,
	packet_found6_fn *found6, const void *context)
{
	const uint32_t vlan = limits->n_tags_max > 0 ? RTE_BE16(0x8100) : 0x10000;
	unsigned int at4 = judge == PACKET_SOURCES ? 12 : 16,
		     at6 = judge == PACKET_SOURCES ? 8 : 24, n_rest;
	uint8_t rest[PACKET_BURST_MAX + 1];

	n_rest = packet_pick4(pkts, n, limits, vlan, at4, keys, rest, found4, context);
	packet_pick6(pkts, rest, n_rest, limits, vlan, at6, keys, found6, context);
}
