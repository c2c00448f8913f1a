/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The data plane. One ruleset per burst; verdicts are data; what is not sent is freed and has a
 * named counter. Lengths are kept on the stack, since an mbuf is not touched after tx_burst.
 */
#include "worker.h"

#include <rte_branch_prediction.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_pause.h>
#include <rte_mbuf.h>
#include <time.h>

#define TX_TRIES 8

struct burst {
	const struct generation *generation;
	struct rte_mbuf **pkts;
	unsigned int n;
	struct classify_result results[WORKER_BURST];
	uint32_t lengths[WORKER_BURST];
};

/* Positions of a burst's frames that share a fate. */
struct positions {
	unsigned int n;
	uint8_t at[WORKER_BURST];
};

static void
count_reason(struct stats_worker *s, reason_t reason, bool is_drop, uint32_t bytes)
{
	stats_add(&s->reason[reason][is_drop], 1, bytes);
	stats_add(is_drop ? &s->dropped : &s->forwarded, 1, bytes);
}

static void
free_and_count(struct worker *w, const struct burst *b, const struct positions *p, reason_t reason)
{
	struct rte_mbuf *freed[WORKER_BURST];
	unsigned int i;

	for (i = 0; i < p->n; i++) {
		unsigned int k = p->at[i];

		freed[i] = b->pkts[k];
		count_reason(&w->stats, reason != REASON_NONE ? reason : b->results[k].reason, true,
			b->lengths[k]);
	}
	rte_pktmbuf_free_bulk(freed, p->n);
}

