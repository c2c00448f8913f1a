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

#define PROTOCOL_ICMP     1u
#define PROTOCOL_IP4      4u
#define PROTOCOL_TCP      6u
#define PROTOCOL_UDP      17u
#define PROTOCOL_IP6      41u
#define PROTOCOL_GRE      47u
#define PROTOCOL_ESP      50u
#define PROTOCOL_MINENC   55u /* RFC 2004 */
#define PROTOCOL_ICMPV6   58u
#define PROTOCOL_NONE     59u
#define PROTOCOL_IPIP     94u
#define PROTOCOL_ETHERIP  97u
#define PROTOCOL_ENCAP    98u /* RFC 1241 */
#define PROTOCOL_IPCOMP   108u
#define PROTOCOL_L2TP     115u
#define PROTOCOL_SCTP     132u
#define PROTOCOL_MPLS     137u
#define PROTOCOL_ROHC     142u
#define PROTOCOL_ETHERNET 143u
#define PROTOCOL_AGGFRAG  144u
#define PROTOCOL_NSH      145u

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

static void
walk_inner(struct packet_walk *w)
{
	switch (w->protocol) {
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
	default:
		packet_stop_opaque(w, PACKET_LAYER_OPAQUE);
	}
}

static void
walk_transport(struct packet_walk *w)
{
	switch (w->protocol) {
	case PROTOCOL_TCP:
		walk_tcp(w);
		break;
	case PROTOCOL_UDP:
		packet_walk_udp(w);
		break;
	case PROTOCOL_SCTP:
		walk_leaf(w, PACKET_LAYER_SCTP, SCTP_SIZE);
		break;
	case PROTOCOL_ICMP:
		walk_leaf(w, PACKET_LAYER_ICMP, ICMP_SIZE);
		break;
	case PROTOCOL_ICMPV6:
		walk_leaf(w, PACKET_LAYER_ICMPV6, ICMP_SIZE);
		break;
	case PROTOCOL_NONE:
		w->step = PACKET_STEP_DONE;
		break;
	default:
		walk_leaf(w, PACKET_LAYER_OTHER, 0);
	}
}

static bool
is_tunnel(uint8_t protocol)
{
	switch (protocol) {
	case PROTOCOL_IP4:
	case PROTOCOL_IP6:
	case PROTOCOL_GRE:
	case PROTOCOL_ESP:
	case PROTOCOL_MINENC:
	case PROTOCOL_IPIP:
	case PROTOCOL_ETHERIP:
	case PROTOCOL_ENCAP:
	case PROTOCOL_IPCOMP:
	case PROTOCOL_L2TP:
	case PROTOCOL_MPLS:
	case PROTOCOL_ROHC:
	case PROTOCOL_ETHERNET:
	case PROTOCOL_AGGFRAG:
	case PROTOCOL_NSH:
		return true;
	default:
		return false;
	}
}

void
packet_walk_protocol(struct packet_walk *w)
{
	if (packet_is_extension(w))
		packet_walk_extension(w);
	else if (is_tunnel(w->protocol))
		walk_inner(w);
	else
		walk_transport(w);
}
