/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * burst: the fast half of the parser. Picks out of a burst the frames whose only judged address can
 * be read at a fixed place (Ethernet, at most one VLAN tag, IPv4 without options or IPv6 without
 * extension headers, TCP, ICMP, or UDP to and from ports that are no tunnel's) and leaves all
 * others to packet_parse(). Both give the same answer for what is picked.
 *
 * Threads: pure functions.
 * Units: addresses in HOST order.
 */
#pragma once

#include "packet/packet.h"

#define PACKET_BURST_MAX 64

/* More than fits: frames are written before it is known where they belong, sixteen at a time. */
#define PACKET_KEYS_SIZE (PACKET_BURST_MAX + 16)

struct packet_keys {
	unsigned int n4, n6, n_slow;
	uint8_t at4[PACKET_KEYS_SIZE]; /* position of ip4[i]'s frame in the burst */
	uint8_t at6[PACKET_KEYS_SIZE];
	uint8_t slow[PACKET_KEYS_SIZE]; /* positions of the frames for packet_parse() */
	uint32_t ip4[PACKET_KEYS_SIZE];
	ip6_t ip6[PACKET_KEYS_SIZE];
};

/* HOT: sort pkts[0..n) into `keys`; n <= PACKET_BURST_MAX. Each frame lands in exactly one of the
 * three lists; IPv4's is in the order of the burst, the others in any. IPv6 addresses may still turn
 * out to be carriers: the look-up tells. Cannot fail. */
void packet_burst_keys(struct rte_mbuf *const *pkts, unsigned int n, const struct limits *limits,
	enum packet_judge judge, struct packet_keys *keys);
