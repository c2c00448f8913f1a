/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DIR-24-8 (Gupta, Lin, McKeown 1998): one entry per /24; where a /24 is not uniform the entry
 * names a group of 256 entries, one per address. Entries are class ids; zeroed memory is the
 * unknown class, which is fail-closed. Immutable once built.
 */
#include "ruleset/ruleset_impl.h"

#include <errno.h>
#include <rte_prefetch.h>
#include <stdlib.h>
#include <string.h>

#define N_DIRECT   (UINT32_C(1) << 24)
#define GROUP_SIZE 256u
#define IS_GROUP   (UINT32_C(1) << 31)
#define CHUNK      64u

struct ruleset_table4 {
	uint32_t *direct; /* [N_DIRECT] class, or IS_GROUP | group */
	uint32_t *groups; /* [n_groups * GROUP_SIZE] classes */
	uint32_t n_groups;
	size_t groups_size; /* bytes */
};

/* Segments as [first, last] ranges of 32 bits. */
static uint32_t
segment_last(const struct segments *s, size_t i)
{
	return i + 1 < s->n ? (uint32_t)(s->items[i + 1].first - 1) : UINT32_MAX;
}

/* A /24 needs a group if and only if a segment begins inside it. */
static uint32_t
count_groups(const struct segments *s)
{
	uint32_t n = 0, slot, previous = UINT32_MAX;
	size_t i;

	for (i = 0; i < s->n; i++) {
		slot = (uint32_t)s->items[i].first >> 8;
		if (((uint32_t)s->items[i].first & 0xff) == 0 || slot == previous)
			continue;
		previous = slot;
		n++;
	}
	return n;
}

static uint32_t *
group_of(struct ruleset_table4 *t, uint32_t slot)
{
	if (!(t->direct[slot] & IS_GROUP))
		t->direct[slot] = IS_GROUP | t->n_groups++;
	return t->groups + (size_t)(t->direct[slot] & ~IS_GROUP) * GROUP_SIZE;
}

/* Addresses first..last of one /24. */
static void
fill_part(struct ruleset_table4 *t, uint32_t first, uint32_t last, ruleset_class_t class)
{
	uint32_t *group = group_of(t, first >> 8);
	uint32_t i;

	for (i = first & 0xff; i <= (last & 0xff); i++)
		group[i] = class;
}

static void
fill(struct ruleset_table4 *t, uint32_t first, uint32_t last, ruleset_class_t class)
{
	uint32_t slot, slot_last = last >> 8;

	if ((first & 0xff) != 0 || slot_last == first >> 8) {
		uint32_t end = first | 0xff;

		if (end > last)
			end = last;
		if ((first & 0xff) != 0 || end != (first | 0xff)) {
			fill_part(t, first, end, class);
			if (end == last)
				return;
			first = end + 1;
		}
	}
	if ((last & 0xff) != 0xff) {
		fill_part(t, last & ~UINT32_C(0xff), last, class);
		if (slot_last-- == first >> 8)
			return;
	}
	for (slot = first >> 8; slot <= slot_last; slot++)
		t->direct[slot] = class;
}

struct ruleset_table4 *
table4_new(const struct segments *segments)
{
	struct ruleset_table4 *t = calloc(1, sizeof(*t));
	size_t i;

	if (t == NULL)
		return NULL;
	t->groups_size = (size_t)count_groups(segments) * GROUP_SIZE * sizeof(uint32_t);
	t->direct = table_memory_new(N_DIRECT * sizeof(uint32_t));
	if (t->groups_size > 0)
		t->groups = table_memory_new(t->groups_size);
	if (t->direct == NULL || (t->groups_size > 0 && t->groups == NULL)) {
		table4_free(t);
		errno = ENOMEM;
		return NULL;
	}
	for (i = 0; i < segments->n; i++)
		fill(t, (uint32_t)segments->items[i].first, segment_last(segments, i),
			segments->items[i].class);
	return t;
}

void
table4_free(struct ruleset_table4 *t)
{
	if (t == NULL)
		return;
	table_memory_free(t->direct, N_DIRECT * sizeof(uint32_t));
	table_memory_free(t->groups, t->groups_size);
	free(t);
}

size_t
table4_size(const struct ruleset_table4 *t)
{
	return N_DIRECT * sizeof(uint32_t) + t->groups_size;
}

/* Three passes over a chunk, each waiting for one kind of memory only. */
static void
lookup_chunk(const struct ruleset_table4 *t, const uint32_t *ips, ruleset_class_t *classes,
	unsigned int n)
{
	unsigned int i, n_grouped = 0;
	uint8_t grouped[CHUNK];

	for (i = 0; i < n; i++)
		rte_prefetch0(&t->direct[ips[i] >> 8]);
	for (i = 0; i < n; i++) {
		uint32_t entry = t->direct[ips[i] >> 8];

		classes[i] = entry;
		grouped[n_grouped] = (uint8_t)i;
		n_grouped += entry >> 31;
	}
	for (i = 0; i < n_grouped; i++) {
		unsigned int k = grouped[i];

		rte_prefetch0(&t->groups[(size_t)(classes[k] & ~IS_GROUP) * GROUP_SIZE +
					 (ips[k] & 0xff)]);
	}
	for (i = 0; i < n_grouped; i++) {
		unsigned int k = grouped[i];

		classes[k] =
			t->groups[(size_t)(classes[k] & ~IS_GROUP) * GROUP_SIZE + (ips[k] & 0xff)];
	}
}

void
ruleset_lookup4(
	const struct ruleset *rs, const uint32_t *ips, ruleset_class_t *classes, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i += CHUNK)
		lookup_chunk(rs->table4, ips + i, classes + i, n - i < CHUNK ? n - i : CHUNK);
}
