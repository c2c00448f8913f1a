/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two workers on two NUMA nodes, which this machine need not have: the memory of nodes is a list here.
 * Each worker reads the look-up tables of its node and no others, one pointer changes both, and both
 * are freed after the grace period.
 */
#include "suite.h"

#include "assign.h"
#include "rig.h"
#include "room.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#define N_NODES  2
#define N_ARRAYS 6  /* of a ruleset's tables */
#define N_SWAPS  20 /* with two copies of 64 MiB each */
#define PAGE     4096u

static const int nodes[N_NODES] = { 4, 1 };
#define POLICY(us) "[policy]\ndefault = drop\n[country]\napprove = IE" us "\n"

/* What is held, by node. */
static struct piece {
	const void *memory;
	size_t size;
	int node;
} pieces[64 * N_ARRAYS];
static unsigned int n_pieces, n_refused_from; /* 0 = never */

static void *
listed_new(size_t size, int node)
{
	void *memory;

	if (n_refused_from != 0 && n_pieces >= n_refused_from)
		return NULL;
	memory = huge_new_on_touch(size);
	CU_ASSERT_FATAL(memory != NULL && n_pieces < sizeof(pieces) / sizeof(pieces[0]));
	pieces[n_pieces++] = (struct piece){ memory, size, node };
	return memory;
}

static void
listed_free(const void *memory, size_t size)
{
	unsigned int i;

	for (i = 0; i < n_pieces && pieces[i].memory != memory; i++)
		;
	if (memory == NULL)
		return;
	CU_ASSERT_FATAL(i < n_pieces && pieces[i].size == size);
	pieces[i] = pieces[--n_pieces];
	huge_free(memory, size);
}

static const struct huge_memory listed = { listed_new, listed_free };

static unsigned int
count_pieces(int node)
{
	unsigned int i, n = 0;

	for (i = 0; i < n_pieces; i++)
		n += pieces[i].node == node;
	return n;
}

/* Who reads memory of this node now crashes. */
static void
protect(int node, int protection)
{
	unsigned int i;

	for (i = 0; i < n_pieces; i++)
		if (pieces[i].node == node)
			CU_ASSERT_EQUAL_FATAL(
				mprotect((void *)(uintptr_t)pieces[i].memory,
					(pieces[i].size + PAGE - 1) & ~(size_t)(PAGE - 1),
					protection),
				0);
}

struct fixture {
	struct geo_ref *geo;
	struct publisher *publisher;
	struct generation_nodes nodes;
	struct worker *workers;
	bool stop;
};

static struct rig rig;

static struct generation *
make_generation(struct fixture *f, uint32_t number, const char *policy)
{
	struct generation *g = rig_generation(number, f->geo, policy, N_NODES);

	CU_ASSERT_PTR_NOT_NULL_FATAL(g);
	CU_ASSERT_EQUAL_FATAL(generation_spread(g, &f->nodes), 0);
	return g;
}

static void
fixture_init(struct fixture *f)
{
	static const struct rig_options options = {
		.n_queues = N_NODES, .ring_size = 256, .out_size = 256, .n_mbufs = 512
	};
	unsigned int i;

	if (rig.pool == NULL) {
		CU_ASSERT_EQUAL_FATAL(rig_start_eal(NULL, 64), 0);
		CU_ASSERT_EQUAL_FATAL(rig_init(&rig, &options), 0);
	}
	*f = (struct fixture){ .geo = rig_geo_small(), .publisher = publisher_new(N_NODES) };
	f->workers = aligned_alloc(WORKER_ALIGN, N_NODES * sizeof(*f->workers));
	CU_ASSERT_FATAL(f->geo != NULL && f->publisher != NULL && f->workers != NULL);
	for (i = 0; i < N_NODES; i++)
		rig_worker_init(&rig, &f->workers[i], i, f->publisher, &f->stop);
	assign_nodes(f->workers, N_NODES, nodes, &f->nodes);
	f->nodes.memory = &listed;
}

static void
fixture_fini(struct fixture *f)
{
	publisher_free(f->publisher);
	geo_ref_drop(f->geo);
	free(f->workers);
	CU_ASSERT_EQUAL(n_pieces, 0);
}

/* An IPv4 frame to country `to` of rig_geo_small(): 1 CN, 2 IE, 3 US, 4 DE. */
static struct rte_mbuf *
make_frame(const struct fixture *f, uint8_t to)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(rig.pool);
	uint64_t random = 42;

	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	rig_make_frame(m, RIG_IP4, f->geo->table, &random);
	rte_pktmbuf_mtod(m, uint8_t *)[30] = to;
	return m;
}

/* Of one frame to each country, how many worker `id` forwards. */
static uint64_t
forward_by(struct fixture *f, unsigned int id)
{
	struct worker *w = &f->workers[id];
	uint64_t before = stats_of(&w->stats).forwarded.packets;
	struct rte_mbuf *pkts[4];
	void *out;
	uint8_t i;

	for (i = 0; i < 4; i++)
		pkts[i] = make_frame(f, (uint8_t)(i + 1));
	worker_process(w, &w->queues[0], pkts, 4);
	while (rte_ring_dequeue(rig.out[id], &out) == 0)
		rte_pktmbuf_free(out);
	return stats_of(&w->stats).forwarded.packets - before;
}

