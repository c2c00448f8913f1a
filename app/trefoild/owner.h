/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * owner: directories that root makes for, or hands over to, the user that the daemon becomes.
 * What has content is not taken from anybody.
 *
 * Threads: one.
 */
#pragma once

#include "base/err.h"

#include <sys/types.h>

struct owner {
	uid_t uid;
	gid_t gid;
	const char *name; /* of the user */
};

/* Make the directory, or hand it over when it is root's and empty. What is called like one of the
 * names in `ignored` (up to a NULL; NULL = none) does not count and stays whose it is. A directory
 * that the user has already stays as it is. Returns 0, or -errno: -EACCES (somebody else's), -ENOENT
 * (no parent), -ENOTDIR, -ELOOP... */
int owner_give(const char *path, mode_t mode, const struct owner *owner, const char *const *ignored,
	struct err *e);

/* Make a directory of our own, or take the one that is ours: the group may read it and what will be
 * in it, by an access control list, and nobody else but us. Returns 0 or -errno: -EOPNOTSUPP (a file
 * system without lists), -EPERM (not ours)... */
int owner_share(const char *path, gid_t gid);
