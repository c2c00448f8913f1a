/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sends the frames of a capture, again and again, out of port 0, as fast as the other side takes
 * them: what a port refuses is sent next. Frames are read once and never given back; no driver may
 * change them, which copying ones do not.
 * Over telemetry it tells how many bursts were taken whole: when nearly all are, the other side
 * waits for this program, and a rate says nothing about it.
 */
#include <errno.h>
#include <pcap/pcap.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_telemetry.h>
#include <rte_version.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BURST         32u
#define N_DESCRIPTORS 1024
#define N_RX          8192u /* buffers that the port wants to receive with */
#define BACK_OFF_US   2     /* full ring: asking again at once would slow the other side down */
#define AHEAD         64u   /* frames that are fetched before they are sent */

struct frames {
	unsigned int n;
	struct rte_mbuf **items;
};

static volatile sig_atomic_t must_stop;
static uint64_t n_whole, n_partial; /* written by the sender, read by telemetry */

static void
on_signal(int number)
{
	(void)number;
	must_stop = 1;
}

/* A pool whose buffers stay with this program: drivers that free them do nothing, which costs less
 * than a reference count. */
static int
keep_alloc(struct rte_mempool *pool)
{
	(void)pool;
	return 0;
}

static int
keep_enqueue(struct rte_mempool *pool, void *const *buffers, unsigned int n)
{
	(void)pool;
	(void)buffers;
	(void)n;
	return 0;
}

static int
keep_dequeue(struct rte_mempool *pool, void **buffers, unsigned int n)
{
	(void)pool;
	(void)buffers;
	(void)n;
	return -ENOBUFS;
}

static unsigned int
keep_count(const struct rte_mempool *pool)
{
	(void)pool;
	return 0;
}

static const struct rte_mempool_ops keep_ops = {
	.name = "keep",
	.alloc = keep_alloc,
	.enqueue = keep_enqueue,
	.dequeue = keep_dequeue,
	.get_count = keep_count,
};

/* Its name before 23.03; the old one is deprecated since. */
#if RTE_VERSION < RTE_VERSION_NUM(23, 3, 0, 0)
#define rte_tel_data_add_dict_uint rte_tel_data_add_dict_u64
#endif

static int
on_bursts(const char *command, const char *parameters, struct rte_tel_data *d)
{
	(void)command;
	(void)parameters;
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_uint(d, "whole", __atomic_load_n(&n_whole, __ATOMIC_RELAXED));
	rte_tel_data_add_dict_uint(d, "partial", __atomic_load_n(&n_partial, __ATOMIC_RELAXED));
	return 0;
}

/* How many frames a capture has; 0 when it cannot be read. */
static unsigned int
count_frames(const char *path)
{
	char text[PCAP_ERRBUF_SIZE];
	pcap_t *capture = pcap_open_offline(path, text);
	struct pcap_pkthdr *header;
	const u_char *bytes;
	unsigned int n = 0;

	if (capture == NULL) {
		fprintf(stderr, "generator: %s\n", text);
		return 0;
	}
	while (pcap_next_ex(capture, &header, &bytes) == 1)
		n++;
	pcap_close(capture);
	return n;
}

static struct rte_mbuf *
make_frame(struct rte_mempool *pool, const u_char *bytes, unsigned int size)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	char *data = m != NULL ? rte_pktmbuf_append(m, (uint16_t)size) : NULL;

	if (data == NULL)
		return NULL;
	memcpy(data, bytes, size);
	return m;
}

static int
read_frames(struct frames *frames, const char *path, struct rte_mempool *pool)
{
	char text[PCAP_ERRBUF_SIZE];
	pcap_t *capture = pcap_open_offline(path, text);
	struct pcap_pkthdr *header;
	const u_char *bytes;
	unsigned int n = 0;

	frames->items = calloc(frames->n, sizeof(struct rte_mbuf *));
	if (capture == NULL || frames->items == NULL)
		return -ENOMEM;
	while (n < frames->n && pcap_next_ex(capture, &header, &bytes) == 1) {
		frames->items[n] = make_frame(pool, bytes, header->caplen);
		if (frames->items[n++] == NULL)
			return -ENOMEM;
	}
	pcap_close(capture);
	frames->n = n;
	return 0;
}

