/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tunnels that an IP protocol number names: GRE (RFC 2784, 2890), NVGRE (RFC 7637), ERSPAN
 * (draft-foschiano-erspan) and EtherIP (RFC 3378). GRE with source routes (RFC 1701) or of an
 * unknown version is refused; PPTP's version 1 and protocols that we do not know are opaque.
 */
#include "packet_impl.h"

#define GRE_SIZE           4u
#define GRE_CHECKSUM       0x8000u
#define GRE_ROUTING        0x4000u
#define GRE_KEY            0x2000u
#define GRE_SEQUENCE       0x1000u
#define GRE_VERSION        0x0007u
#define TYPE_IP4           0x0800u
#define TYPE_IP6           0x86ddu
#define TYPE_ETHERNET      0x6558u
#define TYPE_MPLS          0x8847u
#define TYPE_MPLS_UPSTREAM 0x8848u
#define TYPE_ERSPAN        0x88beu
#define TYPE_ERSPAN_3      0x22ebu

#define ERSPAN_2_SIZE          8u
#define ERSPAN_3_SIZE          12u
#define ERSPAN_3_SUBHEADER     8u
#define ERSPAN_3_HAS_SUBHEADER 0x01u
#define ETHERIP_SIZE           2u
#define ETHERIP_VERSION        3u

bool
packet_next_payload(struct packet_walk *w, uint16_t type)
{
	switch (type) {
	case TYPE_IP4:
		w->step = PACKET_STEP_IP4;
		return true;
	case TYPE_IP6:
		w->step = PACKET_STEP_IP6;
		return true;
	case TYPE_ETHERNET:
		w->step = PACKET_STEP_ETHERNET;
		return true;
	case TYPE_MPLS:
	case TYPE_MPLS_UPSTREAM:
		w->step = PACKET_STEP_MPLS;
		return true;
	default:
		return false;
	}
}

/* Type I has no header (and no GRE sequence number), type II 8 bytes with version 1. */
static void
walk_erspan(struct packet_walk *w, bool has_header)
{
	const uint8_t *p;

	packet_add_layer(w, PACKET_LAYER_ERSPAN);
	w->step = PACKET_STEP_ETHERNET;
	if (!has_header)
		return;
	p = packet_need(w, 0, ERSPAN_2_SIZE);
	if (p == NULL)
		return;
	if (p[0] >> 4 != 1)
		packet_fail(w, REASON_BAD_ENCAPSULATION);
	else
		packet_advance(w, ERSPAN_2_SIZE);
}

/* 12 bytes with version 2, then perhaps a subheader; a frame type names Ethernet or IP. */
static void
walk_erspan_3(struct packet_walk *w)
{
	const uint8_t *p = packet_need(w, 0, ERSPAN_3_SIZE);
	uint32_t size = ERSPAN_3_SIZE, frame_type;

	if (p == NULL)
		return;
	packet_add_layer(w, PACKET_LAYER_ERSPAN);
	frame_type = p[10] >> 2 & 0x1fu;
	if (p[0] >> 4 != 2 || (frame_type != 0 && frame_type != 2)) {
		packet_fail(w, REASON_BAD_ENCAPSULATION);
		return;
	}
	if (p[11] & ERSPAN_3_HAS_SUBHEADER)
		size += ERSPAN_3_SUBHEADER;
	if (packet_room(w) < size) {
		packet_fail_cut(w);
		return;
	}
	packet_advance(w, size);
	if (frame_type == 0)
		w->step = PACKET_STEP_ETHERNET;
	else
		packet_next_ip(w, REASON_BAD_ENCAPSULATION);
}

static bool
is_nvgre(uint16_t flags, uint16_t type)
{
	return type == TYPE_ETHERNET &&
	       (flags & (GRE_CHECKSUM | GRE_KEY | GRE_SEQUENCE)) == GRE_KEY;
}

static uint32_t
gre_size(uint16_t flags)
{
	return GRE_SIZE + ((flags & GRE_CHECKSUM) != 0 ? 4 : 0) + ((flags & GRE_KEY) != 0 ? 4 : 0) +
	       ((flags & GRE_SEQUENCE) != 0 ? 4 : 0);
}

static void
walk_gre_payload(struct packet_walk *w, uint16_t flags, uint16_t type)
{
	if (type == TYPE_ERSPAN)
		walk_erspan(w, (flags & GRE_SEQUENCE) != 0);
	else if (type == TYPE_ERSPAN_3)
		walk_erspan_3(w);
	else if (!packet_next_payload(w, type))
		packet_stop_opaque(w, PACKET_LAYER_OPAQUE);
}

bool
packet_enter_gre(struct packet_walk *w, bool is_guess)
{
	const uint8_t *p = packet_guess(w, 0, GRE_SIZE);
	uint16_t flags, type;

	if (p == NULL)
		return false;
	flags = packet_be16(p);
	type = packet_be16(p + 2);
	if ((flags & GRE_VERSION) == 1 && !is_guess) {
		packet_add_layer(w, PACKET_LAYER_GRE);
		packet_stop_opaque(w, PACKET_LAYER_OPAQUE);
		return true;
	}
	if ((flags & (GRE_VERSION | GRE_ROUTING)) != 0) {
		if (!is_guess)
			packet_fail(w, REASON_BAD_ENCAPSULATION);
		return false;
	}
	if (packet_guess(w, 0, gre_size(flags)) == NULL)
		return false;
	packet_advance(w, gre_size(flags));
	packet_add_layer(w, is_nvgre(flags, type) ? PACKET_LAYER_NVGRE : PACKET_LAYER_GRE);
	if (packet_enter_tunnel(w))
		walk_gre_payload(w, flags, type);
	return true;
}

void
packet_walk_gre(struct packet_walk *w)
{
	if (!packet_enter_gre(w, false))
		packet_fail_cut(w);
}

void
packet_walk_etherip(struct packet_walk *w)
{
	const uint8_t *p = packet_need(w, 0, ETHERIP_SIZE);

	if (p == NULL)
		return;
	if (p[0] >> 4 != ETHERIP_VERSION) {
		packet_fail(w, REASON_BAD_ENCAPSULATION);
		return;
	}
	packet_advance(w, ETHERIP_SIZE);
	packet_add_layer(w, PACKET_LAYER_ETHERIP);
	if (packet_enter_tunnel(w))
		w->step = PACKET_STEP_ETHERNET;
}