static void
count_classes(struct worker *w, const struct burst *b)
{
	const struct stats_class *c = &b->generation->counters[w->id];
	const uint8_t *verdicts = b->generation->ruleset->verdict;
	unsigned int i;

	for (i = 0; i < b->n; i++) {
		const struct classify_result *r = &b->results[i];
		verdict_t more;

		if (r->class == CLASSIFY_NO_CLASS)
			continue;
		if (r->reason == REASON_INBOUND) {
			stats_add(&c->inbound[r->class], 1, b->lengths[i]);
			continue;
		}
		stats_add(&c->all[r->class], 1, b->lengths[i]);
		if (!r->is_odd)
			continue;
		more = r->verdict & (verdict_t)~verdicts[r->class];
		if (more & VERDICT_DROP)
			stats_add(&c->odd_dropped[r->class], 1, b->lengths[i]);
		if (more & VERDICT_MIRROR)
			stats_add(&c->odd_mirrored[r->class], 1, b->lengths[i]);
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
	const struct classify_result *r = &b->results[k];
	struct mirror_note note = {
		.time_ns = time_ns,
		.generation = b->generation,
		.class = r->class,
		.wire_length = b->lengths[k],
		.interface = q->interface,
		.verdict = r->verdict,
		.reason = r->reason,
		.non_ip = r->non_ip,
		.is_odd = r->is_odd,
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
	uint64_t time_ns = 0;
	unsigned int i;

	for (i = 0; i < b->n; i++) {
		if (!(b->results[i].verdict & VERDICT_MIRROR))
			continue;
		if (time_ns == 0)
			time_ns = now_ns();
		mirror_frame(w, q, b, i, time_ns);
	}
}

/* Frames leave as they came: a tag that the NIC took off although nobody asked is put back. Returns
 * false when it cannot be: two tags taken off, or no room in front. */
static bool
restore_tag(struct rte_mbuf *m)
{
	if (likely(!(m->ol_flags & (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED))))
		return true;
	if (m->ol_flags & RTE_MBUF_F_RX_QINQ_STRIPPED)
		return false;
	return rte_vlan_insert(&m) == 0;
}

/* Frames whose tags cannot be put back are taken out of `p` and dropped. */
static void
restore_tags(struct worker *w, const struct burst *b, struct positions *p)
{
	struct positions lost = { .n = 0 };
	unsigned int i, n = 0;

	for (i = 0; i < p->n; i++) {
		if (restore_tag(b->pkts[p->at[i]]))
			p->at[n++] = p->at[i];
		else
			lost.at[lost.n++] = p->at[i];
	}
	p->n = n;
	if (lost.n > 0)
		free_and_count(w, b, &lost, REASON_NO_MBUF);
}

/* Send; what the port does not take after a few tries is lost to tx-full. */
static void
send_frames(struct worker *w, const struct worker_queue *q, const struct burst *b,
	const struct positions *p, bool is_shadow)
{
	struct positions lost = { .n = 0 };
	struct rte_mbuf *out[WORKER_BURST];
	unsigned int i, n_sent = 0, tries;

	for (i = 0; i < p->n; i++)
		out[i] = b->pkts[p->at[i]];
	for (tries = 0; n_sent < p->n && tries < TX_TRIES; tries++)
		n_sent += rte_eth_tx_burst(
			q->tx_port, q->queue, out + n_sent, (uint16_t)(p->n - n_sent));
	for (i = 0; i < n_sent; i++) {
		const struct classify_result *r = &b->results[p->at[i]];
		uint32_t bytes = b->lengths[p->at[i]];

		if (is_shadow && (r->verdict & VERDICT_DROP)) {
			stats_add(&w->stats.shadow[r->reason], 1, bytes);
			count_reason(&w->stats, REASON_SHADOW, false, bytes);
		} else {
			count_reason(&w->stats, r->reason, false, bytes);
		}
	}
	for (i = n_sent; i < p->n; i++)
		lost.at[lost.n++] = p->at[i];
	if (lost.n > 0)
		free_and_count(w, b, &lost, REASON_TX_FULL);
}

static void
split(const struct burst *b, bool is_shadow, struct positions *pass, struct positions *drop)
{
	unsigned int i, mask = is_shadow ? 0 : VERDICT_DROP;

	pass->n = drop->n = 0;
	for (i = 0; i < b->n; i++) {
		unsigned int is_drop = (b->results[i].verdict & mask) != 0;

		pass->at[pass->n] = (uint8_t)i;
		pass->n += !is_drop;
		drop->at[drop->n] = (uint8_t)i;
		drop->n += is_drop;
	}
}

static void
all_positions(const struct burst *b, struct positions *p)
{
	for (p->n = 0; p->n < b->n; p->n++)
		p->at[p->n] = (uint8_t)p->n;
}

void
worker_process(
	struct worker *w, const struct worker_queue *q, struct rte_mbuf **pkts, unsigned int n)
{
	struct burst b = { .generation = publisher_get(w->publisher), .pkts = pkts, .n = n };
	struct positions pass, drop;
	uint64_t bytes = 0;
	unsigned int i;
	bool is_shadow;

	for (i = 0; i < n; i++) {
		b.lengths[i] = pkts[i]->pkt_len;
		bytes += b.lengths[i];
	}
	stats_add(&w->stats.rx, n, bytes);
	if (b.generation == NULL) {
		all_positions(&b, &drop);
		free_and_count(w, &b, &drop, REASON_NO_POLICY);
		return;
	}
	classify_burst(b.generation->ruleset, q->direction, pkts, n, b.results);
	shadow_judge(w->shadow, w->id, b.generation, q->direction, pkts, n, b.results);
	is_shadow = b.generation->policy->mode == POLICY_SHADOW;
	count_classes(w, &b);
	mirror_burst(w, q, &b);
	split(&b, is_shadow, &pass, &drop);
	if (drop.n > 0)
		free_and_count(w, &b, &drop, REASON_NONE);
	restore_tags(w, &b, &pass);
	if (pass.n > 0 && __atomic_load_n(q->tx_link_up, __ATOMIC_RELAXED))
		send_frames(w, q, &b, &pass, is_shadow);
	else if (pass.n > 0)
		free_and_count(w, &b, &pass, REASON_LINK_DOWN);
}

static bool
poll_queues(struct worker *w)
{
	struct rte_mbuf *pkts[WORKER_BURST];
	bool is_busy = false;
	unsigned int i;
	uint16_t n;

	for (i = 0; i < w->n_queues; i++) {
		n = rte_eth_rx_burst(w->queues[i].rx_port, w->queues[i].queue, pkts, WORKER_BURST);
		if (n == 0)
			continue;
		is_busy = true;
		worker_process(w, &w->queues[i], pkts, n);
	}
	return is_busy;
}

int
worker_main(void *arg)
{
	struct worker *w = arg;
	struct rte_rcu_qsbr *qsbr = publisher_workers(w->publisher);

	rte_rcu_qsbr_thread_online(qsbr, w->id);
	while (!__atomic_load_n(w->stop, __ATOMIC_RELAXED)) {
		bool is_busy = poll_queues(w);

		rte_rcu_qsbr_quiescent(qsbr, w->id);
		__atomic_store_n(&w->n_loops, w->n_loops + 1, __ATOMIC_RELAXED);
		if (is_busy)
			__atomic_store_n(&w->n_busy_loops, w->n_busy_loops + 1, __ATOMIC_RELAXED);
		else
			rte_pause();
	}
	rte_rcu_qsbr_thread_offline(qsbr, w->id);
	return 0;
}
