/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The socket file. Two processes that start at once must not both find the file stale and remove
 * each other's: the directory is locked (flock) from the probe to listen(). Linux creates the file
 * with the mode of the socket's inode, so fchmod() before bind() leaves no moment in which others
 * may connect; chmod() after it gives back the group bits that the umask took.
 */
#include "control/control.h"
#include "control_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/acl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOCKET_MODE 0660
#define BACKLOG     128

/* Open and lock the directory of `path`. */
static int
directory_lock(const char *path, struct err *e)
{
	char directory[sizeof(((struct sockaddr_un *)0)->sun_path)] = ".";
	const char *slash = strrchr(path, '/');
	int fd, code;

	if (slash != NULL) {
		memcpy(directory, path, (size_t)(slash - path) + 1);
		directory[slash - path + 1] = '\0';
	}
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set_code(e, errno, path, 0, NULL,
			"cannot open the directory %s: %s; create it with mkdir -p, or with "
			"RuntimeDirectory= in the systemd unit",
			directory, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	code = errno == EWOULDBLOCK ? EBUSY : errno;
	close(fd);
	return err_set_code(e, code, path, 0, NULL,
		"cannot lock the directory: %s; is another daemon starting there?", strerror(code));
}

/* 0 = nobody answers there. */
static int
socket_probe(const struct sockaddr_un *address, struct err *e)
{
	int fd, code = 0;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set_code(
			e, errno, address->sun_path, 0, NULL, "socket: %s", strerror(errno));
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		code = errno;
	close(fd);
	if (code == ECONNREFUSED)
		return 0;
	if (code == 0 || code == EAGAIN)
		return err_set_code(e, EADDRINUSE, address->sun_path, 0, NULL,
			"a daemon already listens here: stop it or choose another socket");
	return err_set_code(e, code, address->sun_path, 0, NULL,
		"cannot tell whether a daemon listens here: %s", strerror(code));
}

/* Make room at the address: a socket file that nobody listens at goes, anything else stays. */
static int
socket_make_room(const struct sockaddr_un *address, struct err *e)
{
	const char *path = address->sun_path;
	struct stat found;
	int status;

	if (lstat(path, &found) < 0)
		return errno == ENOENT ? 0
				       : err_set_code(e, errno, path, 0, NULL, "cannot look: %s",
						 strerror(errno));
	if (!S_ISSOCK(found.st_mode))
		return err_set_code(e, EEXIST, path, 0, NULL,
			"exists and is no socket: remove it or choose another socket");
	status = socket_probe(address, e);
	if (status < 0)
		return status;
	if (unlink(path) < 0 && errno != ENOENT)
		return err_set_code(e, errno, path, 0, NULL, "cannot remove the stale socket: %s",
			strerror(errno));
	return 0;
}

static int
socket_open(const struct sockaddr_un *address, struct stat *made, struct err *e)
{
	const char *path = address->sun_path;
	int fd, code;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && fchmod(fd, SOCKET_MODE) == 0 &&
		bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0) {
		if (chmod(path, SOCKET_MODE) == 0 && lstat(path, made) == 0 &&
			listen(fd, BACKLOG) == 0)
			return fd;
		code = errno;
		unlink(path);
	} else {
		code = errno;
	}
	if (fd >= 0)
		close(fd);
	return err_set_code(e, code, path, 0, NULL, "cannot listen here: %s", strerror(code));
}

int
control_socket_listen(const char *path, struct stat *made, struct err *e)
{
	struct sockaddr_un address;
	int lock, fd;

	fd = control_address(path, &address, e);
	if (fd < 0)
		return fd;
	lock = directory_lock(path, e);
	if (lock < 0)
		return lock;
	fd = socket_make_room(&address, e);
	if (fd == 0)
		fd = socket_open(&address, made, e);
	close(lock);
	return fd;
}

int
control_socket_admit(const char *path, const uint32_t *gids, unsigned int n)
{
	char text[64 + CONTROL_GROUPS_MAX * 16] = "u::rw,g::rw,o::-,m::rw";
	size_t at = strlen(text);
	unsigned int i;
	int status;
	acl_t acl;

	if (n > CONTROL_GROUPS_MAX)
		return -E2BIG;
	for (i = 0; i < n; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, ",g:%u:rw", gids[i]);
	acl = acl_from_text(text);
	if (acl == NULL)
		return -errno;
	status = acl_set_file(path, ACL_TYPE_ACCESS, acl) == 0 ? 0 : -errno;
	acl_free(acl);
	return status;
}

void
control_socket_remove(const char *path, const struct stat *made)
{
	struct stat found;

	if (lstat(path, &found) == 0 && found.st_dev == made->st_dev &&
		found.st_ino == made->st_ino)
		unlink(path);
}
