/* SPDX-License-Identifier: BSD-3-Clause */
/* A bound from above: sizes of the steps of compiling, each multiplied by what they can be at most. */
#include "room.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIRECT_SIZE   ((uint64_t)73 << 20) /* tables by the first bits: 64 for IPv4, 9 for IPv6 */
#define RANGE_SIZE    192u /* layer, segments and nodes per range while it is compiled */
#define CLASS_SIZE    64u
#define KEEP_FREE     ((uint64_t)32 << 20)
#define COUNTERS_SIZE (4 * sizeof(struct stats_pair))
#define CGROUP        "/sys/fs/cgroup"
#define LINE_SIZE     256

static uint64_t
read_number(const char *path, uint64_t otherwise)
{
	FILE *file = fopen(path, "re");
	char line[LINE_SIZE];
	uint64_t number = otherwise;

	if (file == NULL)
		return otherwise;
	if (fgets(line, sizeof(line), file) != NULL && line[0] >= '0' && line[0] <= '9')
		number = strtoull(line, NULL, 10);
	fclose(file);
	return number;
}

static uint64_t
read_available(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	char line[LINE_SIZE];
	uint64_t kib = 0;

	while (file != NULL && kib == 0 && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, "MemAvailable:", 13) == 0)
			kib = strtoull(line + 13, NULL, 10);
	if (file != NULL)
		fclose(file);
	return kib > 0 ? kib << 10 : UINT64_MAX;
}

/* "0::/system.slice/trefoild.service" of cgroup v2. */
static uint64_t
read_cgroup(void)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[LINE_SIZE], path[LINE_SIZE + 64];
	uint64_t max, now;

	if (file == NULL || fgets(line, sizeof(line), file) == NULL || strncmp(line, "0::", 3) != 0)
		line[0] = '\0';
	if (file != NULL)
		fclose(file);
	if (line[0] == '\0')
		return UINT64_MAX;
	line[strcspn(line, "\n")] = '\0';
	snprintf(path, sizeof(path), CGROUP "%s/memory.max", line + 3);
	max = read_number(path, UINT64_MAX);
	snprintf(path, sizeof(path), CGROUP "%s/memory.current", line + 3);
	now = read_number(path, 0);
	if (max == UINT64_MAX)
		return max;
	return max > now ? max - now : 0;
}

uint64_t
room_available(void)
{
	uint64_t host = read_available(), group = read_cgroup();

	return host < group ? host : group;
}

uint64_t
room_needed(const struct geo_table *table, unsigned int n_workers, unsigned int n_nodes)
{
	uint64_t n_ranges = table->n_ranges4 + table->n_ranges6;
	uint64_t n_tables = n_nodes < 2 ? 1 : n_nodes + 1; /* what is copied goes last */

	return n_tables * (DIRECT_SIZE + n_ranges * RANGE_SIZE) + table->n_origins * CLASS_SIZE +
	       table->n_origins * COUNTERS_SIZE * n_workers;
}

int
room_check(const struct daemon *d, const struct geo_table *table, struct err *e)
{
	uint64_t available = room_available(),
		 needed = room_needed(table, d->n_workers, d->nodes.n);

	if (available >= needed + KEEP_FREE)
		return 0;
	return err_set_code(e, ENOMEM, NULL, 0, NULL,
		"there is no memory for one more generation: it may take %llu MiB, %llu are "
		"available; nothing was changed",
		(unsigned long long)(needed + KEEP_FREE) >> 20,
		(unsigned long long)available >> 20);
}
