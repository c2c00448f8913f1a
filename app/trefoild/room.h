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

/* What compiling the table for `n_workers` on `n_nodes` NUMA nodes may take at most, the steps in
 * between included. */
uint64_t room_needed(const struct geo_table *table, unsigned int n_workers, unsigned int n_nodes);

/* For one more generation. Returns 0 or -ENOMEM, `e` says how much is missing. */
int room_check(const struct daemon *d, const struct geo_table *table, struct err *e);

/* The same for reading a table file of `size` bytes. */
int room_check_table(size_t size, struct err *e);
