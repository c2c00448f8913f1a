/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * offline: frames for the walker that did not come from a port: those of a capture, and those that
 * a 5-tuple stands for.
 *
 * Threads: pure functions.
 * Units: lengths are bytes; addresses and ports in host order.
 * Source: RFC 791, 8200, 768, 9293, 9260, 792, 4443, 4303; tcpdump.org's list of link types.
 */
#pragma once

#include "base/ip.h"
#include "packet/packet.h"

#include <rte_mbuf.h>
#include <stdint.h>

#define OFFLINE_SEGMENTS_MAX 8
#define OFFLINE_LENGTH_MAX   (256u << 10) /* libpcap's largest frame */

/* Wrap a frame, which is not copied, into a chain of segments: segments[0] is the frame. `length` is
 * at most OFFLINE_LENGTH_MAX. */
void offline_wrap(
	const uint8_t *data, uint32_t length, struct rte_mbuf segments[OFFLINE_SEGMENTS_MAX]);

/* What a LINKTYPE_ number of a capture is for the walker. Returns 0 or -EINVAL: not supported. */
int offline_link(int link_type, enum packet_link *out);

#define OFFLINE_TUPLE_MAX 96

/* The packet that a question is about. */
struct offline_tuple {
	struct ip_addr source, destination; /* of one version */
	uint8_t protocol;                   /* one of offline_protocol() */
	uint16_t source_port, destination_port;
};

/* "tcp", "udp", "sctp", "icmp" (over IPv6: ICMPv6) or "esp" to its number for an IP version.
 * Returns 0 or -EINVAL. */
int offline_protocol(const char *name, uint8_t version, uint8_t *out);

/* A frame without payload: Ethernet, IP, and a whole header of the protocol. Returns its length, or
 * -EINVAL: two versions, or a protocol that no name stands for. */
int offline_frame(const struct offline_tuple *tuple, uint8_t frame[OFFLINE_TUPLE_MAX]);
