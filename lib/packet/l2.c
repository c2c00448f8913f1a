/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Link layer: Ethernet II, VLAN tags, 802.1ah, LLC and SNAP, PPPoE, the link types of captures, and
 * the protocols that are no IP. Tags are counted behind each Ethernet header; an I-TAG counts as a
 * tag and the Ethernet frame in it as a tunnel.
 *
 * A non-IP protocol inside IP (ARP in VXLAN) is judged by the addresses outside. MACsec and NSH
 * with no address in front of them have nothing to be judged by and fail closed: unknown-ethertype.
 */
#include "packet_impl.h"

#define ETHER_SIZE       14u
#define TAG_SIZE         4u
#define PBB_SIZE         4u /* I-TAG: flags and I-SID; the Ethernet header follows */
#define LLC_SIZE         3u
#define SNAP_SIZE        5u
#define PPPOE_SIZE       6u
#define SLL_SIZE         16u
#define SLL2_SIZE        20u
#define NULL_SIZE        4u
#define ETHER_LENGTH_MAX 1500u
#define SLL_LLC          0x0004u

#define LLC_UI          0x03u
#define SAP_STP         0x4242u /* DSAP and SSAP */
#define SAP_IP          0x0606u
#define SAP_SNAP        0xaaaau
#define OUI_ETHERTYPE   0x000000u
#define OUI_CISCO       0x00000cu
#define CISCO_CDP       0x2000u
#define CISCO_PVST      0x010bu
#define SLOW_LACP       1u
#define SLOW_MARKER     2u
#define PPPOE_VERSION_1 0x11u

struct type_row {
	uint16_t type;
	uint8_t step;   /* enum packet_step */
	uint8_t non_ip; /* enum non_ip, for PACKET_STEP_NON_IP */
};

static const struct type_row types[] = {
	{ 0x0800, PACKET_STEP_IP4, 0 },
	{ 0x86dd, PACKET_STEP_IP6, 0 },
	{ 0x8100, PACKET_STEP_TAG, 0 },
	{ 0x88a8, PACKET_STEP_TAG, 0 },
	{ 0x9100, PACKET_STEP_TAG, 0 },
	{ 0x9200, PACKET_STEP_TAG, 0 },
	{ 0x9300, PACKET_STEP_TAG, 0 },
	{ 0x8847, PACKET_STEP_MPLS, 0 },
	{ 0x8848, PACKET_STEP_MPLS, 0 },
	{ 0x8864, PACKET_STEP_PPPOE, 0 },
	{ 0x88e7, PACKET_STEP_PBB, 0 },
	{ 0x8809, PACKET_STEP_SLOW_PROTOCOL, 0 },
	{ 0x88e5, PACKET_STEP_OPAQUE_TYPE, 0 }, /* MACsec */
	{ 0x894f, PACKET_STEP_OPAQUE_TYPE, 0 }, /* NSH */
	{ 0x0806, PACKET_STEP_NON_IP, NON_IP_ARP },
	{ 0x88cc, PACKET_STEP_NON_IP, NON_IP_LLDP },
	{ 0x88f7, PACKET_STEP_NON_IP, NON_IP_PTP },
	{ 0x888e, PACKET_STEP_NON_IP, NON_IP_EAPOL },
	{ 0x8863, PACKET_STEP_NON_IP, NON_IP_PPPOE_CONTROL },
	{ 0x8902, PACKET_STEP_NON_IP, NON_IP_CFM },
};

static const struct type_row *
find_type(uint16_t type)
{
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].type == type)
			return &types[i];
	return NULL;
}

bool
packet_is_known_type(uint16_t type)
{
	return find_type(type) != NULL;
}

/* Next is what `type` names. */
static void
next_type(struct packet_walk *w, uint16_t type)
{
	const struct type_row *row = find_type(type);

	if (row == NULL) {
		packet_fail(w, REASON_UNKNOWN_ETHERTYPE);
		return;
	}
	w->step = row->step;
	w->non_ip = row->non_ip;
}

/* The field behind MAC addresses or a tag: an ethertype, or the length of an LLC frame. */
static void
next_type_or_length(struct packet_walk *w, uint16_t type)
{
	if (type > ETHER_LENGTH_MAX) {
		next_type(w, type);
	} else if (packet_is_length_lie(w, type)) {
		packet_fail(w, REASON_BAD_TOTAL_LENGTH);
	} else {
		packet_limit(w, type);
		w->step = PACKET_STEP_LLC;
	}
}

