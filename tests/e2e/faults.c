/* SPDX-License-Identifier: BSD-3-Clause */
/* A test tool, loaded into trefoild with LD_PRELOAD by test_faults.py: a disk and a clock that go
 * wrong when they are told to. TREFOIL_FAULTS names a file with a struct faults, which the test
 * changes while the daemon runs; only files below TREFOIL_FAULTS_DIR have that disk. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* The same in test_faults.py. */
struct faults {
	int32_t write_error, sync_error; /* an errno, 0 = works */
	int32_t let_through;             /* bytes that a write takes before it fails */
	int32_t hangs;                   /* bit 0: writes, bit 1: syncs wait until it is 0 again */
	int64_t clock_step_s;            /* of the wall clock */
};

typedef ssize_t write_fn(int fd, const void *data, size_t size);
typedef ssize_t pwrite_fn(int fd, const void *data, size_t size, off_t offset);
typedef int sync_fn(int fd);
typedef int clock_fn(clockid_t clock, struct timespec *now);

static const volatile struct faults *faults;
static const char *below;

__attribute__((constructor)) static void
faults_init(void)
{
	const char *path = getenv("TREFOIL_FAULTS");
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *shared = MAP_FAILED;

	below = getenv("TREFOIL_FAULTS_DIR");
	if (fd >= 0)
		shared = mmap(NULL, sizeof(*faults), PROT_READ, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	if (shared == MAP_FAILED || below == NULL) {
		fprintf(stderr, "faults: TREFOIL_FAULTS and TREFOIL_FAULTS_DIR are needed\n");
		abort();
	}
	faults = shared;
}

static bool
is_on_that_disk(int fd)
{
	char link[64], path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path));
	return n > (ssize_t)strlen(below) && memcmp(path, below, strlen(below)) == 0;
}

static void
wait_while(int bit)
{
	const struct timespec moment = { .tv_nsec = 2000000 };

	while ((faults->hangs & bit) != 0)
		nanosleep(&moment, NULL);
}

/* How many bytes of a write go through; -1 = all. */
static ssize_t
faults_let_through(int fd, size_t size)
{
	if (!is_on_that_disk(fd))
		return -1;
	wait_while(1);
	if (faults->write_error == 0)
		return -1;
	return faults->let_through < (ssize_t)size ? faults->let_through : (ssize_t)size - 1;
}

ssize_t
write(int fd, const void *data, size_t size)
{
	write_fn *real = (write_fn *)dlsym(RTLD_NEXT, "write");
	ssize_t n = faults_let_through(fd, size);

	if (n != 0)
		return real(fd, data, n < 0 ? size : (size_t)n);
	errno = faults->write_error;
	return -1;
}

/* Large files: this and the daemon's are pwrite64(). */
ssize_t
pwrite(int fd, const void *data, size_t size, off_t offset)
{
	pwrite_fn *real = (pwrite_fn *)dlsym(RTLD_NEXT, "pwrite64");
	ssize_t n = faults_let_through(fd, size);

	if (n != 0)
		return real(fd, data, n < 0 ? size : (size_t)n, offset);
	errno = faults->write_error;
	return -1;
}

int
fdatasync(int fd)
{
	sync_fn *real = (sync_fn *)dlsym(RTLD_NEXT, "fdatasync");

	if (!is_on_that_disk(fd))
		return real(fd);
	wait_while(2);
	if (faults->sync_error == 0)
		return real(fd);
	errno = faults->sync_error;
	return -1;
}

int
clock_gettime(clockid_t clock, struct timespec *now)
{
	static clock_fn *real;
	int rc;

	if (real == NULL)
		real = (clock_fn *)dlsym(RTLD_NEXT, "clock_gettime");
	rc = real(clock, now);
	if (rc == 0 && clock == CLOCK_REALTIME && faults != NULL)
		now->tv_sec += faults->clock_step_s;
	return rc;
}

time_t
time(time_t *out)
{
	struct timespec now = { .tv_sec = -1 };

	clock_gettime(CLOCK_REALTIME, &now);
	if (out != NULL)
		*out = now.tv_sec;
	return now.tv_sec;
}
