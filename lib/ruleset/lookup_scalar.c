/* SPDX-License-Identifier: BSD-3-Clause */
/* Look-ups in plain C. */
#include "lookup_impl.h"

LOOKUP_INLINE unsigned int
up_to6(const struct ruleset_node6 *node, uint32_t key)
{
	unsigned int i, n = 0;

	for (i = 0; i < NODE6_PARTS; i++)
		n += node->keys[i] <= key;
	return n;
}

void
lookup4_scalar(
	const struct ruleset_table4 *t, const uint32_t *ips, uint32_t *answers, unsigned int n)
{
	unsigned int i;
	uint64_t nodes = 0;

	for (i = 0; i < n; i++) {
		answers[i] = t->direct[ips[i] >> 8];
		nodes |= (uint64_t)(answers[i] >> 31) << i;
	}
	lookup4_nodes(t, ips, answers, nodes);
}

void
lookup6_scalar(const struct ruleset_table6 *t, const ip6_t *ips, uint32_t *answers, unsigned int n)
{
	lookup6_by(up_to6, t, ips, answers, n);
}
