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
 * Small loops, none of which branches on what the traffic is a mix of: frames are sorted by
 * ethertype first, then each kind is checked at once. Inline, so that the caller can fetch what it
 * knows about an address while later frames are still parsed.
 */
#pragma once

#include "packet/packet.h"

#include <rte_common.h>
#include <rte_prefetch.h>
#include <string.h>

#define PACKET_BURST_MAX 64

struct packet_keys {
	unsigned int n4, n6, n_slow;
	uint8_t at4[PACKET_BURST_MAX]; /* position of ip4[i]'s frame in the burst */
	uint8_t at6[PACKET_BURST_MAX];
	uint8_t slow[PACKET_BURST_MAX]; /* positions of the frames for packet_parse() */
	uint32_t ip4[PACKET_BURST_MAX];
	ip6_t ip6[PACKET_BURST_MAX];
};

/* HOT: called with each address as it is found. */
typedef void packet_found4_fn(const void *context, uint32_t ip);
typedef void packet_found6_fn(const void *context, ip6_t ip);

/* HOT: sort pkts[0..n) into `keys`; n <= PACKET_BURST_MAX. Each frame lands in exactly one of the
 * three lists. IPv6 addresses may still turn out to be carriers: the look-up tells. Cannot fail. */
void packet_burst_keys(struct rte_mbuf *const *pkts, unsigned int n, const struct limits *limits,
	enum packet_judge judge, struct packet_keys *keys);

/* What follows is packet_burst_keys() for callers that look up themselves. */

#define PACKET_PREFETCH_AHEAD 8u
#define PACKET_ETHER_SIZE     14u
#define PACKET_VLAN_SIZE      4u
#define PACKET_IP4_SIZE       20u
#define PACKET_IP6_SIZE       40u
#define PACKET_PORTS_SIZE     4u
#define PACKET_DONT_FRAGMENT  0x4000u
#define PACKET_STRIPPED_TAGS  (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED)

/* Shorter frames than one with a tag and ports are the walker's: nothing is read behind their end. */
#define PACKET_PLAIN4_MIN                                                                          \
	(PACKET_ETHER_SIZE + PACKET_VLAN_SIZE + PACKET_IP4_SIZE + PACKET_PORTS_SIZE)
#define PACKET_PLAIN6_MIN                                                                          \
	(PACKET_ETHER_SIZE + PACKET_VLAN_SIZE + PACKET_IP6_SIZE + PACKET_PORTS_SIZE)

/* A frame that may be plain, by its ethertype. */
struct packet_candidate {
	const uint8_t *ip;
	uint16_t room; /* bytes from there to the end of the frame */
	uint8_t at;
};

/* Least bytes of a transport header that leads nowhere, by IP protocol; 0 for all others. */
extern const uint8_t packet_transport4[256], packet_transport6[256];

static inline uint32_t
packet_load16(const uint8_t *p)
{
	uint16_t v;

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
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap32(v);
}

static inline ip6_t
packet_get128(const uint8_t *p)
{
	uint64_t half[2];

	memcpy(half, p, sizeof(half));
	return (ip6_t)__builtin_bswap64(half[0]) << 64 | __builtin_bswap64(half[1]);
}

/* `size` bytes of IP payload at `l4` (the ports can be read) are a whole header that is no tunnel's.
 * Conditions are numbers here and below: nothing is skipped, so nothing is mispredicted. */
static __rte_always_inline unsigned int
packet_is_plain_transport(const uint8_t *least, uint8_t protocol, const uint8_t *l4, int size,
	const struct limits *limits)
{
	unsigned int tunnel = limits->port[packet_get16(l4)] | limits->port[packet_get16(l4 + 2)];
	unsigned int is_plain = least[protocol] != 0;

	is_plain &= size >= least[protocol];
	is_plain &= (unsigned int)(protocol != 17) | (unsigned int)(tunnel == TUNNEL_PORT_NONE);
	return is_plain;
}

static __rte_always_inline unsigned int
packet_is_plain4(const struct packet_candidate *c, const struct limits *limits)
{
	const uint8_t *ip = c->ip;
	uint32_t total = packet_get16(ip + 2);
	unsigned int is_plain = ip[0] == 0x45;

	is_plain &= (packet_get16(ip + 6) & ~PACKET_DONT_FRAGMENT) == 0;
	is_plain &= total <= c->room;
	is_plain &= packet_is_plain_transport(packet_transport4, ip[9], ip + PACKET_IP4_SIZE,
		(int)total - (int)PACKET_IP4_SIZE, limits);
	return is_plain;
}

