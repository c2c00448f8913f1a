/* SPDX-License-Identifier: BSD-3-Clause */
/* A bound from above: sizes of the steps of compiling, each multiplied by what they can be at most. */
#include "room.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
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
#define RULES_SIZE    24u /* per byte of a policy: its rules, and the ranges that they cut */

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

/* "KEY 123": 123 when the line begins with one of `keys`, else 0. */
static uint64_t
number_behind(const char *line, const char *const *keys, size_t n_keys)
{
	size_t i;

	for (i = 0; i < n_keys; i++)
		if (strncmp(line, keys[i], strlen(keys[i])) == 0)
			return strtoull(line + strlen(keys[i]), NULL, 10);
	return 0;
}

static uint64_t
left_of(uint64_t max, uint64_t used)
{
	if (max == UINT64_MAX)
		return max;
	return max > used ? max - used : 0;
}

/* What a group holds that the kernel gives back before it ends anybody: clean pages of files, which a
 * busy mirror fills every limit with. */
static uint64_t
read_reclaimable(const char *path)
{
	static const char *const keys[] = { "active_file ", "inactive_file ", "slab_reclaimable " };
	static const char *const held[] = { "file_dirty ", "file_writeback " };
	FILE *file = fopen(path, "re");
	uint64_t total = 0, busy = 0;
	char line[LINE_SIZE];

	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		total += number_behind(line, keys, sizeof(keys) / sizeof(keys[0]));
		busy += number_behind(line, held, sizeof(held) / sizeof(held[0]));
	}
	if (file != NULL)
		fclose(file);
	return total > busy ? total - busy : 0;
}

/* Of one group, `length` characters of its path. */
static uint64_t
read_group(const char *root, const char *group, size_t length)
{
	char path[PATH_MAX];
	uint64_t max, used, again;

	snprintf(path, sizeof(path), "%s%.*s/memory.max", root, (int)length, group);
	max = read_number(path, UINT64_MAX);
	snprintf(path, sizeof(path), "%s%.*s/memory.current", root, (int)length, group);
	used = read_number(path, 0);
	snprintf(path, sizeof(path), "%s%.*s/memory.stat", root, (int)length, group);
	again = read_reclaimable(path);
	return left_of(max, used > again ? used - again : 0);
}

uint64_t
room_of_groups(const char *root, const char *group)
{
	size_t length = strcmp(group, "/") != 0 ? strlen(group) : 0;
	uint64_t least = read_group(root, group, length), left;

	while (length > 0) {
		while (group[--length] != '/' && length > 0)
			;
		left = read_group(root, group, length);
		least = left < least ? left : least;
	}
	return least;
}

static uint64_t
read_cgroup(void)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	uint64_t left = UINT64_MAX;
	char line[PATH_MAX];

	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "0::", 3) == 0)
			left = room_of_groups(CGROUP, line + 3);
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
room_check(const struct daemon *d, const struct geo_table *table, size_t policy_size, struct err *e)
{
	uint64_t needed = room_needed(table, d->n_workers, d->nodes.n);

	return check(needed + (uint64_t)policy_size * RULES_SIZE, "one more generation", e);
}

int
room_check_table(size_t size, struct err *e)
{
	return check((uint64_t)size * UNPACKED, "the table", e);
}
