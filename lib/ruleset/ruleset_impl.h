/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ruleset_impl: the steps of compiling: layers -> one list of segments -> look-up tables.
 * Units: addresses in host order; an IPv4 one sits in the low 32 bits.
 */
#pragma once

#include "ruleset/ruleset.h"

#define LAYER_NONE UINT32_MAX

/* One layer of what is said about addresses: sorted, no overlap, gaps say LAYER_NONE. */
struct layer_range {
	ip6_t first, last;
	uint32_t value;
};

struct layer {
	struct layer_range *ranges;
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
 * The first segment begins at 0, the last ends at the top of the address space. */
struct segment {
	ip6_t first;
	ruleset_class_t class;
};

struct segments {
	struct segment *items;
	size_t n;
};

/* Both return NULL + ENOMEM; the table keeps nothing of `segments`. */
struct ruleset_table4 *table4_new(const struct segments *segments);
struct ruleset_table6 *table6_new(const struct segments *segments);
void table4_free(struct ruleset_table4 *t);
void table6_free(struct ruleset_table6 *t);
size_t table4_size(const struct ruleset_table4 *t);
size_t table6_size(const struct ruleset_table6 *t);

/* Zeroed memory for a look-up table, on huge pages where the kernel has them. NULL + ENOMEM. */
void *table_memory_new(size_t size);
void table_memory_free(void *memory, size_t size);
