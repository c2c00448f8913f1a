/* SPDX-License-Identifier: BSD-3-Clause */
/* One ssh per call, over a socket pair: ssh asks for passwords on the terminal as always. */
#include "remote.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SCHEME     "ssh://"
#define CONNECT_MS 5000
#define RELAY_SIZE 65536
#define N_ARGS     12

/* A name that ssh or the shell at the other end could take for something else is refused. */
static const char host_bytes[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_@:[]%";
static const char path_bytes[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_/+,:@";

bool
remote_is_url(const char *text)
{
	const char *host = text + strlen(SCHEME);

	return strncmp(text, SCHEME, strlen(SCHEME)) == 0 && *host != '\0' && *host != '-' &&
	       host[strspn(host, host_bytes)] == '\0';
}

/* In the child: never returns. */
static void
run_ssh(const struct command_line *line, int fd)
{
	const char *program = getenv("TREFOIL_SSH"), *args[N_ARGS];
	unsigned int n = 0;

	args[n++] = program != NULL && *program != '\0' ? program : "ssh";
	args[n++] = "-T";
	args[n++] = line->host;
	args[n++] = "trefoilctl";
	if (line->socket_is_set) {
		args[n++] = "-s";
		args[n++] = line->socket;
	}
	args[n++] = "relay";
	args[n] = NULL;
	if (dup2(fd, STDIN_FILENO) >= 0 && dup2(fd, STDOUT_FILENO) >= 0)
		execvp(args[0], (char *const *)(uintptr_t)args);
	fprintf(stderr, "trefoilctl: cannot start %s: %s\n", args[0], strerror(errno));
	_exit(CONTROL_UNREACHABLE);
}

static int
start_ssh(const struct command_line *line, pid_t *child, struct err *e)
{
	int pair[2];

	if (line->socket_is_set && line->socket[strspn(line->socket, path_bytes)] != '\0')
		return err_set(
			e, line->socket, 0, NULL, "has characters that are not passed through ssh");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return err_set_code(e, errno, NULL, 0, NULL, "%s", strerror(errno));
	*child = fork();
	if (*child == 0)
		run_ssh(line, pair[1]);
	close(pair[1]);
	if (*child > 0)
		return pair[0];
	close(pair[0]);
	return err_set_code(e, ENOMEM, NULL, 0, NULL, "cannot start ssh");
}

/* ssh has said on standard error why. */
static int
explain(const struct command_line *line, int status, int child_status, struct err *e)
{
	if (status != -ECONNRESET)
		return status;
	return err_set_code(e, ECONNREFUSED, NULL, 0, NULL,
		"no answer through %s (exit code %d): can you log in, is trefoilctl installed and "
		"trefoild running there?",
		line->host, WIFEXITED(child_status) ? WEXITSTATUS(child_status) : -1);
}

int
remote_call(const struct command_line *line, const json_t *request, unsigned int timeout_ms,
	json_t **response, struct err *e)
{
	int fd, status, child_status = 0;
	pid_t child = -1;

	if (line->host == NULL)
		return control_call(line->socket, request, timeout_ms, response, e);
	fd = start_ssh(line, &child, e);
	if (fd < 0)
		return fd;
	status = control_call_on(fd, line->host, request, timeout_ms, response, e);
	close(fd); /* the relay ends with its input */
	waitpid(child, &child_status, 0);
	return explain(line, status, child_status, e);
}

/* Write all of it. Returns 0 or -errno. */
static int
put(int fd, const char *bytes, ssize_t size)
{
	ssize_t n;

	while (size > 0) {
		n = write(fd, bytes, (size_t)size);
		if (n < 0 && errno != EINTR)
			return -errno;
		bytes += n > 0 ? n : 0;
		size -= n > 0 ? n : 0;
	}
	return 0;
}

/* Carry what is there. Returns 1, 0 at the end of `from`, or -errno. */
static int
carry(int from, int to)
{
	static char bytes[RELAY_SIZE];
	ssize_t n = read(from, bytes, sizeof(bytes));
	int status;

	if (n < 0)
		return errno == EINTR ? 1 : -errno;
	if (n == 0)
		return 0;
	status = put(to, bytes, n);
	return status == 0 ? 1 : status;
}

static int
relay(int fd)
{
	struct pollfd ends[] = { { .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = fd, .events = POLLIN } };
	int status;

	for (;;) {
		if (poll(ends, 2, -1) < 0 && errno != EINTR)
			return -errno;
		if (ends[1].revents != 0 && (status = carry(fd, STDOUT_FILENO)) <= 0)
			return status;
		if (ends[0].revents == 0 || (status = carry(STDIN_FILENO, fd)) > 0)
			continue;
		shutdown(fd, SHUT_WR);
		ends[0].fd = -1;
		ends[0].revents = 0;
	}
}

enum control_exit
command_relay(const struct command_line *line)
{
	struct err_list errors = { .n = 0 };
	int fd = control_connect(line->socket, CONNECT_MS, err_list_next(&errors));
	int status;

	if (fd < 0)
		return command_fail(
			line, fd == -EACCES ? CONTROL_NOT_PERMITTED : CONTROL_UNREACHABLE, &errors);
	status = relay(fd);
	close(fd);
	return status == 0 ? CONTROL_DONE : CONTROL_UNREACHABLE;
}
