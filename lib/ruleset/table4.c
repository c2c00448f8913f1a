/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IPv4: one entry per /24 (as DIR-24-8: Gupta, Lin, McKeown 1998); a /24 that is not uniform has one
 * cache line of bits, counted as in a Poptrie (Asai, Ohara 2015), instead of 256 entries: all of
 * them together stay in the L2 cache. A zeroed entry forwards nothing. Immutable once built.
 */
#include "ruleset/ruleset_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define N_DIRECT (UINT32_C(1) << 24)

struct build4 {
	const struct segments *segments;
	uint32_t *direct;
	struct grown nodes, leaves;
};

/* A part begins at `ip`; where a word begins, the one before goes on. */
static int
add_part(struct build4 *b, uint32_t node, uint32_t ip, uint32_t value)
{
	struct ruleset_node4 *n = (struct ruleset_node4 *)b->nodes.items + node;
	struct ruleset_word4 *word = &n->words[ip >> 6 & (NODE4_WORDS - 1)];
	uint32_t leaf = grown_add(&b->leaves, 1);

	if (leaf == UINT32_MAX)
		return -ENOMEM;
	((uint32_t *)b->leaves.items)[leaf] = value;
	if (word->begins == 0)
		word->leaf = leaf;
	word->begins |= UINT64_C(1) << (ip & 63);
	return 0;
}

/* A /24 in which segment *at + 1 begins. *at becomes the last segment that begins in it. */
static int
build_group(struct build4 *b, size_t *at, uint32_t slot)
{
	const struct segments *s = b->segments;
	uint32_t node = grown_add(&b->nodes, 1), ip = slot << 8, last = ip | 0xff, next;
	int status = node == UINT32_MAX ? -ENOMEM : 0;

	b->direct[slot] = RULESET_NODE | node;
	while (status == 0) {
		status = add_part(b, node, ip, s->items[*at].value);
		next = (ip | 63) + 1; /* of the next word */
		if (*at + 1 < s->n && s->items[*at + 1].first <= (ip | 63))
			next = (uint32_t)s->items[*at + 1].first;
		if ((ip | 63) == last && next == last + 1)
			break;
		ip = next;
		if (*at + 1 < s->n && s->items[*at + 1].first == ip)
			(*at)++;
	}
	return status;
}

static int
build_direct(struct build4 *b)
{
	const struct segments *s = b->segments;
	uint64_t slot, end;
	size_t i = 0;

	for (slot = 0; slot < N_DIRECT; slot = end) {
		/* Segment i holds the slot's first address; up to where is all its own? */
		end = i + 1 < s->n ? (uint64_t)s->items[i + 1].first >> 8 : N_DIRECT;
		for (; slot < end; slot++)
			b->direct[slot] = s->items[i].value;
		if (end == N_DIRECT)
			break;
		if (((uint32_t)s->items[i + 1].first & 0xff) == 0)
			i++;
		if (i + 1 == s->n || (uint64_t)s->items[i + 1].first >> 8 != slot) {
			b->direct[slot] = s->items[i].value;
		} else {
			if (build_group(b, &i, (uint32_t)slot) != 0)
				return -ENOMEM;
		}
		end = slot + 1;
	}
	return 0;
}

static void
settle(struct build4 *b, struct ruleset_table4 *t)
{
	t->nodes = grown_settle(&b->nodes, &t->nodes_size);
	t->leaves = grown_settle(&b->leaves, &t->leaves_size);
}

int
table4_init(struct ruleset_table4 *t, const struct segments *segments)
{
	struct build4 b = { .segments = segments,
		.nodes = { .item_size = sizeof(struct ruleset_node4) },
		.leaves = { .item_size = sizeof(uint32_t) } };
	struct ruleset_table4 made = { .direct_size = N_DIRECT * sizeof(uint32_t) };

	b.direct = huge_new(made.direct_size);
	made.direct = b.direct;
	if (b.direct != NULL && build_direct(&b) == 0)
		settle(&b, &made);
	free(b.nodes.items);
	free(b.leaves.items);
	if (made.nodes == NULL || made.leaves == NULL) {
		table4_fini(&made);
		return -ENOMEM;
	}
	*t = made;
	return 0;
}

void
table4_fini(struct ruleset_table4 *t)
{
	huge_free(t->direct, t->direct_size);
	huge_free(t->nodes, t->nodes_size);
	huge_free(t->leaves, t->leaves_size);
	*t = (struct ruleset_table4){ .direct = NULL };
}
