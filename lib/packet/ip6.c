/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IPv6 (RFC 8200) and its extension headers: each is one step, counted and bounded per IPv6 header;
 * AH, mobility, HIP and shim6 are walked the same way behind IPv4. Jumbograms (RFC 2675) are
 * refused: no port of ours carries them, and a length of 0 means that nothing bounds the packet.
 */
#include "packet_impl.h"

#define IP6_SIZE            40u
#define IP6_LENGTH_MAX      65535u
#define EXTENSION_SIZE      8u /* the smallest, and their unit */
#define AH_SIZE_MIN         12u
#define IP6_FRAGMENT_OFFSET 0xfff8u
#define IP6_MORE_FRAGMENTS  0x0001u
#define OPTION_PAD1         0u
#define OPTION_JUMBO        0xc2u

void
packet_walk_ip6(struct packet_walk *w)
{
	const uint8_t *p = packet_need(w, 0, IP6_SIZE);
	ip6_t source;

	if (p == NULL)
		return;
	if (p[0] >> 4 != 6) {
		packet_fail(w, REASON_BAD_VERSION);
		return;
	}
	w->version = 6;
	w->protocol = p[6];
	w->n_headers = 0;
	w->headers_size = 0;
	w->payload_size = packet_be16(p + 4);
	w->step = PACKET_STEP_PROTOCOL;
	source = ip6_from_bytes(p + 8);
	w->destination = ip6_from_bytes(p + 24);
	packet_add_layer(w, PACKET_LAYER_IPV6);
	packet_add_header6(w, source, w->destination);
	packet_advance(w, IP6_SIZE);
	if (packet_is_length_lie(w, w->payload_size) ||
		(w->payload_size == 0 && w->protocol != PROTOCOL_NONE))
		packet_fail(w, REASON_BAD_TOTAL_LENGTH);
	packet_limit(w, w->payload_size);
}

static enum packet_layer
extension_layer(uint8_t protocol)
{
	switch (protocol) {
	case PROTOCOL_HOP_BY_HOP:
		return PACKET_LAYER_HOP_BY_HOP;
	case PROTOCOL_ROUTING:
		return PACKET_LAYER_ROUTING;
	case PROTOCOL_FRAGMENT:
		return PACKET_LAYER_FRAGMENT;
	case PROTOCOL_DESTINATION:
		return PACKET_LAYER_DESTINATION_OPTIONS;
	case PROTOCOL_AH:
		return PACKET_LAYER_AH;
	case PROTOCOL_MOBILITY:
		return PACKET_LAYER_MOBILITY;
	case PROTOCOL_HIP:
		return PACKET_LAYER_HIP;
	default:
		return PACKET_LAYER_SHIM6;
	}
}

/* Size of an extension header by its second byte. */
static uint32_t
extension_size(uint8_t protocol, uint8_t length)
{
	if (protocol == PROTOCOL_FRAGMENT)
		return EXTENSION_SIZE;
	if (protocol == PROTOCOL_AH)
		return (length + 2u) * 4;
	return (length + 1u) * EXTENSION_SIZE;
}

/* How many bytes of options from `at` on to read at once: what one read and the capture give, and
 * at least the type and length of one option. */
static uint32_t
options_window(const struct packet_walk *w, uint32_t at, uint32_t size)
{
	uint32_t n = size - at < PACKET_READ_MAX ? size - at : PACKET_READ_MAX;
	uint32_t start = w->offset + at;
	uint32_t n_there = start < w->n_captured ? w->n_captured - start : 0;

	if (n <= n_there || n < 2)
		return n;
	return n_there > 2 ? n_there : 2;
}

/* One option at `p`, of which `room` bytes are left. Returns its size, 0 after packet_fail(). */
static uint32_t
walk_option(struct packet_walk *w, const uint8_t *p, uint32_t room)
{
	if (p[0] == OPTION_PAD1)
		return 1;
	if (room < 2 || p[1] > room - 2) {
		packet_fail(w, REASON_BAD_HEADER_LENGTH);
		return 0;
	}
	if (p[0] == OPTION_JUMBO) {
		packet_fail(w, REASON_BAD_TOTAL_LENGTH);
		return 0;
	}
	return 2u + p[1];
}

/* Hop-by-hop or destination options, `size` bytes with their header, all within the room. Read in
 * windows: a header may hold hundreds of options of one byte. */
static void
walk_options6(struct packet_walk *w, uint32_t size)
{
	uint32_t at = 2, start = 0, n = 0, length;
	const uint8_t *p = NULL;

	while (at < size) {
		if (at + 2 > start + n && start + n < size) {
			start = at;
			n = options_window(w, at, size);
			p = packet_need(w, at, n);
			if (p == NULL)
				return;
		}
		length = walk_option(w, p + (at - start), size - at);
		if (length == 0)
			return;
		at += length;
	}
}

/* `next` is what the fragmentable part begins with. The payload's room begins behind the header. */
static void
walk_fragment6(struct packet_walk *w, uint8_t next, uint16_t field)
{
	uint32_t start = field & IP6_FRAGMENT_OFFSET;

	if (start + w->payload_size > IP6_LENGTH_MAX + EXTENSION_SIZE ||
		(start == 8 && next == PROTOCOL_TCP)) {
		packet_fail(w, REASON_BAD_FRAGMENT);
	} else if (start > 0) {
		w->step = PACKET_STEP_DONE;
	} else if ((field & IP6_MORE_FRAGMENTS) != 0) {
		packet_limit(w, packet_room(w) & ~7u);
		w->is_cut = true;
	}
}

/* Returns false after packet_fail(). */
static bool
count_extension(struct packet_walk *w, uint32_t size)
{
	w->headers_size += size;
	if (w->n_headers == w->limits->n_headers_max ||
		w->headers_size > w->limits->headers_size_max) {
		packet_fail(w, REASON_TOO_MANY_HEADERS);
		return false;
	}
	w->n_headers++;
	return true;
}

/* Where an extension header may not stand or what it may not be. Returns false after
 * packet_fail(). */
static bool
check_extension(struct packet_walk *w, uint8_t protocol, uint32_t size)
{
	if (protocol == PROTOCOL_HOP_BY_HOP && w->n_headers > 0)
		packet_fail(w, REASON_BAD_HEADER_ORDER);
	else if (protocol == PROTOCOL_AH && size < AH_SIZE_MIN)
		packet_fail(w, REASON_BAD_HEADER_LENGTH);
	else if (size > packet_room(w))
		packet_fail_cut(w);
	return w->step != PACKET_STEP_DONE && count_extension(w, size);
}

void
packet_walk_extension(struct packet_walk *w)
{
	const uint8_t *p = packet_need(w, 0, EXTENSION_SIZE);
	uint8_t protocol = w->protocol, next;
	uint16_t fragment;
	uint32_t size;

	if (p == NULL)
		return;
	next = p[0];
	fragment = packet_be16(p + 2);
	size = extension_size(protocol, p[1]);
	if (!check_extension(w, protocol, size))
		return;
	packet_add_layer(w, extension_layer(protocol));
	if (protocol == PROTOCOL_ROUTING)
		packet_walk_routing(w, size);
	else if (protocol == PROTOCOL_HOP_BY_HOP || protocol == PROTOCOL_DESTINATION)
		walk_options6(w, size);
	if (w->step == PACKET_STEP_DONE)
		return;
	packet_advance(w, size);
	w->protocol = next;
	if (protocol == PROTOCOL_FRAGMENT)
		walk_fragment6(w, next, fragment);
}
