/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Anonymous pages, so zeroed: reserved huge ones first, transparent ones else, for which the memory
 * begins at a huge page's border. A node is bound to before the first touch, and is a wish: elsewhere
 * is slower, none at all is an error.
 */
#include "base/huge.h"

#include <errno.h>
#include <linux/mempolicy.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HUGE_PAGE ((size_t)2 << 20)
#define NODES_MAX 1024
#define NODE_BITS (8 * sizeof(unsigned long))

/* Whole huge pages where there is enough to want them. */
static size_t
mapped_size(size_t size)
{
	return size < HUGE_PAGE ? size : (size + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
}

static void *
map(size_t size, int flags)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);
}

/* A mapping that begins at a huge page: one that is too large, less what is in front and behind. */
static void *
map_aligned(size_t size)
{
	char *memory = map(size + HUGE_PAGE, 0);
	size_t in_front;

	if (memory == MAP_FAILED)
		return MAP_FAILED;
	in_front = -(uintptr_t)memory & (HUGE_PAGE - 1);
	if (in_front > 0)
		munmap(memory, in_front);
	munmap(memory + in_front + size, HUGE_PAGE - in_front);
	(void)madvise(memory + in_front, size, MADV_HUGEPAGE); /* only a wish */
	return memory + in_front;
}

/* Reserved pages that are not populated at once may be gone when they are touched, and then the
 * kernel sends SIGBUS. */
static void *
map_reserved(size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0);
}

void *
huge_new_on_touch(size_t size)
{
	size_t mapped = mapped_size(size);
	void *memory = mapped >= HUGE_PAGE ? map_aligned(mapped) : map(mapped, 0);

	if (memory != MAP_FAILED)
		return memory;
	errno = ENOMEM;
	return NULL;
}

void *
huge_new(size_t size)
{
	size_t mapped = mapped_size(size);
	void *memory = mapped >= HUGE_PAGE ? map_reserved(mapped) : MAP_FAILED;

	return memory != MAP_FAILED ? memory : huge_new_on_touch(size);
}

void
huge_wish(void *memory, size_t size)
{
	size_t in_front = -(uintptr_t)memory & (HUGE_PAGE - 1);

	if (memory != NULL && size >= in_front + HUGE_PAGE)
		(void)madvise((char *)memory + in_front, (size - in_front) & ~(HUGE_PAGE - 1),
			MADV_HUGEPAGE);
}

void
huge_free(const void *memory, size_t size)
{
	if (memory != NULL)
		munmap((void *)(uintptr_t)memory, mapped_size(size));
}

static void
prefer_node(void *memory, size_t size, int node)
{
	unsigned long mask[NODES_MAX / NODE_BITS] = { 0 };

	if (node < 0 || node >= NODES_MAX)
		return;
	mask[(unsigned int)node / NODE_BITS] = 1UL << (unsigned int)node % NODE_BITS;
	(void)syscall(SYS_mbind, memory, size, MPOL_PREFERRED, mask, (unsigned long)NODES_MAX, 0);
}

/* Reserved pages of a node. They are populated after the node is chosen, and not by touching them:
 * then there would be SIGBUS where there are none. */
static void *
map_reserved_on(size_t size, int node)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	if (memory == MAP_FAILED)
		return MAP_FAILED;
	prefer_node(memory, size, node);
	if (madvise(memory, size, MADV_POPULATE_WRITE) == 0)
		return memory;
	munmap(memory, size);
	return MAP_FAILED;
}

static void *
new_on(size_t size, int node)
{
	size_t mapped = mapped_size(size);
	void *memory = mapped >= HUGE_PAGE ? map_reserved_on(mapped, node) : MAP_FAILED;

	if (memory != MAP_FAILED)
		return memory;
	memory = huge_new_on_touch(size);
	if (memory != NULL)
		prefer_node(memory, mapped, node);
	return memory;
}

const struct huge_memory huge_memory_on_nodes = { new_on, huge_free };
