/* SPDX-License-Identifier: BSD-3-Clause */
/* The reader's side of a worker's load. */
#include "load.h"

#include <math.h>
#include <string.h>

static uint64_t
get(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

void
load_init(struct worker_load *load)
{
	*load = (struct worker_load){ .depth = LOAD_DEPTH_UNKNOWN,
		.depth_max = LOAD_DEPTH_UNKNOWN };
}

void
load_read(const struct worker_load *load, struct load_point *out)
{
	*out = (struct load_point){ get(&load->n_bursts), get(&load->n_packets),
		get(&load->busy_cycles), get(&load->idle_cycles) };
}

static double
divide(double a, double b)
{
	return b > 0 ? a / b : NAN;
}

void
load_rate(const struct load_point *from, const struct load_point *to, struct load_rate *out)
{
	double n_bursts = (double)(to->n_bursts - from->n_bursts);
	double n_packets = (double)(to->n_packets - from->n_packets);
	double busy = (double)(to->busy_cycles - from->busy_cycles);
	double idle = (double)(to->idle_cycles - from->idle_cycles);

	out->busy_percent = divide(100.0 * busy, busy + idle);
	out->cycles_per_burst = divide(busy, n_bursts);
	out->cycles_per_packet = divide(busy, n_packets);
	out->packets_per_burst = divide(n_packets, n_bursts);
}

void
load_history_add(struct load_history *h, const struct worker_load *load)
{
	memmove(&h->looks[0], &h->looks[1], sizeof(h->looks) - sizeof(h->looks[0]));
	load_read(load, &h->looks[LOAD_LOOKS - 1]);
}

void
load_history_rate(
	const struct load_history *h, const struct worker_load *load, struct load_rate *out)
{
	struct load_point now;

	load_read(load, &now);
	load_rate(&h->looks[0], &now, out);
}
