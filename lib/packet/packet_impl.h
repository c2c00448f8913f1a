/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * packet_impl: the walker that the files of this module share. One header is one step; a step reads
 * its header at `offset`, bounds what is inside by lowering `end`, and names the next step. There
 * is no recursion, `offset` never goes back and `end` never grows.
 *
 * Threads: one walk belongs to one packet_parse() call, on its stack.
 * Units: offsets are bytes from the start of the frame; numbers in host order.
 */
#pragma once

#include "packet/packet.h"

#include <string.h>

#define PACKET_READ_MAX 64u /* longest single read: an IPv4 header with options has 60 bytes */

/* IP protocol numbers (IANA) */
#define PROTOCOL_HOP_BY_HOP  0u
#define PROTOCOL_ICMP        1u
#define PROTOCOL_IP4         4u
#define PROTOCOL_TCP         6u
#define PROTOCOL_UDP         17u
#define PROTOCOL_IP6         41u
#define PROTOCOL_ROUTING     43u
#define PROTOCOL_FRAGMENT    44u
#define PROTOCOL_GRE         47u
#define PROTOCOL_ESP         50u
#define PROTOCOL_AH          51u
#define PROTOCOL_MINENC      55u /* RFC 2004 */
#define PROTOCOL_ICMPV6      58u
#define PROTOCOL_NONE        59u
#define PROTOCOL_DESTINATION 60u
#define PROTOCOL_IPIP        94u
#define PROTOCOL_ETHERIP     97u
#define PROTOCOL_ENCAP       98u /* RFC 1241 */
#define PROTOCOL_IPCOMP      108u
#define PROTOCOL_L2TP        115u
#define PROTOCOL_SCTP        132u
#define PROTOCOL_MOBILITY    135u
#define PROTOCOL_MPLS        137u
#define PROTOCOL_HIP         139u
#define PROTOCOL_SHIM6       140u
#define PROTOCOL_ROHC        142u
#define PROTOCOL_ETHERNET    143u
#define PROTOCOL_AGGFRAG     144u
#define PROTOCOL_NSH         145u

enum packet_step {
	PACKET_STEP_DONE,
	PACKET_STEP_LINK,     /* the first header, by enum packet_link */
	PACKET_STEP_ETHERNET, /* two MAC addresses and a type */
	PACKET_STEP_TAG,
	PACKET_STEP_PBB,
	PACKET_STEP_LLC,
	PACKET_STEP_SLOW_PROTOCOL, /* 0x8809: LACP and others, by subtype */
	PACKET_STEP_NON_IP,        /* w->non_ip */
	PACKET_STEP_OPAQUE_TYPE,   /* MACsec, NSH */
	PACKET_STEP_MPLS,
	PACKET_STEP_PPPOE,
	PACKET_STEP_IP4,
	PACKET_STEP_IP6,
	PACKET_STEP_PROTOCOL, /* w->protocol: what an IP or extension header says is next */
};

struct packet_walk {
	const struct rte_mbuf *m;
	const uint8_t *first;           /* data of the first segment: most reads end inside it */
	uint32_t n_first;               /* bytes there */
	const struct rte_mbuf *segment; /* where the last read began */
	uint32_t segment_start;         /* its first byte's offset in the frame */
	uint32_t offset;                /* next header, where the ones understood end */
	uint32_t end;                   /* what holds it ends here, in wire lengths */
	uint32_t reach;                 /* or the first segment, if that is sooner */
	uint32_t n_captured;            /* bytes that can be read: pkt_len */
	uint32_t n_steps;               /* headers read */
	const struct limits *limits;
	struct packet_info *info;
	enum packet_link link;
	enum packet_judge judge;
	enum packet_step step;
	uint8_t n_tags;    /* behind the current Ethernet header */
	uint8_t n_tunnels; /* entered so far */
	uint8_t non_ip;    /* for PACKET_STEP_NON_IP */
	/* The current IP header */
	uint8_t version;       /* 4 or 6; 0 = none yet */
	uint8_t protocol;      /* IP protocol of what is at `offset` */
	uint8_t n_headers;     /* extension headers behind it */
	uint32_t headers_size; /* and their bytes */
	ip6_t destination;     /* of the current IPv6 header: RPL segments are cut short by it */
	uint32_t payload_size; /* of the current IPv6 header, as the field says */
	bool is_cut; /* in a first fragment: what is here goes on in later ones, so lengths may
			exceed `end`, headers may not */
	uint8_t scratch[PACKET_READ_MAX];
};

static inline uint16_t
packet_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t
packet_be32(const uint8_t *p)
{
	return (uint32_t)packet_be16(p) << 16 | packet_be16(p + 2);
}

/* Bytes left in what holds the current header. */
static inline uint32_t
packet_room(const struct packet_walk *w)
{
	return w->end - w->offset;
}

/* cursor.c: reads. A pointer is valid until the next read; size <= PACKET_READ_MAX. */

/* `size` bytes at `offset` of the frame, or NULL when the mbuf does not hold them all. */
const uint8_t *packet_read(struct packet_walk *w, uint32_t offset, uint32_t size);

/* What packet_need() and packet_guess() do for headers that the first segment does not hold. */
const uint8_t *packet_need_slowly(struct packet_walk *w, uint32_t skip, uint32_t size);
const uint8_t *packet_guess_slowly(struct packet_walk *w, uint32_t skip, uint32_t size);

