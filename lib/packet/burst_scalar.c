/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Plain frames, one at a time. Small loops: the first fetches the frames, the second and the third take
 * plain IPv4 and then IPv6 as long as there is nothing else. Only what is left, of a burst that is mixed,
 * is picked apart by two loops that do not branch on what plain traffic is a mix of: a mix costs a wrong
 * guess per run, not per frame.
 */
#include "packet/burst_impl.h"

#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_prefetch.h>
#include <string.h>

/* By IP protocol: the least bytes of a transport header that leads nowhere, and above them the bits of a
 * port's kind that matter. A protocol that is not plain has more bytes than there are. */
#define LEAST_MASK          0xffffffu
#define PORTS_SHIFT         24
#define ICMP                (PACKET_ICMP_MIN)
#define TCP                 (PACKET_TCP_MIN)
#define UDP                 (PACKET_UDP_MIN | 0xffu << PORTS_SHIFT) /* either port may be a tunnel's */
#define NEVER               LEAST_MASK
#define NOT(protocol, last) [protocol... last] = NEVER

static const uint32_t transport4[256] = { NEVER, ICMP, NOT(2, 5), TCP, NOT(7, 16), UDP,
	NOT(18, 255) };
static const uint32_t transport6[256] = { NOT(0, 5), TCP, NOT(7, 16), UDP, NOT(18, 57), ICMP,
	NOT(59, 255) };

static inline uint32_t
load16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t
load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t
get16(const uint8_t *p)
{
	return __builtin_bswap16((uint16_t)load16(p));
}

static inline uint32_t
get32(const uint8_t *p)
{
	return __builtin_bswap32(load32(p));
}

static inline ip6_t
get128(const uint8_t *p)
{
	uint64_t half[2];

	memcpy(half, p, sizeof(half));
	return (ip6_t)__builtin_bswap64(half[0]) << 64 | __builtin_bswap64(half[1]);
}

/* What is wrong with `size` bytes of IP payload at `l4` (the ports can be read): 0 for a whole header
 * that is no tunnel's. Conditions are numbers here and below: nothing is skipped, so nothing is
 * mispredicted. */
static __rte_always_inline uint32_t
is_no_transport(uint32_t transport, const uint8_t *l4, uint32_t size, const struct limits *limits)
{
	uint32_t tunnel = limits->wire_port[load16(l4)] | limits->wire_port[load16(l4 + 2)];

	return (tunnel & transport >> PORTS_SHIFT) |
	       (size - (transport & LEAST_MASK)) >> 31; /* less than the least */
}

/* `room` bytes are at `ip`, `kind` are the bytes of PACKET_KIND4. */
static __rte_always_inline unsigned int
is_plain4(uint32_t kind, const uint8_t *ip, uint32_t room, const struct limits *limits)
{
	uint32_t total = get16(ip + 2);
	uint32_t wrong = (kind & PACKET_KIND4_MASK) ^ PACKET_KIND4;

	wrong |= load16(ip + 6) & PACKET_FRAGMENT;
	wrong |= (room - total) >> 31;
	wrong |= is_no_transport(
		transport4[ip[9]], ip + PACKET_IP4_SIZE, total - PACKET_IP4_SIZE, limits);
	return wrong == 0;
}

/* Addresses under ::/64 (mapped, compatible, unspecified, loopback) are the walker's. */
static __rte_always_inline unsigned int
is_plain6(const uint8_t *ip, uint32_t room, const struct limits *limits, ip6_t judged)
{
	uint32_t size = get16(ip + 4);
	uint32_t wrong = (room - PACKET_IP6_SIZE - size) >> 31;

	wrong |= (uint64_t)(judged >> 64) == 0;
	wrong |= is_no_transport(transport6[ip[6]], ip + PACKET_IP6_SIZE, size, limits);
	return wrong == 0;
}

/* The IP header of a frame is behind Ethernet's and at most one tag. */
static __rte_always_inline uint32_t
ip_offset(const uint8_t *frame, uint32_t vlan)
{
	return PACKET_ETHER_SIZE +
	       (load16(frame + PACKET_ETHER_SIZE - 2) == vlan ? PACKET_VLAN_SIZE : 0);
}

