/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The data plane. One ruleset per burst; verdicts are data; what is not sent is freed and has a
 * named counter. Lengths are kept on the stack, since an mbuf is not touched after tx_burst, and so
 * is each frame's answer, which is changed to what became of the frame before it is counted.
 */
#include "worker.h"

#include <rte_branch_prediction.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <time.h>

#define TX_TRIES 8
#define STRIPPED (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED)

struct burst {
	const struct generation *generation;
	struct rte_mbuf **pkts;
	unsigned int n;
	struct classify_answers verdicts;
	uint32_t lengths[WORKER_BURST];
};

/* Frames of a burst that share a fate, and their positions in it. */
struct fate {
	unsigned int n;
	struct rte_mbuf *pkts[WORKER_BURST];
	uint8_t at[WORKER_BURST];
};

/* The frame at `at` of the burst is not forwarded, because of the appliance. */
static void
set_lost(struct burst *b, unsigned int at, reason_t reason)
{
	b->verdicts.answer[at] =
		ruleset_answer(b->verdicts.answer[at] & RULESET_CLASS_MASK, reason, VERDICT_DROP);
}

static void
free_lost(struct burst *b, const struct fate *f, unsigned int first, reason_t reason)
{
	unsigned int i;

	for (i = first; i < f->n; i++)
		set_lost(b, f->at[i], reason);
	for (i = first; i < f->n; i++)
		rte_pktmbuf_free(f->pkts[i]);
}

/* Frames whose verdict is not that of their class. */
static void
count_odd(struct worker *w, const struct burst *b)
{
	const struct stats_class *c = &b->generation->counters[w->id];
	const uint8_t *verdicts = b->generation->ruleset->verdict;
	unsigned int i;

	for (i = 0; i < b->n; i++) {
		struct classify_result r = classify_result_of(&b->verdicts, i);
		verdict_t more;

		if (!r.is_odd || r.class == CLASSIFY_NO_CLASS)
			continue;
		more = r.verdict & (verdict_t)~verdicts[r.class];
		if (more & VERDICT_DROP)
			stats_add(&c->odd_dropped[r.class], 1, b->lengths[i]);
		if (more & VERDICT_MIRROR)
			stats_add(&c->odd_mirrored[r.class], 1, b->lengths[i]);
	}
}

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now); /* vDSO, no system call */
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* How much of a frame its copy keeps. */
static uint32_t
copy_length(const struct worker *w, const struct burst *b, const struct rte_mbuf *m)
{
	struct packet_info info;

	if (w->mirror_snaplen != 0)
		return w->mirror_snaplen;
	packet_parse(m, m->pkt_len, PACKET_LINK_ETHERNET, &b->generation->policy->limits,
		PACKET_DESTINATIONS, &info);
	return info.headers_length;
}

static void
mirror_frame(struct worker *w, const struct worker_queue *q, const struct burst *b, unsigned int k,
	uint64_t time_ns)
{
	struct classify_result r = classify_result_of(&b->verdicts, k);
	struct mirror_note note = {
		.time_ns = time_ns,
		.generation = b->generation,
		.class = r.class,
		.wire_length = b->lengths[k],
		.interface = q->interface,
		.verdict = r.verdict,
		.reason = r.reason,
		.non_ip = r.non_ip,
		.is_odd = r.is_odd,
		.is_inbound = q->direction == CLASSIFY_INBOUND,
	};

	stats_add(&w->stats.mirrored, 1, b->lengths[k]);
	if (w->ring == NULL ||
		!mirror_ring_put(w->ring, b->pkts[k], copy_length(w, b, b->pkts[k]), &note))
		stats_add(&w->stats.mirror_lost, 1, b->lengths[k]);
}

static void
mirror_burst(struct worker *w, const struct worker_queue *q, const struct burst *b)
{
	uint64_t time_ns = now_ns();
	unsigned int i;

	for (i = 0; i < b->n; i++)
		if ((b->verdicts.answer[i] & RULESET_MIRROR) != 0)
			mirror_frame(w, q, b, i, time_ns);
}

/* mode = shadow: what would have been dropped is counted as such, and forwarded. */
static void
count_shadow(struct worker *w, struct burst *b)
{
	unsigned int i;

	for (i = 0; i < b->n; i++) {
		ruleset_answer_t *answer = &b->verdicts.answer[i];

		if ((*answer & RULESET_FORWARD) != 0)
			continue;
		stats_add(&w->stats.shadow[ruleset_answer_reason(*answer)], 1, b->lengths[i]);
		*answer = ruleset_answer(*answer & RULESET_CLASS_MASK, REASON_SHADOW, VERDICT_PASS);
	}
}

static void
split(const struct burst *b, struct fate *pass, struct fate *drop)
{
	unsigned int i, is_pass, n_pass = 0, n_drop = 0;

	for (i = 0; i < b->n; i++) {
		is_pass = (b->verdicts.answer[i] & RULESET_FORWARD) != 0;
		pass->pkts[n_pass] = drop->pkts[n_drop] = b->pkts[i];
		pass->at[n_pass] = (uint8_t)i;
		n_pass += is_pass;
		n_drop += !is_pass;
	}
	pass->n = n_pass;
	drop->n = n_drop;
}

