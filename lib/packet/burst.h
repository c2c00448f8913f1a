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
 * Small loops: the first fetches the frames, the second and the third take plain IPv4 and then IPv6 as
 * long as there is nothing else. Only what is left, of a burst that is mixed, is picked apart by two
 * loops that do not branch on what plain traffic is a mix of: a mix costs a wrong guess per run, not
 * per frame. Inline, so that the caller can fetch what it knows about an address while later frames are
 * still parsed.
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

/* What a burst is picked from, and by what. */
struct packet_pick {
	struct rte_mbuf *const *pkts;
	unsigned int n;
	const struct limits *limits;
	uint32_t vlan;         /* the ethertype of a tag, or none */
	unsigned int at4, at6; /* of the judged address in its header */
};

/* Whether frame i is plain IPv4; *ip4 is the judged address then. Not to be asked of unusual ones. */
static __rte_always_inline unsigned int
packet_try4(const struct packet_pick *p, unsigned int i, uint32_t *ip4)
{
	const uint8_t *frame = rte_pktmbuf_mtod(p->pkts[i], const uint8_t *);
	uint32_t at = packet_ip_offset(frame, p->vlan);
	const uint8_t *ip = frame + at;

	*ip4 = packet_get32(ip + p->at4);
	return packet_is_plain4(packet_load32(ip - 2), ip, p->pkts[i]->data_len - at, p->limits);
}

/* The same for IPv6. */
static __rte_always_inline unsigned int
packet_try6(const struct packet_pick *p, unsigned int i, ip6_t *ip6)
{
	const uint8_t *frame = rte_pktmbuf_mtod(p->pkts[i], const uint8_t *);
	uint32_t at = packet_ip_offset(frame, p->vlan), room = p->pkts[i]->data_len - at;
	const uint8_t *ip = frame + at;

	if ((packet_load32(ip - 2) & PACKET_KIND6_MASK) != PACKET_KIND6 || room < PACKET_ROOM6_MIN)
		return 0;
	*ip6 = packet_get128(ip + p->at6);
	return packet_is_plain6(ip, room, p->limits, *ip6);
}

/* Lists plain IPv4 up to the first frame that is something else. Returns its position. */
static __rte_always_inline unsigned int
packet_run4(const struct packet_pick *p, struct packet_keys *keys, packet_found4_fn *found4,
	const void *context)
{
	unsigned int i;

	for (i = 0; i < p->n; i++) {
		if (packet_is_unusual(p->pkts[i]) || !packet_try4(p, i, &keys->ip4[i]))
			break;
		found4(context, keys->ip4[i]);
		keys->at4[i] = (uint8_t)i;
	}
	keys->n4 = i;
	return i;
}

/* The same for IPv6, from frame `first` on. */
static __rte_always_inline unsigned int
packet_run6(const struct packet_pick *p, unsigned int first, struct packet_keys *keys,
	packet_found6_fn *found6, const void *context)
{
	unsigned int i, n6 = 0;

	for (i = first; i < p->n; i++, n6++) {
		if (packet_is_unusual(p->pkts[i]) || !packet_try6(p, i, &keys->ip6[n6]))
			break;
		found6(context, keys->ip6[n6]);
		keys->at6[n6] = (uint8_t)i;
	}
	keys->n6 = n6;
	return i;
}

/* Lists IPv4 from frame `first` on, and in keys->slow the frames that packet_parse() must take. Returns
 * how many others there are, listed in `rest`. */
static __rte_always_inline unsigned int
packet_pick4(const struct packet_pick *p, unsigned int first, struct packet_keys *keys,
	uint8_t *rest, packet_found4_fn *found4, const void *context)
{
	unsigned int i, n4 = keys->n4, n_rest = 0, n_slow = 0, is4;

	for (i = first; i < p->n; i++) {
		if (unlikely(packet_is_unusual(p->pkts[i]))) {
			keys->slow[n_slow++] = (uint8_t)i;
			continue;
		}
		is4 = packet_try4(p, i, &keys->ip4[n4]);
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

/* Lists IPv6 among `rest`, and adds all others to keys->slow. A walk costs more than a wrong guess about
 * it. */
static __rte_always_inline void
packet_pick6(const struct packet_pick *p, const uint8_t *rest, unsigned int n_rest,
	struct packet_keys *keys, packet_found6_fn *found6, const void *context)
{
	unsigned int i, n6 = keys->n6, n_slow = keys->n_slow, is6;

	for (i = 0; i < n_rest; i++) {
		is6 = packet_try6(p, rest[i], &keys->ip6[n6]);
		if (is6 != 0)
			found6(context, keys->ip6[n6]);
		keys->at6[n6] = rest[i];
		n6 += is6;
		keys->slow[n_slow] = rest[i];
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
	const struct packet_pick pick = { pkts, n, limits,
		.vlan = limits->n_tags_max > 0 ? RTE_BE16(0x8100) : 0x10000,
		.at4 = judge == PACKET_SOURCES ? 12 : 16, .at6 = judge == PACKET_SOURCES ? 8 : 24 };
	uint8_t rest[PACKET_BURST_MAX + 1];
	unsigned int i, n_rest;

	for (i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(pkts[i], const uint8_t *));
	keys->n6 = keys->n_slow = 0;
	i = packet_run4(&pick, keys, found4, context);
	if (i < n)
		i = packet_run6(&pick, i, keys, found6, context);
	if (i == n)
		return;
	n_rest = packet_pick4(&pick, i, keys, rest, found4, context);
	packet_pick6(&pick, rest, n_rest, keys, found6, context);
}