/* Returns false after packet_fail(). */
static bool
count_tag(struct packet_walk *w)
{
	if (w->n_tags == w->limits->n_tags_max) {
		packet_fail(w, REASON_TOO_MANY_TAGS);
		return false;
	}
	w->n_tags++;
	return true;
}

/* Tags that the NIC took out of the frame are in the mbuf's flags, one per flag. Returns false
 * after packet_fail(). */
static bool
count_stripped_tags(struct packet_walk *w)
{
	static const uint64_t flags[] = { RTE_MBUF_F_RX_QINQ_STRIPPED,
		RTE_MBUF_F_RX_VLAN_STRIPPED };
	size_t i;

	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if ((w->m->ol_flags & flags[i]) == 0)
			continue;
		if (!count_tag(w))
			return false;
		packet_add_layer(w, PACKET_LAYER_VLAN);
	}
	return true;
}

void
packet_walk_ethernet(struct packet_walk *w)
{
	bool is_outermost = w->offset == 0;
	const uint8_t *p = packet_need(w, 0, ETHER_SIZE);
	uint16_t type;

	if (p == NULL)
		return;
	type = packet_be16(p + 12);
	packet_advance(w, ETHER_SIZE);
	packet_add_layer(w, PACKET_LAYER_ETH);
	w->n_tags = 0;
	if (!is_outermost || count_stripped_tags(w))
		next_type_or_length(w, type);
}

void
packet_walk_tag(struct packet_walk *w)
{
	const uint8_t *p;
	uint16_t type;

	if (!count_tag(w))
		return;
	p = packet_need(w, 0, TAG_SIZE);
	if (p == NULL)
		return;
	type = packet_be16(p + 2);
	packet_advance(w, TAG_SIZE);
	packet_add_layer(w, PACKET_LAYER_VLAN);
	next_type_or_length(w, type);
}

void
packet_walk_pbb(struct packet_walk *w)
{
	if (!count_tag(w) || !packet_enter_tunnel(w) || packet_need(w, 0, PBB_SIZE) == NULL)
		return;
	packet_advance(w, PBB_SIZE);
	packet_add_layer(w, PACKET_LAYER_PBB);
	w->step = PACKET_STEP_ETHERNET;
}

static void
next_non_ip(struct packet_walk *w, enum non_ip protocol)
{
	w->step = PACKET_STEP_NON_IP;
	w->non_ip = protocol;
}

static void
walk_snap(struct packet_walk *w)
{
	const uint8_t *p = packet_need(w, 0, SNAP_SIZE);
	uint32_t oui;
	uint16_t type;

	if (p == NULL)
		return;
	oui = packet_be32(p) >> 8;
	type = packet_be16(p + 3);
	packet_advance(w, SNAP_SIZE);
	packet_add_layer(w, PACKET_LAYER_SNAP);
	if (oui == OUI_ETHERTYPE)
		next_type(w, type);
	else if (oui == OUI_CISCO && type == CISCO_CDP)
		next_non_ip(w, NON_IP_CDP);
	else if (oui == OUI_CISCO && type == CISCO_PVST)
		next_non_ip(w, NON_IP_STP);
	else
		packet_fail(w, REASON_UNKNOWN_ETHERTYPE);
}

void
packet_walk_llc(struct packet_walk *w)
{
	const uint8_t *p = packet_need(w, 0, LLC_SIZE);
	uint16_t saps;

	if (p == NULL)
		return;
	saps = packet_be16(p);
	if (p[2] != LLC_UI) {
		packet_fail(w, REASON_UNKNOWN_ETHERTYPE);
		return;
	}
	packet_advance(w, LLC_SIZE);
	packet_add_layer(w, PACKET_LAYER_LLC);
	if (saps == SAP_SNAP)
		walk_snap(w);
	else if (saps == SAP_STP)
		next_non_ip(w, NON_IP_STP);
	else if (saps == SAP_IP)
		w->step = PACKET_STEP_IP4;
	else
		packet_fail(w, REASON_UNKNOWN_ETHERTYPE);
}

/* LACP and its marker protocol; OAM, ESMC and the others have no key. */
void
packet_walk_slow_protocol(struct packet_walk *w)
{
	const uint8_t *p = packet_need(w, 0, 1);

	if (p == NULL)
		return;
	if (p[0] == SLOW_LACP || p[0] == SLOW_MARKER)
		next_non_ip(w, NON_IP_LACP);
	else
		packet_fail(w, REASON_UNKNOWN_ETHERTYPE);
}

