/* SPDX-License-Identifier: BSD-3-Clause */
/* Arrays that tables are built in, of a size that is only known at the end. */
#include "ruleset/ruleset_impl.h"

#include <stdlib.h>
#include <string.h>

#define N_FIRST 1024u

uint32_t
grown_add(struct grown *g, uint32_t n)
{
	uint32_t capacity = g->capacity > 0 ? g->capacity : N_FIRST, first = g->n;
	void *items;

	if (n > NODE6_INDEX - g->n)
		return UINT32_MAX;
	while (capacity < g->n + n)
		capacity *= 2;
	if (capacity != g->capacity) {
		items = realloc(g->items, capacity * g->item_size);
		if (items == NULL)
			return UINT32_MAX;
		g->items = items;
		g->capacity = capacity;
	}
	memset((char *)g->items + first * g->item_size, 0, n * g->item_size);
	g->n += n;
	return first;
}

void *
grown_settle(struct grown *g, size_t *size)
{
	void *memory;

	*size = (g->n + UINT32_C(1)) * g->item_size;
	memory = huge_new(*size);
	if (memory != NULL && g->n > 0)
		memcpy(memory, g->items, g->n * g->item_size);
	free(g->items);
	*g = (struct grown){ .items = NULL };
	return memory;
}
