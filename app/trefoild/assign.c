/* SPDX-License-Identifier: BSD-3-Clause */
/* Greedy: pairs of queues one after another, each to the worker that it burdens least. */
#include "assign.h"

#include <errno.h>

static bool
is_near(int a, int b)
{
	return a < 0 || b < 0 || a == b;
}

unsigned int
assign_choose(const unsigned int *n_queues, const int *sockets, unsigned int n_workers, int socket)
{
	unsigned int i, cost, best = 0, best_cost = UINT_MAX;

	for (i = 0; i < n_workers; i++) {
		cost = (n_queues[i] + 1) * (is_near(sockets[i], socket) ? 2 : 3);
		if (cost < best_cost) {
			best_cost = cost;
			best = i;
		}
	}
	return best;
}

static void
add_queue(struct worker *w, const struct port *from, const struct port *to, unsigned int q,
	uint16_t interface, enum classify_direction direction)
{
	w->queues[w->n_queues++] = (struct worker_queue){
		.rx_port = from->id,
		.tx_port = to->id,
		.queue = (uint16_t)q,
		.interface = interface,
		.direction = direction,
		.tx_link_up = &to->link_up,
		.rx_is_open = &from->is_open,
	};
}

int
assign_queues(const struct wires *wires, struct worker *workers, unsigned int n_workers,
	const int *sockets)
{
	unsigned int n_queues[RTE_MAX_LCORE] = { 0 }, i, q, k;

	for (i = 0; i < wires->n; i++) {
		const struct wire *wire = &wires->items[i];

		for (q = 0; q < wire->settings->queues; q++) {
			k = assign_choose(n_queues, sockets, n_workers, wire->inside.socket);
			if (workers[k].n_queues + 2 > WORKER_QUEUES_MAX)
				return -ENOSPC;
			add_queue(&workers[k], &wire->inside, &wire->outside, q, (uint16_t)(2 * i),
				CLASSIFY_OUTBOUND);
			add_queue(&workers[k], &wire->outside, &wire->inside, q,
				(uint16_t)(2 * i + 1), CLASSIFY_INBOUND);
			n_queues[k]++;
		}
	}
	return 0;
}

/* Its index, added if it is new and there is room; else 0. */
static unsigned int
node_index(struct generation_nodes *nodes, int node)
{
	unsigned int i;

	for (i = 0; i < nodes->n; i++)
		if (nodes->nodes[i] == node)
			return i;
	if (node < 0 || nodes->n == GENERATION_NODES_MAX)
		return 0;
	nodes->nodes[nodes->n] = node;
	return nodes->n++;
}

void
assign_nodes(struct worker *workers, unsigned int n_workers, const int *sockets,
	struct generation_nodes *nodes)
{
	unsigned int i;

	for (i = 0; i < n_workers; i++)
		workers[i].node = node_index(nodes, sockets[i]);
}
