/* SPDX-License-Identifier: BSD-3-Clause */
#include "rig.h"

#include "geo/geo_build.h"

#include <math.h>
#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_lcore.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ETHER_SIZE 14u
#define FRAME_SIZE 60u /* without FCS */

static unsigned int
free_hugepages_mb(void)
{
	FILE *f = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "re");
	unsigned int n = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%u", &n) != 1)
		n = 0;
	fclose(f);
	return 2 * n;
}

static void
lcore_map(const char *cores, char *buf, size_t size)
{
	unsigned int lcore = 1;
	const char *at;
	size_t n = (size_t)snprintf(buf, size, "--lcores=0@0");

	for (at = cores; at != NULL && n < size; at = strchr(at, ',')) {
		at += *at == ',';
		n += (size_t)snprintf(buf + n, size - n, ",%u@%lu", lcore++, strtoul(at, NULL, 10));
	}
}

int
rig_start_eal(const char *cores, unsigned int memory_mb)
{
	static char map[128], memory[16];
	bool is_huge = free_hugepages_mb() >= memory_mb;
	cpu_set_t inherited;
	char *argv[16];
	static char words[][24] = { "rig", "--no-pci", "--no-telemetry", "--no-shconf", "-m",
		"--log-level=*:error", "--in-memory", "--no-huge" };
	int n = 0;

	lcore_map(cores, map, sizeof(map));
	snprintf(memory, sizeof(memory), "%u", memory_mb);
	argv[n++] = words[0];
	argv[n++] = map;
	argv[n++] = words[1];
	argv[n++] = words[2];
	argv[n++] = words[4];
	argv[n++] = memory;
	argv[n++] = words[5];
	argv[n++] = is_huge ? words[6] : words[7];
	if (!is_huge)
		argv[n++] = words[3];
	sched_getaffinity(0, sizeof(inherited), &inherited);
	if (rte_eal_init(n, argv) < 0)
		return -1;
	if (cores == NULL) /* threads that a test makes are not to share the main one's core */
		sched_setaffinity(0, sizeof(inherited), &inherited);
	return 0;
}

static int
start_port(const struct rig *rig, const char *rig_name, const char *side, struct rte_ring **rx,
	struct rte_ring **tx)
{
	char name[32];
	struct rte_eth_conf conf = { .rxmode = { .mq_mode = RTE_ETH_MQ_RX_NONE } };
	uint16_t n = (uint16_t)rig->n_queues, q;
	int port;

	snprintf(name, sizeof(name), "%s_%s", rig_name, side);
	port = rte_eth_from_rings(name, rx, n, tx, n, 0);
	if (port < 0 || rte_eth_dev_configure((uint16_t)port, n, n, &conf) != 0)
		return -1;
	for (q = 0; q < n; q++)
		if (rte_eth_rx_queue_setup((uint16_t)port, q, 64, 0, NULL, rig->pool) != 0 ||
			rte_eth_tx_queue_setup((uint16_t)port, q, 64, 0, NULL) != 0)
			return -1;
	return rte_eth_dev_start((uint16_t)port) == 0 ? port : -1;
}

static int
make_rings(struct rte_ring *rings[RIG_QUEUES_MAX], unsigned int n, const char *name,
	const char *way, unsigned int size)
{
	char full[32];
	unsigned int i;

	for (i = 0; i < n; i++) {
		snprintf(full, sizeof(full), "%s_%s%u", name, way, i);
		rings[i] = rte_ring_create(full, size, 0, RING_F_SP_ENQ | RING_F_SC_DEQ);
		if (rings[i] == NULL)
			return -1;
	}
	return 0;
}

int
rig_init(struct rig *rig, const struct rig_options *o)
{
	struct rte_ring *back_in[RIG_QUEUES_MAX], *back_out[RIG_QUEUES_MAX];
	const char *name = o->name != NULL ? o->name : "rig";
	int inside, outside;

	memset(rig, 0, sizeof(*rig));
	rig->n_queues = o->n_queues;
	rig->n_mbufs = o->n_mbufs;
	rig->pool = rte_pktmbuf_pool_create(
		name, o->n_mbufs, 256, 0, RTE_PKTMBUF_HEADROOM + 128, (int)rte_socket_id());
	if (rig->pool == NULL || make_rings(rig->in, o->n_queues, name, "in", o->ring_size) != 0 ||
		make_rings(back_in, o->n_queues, name, "back_in", 64) != 0 ||
		make_rings(back_out, o->n_queues, name, "back_out", 64) != 0)
		return -1;
	if (o->is_loop)
		memcpy(rig->out, rig->in, sizeof(rig->out));
	else if (make_rings(rig->out, o->n_queues, name, "out", o->out_size) != 0)
		return -1;
	inside = start_port(rig, name, "inside", rig->in, back_out);
	outside = start_port(rig, name, "outside", back_in, rig->out);
	if (inside < 0 || outside < 0)
		return -1;
	rig->inside = (uint16_t)inside;
	rig->outside = (uint16_t)outside;
	return 0;
}

