/* SPDX-License-Identifier: BSD-3-Clause */
/* Arrays that tables are built in, of a size that is only known at the end. */
#include "ruleset/ruleset_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define N_FIRST   1024u
#define ALIGNMENT _Alignof(struct ruleset_node6) /* the most that any item wants */

/* Items may want more alignment than realloc() gives. */
static int
grow(struct grown *g, uint32_t capacity)
{
	size_t size = (capacity * g->item_size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	void *items = aligned_alloc(ALIGNMENT, size);

	if (items == NULL)
		return -ENOMEM;
	huge_wish(items, size);
	if (g->n > 0)
		memcpy(items, g->items, g->n * g->item_size);
	free(g->items);
	g->items = items;
	g->capacity = capacity;
	return 0;
}

uint32_t
grown_add(struct grown *g, uint32_t n)
{
	uint32_t capacity = g->capacity > 0 ? g->capacity : N_FIRST, first = g->n;

	if (n > NODE6_INDEX - g->n)
		return UINT32_MAX;
	while (capacity < g->n + n)
		capacity *= 2;
	if (capacity != g->capacity && grow(g, capacity) != 0)
		return UINT32_MAX;
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
