/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Look-up tables on several NUMA nodes. They hold indices, no pointers, so a copy is one of bytes; what
 * is not read per packet stays shared.
 */
#include "ruleset/ruleset_impl.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Every array of the tables, and its size in bytes. */
#define ARRAYS(X)                                                                                  \
	X(table4.direct)                                                                           \
	X(table4.nodes)                                                                            \
	X(table4.leaves)                                                                           \
	X(table6.direct)                                                                           \
	X(table6.blocks)                                                                           \
	X(table6.nodes)

static_assert(sizeof(struct ruleset_table4) == 3 * (sizeof(void *) + sizeof(size_t)) &&
		      sizeof(struct ruleset_table6) == 3 * (sizeof(void *) + sizeof(size_t)),
	"a table has no array that is not listed above");

static void *
duplicate(const void *from, size_t size, const struct huge_memory *memory, int node)
{
	void *to = memory->new_on(size, node);

	if (to != NULL)
		memcpy(to, from, size);
	return to;
}

/* Give `to`, whose tables are those of `rs`, tables of its own. Returns 0 or -ENOMEM; then it has
 * none. */
static int
duplicate_tables(
	struct ruleset *to, const struct ruleset *rs, const struct huge_memory *memory, int node)
{
	bool has_all = true;

	to->memory = memory;
#define X(array)                                                                                   \
	to->array = has_all ? duplicate(rs->array, rs->array##_size, memory, node) : NULL;         \
	has_all &= to->array != NULL;
	ARRAYS(X)
#undef X
	if (has_all)
		return 0;
	tables_fini(to);
	return -ENOMEM;
}

void
tables_fini(struct ruleset *rs)
{
	if (rs->memory == NULL) {
		table4_fini(&rs->table4);
		table6_fini(&rs->table6);
		return;
	}
#define X(array)                                                                                   \
	rs->memory->free(rs->array, rs->array##_size);                                             \
	rs->array = NULL;
	ARRAYS(X)
#undef X
}

struct ruleset *
ruleset_copy(const struct ruleset *rs, const struct huge_memory *memory, int node)
{
	struct ruleset *copy = malloc(sizeof(*copy));

	if (copy == NULL)
		return NULL;
	*copy = *rs;
	copy->is_copy = true;
	if (duplicate_tables(copy, rs, memory, node) == 0)
		return copy;
	free(copy);
	errno = ENOMEM;
	return NULL;
}

int
ruleset_move(struct ruleset *rs, const struct huge_memory *memory, int node)
{
	struct ruleset moved = *rs;
	int status = duplicate_tables(&moved, rs, memory, node);

	if (status != 0)
		return status;
	tables_fini(rs);
	*rs = moved;
	return 0;
}