void
rig_worker_init(const struct rig *rig, struct worker *w, unsigned int id,
	struct publisher *publisher, const bool *stop)
{
	static const bool link_up = true;

	memset(w, 0, sizeof(*w));
	w->id = id;
	w->lcore = id + 1;
	w->publisher = publisher;
	w->stop = stop;
	w->mirror_snaplen = 128;
	load_init(&w->load);
	w->n_queues = 1;
	w->queues[0] = (struct worker_queue){ .rx_port = rig->inside,
		.tx_port = rig->outside,
		.queue = (uint16_t)id,
		.direction = CLASSIFY_OUTBOUND,
		.tx_link_up = &link_up,
		.rx_is_open = &link_up };
}

struct geo_ref *
rig_geo_full(void)
{
	struct err e;

	return geo_ref_load(geo_default_path(), &e);
}

struct geo_ref *
rig_geo_small(void)
{
	static const char *const countries[] = { "CN", "IE", "US", "DE" };
	struct geo_build *b = geo_build_new();
	struct geo_ref *ref = calloc(1, sizeof(*ref));
	uint32_t i;

	if (b == NULL || ref == NULL)
		return NULL;
	for (i = 0; i < 4; i++) {
		struct ip_range r4 = { IP4(i + 1, 0, 0, 0), IP4(i + 1, 255, 255, 255), 4 };
		struct ip_range r6 = { IP6((UINT64_C(0x2a00) + i) << 48, 0),
			IP6(((UINT64_C(0x2a01) + i) << 48) - 1, UINT64_MAX), 6 };
		uint16_t source = (uint16_t)geo_build_add_source(b, "rig");

		if (geo_build_add_country(b, &r4, countries[i], source) != 0 ||
			geo_build_add_country(b, &r6, countries[i], source) != 0)
			return NULL;
	}
	ref->table = geo_build_seal(b);
	ref->n_users = 1;
	return ref->table != NULL ? ref : NULL;
}

struct generation *
rig_generation(uint32_t number, struct geo_ref *geo, const char *text, unsigned int n_workers)
{
	struct policy *policy = policy_parse(text, strlen(text), "policy.ini", NULL);

	return policy != NULL ? generation_new(number, policy, geo, false, n_workers) : NULL;
}

uint64_t
rig_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* The inverse of the harmonic sum; ranks are spread over the table, so that popular ranges are no
 * neighbours. */
static size_t
pick_range(size_t n, uint64_t *random)
{
	double u = (double)(rig_random(random) >> 11) / 9007199254740992.0;
	size_t rank = (size_t)exp(u * log((double)n)) % n;

	return rank * 2654435761u % n;
}

static void
put16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint8_t *
put_ip4(uint8_t *p, const struct geo_table *geo, uint64_t *random)
{
	const struct geo_range4 *r = &geo->ranges4[pick_range(geo->n_ranges4, random)];
	uint32_t to =
		r->first + (uint32_t)(rig_random(random) % (r->last - r->first + UINT64_C(1)));

	p[12] = 0x08;
	p += ETHER_SIZE;
	p[0] = 0x45;
	put16(p + 2, 20 + 8);
	p[8] = 64;
	p[9] = 17;
	p[12] = 10;
	put16(p + 16, to >> 16);
	put16(p + 18, to & 0xffff);
	return p + 20;
}

static uint8_t *
put_ip6(uint8_t *p, const struct geo_table *geo, uint64_t *random)
{
	ip6_t to = geo->ranges6[pick_range(geo->n_ranges6, random)].first;

	put16(p + 12, 0x86dd);
	p += ETHER_SIZE;
	p[0] = 0x60;
	put16(p + 4, 8);
	p[6] = 17;
	p[7] = 64;
	ip6_to_bytes(IP6(UINT64_C(0x2a00) << 48, 1), p + 8);
	ip6_to_bytes(to + (rig_random(random) & 7), p + 24);
	return p + 40;
}

void
rig_make_frame(
	struct rte_mbuf *m, enum rig_shape shape, const struct geo_table *geo, uint64_t *random)
{
	uint8_t *begin = rte_pktmbuf_mtod(m, uint8_t *), *p;
	bool is_ip6 = shape == RIG_IP6 || (shape == RIG_MIXED && rig_random(random) % 10 < 3);

	memset(begin, 0, 128);
	begin[0] = begin[6] = 2;
	p = is_ip6 ? put_ip6(begin, geo, random) : put_ip4(begin, geo, random);
	put16(p, 40000);
	put16(p + 2, 53);
	put16(p + 4, 8);
	m->data_len = (uint16_t)RTE_MAX(p + 8 - begin, (ptrdiff_t)FRAME_SIZE);
	m->pkt_len = m->data_len;
}

void
rig_mark(struct rte_mbuf *m, unsigned int i, const struct generation *g)
{
	static struct classify_detail d;

	classify_frame(g->ruleset, CLASSIFY_OUTBOUND, m, m->pkt_len, PACKET_LINK_ETHERNET, &d);
	if (!(d.result.verdict & VERDICT_DROP))
		rte_pktmbuf_mtod(m, uint8_t *)[8] |= (uint8_t)(1u << i);
}
