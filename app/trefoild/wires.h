/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wires: pairs of DPDK ports set up for forwarding: queues, RSS, MTU, promiscuous mode, link state.
 *
 * Threads: control thread; `link_up` is read by workers.
 */
#pragma once

#include "base/err.h"
#include "settings/settings.h"

#include <rte_ethdev.h>
#include <stdbool.h>
#include <stdint.h>

#define WIRES_MAX SETTINGS_WIRES_MAX

struct port {
	const char *name; /* PCI address or vdev, of the settings */
	uint16_t id;
	int socket;            /* its NUMA node, negative = any */
	unsigned int if_index; /* of a net_af_packet vdev, which reports every link as up; else 0 */
	bool link_up;          /* atomic */
	uint16_t n_descriptors; /* of each receive queue */
	unsigned int n_slots;   /* of each ring of a net_af_packet vdev; else 0 */
	uint32_t speed_mbps;    /* 0 = not known */
};

struct wire {
	const struct settings_wire *settings;
	struct port inside, outside;
};

struct wires {
	unsigned int n;
	struct wire items[WIRES_MAX];
	struct rte_mempool *pools[RTE_MAX_NUMA_NODES]; /* of nodes that have ports */
};

/* Find and configure every port; none is started. Returns 0 or -errno, `e` says what to do. */
int wires_setup(struct wires *wires, const struct settings *settings, struct err *e);

/* Start all ports. Returns 0 or -errno. */
int wires_start(struct wires *wires, struct err *e);

/* Read the link state of every port; true if any changed. */
bool wires_update_links(struct wires *wires);

/* The symmetric RSS key: both directions of a flow hash alike. */
#define WIRES_RSS_KEY_SIZE 52
void wires_rss_key(uint8_t key[WIRES_RSS_KEY_SIZE]);

/* Frames that came when no receive buffer was free, since the ports were started. */
uint64_t wires_missed(const struct wires *wires);

/* Stop and close all ports. */
void wires_stop(struct wires *wires);
