/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Anonymous pages, so zeroed: reserved huge ones first, transparent ones else, for which the memory
 * begins at a huge page's border.
 */
#include "base/huge.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

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
huge_free(const void *memory, size_t size)
{
	if (memory != NULL)
		munmap((void *)(uintptr_t)memory, mapped_size(size));
}