/* What only the walker can read: short, in pieces, or without a tag that the NIC took off. */
static __rte_always_inline bool
is_unusual(const struct rte_mbuf *m)
{
	return m->data_len < PACKET_PLAIN_MIN || m->nb_segs != 1 ||
	       (m->ol_flags & PACKET_STRIPPED_TAGS) != 0;
}

/* Whether frame i is plain IPv4; *ip4 is the judged address then. Not to be asked of unusual ones. */
static __rte_always_inline unsigned int
try4(const struct packet_pick *p, unsigned int i, uint32_t *ip4)
{
	const uint8_t *frame = rte_pktmbuf_mtod(p->pkts[i], const uint8_t *);
	uint32_t at = ip_offset(frame, p->vlan);
	const uint8_t *ip = frame + at;

	*ip4 = get32(ip + p->at4);
	return is_plain4(load32(ip - 2), ip, p->pkts[i]->data_len - at, p->limits);
}

/* The same for IPv6. */
static __rte_always_inline unsigned int
try6(const struct packet_pick *p, unsigned int i, ip6_t *ip6)
{
	const uint8_t *frame = rte_pktmbuf_mtod(p->pkts[i], const uint8_t *);
	uint32_t at = ip_offset(frame, p->vlan), room = p->pkts[i]->data_len - at;
	const uint8_t *ip = frame + at;

	if ((load32(ip - 2) & PACKET_KIND6_MASK) != PACKET_KIND6 || room < PACKET_ROOM6_MIN)
		return 0;
	*ip6 = get128(ip + p->at6);
	return is_plain6(ip, room, p->limits, *ip6);
}

/* Lists plain IPv4 up to the first frame that is something else. Returns its position. */
static __rte_always_inline unsigned int
run4(const struct packet_pick *p, struct packet_keys *keys)
{
	unsigned int i;

	for (i = 0; i < p->n; i++) {
		if (is_unusual(p->pkts[i]) || !try4(p, i, &keys->ip4[i]))
			break;
		keys->at4[i] = (uint8_t)i;
	}
	keys->n4 = i;
	return i;
}

/* The same for IPv6, from frame `first` on. */
static __rte_always_inline unsigned int
run6(const struct packet_pick *p, unsigned int first, struct packet_keys *keys)
{
	unsigned int i, n6 = 0;

	for (i = first; i < p->n; i++, n6++) {
		if (is_unusual(p->pkts[i]) || !try6(p, i, &keys->ip6[n6]))
			break;
		keys->at6[n6] = (uint8_t)i;
	}
	keys->n6 = n6;
	return i;
}

/* Lists IPv4 from frame `first` on, and in keys->slow the frames that packet_parse() must take. Returns
 * how many others there are, listed in `rest`. */
static __rte_always_inline unsigned int
pick4(const struct packet_pick *p, unsigned int first, struct packet_keys *keys, uint8_t *rest)
{
	unsigned int i, n4 = keys->n4, n_rest = 0, n_slow = 0, is4;

	for (i = first; i < p->n; i++) {
		if (unlikely(is_unusual(p->pkts[i]))) {
			keys->slow[n_slow++] = (uint8_t)i;
			continue;
		}
		is4 = try4(p, i, &keys->ip4[n4]);
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
pick6(const struct packet_pick *p, const uint8_t *rest, unsigned int n_rest,
	struct packet_keys *keys)
{
	unsigned int i, n6 = keys->n6, n_slow = keys->n_slow, is6;

	for (i = 0; i < n_rest; i++) {
		is6 = try6(p, rest[i], &keys->ip6[n6]);
		keys->at6[n6] = rest[i];
		n6 += is6;
		keys->slow[n_slow] = rest[i];
		n_slow += is6 ^ 1;
	}
	keys->n6 = n6;
	keys->n_slow = n_slow;
}

void
packet_pick_scalar(const struct packet_pick *p, struct packet_keys *keys)
{
	uint8_t rest[PACKET_BURST_MAX];
	unsigned int i, n_rest;

	for (i = 0; i < p->n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(p->pkts[i], const uint8_t *));
	i = run4(p, keys);
	if (i < p->n)
		i = run6(p, i, keys);
	if (i == p->n)
		return;
	n_rest = pick4(p, i, keys, rest);
	pick6(p, rest, n_rest, keys);
}
