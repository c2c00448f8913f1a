/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Port set-up. Both ports of a wire get the same number of queues, so that queue q of one port is
 * sent only by the worker that receives queue q of the other. RSS uses a symmetric key: both
 * directions of a flow meet the same worker.
 */
#include "wires.h"

#include "vdev.h"

#include <errno.h>
#include <string.h>

#define N_DESCRIPTORS  1024
#define POOL_CACHE     256
#define ETHER_OVERHEAD (RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN + 4 * 4) /* four tags */
#define ROOM_MAX       (UINT16_MAX - 1024u)

static uint8_t rss_key[WIRES_RSS_KEY_SIZE];

/* The well-known symmetric Toeplitz key (Woo, Park 2012): it repeats every 16 bits. */
void
wires_rss_key(uint8_t key[WIRES_RSS_KEY_SIZE])
{
	unsigned int i;

	for (i = 0; i < WIRES_RSS_KEY_SIZE; i++)
		key[i] = i % 2 == 0 ? 0x6d : 0x5a;
}

static int
find_port(struct port *port, const char *name, const struct settings *settings,
	const struct settings_wire *wire, struct err *e)
{
	char key[64];

	snprintf(key, sizeof(key), "[wire %s]", wire->name);
	port->name = name;
	if (rte_eth_dev_get_port_by_name(name, &port->id) == 0) {
		port->socket = rte_eth_dev_socket_id(port->id);
		return 0;
	}
	if (vdev_find(settings, name) != NULL)
		return vdev_explain_missing(name, e);
	return err_set_code(e, ENODEV, NULL, 0, key,
		"no port '%s': name a vdev of [eal], or a PCI address that is bound to vfio-pci "
		"(dpdk-devbind.py --status shows them)",
		name);
}

static int
check_queues(const struct port *port, const struct rte_eth_dev_info *info, unsigned int n_queues,
	struct err *e)
{
	unsigned int n_max = RTE_MIN(info->max_rx_queues, info->max_tx_queues);

	if (n_queues <= n_max)
		return 0;
	return err_set(e, NULL, 0, port->name, "queues = %u, but the port has at most %u%s",
		n_queues, n_max, n_max == 1 ? " (af_packet: add qpairs=N to its vdev)" : "");
}

static void
set_rss(struct rte_eth_conf *conf, const struct rte_eth_dev_info *info)
{
	uint64_t wanted = RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP;

	if ((info->flow_type_rss_offloads & wanted) == 0)
		return;
	conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	conf->rx_adv_conf.rss_conf.rss_hf = wanted & info->flow_type_rss_offloads;
	if (info->hash_key_size != 0 && info->hash_key_size <= sizeof(rss_key)) {
		conf->rx_adv_conf.rss_conf.rss_key = rss_key;
		conf->rx_adv_conf.rss_conf.rss_key_len = info->hash_key_size;
	}
}

/* Where the frames of a port lie. A port without a node uses that of the main thread, which has none
 * itself when it floats over several. */
static unsigned int
pool_node(const struct port *port)
{
	if (port->socket >= 0 && port->socket < RTE_MAX_NUMA_NODES)
		return (unsigned int)port->socket;
	return rte_socket_id() < RTE_MAX_NUMA_NODES ? rte_socket_id()
						    : (unsigned int)rte_socket_id_by_idx(0);
}

static int
setup_queues(const struct wires *wires, struct port *port, unsigned int n_queues, struct err *e)
{
	uint16_t n_rx = N_DESCRIPTORS, n_tx = N_DESCRIPTORS;
	struct rte_mempool *pool = wires->pools[pool_node(port)];
	unsigned int q;
	int status = rte_eth_dev_adjust_nb_rx_tx_desc(port->id, &n_rx, &n_tx);

	port->n_descriptors = n_rx;
	for (q = 0; q < n_queues && status == 0; q++) {
		status = rte_eth_rx_queue_setup(
			port->id, (uint16_t)q, n_rx, (unsigned int)port->socket, NULL, pool);
		if (status == 0)
			status = rte_eth_tx_queue_setup(
				port->id, (uint16_t)q, n_tx, (unsigned int)port->socket, NULL);
	}
	if (status == 0)
		return 0;
	return err_set_code(
		e, -status, NULL, 0, port->name, "cannot set up its queues: %s", strerror(-status));
}

