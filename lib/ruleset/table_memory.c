/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory of look-up tables: anonymous pages, so zeroed; huge ones if the kernel is willing. */
#include "ruleset/ruleset_impl.h"

#include <errno.h>
#include <sys/mman.h>

void *
table_memory_new(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED) {
		errno = ENOMEM;
		return NULL;
	}
	(void)madvise(memory, size, MADV_HUGEPAGE); /* only a wish */
	return memory;
}

void
table_memory_free(void *memory, size_t size)
{
	if (memory != NULL)
		munmap(memory, size);
}
