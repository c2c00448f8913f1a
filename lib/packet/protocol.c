/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is behind an IP header and its extension headers: another header to judge, a tunnel that
 * cannot be looked into, or a transport where the walk ends. By then every address is listed, so a
 * transport header that is cut is no reason of its own, except in a first fragment (RFC 1858, 7112)
 * and except UDP's, whose ports tell whether there is a tunnel.
 */
#include "packet_impl.h"

#define TCP_SIZE  20u
#define ICMP_SIZE 8u
#define SCTP_SIZE 12u

static void
walk_leaf(struct packet_walk *w, enum packet_layer layer, uint32_t size)
{
	packet_add_layer(w, layer);
	w->step = PACKET_STEP_DONE;
	if (size <= packet_room(w))
		packet_advance(w, size);
	else if (w->is_cut)
		packet_fail_cut(w);
}

/* The mirror keeps the options too, where they are there. */
static void
walk_tcp(struct packet_walk *w)
{
	const uint8_t *p = NULL;
	uint32_t size = TCP_SIZE;

	if (packet_room(w) >= TCP_SIZE)
		p = packet_read(w, w->offset, TCP_SIZE);
	if (p != NULL && (p[12] >> 4) * 4u > TCP_SIZE && (p[12] >> 4) * 4u <= packet_room(w))
		size = (p[12] >> 4) * 4u;
	walk_leaf(w, PACKET_LAYER_TCP, size);
}

/* Next is `step`, in a tunnel without a header of its own. */
static void
enter(struct packet_walk *w, enum packet_step step)
{
	if (packet_enter_tunnel(w))
		w->step = step;
}

void
packet_walk_protocol(struct packet_walk *w)
{
	switch (w->protocol) {
	case PROTOCOL_TCP:
		walk_tcp(w);
		break;
	case PROTOCOL_UDP:
		packet_walk_udp(w);
		break;
	case PROTOCOL_ICMP:
		walk_leaf(w, PACKET_LAYER_ICMP, ICMP_SIZE);
		break;
	case PROTOCOL_ICMPV6:
		walk_leaf(w, PACKET_LAYER_ICMPV6, ICMP_SIZE);
		break;
	case PROTOCOL_SCTP:
		walk_leaf(w, PACKET_LAYER_SCTP, SCTP_SIZE);
		break;
	case PROTOCOL_NONE:
		w->step = PACKET_STEP_DONE;
		break;
	case PROTOCOL_IP4:
		enter(w, PACKET_STEP_IP4);
		break;
	case PROTOCOL_IP6:
		enter(w, PACKET_STEP_IP6);
		break;
	case PROTOCOL_MPLS:
		enter(w, PACKET_STEP_MPLS);
		break;
	case PROTOCOL_ETHERNET:
		enter(w, PACKET_STEP_ETHERNET);
		break;
	case PROTOCOL_GRE:
		packet_walk_gre(w);
		break;
	case PROTOCOL_ETHERIP:
		packet_walk_etherip(w);
		break;
	case PROTOCOL_ESP:
		packet_stop_opaque(w, PACKET_LAYER_ESP);
		break;
	case PROTOCOL_MINENC:
	case PROTOCOL_IPIP:
	case PROTOCOL_ENCAP:
	case PROTOCOL_IPCOMP:
	case PROTOCOL_L2TP:
	case PROTOCOL_ROHC:
	case PROTOCOL_AGGFRAG:
	case PROTOCOL_NSH:
		packet_stop_opaque(w, PACKET_LAYER_OPAQUE);
		break;
	case PROTOCOL_HOP_BY_HOP:
	case PROTOCOL_ROUTING:
	case PROTOCOL_FRAGMENT:
	case PROTOCOL_DESTINATION:
		if (w->version == 6)
			packet_walk_extension(w);
		else
			walk_leaf(w, PACKET_LAYER_OTHER, 0);
		break;
	case PROTOCOL_AH:
	case PROTOCOL_MOBILITY:
	case PROTOCOL_HIP:
	case PROTOCOL_SHIM6:
		packet_walk_extension(w);
		break;
	default:
		walk_leaf(w, PACKET_LAYER_OTHER, 0);
	}
}