static int
set_mtu(const struct port *port, unsigned int framesz, uint16_t mtu, struct err *e)
{
	uint16_t now;
	int status;

	if (framesz != 0 && framesz < (unsigned int)mtu + VDEV_FRAMESZ_HEADER)
		return err_set(e, NULL, 0, port->name,
			"mtu = %u does not fit its slots of %u bytes: add framesz=%u,blocksz=%u to "
			"its vdev, or set mtu = 1500",
			mtu, framesz, rte_align32pow2(mtu + VDEV_FRAMESZ_HEADER),
			rte_align32pow2(mtu + VDEV_FRAMESZ_HEADER));
	if (port->if_index != 0)
		status = vdev_set_mtu(port->if_index, mtu);
	else if (rte_eth_dev_get_mtu(port->id, &now) == 0 && now == mtu)
		return 0;
	else
		status = rte_eth_dev_set_mtu(port->id, mtu);
	if (status == 0 || status == -ENOTSUP)
		return 0;
	return err_set_code(e, -status, NULL, 0, port->name, "does not take mtu = %u: %s", mtu,
		strerror(-status));
}

static int
setup_port(const struct wires *wires, struct port *port, const struct settings_wire *wire,
	unsigned int framesz, struct err *e)
{
	struct rte_eth_conf conf = { .rxmode = { .mq_mode = RTE_ETH_MQ_RX_NONE } };
	struct rte_eth_dev_info info;
	int status = rte_eth_dev_info_get(port->id, &info);

	if (status != 0)
		return err_set_code(
			e, -status, NULL, 0, port->name, "cannot be asked what it can do");
	port->if_index = vdev_is_kernel(port->name) ? info.if_index : 0;
	if (check_queues(port, &info, wire->queues, e) != 0)
		return -EINVAL;
	conf.rxmode.offloads = info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER;
	conf.txmode.offloads = info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	conf.intr_conf.lsc = (*info.dev_flags & RTE_ETH_DEV_INTR_LSC) != 0;
	conf.intr_conf.rmv = (*info.dev_flags & RTE_ETH_DEV_INTR_RMV) != 0;
	if (wire->queues > 1)
		set_rss(&conf, &info);
	status = rte_eth_dev_configure(
		port->id, (uint16_t)wire->queues, (uint16_t)wire->queues, &conf);
	if (status != 0)
		return err_set_code(e, -status, NULL, 0, port->name, "cannot be configured: %s",
			strerror(-status));
	if (set_mtu(port, framesz, wire->mtu, e) != 0)
		return -EINVAL;
	return setup_queues(wires, port, wire->queues, e);
}

/* With its headers; without hugepages none crosses a page. */
static uint32_t
buffer_size(const struct settings *settings, uint32_t room)
{
	uint32_t size = room + 256;

	return settings->hugepages ? size : RTE_ALIGN_CEIL(size, 4096u);
}

/* One buffer holds the largest frame of any wire: no port needs scattering, those that can may. */
static uint16_t
buffer_room(const struct settings *settings)
{
	unsigned int i, largest = 0;
	uint32_t room;

	for (i = 0; i < settings->n_wires; i++) {
		const struct settings_wire *w = &settings->wires[i];

		largest = RTE_MAX(largest, w->mtu + (unsigned int)ETHER_OVERHEAD);
		largest = RTE_MAX(largest, vdev_framesz(settings, w->inside));
		largest = RTE_MAX(largest, vdev_framesz(settings, w->outside));
	}
	room = RTE_ALIGN_CEIL(RTE_MIN(largest, ROOM_MAX), 64u) + RTE_PKTMBUF_HEADROOM;
	return (uint16_t)RTE_MAX(room, (uint32_t)RTE_MBUF_DEFAULT_BUF_SIZE);
}

