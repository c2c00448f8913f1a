/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker: the data plane over ports made of rings: what leaves, what is freed, what is counted, and
 * that generations change under traffic without a wrong verdict or a leak.
 */
#include "suite.h"

#include "geo/geo_build.h"
#include "worker.h"

#include <pthread.h>
#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define N_MBUFS     4095
#define RING_SIZE   64
#define FRAME_SIZE  60
#define N_SWAPS     200 /* a tenth under ThreadSanitizer, which makes compiling slow */
#define MIRROR_SIZE (1u << 20)

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN
#endif
#endif
#if defined(__SANITIZE_THREAD__) || defined(UNDER_TSAN)
#undef N_SWAPS
#define N_SWAPS 20
#endif

/* Two ports; frames put into in_rx enter `inside` and leave `outside` through out_tx. */
struct wires_of_rings {
	struct rte_ring *in_rx, *in_tx, *out_rx, *out_tx;
	uint16_t inside, outside;
	struct rte_mempool *pool;
};

static struct wires_of_rings rig;

static uint16_t
make_port(const char *name, struct rte_ring *rx, struct rte_ring *tx)
{
	struct rte_eth_conf conf = { .rxmode = { .mq_mode = RTE_ETH_MQ_RX_NONE } };
	int port = rte_eth_from_rings(name, &rx, 1, &tx, 1, 0);

	CU_ASSERT_FATAL(port >= 0);
	CU_ASSERT_EQUAL_FATAL(rte_eth_dev_configure((uint16_t)port, 1, 1, &conf), 0);
	CU_ASSERT_EQUAL_FATAL(rte_eth_rx_queue_setup((uint16_t)port, 0, 64, 0, NULL, rig.pool), 0);
	CU_ASSERT_EQUAL_FATAL(rte_eth_tx_queue_setup((uint16_t)port, 0, 64, 0, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(rte_eth_dev_start((uint16_t)port), 0);
	return (uint16_t)port;
}

static struct rte_ring *
make_ring(const char *name)
{
	struct rte_ring *ring = rte_ring_create(name, RING_SIZE, 0, RING_F_SP_ENQ | RING_F_SC_DEQ);

	CU_ASSERT_PTR_NOT_NULL_FATAL(ring);
	return ring;
}

static void
rig_init(void)
{
	static char args[][24] = { "test", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry",
		"-m", "64", "--log-level=*:error" };
	static char *argv[] = { args[0], args[1], args[2], args[3], args[4], args[5], args[6],
		args[7] };

	if (rig.pool != NULL)
		return;
	CU_ASSERT_FATAL(rte_eal_init(8, argv) >= 0);
	rig.pool = rte_pktmbuf_pool_create("test", N_MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rig.pool);
	rig.in_rx = make_ring("in_rx");
	rig.in_tx = make_ring("in_tx");
	rig.out_rx = make_ring("out_rx");
	rig.out_tx = make_ring("out_tx");
	rig.inside = make_port("inside", rig.in_rx, rig.in_tx);
	rig.outside = make_port("outside", rig.out_rx, rig.out_tx);
}

static struct geo_ref *
make_geo(void)
{
	static const struct {
		uint32_t first, last;
		const char *country;
	} rows[] = {
		{ IP4(1, 0, 0, 0), IP4(1, 255, 255, 255), "CN" },
		{ IP4(2, 0, 0, 0), IP4(2, 255, 255, 255), "IE" },
		{ IP4(3, 0, 0, 0), IP4(3, 255, 255, 255), "US" },
	};
	struct geo_build *b = geo_build_new();
	struct geo_ref *ref = calloc(1, sizeof(*ref));
	size_t i;

	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	CU_ASSERT_PTR_NOT_NULL_FATAL(ref);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ip_range range = { rows[i].first, rows[i].last, 4 };

		CU_ASSERT_EQUAL_FATAL(geo_build_add_country(b, &range, rows[i].country,
					      geo_build_add_source(b, "test")),
			0);
	}
	ref->table = geo_build_seal(b);
	ref->n_users = 1;
	CU_ASSERT_PTR_NOT_NULL_FATAL(ref->table);
	return ref;
}

static struct generation *
make_generation(uint32_t number, struct geo_ref *geo, const char *text)
{
	static struct err_list errors;
	struct policy *policy = policy_parse(text, strlen(text), "policy.ini", &errors);
	struct generation *g;

	CU_ASSERT_PTR_NOT_NULL_FATAL(policy);
	g = generation_new(number, policy, geo, false, 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(g);
	return g;
}

#define POLICY "[policy]\ndefault = drop\n[country]\napprove = IE\ndrop+mirror = CN\nmirror = US\n"

struct fixture {
	struct publisher *publisher;
	struct geo_ref *geo;
	struct worker worker;
	struct worker_queue queue;
	bool link_up, stop;
};

static void
fixture_init(struct fixture *f, const char *policy)
{
	rig_init();
	memset(f, 0, sizeof(*f));
	f->geo = make_geo();
	f->publisher = publisher_new(1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f->publisher);
	if (policy != NULL)
		publisher_set(f->publisher, make_generation(1, f->geo, policy));
	f->link_up = true;
	f->queue = (struct worker_queue){ .rx_port = rig.inside,
		.tx_port = rig.outside,
		.direction = CLASSIFY_OUTBOUND,
		.tx_link_up = &f->link_up,
		.rx_is_open = &f->link_up };
	f->worker.publisher = f->publisher;
	f->worker.stop = &f->stop;
	f->worker.mirror_snaplen = 128;
	f->worker.queues[0] = f->queue;
	f->worker.n_queues = 1;
}

static void
fixture_fini(struct fixture *f)
{
	mirror_ring_free(f->worker.ring);
	publisher_free(f->publisher);
	geo_ref_drop(f->geo);
	CU_ASSERT_EQUAL(rte_mempool_avail_count(rig.pool), N_MBUFS); /* nothing leaked */
}

/* A UDP frame to a.1.1.1 with a serial number behind the headers; padding included. */
static struct rte_mbuf *
make_frame(uint8_t a, uint32_t serial)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(rig.pool);
	uint8_t *p;

	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	p = (uint8_t *)rte_pktmbuf_append(m, FRAME_SIZE);
	memset(p, 0xa5, FRAME_SIZE);
	p[12] = 0x08;
	p[13] = 0x00;
	memset(p + 14, 0, 28);
	p[14] = 0x45;
	p[17] = 28 + 4;
	p[22] = 64;
	p[23] = 17;
	p[30] = a;
	p[31] = p[32] = p[33] = 1;
	p[37] = 53;
	p[39] = 8 + 4;
	memcpy(p + 42, &serial, sizeof(serial));
	return m;
}

/* Every one of `n` frames is counted, with its bytes, as forwarded or as dropped. */
static void
check_conservation(const struct fixture *f, unsigned int n)
{
	struct stats_total total = stats_of(&f->worker.stats);

	CU_ASSERT_EQUAL(total.rx.packets, n);
	CU_ASSERT_EQUAL(total.rx.bytes, n * FRAME_SIZE);
	CU_ASSERT_EQUAL(total.forwarded.packets + total.dropped.packets, n);
	CU_ASSERT_EQUAL(total.forwarded.bytes + total.dropped.bytes, n * FRAME_SIZE);
}

static void
test_approved_frames_leave_as_they_came(void)
{
	static const uint8_t to[] = { 2, 1, 2, 3, 9, 2 };
	struct rte_mbuf *pkts[6], *out[RING_SIZE];
	uint8_t want[6][FRAME_SIZE];
	struct fixture f;
	unsigned int i, n;

	fixture_init(&f, POLICY);
	for (i = 0; i < 6; i++) {
		pkts[i] = make_frame(to[i], i);
		memcpy(want[i], rte_pktmbuf_mtod(pkts[i], void *), FRAME_SIZE);
	}
	worker_process(&f.worker, &f.queue, pkts, 6);
	n = rte_ring_dequeue_burst(rig.out_tx, (void **)out, RING_SIZE, NULL);
	CU_ASSERT_EQUAL(n, 4); /* two IE, the mirrored US, IE again: in order */
	CU_ASSERT_EQUAL(memcmp(rte_pktmbuf_mtod(out[0], void *), want[0], FRAME_SIZE), 0);
	CU_ASSERT_EQUAL(memcmp(rte_pktmbuf_mtod(out[1], void *), want[2], FRAME_SIZE), 0);
	CU_ASSERT_EQUAL(memcmp(rte_pktmbuf_mtod(out[2], void *), want[3], FRAME_SIZE), 0);
	CU_ASSERT_EQUAL(memcmp(rte_pktmbuf_mtod(out[3], void *), want[5], FRAME_SIZE), 0);
	rte_pktmbuf_free_bulk(out, n);
	check_conservation(&f, 6);
	CU_ASSERT_EQUAL(stats_of(&f.worker.stats).reason[REASON_APPROVED_COUNTRY][0].packets, 3);
	CU_ASSERT_EQUAL(stats_of(&f.worker.stats).reason[REASON_COUNTRY][0].packets, 1);
	CU_ASSERT_EQUAL(stats_of(&f.worker.stats).reason[REASON_COUNTRY][1].packets, 1);
	CU_ASSERT_EQUAL(stats_of(&f.worker.stats).reason[REASON_UNKNOWN][1].packets, 1);
	CU_ASSERT_EQUAL(f.worker.stats.mirrored.packets, 3);
	fixture_fini(&f);
}

static void
test_no_policy_and_no_link_drop_everything_by_name(void)
{
	struct rte_mbuf *pkts[2];
	struct fixture f;

	fixture_init(&f, NULL);
	pkts[0] = make_frame(2, 0);
	worker_process(&f.worker, &f.queue, pkts, 1);
	CU_ASSERT_EQUAL(stats_of(&f.worker.stats).reason[REASON_NO_POLICY][1].packets, 1);
	check_conservation(&f, 1);
	fixture_fini(&f);
	fixture_init(&f, POLICY);
	f.link_up = false;
	pkts[0] = make_frame(2, 0);
	pkts[1] = make_frame(1, 0);
	worker_process(&f.worker, &f.queue, pkts, 2);
	CU_ASSERT_EQUAL(stats_of(&f.worker.stats).reason[REASON_LINK_DOWN][1].packets, 1);
	CU_ASSERT_EQUAL(stats_of(&f.worker.stats).reason[REASON_COUNTRY][1].packets, 1);
	CU_ASSERT_EQUAL(rte_ring_count(rig.out_tx), 0);
	check_conservation(&f, 2);
	fixture_fini(&f);
}

static void
test_a_tag_the_port_took_off_is_put_back(void)
{
	static const uint8_t tag[] = { 0x81, 0x00, 0x00, 0x05, 0x08, 0x00 };
	struct rte_mbuf *pkts[2], *out[2];
	struct fixture f;

	fixture_init(&f, POLICY);
	pkts[0] = make_frame(2, 0);
	pkts[0]->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	pkts[0]->vlan_tci = 5;
	pkts[1] = make_frame(2, 1); /* two tags off: they cannot be told apart again */
	pkts[1]->ol_flags |=
		RTE_MBUF_F_RX_QINQ | RTE_MBUF_F_RX_QINQ_STRIPPED | RTE_MBUF_F_RX_VLAN_STRIPPED;
	worker_process(&f.worker, &f.queue, pkts, 2);
	CU_ASSERT_EQUAL_FATAL(rte_ring_dequeue_burst(rig.out_tx, (void **)out, 2, NULL), 1);
	CU_ASSERT_EQUAL(rte_pktmbuf_pkt_len(out[0]), FRAME_SIZE + 4);
	CU_ASSERT_EQUAL(memcmp(rte_pktmbuf_mtod_offset(out[0], void *, 12), tag, sizeof(tag)), 0);
	rte_pktmbuf_free_bulk(out, 1);
	CU_ASSERT_EQUAL(stats_of(&f.worker.stats).reason[REASON_NO_MBUF][1].packets, 1);
	check_conservation(&f, 2);
	fixture_fini(&f);
}

static void
test_full_transmit_queue_is_counted_not_leaked(void)
{
	struct rte_mbuf *pkts[WORKER_BURST], *out[RING_SIZE];
	struct fixture f;
	unsigned int i, k, n;

	fixture_init(&f, POLICY);
	for (k = 0; k < 4; k++) {
		for (i = 0; i < WORKER_BURST; i++)
			pkts[i] = make_frame(2, i);
		worker_process(&f.worker, &f.queue, pkts, WORKER_BURST);
	}
	n = rte_ring_dequeue_burst(rig.out_tx, (void **)out, RING_SIZE, NULL);
	rte_pktmbuf_free_bulk(out, n);
	CU_ASSERT_EQUAL(n, RING_SIZE - 1);
	CU_ASSERT_EQUAL(stats_of(&f.worker.stats).forwarded.packets, n);
	CU_ASSERT_EQUAL(
		stats_of(&f.worker.stats).reason[REASON_TX_FULL][1].packets, 4 * WORKER_BURST - n);
	check_conservation(&f, 4 * WORKER_BURST);
	fixture_fini(&f);
}

static void
test_shadow_mode_forwards_and_counts_what_it_would_drop(void)
{
	struct rte_mbuf *pkts[2], *out[2];
	struct fixture f;

	fixture_init(&f, "[policy]\nmode = shadow\ndefault = drop\n[country]\napprove = IE\n"
			 "drop+mirror = CN\n");
	pkts[0] = make_frame(1, 0);
	pkts[1] = make_frame(2, 1);
	worker_process(&f.worker, &f.queue, pkts, 2);
	CU_ASSERT_EQUAL(rte_ring_dequeue_burst(rig.out_tx, (void **)out, 2, NULL), 2);
	rte_pktmbuf_free_bulk(out, 2);
	CU_ASSERT_EQUAL(stats_of(&f.worker.stats).reason[REASON_SHADOW][0].packets, 1);
	CU_ASSERT_EQUAL(f.worker.stats.shadow[REASON_COUNTRY].packets, 1);
	CU_ASSERT_EQUAL(f.worker.stats.mirrored.packets, 1);
	CU_ASSERT_EQUAL(stats_of(&f.worker.stats).dropped.packets, 0);
	check_conservation(&f, 2);
	fixture_fini(&f);
}

static unsigned int n_annotated;

static const char *
check_note(const struct mirror_note *note, char *buf, size_t size)
{
	const struct generation *g = note->generation;

	CU_ASSERT_EQUAL(g->number, 1);
	CU_ASSERT_EQUAL(note->wire_length, FRAME_SIZE);
	CU_ASSERT(note->verdict & VERDICT_MIRROR);
	n_annotated++;
	snprintf(buf, size, "x");
	return buf;
}

static void
test_mirrored_frames_are_in_the_ring_whether_dropped_or_sent(void)
{
	struct rte_mbuf *pkts[3], *out[2];
	char path[] = "/tmp/trefoil-test-XXXXXX";
	const struct capture_interface interface = { .name = "i", .link_type = 1 };
	const struct capture_section section = { .interfaces = &interface, .n_interfaces = 1 };
	struct capture_file *file;
	struct fixture f;
	uint64_t lost = 0;
	int fd = mkstemp(path);

	CU_ASSERT_FATAL(fd >= 0);
	close(fd);
	fixture_init(&f, POLICY);
	f.worker.ring = mirror_ring_new(MIRROR_SIZE);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f.worker.ring);
	pkts[0] = make_frame(1, 0);
	pkts[1] = make_frame(2, 1);
	pkts[2] = make_frame(3, 2);
	worker_process(&f.worker, &f.queue, pkts, 3);
	CU_ASSERT_EQUAL(rte_ring_dequeue_burst(rig.out_tx, (void **)out, 2, NULL), 2);
	rte_pktmbuf_free_bulk(out, 2);
	file = capture_file_create(path, CAPTURE_PCAPNG, &section, 1, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	n_annotated = 0;
	CU_ASSERT_EQUAL(mirror_drain(&f.worker.ring, 1, file, check_note, &lost), 2);
	CU_ASSERT_EQUAL(n_annotated, 2);
	CU_ASSERT_EQUAL(lost, 0);
	CU_ASSERT_EQUAL(capture_file_close(file), 0);
	unlink(path);
	fixture_fini(&f);
}

static void *
run_worker(void *worker)
{
	worker_main(worker);
	return NULL;
}

/* The writer's side of the grace periods, without a writer. */
static void
pass_as_writer(struct publisher *p)
{
	rte_rcu_qsbr_thread_online(publisher_writer(p), 0);
	rte_rcu_qsbr_quiescent(publisher_writer(p), 0);
	rte_rcu_qsbr_thread_offline(publisher_writer(p), 0);
}

/* Put a frame in, wait for what becomes of it: true = it left. */
static bool
frame_leaves(struct fixture *f, uint8_t to, uint32_t serial)
{
	uint64_t before = stats_of(&f->worker.stats).dropped.packets;
	struct rte_mbuf *m = make_frame(to, serial);
	void *out;

	CU_ASSERT_EQUAL_FATAL(rte_ring_enqueue(rig.in_rx, m), 0);
	for (;;) {
		if (rte_ring_dequeue(rig.out_tx, &out) == 0) {
			rte_pktmbuf_free(out);
			return true;
		}
		if (stats_of(&f->worker.stats).dropped.packets != before)
			return false;
	}
}

static void
test_generations_change_under_traffic(void)
{
	struct tally tally = { .n_asns = 0 };
	unsigned int i, n_left;
	struct fixture f;
	pthread_t thread;
	uint64_t n_judged;

	fixture_init(&f, POLICY);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, run_worker, &f.worker), 0);
	for (i = 0; i < N_SWAPS; i++) {
		bool is_closed = i % 2 == 0;

		publisher_set(f.publisher, make_generation(i + 2, f.geo,
						   is_closed ? "[country]\napprove = IE\n"
							     : "[country]\napprove = IE US\n"));
		CU_ASSERT_TRUE(frame_leaves(&f, 2, i)); /* approved by both: never lost */
		CU_ASSERT_EQUAL(frame_leaves(&f, 3, i), !is_closed);
		pass_as_writer(f.publisher);
		publisher_reclaim(f.publisher);
	}
	do {
		pass_as_writer(f.publisher);
		n_left = publisher_reclaim(f.publisher);
	} while (n_left > 0);
	__atomic_store_n(&f.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	CU_ASSERT_EQUAL(publisher_tally(f.publisher, &tally), 0);
	n_judged = tally.countries[('I' - 'A') * 26 + 'E' - 'A'].all.packets +
		   tally.countries[('U' - 'A') * 26 + 'S' - 'A'].all.packets;
	CU_ASSERT_EQUAL(n_judged, stats_of(&f.worker.stats).rx.packets);
	CU_ASSERT_EQUAL(n_judged, 2 * N_SWAPS);
	check_conservation(&f, 2 * N_SWAPS);
	tally_fini(&tally);
	fixture_fini(&f);
}

SUITE("worker", { "approved frames leave as they came", test_approved_frames_leave_as_they_came },
	{ "no policy and no link drop everything by name",
		test_no_policy_and_no_link_drop_everything_by_name },
	{ "a tag the port took off is put back", test_a_tag_the_port_took_off_is_put_back },
	{ "full transmit queue is counted not leaked",
		test_full_transmit_queue_is_counted_not_leaked },
	{ "shadow mode forwards and counts what it would drop",
		test_shadow_mode_forwards_and_counts_what_it_would_drop },
	{ "mirrored frames are in the ring whether dropped or sent",
		test_mirrored_frames_are_in_the_ring_whether_dropped_or_sent },
	{ "generations change under traffic", test_generations_change_under_traffic })
