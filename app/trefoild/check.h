/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check: trefoild --check. Everything about settings, policy and geo table that can be known without
 * a port.
 *
 * Threads: one.
 */
#pragma once

#include <stdbool.h>

/* Check the settings in the file `path` and what they name. Mistakes go to standard error; with `is_json`
 * one object goes to standard output whatever comes out. Returns 0, -EACCES or -EINVAL. */
int check_files(const char *path, bool is_json);