static inline void
packet_set_end(struct packet_walk *w, uint32_t end)
{
	w->end = end;
	w->reach = end < w->n_first ? end : w->n_first;
}

static inline bool
packet_is_in_first(const struct packet_walk *w, uint32_t skip, uint32_t size)
{
	return (uint64_t)w->offset + skip + size <= w->reach;
}

/* `size` bytes of a header that must be there, `skip` bytes behind w->offset. NULL after
 * packet_fail(): truncated, or bad-fragment where a first fragment cuts the chain. */
static inline const uint8_t *
packet_need(struct packet_walk *w, uint32_t skip, uint32_t size)
{
	if (packet_is_in_first(w, skip, size))
		return w->first + w->offset + skip;
	return packet_need_slowly(w, skip, size);
}

/* The same for a header that is only guessed from a port: NULL without a reason when the wire does
 * not hold it, NULL after packet_fail() when only the capture or a first fragment cuts it. */
static inline const uint8_t *
packet_guess(struct packet_walk *w, uint32_t skip, uint32_t size)
{
	if (packet_is_in_first(w, skip, size))
		return w->first + w->offset + skip;
	return packet_guess_slowly(w, skip, size);
}

/* packet.c: what every step does */

/* Stop with `reason`; the first one stays. */
void packet_fail(struct packet_walk *w, enum reason reason);

/* Stop because a header that must be there is cut: bad-fragment in a first fragment, else
 * truncated. */
void packet_fail_cut(struct packet_walk *w);

/* The header of `size` bytes at w->offset is understood: go behind it. Within packet_room(). */
static inline void
packet_advance(struct packet_walk *w, uint32_t size)
{
	w->offset += size;
}

static inline void
packet_add_layer(struct packet_walk *w, enum packet_layer layer)
{
	if (likely(w->info->n_layers < PACKET_LAYERS_MAX))
		w->info->layers[w->info->n_layers++] = (uint8_t)layer;
}

/* Count a header beyond the one a step always has. Returns false after packet_fail(). */
static inline bool
packet_count_step(struct packet_walk *w)
{
	if (w->n_steps == PACKET_STEPS_MAX) {
		packet_fail(w, REASON_TOO_MANY_HEADERS);
		return false;
	}
	w->n_steps++;
	return true;
}

/* Count a tunnel. Returns false after packet_fail(): too-deep. */
bool packet_enter_tunnel(struct packet_walk *w);

/* What is here cannot be looked into: the outer addresses stand for it. */
void packet_stop_opaque(struct packet_walk *w, enum packet_layer layer);

/* The length of what is held here lies: more than the room, unless a first fragment cut it. */
bool packet_is_length_lie(const struct packet_walk *w, uint32_t size);

/* What is held here has `size` bytes; what is behind them is padding. */
void packet_limit(struct packet_walk *w, uint32_t size);

/* Next is the IP version that the first nibble names, else stop with `otherwise`. */
void packet_next_ip(struct packet_walk *w, enum reason otherwise);

/* address.c: the lists */

/* One judged address; an IPv6 one is followed by those that it embeds. */
void packet_add4(struct packet_walk *w, uint32_t ip);
void packet_add6(struct packet_walk *w, ip6_t ip);

/* Both addresses of an IP header: lists the judged side and keeps the outermost source. */
void packet_add_header4(struct packet_walk *w, uint32_t source, uint32_t destination);
void packet_add_header6(struct packet_walk *w, ip6_t source, ip6_t destination);

/* l2.c */
void packet_walk_link(struct packet_walk *w);
void packet_walk_ethernet(struct packet_walk *w);
void packet_walk_tag(struct packet_walk *w);
void packet_walk_pbb(struct packet_walk *w);
void packet_walk_llc(struct packet_walk *w);
void packet_walk_slow_protocol(struct packet_walk *w);
void packet_walk_non_ip(struct packet_walk *w);
void packet_walk_opaque_type(struct packet_walk *w);
void packet_walk_pppoe(struct packet_walk *w);

/* An ethertype whose payload the walker or [non-ip] knows. */
bool packet_is_known_type(uint16_t type);

/* mpls.c */
void packet_walk_mpls(struct packet_walk *w);

/* ip4.c, ip6.c, ip6_routing.c */
void packet_walk_ip4(struct packet_walk *w);
void packet_walk_ip6(struct packet_walk *w);

void packet_walk_extension(struct packet_walk *w);

/* The routing header of `size` bytes at w->offset, all of them within the room. */
void packet_walk_routing(struct packet_walk *w, uint32_t size);

/* protocol.c: what is behind an IP header and its extension headers */
void packet_walk_protocol(struct packet_walk *w);

/* tunnel.c, udp.c */
void packet_walk_gre(struct packet_walk *w);
void packet_walk_etherip(struct packet_walk *w);
void packet_walk_udp(struct packet_walk *w);

/* Enter GRE at w->offset. For a guess: false when its header is not valid, nothing done then. */
bool packet_enter_gre(struct packet_walk *w, bool is_guess);

/* Next is what an ethertype inside GRE, Geneve or NVGRE names: IP, MPLS, Ethernet. False for other
 * types, nothing done then. */
bool packet_next_payload(struct packet_walk *w, uint16_t type);
