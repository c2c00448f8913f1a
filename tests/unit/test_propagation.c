/* SPDX-License-Identifier: BSD-3-Clause */
/* propagation: what each side of a wire does as links come and go. */
#include "suite.h"

#include "propagation.h"

#include <stdio.h>
#include <stdlib.h>

#define N(array)  (sizeof(array) / sizeof((array)[0]))
#define HOLD_MS   2000u
#define SETTLE_MS 10000u

#define S PROPAGATION_STARTING
#define U PROPAGATION_UP
#define D PROPAGATION_DOWN
#define W PROPAGATION_WAITING
#define H PROPAGATION_HELD

struct step {
	uint64_t now_ms;
	bool has_link[2];
	enum propagation_state want[2];
};

static void
follow(const char *what, struct propagation *p, const struct step *steps, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		const struct step *s = &steps[i];
		enum propagation_state before[2] = { p->sides[0].state, p->sides[1].state };
		bool has_changed = propagation_step(p, s->has_link, s->now_ms);

		if (p->sides[0].state != s->want[0] || p->sides[1].state != s->want[1])
			printf("    %s, at %llu ms: %d %d, not %d %d\n", what,
				(unsigned long long)s->now_ms, (int)p->sides[0].state,
				(int)p->sides[1].state, (int)s->want[0], (int)s->want[1]);
		CU_ASSERT_EQUAL(p->sides[0].state, s->want[0]);
		CU_ASSERT_EQUAL(p->sides[1].state, s->want[1]);
		CU_ASSERT_EQUAL(has_changed, before[0] != s->want[0] || before[1] != s->want[1]);
		CU_ASSERT_EQUAL(propagation_is_held(p, 0), s->want[0] == H);
		CU_ASSERT_EQUAL(propagation_is_held(p, 1), s->want[1] == H);
	}
}

#define FOLLOW(what, p, steps) follow(what, p, steps, N(steps))

static void
test_a_lost_link_takes_the_other_side_down_until_it_is_back(void)
{
	static const struct step steps[] = {
		{ 0, { true, true }, { U, U } },
		{ 100, { true, false }, { H, D } },
		{ 200, { false, false }, { H, D } },
		{ 300, { false, true }, { H, W } },
		{ 2299, { false, true }, { H, W } },
		{ 2300, { false, true }, { S, U } },
		{ 2400, { false, true }, { S, U } },
		{ 3000, { true, true }, { U, U } },
	};
	struct propagation p;

	propagation_init(&p, true, HOLD_MS, SETTLE_MS, 0);
	FOLLOW("outside is lost", &p, steps);
	CU_ASSERT_EQUAL(p.sides[0].n_downs, 0);
	CU_ASSERT_EQUAL(p.sides[0].n_held, 1);
	CU_ASSERT_EQUAL(p.sides[1].n_downs, 1);
	CU_ASSERT_EQUAL(p.sides[1].n_held, 0);
}

static void
test_a_link_that_flaps_lets_nothing_go(void)
{
	struct propagation p;
	uint64_t now;

	propagation_init(&p, true, HOLD_MS, SETTLE_MS, 0);
	propagation_step(&p, (bool[2]){ true, true }, 0);
	for (now = 1000; now < 100000; now += 1000) {
		propagation_step(
			&p, (bool[2]){ now / 1000 % 2 == 0, !propagation_is_held(&p, 1) }, now);
		CU_ASSERT_TRUE(propagation_is_held(&p, 1));
	}
	CU_ASSERT_EQUAL(p.sides[0].n_downs, 50);
	CU_ASSERT_EQUAL(p.sides[1].n_held, 1);
}

static void
test_both_lost_at_once_come_back_in_either_order(void)
{
	static const struct step inside_first[] = {
		{ 0, { true, true }, { U, U } },
		{ 100, { false, false }, { D, D } },
		{ 200, { true, false }, { W, D } },
		{ 2200, { true, false }, { H, D } },
		{ 3000, { false, true }, { H, W } },
		{ 5000, { false, true }, { S, U } },
		{ 5100, { true, true }, { U, U } },
	};
	static const struct step outside_first[] = {
		{ 0, { true, true }, { U, U } },
		{ 100, { false, false }, { D, D } },
		{ 200, { false, true }, { D, W } },
		{ 2200, { false, true }, { D, H } },
		{ 3000, { true, false }, { W, H } },
		{ 5000, { true, false }, { U, S } },
		{ 5100, { true, true }, { U, U } },
	};
	static const struct step together[] = {
		{ 0, { true, true }, { U, U } },
		{ 100, { false, false }, { D, D } },
		{ 200, { true, true }, { W, W } },
		{ 2200, { true, true }, { U, U } },
	};
	struct propagation p;

	propagation_init(&p, true, HOLD_MS, SETTLE_MS, 0);
	FOLLOW("inside is back first", &p, inside_first);
	propagation_init(&p, true, HOLD_MS, SETTLE_MS, 0);
	FOLLOW("outside is back first", &p, outside_first);
	propagation_init(&p, true, HOLD_MS, SETTLE_MS, 0);
	FOLLOW("both are back at once", &p, together);
}

