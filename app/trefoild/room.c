/* SPDX-License-Identifier: BSD-3-Clause */
/* A bound from above: sizes of the steps of compiling, each multiplied by what they can be at most. */
#include "room.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define DIRECT_SIZE   ((uint64_t)73 << 20) /* tables by the first bits: 64 for IPv4, 9 for IPv6 */
#define RANGE_SIZE    192u /* layer, segments and nodes per range while it is compiled */
#define CLASS_SIZE    64u
#define KEEP_FREE     ((uint64_t)32 << 20)
#define COUNTERS_SIZE (4 * sizeof(struct stats_pair))
#define CGROUP        "/sys/fs/cgroup"
#define LINE_SIZE     256
#define UNPACKED      32u /* bytes in memory per byte of a table file, its columns included */

static_assert(RLIM_INFINITY == UINT64_MAX, "no limit is the greatest number");

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

static uint64_t
left_of(uint64_t max, uint64_t used)
{
	if (max == UINT64_MAX)
		return max;
	return max > used ? max - used : 0;
}

/* "/system.slice/trefoild.service" of cgroup v2 and all groups above it: each may have a limit. */
static uint64_t
read_groups(char *group)
{
	uint64_t least = UINT64_MAX, max, left;
	char path[2 * LINE_SIZE], *end;

	while ((end = strrchr(group, '/')) != NULL) {
		snprintf(path, sizeof(path), CGROUP "%s/memory.max", group);
		max = read_number(path, UINT64_MAX);
		snprintf(path, sizeof(path), CGROUP "%s/memory.current", group);
		left = left_of(max, read_number(path, 0));
		least = left < least ? left : least;
		*end = '\0';
	}
	return least;
}

static uint64_t
read_cgroup(void)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	uint64_t left = UINT64_MAX;
	char line[LINE_SIZE];

	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "0::", 3) == 0)
			left = read_groups(line + 3);
	}
	if (file != NULL)
		fclose(file);
	return left;
}

/* LimitAS= and LimitDATA= of a unit: the first and the sixth number of statm are what counts. */
static uint64_t
read_limits(void)
{
	unsigned long long pages[6] = { 0 };
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), space, data;
	FILE *file = fopen("/proc/self/statm", "re");
	struct rlimit limit;
	int n = 0;

	if (file == NULL)
		return UINT64_MAX;
	while (n < 6 && fscanf(file, "%llu", &pages[n]) == 1)
		n++;
	fclose(file);
	if (n < 6)
		return UINT64_MAX;
	space = getrlimit(RLIMIT_AS, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
	data = getrlimit(RLIMIT_DATA, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
	space = left_of(space, pages[0] * page);
	data = left_of(data, pages[5] * page);
	return space < data ? space : data;
}

uint64_t
room_available(void)
{
	uint64_t left[] = { read_available(), read_cgroup(), read_limits() };
	uint64_t least = UINT64_MAX;
	size_t i;

	for (i = 0; i < sizeof(left) / sizeof(left[0]); i++)
		least = left[i] < least ? left[i] : least;
	return least;
}

uint64_t
room_needed(const struct geo_table *table, unsigned int n_workers, unsigned int n_nodes)
{
	uint64_t n_ranges = table->n_ranges4 + table->n_ranges6;
	uint64_t n_tables = n_nodes < 2 ? 1 : n_nodes + 1; /* what is copied goes last */

	return n_tables * (DIRECT_SIZE + n_ranges * RANGE_SIZE) + table->n_origins * CLASS_SIZE +
	       table->n_origins * COUNTERS_SIZE * n_workers;
}

static int
check(uint64_t needed, const char *what, struct err *e)
{
	uint64_t available = room_available();

	if (available >= needed + KEEP_FREE)
		return 0;
	return err_set_code(e, ENOMEM, NULL, 0, NULL,
		"there is no memory for %s: it may take %llu MiB, %llu are available; nothing was "
		"changed",
		what, (unsigned long long)(needed + KEEP_FREE) >> 20,
		(unsigned long long)available >> 20);
}

int
room_check(const struct daemon *d, const struct geo_table *table, struct err *e)
{
	return check(room_needed(table, d->n_workers, d->nodes.n), "one more generation", e);
}

int
room_check_table(size_t size, struct err *e)
{
	return check((uint64_t)size * UNPACKED, "the table", e);
}
