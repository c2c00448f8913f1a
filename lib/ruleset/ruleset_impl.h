/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ruleset_impl: the steps of compiling: layers -> one list of segments -> look-up tables.
 * Units: addresses in host order; an IPv4 one sits in the low 32 bits.
 */
#pragma once

#include "base/huge.h"
#include "ruleset/ruleset.h"

#include <assert.h>

#define LAYER_NONE UINT32_MAX

/* One layer of what is said about addresses: sorted, no overlap, gaps say LAYER_NONE. */
struct layer_range {
	ip6_t first, last;
	uint32_t value;
};

struct layer {
	struct layer_range *ranges;       /* its own, NULL = it reads those of a geo table: */
	const struct geo_range4 *ranges4; /* one of these */
	const struct geo_range6 *ranges6;
	size_t n;
	size_t at; /* cursor of layer_at() */
};

/* Turn prefixes that nest (sorted by first, holders before what they hold) into a layer in which
 * the innermost one speaks. `ranges` has n entries, layer->ranges gets a new array.
 * Returns 0 or -ENOMEM. */
int layer_flatten(struct layer *layer, const struct layer_range *ranges, size_t n);

/* What the layer says at `ip`, and the last address up to which it says so. `ip` never goes back. */
uint32_t layer_at(struct layer *layer, ip6_t ip, ip6_t max, ip6_t *last);

/* From segment i's first address to the one before segment i+1's, all addresses have one class.
 * The first segment begins at 0, the last ends at the top of the address space. `value` is a class
 * while they are made, an answer when tables are built of them. */
struct segment {
	ip6_t first;
	uint32_t value;
} __attribute__((packed, aligned(4))); /* there are a million: less memory to fill */

struct segments {
	struct segment *items;
	size_t n;
};

/* One cache line: what a /24 is divided into, 64 addresses a word. Bit i says that a new part begins
 * at address i (bit 0 is always set), so the part of an address is the number of bits up to its own;
 * their answers stand together in the table's leaves. */
#define NODE4_WORDS 4
struct ruleset_node4 {
	struct ruleset_word4 {
		uint64_t begins;
		uint32_t leaf; /* of the first part */
		uint32_t unused;
	} words[NODE4_WORDS];
} __attribute__((aligned(64)));

/* What an entry of IPv6's direct table is divided into, and a /24 of the block that leads to. */
#define BLOCK6_BITS    8
#define BLOCK6_ENTRIES (1u << BLOCK6_BITS)
struct ruleset_block6 {
	uint32_t entries[BLOCK6_ENTRIES];
} __attribute__((aligned(64)));

/* Two cache lines: which of up to 16 parts an address is in, by 32 bits of it. keys[i] are those bits of
 * the first address of part i, but for keys[0], which is 0: so many keys as are not above an
 * address's own, so many parts begin up to there. Parts behind the last one have the highest key and the
 * last one's entry. An address that differs only in bits behind leads to nodes about the next 32. */
#define NODE6_PARTS      16u
#define NODE6_WORD_SHIFT 29 /* which 32 bits: 2, 1, 0 = those behind 32, 64, 96 bits */
#define NODE6_SIZE_SHIFT 7
#define NODE6_INDEX      (UINT32_MAX >> NODE6_SIZE_SHIFT)
struct ruleset_node6 {
	uint32_t keys[NODE6_PARTS];
	uint32_t entries[NODE6_PARTS]; /* answer, or RULESET_NODE | which bits | a node */
} __attribute__((aligned(128)));

static_assert(sizeof(struct ruleset_node6) == 1u << NODE6_SIZE_SHIFT, "a shift finds a node");

/* What a B-tree is made of: from key `first` on, up to the next part, `entry`. */
struct part {
	uint32_t first, entry;
};

/* An array while a table is built; it moves to table memory at the end. */
struct grown {
	void *items;
	size_t item_size;
	uint32_t n, capacity;
};

/* Zeroed room for `n` more items behind the others; their index, or UINT32_MAX: no memory, or more
 * than an entry can name. */
uint32_t grown_add(struct grown *g, uint32_t n);

/* Move the items to table memory, *size bytes. NULL: no memory. The items are freed either way. */
void *grown_settle(struct grown *g, size_t *size);

/* Make a B-tree of `n` >= 1 parts by word `word` of an address, which are overwritten. *root = its
 * entry: of the one part, or a node. Returns 0 or -ENOMEM. */
int btree_build(
	struct grown *nodes, unsigned int word, struct part *parts, size_t n, uint32_t *root);

/* Return 0 or -ENOMEM; the table keeps nothing of `segments`. */
int table4_init(struct ruleset_table4 *t, const struct segments *segments);
int table6_init(struct ruleset_table6 *t, const struct segments *segments);
void table4_fini(struct ruleset_table4 *t);
void table6_fini(struct ruleset_table6 *t);

/* Give back the look-up tables, wherever they are. */
void tables_fini(struct ruleset *rs);

/* The ways to walk the tables: n <= LOOKUP_CHUNK. */
#define LOOKUP_CHUNK 64u
typedef void lookup4_fn(
	const struct ruleset_table4 *t, const uint32_t *ips, uint32_t *answers, unsigned int n);
typedef void lookup6_fn(
	const struct ruleset_table6 *t, const ip6_t *ips, uint32_t *answers, unsigned int n);

lookup4_fn lookup4_scalar;
lookup6_fn lookup6_scalar;
#if defined(__x86_64__)
lookup4_fn lookup4_avx2, lookup4_avx512;
lookup6_fn lookup6_avx2, lookup6_avx512;
#endif
