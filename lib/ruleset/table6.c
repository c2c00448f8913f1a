/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IPv6: global unicast (2000::/3) has a direct table by the 21 bits behind its first three, the rest
 * of the address space one by its first 16 bits. What an entry stands for and is not uniform has a block
 * of entries by the next 8 bits, down to /32, which is what a network operator is given. A /32 that
 * is not uniform has a B-tree over the next 32 bits of the borders in it, and where borders
 * differ only behind those, the part leads to a B-tree over the 32 bits that follow. Immutable once
 * built.
 *
 * A B-tree follows the borders, however long their prefixes are: a /48 or /64 costs no more steps
 * than a /40, which is what a trie of fixed strides pays for.
 */
#include "ruleset/ruleset_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define N_GLOBAL  (UINT32_C(1) << RULESET_GLOBAL6_BITS)
#define N_OTHER   (UINT32_C(1) << RULESET_OTHER6_BITS)
#define IS_GLOBAL (UINT32_C(1) << (RULESET_OTHER6_BITS - 3)) /* 001 in front */

#define TREE_SHIFT 96 /* of a span that has a B-tree: a /32 */
#define N_WORDS    3u /* 32 bits each, behind that */

struct build6 {
	const struct segments *segments;
	uint32_t *direct;
	struct grown blocks, nodes;
	struct part *parts[N_WORDS]; /* room for all borders */
};

/* Part of the address space; segment `at` holds its first address. */
struct span {
	ip6_t first, last;
	size_t at;
};

static size_t
segment_of(const struct segments *s, size_t at, ip6_t ip)
{
	while (at + 1 < s->n && s->items[at + 1].first <= ip)
		at++;
	return at;
}

static bool
begins_within(const struct segments *s, size_t at, ip6_t last)
{
	return at + 1 < s->n && s->items[at + 1].first <= last;
}

static int build_tree(
	struct build6 *b, const struct span *span, unsigned int word, uint32_t *entry);

/* The next part of a span from `part.first` on: one value of the word that is not uniform, or as many
 * as have one class. Moves the part to what comes behind it, but at the end of the span. */
static int
add_part(struct build6 *b, struct span *part, ip6_t last, unsigned int word, size_t *n)
{
	const ip6_t rest = ((ip6_t)1 << (32 * word)) - 1; /* behind the word */
	const struct segments *s = b->segments;
	uint32_t entry = s->items[part->at].value;
	int status = 0;

	part->last = part->first | rest;
	if (begins_within(s, part->at, part->last))
		status = build_tree(b, part, word - 1, &entry);
	else if (begins_within(s, part->at, last))
		part->last = (s->items[part->at + 1].first & ~rest) - 1;
	else
		part->last = last;
	b->parts[word][(*n)++] = (struct part){ (uint32_t)(part->first >> (32 * word)), entry };
	part->at = segment_of(s, part->at, part->last);
	if (part->last != last) {
		part->first = part->last + 1;
		part->at = segment_of(s, part->at, part->first);
	}
	return status;
}

/* A span that is not uniform, and whose addresses differ from bit 128 - 32 * (word + 1) on. Calls
 * itself through add_part() for the next word. */
static int
build_tree(struct build6 *b, const struct span *span, unsigned int word, uint32_t *entry)
{
	struct span part = *span;
	size_t n = 0;
	int status;

	do
		status = add_part(b, &part, span->last, word, &n);
	while (status == 0 && part.last != span->last);
	if (status != 0)
		return status;
	return btree_build(&b->nodes, word, b->parts[word], n, entry);
}

/* How many spans of 2^shift addresses from `first` on are all segment `at`'s. */
static ip6_t
count_uniform(const struct segments *s, size_t at, ip6_t first, unsigned int shift)
{
	return at + 1 < s->n ? (s->items[at + 1].first - first) >> shift : UINT32_MAX;
}

static int build_block(
	struct build6 *b, const struct span *span, unsigned int shift, uint32_t *entry);

