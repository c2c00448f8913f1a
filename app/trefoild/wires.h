/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wires: pairs of DPDK ports set up for forwarding: queues, RSS, MTU, promiscuous mode, link state.
 *
 * Threads: control thread; `link_up` and `is_open` are read by workers.
 */
#pragma once

#include "base/err.h"
#include "settings/settings.h"

#include <rte_ethdev.h>
#include <stdbool.h>
#include <stdint.h>

#define WIRES_MAX SETTINGS_WIRES_MAX

#define PORT_ABSENT RTE_MAX_ETHPORTS

struct port {
	const char *name;      /* PCI address or vdev, of the settings */
	uint16_t id;           /* PORT_ABSENT: its device was unplugged */
	int socket;            /* its NUMA node, negative = any */
	unsigned int if_index; /* of a vdev on a kernel's interface, which knows its link; else 0 */
	bool link_up;          /* atomic: frames may leave by it */
	bool is_open;          /* atomic: workers may touch it */
	uint16_t n_descriptors; /* of each receive queue */
	unsigned int n_slots;   /* of each ring of a net_af_packet vdev; else 0 */
	uint32_t speed_mbps;    /* 0 = not known */
	/* Written by links.h. */
	const char *state;        /* what its link does, a word for status */
	uint64_t n_downs;         /* how often it had no link */
	uint64_t n_held;          /* how often it was taken down because the other port had none */
	uint64_t n_unplugged;     /* how often its device went */
	uint64_t n_missed_before; /* by devices that went */
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

/* Start all ports; they have not received anything yet. Returns 0 or -errno. */
int wires_start(struct wires *wires, struct err *e);

/* Set up or start one port whose device was plugged in again. Returns 0 or -errno. */
int wires_setup_port(const struct wires *wires, struct port *port, const struct settings *settings,
	const struct settings_wire *wire, struct err *e);
int wires_start_port(const struct port *port, const struct settings_wire *wire, struct err *e);

/* Ask for the port's link, and take note of its speed. */
bool wires_has_link(struct port *port);

/* Switch the port's link on or off, as its neighbour sees it. Returns 0 or -errno: -ENOTSUP where the
 * driver cannot. */
int wires_switch_link(const struct port *port, bool is_on);

/* The symmetric RSS key: both directions of a flow hash alike. */
#define WIRES_RSS_KEY_SIZE 52
void wires_rss_key(uint8_t key[WIRES_RSS_KEY_SIZE]);

/* Frames that came when no receive buffer was free, since the ports were started. */
uint64_t wires_missed(const struct wires *wires);

/* Stop and close all ports. */
void wires_stop(struct wires *wires);
