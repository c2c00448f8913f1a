/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * huge: memory that is read or written at random for every packet: on huge pages where there are any,
 * since with small ones the address translation costs more than the data.
 *
 * Threads: any.
 * Units: sizes are bytes.
 */
#pragma once

#include <stddef.h>

/* Zeroed memory from the start of a page. NULL + ENOMEM. */
void *huge_new(size_t size);

/* The same, but no page is there before it is touched, so that it lies on the NUMA node of the thread
 * that touches it first. */
void *huge_new_on_touch(size_t size);

/* Ask for huge pages inside `size` bytes that malloc() gave and nobody has touched: only a wish, and
 * none for less than a huge page. Filling large arrays costs more page faults than work else. */
void huge_wish(void *memory, size_t size);

/* `size` as it was asked for. NULL allowed. */
void huge_free(const void *memory, size_t size);

/* Who gives memory on NUMA nodes, and takes it back: tests bring their own, so that they can count and
 * refuse. Neither may be NULL. */
struct huge_memory {
	void *(*new_on)(size_t size, int node);        /* NULL + ENOMEM */
	void (*free)(const void *memory, size_t size); /* NULL allowed */
};

/* The machine's: zeroed, on `node` as long as that has any left. */
extern const struct huge_memory huge_memory_on_nodes;