/* A frame waits in a receive queue of its own port or in a transmit queue of the other. */
static unsigned int
count_buffers(const struct wires *wires, unsigned int node)
{
	unsigned int i, n = 0;

	for (i = 0; i < wires->n; i++) {
		const struct wire *w = &wires->items[i];
		unsigned int n_ports =
			(pool_node(&w->inside) == node) + (pool_node(&w->outside) == node);

		n += n_ports * w->settings->queues * (2 * N_DESCRIPTORS + POOL_CACHE);
	}
	return n;
}

/* One pool per NUMA node that has ports. */
static int
make_pools(struct wires *wires, const struct settings *settings, struct err *e)
{
	uint16_t room = buffer_room(settings);
	unsigned int node, n;
	char name[32];

	for (node = 0; node < RTE_MAX_NUMA_NODES; node++) {
		n = count_buffers(wires, node);
		if (n == 0)
			continue;
		n = RTE_MAX(n + 4 * POOL_CACHE, settings->buffers);
		snprintf(name, sizeof(name), "frames%u", node);
		wires->pools[node] =
			rte_pktmbuf_pool_create(name, n, POOL_CACHE, 0, room, (int)node);
		if (wires->pools[node] == NULL)
			return err_set_code(e, ENOMEM, NULL, 0, "[eal] memory_mb",
				"%u frame buffers of %u bytes do not fit: about %u MB are needed "
				"on NUMA node %u",
				n, room,
				(unsigned int)(((uint64_t)n * buffer_size(settings, room)) >> 20) +
					32,
				node);
	}
	return 0;
}

/* What a queue holds until frames are lost. */
static void
set_descriptors(struct port *port, const struct settings *settings)
{
	port->n_slots = vdev_framecnt(settings, port->name);
	if (port->n_slots != 0 && port->n_slots < port->n_descriptors)
		port->n_descriptors = (uint16_t)port->n_slots;
}

static int
find_ports(struct wire *w, const struct settings *settings, struct err *e)
{
	const struct settings_wire *s = w->settings;
	int status = find_port(&w->inside, s->inside, settings, s, e);

	if (status == 0)
		status = find_port(&w->outside, s->outside, settings, s, e);
	return status;
}

int
wires_setup_port(const struct wires *wires, struct port *port, const struct settings *settings,
	const struct settings_wire *wire, struct err *e)
{
	int status = setup_port(wires, port, wire, vdev_framesz(settings, port->name), e);

	if (status == 0)
		set_descriptors(port, settings);
	return status;
}

static int
setup_wire(struct wires *wires, struct wire *w, const struct settings *settings, struct err *e)
{
	int status = wires_setup_port(wires, &w->inside, settings, w->settings, e);

	if (status == 0)
		status = wires_setup_port(wires, &w->outside, settings, w->settings, e);
	return status;
}

int
wires_setup(struct wires *wires, const struct settings *settings, struct err *e)
{
	unsigned int i;
	int status = 0;

	wires_rss_key(rss_key);
	for (i = 0; i < settings->n_wires && status == 0; i++) {
		wires->items[i].settings = &settings->wires[i];
		status = find_ports(&wires->items[i], settings, e);
		wires->n += status == 0;
	}
	if (status == 0)
		status = make_pools(wires, settings, e);
	for (i = 0; i < wires->n && status == 0; i++)
		status = setup_wire(wires, &wires->items[i], settings, e);
	return status;
}

/* net_af_packet opens its sockets before it binds them: until then they take the frames of every
 * interface, also those that came in at the other port of the wire. They are the oldest of the ring. */
