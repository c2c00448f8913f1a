/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files that are there whole or not at all: written under another name, synced, renamed, and the
 * directory synced. A name that a failed attempt left behind is overwritten by the next one.
 */
#include "store/store_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MODE 0640

static int
open_real(const char *path, int flags, mode_t mode)
{
	return open(path, flags, mode);
}

const struct store_disk store_disk_real = {
	.open = open_real,
	.write = write,
	.fsync = fsync,
	.close = close,
	.rename = rename,
	.mkdir = mkdir,
	.unlink = unlink,
	.rmdir = rmdir,
};

int
store_path(char out[STORE_PATH_SIZE], const char *directory, const char *name)
{
	int length = snprintf(out, STORE_PATH_SIZE, "%s/%s", directory, name);

	return length >= 0 && length < STORE_PATH_SIZE ? 0 : -ENAMETOOLONG;
}

static int
write_all(const struct store_disk *disk, int fd, const char *bytes, size_t size)
{
	ssize_t n;

	while (size > 0) {
		n = disk->write(fd, bytes, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		bytes += n;
		size -= (size_t)n;
	}
	return 0;
}

int
store_write(const struct store_disk *disk, const char *path, const void *bytes, size_t size)
{
	int fd = disk->open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
	int status;

	if (fd < 0)
		return -errno;
	status = write_all(disk, fd, bytes, size);
	if (status == 0 && disk->fsync(fd) != 0)
		status = -errno;
	if (disk->close(fd) != 0 && status == 0)
		status = -errno;
	return status;
}

int
store_sync(const struct store_disk *disk, const char *directory)
{
	int fd = disk->open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0), status = 0;

	if (fd < 0)
		return -errno;
	if (disk->fsync(fd) != 0)
		status = -errno;
	disk->close(fd);
	return status;
}

int
store_replace(const struct store_disk *disk, const char *directory, const char *name,
	const void *bytes, size_t size)
{
	char path[STORE_PATH_SIZE], beside[STORE_PATH_SIZE];
	int status = store_path(path, directory, name);

	if (disk == NULL)
		disk = &store_disk_real;
	if (status == 0 && snprintf(beside, sizeof(beside), "%s/.%s.new", directory, name) >=
				   (int)sizeof(beside))
		status = -ENAMETOOLONG;
	if (status == 0)
		status = store_write(disk, beside, bytes, size);
	if (status == 0 && disk->rename(beside, path) != 0)
		status = -errno;
	return status == 0 ? store_sync(disk, directory) : status;
}

static char *
read_all(int fd, size_t size, size_t *out)
{
	char *bytes = malloc(size + 1);
	size_t n_read = 0;
	ssize_t n = 1;

	if (bytes == NULL)
		return NULL;
	while (n_read < size && n != 0) {
		n = read(fd, bytes + n_read, size - n_read);
		if (n < 0 && errno != EINTR) {
			free(bytes);
			return NULL;
		}
		n_read += n > 0 ? (size_t)n : 0;
	}
	bytes[n_read] = '\0';
	*out = n_read;
	return bytes;
}

char *
store_read(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), saved;
	struct stat what;
	char *bytes = NULL;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &what) == 0) {
		errno = S_ISREG(what.st_mode) ? EFBIG : EINVAL;
		if (S_ISREG(what.st_mode) && what.st_size <= STORE_FILE_MAX)
			bytes = read_all(fd, (size_t)what.st_size, size);
	}
	saved = errno;
	close(fd);
	errno = saved;
	return bytes;
}
