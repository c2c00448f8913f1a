/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The asking end: one connection per call, one deadline for all of it. A request that cannot be
 * sent to its end is no failure yet: a server that refuses it early has already answered.
 */
#include "control/control.h"
#include "control_impl.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define READ_SIZE 65536

struct call {
	const char *path;
	int fd;
	int64_t deadline_ms;
	struct err *e;
	char *line; /* the answer so far */
	size_t size, room;
};

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int
call_timed_out(const struct call *c)
{
	return err_set_code(c->e, ETIMEDOUT, NULL, 0, NULL,
		"no answer in time from the daemon at %s: is it busy or stopped?", c->path);
}

static int
call_failed(const struct call *c, int code)
{
	if (code == ENOENT)
		return err_set_code(c->e, code, NULL, 0, NULL,
			"no daemon listens at %s: is trefoild running?", c->path);
	if (code == ECONNREFUSED)
		return err_set_code(c->e, code, NULL, 0, NULL,
			"no daemon listens at %s any more: is trefoild running?", c->path);
	if (code == EACCES || code == EPERM)
		return err_set_code(c->e, EACCES, NULL, 0, NULL,
			"not permitted to connect to %s: join a group of [access] in trefoild.ini",
			c->path);
	if (code == EAGAIN)
		return call_timed_out(c);
	if (code == ECONNRESET || code == EPIPE)
		return err_set_code(c->e, ECONNRESET, NULL, 0, NULL,
			"the daemon at %s closed the connection without an answer", c->path);
	return err_set_code(
		c->e, code, NULL, 0, NULL, "cannot talk to %s: %s", c->path, strerror(code));
}

/* Wait for `events`, until the deadline. */
static int
call_wait(const struct call *c, short events)
{
	struct pollfd p = { .fd = c->fd, .events = events };
	int64_t left_ms;
	int n;

	do {
		left_ms = c->deadline_ms - now_ms();
		if (left_ms <= 0)
			return call_timed_out(c);
		n = poll(&p, 1, left_ms > INT32_MAX ? INT32_MAX : (int)left_ms);
		if (n < 0 && errno != EINTR)
			return call_failed(c, errno);
	} while (n <= 0);
	return 0;
}

/* A full backlog blocks connect() on Unix sockets; SO_SNDTIMEO is what bounds it. */
static int
call_connect(struct call *c, unsigned int timeout_ms)
{
	struct timeval timeout = { .tv_sec = timeout_ms / 1000,
		.tv_usec = (suseconds_t)(timeout_ms % 1000) * 1000 };
	struct sockaddr_un address;
	int status;

	status = control_address(c->path, &address, c->e);
	if (status < 0)
		return status;
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return call_failed(c, errno);
	if (timeout_ms > 0 &&
		setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0)
		return call_failed(c, errno);
	while (connect(c->fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		if (errno != EINTR)
			return call_failed(c, errno);
	return 0;
}

static int
call_send(struct call *c, const char *line, size_t size)
{
	ssize_t n;
	int status;

	while (size > 0) {
		status = call_wait(c, POLLOUT);
		if (status < 0)
			return status;
		n = send(c->fd, line, size, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
			return 0;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return call_failed(c, errno);
		if (n > 0) {
			line += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

static int
call_grow(struct call *c)
{
	size_t room = c->room == 0 ? READ_SIZE : c->room * 2;
	char *line;

	if (c->size > CONTROL_LINE_MAX)
		return err_set_code(c->e, EPROTO, NULL, 0, NULL,
			"the answer from %s has more than %u bytes", c->path, CONTROL_LINE_MAX);
	if (c->room - c->size >= READ_SIZE)
		return 0;
	line = realloc(c->line, room);
	if (line == NULL)
		return call_failed(c, ENOMEM);
	c->line = line;
	c->room = room;
	return 0;
}

/* Read what is there. Returns 1 when the line is whole (size then leaves out the newline), 0 when
 * there is more to come. */
static int
call_read(struct call *c)
{
	char *start, *end;
	ssize_t n;
	int status;

	status = call_grow(c);
	if (status < 0)
		return status;
	start = c->line + c->size;
	n = recv(c->fd, start, c->room - c->size, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : call_failed(c, errno);
	if (n == 0)
		return call_failed(c, ECONNRESET);
	end = memchr(start, '\n', (size_t)n);
	c->size += end != NULL ? (size_t)(end - start) : (size_t)n;
	return end != NULL;
}

static int
call_receive(struct call *c, json_t **response)
{
	json_t *object;
	struct err why;
	int status;

	do {
		status = call_wait(c, POLLIN);
		if (status == 0)
			status = call_read(c);
	} while (status == 0);
	if (status < 0)
		return status;
	object = control_parse(c->line, c->size, &why);
	if (object == NULL)
		return err_set_code(c->e, EPROTO, NULL, 0, NULL,
			"%s does not speak Trefoil's protocol: %s", c->path, why.message);
	*response = object;
	return 0;
}

int
control_connect(const char *path, unsigned int timeout_ms, struct err *e)
{
	struct call c = { .path = path, .fd = -1, .deadline_ms = now_ms() + timeout_ms, .e = e };
	int status = call_connect(&c, timeout_ms);

	if (status == 0)
		return c.fd;
	if (c.fd >= 0)
		close(c.fd);
	return status;
}

/* With the version of the protocol in it, for free(). */
static char *
dump_request(const json_t *request, size_t *size)
{
	json_t *copy = json_object();
	char *line = NULL;

	errno = ENOMEM;
	if (copy != NULL &&
		json_object_set_new(copy, "protocol_version", json_integer(CONTROL_PROTOCOL)) ==
			0 &&
		json_object_update(copy, (json_t *)(uintptr_t)request) == 0)
		line = control_dump(copy, size);
	json_decref(copy);
	return line;
}

int
control_call_on(int fd, const char *name, const json_t *request, unsigned int timeout_ms,
	json_t **response, struct err *e)
{
	struct call c = { .path = name, .fd = fd, .deadline_ms = now_ms() + timeout_ms, .e = e };
	size_t size;
	char *line = dump_request(request, &size);
	int status;

	if (line == NULL)
		return err_set_code(e, errno, NULL, 0, NULL,
			"the request does not fit one line of %u bytes", CONTROL_LINE_MAX);
	status = call_send(&c, line, size);
	if (status == 0)
		status = call_receive(&c, response);
	free(c.line);
	free(line);
	return status;
}

int
control_call(const char *path, const json_t *request, unsigned int timeout_ms, json_t **response,
	struct err *e)
{
	int fd, status;

	fd = control_connect(path, timeout_ms, e);
	if (fd < 0)
		return fd;
	status = control_call_on(fd, path, request, timeout_ms, response, e);
	close(fd);
	return status;
}
