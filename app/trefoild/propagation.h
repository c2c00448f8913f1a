/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * propagation: link-state propagation between the two ports of a wire. A port that loses its link
 * takes the other one down, so that both neighbours see what a cut cable would show them; once the
 * link has been back for the hold-down time the other one is let go. This decides only: the caller
 * reads links and switches ports.
 *
 * Threads: one wire belongs to one thread.
 * Units: milliseconds of a monotonic clock.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum propagation_state {
	PROPAGATION_STARTING, /* begins or was let go: a link may take the settle time to come */
	PROPAGATION_UP,
	PROPAGATION_DOWN,    /* has no link of its own */
	PROPAGATION_WAITING, /* has one again, but not yet for the hold-down time */
	PROPAGATION_HELD,    /* is taken down because the other one has no link */
};

struct propagation_side {
	enum propagation_state state;
	uint64_t since_ms;
	uint64_t n_downs; /* how often it was without a link of its own */
	uint64_t n_held;  /* how often it was taken down */
};

struct propagation {
	bool is_enabled; /* false: links are followed and counted, nothing is held */
	uint32_t hold_down_ms, settle_ms;
	struct propagation_side sides[2];
};

void propagation_init(struct propagation *p, bool is_enabled, uint32_t hold_down_ms,
	uint32_t settle_ms, uint64_t now_ms);

/* Side i has a link or not, as seen now; what a held side shows does not matter. Returns true when a
 * side is in another state than before. */
bool propagation_step(struct propagation *p, const bool has_link[2], uint64_t now_ms);

/* Is side i to be kept down? */
bool propagation_is_held(const struct propagation *p, unsigned int i);