static void
test_each_worker_reads_the_tables_of_its_node_only(void)
{
	struct fixture f;

	fixture_init(&f);
	publisher_set(f.publisher, make_generation(&f, 1, POLICY(" US DE")));
	CU_ASSERT_EQUAL(count_pieces(nodes[0]), N_ARRAYS);
	CU_ASSERT_EQUAL(count_pieces(nodes[1]), N_ARRAYS);
	protect(nodes[1], PROT_NONE);
	CU_ASSERT_EQUAL(forward_by(&f, 0), 3);
	protect(nodes[1], PROT_READ | PROT_WRITE);
	protect(nodes[0], PROT_NONE);
	CU_ASSERT_EQUAL(forward_by(&f, 1), 3);
	protect(nodes[0], PROT_READ | PROT_WRITE);
	fixture_fini(&f);
}

static void
test_one_node_has_no_copy(void)
{
	struct generation *g;
	struct fixture f;

	fixture_init(&f);
	memset(&f.nodes, 0, sizeof(f.nodes));
	f.nodes.memory = &listed;
	assign_nodes(f.workers, N_NODES, (const int[]){ 4, 4 }, &f.nodes);
	CU_ASSERT_EQUAL(f.nodes.n, 1);
	g = make_generation(&f, 1, POLICY(" US"));
	CU_ASSERT_EQUAL(n_pieces, 0);
	CU_ASSERT_PTR_EQUAL(g->on_node[f.workers[1].node], g->ruleset);
	publisher_set(f.publisher, g);
	CU_ASSERT_EQUAL(forward_by(&f, 1), 2);
	fixture_fini(&f);
}

static void
test_a_node_without_memory_leaves_nothing_behind(void)
{
	struct generation *g;
	struct fixture f;

	fixture_init(&f);
	for (n_refused_from = 2 * N_ARRAYS - 1; n_refused_from > 0; n_refused_from--) {
		g = rig_generation(1, f.geo, POLICY(""), N_NODES);
		CU_ASSERT_PTR_NOT_NULL_FATAL(g);
		CU_ASSERT_EQUAL(generation_spread(g, &f.nodes), -ENOMEM);
		generation_free(g);
		CU_ASSERT_EQUAL(n_pieces, 0);
	}
	fixture_fini(&f);
}

static void
test_memory_is_asked_for_every_copy(void)
{
	struct generation *g;
	struct fixture f;
	uint64_t one;

	fixture_init(&f);
	g = rig_generation(1, f.geo, POLICY(""), 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(g);
	one = room_needed(f.geo->table, 1, 1);
	CU_ASSERT_EQUAL(room_needed(f.geo->table, 1, 0), one);
	CU_ASSERT(one >= ruleset_memory_size(g->ruleset));
	/* Both nodes' and, until they are copied, the compiled ones. */
	CU_ASSERT(room_needed(f.geo->table, 1, 2) >= 3 * ruleset_memory_size(g->ruleset));
	generation_free(g);
	fixture_fini(&f);
}

static void *
run_worker(void *worker)
{
	worker_main(worker);
	return NULL;
}

static void
reclaim(struct publisher *p)
{
	rte_rcu_qsbr_thread_online(publisher_writer(p), 0);
	rte_rcu_qsbr_quiescent(publisher_writer(p), 0);
	rte_rcu_qsbr_thread_offline(publisher_writer(p), 0);
}

/* Put a frame to the US into a worker's queue and wait for what becomes of it: true = it left. */
static bool
frame_leaves(struct fixture *f, unsigned int id)
{
	const struct stats_worker *c = &f->workers[id].stats;
	uint64_t before = stats_of(c).dropped.packets;
	void *out;

	CU_ASSERT_EQUAL_FATAL(rte_ring_enqueue(rig.in[id], make_frame(f, 3)), 0);
	for (;;) {
		if (rte_ring_dequeue(rig.out[id], &out) == 0) {
			rte_pktmbuf_free(out);
			return true;
		}
		if (stats_of(c).dropped.packets != before)
			return false;
	}
}

/* The pointer flips once: a frame that comes after it gets the new generation's verdict on either
 * node. Memory that is freed too early is a crash, and one never freed is counted. */
static void
test_pushes_change_all_nodes_and_free_their_copies(void)
{
	pthread_t threads[N_NODES];
	struct fixture f;
	unsigned int i, k;

	fixture_init(&f);
	publisher_set(f.publisher, make_generation(&f, 1, POLICY("")));
	for (k = 0; k < N_NODES; k++)
		CU_ASSERT_EQUAL_FATAL(
			pthread_create(&threads[k], NULL, run_worker, &f.workers[k]), 0);
	for (i = 0; i < N_SWAPS; i++) {
		publisher_set(f.publisher,
			make_generation(&f, i + 2, i % 2 == 0 ? POLICY(" US") : POLICY("")));
		for (k = 0; k < N_NODES; k++)
			CU_ASSERT_EQUAL(frame_leaves(&f, k), i % 2 == 0);
		do
			reclaim(f.publisher);
		while (publisher_reclaim(f.publisher) > 0);
		CU_ASSERT_EQUAL(count_pieces(nodes[0]), N_ARRAYS);
		CU_ASSERT_EQUAL(count_pieces(nodes[1]), N_ARRAYS);
	}
	__atomic_store_n(&f.stop, true, __ATOMIC_RELAXED);
	for (k = 0; k < N_NODES; k++)
		pthread_join(threads[k], NULL);
	fixture_fini(&f);
}

SUITE("nodes",
	{ "each worker reads the tables of its node only",
		test_each_worker_reads_the_tables_of_its_node_only },
	{ "one node has no copy", test_one_node_has_no_copy },
	{ "a node without memory leaves nothing behind",
		test_a_node_without_memory_leaves_nothing_behind },
	{ "memory is asked for every copy", test_memory_is_asked_for_every_copy },
	{ "pushes change all nodes and free their copies",
		test_pushes_change_all_nodes_and_free_their_copies })
