/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An interface that is down at a look has left frames, seen or not. One that was down between two
 * looks shows by errors of the driver (ENETDOWN of its sends): these are a sign where nothing else
 * raises them, which are frames too large for its slots.
 */
#include "leftover.h"

#include "vdev.h"

#define PAUSE_MS 10000 /* between two times that errors alone are a sign: they might never end */

static uint64_t
errors_of(const struct port *port)
{
	struct rte_eth_stats stats;

	return rte_eth_stats_get(port->id, &stats) == 0 ? stats.oerrors : 0;
}

static bool
is_concerned(const struct port *port)
{
	return port->id != PORT_ABSENT && port->if_index != 0 && port->n_slots != 0;
}

void
leftover_begin(struct leftover *l, const struct port *port, const struct port *other,
	const struct settings *settings, uint64_t now_ms)
{
	unsigned int largest = vdev_framesz(settings, other->name);

	l->is_there = false;
	l->knows_errors = largest != 0 && largest <= vdev_framesz(settings, port->name);
	l->n_errors = is_concerned(port) ? errors_of(port) : 0;
	l->paused_ms = l->paused_ms != 0 ? now_ms + PAUSE_MS : 1;
}

bool
leftover_look(struct leftover *l, const struct port *port, uint64_t now_ms)
{
	uint64_t n_errors;

	if (!is_concerned(port))
		return false;
	n_errors = errors_of(port);
	if (n_errors > l->n_errors && l->knows_errors && now_ms >= l->paused_ms)
		l->is_there = true;
	l->n_errors = n_errors;
	if (!vdev_is_switched_on(port->if_index))
		l->is_there = true;
	return l->is_there;
}