/* Frames leave as they came: a tag that the NIC took off although nobody asked is put back. Returns
 * false when it cannot be: two tags taken off, or no room in front. */
static bool
restore_tag(struct rte_mbuf **m)
{
	if (likely(!((*m)->ol_flags & STRIPPED)))
		return true;
	if ((*m)->ol_flags & RTE_MBUF_F_RX_QINQ_STRIPPED)
		return false;
	return rte_vlan_insert(m) == 0;
}

/* Frames whose tags cannot be put back are taken out of `pass` and dropped. */
static void
restore_tags(struct burst *b, struct fate *pass)
{
	struct fate lost = { .n = 0 };
	unsigned int i, n = 0;

	for (i = 0; i < pass->n; i++) {
		struct rte_mbuf *m = pass->pkts[i];
		struct fate *to = restore_tag(&m) ? pass : &lost;
		unsigned int *k = to == pass ? &n : &lost.n;

		to->pkts[*k] = m;
		to->at[(*k)++] = pass->at[i];
	}
	pass->n = n;
	free_lost(b, &lost, 0, REASON_NO_MBUF);
}

/* Send; what the port does not take after a few tries is lost to tx-full. */
static void
send_frames(const struct worker_queue *q, struct burst *b, struct fate *pass)
{
	unsigned int n_sent = 0, tries;

	for (tries = 0; n_sent < pass->n && tries < TX_TRIES; tries++)
		n_sent += rte_eth_tx_burst(
			q->tx_port, q->queue, pass->pkts + n_sent, (uint16_t)(pass->n - n_sent));
	free_lost(b, pass, n_sent, REASON_TX_FULL);
}

static void
forward(const struct worker_queue *q, struct burst *b, uint64_t flags)
{
	struct fate pass, drop;

	split(b, &pass, &drop);
	if (drop.n > 0)
		rte_pktmbuf_free_bulk(drop.pkts, drop.n);
	if (unlikely((flags & STRIPPED) != 0))
		restore_tags(b, &pass);
	if (likely(__atomic_load_n(q->tx_link_up, __ATOMIC_RELAXED)))
		send_frames(q, b, &pass);
	else
		free_lost(b, &pass, 0, REASON_LINK_DOWN);
}

/* Without a policy nothing is judged and nothing is forwarded. */
static void
refuse_all(struct worker *w, struct burst *b)
{
	struct stats_pair nobody;
	const struct stats_class none = { .all = &nobody };
	unsigned int i;

	for (i = 0; i < b->n; i++)
		b->verdicts.answer[i] =
			ruleset_answer(CLASSIFY_ANSWER_NO_CLASS, REASON_NO_POLICY, VERDICT_DROP);
	rte_pktmbuf_free_bulk(b->pkts, b->n);
	account_burst(&w->stats, &none, &nobody, b->verdicts.answer, b->lengths, b->n);
}

/* A candidate's say, which is only counted. */
static void
judge_candidate(const struct worker *w, const struct worker_queue *q, const struct burst *b)
{
	struct classify_result results[WORKER_BURST];
	unsigned int i;

	for (i = 0; i < b->n; i++)
		results[i] = classify_result_of(&b->verdicts, i);
	shadow_judge(w->shadow, w->id, b->generation, q->direction, b->pkts, b->n, results);
}

static void
judge(struct worker *w, const struct worker_queue *q, struct burst *b, uint64_t flags)
{
	const struct generation *g = b->generation;
	const struct stats_class *c = &g->counters[w->id];
	bool is_unjudged =
		q->direction == CLASSIFY_INBOUND && g->policy->inbound == POLICY_INBOUND_PASS;
	struct stats_pair *pairs = is_unjudged ? c->inbound : c->all;
	ruleset_answer_t any = 0;
	unsigned int i;

	classify_burst_answers(g->on_node[w->node], q->direction, b->pkts, b->n, &b->verdicts);
	if (unlikely(w->shadow != NULL && shadow_get(w->shadow) != NULL))
		judge_candidate(w, q, b);
	account_prefetch(pairs, b->verdicts.answer, b->n);
	for (i = 0; i < b->n; i++)
		any |= b->verdicts.answer[i];
	if ((any & CLASSIFY_ODD) != 0)
		count_odd(w, b);
	if ((any & RULESET_MIRROR) != 0)
		mirror_burst(w, q, b);
	if (unlikely(g->policy->mode == POLICY_SHADOW))
		count_shadow(w, b);
	forward(q, b, flags);
	account_burst(&w->stats, c, pairs, b->verdicts.answer, b->lengths, b->n);
}

void
worker_process(
	struct worker *w, const struct worker_queue *q, struct rte_mbuf **pkts, unsigned int n)
{
	struct burst b;
	uint64_t flags = 0;
	unsigned int i;

	b.generation = publisher_get(w->publisher);
	b.pkts = pkts;
	b.n = n;
	for (i = 0; i < n; i++) {
		b.lengths[i] = pkts[i]->pkt_len;
		flags |= pkts[i]->ol_flags;
	}
	if (likely(b.generation != NULL))
		judge(w, q, &b, flags);
	else
		refuse_all(w, &b);
}