void
packet_walk_non_ip(struct packet_walk *w)
{
	packet_add_layer(w, w->non_ip == NON_IP_ARP ? PACKET_LAYER_ARP : PACKET_LAYER_NON_IP);
	if (w->version == 0)
		w->info->non_ip = w->non_ip;
	w->step = PACKET_STEP_DONE;
}

void
packet_walk_opaque_type(struct packet_walk *w)
{
	packet_stop_opaque(w, PACKET_LAYER_OPAQUE);
	if (w->version == 0)
		packet_fail(w, REASON_UNKNOWN_ETHERTYPE);
}

/* Protocols that set a session up or tend it have the numbers from 0x8000 on (RFC 1661 section 2);
 * those below carry packets. */
static bool
is_ppp_control(uint16_t protocol)
{
	return protocol >= 0x8000;
}

/* The protocol field, which peers may compress to its second byte, the odd one (RFC 1661). */
static void
next_ppp(struct packet_walk *w)
{
	const uint8_t *p = packet_need(w, 0, 1);
	uint16_t protocol;
	uint32_t size;

	if (p == NULL)
		return;
	size = (p[0] & 1) != 0 ? 1 : 2;
	p = packet_need(w, 0, size);
	if (p == NULL)
		return;
	protocol = size == 1 ? p[0] : packet_be16(p);
	packet_advance(w, size);
	if (protocol == 0x0021)
		w->step = PACKET_STEP_IP4;
	else if (protocol == 0x0057)
		w->step = PACKET_STEP_IP6;
	else if (protocol == 0x0281 || protocol == 0x0283)
		w->step = PACKET_STEP_MPLS;
	else if (is_ppp_control(protocol))
		next_non_ip(w, NON_IP_PPPOE_CONTROL);
	else
		packet_fail(w, REASON_BAD_ENCAPSULATION);
}

/* RFC 2516. A session frame has code 0. */
void
packet_walk_pppoe(struct packet_walk *w)
{
	const uint8_t *p = packet_need(w, 0, PPPOE_SIZE);
	uint16_t length;

	if (p == NULL)
		return;
	length = packet_be16(p + 4);
	if (p[0] != PPPOE_VERSION_1 || p[1] != 0) {
		packet_fail(w, REASON_BAD_ENCAPSULATION);
		return;
	}
	packet_advance(w, PPPOE_SIZE);
	packet_add_layer(w, PACKET_LAYER_PPPOE);
	if (packet_is_length_lie(w, length)) {
		packet_fail(w, REASON_BAD_TOTAL_LENGTH);
		return;
	}
	packet_limit(w, length);
	next_ppp(w);
}

/* Linux cooked capture: the protocol field, or LLC behind the header. */
static void
walk_sll(struct packet_walk *w, uint32_t size, uint32_t type_at)
{
	const uint8_t *p = packet_need(w, 0, size);
	uint16_t type;

	if (p == NULL)
		return;
	type = packet_be16(p + type_at);
	packet_advance(w, size);
	packet_add_layer(w, PACKET_LAYER_SLL);
	if (!count_stripped_tags(w))
		return;
	if (type == SLL_LLC)
		w->step = PACKET_STEP_LLC;
	else
		next_type(w, type);
}

/* The address family of BSD loopback is in the byte order of the machine that captured. */
static void
walk_null(struct packet_walk *w)
{
	const uint8_t *p = packet_need(w, 0, NULL_SIZE);
	uint32_t family;

	if (p == NULL)
		return;
	family = packet_be32(p);
	if (family > 0xffff)
		family = __builtin_bswap32(family);
	packet_advance(w, NULL_SIZE);
	packet_add_layer(w, PACKET_LAYER_NULL);
	if (family == 2)
		w->step = PACKET_STEP_IP4;
	else if (family == 10 || family == 24 || family == 28 || family == 30)
		w->step = PACKET_STEP_IP6;
	else
		packet_fail(w, REASON_UNKNOWN_ETHERTYPE);
}

void
packet_walk_link(struct packet_walk *w)
{
	switch (w->link) {
	case PACKET_LINK_ETHERNET:
		packet_walk_ethernet(w);
		break;
	case PACKET_LINK_IP:
		packet_next_ip(w, REASON_BAD_VERSION);
		break;
	case PACKET_LINK_SLL:
		walk_sll(w, SLL_SIZE, 14);
		break;
	case PACKET_LINK_SLL2:
		walk_sll(w, SLL2_SIZE, 0);
		break;
	case PACKET_LINK_NULL:
		walk_null(w);
		break;
	}
}
