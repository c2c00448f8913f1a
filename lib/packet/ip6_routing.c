/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IPv6 routing headers. With Segments Left 0 the header is done and skipped, whatever its type
 * (RFC 8200 section 4.4). Else every segment that it lists is a destination: SRH (RFC 8754), RPL
 * (RFC 6554), type 2 (RFC 6275). Type 0 (RFC 5095) and types that nobody knows are refused.
 */
#include "packet_impl.h"

#define ROUTING_SIZE 8u /* in front of the segments */
#define SEGMENT_SIZE 16u
#define TYPE_MOBILE  2u
#define TYPE_RPL     3u
#define TYPE_SEGMENT 4u

/* The segment `skip` bytes behind w->offset, of which the first `n_elided` bytes are those of the
 * destination. */
static void
add_segment(struct packet_walk *w, uint32_t skip, uint32_t n_elided)
{
	uint8_t bytes[SEGMENT_SIZE];
	const uint8_t *p;

	if (w->judge == PACKET_SOURCES)
		return;
	p = packet_need(w, skip, SEGMENT_SIZE - n_elided);
	if (p == NULL)
		return;
	ip6_to_bytes(w->destination, bytes);
	memcpy(bytes + n_elided, p, SEGMENT_SIZE - n_elided);
	packet_add6(w, ip6_from_bytes(bytes));
}

/* Segments Left may be one more than the list holds: a reduced SRH leaves the first segment out. */
static void
walk_segment_routing(struct packet_walk *w, uint32_t size, uint32_t n_left, uint32_t last)
{
	uint32_t n = last + 1, i;

	if (n * SEGMENT_SIZE > size - ROUTING_SIZE || n_left > n) {
		packet_fail(w, REASON_BAD_ROUTING_HEADER);
		return;
	}
	for (i = 0; i < n && w->step != PACKET_STEP_DONE; i++)
		add_segment(w, ROUTING_SIZE + i * SEGMENT_SIZE, 0);
}

/* n - 1 segments without the first `elided` bytes and a last one without the first `last_elided`,
 * then padding. */
static void
walk_rpl(struct packet_walk *w, uint32_t size, uint32_t n_left, const uint8_t *fields)
{
	uint32_t elided = fields[0] >> 4, last_elided = fields[0] & 0x0fu, pad = fields[1] >> 4;
	uint32_t each = SEGMENT_SIZE - elided, last = SEGMENT_SIZE - last_elided;
	uint32_t list = size - ROUTING_SIZE, at = ROUTING_SIZE;

	if (list < pad + last || (list - pad - last) % each != 0 ||
		n_left > (list - pad - last) / each + 1) {
		packet_fail(w, REASON_BAD_ROUTING_HEADER);
		return;
	}
	for (; at < size - pad - last && w->step != PACKET_STEP_DONE; at += each)
		add_segment(w, at, elided);
	if (w->step != PACKET_STEP_DONE)
		add_segment(w, at, last_elided);
}

static void
walk_mobile(struct packet_walk *w, uint32_t size, uint32_t n_left)
{
	if (size != ROUTING_SIZE + SEGMENT_SIZE || n_left != 1)
		packet_fail(w, REASON_BAD_ROUTING_HEADER);
	else
		add_segment(w, ROUTING_SIZE, 0);
}

void
packet_walk_routing(struct packet_walk *w, uint32_t size)
{
	const uint8_t *p = packet_need(w, 0, ROUTING_SIZE);
	uint8_t n_left, fields[2];

	if (p == NULL)
		return;
	n_left = p[3];
	memcpy(fields, p + 4, sizeof(fields));
	if (n_left == 0)
		return;
	switch (p[2]) {
	case TYPE_MOBILE:
		walk_mobile(w, size, n_left);
		break;
	case TYPE_RPL:
		walk_rpl(w, size, n_left, fields);
		break;
	case TYPE_SEGMENT:
		walk_segment_routing(w, size, n_left, fields[0]);
		break;
	default:
		packet_fail(w, REASON_BAD_ROUTING_HEADER);
	}
}
