/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * store_impl: what the files of the store share: whole files written so that a crash leaves the old
 * or the new one, and records as text.
 * Threads: none shared.
 */
#pragma once

#include "store/store.h"

#define STORE_PATH_SIZE 512

extern const struct store_disk store_disk_real;

/* "DIR/NAME" to `out`. Returns 0 or -ENAMETOOLONG. */
int store_path(char out[STORE_PATH_SIZE], const char *directory, const char *name);

/* Write and sync a new file; one that is there is overwritten: for names nobody reads yet. Returns
 * 0 or -errno. */
int store_write(const struct store_disk *disk, const char *path, const void *bytes, size_t size);

/* Make what happened in a directory last. */
int store_sync(const struct store_disk *disk, const char *directory);
