/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames from elsewhere. What is built here has the shortest headers that the walker takes for
 * whole; checksums stay zero, since nothing verifies them. */
#include "packet/offline.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define SEGMENT_SIZE  UINT16_MAX
#define ETHERNET_SIZE 14u
#define IP4_SIZE      20u
#define IP6_SIZE      40u
#define HOPS          64
#define N(array)      (sizeof(array) / sizeof((array)[0]))

/* LINKTYPE_ numbers. */
#define LINKTYPE_NULL     0
#define LINKTYPE_ETHERNET 1
#define LINKTYPE_RAW      101
#define LINKTYPE_LOOP     108
#define LINKTYPE_SLL      113
#define LINKTYPE_IPV4     228
#define LINKTYPE_IPV6     229
#define LINKTYPE_SLL2     276

/* An mbuf segment holds less than 64 KiB. */
void
offline_wrap(const uint8_t *data, uint32_t length, struct rte_mbuf segments[OFFLINE_SEGMENTS_MAX])
{
	uint32_t left = length, at = 0;
	unsigned int i = 0;

	memset(segments, 0, sizeof(*segments) * OFFLINE_SEGMENTS_MAX);
	do {
		uint32_t part = left < SEGMENT_SIZE ? left : SEGMENT_SIZE;
		union {
			const uint8_t *from;
			void *to;
		} where = { .from = data + at };

		segments[i].buf_addr = where.to;
		segments[i].data_len = segments[i].buf_len = (uint16_t)part;
		if (i > 0)
			segments[i - 1].next = &segments[i];
		at += part;
		left -= part;
		i++;
	} while (left > 0 && i < OFFLINE_SEGMENTS_MAX);
	segments[0].pkt_len = at;
	segments[0].nb_segs = (uint16_t)i;
}

int
offline_link(int link_type, enum packet_link *out)
{
	static const struct {
		int type;
		enum packet_link link;
	} links[] = {
		{ LINKTYPE_ETHERNET, PACKET_LINK_ETHERNET },
		{ LINKTYPE_RAW, PACKET_LINK_IP },
		{ LINKTYPE_IPV4, PACKET_LINK_IP },
		{ LINKTYPE_IPV6, PACKET_LINK_IP },
		{ LINKTYPE_SLL, PACKET_LINK_SLL },
		{ LINKTYPE_SLL2, PACKET_LINK_SLL2 },
		{ LINKTYPE_NULL, PACKET_LINK_NULL },
		{ LINKTYPE_LOOP, PACKET_LINK_NULL },
	};
	size_t i;

	for (i = 0; i < N(links); i++)
		if (links[i].type == link_type) {
			*out = links[i].link;
			return 0;
		}
	return -EINVAL;
}

/* Protocols that can be asked about, and the size of their header. */
static const struct protocol {
	const char *name;
	uint8_t number4, number6;
	uint8_t size;
	bool has_ports;
} protocols[] = {
	{ "tcp", IPPROTO_TCP, IPPROTO_TCP, 20, true },
	{ "udp", IPPROTO_UDP, IPPROTO_UDP, 8, true },
	{ "sctp", IPPROTO_SCTP, IPPROTO_SCTP, 12, true },
	{ "icmp", IPPROTO_ICMP, IPPROTO_ICMPV6, 8, false },
	{ "esp", IPPROTO_ESP, IPPROTO_ESP, 8, false },
};

int
offline_protocol(const char *name, uint8_t version, uint8_t *out)
{
	size_t i;

	for (i = 0; i < N(protocols); i++)
		if (strcmp(protocols[i].name, name) == 0) {
			*out = version == 4 ? protocols[i].number4 : protocols[i].number6;
			return 0;
		}
	return -EINVAL;
}

static const struct protocol *
protocol_of(const struct offline_tuple *t)
{
	size_t i;

	for (i = 0; i < N(protocols); i++)
		if (t->protocol ==
			(t->destination.version == 4 ? protocols[i].number4 : protocols[i].number6))
			return &protocols[i];
	return NULL;
}

static void
put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void
put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

static unsigned int
put_ip4(uint8_t *ip, const struct offline_tuple *t, unsigned int payload)
{
	ip[0] = 4 << 4 | IP4_SIZE / 4;
	put16(ip + 2, IP4_SIZE + payload);
	ip[8] = HOPS;
	ip[9] = t->protocol;
	put32(ip + 12, (uint32_t)t->source.value);
	put32(ip + 16, (uint32_t)t->destination.value);
	return IP4_SIZE;
}

static unsigned int
put_ip6(uint8_t *ip, const struct offline_tuple *t, unsigned int payload)
{
	ip[0] = 6 << 4;
	put16(ip + 4, payload);
	ip[6] = t->protocol;
	ip[7] = HOPS;
	ip6_to_bytes(t->source.value, ip + 8);
	ip6_to_bytes(t->destination.value, ip + 24);
	return IP6_SIZE;
}

int
offline_frame(const struct offline_tuple *t, uint8_t frame[OFFLINE_TUPLE_MAX])
{
	const struct protocol *p = protocol_of(t);
	bool is_v4 = t->destination.version == 4;
	unsigned int at = ETHERNET_SIZE;

	if (p == NULL || t->source.version != t->destination.version)
		return -EINVAL;
	memset(frame, 0, OFFLINE_TUPLE_MAX);
	frame[0] = frame[6] = 2; /* locally administered */
	put16(frame + 12, is_v4 ? 0x0800 : 0x86dd);
	at += is_v4 ? put_ip4(frame + at, t, p->size) : put_ip6(frame + at, t, p->size);
	if (p->has_ports) {
		put16(frame + at, t->source_port);
		put16(frame + at + 2, t->destination_port);
	}
	if (p->number4 == IPPROTO_UDP)
		put16(frame + at + 4, p->size);
	if (p->number4 == IPPROTO_TCP)
		frame[at + 12] = 5 << 4; /* header length, in words */
	return (int)(at + p->size);
}