static void
test_a_side_that_was_let_go_and_stays_dead_takes_the_first_one_down(void)
{
	static const struct step steps[] = {
		{ 0, { true, true }, { U, U } },
		{ 100, { false, true }, { D, H } },
		{ 200, { true, false }, { W, H } },
		{ 2200, { true, false }, { U, S } },
		{ 12199, { true, false }, { U, S } },
		{ 12200, { true, false }, { H, D } },
		{ 13000, { false, true }, { H, W } },
		{ 15000, { false, true }, { S, U } },
		{ 15500, { true, true }, { U, U } },
	};
	struct propagation p;

	propagation_init(&p, true, HOLD_MS, SETTLE_MS, 0);
	FOLLOW("the other cable went too", &p, steps);
}

static void
test_the_first_one_lost_again_before_the_other_has_settled(void)
{
	static const struct step steps[] = {
		{ 0, { true, true }, { U, U } },
		{ 100, { false, true }, { D, H } },
		{ 200, { true, false }, { W, H } },
		{ 2200, { true, false }, { U, S } },
		{ 2300, { false, false }, { D, H } },
	};
	struct propagation p;

	propagation_init(&p, true, HOLD_MS, SETTLE_MS, 0);
	FOLLOW("lost again", &p, steps);
}

static void
test_ports_may_take_the_settle_time_at_the_start(void)
{
	static const struct step slow[] = {
		{ 100, { false, false }, { S, S } },
		{ 9000, { true, false }, { U, S } },
		{ 9999, { true, true }, { U, U } },
	};
	static const struct step dead[] = {
		{ 9999, { true, false }, { U, S } },
		{ 10000, { true, false }, { H, D } },
	};
	struct propagation p;

	propagation_init(&p, true, HOLD_MS, SETTLE_MS, 0);
	FOLLOW("slow", &p, slow);
	propagation_init(&p, true, HOLD_MS, SETTLE_MS, 0);
	FOLLOW("dead", &p, dead);
}

static void
test_without_hold_down_the_other_is_let_go_at_once(void)
{
	static const struct step steps[] = {
		{ 0, { true, true }, { U, U } },
		{ 100, { false, true }, { D, H } },
		{ 200, { true, false }, { U, S } },
	};
	struct propagation p;

	propagation_init(&p, true, 0, SETTLE_MS, 0);
	FOLLOW("no hold-down", &p, steps);
}

static void
test_switched_off_nothing_is_held_but_all_is_counted(void)
{
	static const struct step steps[] = {
		{ 0, { true, true }, { U, U } },
		{ 100, { false, true }, { D, U } },
		{ 200, { true, true }, { U, U } },
		{ 300, { true, false }, { U, D } },
	};
	struct propagation p;

	propagation_init(&p, false, HOLD_MS, SETTLE_MS, 0);
	FOLLOW("off", &p, steps);
	CU_ASSERT_EQUAL(p.sides[0].n_downs, 1);
	CU_ASSERT_EQUAL(p.sides[1].n_downs, 1);
}

/* Whatever links do: never are both held, and two links that stay end in two sides that are up. */
static void
test_no_sequence_of_links_ends_in_a_deadlock(void)
{
	unsigned int round, i;
	struct propagation p;
	uint64_t now = 0;

	srandom(7);
	propagation_init(&p, true, HOLD_MS, SETTLE_MS, now);
	for (round = 0; round < 1000; round++) {
		for (i = 0; i < 50; i++) {
			bool is_there[2] = { random() % 3 > 0, random() % 3 > 0 };
			bool seen[2] = { is_there[0] && !propagation_is_held(&p, 0),
				is_there[1] && !propagation_is_held(&p, 1) };

			now += (uint64_t)random() % 4000;
			propagation_step(&p, seen, now);
			CU_ASSERT_FALSE(propagation_is_held(&p, 0) && propagation_is_held(&p, 1));
		}
		for (i = 0; i < 40; i++) {
			now += 1000;
			propagation_step(&p,
				(bool[2]){
					!propagation_is_held(&p, 0), !propagation_is_held(&p, 1) },
				now);
		}
		CU_ASSERT_EQUAL(p.sides[0].state, U);
		CU_ASSERT_EQUAL(p.sides[1].state, U);
	}
}

SUITE("propagation",
	{ "a lost link takes the other side down until it is back",
		test_a_lost_link_takes_the_other_side_down_until_it_is_back },
	{ "a link that flaps lets nothing go", test_a_link_that_flaps_lets_nothing_go },
	{ "both lost at once come back in either order",
		test_both_lost_at_once_come_back_in_either_order },
	{ "a side that was let go and stays dead takes the first one down",
		test_a_side_that_was_let_go_and_stays_dead_takes_the_first_one_down },
	{ "the first one lost again before the other has settled",
		test_the_first_one_lost_again_before_the_other_has_settled },
	{ "ports may take the settle time at the start",
		test_ports_may_take_the_settle_time_at_the_start },
	{ "without hold-down the other is let go at once",
		test_without_hold_down_the_other_is_let_go_at_once },
	{ "switched off nothing is held but all is counted",
		test_switched_off_nothing_is_held_but_all_is_counted },
	{ "no sequence of links ends in a deadlock", test_no_sequence_of_links_ends_in_a_deadlock })
