/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * assign: which worker takes which receive queues.
 *
 * Queue q of one port of a wire and queue q of the other always go to one worker: it alone sends on
 * both, and with a symmetric hash it sees both directions of a flow. Such a pair is what is spread.
 *
 * Threads: control thread.
 */
#pragma once

#include "wires.h"
#include "worker.h"

/* The pair's worker: the one with the fewest queues, where a queue of a port on another NUMA node
 * counts as one and a half; the lowest number of several. `sockets` and `socket` are NUMA nodes, of
 * the workers and of the pair, negative = any. */
unsigned int assign_choose(
	const unsigned int *n_queues, const int *sockets, unsigned int n_workers, int socket);

/* Give every queue of every wire to a worker of workers[n_workers], whose lists are empty.
 * sockets[i] is the NUMA node of worker i. Returns 0 or -ENOSPC: more than WORKER_QUEUES_MAX for
 * one worker. */
int assign_queues(const struct wires *wires, struct worker *workers, unsigned int n_workers,
	const int *sockets);

/* The nodes that have workers, in the order of the workers, and for each worker which of them is its
 * own. A negative node is any: the first. Workers on more than GENERATION_NODES_MAX nodes: those on the
 * others read the tables of the first. */
void assign_nodes(struct worker *workers, unsigned int n_workers, const int *sockets,
	struct generation_nodes *nodes);