static void
discard_early_frames(const struct port *port, unsigned int n_queues)
{
	struct rte_mbuf *pkts[32];
	unsigned int q, n;
	uint16_t n_now;

	for (q = 0; q < n_queues; q++)
		for (n = 0; n < port->n_slots; n += n_now) {
			n_now = rte_eth_rx_burst(port->id, (uint16_t)q, pkts, RTE_DIM(pkts));
			if (n_now == 0)
				break;
			rte_pktmbuf_free_bulk(pkts, n_now);
		}
}

/* A port that was taken down, by whom ever, is taken up where links are propagated: a daemon that was
 * killed may have left it so. */
int
wires_start_port(const struct port *port, const struct settings_wire *wire, struct err *e)
{
	int status = rte_eth_dev_start(port->id);

	if (status == 0)
		status = rte_eth_promiscuous_enable(port->id);
	if (status != 0 && status != -ENOTSUP)
		return err_set_code(e, -status, NULL, 0, port->name, "cannot be started: %s",
			strerror(-status));
	if (wire->link_propagation && port->if_index != 0)
		(void)vdev_switch_link(port->if_index, true);
	discard_early_frames(port, wire->queues);
	return 0;
}

static int
open_port(struct port *port, const struct settings_wire *wire, struct err *e)
{
	int status = wires_start_port(port, wire, e);

	if (status != 0)
		return status;
	__atomic_store_n(&port->link_up, wires_has_link(port), __ATOMIC_RELEASE);
	__atomic_store_n(&port->is_open, true, __ATOMIC_RELEASE);
	return 0;
}

int
wires_start(struct wires *wires, struct err *e)
{
	unsigned int i;
	int status = 0;

	for (i = 0; i < wires->n && status == 0; i++) {
		struct wire *w = &wires->items[i];

		status = open_port(&w->inside, w->settings, e);
		if (status == 0)
			status = open_port(&w->outside, w->settings, e);
	}
	return status;
}

bool
wires_has_link(struct port *port)
{
	struct rte_eth_link link = { .link_status = RTE_ETH_LINK_DOWN };
	bool is_up;

	if (port->id == PORT_ABSENT)
		return false;
	is_up = rte_eth_link_get_nowait(port->id, &link) == 0 &&
		link.link_status == RTE_ETH_LINK_UP;
	port->speed_mbps = link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed;
	if (port->if_index != 0)
		is_up = is_up && vdev_has_link(port->if_index);
	return is_up;
}

int
wires_switch_link(const struct port *port, bool is_on)
{
	if (port->id == PORT_ABSENT)
		return -ENODEV;
	if (port->if_index != 0)
		return vdev_switch_link(port->if_index, is_on);
	return is_on ? rte_eth_dev_set_link_up(port->id) : rte_eth_dev_set_link_down(port->id);
}

static uint64_t
port_missed(const struct port *port)
{
	struct rte_eth_stats stats;

	if (port->id == PORT_ABSENT || rte_eth_stats_get(port->id, &stats) != 0)
		return port->n_missed_before;
	return port->n_missed_before + stats.imissed;
}

uint64_t
wires_missed(const struct wires *wires)
{
	uint64_t n = 0;
	unsigned int i;

	for (i = 0; i < wires->n; i++)
		n += port_missed(&wires->items[i].inside) + port_missed(&wires->items[i].outside);
	return n;
}

/* A kernel interface under the port must not stay promiscuous. */
static void
stop_port(const struct port *port)
{
	if (port->id == PORT_ABSENT)
		return;
	(void)rte_eth_promiscuous_disable(port->id);
	(void)rte_eth_dev_stop(port->id);
	(void)rte_eth_dev_close(port->id);
}

void
wires_stop(struct wires *wires)
{
	unsigned int i;

	for (i = 0; i < wires->n; i++) {
		stop_port(&wires->items[i].inside);
		stop_port(&wires->items[i].outside);
	}
}
