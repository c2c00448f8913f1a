/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UDP and the tunnels that a port suggests. A port is a guess: it counts only when the tunnel's own
 * header is valid by its RFC, else the outer addresses stand. Once it is valid, whatever is wrong
 * behind it makes the frame unparsable, so a guess can only make a verdict stricter.
 *
 * Tunnels are looked up by destination port; Teredo and the opaque ones by either, because both
 * their ends may use the port. VXLAN (RFC 7348), VXLAN-GPE (draft-ietf-nvo3-vxlan-gpe), Geneve
 * (RFC 8926), GTP-U (3GPP TS 29.281), MPLS (RFC 7510), GRE (RFC 8086), Teredo (RFC 4380).
 */
#include "packet_impl.h"

#define UDP_SIZE   8u
#define PORTS_SIZE 4u
#define IP6_SIZE   40u

#define VXLAN_SIZE         8u
#define VXLAN_HAS_VNI      0x08u
#define GPE_HAS_NEXT       0x04u
#define GPE_VERSION        0x30u
#define GENEVE_SIZE        8u
#define GENEVE_NSH         0x894fu
#define GTP_SIZE           8u
#define GTP_VERSION_1      0x3u /* with PT = 1: not GTP' */
#define GTP_PAYLOAD        255u /* G-PDU: holds a user's packet */
#define GTP_OPTIONAL       0x07u
#define GTP_OPTIONAL_SIZE  4u
#define GTP_HAS_EXTENSION  0x04u
#define LABEL_SIZE         4u
#define TEREDO_AUTH        0x0001u
#define TEREDO_AUTH_SIZE   13u /* without client identifier and authentication value */
#define TEREDO_ORIGIN      0x0000u
#define TEREDO_ORIGIN_SIZE 8u

static bool
enter_vxlan(struct packet_walk *w)
{
	const uint8_t *p = packet_guess(w, 0, VXLAN_SIZE);

	if (p == NULL || (p[0] & VXLAN_HAS_VNI) == 0)
		return false;
	packet_advance(w, VXLAN_SIZE);
	packet_add_layer(w, PACKET_LAYER_VXLAN);
	if (packet_enter_tunnel(w))
		w->step = PACKET_STEP_ETHERNET;
	return true;
}

static void
next_gpe_payload(struct packet_walk *w, uint8_t next)
{
	switch (next) {
	case 1:
		w->step = PACKET_STEP_IP4;
		break;
	case 2:
		w->step = PACKET_STEP_IP6;
		break;
	case 3:
		w->step = PACKET_STEP_ETHERNET;
		break;
	case 4: /* NSH */
		packet_stop_opaque(w, PACKET_LAYER_OPAQUE);
		break;
	case 5:
		w->step = PACKET_STEP_MPLS;
		break;
	default:
		packet_fail(w, REASON_BAD_ENCAPSULATION);
	}
}

/* Without the P flag the payload is Ethernet, as in VXLAN. */
static bool
enter_vxlan_gpe(struct packet_walk *w)
{
	const uint8_t *p = packet_guess(w, 0, VXLAN_SIZE);
	uint8_t next;

	if (p == NULL || (p[0] & (VXLAN_HAS_VNI | GPE_VERSION)) != VXLAN_HAS_VNI)
		return false;
	next = (p[0] & GPE_HAS_NEXT) != 0 ? p[3] : 3;
	packet_advance(w, VXLAN_SIZE);
	packet_add_layer(w, PACKET_LAYER_VXLAN_GPE);
	if (packet_enter_tunnel(w))
		next_gpe_payload(w, next);
	return true;
}

static bool
enter_geneve(struct packet_walk *w)
{
	const uint8_t *p = packet_guess(w, 0, GENEVE_SIZE);
	uint32_t size;
	uint16_t type;

	if (p == NULL || p[0] >> 6 != 0)
		return false;
	size = GENEVE_SIZE + (p[0] & 0x3fu) * 4;
	type = packet_be16(p + 2);
	if (size > packet_room(w)) {
		if (w->is_cut)
			packet_fail_cut(w);
		return false;
	}
	packet_advance(w, size);
	packet_add_layer(w, PACKET_LAYER_GENEVE);
	if (!packet_enter_tunnel(w) || packet_next_payload(w, type))
		return true;
	if (type == GENEVE_NSH)
		packet_stop_opaque(w, PACKET_LAYER_OPAQUE);
	else
		packet_fail(w, REASON_BAD_ENCAPSULATION);
	return true;
}

/* The chain behind the optional fields: length in 4 bytes, content, type of the next. As many as
 * IPv6 may have. */
static void
walk_gtp_extensions(struct packet_walk *w, uint8_t next)
{
	unsigned int n;

	for (n = 0; next != 0 && packet_count_step(w); n++) {
		const uint8_t *p = packet_need(w, 0, 1);
		uint32_t size;

		if (p == NULL)
			return;
		if (n == w->limits->n_headers_max) {
			packet_fail(w, REASON_TOO_MANY_HEADERS);
			return;
		}
		size = p[0] * 4u;
		if (size == 0) {
			packet_fail(w, REASON_BAD_ENCAPSULATION);
			return;
		}
		p = packet_need(w, size - 1, 1);
		if (p == NULL)
			return;
		next = p[0];
		packet_advance(w, size);
	}
}

static void
walk_gtp_optional(struct packet_walk *w, uint8_t flags)
{
	const uint8_t *p = packet_need(w, 0, GTP_OPTIONAL_SIZE);
	uint8_t next;

	if (p == NULL)
		return;
	next = (flags & GTP_HAS_EXTENSION) != 0 ? p[3] : 0;
	packet_advance(w, GTP_OPTIONAL_SIZE);
	walk_gtp_extensions(w, next);
}

