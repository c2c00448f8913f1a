/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lookup_impl: the walk through the tables, once, for every instruction set: what differs is how the
 * keys of one node are compared. All addresses of a chunk go down one level at a time, so that
 * their cache misses overlap; the ones that are not at their end stay in `open`.
 *
 * Threads: pure functions over an immutable table.
 * Units: addresses in host order.
 */
#pragma once

#include "ruleset/ruleset_impl.h"

#define LOOKUP_INLINE static inline __attribute__((always_inline))

/* How many keys of the node are above `key`: the parts are told apart by it. */
typedef unsigned int above6_fn(const struct ruleset_node6 *node, int64_t key);

/* The node behind an entry; the first one for answers, so that it can be fetched either way. */
LOOKUP_INLINE uint32_t
lookup_node(uint32_t entry)
{
	return entry & NODE6_INDEX & -(entry >> 31);
}

LOOKUP_INLINE void
lookup_prefetch6(const struct ruleset_table6 *t, uint32_t entry)
{
	const char *node = (const char *)&t->nodes[lookup_node(entry)];

	__builtin_prefetch(node);
	__builtin_prefetch(node + 64);
}

LOOKUP_INLINE const struct ruleset_word4 *
lookup_word4(const struct ruleset_table4 *t, uint32_t entry, uint32_t ip)
{
	return &t->nodes[entry & ~RULESET_NODE].words[ip >> 6 & (NODE4_WORDS - 1)];
}

/* The second half for IPv4: answers[k] of the open ones is a node. */
LOOKUP_INLINE void
lookup4_nodes(const struct ruleset_table4 *t, const uint32_t *ips, uint32_t *answers,
	const uint8_t *open, unsigned int n_open)
{
	unsigned int i, k;

	for (i = 0; i < n_open; i++)
		__builtin_prefetch(lookup_word4(t, answers[open[i]], ips[open[i]]));
	for (i = 0; i < n_open; i++) {
		const struct ruleset_word4 *word;

		k = open[i];
		word = lookup_word4(t, answers[k], ips[k]);
		answers[k] = word->leaf +
			     (uint32_t)__builtin_popcountll(word->begins << (~ips[k] & 63)) - 1;
		__builtin_prefetch(&t->leaves[answers[k]]);
	}
	for (i = 0; i < n_open; i++)
		answers[open[i]] = t->leaves[answers[open[i]]];
}

/* The half of an address that a node's keys are about, as they are kept. */
LOOKUP_INLINE int64_t
lookup_key6(const ip6_t *ip, uint32_t entry)
{
	uint64_t high = (uint64_t)(*ip >> 64), low = (uint64_t)*ip;

	return (int64_t)(((entry & NODE6_LOW) != 0 ? low : high) ^ NODE6_FLIP);
}

/* The entry of the part of `node` that the address is in; `entry` led to the node. */
LOOKUP_INLINE uint32_t
lookup6_step(above6_fn *above, const struct ruleset_node6 *node, const ip6_t *ip, uint32_t entry)
{
	return node->entries[above(node, lookup_key6(ip, entry))];
}

LOOKUP_INLINE void
lookup6_by(above6_fn *above, const struct ruleset_table6 *t, const ip6_t *ips, uint32_t *answers,
	unsigned int n)
{
	unsigned int i, k, n_open = 0, n_left;
	uint8_t open[LOOKUP_CHUNK];
	uint32_t entry, next;

	for (i = 0; i < n; i++) {
		answers[i] = t->direct[ruleset_index6(ips[i])];
		lookup_prefetch6(t, answers[i]);
	}
	/* Most are divided: an answer stays what it is, but nothing is skipped for it. */
	for (i = 0; i < n; i++) {
		entry = answers[i];
		next = lookup6_step(above, &t->nodes[lookup_node(entry)], &ips[i], entry);
		answers[i] = entry >> 31 != 0 ? next : entry;
		lookup_prefetch6(t, answers[i]);
		open[n_open] = (uint8_t)i;
		n_open += answers[i] >> 31;
	}
	for (; n_open > 0; n_open = n_left)
		for (i = 0, n_left = 0; i < n_open; i++) {
			k = open[i];
			entry = answers[k];
			answers[k] =
				lookup6_step(above, &t->nodes[entry & NODE6_INDEX], &ips[k], entry);
			lookup_prefetch6(t, answers[k]);
			open[n_left] = (uint8_t)k;
			n_left += answers[k] >> 31;
		}
}
