/* SPDX-License-Identifier: BSD-3-Clause */
/* room: the limits of a cgroup and of those above it, over a tree of files as cgroup v2 shows them. */
#include "suite.h"

#include "room.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB ((uint64_t)1 << 20)

static char root[] = "/tmp/trefoil-room-XXXXXX";

static void
run(const char *command, const char *below)
{
	char text[256];

	snprintf(text, sizeof(text), "%s %s%s", command, root, below);
	CU_ASSERT_EQUAL_FATAL(system(text), 0);
}

static void
begin(void)
{
	if (strstr(root, "XXXXXX") != NULL)
		CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(root));
	run("rm -rf", "/*");
	run("mkdir -p", "/system.slice/trefoild.service");
}

static void
put(const char *group, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s%s/%s", root, group, name);
	file = fopen(path, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	fputs(text, file);
	fclose(file);
}

static void
limit(const char *group, uint64_t max, uint64_t used)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu\n", (unsigned long long)max);
	put(group, "memory.max", text);
	snprintf(text, sizeof(text), "%llu\n", (unsigned long long)used);
	put(group, "memory.current", text);
}

static void
test_no_limit_is_no_limit(void)
{
	begin();
	CU_ASSERT_EQUAL(room_of_groups(root, "/system.slice/trefoild.service"), UINT64_MAX);
	CU_ASSERT_EQUAL(room_of_groups(root, "/"), UINT64_MAX);
	CU_ASSERT_EQUAL(room_of_groups(root, ""), UINT64_MAX);
	put("/system.slice/trefoild.service", "memory.max", "max\n");
	put("/system.slice/trefoild.service", "memory.current", "123456\n");
	CU_ASSERT_EQUAL(room_of_groups(root, "/system.slice/trefoild.service"), UINT64_MAX);
	CU_ASSERT_EQUAL(room_of_groups(root, "/not/there"), UINT64_MAX);
}

static void
test_the_least_of_all_groups_above_counts(void)
{
	static const struct {
		const char *what;
		uint64_t own, above, top, want;
	} cases[] = {
		{ "own", 100, 500, 900, 100 - 40 },
		{ "slice", 500, 100, 900, 100 - 40 },
		{ "root of a container", 900, 500, 100, 100 - 40 },
		{ "used up", 30, 500, 900, 0 },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin();
		limit("/system.slice/trefoild.service", cases[i].own * MIB, 40 * MIB);
		limit("/system.slice", cases[i].above * MIB, 40 * MIB);
		limit("", cases[i].top * MIB, 40 * MIB);
		if (room_of_groups(root, "/system.slice/trefoild.service") != cases[i].want * MIB)
			CU_FAIL(cases[i].what);
	}
	begin();
	limit("", 100 * MIB, 40 * MIB);
	CU_ASSERT_EQUAL(room_of_groups(root, "/"), 60 * MIB);
}

static void
test_clean_pages_of_files_do_not_count(void)
{
	begin();
	limit("/system.slice/trefoild.service", 1000 * MIB, 999 * MIB);
	put("/system.slice/trefoild.service", "memory.stat",
		"anon 104857600\nfile 943718400\nkernel 1048576\nshmem 52428800\n"
		"file_mapped 8388608\nfile_dirty 31457280\nfile_writeback 10485760\n"
		"inactive_anon 104857600\nactive_anon 0\ninactive_file 629145600\n"
		"active_file 209715200\nslab_reclaimable 2097152\nslab 4194304\n");
	/* 1000 - (999 - (600 + 200 + 2 - 30 - 10)) */
	CU_ASSERT_EQUAL(room_of_groups(root, "/system.slice/trefoild.service"), 763 * MIB);
	put("/system.slice/trefoild.service", "memory.stat",
		"file_dirty 31457280\ninactive_file 10485760\n");
	CU_ASSERT_EQUAL(room_of_groups(root, "/system.slice/trefoild.service"), 1 * MIB);
	put("/system.slice/trefoild.service", "memory.stat", "inactive_file 99999999999\n");
	CU_ASSERT_EQUAL(room_of_groups(root, "/system.slice/trefoild.service"), 1000 * MIB);
	run("rm -rf", "");
}

SUITE("room", { "no limit is no limit", test_no_limit_is_no_limit },
	{ "the least of all groups above counts", test_the_least_of_all_groups_above_counts },
	{ "clean pages of files do not count", test_clean_pages_of_files_do_not_count })
