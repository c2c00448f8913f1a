/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IPv6: global unicast (2000::/3) has a direct table by the 21 bits behind its first three, the rest
 * of the address space one by its first 16 bits. What an entry stands for and is not uniform has a
 * B-tree over the first 64 bits of the borders in it, and where borders differ only behind them, the
 * part leads to a B-tree over the last 64 bits. Immutable once built.
 *
 * A B-tree follows the borders, however long their prefixes are: a /48 or /64 costs no more steps
 * than a /32, which is what a trie of fixed strides pays for.
 */
#include "ruleset/ruleset_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define N_GLOBAL  (UINT32_C(1) << RULESET_GLOBAL6_BITS)
#define N_OTHER   (UINT32_C(1) << RULESET_OTHER6_BITS)
#define IS_GLOBAL (UINT32_C(1) << (RULESET_OTHER6_BITS - 3)) /* 001 in front */

struct build6 {
	const struct segments *segments;
	uint32_t *direct;
	struct grown nodes;
	struct part *high, *low; /* room for all borders */
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

/* One /64. */
static int
build_low(struct build6 *b, const struct span *span, uint32_t *entry)
{
	const struct segments *s = b->segments;
	size_t n = 0, at = span->at;

	b->low[n++] = (struct part){ 0, s->items[at].value };
	for (; begins_within(s, at, span->last); at++)
		b->low[n++] =
			(struct part){ (uint64_t)s->items[at + 1].first, s->items[at + 1].value };
	return btree_build(&b->nodes, NODE6_LOW, b->low, n, entry);
}

/* The next part of a span from `part.first` on: a /64 that is not uniform, or as many as have one
 * class. Moves the part to what comes behind it; false at the end of the span. */
static int
add_part(struct build6 *b, struct span *part, ip6_t last, size_t *n)
{
	const ip6_t rest = (ip6_t)UINT64_MAX; /* behind the first 64 bits */
	const struct segments *s = b->segments;
	uint32_t entry = s->items[part->at].value;
	int status = 0;

	part->last = part->first | rest;
	if (begins_within(s, part->at, part->last))
		status = build_low(b, part, &entry);
	else if (begins_within(s, part->at, last))
		part->last = (s->items[part->at + 1].first & ~rest) - 1;
	else
		part->last = last;
	b->high[(*n)++] = (struct part){ (uint64_t)(part->first >> 64), entry };
	part->at = segment_of(s, part->at, part->last);
	if (part->last != last) {
		part->first = part->last + 1;
		part->at = segment_of(s, part->at, part->first);
	}
	return status;
}

/* A span that is not uniform. */
static int
build_span(struct build6 *b, const struct span *span, uint32_t *entry)
{
	struct span part = *span;
	size_t n = 0;
	int status;

	do
		status = add_part(b, &part, span->last, &n);
	while (status == 0 && part.last != span->last);
	if (status != 0)
		return status;
	return btree_build(&b->nodes, 0, b->high, n, entry);
}

/* How many spans of 2^shift addresses from `first` on are all segment `at`'s. */
static ip6_t
count_uniform(const struct segments *s, size_t at, ip6_t first, unsigned int shift)
{
	return at + 1 < s->n ? (s->items[at + 1].first - first) >> shift : UINT32_MAX;
}

/* Entries of `n` spans of 2^shift addresses from `first` on. */
static int
build_spans(struct build6 *b, ip6_t first, unsigned int shift, uint32_t n, uint32_t *entries)
{
	struct span span = { .first = first };
	uint32_t i, end;
	ip6_t n_alike;

	for (i = 0; i < n; i = end) {
		span.first = first + ((ip6_t)i << shift);
		span.last = span.first + (((ip6_t)1 << shift) - 1);
		span.at = segment_of(b->segments, span.at, span.first);
		n_alike = count_uniform(b->segments, span.at, span.first, shift);
		if (n_alike == 0) {
			if (build_span(b, &span, &entries[i]) != 0)
				return -ENOMEM;
			end = i + 1;
			continue;
		}
		for (end = n_alike < n - i ? i + (uint32_t)n_alike : n; i < end; i++)
			entries[i] = b->segments->items[span.at].value;
	}
	return 0;
}

/* Global unicast is left out of the second table, which nobody asks for it. */
static int
build_direct(struct build6 *b)
{
	const unsigned int shift = 128 - RULESET_OTHER6_BITS;
	uint32_t *other = b->direct + N_GLOBAL;
	int status;

	status = build_spans(b, (ip6_t)1 << 125, 125 - RULESET_GLOBAL6_BITS, N_GLOBAL, b->direct);
	if (status == 0)
		status = build_spans(b, 0, shift, IS_GLOBAL, other);
	if (status == 0)
		status = build_spans(b, (ip6_t)(2 * IS_GLOBAL) << shift, shift,
			N_OTHER - 2 * IS_GLOBAL, other + 2 * IS_GLOBAL);
	return status;
}

static void
build_fini(struct build6 *b)
{
	free(b->nodes.items);
	free(b->high);
	free(b->low);
}

int
table6_init(struct ruleset_table6 *t, const struct segments *segments)
{
	struct build6 b = { .segments = segments,
		.nodes = { .item_size = sizeof(struct ruleset_node6) } };
	struct ruleset_table6 made = { .direct_size = (N_GLOBAL + N_OTHER) * sizeof(uint32_t) };

	/* A border makes at most two parts: the one before it, and itself. */
	b.high = calloc(2 * segments->n + 2, sizeof(*b.high));
	b.low = calloc(2 * segments->n + 2, sizeof(*b.low));
	made.direct = b.direct = huge_new(made.direct_size);
	if (b.high != NULL && b.low != NULL && b.direct != NULL && build_direct(&b) == 0)
		made.nodes = grown_settle(&b.nodes, &made.nodes_size);
	build_fini(&b);
	if (made.nodes == NULL) {
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
	huge_free(t->nodes, t->nodes_size);
	*t = (struct ruleset_table6){ .direct = NULL };
}
