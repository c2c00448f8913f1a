/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The loop over the steps of a walk, and what all of them do: stop with a reason, go behind a
 * header, count. The work is bounded by the limits of the policy and, whatever they are, by
 * PACKET_STEPS_MAX headers.
 */
#include "packet/packet.h"
#include "packet_impl.h"

#include <stdio.h>

static const char *const layer_names[PACKET_LAYER_N] = {
#define X(id, name) [PACKET_LAYER_##id] = name,
	PACKET_LAYERS(X)
#undef X
};

void
packet_fail(struct packet_walk *w, enum reason reason)
{
	if (w->info->reason == REASON_NONE)
		w->info->reason = reason;
	w->step = PACKET_STEP_DONE;
}

void
packet_fail_cut(struct packet_walk *w)
{
	packet_fail(w, w->is_cut ? REASON_BAD_FRAGMENT : REASON_TRUNCATED);
}

bool
packet_enter_tunnel(struct packet_walk *w)
{
	if (w->n_tunnels == w->limits->n_tunnels_max) {
		packet_fail(w, REASON_TOO_DEEP);
		return false;
	}
	w->n_tunnels++;
	return true;
}

void
packet_stop_opaque(struct packet_walk *w, enum packet_layer layer)
{
	packet_add_layer(w, layer);
	w->info->has_opaque = true;
	w->step = PACKET_STEP_DONE;
}

bool
packet_is_length_lie(const struct packet_walk *w, uint32_t size)
{
	return size > packet_room(w) && !w->is_cut;
}

void
packet_limit(struct packet_walk *w, uint32_t size)
{
	if (size > packet_room(w))
		return;
	packet_set_end(w, w->offset + size);
	w->is_cut = false;
}

void
packet_next_ip(struct packet_walk *w, enum reason otherwise)
{
	const uint8_t *p = packet_need(w, 0, 1);

	if (p == NULL)
		return;
	if (p[0] >> 4 == 4)
		w->step = PACKET_STEP_IP4;
	else if (p[0] >> 4 == 6)
		w->step = PACKET_STEP_IP6;
	else
		packet_fail(w, otherwise);
}

static void
walk_step(struct packet_walk *w)
{
	switch (w->step) {
	case PACKET_STEP_LINK:
		packet_walk_link(w);
		break;
	case PACKET_STEP_ETHERNET:
		packet_walk_ethernet(w);
		break;
	case PACKET_STEP_TAG:
		packet_walk_tag(w);
		break;
	case PACKET_STEP_PBB:
		packet_walk_pbb(w);
		break;
	case PACKET_STEP_LLC:
		packet_walk_llc(w);
		break;
	case PACKET_STEP_SLOW_PROTOCOL:
		packet_walk_slow_protocol(w);
		break;
	case PACKET_STEP_NON_IP:
		packet_walk_non_ip(w);
		break;
	case PACKET_STEP_OPAQUE_TYPE:
		packet_walk_opaque_type(w);
		break;
	case PACKET_STEP_MPLS:
		packet_walk_mpls(w);
		break;
	case PACKET_STEP_PPPOE:
		packet_walk_pppoe(w);
		break;
	case PACKET_STEP_IP4:
		packet_walk_ip4(w);
		break;
	case PACKET_STEP_IP6:
		packet_walk_ip6(w);
		break;
	case PACKET_STEP_PROTOCOL:
		packet_walk_protocol(w);
		break;
	case PACKET_STEP_DONE:
		break;
	}
}

/* Field by field: a call of memset() for so few bytes costs as much as a header. */
static void
init_walk(struct packet_walk *w, const struct rte_mbuf *m, uint32_t wire_length)
{
	w->m = w->segment = m;
	w->first = rte_pktmbuf_mtod(m, const uint8_t *);
	w->n_first = m->data_len < m->pkt_len ? m->data_len : m->pkt_len;
	w->segment_start = 0;
	w->offset = w->n_steps = 0;
	packet_set_end(w, wire_length > m->pkt_len ? wire_length : m->pkt_len);
	w->n_captured = m->pkt_len;
	w->n_tags = w->n_tunnels = w->non_ip = 0;
	w->version = w->protocol = w->n_headers = 0;
	w->headers_size = w->payload_size = 0;
	w->destination = 0;
	w->is_cut = false;
}

/* All steps become part of the loop, but for what few frames need. */
__attribute__((flatten)) void
packet_parse(const struct rte_mbuf *m, uint32_t wire_length, enum packet_link link,
	const struct limits *limits, enum packet_judge judge, struct packet_info *info)
{
	struct packet_walk w;

	init_walk(&w, m, wire_length);
	memset(info, 0, offsetof(struct packet_info, layers));
	w.limits = limits;
	w.info = info;
	w.link = link;
	w.judge = judge;
	w.step = link == PACKET_LINK_ETHERNET ? PACKET_STEP_ETHERNET : PACKET_STEP_LINK;
	while (w.step != PACKET_STEP_DONE && info->reason == REASON_NONE && packet_count_step(&w))
		walk_step(&w);
	info->n_steps = w.n_steps;
	info->headers_length = w.offset < w.n_captured ? w.offset : w.n_captured;
}

const char *
packet_layers_format(const struct packet_info *info, char *buf, size_t size)
{
	size_t length = 0;
	unsigned int i;

	if (size > 0)
		buf[0] = '\0';
	for (i = 0; i < info->n_layers && length < size; i++) {
		int n = snprintf(buf + length, size - length, "%s%s", i > 0 ? "/" : "",
			layer_names[info->layers[i]]);

		length += n > 0 ? (size_t)n : 0;
	}
	return buf;
}
