/* SPDX-License-Identifier: BSD-3-Clause */
/* Burst path: fixed offsets only, every read inside data_len of a single-segment frame. */
#include "packet/burst.h"

#define ICMP_SIZE 8
#define TCP_SIZE  20
#define UDP_SIZE  8

const uint8_t packet_transport4[256] = { [1] = ICMP_SIZE, [6] = TCP_SIZE, [17] = UDP_SIZE };
const uint8_t packet_transport6[256] = { [58] = ICMP_SIZE, [6] = TCP_SIZE, [17] = UDP_SIZE };

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
