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

#include <string.h>

/* For few addresses a wrong guess about how many are left costs more than steps in vain. */
#define FEW          16u
#define STEPS_OF_FEW 3u

#define LOOKUP_INLINE static inline __attribute__((always_inline))

/* How many keys of the node are not above `key`: 1 to NODE6_PARTS. */
typedef unsigned int up_to6_fn(const struct ruleset_node6 *node, uint32_t key);

/* The node that an entry leads to: its index moves to where flags fall off and a node's size is counted. */
LOOKUP_INLINE const struct ruleset_node6 *
lookup_node6(const struct ruleset_table6 *t, uint32_t entry)
{
	return (const struct ruleset_node6 *)(const void *)((const char *)t->nodes +
							    (uint32_t)(entry << NODE6_SIZE_SHIFT));
}

/* The first node for answers, so that nothing is asked. */
LOOKUP_INLINE void
lookup_prefetch6(const struct ruleset_table6 *t, uint32_t entry)
{
	const char *node = (const char *)lookup_node6(t, entry & -(entry >> 31));

	__builtin_prefetch(node);
	__builtin_prefetch(node + 64);
}

LOOKUP_INLINE const struct ruleset_word4 *
lookup_word4(const struct ruleset_table4 *t, uint32_t entry, uint32_t ip)
{
	return &t->nodes[entry & ~RULESET_NODE].words[ip >> 6 & (NODE4_WORDS - 1)];
}

/* The second half for IPv4, of the addresses whose bit is set in `nodes`. */
LOOKUP_INLINE void
lookup4_nodes(
	const struct ruleset_table4 *t, const uint32_t *ips, uint32_t *answers, uint64_t nodes)
{
	const struct ruleset_word4 *word;
	unsigned int k;

	for (; nodes != 0; nodes &= nodes - 1) {
		k = (unsigned int)__builtin_ctzll(nodes);
		word = lookup_word4(t, answers[k], ips[k]);
		answers[k] =
			t->leaves[word->leaf - 1 +
				  (uint32_t)__builtin_popcountll(word->begins << (~ips[k] & 63))];
	}
}

/* Bits 8 * i to 8 * i + 7 of an address, from the front. */
LOOKUP_INLINE uint8_t
lookup_byte6(const ip6_t *ip, unsigned int i)
{
	return (uint8_t)(*ip >> (120 - 8 * i));
}

/* Where the block behind `entry` has what it says of byte `i` of an address. */
LOOKUP_INLINE const uint32_t *
lookup_in_block6(const struct ruleset_table6 *t, uint32_t entry, const ip6_t *ip, unsigned int i)
{
	return &t->blocks[entry & NODE6_INDEX & -(entry >> 31)].entries[lookup_byte6(ip, i)];
}

/* The 32 bits of an address that a node's keys are about. `entry` led to the node, so that its number of
 * the word is 4 more than it is. */
LOOKUP_INLINE uint32_t
lookup_key6(const ip6_t *ip, uint32_t entry)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	uint32_t key;

	memcpy(&key, (const char *)ip + (entry >> NODE6_WORD_SHIFT) * sizeof(key) - 4 * sizeof(key),
		sizeof(key));
	return key;
#else
	return (uint32_t)(*ip >> 32 * ((entry >> NODE6_WORD_SHIFT) - 4));
#endif
}

/* The entry of the part of its node that the address is in. */
LOOKUP_INLINE uint32_t
lookup6_step(up_to6_fn *up_to, const struct ruleset_table6 *t, const ip6_t *ip, uint32_t entry)
{
	const struct ruleset_node6 *node = lookup_node6(t, entry);

	return node->entries[up_to(node, lookup_key6(ip, entry)) - 1];
}

/* `next` behind a node, and an answer stays what it is: nothing is asked, so nothing is mispredicted. */
LOOKUP_INLINE uint32_t
lookup_behind(uint32_t entry, uint32_t next)
{
	uint32_t is_node = -(entry >> 31);

	return (next & is_node) | (entry & ~is_node);
}

/* A step that answers take, too, in vain. */
LOOKUP_INLINE uint32_t
lookup6_step_if(up_to6_fn *up_to, const struct ruleset_table6 *t, const ip6_t *ip, uint32_t entry)
{
	const struct ruleset_node6 *node = lookup_node6(t, entry & -(entry >> 31));
	uint32_t key = lookup_key6(ip, entry | RULESET_NODE);

	return lookup_behind(entry, node->entries[up_to(node, key) - 1]);
}

/* An address alone has nothing to overlap with: its steps are a chain that stays in registers. */
LOOKUP_INLINE uint32_t
lookup6_alone(up_to6_fn *up_to, const struct ruleset_table6 *t, const ip6_t *ip)
{
	uint32_t entry = t->direct[ruleset_index6(*ip)];

	if (entry >> 31 != 0 && !ruleset_is_global6(*ip))
		entry = *lookup_in_block6(t, entry, ip, 2);
	if (entry >> 31 != 0)
		entry = *lookup_in_block6(t, entry, ip, 3);
	while (entry >> 31 != 0)
		entry = lookup6_step(up_to, t, ip, entry);
	return entry;
}

/* Down to where the trees begin. */
LOOKUP_INLINE void
lookup6_direct(up_to6_fn *up_to, const struct ruleset_table6 *t, const ip6_t *ips,
	uint32_t *answers, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		answers[i] = t->direct[ruleset_index6(ips[i])];
		if (__builtin_expect(!ruleset_is_global6(ips[i]), 0))
			answers[i] = lookup6_alone(up_to, t, &ips[i]);
		__builtin_prefetch(lookup_in_block6(t, answers[i], &ips[i], 3));
	}
	for (i = 0; i < n; i++) {
		answers[i] =
			lookup_behind(answers[i], *lookup_in_block6(t, answers[i], &ips[i], 3));
		lookup_prefetch6(t, answers[i]);
	}
}

LOOKUP_INLINE void
lookup6_by(up_to6_fn *up_to, const struct ruleset_table6 *t, const ip6_t *ips, uint32_t *answers,
	unsigned int n)
{
	unsigned int i, k, n_open = 0, n_left, n_steps = n <= FEW ? STEPS_OF_FEW : 0;
	uint8_t open[LOOKUP_CHUNK];

	if (n == 1) {
		answers[0] = lookup6_alone(up_to, t, ips);
		return;
	}
	lookup6_direct(up_to, t, ips, answers, n);
	for (k = 0; k < n_steps; k++)
		for (i = 0; i < n; i++) {
			answers[i] = lookup6_step_if(up_to, t, &ips[i], answers[i]);
			lookup_prefetch6(t, answers[i]);
		}
	for (i = 0; i < n; i++) {
		open[n_open] = (uint8_t)i;
		n_open += answers[i] >> 31;
	}
	for (; n_open > 0; n_open = n_left)
		for (i = 0, n_left = 0; i < n_open; i++) {
			k = open[i];
			answers[k] = lookup6_step(up_to, t, &ips[k], answers[k]);
			lookup_prefetch6(t, answers[k]);
			open[n_left] = (uint8_t)k;
			n_left += answers[k] >> 31;
		}
}
