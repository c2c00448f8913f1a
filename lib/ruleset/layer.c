/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Layers. Flattening walks the prefixes in address order with a stack of the ones that are open:
 * prefixes nest or are apart, so the stack is never deeper than an address has bits.
 */
#include "ruleset/ruleset_impl.h"

#include <errno.h>
#include <stdlib.h>

#define STACK_MAX 130

struct flatten {
	struct layer *out;
	const struct layer_range *stack[STACK_MAX];
	unsigned int depth;
	ip6_t at; /* next address nothing was said about */
};

static void
flatten_emit(struct flatten *f, ip6_t last, uint32_t value)
{
	if (f->at > last)
		return;
	f->out->ranges[f->out->n++] =
		(struct layer_range){ .first = f->at, .last = last, .value = value };
}

/* Close every open prefix that ends before `ip`. */
static void
flatten_close(struct flatten *f, ip6_t ip)
{
	while (f->depth > 0 && f->stack[f->depth - 1]->last < ip) {
		const struct layer_range *top = f->stack[--f->depth];

		flatten_emit(f, top->last, top->value);
		f->at = top->last + 1;
	}
}

static void
flatten_open(struct flatten *f, const struct layer_range *range)
{
	flatten_close(f, range->first);
	if (f->depth > 0 && range->first > 0)
		flatten_emit(f, range->first - 1, f->stack[f->depth - 1]->value);
	f->at = range->first;
	/* The same prefix again: the later one speaks. */
	if (f->depth == STACK_MAX)
		f->depth--;
	f->stack[f->depth++] = range;
}

int
layer_flatten(struct layer *layer, const struct layer_range *ranges, size_t n)
{
	struct flatten f = { .out = layer };
	size_t i;

	*layer = (struct layer){ .ranges = calloc(2 * n + 1, sizeof(*ranges)) };
	if (layer->ranges == NULL)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		flatten_open(&f, &ranges[i]);
	while (f.depth > 0) {
		const struct layer_range *top = f.stack[--f.depth];

		flatten_emit(&f, top->last, top->value);
		if (top->last == ~(ip6_t)0)
			break; /* what else is open ends here too */
		f.at = top->last + 1;
	}
	return 0;
}

static struct layer_range
range_at(const struct layer *layer, size_t i)
{
	if (layer->ranges4 != NULL)
		return (struct layer_range){ layer->ranges4[i].first, layer->ranges4[i].last,
			layer->ranges4[i].origin };
	if (layer->ranges6 != NULL)
		return (struct layer_range){ layer->ranges6[i].first, layer->ranges6[i].last,
			layer->ranges6[i].origin };
	return layer->ranges[i];
}

uint32_t
layer_at(struct layer *layer, ip6_t ip, ip6_t max, ip6_t *last)
{
	struct layer_range range = { .first = 0 };

	while (layer->at < layer->n) {
		range = range_at(layer, layer->at);
		if (range.last >= ip)
			break;
		layer->at++;
	}
	if (layer->at == layer->n) {
		*last = max;
		return LAYER_NONE;
	}
	if (ip < range.first) {
		*last = range.first - 1;
		return LAYER_NONE;
	}
	*last = range.last;
	return range.value;
}
