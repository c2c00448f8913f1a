/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * assign: every receive queue has one worker, workers have alike many, and both directions of a flow
 * meet the same one.
 */
#include "suite.h"

#include "assign.h"

#include <rte_thash.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N(array)    (sizeof(array) / sizeof((array)[0]))
#define WORKERS_MAX 16
#define N_FLOWS     20000
#define RETA_SIZE   128 /* entries of the indirection table of common NICs */

static const int any[WORKERS_MAX] = { [0 ... WORKERS_MAX - 1] = -1 };

struct setup {
	struct settings_wire settings[WIRES_MAX];
	struct wires wires;
	struct worker *workers;
};

/* Ports 2i and 2i+1 are wire i, with queues[i] queues each, on NUMA node sockets[i]. */
static void
setup_init(struct setup *s, const unsigned int *queues, const int *sockets, unsigned int n_wires)
{
	unsigned int i;

	memset(s, 0, sizeof(*s));
	s->workers = aligned_alloc(WORKER_ALIGN, WORKERS_MAX * sizeof(*s->workers));
	CU_ASSERT_PTR_NOT_NULL_FATAL(s->workers);
	memset(s->workers, 0, WORKERS_MAX * sizeof(*s->workers));
	s->wires.n = n_wires;
	for (i = 0; i < n_wires; i++) {
		struct wire *w = &s->wires.items[i];

		s->settings[i].queues = (uint16_t)queues[i];
		w->settings = &s->settings[i];
		w->inside.id = (uint16_t)(2 * i);
		w->outside.id = (uint16_t)(2 * i + 1);
		w->inside.socket = w->outside.socket = sockets[i];
	}
}

static void
setup_fini(struct setup *s)
{
	free(s->workers);
}

/* The worker that has queue q of a port, WORKERS_MAX = none or several. */
static unsigned int
owner(const struct setup *s, unsigned int n_workers, unsigned int port, unsigned int q)
{
	unsigned int i, k, n = 0, found = WORKERS_MAX;

	for (i = 0; i < n_workers; i++)
		for (k = 0; k < s->workers[i].n_queues; k++) {
			const struct worker_queue *queue = &s->workers[i].queues[k];

			if (queue->rx_port != port || queue->queue != q)
				continue;
			n++;
			found = i;
			CU_ASSERT_EQUAL(queue->tx_port, port ^ 1);
			CU_ASSERT_EQUAL(queue->interface, port);
			CU_ASSERT_EQUAL(queue->direction,
				port % 2 == 0 ? CLASSIFY_OUTBOUND : CLASSIFY_INBOUND);
		}
	return n == 1 ? found : WORKERS_MAX;
}

/* Largest minus smallest number of queues. */
static unsigned int
spread(const struct setup *s, unsigned int n_workers)
{
	unsigned int i, least = UINT_MAX, most = 0;

	for (i = 0; i < n_workers; i++) {
		least = RTE_MIN(least, s->workers[i].n_queues);
		most = RTE_MAX(most, s->workers[i].n_queues);
	}
	return most - least;
}

static void
check_owners(const struct setup *s, unsigned int n_workers)
{
	unsigned int i, q;

	for (i = 0; i < s->wires.n; i++)
		for (q = 0; q < s->settings[i].queues; q++) {
			unsigned int inside = owner(s, n_workers, 2 * i, q);

			CU_ASSERT(inside < n_workers);
			CU_ASSERT_EQUAL(inside, owner(s, n_workers, 2 * i + 1, q));
		}
}

static void
test_queues_are_spread_evenly_over_workers(void)
{
	static const struct {
		const char *what;
		unsigned int n_wires, queues[WIRES_MAX], n_workers;
	} cases[] = {
		{ "one of each", 1, { 1 }, 1 },
		{ "a queue per worker", 1, { 4 }, 4 },
		{ "more queues than workers", 1, { 7 }, 3 },
		{ "more workers than queues", 1, { 2 }, 5 },
		{ "two wires of one queue, two workers", 2, { 1, 1 }, 2 },
		{ "three wires, three workers", 3, { 1, 1, 1 }, 3 },
		{ "wires of different sizes", 4, { 1, 3, 2, 5 }, 4 },
		{ "as many as there may be", 16, { 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8 },
			16 },
	};
	static const int nowhere[WIRES_MAX] = { -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
		-1, -1, -1 };
	struct setup s;
	size_t i;

	for (i = 0; i < N(cases); i++) {
		setup_init(&s, cases[i].queues, nowhere, cases[i].n_wires);
		CU_ASSERT_EQUAL(assign_queues(&s.wires, s.workers, cases[i].n_workers, any), 0);
		check_owners(&s, cases[i].n_workers);
		CU_ASSERT(spread(&s, cases[i].n_workers) <= 2); /* a pair */
		setup_fini(&s);
	}
}

static void
test_queues_stay_on_their_numa_node_while_that_is_no_burden(void)
{
	static const int workers[] = { 0, 0, 1, 1 }, wires[] = { 1, 0 };
	static const unsigned int queues[] = { 2, 2 };
	struct setup s;

	setup_init(&s, queues, wires, 2);
	CU_ASSERT_EQUAL(assign_queues(&s.wires, s.workers, 4, workers), 0);
	CU_ASSERT_EQUAL(owner(&s, 4, 0, 0), 2);
	CU_ASSERT_EQUAL(owner(&s, 4, 0, 1), 3);
	CU_ASSERT_EQUAL(owner(&s, 4, 2, 0), 0);
	CU_ASSERT_EQUAL(owner(&s, 4, 2, 1), 1);
	setup_fini(&s);
}

