/* SPDX-License-Identifier: BSD-3-Clause */
/* Burst path: fixed offsets only, every read inside data_len of a single-segment frame. */
#include "packet/burst.h"

#define ICMP                8u
#define TCP                 20u
#define UDP                 (8u | 0xffu << PACKET_PORTS_SHIFT) /* either port may be a tunnel's */
#define NEVER               PACKET_LEAST_MASK
#define NOT(protocol, last) [protocol... last] = NEVER

const uint32_t packet_transport4[256] = { NEVER, ICMP, NOT(2, 5), TCP, NOT(7, 16), UDP,
	NOT(18, 255) };
const uint32_t packet_transport6[256] = { NOT(0, 5), TCP, NOT(7, 16), UDP, NOT(18, 57), ICMP,
	NOT(59, 255) };

static void
found4(const void *context, uint32_t ip)
{
}

static void
found6(const void *context, ip6_t ip)
{
}

void
packet_burst_keys(struct rte_mbuf *const *pkts, unsigned int n, const struct limits *limits,
	enum packet_judge judge, struct packet_keys *keys)
{
	packet_burst_keys_found(pkts, n, limits, judge, keys, found4, found6, NULL);
}
