/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Building B-trees bottom up: neighbouring parts share a node, the nodes are the parts of the next
 * level, until one is left. Parts are spread evenly, so that no node is nearly empty.
 */
#include "ruleset/ruleset_impl.h"

#include <errno.h>

static void
fill_node(struct ruleset_node6 *node, const struct part *parts, size_t n)
{
	size_t i;

	for (i = 0; i < NODE6_PARTS; i++) {
		node->keys[i] = i < n ? parts[i].first : UINT32_MAX;
		node->entries[i] = parts[i < n ? i : n - 1].entry;
	}
	node->keys[0] = 0;
}

int
btree_build(struct grown *nodes, unsigned int word, struct part *parts, size_t n, uint32_t *root)
{
	size_t i, each, n_in, n_up;
	uint32_t index;

	for (; n > 1; n = n_up) {
		each = (n + NODE6_PARTS - 1) / NODE6_PARTS; /* nodes */
		each = (n + each - 1) / each;               /* parts in each of them */
		for (i = 0, n_up = 0; i < n; i += n_in) {
			n_in = n - i < each ? n - i : each;
			index = grown_add(nodes, 1);
			if (index == UINT32_MAX)
				return -ENOMEM;
			fill_node((struct ruleset_node6 *)nodes->items + index, parts + i, n_in);
			parts[n_up++] = (struct part){ parts[i].first,
				RULESET_NODE | word << NODE6_WORD_SHIFT | index };
		}
	}
	*root = parts[0].entry;
	return 0;
}
