/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Owner and mode are changed on the descriptor of what was looked at; the last part of a path is no
 * symbolic link.
 */
#include "owner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/acl.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
is_ignored(const char *name, const char *const *ignored)
{
	bool is = strcmp(name, ".") == 0 || strcmp(name, "..") == 0;

	for (; !is && ignored != NULL && *ignored != NULL; ignored++)
		is = strcmp(name, *ignored) == 0;
	return is;
}

/* Does not use up `fd`. */
static bool
is_empty(int fd, const char *const *ignored)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = copy >= 0 ? fdopendir(copy) : NULL;
	const struct dirent *entry;
	bool is = directory != NULL;

	if (directory == NULL && copy >= 0)
		close(copy);
	while (is && (entry = readdir(directory)) != NULL)
		is = is_ignored(entry->d_name, ignored);
	if (directory != NULL)
		closedir(directory);
	return is;
}

static int
hand_over(int fd, const char *path, mode_t mode, const struct owner *owner,
	const char *const *ignored, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_set_code(e, errno, path, 0, NULL, "%s", strerror(errno));
	if (st.st_uid != 0 || !is_empty(fd, ignored))
		return err_set_code(e, EACCES, path, 0, NULL,
			"belongs to uid %u, but the daemon becomes %s: name a directory of its "
			"own, or chown -R %s: %s",
			st.st_uid, owner->name, owner->name, path);
	if (fchmod(fd, mode) != 0 || fchown(fd, owner->uid, owner->gid) != 0)
		return err_set_code(e, errno, path, 0, NULL, "cannot be given to %s: %s",
			owner->name, strerror(errno));
	return 0;
}

int
owner_give(const char *path, mode_t mode, const struct owner *owner, const char *const *ignored,
	struct err *e)
{
	struct stat st;
	int fd, status;

	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return err_set_code(
			e, errno, path, 0, NULL, "cannot make this directory: %s", strerror(errno));
	if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == owner->uid)
		return 0;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_set_code(
			e, errno, path, 0, NULL, "cannot open this directory: %s", strerror(errno));
	status = hand_over(fd, path, mode, owner, ignored, e);
	close(fd);
	return status;
}

/* Of the directory, or of what is made in it (`kind` ACL_TYPE_DEFAULT). */
static int
set_list(const char *path, acl_type_t kind, gid_t gid)
{
	char text[96];
	acl_t acl;
	int status;

	snprintf(text, sizeof(text), "u::rwx,g::-,g:%u:rx,m::rx,o::-", gid);
	acl = acl_from_text(text);
	if (acl == NULL)
		return -errno;
	status = acl_set_file(path, kind, acl) == 0 ? 0 : -errno;
	acl_free(acl);
	return status;
}

int
owner_share(const char *path, gid_t gid)
{
	int status;

	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return -errno;
	status = set_list(path, ACL_TYPE_ACCESS, gid);
	return status == 0 ? set_list(path, ACL_TYPE_DEFAULT, gid) : status;
}