static void
test_far_workers_help_when_the_near_ones_are_full(void)
{
	static const int workers[] = { 0, 1, 1, 1 }, wire[] = { 0 };
	static const unsigned int queues[] = { 8 };
	struct setup s;
	unsigned int i;

	setup_init(&s, queues, wire, 1);
	CU_ASSERT_EQUAL(assign_queues(&s.wires, s.workers, 4, workers), 0);
	check_owners(&s, 4);
	for (i = 1; i < 4; i++)
		CU_ASSERT(s.workers[i].n_queues > 0 &&
			  s.workers[i].n_queues <= s.workers[0].n_queues);
	setup_fini(&s);
}

static void
test_too_many_queues_for_one_worker_are_refused(void)
{
	static const unsigned int queues[] = { 64, 1 };
	static const int nowhere[] = { -1, -1 };
	struct setup s;

	setup_init(&s, queues, nowhere, 1);
	CU_ASSERT_EQUAL(assign_queues(&s.wires, s.workers, 1, any), 0);
	CU_ASSERT_EQUAL(s.workers[0].n_queues, WORKER_QUEUES_MAX);
	setup_fini(&s);
	setup_init(&s, queues, nowhere, 2);
	CU_ASSERT_EQUAL(assign_queues(&s.wires, s.workers, 1, any), -ENOSPC);
	setup_fini(&s);
}

static uint32_t
next_random(void)
{
	static uint64_t state = 42;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16);
}

/* Of a flow's addresses and ports (n words in host order) and of the way back. */
static void
hash_both(const uint8_t *key, bool is_ip6, uint32_t *there, uint32_t *back)
{
	uint32_t a[9], b[9];
	unsigned int i, n = is_ip6 ? 4 : 1;

	for (i = 0; i < 2 * n; i++)
		a[i] = next_random();
	a[2 * n] = next_random();
	memcpy(b, a + n, n * sizeof(*a));
	memcpy(b + n, a, n * sizeof(*a));
	b[2 * n] = a[2 * n] << 16 | a[2 * n] >> 16;
	*there = rte_softrss(a, 2 * n + 1, key);
	*back = rte_softrss(b, 2 * n + 1, key);
}

static void
test_both_directions_of_a_flow_meet_one_queue(void)
{
	uint8_t key[WIRES_RSS_KEY_SIZE];
	uint32_t there, back;
	unsigned int i;

	wires_rss_key(key);
	for (i = 0; i < N_FLOWS; i++) {
		hash_both(key, i % 2 == 0, &there, &back);
		CU_ASSERT_EQUAL(there, back);
	}
}

static void
test_flows_are_spread_over_queues(void)
{
	static const unsigned int n_queues[] = { 2, 3, 4, 8, 12, 16 };
	uint8_t key[WIRES_RSS_KEY_SIZE];
	uint32_t there, back;
	unsigned int count[16], i, q;
	size_t k;

	wires_rss_key(key);
	for (k = 0; k < N(n_queues); k++) {
		memset(count, 0, sizeof(count));
		for (i = 0; i < N_FLOWS; i++) {
			hash_both(key, i % 2 == 0, &there, &back);
			count[there % RETA_SIZE % n_queues[k]]++;
		}
		for (q = 0; q < n_queues[k]; q++) { /* 128 entries do not divide evenly either */
			double share = (double)count[q] * n_queues[k] / N_FLOWS;

			CU_ASSERT(share > 0.85 && share < 1.15);
		}
	}
}

static void
test_workers_know_their_node_among_those_that_have_workers(void)
{
	static const struct {
		const char *what;
		int sockets[10];
		unsigned int n_workers, n_nodes, index[10];
	} cases[] = {
		{ "one node", { 0, 0, 0 }, 3, 1, { 0, 0, 0 } },
		{ "the second node only", { 1, 1 }, 2, 1, { 0, 0 } },
		{ "two, in the order of the workers", { 1, 0, 1 }, 3, 2, { 0, 1, 0 } },
		{ "any node is the first", { -1, 2, -1 }, 3, 1, { 0, 0, 0 } },
		{ "more nodes than there are copies", { 0, 1, 2, 3, 4, 5, 6, 7, 8, 7 }, 10, 8,
			{ 0, 1, 2, 3, 4, 5, 6, 7, 0, 7 } },
	};
	struct worker *workers = aligned_alloc(WORKER_ALIGN, 10 * sizeof(*workers));
	size_t i, k;

	CU_ASSERT_PTR_NOT_NULL_FATAL(workers);
	for (i = 0; i < N(cases); i++) {
		struct generation_nodes nodes = { .n = 0 };

		assign_nodes(workers, cases[i].n_workers, cases[i].sockets, &nodes);
		CU_ASSERT_EQUAL(nodes.n, cases[i].n_nodes);
		for (k = 0; k < cases[i].n_workers; k++) {
			CU_ASSERT_EQUAL(workers[k].node, cases[i].index[k]);
			if (cases[i].index[k] > 0)
				CU_ASSERT_EQUAL(nodes.nodes[workers[k].node], cases[i].sockets[k]);
		}
	}
	free(workers);
}

SUITE("assign",
	{ "queues are spread evenly over workers", test_queues_are_spread_evenly_over_workers },
	{ "queues stay on their NUMA node while that is no burden",
		test_queues_stay_on_their_numa_node_while_that_is_no_burden },
	{ "far workers help when the near ones are full",
		test_far_workers_help_when_the_near_ones_are_full },
	{ "too many queues for one worker are refused",
		test_too_many_queues_for_one_worker_are_refused },
	{ "both directions of a flow meet one queue",
		test_both_directions_of_a_flow_meet_one_queue },
	{ "flows are spread over queues", test_flows_are_spread_over_queues },
	{ "workers know their node among those that have workers",
		test_workers_know_their_node_among_those_that_have_workers })