static int
start_port(struct rte_mempool *pool)
{
	struct rte_eth_conf conf = { .rxmode = { .mq_mode = RTE_ETH_MQ_RX_NONE } };
	uint16_t n_rx = N_DESCRIPTORS, n_tx = N_DESCRIPTORS;
	int status = rte_eth_dev_configure(0, 1, 1, &conf);

	if (status == 0)
		status = rte_eth_dev_adjust_nb_rx_tx_desc(0, &n_rx, &n_tx);
	if (status == 0)
		status = rte_eth_rx_queue_setup(0, 0, n_rx, 0, NULL, pool);
	if (status == 0)
		status = rte_eth_tx_queue_setup(0, 0, n_tx, 0, NULL);
	return status == 0 ? rte_eth_dev_start(0) : status;
}

static void
fetch_ahead(const struct frames *frames, unsigned int at)
{
	unsigned int i, k = (at + AHEAD) % frames->n;

	for (i = 0; i < BURST; i++) {
		struct rte_mbuf *m = frames->items[k];

		rte_prefetch0(m);
		rte_prefetch0((char *)m + sizeof(*m) + RTE_PKTMBUF_HEADROOM);
		k = k + 1 < frames->n ? k + 1 : 0;
	}
}

static void
send_frames(const struct frames *frames)
{
	unsigned int n, n_sent, at = 0;

	while (!must_stop) {
		struct rte_mbuf **burst = &frames->items[at];

		n = RTE_MIN(BURST, frames->n - at);
		fetch_ahead(frames, at);
		n_sent = rte_eth_tx_burst(0, 0, burst, (uint16_t)n);
		__atomic_store_n(&n_whole, n_whole + (n_sent == n), __ATOMIC_RELAXED);
		__atomic_store_n(&n_partial, n_partial + (n_sent < n), __ATOMIC_RELAXED);
		if (n_sent < n)
			rte_delay_us_block(BACK_OFF_US);
		at += n_sent;
		if (at == frames->n)
			at = 0;
	}
}

static int
refuse(const char *what, int status)
{
	fprintf(stderr, "generator: %s: %s\n", what, strerror(-status));
	return EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
	struct frames frames = { .n = 0 };
	struct rte_mempool *pool, *rx_pool;
	int n_eal = rte_eal_init(argc, argv), status;

	if (n_eal < 0)
		return refuse("EAL", n_eal);
	if (argc - n_eal != 2) {
		fprintf(stderr, "Usage: generator EAL-OPTION... -- CAPTURE\n");
		return 2;
	}
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	frames.n = count_frames(argv[n_eal + 1]);
	pool = rte_pktmbuf_pool_create("frames", frames.n + 1, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	rx_pool = rte_pktmbuf_pool_create("rx", N_RX, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	if (frames.n == 0 || pool == NULL || rx_pool == NULL)
		return refuse(argv[n_eal + 1], -ENOMEM);
	status = read_frames(&frames, argv[n_eal + 1], pool);
	if (status == 0)
		status = rte_mempool_register_ops(&keep_ops);
	if (status >= 0) {
		pool->ops_index = status;
		status = start_port(rx_pool);
	}
	if (status != 0)
		return refuse("port 0", status);
	rte_telemetry_register_cmd("/generator/bursts", on_bursts,
		"Bursts that the port took whole, and others. Takes no parameters");
	send_frames(&frames);
	rte_eth_dev_stop(0);
	rte_eth_dev_close(0);
	free(frames.items);
	rte_eal_cleanup();
	return EXIT_SUCCESS;
}
