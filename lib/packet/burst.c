/* SPDX-License-Identifier: BSD-3-Clause */
/* Burst path: fixed offsets only, every read inside data_len of a single-segment frame. */
#include "packet/burst.h"

#include <rte_prefetch.h>
#include <string.h>

#define ETHER_SIZE     14u
#define VLAN_SIZE      4u
#define IP4_SIZE       20u
#define IP6_SIZE       40u
#define TCP_SIZE       20u
#define UDP_SIZE       8u
#define ICMP_SIZE      8u
#define PREFETCH_AHEAD 4u

#define IP4_DONT_FRAGMENT 0x4000u
#define STRIPPED_TAGS     (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED)

static inline uint32_t
be16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap16(v);
}

static inline uint32_t
be32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap32(v);
}

/* A transport header that is whole and leads to no tunnel; `size` bytes of IP payload are there. */
static inline bool
is_plain_transport(uint8_t protocol, uint8_t icmp, const uint8_t *l4, uint32_t size,
	const struct limits *limits)
{
	if (protocol == 6)
		return size >= TCP_SIZE;
	if (protocol == 17)
		return size >= UDP_SIZE && limits->port[be16(l4)] == TUNNEL_PORT_NONE &&
		       limits->port[be16(l4 + 2)] == TUNNEL_PORT_NONE;
	return protocol == icmp && size >= ICMP_SIZE;
}

/* `room` bytes of the frame are there from `ip` on. */
static inline bool
is_plain_ip4(const uint8_t *ip, uint32_t room, const struct limits *limits)
{
	uint32_t total;

	if (room < IP4_SIZE || ip[0] != 0x45 || (be16(ip + 6) & ~IP4_DONT_FRAGMENT) != 0)
		return false;
	total = be16(ip + 2);
	return total >= IP4_SIZE && total <= room &&
	       is_plain_transport(ip[9], 1, ip + IP4_SIZE, total - IP4_SIZE, limits);
}

/* Addresses under ::/64 (mapped, compatible, unspecified, loopback) are the walker's. */
static inline bool
is_plain_ip6(const uint8_t *ip, uint32_t room, const struct limits *limits, ip6_t judged)
{
	uint32_t size;

	if (room < IP6_SIZE || (ip[0] >> 4) != 6 || (uint64_t)(judged >> 64) == 0)
		return false;
	size = be16(ip + 4);
	return size <= room - IP6_SIZE &&
	       is_plain_transport(ip[6], 58, ip + IP6_SIZE, size, limits);
}

/* 4, 6, or 0 for the walker; *ip is where the IP header begins. */
static inline unsigned int
plain_version(const struct rte_mbuf *m, const struct limits *limits, uint32_t *offset)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	uint32_t type;

	*offset = ETHER_SIZE;
	if (m->nb_segs != 1 || m->data_len < ETHER_SIZE + IP4_SIZE || (m->ol_flags & STRIPPED_TAGS))
		return 0;
	type = be16(frame + 12);
	if (type == 0x8100 && limits->n_tags_max > 0) {
		type = be16(frame + 16);
		*offset += VLAN_SIZE;
	}
	return type == 0x0800 ? 4 : type == 0x86dd ? 6 : 0;
}

static inline void
sort_frame(const struct rte_mbuf *m, uint8_t at, const struct limits *limits,
	enum packet_judge judge, struct packet_keys *keys)
{
	uint32_t offset, room;
	unsigned int version = plain_version(m, limits, &offset);
	const uint8_t *ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, offset);

	room = m->data_len - offset;
	if (version == 4 && is_plain_ip4(ip, room, limits)) {
		keys->ip4[keys->n4] = be32(ip + (judge == PACKET_SOURCES ? 12 : 16));
		keys->at4[keys->n4++] = at;
		return;
	}
	if (version == 6 && room >= IP6_SIZE) {
		ip6_t judged = ip6_from_bytes(ip + (judge == PACKET_SOURCES ? 8 : 24));

		if (is_plain_ip6(ip, room, limits, judged)) {
			keys->ip6[keys->n6] = judged;
			keys->at6[keys->n6++] = at;
			return;
		}
	}
	keys->slow[keys->n_slow++] = at;
}

void
packet_burst_keys(struct rte_mbuf *const *pkts, unsigned int n, const struct limits *limits,
	enum packet_judge judge, struct packet_keys *keys)
{
	unsigned int i;

	keys->n4 = keys->n6 = keys->n_slow = 0;
	for (i = 0; i < PREFETCH_AHEAD && i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(pkts[i], const void *));
	for (i = 0; i < n; i++) {
		rte_prefetch0(rte_pktmbuf_mtod(
			pkts[i + PREFETCH_AHEAD < n ? i + PREFETCH_AHEAD : n - 1], const void *));
		sort_frame(pkts[i], (uint8_t)i, limits, judge, keys);
	}
}