/* Other messages than G-PDU are the tunnel's own control and hold no packet. */
static bool
enter_gtp(struct packet_walk *w)
{
	const uint8_t *p = packet_guess(w, 0, GTP_SIZE);
	uint16_t length;
	uint8_t flags;

	if (p == NULL || p[0] >> 4 != GTP_VERSION_1 || p[1] != GTP_PAYLOAD)
		return false;
	flags = p[0];
	length = packet_be16(p + 2);
	packet_advance(w, GTP_SIZE);
	packet_add_layer(w, PACKET_LAYER_GTP_U);
	if (packet_is_length_lie(w, length))
		packet_fail(w, REASON_BAD_TOTAL_LENGTH);
	packet_limit(w, length);
	if ((flags & GTP_OPTIONAL) != 0)
		walk_gtp_optional(w, flags);
	if (w->info->reason == REASON_NONE && packet_enter_tunnel(w))
		packet_next_ip(w, REASON_BAD_ENCAPSULATION);
	return true;
}

/* A label stack has no mark of its own: one whole entry makes it valid. */
static bool
enter_mpls(struct packet_walk *w)
{
	if (packet_guess(w, 0, LABEL_SIZE) == NULL)
		return false;
	if (packet_enter_tunnel(w))
		w->step = PACKET_STEP_MPLS;
	return true;
}

/* Bytes of the authentication and origin indicators in front of Teredo's IPv6 packet. */
static uint32_t
teredo_size(struct packet_walk *w)
{
	const uint8_t *p = packet_guess(w, 0, 4);
	uint32_t size = 0;

	if (p != NULL && packet_be16(p) == TEREDO_AUTH) {
		size = TEREDO_AUTH_SIZE + p[2] + p[3];
		p = packet_guess(w, size, 2);
	}
	if (p != NULL && packet_be16(p) == TEREDO_ORIGIN)
		size += TEREDO_ORIGIN_SIZE;
	return size;
}

static bool
enter_teredo(struct packet_walk *w)
{
	uint32_t size = teredo_size(w);
	const uint8_t *p = packet_guess(w, size, IP6_SIZE);

	if (p == NULL || p[0] >> 4 != 6)
		return false;
	packet_advance(w, size);
	packet_add_layer(w, PACKET_LAYER_TEREDO);
	if (packet_enter_tunnel(w))
		w->step = PACKET_STEP_IP6;
	return true;
}

/* False when the tunnel's own header is not valid: nothing done then, or packet_fail() where it is
 * cut. */
static bool
enter_guess(struct packet_walk *w, enum tunnel_port kind)
{
	switch (kind) {
	case TUNNEL_PORT_VXLAN:
		return enter_vxlan(w);
	case TUNNEL_PORT_VXLAN_GPE:
		return enter_vxlan_gpe(w);
	case TUNNEL_PORT_GENEVE:
		return enter_geneve(w);
	case TUNNEL_PORT_GTP_U:
		return enter_gtp(w);
	case TUNNEL_PORT_MPLS_IN_UDP:
		return enter_mpls(w);
	case TUNNEL_PORT_GRE_IN_UDP:
		return packet_enter_gre(w, true);
	case TUNNEL_PORT_TEREDO:
		return enter_teredo(w);
	default:
		return false;
	}
}

/* The payload, whose kind each port suggests; `length` is what the UDP header claims. */
static void
walk_payload(struct packet_walk *w, enum tunnel_port to, enum tunnel_port from, uint32_t length)
{
	bool is_lie = length < UDP_SIZE || packet_is_length_lie(w, length - UDP_SIZE), is_tunnel;

	if (!is_lie)
		packet_limit(w, length - UDP_SIZE);
	is_tunnel = enter_guess(w, to);
	if (!is_tunnel && w->info->reason == REASON_NONE && from == TUNNEL_PORT_TEREDO)
		is_tunnel = enter_guess(w, from);
	if (is_tunnel && is_lie)
		packet_fail(w, REASON_BAD_TOTAL_LENGTH);
}

/* All 8 bytes must be on the wire; of a frame that a capture cut, the ports are enough to see that
 * there is no tunnel. */
void
packet_walk_udp(struct packet_walk *w)
{
	enum tunnel_port to, from;
	const uint8_t *p;

	if (packet_room(w) < UDP_SIZE) {
		packet_fail_cut(w);
		return;
	}
	p = packet_need(w, 0, PORTS_SIZE);
	if (p == NULL)
		return;
	from = limits_port(w->limits, packet_be16(p));
	to = limits_port(w->limits, packet_be16(p + 2));
	packet_add_layer(w, PACKET_LAYER_UDP);
	w->step = PACKET_STEP_DONE;
	if (to == TUNNEL_PORT_OPAQUE || from == TUNNEL_PORT_OPAQUE)
		packet_stop_opaque(w, PACKET_LAYER_OPAQUE);
	if (to == TUNNEL_PORT_OPAQUE)
		to = TUNNEL_PORT_NONE;
	if (to != TUNNEL_PORT_NONE || from == TUNNEL_PORT_TEREDO) {
		p = packet_need(w, 4, 2);
		packet_advance(w, UDP_SIZE);
		if (p != NULL)
			walk_payload(w, to, from, packet_be16(p));
	} else {
		packet_advance(w, UDP_SIZE);
	}
}
