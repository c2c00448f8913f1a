/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * MPLS (RFC 3032): a stack of labels, and what is behind it by its first nibble (RFC 4928, 4385):
 * 4 and 6 are IP, 0 is a control word with Ethernet behind it, 1 is OAM; anything else is an
 * Ethernet pseudowire without a control word if a known ethertype stands where it should.
 */
#include "packet_impl.h"

#define LABEL_SIZE        4u
#define LABEL_BOTTOM      0x01u /* in the third byte */
#define CONTROL_WORD_SIZE 4u
#define ETHER_SIZE        14u

/* Go behind the stack. Returns false after packet_fail(). */
static bool
walk_labels(struct packet_walk *w)
{
	unsigned int n;
	bool is_bottom = false;

	for (n = 0; !is_bottom; n++) {
		const uint8_t *p;

		if (n == w->limits->n_labels_max) {
			packet_fail(w, REASON_TOO_MANY_LABELS);
			return false;
		}
		p = packet_need(w, 0, LABEL_SIZE);
		if (p == NULL || !packet_count_step(w))
			return false;
		is_bottom = (p[2] & LABEL_BOTTOM) != 0;
		packet_advance(w, LABEL_SIZE);
	}
	packet_add_layer(w, PACKET_LAYER_MPLS);
	return true;
}

static void
walk_control_word(struct packet_walk *w)
{
	if (!packet_enter_tunnel(w) || packet_need(w, 0, CONTROL_WORD_SIZE) == NULL)
		return;
	packet_advance(w, CONTROL_WORD_SIZE);
	packet_add_layer(w, PACKET_LAYER_CONTROL_WORD);
	w->step = PACKET_STEP_ETHERNET;
}

static void
walk_bare_ethernet(struct packet_walk *w)
{
	const uint8_t *p = packet_need(w, 0, ETHER_SIZE);

	if (p == NULL)
		return;
	if (!packet_is_known_type(packet_be16(p + 12)))
		packet_fail(w, REASON_BAD_ENCAPSULATION);
	else if (packet_enter_tunnel(w))
		w->step = PACKET_STEP_ETHERNET;
}

void
packet_walk_mpls(struct packet_walk *w)
{
	const uint8_t *p;

	if (!walk_labels(w))
		return;
	p = packet_need(w, 0, 1);
	if (p == NULL)
		return;
	switch (p[0] >> 4) {
	case 0:
		walk_control_word(w);
		break;
	case 1:
		w->non_ip = NON_IP_MPLS_OAM;
		w->step = PACKET_STEP_NON_IP;
		break;
	case 4:
		w->step = PACKET_STEP_IP4;
		break;
	case 6:
		w->step = PACKET_STEP_IP6;
		break;
	default:
		walk_bare_ethernet(w);
	}
}