/* Addresses under ::/64 (mapped, compatible, unspecified, loopback) are the walker's. */
static __rte_always_inline unsigned int
packet_is_plain6(const struct packet_candidate *c, const struct limits *limits, ip6_t judged)
{
	const uint8_t *ip = c->ip;
	uint32_t size = packet_get16(ip + 4);
	unsigned int is_plain = (ip[0] & 0xf0) == 0x60;

	is_plain &= size + PACKET_IP6_SIZE <= c->room;
	is_plain &= (uint64_t)(judged >> 64) != 0;
	is_plain &= packet_is_plain_transport(
		packet_transport6, ip[6], ip + PACKET_IP6_SIZE, (int)size, limits);
	return is_plain;
}

static __rte_always_inline void
packet_sort_by_type(struct rte_mbuf *const *pkts, unsigned int n, const struct limits *limits,
	struct packet_keys *keys, struct packet_candidate *c4, struct packet_candidate *c6)
{
	const uint32_t vlan = limits->n_tags_max > 0 ? RTE_BE16(0x8100) : 0x10000;
	unsigned int i, n4 = 0, n6 = 0, n_slow = 0;

	for (i = 0; i < PACKET_PREFETCH_AHEAD && i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(pkts[i], const void *));
	for (i = 0; i < n; i++) {
		const struct rte_mbuf *m = pkts[i];
		const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
		const uint8_t *ip;
		uint32_t tag, type;
		uint16_t room;
		unsigned int is4, is6;

		rte_prefetch0(rte_pktmbuf_mtod(
			pkts[RTE_MIN(i + PACKET_PREFETCH_AHEAD, n - 1)], const void *));
		if (unlikely(m->data_len < PACKET_PLAIN4_MIN || m->nb_segs != 1 ||
			     (m->ol_flags & PACKET_STRIPPED_TAGS) != 0)) {
			keys->slow[n_slow++] = (uint8_t)i;
			continue;
		}
		tag = packet_load16(frame + 12) == vlan ? PACKET_VLAN_SIZE : 0;
		type = packet_load16(frame + 12 + tag);
		is4 = type == RTE_BE16(0x0800);
		is6 = type == RTE_BE16(0x86dd);
		is6 &= m->data_len >= PACKET_PLAIN6_MIN;
		ip = frame + PACKET_ETHER_SIZE + tag;
		room = (uint16_t)(m->data_len - PACKET_ETHER_SIZE - tag);
		/* Field by field: a copy of one just written waits for all of its parts. */
		c4[n4].ip = c6[n6].ip = ip;
		c4[n4].room = c6[n6].room = room;
		c4[n4].at = c6[n6].at = (uint8_t)i;
		keys->slow[n_slow] = (uint8_t)i;
		n4 += is4;
		n6 += is6;
		n_slow += !(is4 | is6);
	}
	keys->n4 = n4;
	keys->n6 = n6;
	keys->n_slow = n_slow;
}

static __rte_always_inline void
packet_burst_keys_found(struct rte_mbuf *const *pkts, unsigned int n, const struct limits *limits,
	enum packet_judge judge, struct packet_keys *keys, packet_found4_fn *found4,
	packet_found6_fn *found6, const void *context)
{
	/* One more than fits: the last frame is written before it is known where it belongs. */
	struct packet_candidate c4[PACKET_BURST_MAX + 1], c6[PACKET_BURST_MAX + 1];
	unsigned int i, n4 = 0, n6 = 0, n_slow, at4, at6;

	packet_sort_by_type(pkts, n, limits, keys, c4, c6);
	at4 = judge == PACKET_SOURCES ? 12 : 16;
	at6 = judge == PACKET_SOURCES ? 8 : 24;
	n_slow = keys->n_slow;
	for (i = 0; i < keys->n4; i++) {
		unsigned int is_plain = packet_is_plain4(&c4[i], limits);

		keys->ip4[n4] = packet_get32(c4[i].ip + at4);
		found4(context, keys->ip4[n4]);
		keys->at4[n4] = c4[i].at;
		n4 += is_plain;
		if (unlikely(!is_plain))
			keys->slow[n_slow++] = c4[i].at;
	}
	for (i = 0; i < keys->n6; i++) {
		ip6_t judged = packet_get128(c6[i].ip + at6);
		unsigned int is_plain = packet_is_plain6(&c6[i], limits, judged);

		keys->ip6[n6] = judged;
		found6(context, judged);
		keys->at6[n6] = c6[i].at;
		n6 += is_plain;
		if (unlikely(!is_plain))
			keys->slow[n_slow++] = c6[i].at;
	}
	keys->n4 = n4;
	keys->n6 = n6;
	keys->n_slow = n_slow;
}
