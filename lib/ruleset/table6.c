/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IPv6 trie with popcount-compressed nodes (Asai, Ohara: Poptrie, 2015): 20 bits index a direct
 * table, every further node takes 6 bits (20 + 18 * 6 = 128). In a node bit i of `children` says
 * that slot i leads to a node, bit i of `leaves` that a new run of equal leaves begins at slot i.
 * Children of one node stand together, so do its leaves. Immutable once built.
 */
#include "ruleset/ruleset_impl.h"

#include <assert.h>
#include <errno.h>
#include <rte_prefetch.h>
#include <stdlib.h>
#include <string.h>

#define DIRECT_BITS 20
#define N_DIRECT    (UINT32_C(1) << DIRECT_BITS)
#define STRIDE      6
#define N_SLOTS     (1u << STRIDE)
#define IS_NODE     (UINT32_C(1) << 31)
#define CHUNK       64u

struct node {
	uint64_t children, leaves;
	uint32_t child_base, leaf_base;
};

struct ruleset_table6 {
	uint32_t *direct; /* [N_DIRECT] class, or IS_NODE | node */
	struct node *nodes;
	uint32_t *leaves; /* classes */
	uint32_t n_nodes, n_leaves;
	size_t nodes_capacity, leaves_capacity; /* counts */
};

/* The part of the address space being built. */
struct span {
	const struct segments *segments;
	size_t at; /* segment that holds the first address */
};

static const struct segment *
span_next(const struct span *span)
{
	return span->at + 1 < span->segments->n ? &span->segments->items[span->at + 1] : NULL;
}

/* Move to the segment that holds `ip`. */
static void
span_seek(struct span *span, ip6_t ip)
{
	const struct segment *next;

	while ((next = span_next(span)) != NULL && next->first <= ip)
		span->at++;
}

/* True if one segment holds all of first..last; the span stands on the one that holds `first`. */
static bool
span_is_uniform(const struct span *span, ip6_t last)
{
	const struct segment *next = span_next(span);

	return next == NULL || next->first > last;
}

/* Room for `n` more items behind the `used` ones. Returns 0 or -ENOMEM. */
static int
reserve(void **items, size_t *capacity, size_t used, size_t n, size_t item_size)
{
	size_t wanted = *capacity > 0 ? *capacity : 1024;
	void *grown;

	if (used + n <= *capacity)
		return 0;
	while (wanted < used + n)
		wanted *= 2;
	if (wanted > IS_NODE)
		return -ENOMEM;
	grown = realloc(*items, wanted * item_size);
	if (grown == NULL)
		return -ENOMEM;
	*items = grown;
	*capacity = wanted;
	return 0;
}

static int
leaf_add(struct ruleset_table6 *t, ruleset_class_t class)
{
	if (reserve((void **)&t->leaves, &t->leaves_capacity, t->n_leaves, 1, sizeof(uint32_t)) !=
		0)
		return -ENOMEM;
	t->leaves[t->n_leaves++] = class;
	return 0;
}

/* Which slots need a node, and where the span stands at each of them. */
static unsigned int
scan_slots(
	struct span *span, ip6_t first, unsigned int shift, size_t at[N_SLOTS], uint64_t *children)
{
	ip6_t size_less_one = ((ip6_t)1 << shift) - 1;
	unsigned int slot;

	*children = 0;
	for (slot = 0; slot < N_SLOTS; slot++) {
		ip6_t start = first + ((ip6_t)slot << shift);

		span_seek(span, start);
		at[slot] = span->at;
		if (!span_is_uniform(span, start + size_less_one))
			*children |= UINT64_C(1) << slot;
	}
	return (unsigned int)__builtin_popcountll(*children);
}

static int
add_leaves(struct ruleset_table6 *t, const struct segments *segments, const size_t at[N_SLOTS],
	struct node *node)
{
	unsigned int slot;
	bool has_run = false;

	node->leaf_base = t->n_leaves;
	for (slot = 0; slot < N_SLOTS; slot++) {
		ruleset_class_t class = segments->items[at[slot]].class;

		if (node->children & (UINT64_C(1) << slot))
			continue;
		if (has_run && t->leaves[t->n_leaves - 1] == class)
			continue;
		if (leaf_add(t, class) != 0)
			return -ENOMEM;
		node->leaves |= UINT64_C(1) << slot;
		has_run = true;
	}
	return 0;
}

/* Build node `index` for the addresses from `first`, whose slots are 2^shift addresses wide.
 * Recursion is bounded by the address's bits: at most 18 levels. */
static int
build_node(
	struct ruleset_table6 *t, struct span span, ip6_t first, unsigned int shift, uint32_t index)
{
	struct node node = { .children = 0 };
	size_t at[N_SLOTS];
	unsigned int slot, n_children = scan_slots(&span, first, shift, at, &node.children);
	uint32_t child;

	assert(shift > 0 || n_children == 0);
	if (add_leaves(t, span.segments, at, &node) != 0 ||
		reserve((void **)&t->nodes, &t->nodes_capacity, t->n_nodes, n_children,
			sizeof(node)) != 0)
		return -ENOMEM;
	node.child_base = child = t->n_nodes;
	t->n_nodes += n_children;
	t->nodes[index] = node;
	for (slot = 0; slot < N_SLOTS; slot++) {
		if (!(node.children & (UINT64_C(1) << slot)))
			continue;
		span.at = at[slot];
		if (build_node(t, span, first + ((ip6_t)slot << shift), shift - STRIDE, child++) !=
			0)
			return -ENOMEM;
	}
	return 0;
}

