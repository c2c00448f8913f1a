/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Each side first follows its own link; then one without a link holds the other, unless that one has
 * none either: of two dead sides none is held, so that each can show that it is back. A side that
 * was let go and gets no link within the settle time counts as dead itself.
 */
#include "propagation.h"

static void
enter(struct propagation_side *side, enum propagation_state state, uint64_t now_ms)
{
	side->n_downs += state == PROPAGATION_DOWN;
	side->n_held += state == PROPAGATION_HELD;
	side->state = state;
	side->since_ms = now_ms;
}

void
propagation_init(struct propagation *p, bool is_enabled, uint32_t hold_down_ms, uint32_t settle_ms,
	uint64_t now_ms)
{
	*p = (struct propagation){
		.is_enabled = is_enabled, .hold_down_ms = hold_down_ms, .settle_ms = settle_ms
	};
	enter(&p->sides[0], PROPAGATION_STARTING, now_ms);
	enter(&p->sides[1], PROPAGATION_STARTING, now_ms);
}

/* The state that follows from the side's own link. */
static enum propagation_state
follow(const struct propagation *p, const struct propagation_side *side, bool has_link,
	uint64_t now_ms)
{
	uint64_t age_ms = now_ms - side->since_ms;

	switch (side->state) {
	case PROPAGATION_STARTING:
		if (has_link)
			return PROPAGATION_UP;
		return age_ms < p->settle_ms ? PROPAGATION_STARTING : PROPAGATION_DOWN;
	case PROPAGATION_UP:
		return has_link ? PROPAGATION_UP : PROPAGATION_DOWN;
	case PROPAGATION_DOWN:
		if (!has_link)
			return PROPAGATION_DOWN;
		return p->is_enabled && p->hold_down_ms > 0 ? PROPAGATION_WAITING : PROPAGATION_UP;
	case PROPAGATION_WAITING:
		if (!has_link)
			return PROPAGATION_DOWN;
		return age_ms < p->hold_down_ms ? PROPAGATION_WAITING : PROPAGATION_UP;
	default:
		return PROPAGATION_HELD;
	}
}

static bool
is_dead(const struct propagation_side *side)
{
	return side->state == PROPAGATION_DOWN || side->state == PROPAGATION_WAITING;
}

/* The state that follows from the other side. */
static enum propagation_state
heed(const struct propagation_side *side, const struct propagation_side *other)
{
	if (side->state == PROPAGATION_HELD)
		return is_dead(other) ? PROPAGATION_HELD : PROPAGATION_STARTING;
	return is_dead(other) && !is_dead(side) ? PROPAGATION_HELD : side->state;
}

bool
propagation_step(struct propagation *p, const bool has_link[2], uint64_t now_ms)
{
	bool has_changed = false;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct propagation_side *side = &p->sides[i];
		enum propagation_state next = follow(p, side, has_link[i], now_ms);

		has_changed |= next != side->state;
		if (next != side->state)
			enter(side, next, now_ms);
	}
	for (i = 0; p->is_enabled && i < 2; i++) {
		struct propagation_side *side = &p->sides[i];
		enum propagation_state next = heed(side, &p->sides[1 - i]);

		has_changed |= next != side->state;
		if (next != side->state)
			enter(side, next, now_ms);
	}
	return has_changed;
}

bool
propagation_is_held(const struct propagation *p, unsigned int i)
{
	return p->sides[i].state == PROPAGATION_HELD;
}
