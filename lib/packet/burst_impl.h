/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * burst_impl: what packet_burst_keys() is made of: what a plain frame looks like, and one function per
 * instruction set that asks.
 */
#pragma once

#include "packet/burst.h"

#include <rte_byteorder.h>
#include <rte_mbuf_core.h>

#define PACKET_ETHER_SIZE    14u
#define PACKET_VLAN_SIZE     4u
#define PACKET_IP4_SIZE      20u
#define PACKET_IP6_SIZE      40u
#define PACKET_PORTS_SIZE    4u
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

/* Least bytes of a transport header that leads nowhere. */
#define PACKET_ICMP_MIN 8u
#define PACKET_TCP_MIN  20u
#define PACKET_UDP_MIN  8u

/* What a burst is picked from, and by what. */
struct packet_pick {
	struct rte_mbuf *const *pkts;
	unsigned int n;
	const struct limits *limits;
	uint32_t vlan;         /* the ethertype of a tag, or none */
	unsigned int at4, at6; /* of the judged address in its header */
};

/* Sort the frames into `keys`, which is empty. */
typedef void packet_pick_fn(const struct packet_pick *pick, struct packet_keys *keys);

packet_pick_fn packet_pick_scalar;
packet_pick_fn packet_pick_avx512; /* needs limits->slot_factor */