/* Entries of `n` spans of 2^shift addresses, of which `span` is the first. */
static int
build_spans(struct build6 *b, struct span span, unsigned int shift, uint32_t n, uint32_t *entries)
{
	const ip6_t first = span.first;
	uint32_t i, end;
	ip6_t n_alike;
	int status;

	for (i = 0; i < n; i = end) {
		span.first = first + ((ip6_t)i << shift);
		span.last = span.first + (((ip6_t)1 << shift) - 1);
		span.at = segment_of(b->segments, span.at, span.first);
		n_alike = count_uniform(b->segments, span.at, span.first, shift);
		if (n_alike == 0) {
			status = shift == TREE_SHIFT
					 ? build_tree(b, &span, N_WORDS - 1, &entries[i])
					 : build_block(b, &span, shift, &entries[i]);
			if (status != 0)
				return status;
			end = i + 1;
			continue;
		}
		for (end = n_alike < n - i ? i + (uint32_t)n_alike : n; i < end; i++)
			entries[i] = b->segments->items[span.at].value;
	}
	return 0;
}

/* A span of 2^shift addresses that is not uniform. */
static int
build_block(struct build6 *b, const struct span *span, unsigned int shift, uint32_t *entry)
{
	struct ruleset_block6 block;
	uint32_t index;
	int status = build_spans(b, *span, shift - BLOCK6_BITS, BLOCK6_ENTRIES, block.entries);

	if (status != 0)
		return status;
	index = grown_add(&b->blocks, 1);
	if (index == UINT32_MAX)
		return -ENOMEM;
	((struct ruleset_block6 *)b->blocks.items)[index] = block;
	*entry = RULESET_NODE | index;
	return 0;
}

/* Global unicast is left out of the second table, which nobody asks for it. */
static int
build_direct(struct build6 *b)
{
	const unsigned int shift = 128 - RULESET_OTHER6_BITS;
	uint32_t *other = b->direct + N_GLOBAL;
	struct span global = { .first = (ip6_t)1 << 125 }, below = { .first = 0 },
		    above = { .first = (ip6_t)(2 * IS_GLOBAL) << shift };
	int status;

	status = build_spans(b, global, 125 - RULESET_GLOBAL6_BITS, N_GLOBAL, b->direct);
	if (status == 0)
		status = build_spans(b, below, shift, IS_GLOBAL, other);
	if (status == 0)
		status = build_spans(
			b, above, shift, N_OTHER - 2 * IS_GLOBAL, other + 2 * IS_GLOBAL);
	return status;
}

/* A border makes at most two parts: the one before it, and itself. */
static int
build_init(struct build6 *b)
{
	bool has_all = true;
	unsigned int i;

	for (i = 0; i < N_WORDS; i++) {
		b->parts[i] = calloc(2 * b->segments->n + 2, sizeof(*b->parts[i]));
		has_all &= b->parts[i] != NULL;
	}
	return has_all && b->direct != NULL ? 0 : -ENOMEM;
}

static void
build_fini(struct build6 *b)
{
	unsigned int i;

	free(b->blocks.items);
	free(b->nodes.items);
	for (i = 0; i < N_WORDS; i++)
		free(b->parts[i]);
}

int
table6_init(struct ruleset_table6 *t, const struct segments *segments)
{
	struct build6 b = { .segments = segments,
		.blocks = { .item_size = sizeof(struct ruleset_block6) },
		.nodes = { .item_size = sizeof(struct ruleset_node6) } };
	struct ruleset_table6 made = { .direct_size = (N_GLOBAL + N_OTHER) * sizeof(uint32_t) };

	made.direct = b.direct = huge_new(made.direct_size);
	if (build_init(&b) == 0 && build_direct(&b) == 0) {
		made.blocks = grown_settle(&b.blocks, &made.blocks_size);
		made.nodes = grown_settle(&b.nodes, &made.nodes_size);
	}
	build_fini(&b);
	if (made.blocks == NULL || made.nodes == NULL) {
		table6_fini(&made);
		return -ENOMEM;
	}
	*t = made;
	return 0;
}

void
table6_fini(struct ruleset_table6 *t)
{
	huge_free(t->direct, t->direct_size);
	huge_free(t->blocks, t->blocks_size);
	huge_free(t->nodes, t->nodes_size);
	*t = (struct ruleset_table6){ .direct = NULL };
}
