/* SPDX-License-Identifier: BSD-3-Clause */
/* Callbacks of DPDK on reception and transmission, which run in the worker. */
#include "hitless.h"

#include <rte_cycles.h>
#include <string.h>

static const struct rte_eth_rxtx_callback *on_rx, *on_tx;

static unsigned int
bucket_of(uint64_t cycles)
{
	unsigned int power, bucket;

	if (cycles < HITLESS_STEPS)
		return (unsigned int)cycles;
	power = 63u - (unsigned int)__builtin_clzll(cycles);
	bucket = (power - 2) * HITLESS_STEPS + (unsigned int)((cycles >> (power - 3)) & 7);
	return RTE_MIN(bucket, HITLESS_BUCKETS - 1u);
}

uint64_t
hitless_bucket_end(unsigned int bucket)
{
	unsigned int power = bucket / HITLESS_STEPS + 2;

	if (bucket < HITLESS_STEPS)
		return bucket;
	return ((UINT64_C(9) + bucket % HITLESS_STEPS) << (power - 3)) - 1;
}

uint64_t
hitless_percentile(const struct hitless *h, double share)
{
	uint64_t n = 0, wanted = (uint64_t)((double)h->n_bursts * share);
	unsigned int i;

	for (i = 0; i < HITLESS_BUCKETS - 1; i++) {
		n += h->histogram[i];
		if (n >= wanted && n > 0)
			break;
	}
	return hitless_bucket_end(i);
}

static bool
is_judged_by(const struct hitless *h, uint32_t generation)
{
	unsigned int policy = generation % 2;

	return h->n_out == h->n_wanted[policy] && (h->n_out == 0 || (h->common >> policy & 1));
}

/* What was dropped of the last burst is back in the pool: it enters again, behind all others. */
static void
give_back(struct hitless *h)
{
	struct rte_mbuf *pkts[WORKER_BURST];
	unsigned int n = h->n_in - h->n_out;

	if (n > 0 && rte_mempool_get_bulk(h->rig->pool, (void **)pkts, n) == 0)
		h->n_lost += n - rte_ring_enqueue_burst(h->rig->in[0], (void **)pkts, n, NULL);
}

/* `after`: the generation now; the burst was judged by it, by the one of its reception, or by one
 * between. */
static void
judge_burst(struct hitless *h, uint32_t after)
{
	h->n_bursts++;
	h->n_frames += h->n_in;
	h->n_forwarded += h->n_out;
	h->histogram[bucket_of(rte_rdtsc() - h->begin)]++;
	h->n_during_swap += after != h->before;
	if (!is_judged_by(h, h->before) && (after == h->before || !is_judged_by(h, h->before + 1)))
		h->n_misjudged++;
	give_back(h);
	h->n_in = 0;
}

static uint32_t
generation_now(const struct hitless *h)
{
	return publisher_get(h->publisher)->number;
}

static uint16_t
received(uint16_t port, uint16_t queue, struct rte_mbuf **pkts, uint16_t n, uint16_t n_max,
	void *context)
{
	struct hitless *h = context;
	unsigned int i;

	if (h->n_in > 0)
		judge_burst(h, generation_now(h));
	h->n_wanted[0] = h->n_wanted[1] = h->n_out = 0;
	h->common = 3;
	for (i = 0; i < n; i++) {
		h->n_wanted[0] += rig_marks(pkts[i]) & 1;
		h->n_wanted[1] += rig_marks(pkts[i]) >> 1 & 1;
	}
	h->n_in = n;
	h->before = generation_now(h);
	h->begin = rte_rdtsc();
	return n;
}

static uint16_t
sending(uint16_t port, uint16_t queue, struct rte_mbuf **pkts, uint16_t n, void *context)
{
	struct hitless *h = context;
	unsigned int i;

	for (i = 0; i < n; i++)
		h->common &= rig_marks(pkts[i]);
	h->n_out += n;
	return n;
}

int
hitless_attach(struct hitless *h, const struct rig *rig, struct publisher *publisher)
{
	memset(h, 0, sizeof(*h));
	h->rig = rig;
	h->publisher = publisher;
	on_rx = rte_eth_add_rx_callback(rig->inside, 0, received, h);
	on_tx = rte_eth_add_tx_callback(rig->outside, 0, sending, h);
	return on_rx != NULL && on_tx != NULL ? 0 : -1;
}

void
hitless_detach(struct hitless *h)
{
	if (h->n_in > 0)
		judge_burst(h, generation_now(h));
	rte_eth_remove_rx_callback(h->rig->inside, 0, on_rx);
	rte_eth_remove_tx_callback(h->rig->outside, 0, on_tx);
}
