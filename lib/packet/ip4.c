/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IPv4 (RFC 791): lengths, options with their source routes (RFC 7126), fragments (RFC 1858, 3128).
 * A first fragment ends at a multiple of 8: what a receiver cuts off there is not part of it.
 */
#include "packet_impl.h"

#define IP4_SIZE            20u
#define IP4_LENGTH_MAX      65535u
#define IP4_MORE_FRAGMENTS  0x2000u
#define IP4_FRAGMENT_OFFSET 0x1fffu
#define OPTION_END          0u
#define OPTION_NOP          1u
#define OPTION_LSRR         131u
#define OPTION_SSRR         137u
#define OPTION_HOPS_AT      3u /* type, length, pointer */
#define OPTION_POINTER_MIN  4u

/* One LSRR or SSRR option of `length` bytes: every hop it lists, whatever the pointer says. */
static void
walk_source_route(struct packet_walk *w, const uint8_t *option, uint32_t length)
{
	uint32_t at;

	if (length < OPTION_HOPS_AT || (length - OPTION_HOPS_AT) % 4 != 0 ||
		option[2] < OPTION_POINTER_MIN || option[2] % 4 != 0) {
		packet_fail(w, REASON_BAD_HEADER_LENGTH);
		return;
	}
	w->info->has_source_route = true;
	if (w->judge == PACKET_SOURCES)
		return;
	for (at = OPTION_HOPS_AT; at < length; at += 4)
		packet_add4(w, packet_be32(option + at));
}

/* `size` bytes of options; `options` stays valid: nothing else is read meanwhile. */
static void
walk_options4(struct packet_walk *w, const uint8_t *options, uint32_t size)
{
	uint32_t at = 0, length;

	while (at < size && options[at] != OPTION_END) {
		if (options[at] == OPTION_NOP) {
			at++;
			continue;
		}
		length = at + 1 < size ? options[at + 1] : 0;
		if (length < 2 || length > size - at) {
			packet_fail(w, REASON_BAD_HEADER_LENGTH);
			return;
		}
		if (options[at] == OPTION_LSRR || options[at] == OPTION_SSRR)
			walk_source_route(w, options + at, length);
		at += length;
	}
}

/* Next is the payload, unless this fragment does not begin it. `total` is the datagram's length. */
static void
walk_fragment4(struct packet_walk *w, uint16_t field, uint32_t total)
{
	uint32_t start = (field & IP4_FRAGMENT_OFFSET) * 8u;

	if (start + total > IP4_LENGTH_MAX || (start == 8 && w->protocol == PROTOCOL_TCP)) {
		packet_fail(w, REASON_BAD_FRAGMENT);
	} else if (start > 0) {
		w->step = PACKET_STEP_DONE;
	} else if ((field & IP4_MORE_FRAGMENTS) != 0) {
		packet_limit(w, packet_room(w) & ~7u);
		w->is_cut = true;
	}
}

/* The lengths of a header and its datagram. Returns false after packet_fail(). */
static bool
check_lengths(struct packet_walk *w, uint32_t size, uint32_t total)
{
	if (size < IP4_SIZE)
		packet_fail(w, REASON_BAD_HEADER_LENGTH);
	else if (total < size || packet_is_length_lie(w, total))
		packet_fail(w, REASON_BAD_TOTAL_LENGTH);
	return w->step != PACKET_STEP_DONE;
}

/* Begin a new IP header: what is counted and kept for the one before is over. */
static void
begin(struct packet_walk *w, uint8_t protocol)
{
	packet_add_layer(w, PACKET_LAYER_IPV4);
	w->version = 4;
	w->protocol = protocol;
	w->n_headers = 0;
	w->headers_size = 0;
	w->step = PACKET_STEP_PROTOCOL;
}

void
packet_walk_ip4(struct packet_walk *w)
{
	const uint8_t *p = packet_need(w, 0, IP4_SIZE);
	uint32_t size, total;
	uint16_t fragment;

	if (p == NULL)
		return;
	if (p[0] >> 4 != 4) {
		packet_fail(w, REASON_BAD_VERSION);
		return;
	}
	size = (p[0] & 0x0fu) * 4;
	total = packet_be16(p + 2);
	fragment = packet_be16(p + 6);
	begin(w, p[9]);
	packet_add_header4(w, packet_be32(p + 12), packet_be32(p + 16));
	if (!check_lengths(w, size, total))
		return;
	packet_limit(w, total);
	if (size > IP4_SIZE) {
		p = packet_need(w, 0, size);
		if (p == NULL)
			return;
		walk_options4(w, p + IP4_SIZE, size - IP4_SIZE);
	}
	packet_advance(w, size);
	if (w->step != PACKET_STEP_DONE)
		walk_fragment4(w, fragment, total);
}
