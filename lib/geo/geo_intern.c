/* SPDX-License-Identifier: BSD-3-Clause */
/* Growing bytes, and an open-addressing hash table (linear probing, at most half full) over them.
 */
#include "geo/geo_impl.h"

#include <stdlib.h>
#include <string.h>

void
geo_bytes_add(struct geo_bytes *b, const void *data, size_t size)
{
	size_t capacity = b->capacity > 0 ? b->capacity : 256;
	uint8_t *bigger;

	if (b->failed || size == 0)
		return;
	while (capacity - b->n < size)
		capacity *= 2;
	if (capacity != b->capacity) {
		bigger = realloc(b->data, capacity);
		if (bigger == NULL) {
			b->failed = true;
			return;
		}
		b->data = bigger;
		b->capacity = capacity;
	}
	memcpy(b->data + b->n, data, size);
	b->n += size;
}

void
geo_bytes_fini(struct geo_bytes *b)
{
	free(b->data);
	*b = (struct geo_bytes){ 0 };
}

/* FNV-1a, with a final mix because the low bits choose the slot. */
static uint64_t
intern_hash(const uint8_t *key, size_t size)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	size_t i;

	for (i = 0; i < size; i++)
		h = (h ^ key[i]) * UINT64_C(0x100000001b3);
	h ^= h >> 32;
	return h * UINT64_C(0x9e3779b97f4a7c15) >> 20;
}

static size_t
intern_size(const struct geo_intern *in, uint32_t number)
{
	return in->offset[number + 1] - in->offset[number];
}

const void *
geo_intern_key(const struct geo_intern *in, uint32_t number)
{
	return in->keys.data + in->offset[number];
}

/* The slot of a key: its own, or the free one where it belongs. */
static uint32_t *
intern_slot(const struct geo_intern *in, const void *key, size_t size)
{
	size_t at = intern_hash(key, size) & (in->n_slots - 1);

	while (in->slot[at] != 0) {
		uint32_t number = in->slot[at] - 1;

		if (intern_size(in, number) == size &&
			memcmp(geo_intern_key(in, number), key, size) == 0)
			break;
		at = (at + 1) & (in->n_slots - 1);
	}
	return &in->slot[at];
}

static int
intern_grow(struct geo_intern *in)
{
	size_t n_slots = in->n_slots > 0 ? in->n_slots * 2 : 64;
	uint32_t *slot = calloc(n_slots, sizeof(*slot));
	size_t *offset = realloc(in->offset, (n_slots / 2 + 1) * sizeof(*offset));
	uint32_t i;

	if (offset != NULL)
		in->offset = offset;
	if (slot == NULL || offset == NULL) {
		free(slot);
		return -1;
	}
	free(in->slot);
	in->slot = slot;
	in->n_slots = n_slots;
	in->offset[in->n] = in->keys.n;
	for (i = 0; i < in->n; i++)
		*intern_slot(in, geo_intern_key(in, i), intern_size(in, i)) = i + 1;
	return 0;
}

uint32_t
geo_intern_add(struct geo_intern *in, const void *key, size_t size)
{
	uint32_t *slot;

	if (in->n >= in->n_slots / 2 && (in->n >= GEO_COUNT_MAX || intern_grow(in) != 0))
		return GEO_INTERN_FAILED;
	slot = intern_slot(in, key, size);
	if (*slot != 0)
		return *slot - 1;
	geo_bytes_add(&in->keys, key, size);
	if (in->keys.failed)
		return GEO_INTERN_FAILED;
	in->offset[++in->n] = in->keys.n;
	*slot = (uint32_t)in->n;
	return *slot - 1;
}

void
geo_intern_fini(struct geo_intern *in)
{
	geo_bytes_fini(&in->keys);
	free(in->offset);
	free(in->slot);
	*in = (struct geo_intern){ 0 };
}
