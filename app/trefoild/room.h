/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * room: is there memory for one more generation? Asked before it is compiled: a daemon that the
 * kernel ends for lack of memory forwards nothing.
 * Threads: control thread.
 * Units: bytes.
 */
#pragma once

#include "daemon.h"

/* Bytes that the host (/proc/meminfo), the cgroup v2 with those above it, RLIMIT_AS and RLIMIT_DATA still
 * have for this process, whichever is least. UINT64_MAX = unknown. */
uint64_t room_available(void);

/* The part of the cgroup v2 `group` ("/system.slice/trefoild.service") and of all above it, the root of
 * a container's own view included: memory.max less what is used, of which clean pages of files do not
 * count. `root` is where cgroups are mounted. UINT64_MAX = no limit. */
uint64_t room_of_groups(const char *root, const char *group);

/* What compiling the table for `n_workers` on `n_nodes` NUMA nodes may take at most, the steps in
 * between included. */
uint64_t room_needed(const struct geo_table *table, unsigned int n_workers, unsigned int n_nodes);

/* For one more generation, whose policy has a text of `policy_size` bytes. Returns 0 or -ENOMEM, `e` says
 * how much is missing. */
int room_check(
	const struct daemon *d, const struct geo_table *table, size_t policy_size, struct err *e);

/* The same for reading a table file of `size` bytes. */
int room_check_table(size_t size, struct err *e);