static int
build_direct(struct ruleset_table6 *t, const struct segments *segments)
{
	const unsigned int shift = 128 - DIRECT_BITS;
	struct span span = { .segments = segments };
	uint32_t slot, index;

	for (slot = 0; slot < N_DIRECT; slot++) {
		ip6_t first = (ip6_t)slot << shift;

		span_seek(&span, first);
		if (span_is_uniform(&span, first + (((ip6_t)1 << shift) - 1))) {
			t->direct[slot] = segments->items[span.at].class;
			continue;
		}
		if (reserve((void **)&t->nodes, &t->nodes_capacity, t->n_nodes, 1,
			    sizeof(struct node)) != 0)
			return -ENOMEM;
		index = t->n_nodes++;
		t->direct[slot] = IS_NODE | index;
		if (build_node(t, span, first, shift - STRIDE, index) != 0)
			return -ENOMEM;
	}
	return 0;
}

/* Move the grown arrays to table memory of the right size. */
static int
settle(void **items, size_t *capacity, size_t n, size_t item_size)
{
	void *memory = table_memory_new((n + 1) * item_size);

	if (memory == NULL)
		return -ENOMEM;
	if (n > 0)
		memcpy(memory, *items, n * item_size);
	free(*items);
	*items = memory;
	*capacity = n + 1;
	return 0;
}

struct ruleset_table6 *
table6_new(const struct segments *segments)
{
	struct ruleset_table6 *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->direct = table_memory_new(N_DIRECT * sizeof(uint32_t));
	if (t->direct == NULL || build_direct(t, segments) != 0)
		goto free_grown;
	if (settle((void **)&t->nodes, &t->nodes_capacity, t->n_nodes, sizeof(*t->nodes)) != 0)
		goto free_grown;
	if (settle((void **)&t->leaves, &t->leaves_capacity, t->n_leaves, sizeof(*t->leaves)) != 0)
		goto free_nodes;
	return t;

free_nodes:
	table_memory_free(t->nodes, t->nodes_capacity * sizeof(*t->nodes));
	t->nodes = NULL;
free_grown:
	free(t->nodes);
	free(t->leaves);
	table_memory_free(t->direct, N_DIRECT * sizeof(uint32_t));
	free(t);
	errno = ENOMEM;
	return NULL;
}

void
table6_free(struct ruleset_table6 *t)
{
	if (t == NULL)
		return;
	table_memory_free(t->direct, N_DIRECT * sizeof(uint32_t));
	table_memory_free(t->nodes, t->nodes_capacity * sizeof(*t->nodes));
	table_memory_free(t->leaves, t->leaves_capacity * sizeof(*t->leaves));
	free(t);
}

size_t
table6_size(const struct ruleset_table6 *t)
{
	return N_DIRECT * sizeof(uint32_t) + t->nodes_capacity * sizeof(*t->nodes) +
	       t->leaves_capacity * sizeof(*t->leaves);
}

/* One level down: the class, or IS_NODE | the next node. */
static inline uint32_t
step(const struct ruleset_table6 *t, uint32_t entry, ip6_t ip, unsigned int shift)
{
	const struct node *node = &t->nodes[entry & ~IS_NODE];
	uint64_t bit = UINT64_C(1) << ((uint64_t)(ip >> shift) & (N_SLOTS - 1));

	if (node->children & bit)
		return IS_NODE | (node->child_base + (uint32_t)__builtin_popcountll(
							     node->children & (bit - 1)));
	return t->leaves[node->leaf_base +
			 (uint32_t)__builtin_popcountll(node->leaves & (bit | (bit - 1))) - 1];
}

/* All addresses of a chunk go down one level at a time, so that their cache misses overlap. */
static void
lookup_chunk(
	const struct ruleset_table6 *t, const ip6_t *ips, ruleset_class_t *classes, unsigned int n)
{
	unsigned int i, n_open = 0, n_left, shift = 128 - DIRECT_BITS;
	uint8_t open[CHUNK];

	for (i = 0; i < n; i++)
		rte_prefetch0(&t->direct[(uint32_t)(ips[i] >> shift)]);
	for (i = 0; i < n; i++) {
		classes[i] = t->direct[(uint32_t)(ips[i] >> shift)];
		open[n_open] = (uint8_t)i;
		n_open += classes[i] >> 31;
	}
	for (; n_open > 0; n_open = n_left) {
		for (i = 0; i < n_open; i++)
			rte_prefetch0(&t->nodes[classes[open[i]] & ~IS_NODE]);
		shift -= STRIDE;
		for (i = 0, n_left = 0; i < n_open; i++) {
			unsigned int k = open[i];

			classes[k] = step(t, classes[k], ips[k], shift);
			open[n_left] = (uint8_t)k;
			n_left += classes[k] >> 31;
		}
	}
}

void
ruleset_lookup6(
	const struct ruleset *rs, const ip6_t *ips, ruleset_class_t *classes, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i += CHUNK)
		lookup_chunk(rs->table6, ips + i, classes + i, n - i < CHUNK ? n - i : CHUNK);
}
