/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control: a server in a thread of its own, and clients that behave, misbehave and die. What must
 * have happened is waited for as a readable or hung-up socket or as an answer on another
 * connection.
 */
#include "suite.h"

#include "control/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 20000
#define BIG_SIZE    (1u << 20)
#define NOBODY      65534
#define N(array)    (sizeof(array) / sizeof((array)[0]))

struct fixture {
	char directory[64], path[96];
	struct event_base *base;
	struct event *stop;
	struct control_server *server;
	pthread_t thread;
	int stop_fd;
};

static atomic_uint n_calls;

static json_t *
handle_echo(void *context, const struct control_peer *peer, const json_t *request)
{
	return control_ok(json_pack("{s:I, s:i, s:i}", "length",
		(json_int_t)json_string_length(json_object_get(request, "text")), "uid",
		(int)peer->uid, "pid", (int)peer->pid));
}

/* An answer of as many bytes as asked for. */
static json_t *
handle_big(void *context, const struct control_peer *peer, const json_t *request)
{
	size_t size = (size_t)json_integer_value(json_object_get(request, "size"));
	char *text = malloc(size + 1);
	json_t *response;

	atomic_fetch_add(&n_calls, 1);
	memset(text, 'x', size);
	text[size] = '\0';
	response = control_ok(json_pack("{s:s}", "text", text));
	free(text);
	return response;
}

static json_t *
handle_refuse(void *context, const struct control_peer *peer, const json_t *request)
{
	struct err errors[2];

	err_set(&errors[0], "policy.ini", 7, "[country] drop", "'\xff\xc3' is \x1b[31mbad");
	err_set(&errors[1], NULL, 0, NULL, "%s", "second");
	return control_refuse(CONTROL_REFUSED, errors, 2);
}

static json_t *
handle_nothing(void *context, const struct control_peer *peer, const json_t *request)
{
	return NULL;
}

static const struct control_command commands[] = {
	{ "echo", handle_echo },
	{ "big", handle_big },
	{ "refuse", handle_refuse },
	{ "nothing", handle_nothing },
	{ NULL, NULL },
};

static void
fixture_break(evutil_socket_t fd, short what, void *base)
{
	event_base_loopbreak(base);
}

static void *
fixture_run(void *base)
{
	event_base_dispatch(base);
	return NULL;
}

static void
fixture_paths(struct fixture *f)
{
	snprintf(f->directory, sizeof(f->directory), "/tmp/trefoil-control-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(f->directory));
	snprintf(f->path, sizeof(f->path), "%s/control.sock", f->directory);
}

static void
fixture_up(struct fixture *f, const struct control_limits *limits)
{
	fixture_paths(f);
	f->base = event_base_new();
	f->server = control_server_new(f->base, f->path, commands, NULL, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f->server);
	if (limits != NULL)
		control_server_limit(f->server, limits);
	f->stop_fd = eventfd(0, EFD_CLOEXEC);
	f->stop = event_new(f->base, f->stop_fd, EV_READ, fixture_break, f->base);
	event_add(f->stop, NULL);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&f->thread, NULL, fixture_run, f->base), 0);
}

static void
fixture_halt(struct fixture *f)
{
	uint64_t one = 1;

	CU_ASSERT_EQUAL(write(f->stop_fd, &one, sizeof(one)), (ssize_t)sizeof(one));
	pthread_join(f->thread, NULL);
}

static void
fixture_down(struct fixture *f)
{
	fixture_halt(f);
	control_server_free(f->server);
	event_free(f->stop);
	event_base_free(f->base);
	close(f->stop_fd);
	CU_ASSERT_EQUAL(access(f->path, F_OK), -1);
	CU_ASSERT_EQUAL(rmdir(f->directory), 0);
}

/* Raw clients. */

static struct sockaddr_un
address_of(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	return address;
}

static int
raw_socket(void)
{
	struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CU_ASSERT_FATAL(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	return fd;
}

static int
raw_connect(const char *path)
{
	struct sockaddr_un address = address_of(path);
	int fd = raw_socket();

	CU_ASSERT_EQUAL_FATAL(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static int
raw_listen(const char *path, int backlog)
{
	struct sockaddr_un address = address_of(path);
	int fd = raw_socket();

	CU_ASSERT_EQUAL_FATAL(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	if (backlog >= 0)
		CU_ASSERT_EQUAL_FATAL(listen(fd, backlog), 0);
	return fd;
}

static size_t
raw_send(int fd, const char *data, size_t size)
{
	size_t n_sent = 0;
	ssize_t n;

	while (n_sent < size) {
		n = send(fd, data + n_sent, size - n_sent, MSG_NOSIGNAL);
		if (n <= 0)
			break;
		n_sent += (size_t)n;
	}
	return n_sent;
}

/* One answer; NULL when the connection ends first. Reads no byte beyond its newline. */
static json_t *
raw_answer(int fd)
{
	static char line[CONTROL_LINE_MAX + 2];
	size_t size = 0;
	ssize_t n;
	char *end;

	for (;;) {
		n = recv(fd, line + size, sizeof(line) - size, MSG_PEEK);
		if (n <= 0)
			return NULL;
		end = memchr(line + size, '\n', (size_t)n);
		if (end != NULL)
			n = end + 1 - (line + size);
		n = recv(fd, line + size, (size_t)n, 0);
		size += (size_t)n;
		if (end != NULL)
			return control_parse(line, size - 1, NULL);
	}
}

static json_t *
raw_ask(int fd, const char *line)
{
	raw_send(fd, line, strlen(line));
	return raw_answer(fd);
}

/* Is the next answer of this exit code? */
static bool
raw_answers(int fd, enum control_exit want)
{
	static struct err_list errors;
	json_t *response = raw_answer(fd);
	const json_t *result;
	bool is_right = response != NULL && control_outcome(response, &result, &errors) == want;

	json_decref(response);
	return is_right;
}

/* Wait until the other end is gone. */
static bool
raw_is_gone(int fd)
{
	struct pollfd p = { .fd = fd };

	return poll(&p, 1, PATIENCE_MS) == 1 && (p.revents & POLLHUP) != 0;
}

static int
call(const struct fixture *f, const char *text, json_t **response)
{
	json_t *request = control_parse(text, strlen(text), NULL);
	int status;

	CU_ASSERT_PTR_NOT_NULL_FATAL(request);
	status = control_call(f->path, request, PATIENCE_MS, response, NULL);
	json_decref(request);
	return status;
}

static bool
is_serving(const struct fixture *f)
{
	json_t *response;

	if (call(f, "{\"command\":\"echo\"}", &response) != 0)
		return false;
	json_decref(response);
	return true;
}

static void
test_requests_are_answered_with_who_asked(void)
{
	struct fixture f;
	const json_t *result;
	json_t *response;

	fixture_up(&f, NULL);
	CU_ASSERT_EQUAL_FATAL(call(&f, "{\"command\":\"echo\",\"text\":\"abc\"}", &response), 0);
	CU_ASSERT_EQUAL_FATAL(control_outcome(response, &result, NULL), CONTROL_DONE);
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(result, "length")), 3);
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(result, "uid")), (int)getuid());
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(result, "pid")), getpid());
	json_decref(response);
	fixture_down(&f);
}

static void
test_refusals_arrive_with_place_and_any_text(void)
{
	static struct err_list errors;
	struct fixture f;
	const json_t *result = NULL;
	json_t *response;

	fixture_up(&f, NULL);
	CU_ASSERT_EQUAL_FATAL(call(&f, "{\"command\":\"refuse\"}", &response), 0);
	CU_ASSERT_EQUAL(control_outcome(response, &result, &errors), CONTROL_REFUSED);
	CU_ASSERT_PTR_NULL(result);
	CU_ASSERT_EQUAL_FATAL(errors.n, 2);
	CU_ASSERT_STRING_EQUAL(errors.items[0].file, "policy.ini");
	CU_ASSERT_EQUAL(errors.items[0].line, 7);
	CU_ASSERT_STRING_EQUAL(errors.items[0].key, "[country] drop");
	CU_ASSERT_STRING_EQUAL(errors.items[0].message, "'?\?' is \x1b[31mbad");
	CU_ASSERT_STRING_EQUAL(errors.items[1].message, "second");
	json_decref(response);
	fixture_down(&f);
}

static void
test_unknown_commands_get_the_nearest_one(void)
{
	static struct err_list errors;
	struct fixture f;
	const json_t *result;
	json_t *response;

	fixture_up(&f, NULL);
	CU_ASSERT_EQUAL_FATAL(call(&f, "{\"command\":\"ehco\"}", &response), 0);
	CU_ASSERT_EQUAL(control_outcome(response, &result, &errors), CONTROL_USAGE);
	CU_ASSERT_STRING_EQUAL(
		errors.items[0].message, "'ehco' is no command (did you mean 'echo'?)");
	json_decref(response);
	CU_ASSERT_EQUAL_FATAL(call(&f, "{\"command\":\"nothing\"}", &response), 0);
	CU_ASSERT_EQUAL(control_outcome(response, &result, &errors), CONTROL_REFUSED);
	json_decref(response);
	fixture_down(&f);
}

static void
test_pipelined_requests_are_answered_in_order(void)
{
	char text[100 * 64];
	struct fixture f;
	json_t *response;
	const json_t *result;
	int fd, i, size = 0;

	fixture_up(&f, NULL);
	for (i = 0; i < 100; i++)
		size += snprintf(text + size, sizeof(text) - (size_t)size,
			"{\"command\":\"big\",\"size\":%d}\n", i);
	fd = raw_connect(f.path);
	raw_send(fd, text, (size_t)size);
	for (i = 0; i < 100; i++) {
		response = raw_answer(fd);
		result = json_object_get(response, "result");
		CU_ASSERT_EQUAL(json_string_length(json_object_get(result, "text")), (size_t)i);
		json_decref(response);
	}
	close(fd);
	fixture_down(&f);
}

static void
test_a_request_may_arrive_in_any_pieces(void)
{
	static const char line[] = "{\"command\":\"echo\",\"text\":\"\xc3\xa9\"}\n";
	struct fixture f;
	size_t i;
	int fd;

	fixture_up(&f, NULL);
	fd = raw_connect(f.path);
	for (i = 1; i < sizeof(line) - 1; i++) {
		raw_send(fd, line, i);
		CU_ASSERT(is_serving(&f)); /* the loop has been round since */
		raw_send(fd, line + i, sizeof(line) - 1 - i);
		CU_ASSERT(raw_answers(fd, CONTROL_DONE));
	}
	for (i = 0; i < sizeof(line) - 1; i++)
		raw_send(fd, line + i, 1);
	CU_ASSERT(raw_answers(fd, CONTROL_DONE));
	close(fd);
	fixture_down(&f);
}

static void
test_lines_that_are_no_request_are_refused_one_by_one(void)
{
	static const char *const lines[] = {
		"\n",
		"\r\n",
		"hello\n",
		"{\n",
		"}\n",
		"[]\n",
		"null\n",
		"\"command\"\n",
		"{}\n",
		"{\"command\":1}\n",
		"{\"command\":null}\n",
		"{\"command\":[\"echo\"]}\n",
		"{\"command\":\"\"}\n",
		"{\"command\":\"echo\\u0000\"}\n",
		"{\"command\":\"echo\"} trailing\n",
		"{\"command\":\"echo\"}{\"command\":\"echo\"}\n",
		"{\"command\":\"echo\",\"command\":\"echo\"}\n",
		"{\"command\":\"echo\",\"text\":{\"a\":1,\"a\":2}}\n",
		"{\"command\":\"echo\",\"text\":\"\xff\"}\n",
		"{\"command\":\"echo\",\"text\":\"\xed\xa0\x80\"}\n",
		"{\"command\":\"echo\",\"text\":1e999}\n",
		"{\"command\":\"echo\",\"text\":99999999999999999999}\n",
		"\xef\xbb\xbf{\"command\":\"echo\"}\n",
	};
	struct fixture f;
	size_t i;
	int fd;

	fixture_up(&f, NULL);
	fd = raw_connect(f.path);
	for (i = 0; i < N(lines); i++) {
		raw_send(fd, lines[i], strlen(lines[i]));
		CU_ASSERT(raw_answers(fd, CONTROL_USAGE));
	}
	raw_send(fd, "{\"command\"\0:\"echo\"}\n", 20);
	CU_ASSERT(raw_answers(fd, CONTROL_USAGE));
	raw_send(fd, "{\"command\":\"echo\"}\r\n", 20);
	CU_ASSERT(raw_answers(fd, CONTROL_DONE));
	close(fd);
	fixture_down(&f);
}

static void
test_deep_nesting_is_refused(void)
{
	enum { DEPTH = 1000000 };
	char *line = malloc(DEPTH + 32);
	struct fixture f;
	int fd, size;

	fixture_up(&f, NULL);
	size = sprintf(line, "{\"command\":\"echo\",\"text\":");
	memset(line + size, '[', DEPTH);
	line[size + DEPTH] = '\n';
	fd = raw_connect(f.path);
	raw_send(fd, line, (size_t)size + DEPTH + 1);
	CU_ASSERT(raw_answers(fd, CONTROL_USAGE));
	close(fd);
	free(line);
	fixture_down(&f);
}

/* A request of exactly `size` bytes without its newline. */
static char *
line_of(size_t size)
{
	static const char head[] = "{\"command\":\"echo\",\"text\":\"", tail[] = "\"}\n";
	char *line = malloc(size + 1);

	memset(line, 'x', size);
	memcpy(line, head, sizeof(head) - 1);
	memcpy(line + size + 1 - (sizeof(tail) - 1), tail, sizeof(tail) - 1);
	return line;
}

static void
test_a_line_has_at_most_the_documented_length(void)
{
	struct fixture f;
	char *line;
	int fd;

	fixture_up(&f, NULL);
	fd = raw_connect(f.path);
	line = line_of(CONTROL_LINE_MAX);
	CU_ASSERT_EQUAL(raw_send(fd, line, CONTROL_LINE_MAX + 1), (size_t)CONTROL_LINE_MAX + 1);
	CU_ASSERT(raw_answers(fd, CONTROL_DONE));
	free(line);
	line = line_of(CONTROL_LINE_MAX + 1);
	raw_send(fd, line, CONTROL_LINE_MAX + 2);
	CU_ASSERT(raw_answers(fd, CONTROL_USAGE));
	CU_ASSERT_PTR_NULL(raw_answer(fd));
	CU_ASSERT(is_serving(&f));
	free(line);
	close(fd);
	fixture_down(&f);
}

static void
test_calls_and_answers_that_fit_no_line_are_refused(void)
{
	static struct err_list errors;
	struct fixture f;
	const json_t *result;
	json_t *response, *request;
	char text[64], *line;

	fixture_up(&f, NULL);
	snprintf(text, sizeof(text), "{\"command\":\"big\",\"size\":%u}", CONTROL_LINE_MAX);
	CU_ASSERT_EQUAL_FATAL(call(&f, text, &response), 0);
	CU_ASSERT_EQUAL(control_outcome(response, &result, &errors), CONTROL_REFUSED);
	json_decref(response);
	snprintf(text, sizeof(text), "{\"command\":\"big\",\"size\":%u}", CONTROL_LINE_MAX - 64);
	CU_ASSERT_EQUAL_FATAL(call(&f, text, &response), 0);
	CU_ASSERT_EQUAL(control_outcome(response, &result, &errors), CONTROL_DONE);
	json_decref(response);
	line = line_of(CONTROL_LINE_MAX + 1);
	request = json_loadb(line, CONTROL_LINE_MAX + 1, 0, NULL);
	CU_ASSERT_EQUAL(control_call(f.path, request, PATIENCE_MS, &response, NULL), -EMSGSIZE);
	json_decref(request);
	free(line);
	fixture_down(&f);
}

static void
test_half_closed_clients_get_their_answers(void)
{
	static const char lines[] = "{\"command\":\"big\",\"size\":300000}\n"
				    "{\"command\":\"big\",\"size\":300000}\n"
				    "{\"command\":\"echo\"}";
	struct fixture f;
	int fd;

	fixture_up(&f, NULL);
	fd = raw_connect(f.path);
	raw_send(fd, lines, sizeof(lines) - 1);
	shutdown(fd, SHUT_WR);
	CU_ASSERT(raw_answers(fd, CONTROL_DONE));
	CU_ASSERT(raw_answers(fd, CONTROL_DONE));
	CU_ASSERT(raw_answers(fd, CONTROL_DONE));
	CU_ASSERT_PTR_NULL(raw_answer(fd));
	close(fd);
	fd = raw_connect(f.path); /* a torn request is answered, not carried out */
	raw_send(fd, lines, 20);
	shutdown(fd, SHUT_WR);
	CU_ASSERT(raw_answers(fd, CONTROL_USAGE));
	CU_ASSERT_PTR_NULL(raw_answer(fd));
	close(fd);
	fixture_down(&f);
}

static void
test_more_clients_than_allowed_are_turned_away(void)
{
	static const struct control_limits limits = { .n_clients_max = 4 };
	struct fixture f;
	json_t *response;
	int fds[4], fd;
	size_t i;

	fixture_up(&f, &limits);
	for (i = 0; i < N(fds); i++) {
		fds[i] = raw_connect(f.path);
		response = raw_ask(fds[i], "{\"command\":\"echo\"}\n");
		CU_ASSERT_PTR_NOT_NULL(response);
		json_decref(response);
	}
	for (i = 0; i < 200; i++) {
		fd = raw_connect(f.path);
		CU_ASSERT(raw_answers(fd, CONTROL_REFUSED));
		CU_ASSERT_PTR_NULL(raw_answer(fd));
		close(fd);
	}
	shutdown(fds[0], SHUT_WR);
	CU_ASSERT_PTR_NULL(raw_answer(fds[0])); /* its place is free */
	CU_ASSERT(is_serving(&f));
	for (i = 0; i < N(fds); i++)
		close(fds[i]);
	fixture_down(&f);
}

static void
test_a_client_that_never_reads_harms_nobody(void)
{
	static const struct control_limits limits = { .idle_ms = 300 };
	char line[64];
	struct fixture f;
	int fd, i, size;

	fixture_up(&f, &limits);
	atomic_store(&n_calls, 0);
	size = snprintf(line, sizeof(line), "{\"command\":\"big\",\"size\":%u}\n", BIG_SIZE);
	fd = raw_connect(f.path);
	for (i = 0; i < 1000; i++)
		raw_send(fd, line, (size_t)size);
	CU_ASSERT(is_serving(&f));
	CU_ASSERT(raw_is_gone(fd));
	CU_ASSERT(atomic_load(&n_calls) < 8);
	CU_ASSERT(is_serving(&f));
	close(fd);
	fixture_down(&f);
}

static void
test_a_late_reader_gets_every_answer(void)
{
	char line[64];
	struct fixture f;
	int fd, i, size;

	fixture_up(&f, NULL);
	size = snprintf(line, sizeof(line), "{\"command\":\"big\",\"size\":%u}\n", BIG_SIZE);
	fd = raw_connect(f.path);
	for (i = 0; i < 60; i++)
		raw_send(fd, line, (size_t)size);
	CU_ASSERT(is_serving(&f));
	for (i = 0; i < 60; i++)
		CU_ASSERT(raw_answers(fd, CONTROL_DONE));
	close(fd);
	fixture_down(&f);
}

static void
test_idle_and_dribbling_clients_are_closed(void)
{
	static const struct control_limits limits = { .idle_ms = 100 };
	struct fixture f;
	struct pollfd p;
	int idle, i;

	fixture_up(&f, &limits);
	idle = raw_connect(f.path);
	p = (struct pollfd){ .fd = raw_connect(f.path) };
	for (i = 0; i < PATIENCE_MS / 5 && poll(&p, 1, 5) == 0; i++)
		raw_send(p.fd, " ", 1);
	CU_ASSERT(i > 1 && i < PATIENCE_MS / 5);
	CU_ASSERT(raw_is_gone(idle));
	close(idle);
	close(p.fd);
	CU_ASSERT(is_serving(&f));
	fixture_down(&f);
}

static void
test_two_hundred_clients_with_random_bytes_harm_nobody(void)
{
	unsigned int seed = 1, i, k;
	char noise[512];
	struct fixture f;
	int fds[200];

	fixture_up(&f, NULL);
	for (i = 0; i < N(fds); i++) {
		for (k = 0; k < sizeof(noise); k++)
			noise[k] = (char)(rand_r(&seed) >> 3);
		fds[i] = raw_connect(f.path);
		raw_send(fds[i], noise, sizeof(noise));
		if (i % 3 == 0) /* dies with answers unread */
			close(fds[i]);
	}
	for (i = 0; i < N(fds); i++)
		if (i % 3 != 0)
			close(fds[i]);
	for (i = 0; i < 1000 && !is_serving(&f); i++)
		;
	CU_ASSERT(is_serving(&f));
	fixture_down(&f);
}

static void
test_running_out_of_descriptors_delays_but_loses_nobody(void)
{
	struct rlimit before, few = { 64, 64 };
	int fds[64], fd, n = 0;
	struct sockaddr_un address;
	struct fixture f;

	fixture_up(&f, NULL);
	address = address_of(f.path);
	fd = raw_socket();
	getrlimit(RLIMIT_NOFILE, &before);
	few.rlim_max = before.rlim_max;
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &few), 0);
	while (n < 64 && (fds[n] = dup(fd)) >= 0)
		n++;
	CU_ASSERT_EQUAL(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	raw_send(fd, "{\"command\":\"echo\"}\n", 19);
	while (n > 0)
		close(fds[--n]);
	setrlimit(RLIMIT_NOFILE, &before);
	CU_ASSERT(raw_answers(fd, CONTROL_DONE));
	close(fd);
	fixture_down(&f);
}

static void
test_only_owner_and_group_may_connect(void)
{
	static const mode_t masks[] = { 0, 022, 077, 0777 };
	struct fixture f;
	struct stat found;
	mode_t before;
	size_t i;

	for (i = 0; i < N(masks); i++) {
		before = umask(022);
		fixture_paths(&f);
		umask(masks[i]);
		f.base = event_base_new();
		f.server = control_server_new(f.base, f.path, commands, NULL, NULL);
		umask(before);
		CU_ASSERT_PTR_NOT_NULL_FATAL(f.server);
		CU_ASSERT_EQUAL(stat(f.path, &found), 0);
		CU_ASSERT_EQUAL(found.st_mode & 07777, 0660);
		control_server_free(f.server);
		event_base_free(f.base);
		rmdir(f.directory);
	}
}

/* The mode shows the most that anybody of the list may; others may nothing. */
static void
test_groups_are_admitted_by_a_list(void)
{
	const uint32_t own[] = { getgid() };
	uint32_t many[CONTROL_GROUPS_MAX + 1] = { 0 };
	struct fixture f;
	struct stat found;
	int status;

	fixture_up(&f, NULL);
	status = control_server_admit(f.server, own, 1);
	if (status == -EOPNOTSUPP)
		suite_skip("no access control lists on %s", f.directory);
	else
		CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_EQUAL(control_server_admit(f.server, many, N(many)), -E2BIG);
	CU_ASSERT_EQUAL(control_server_admit(f.server, NULL, 0), status);
	CU_ASSERT_EQUAL(stat(f.path, &found), 0);
	CU_ASSERT_EQUAL(found.st_mode & 07777, 0660);
	fixture_down(&f);
}

static void
test_a_stale_socket_is_replaced_and_a_live_one_refused(void)
{
	struct event_base *base = event_base_new();
	struct fixture f;
	struct err e;

	fixture_up(&f, NULL);
	CU_ASSERT_PTR_NULL(control_server_new(base, f.path, commands, NULL, &e));
	CU_ASSERT_EQUAL(errno, EADDRINUSE);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.message, "already listens"));
	CU_ASSERT(is_serving(&f));
	fixture_down(&f);

	fixture_paths(&f);
	close(raw_listen(f.path, 1));
	CU_ASSERT_EQUAL(access(f.path, F_OK), 0);
	f.server = control_server_new(base, f.path, commands, NULL, &e);
	CU_ASSERT_PTR_NOT_NULL(f.server);
	control_server_free(f.server);
	event_base_free(base);
	CU_ASSERT_EQUAL(rmdir(f.directory), 0);
}

static void
test_a_server_says_why_it_cannot_listen(void)
{
	struct event_base *base = event_base_new();
	char path[300], longer[200];
	struct fixture f;
	struct err e;

	fixture_paths(&f);
	snprintf(path, sizeof(path), "%s/absent/control.sock", f.directory);
	CU_ASSERT_PTR_NULL(control_server_new(base, path, commands, NULL, &e));
	CU_ASSERT_EQUAL(errno, ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.message, "mkdir"));
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	CU_ASSERT_PTR_NULL(control_server_new(base, longer, commands, NULL, &e));
	CU_ASSERT_EQUAL(errno, ENAMETOOLONG);
	CU_ASSERT_PTR_NULL(control_server_new(base, "", commands, NULL, &e));
	CU_ASSERT_EQUAL(errno, EINVAL);
	close(open(f.path, O_CREAT | O_WRONLY, 0600));
	CU_ASSERT_PTR_NULL(control_server_new(base, f.path, commands, NULL, &e));
	CU_ASSERT_EQUAL(errno, EEXIST);
	CU_ASSERT_EQUAL(unlink(f.path), 0);
	event_base_free(base);
	rmdir(f.directory);
}

static void
test_a_server_removes_its_own_socket_only(void)
{
	struct event_base *base = event_base_new();
	struct control_server *server;
	struct fixture f;
	int fd;

	fixture_paths(&f);
	server = control_server_new(base, f.path, commands, NULL, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(server);
	CU_ASSERT_EQUAL(control_server_count(server), 0);
	unlink(f.path);
	fd = raw_listen(f.path, 1);
	control_server_free(server);
	CU_ASSERT_EQUAL(unlink(f.path), 0);
	close(fd);
	control_server_free(NULL);
	event_base_free(base);
	rmdir(f.directory);
}

static int
call_within(const char *path, unsigned int timeout_ms, struct err *e)
{
	json_t *request = json_pack("{s:s}", "command", "echo"), *response = NULL;
	int status;

	status = control_call(path, request, timeout_ms, &response, e);
	json_decref(request);
	json_decref(response);
	return status;
}

static void
test_calls_to_nobody_say_so(void)
{
	struct fixture f;
	struct err e;
	char want[256];

	fixture_paths(&f);
	CU_ASSERT_EQUAL(call_within(f.path, PATIENCE_MS, &e), -ENOENT);
	snprintf(want, sizeof(want), "no daemon listens at %s: is trefoild running?", f.path);
	CU_ASSERT_STRING_EQUAL(e.message, want);
	close(raw_listen(f.path, -1));
	CU_ASSERT_EQUAL(call_within(f.path, PATIENCE_MS, &e), -ECONNREFUSED);
	CU_ASSERT_EQUAL(call_within(f.path, PATIENCE_MS, NULL), -ECONNREFUSED);
	unlink(f.path);
	rmdir(f.directory);
}

static void
test_calls_end_in_time(void)
{
	struct fixture f;
	int listener, waiting[3], i;
	struct err e;

	fixture_paths(&f);
	listener = raw_listen(f.path, 1);
	CU_ASSERT_EQUAL(call_within(f.path, 0, &e), -ETIMEDOUT);
	CU_ASSERT_EQUAL(call_within(f.path, 50, &e), -ETIMEDOUT); /* accepted by nobody */
	close(listener);
	unlink(f.path);
	listener = raw_listen(f.path, 0);
	for (i = 0; i < 3; i++) { /* fill the backlog */
		struct sockaddr_un address = address_of(f.path);

		waiting[i] = raw_socket();
		fcntl(waiting[i], F_SETFL, O_NONBLOCK);
		if (connect(waiting[i], (const struct sockaddr *)&address, sizeof(address)) < 0)
			CU_ASSERT_EQUAL(errno, EAGAIN);
	}
	CU_ASSERT_EQUAL(call_within(f.path, 50, &e), -ETIMEDOUT);
	for (i = 0; i < 3; i++)
		close(waiting[i]);
	close(listener);
	unlink(f.path);
	rmdir(f.directory);
}

struct fake {
	int listener;
	const char *answer;
	size_t n_repeats;
};

/* A daemon that takes one connection, says its line and hangs up. */
static void *
fake_run(void *context)
{
	const struct fake *fake = context;
	char request[256];
	size_t i;
	int fd;

	fd = accept(fake->listener, NULL, NULL);
	if (fd < 0)
		return NULL;
	if (recv(fd, request, sizeof(request), 0) > 0)
		for (i = 0; i < fake->n_repeats; i++)
			raw_send(fd, fake->answer, strlen(fake->answer));
	close(fd);
	return NULL;
}

static void
test_calls_survive_a_broken_daemon(void)
{
	static const struct {
		const char *answer;
		size_t n_repeats;
		int want;
	} cases[] = {
		{ "{\"ok\":true,\"result\":{}}\n", 1, 0 },
		{ "{\"ok\":true,\"result\":{}}\n", 3, 0 },
		{ "", 1, -ECONNRESET },
		{ "{\"ok\":true", 1, -ECONNRESET },
		{ "{\"ok\":true,\"result\":{}}", 1, -ECONNRESET },
		{ "\n", 1, -EPROTO },
		{ "SSH-2.0-OpenSSH\r\n", 1, -EPROTO },
		{ "[1,2]\n", 1, -EPROTO },
		{ "0123456789abcdef0123456789abcdef", (CONTROL_LINE_MAX + 65536) / 32, -EPROTO },
	};
	pthread_t thread;
	struct fixture f;
	struct fake fake;
	struct err e;
	size_t i;

	fixture_paths(&f);
	fake.listener = raw_listen(f.path, 4);
	for (i = 0; i < N(cases); i++) {
		fake.answer = cases[i].answer;
		fake.n_repeats = cases[i].n_repeats;
		CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, fake_run, &fake), 0);
		CU_ASSERT_EQUAL(call_within(f.path, PATIENCE_MS, &e), cases[i].want);
		pthread_join(thread, NULL);
	}
	close(fake.listener);
	unlink(f.path);
	rmdir(f.directory);
}

static void
test_strangers_are_told_that_they_are_not_permitted(void)
{
	struct fixture f;
	int state = -1;
	pid_t child;

	fixture_up(&f, NULL);
	chmod(f.directory, 0755);
	if (getuid() != 0)
		chmod(f.path, 0);
	child = fork();
	if (child == 0) {
		if (getuid() == 0 && (setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
			_exit(2);
		_exit(call_within(f.path, PATIENCE_MS, NULL) == -EACCES ? 0 : 1);
	}
	CU_ASSERT_EQUAL(waitpid(child, &state, 0), child);
	CU_ASSERT_EQUAL(state, 0);
	fixture_down(&f);
}

static void
test_outcomes_of_odd_responses_are_refusals(void)
{
	static const struct {
		const char *text;
		enum control_exit want;
	} cases[] = {
		{ "{}", CONTROL_REFUSED },
		{ "{\"ok\":true}", CONTROL_REFUSED },
		{ "{\"ok\":1,\"result\":{}}", CONTROL_REFUSED },
		{ "{\"ok\":true,\"result\":[]}", CONTROL_REFUSED },
		{ "{\"ok\":false,\"exit\":0}", CONTROL_REFUSED },
		{ "{\"ok\":false,\"exit\":4}", CONTROL_NOT_PERMITTED },
		{ "{\"ok\":false,\"exit\":5}", CONTROL_REFUSED },
		{ "{\"ok\":false,\"exit\":-1,\"errors\":7}", CONTROL_REFUSED },
		{ "{\"ok\":false,\"exit\":2,\"errors\":[7]}", CONTROL_USAGE },
		{ "{\"ok\":false,\"errors\":[{\"line\":-3,\"file\":7}]}", CONTROL_REFUSED },
		{ "{\"ok\":false,\"errors\":[{\"message\":\"\"}]}", CONTROL_REFUSED },
		{ "{\"ok\":true,\"result\":{}}", CONTROL_DONE },
	};
	static struct err_list errors;
	const json_t *result;
	json_t *response;
	size_t i;

	for (i = 0; i < N(cases); i++) {
		errors.n = errors.n_found = 0;
		response = control_parse(cases[i].text, strlen(cases[i].text), NULL);
		CU_ASSERT_EQUAL(control_outcome(response, &result, &errors), cases[i].want);
		CU_ASSERT_EQUAL(errors.n, cases[i].want != CONTROL_DONE);
		CU_ASSERT(errors.n == 0 || errors.items[0].message[0] != '\0');
		json_decref(response);
	}
}

static void
mutate(char *line, size_t size, unsigned int *seed)
{
	static const char tokens[] = "{}[]\":,\\u0000d8e9.-+ntf \n";
	int n = 1 + rand_r(seed) % 6;
	size_t at;

	while (n-- > 0) {
		at = (size_t)rand_r(seed) % size;
		if (rand_r(seed) % 2 == 0)
			line[at] = tokens[(size_t)rand_r(seed) % (sizeof(tokens) - 1)];
		else
			line[at] = (char)(line[at] ^ 1 << rand_r(seed) % 8);
	}
}

static void
raw_say(int fd, const char *text)
{
	raw_send(fd, text, strlen(text));
}

static atomic_uint n_notes, n_strangers; /* the guard lets nobody in while n_strangers is not 0 */

static json_t *
guard_refusal(const char *what)
{
	struct err e;

	err_set(&e, NULL, 0, NULL, "not permitted: %s", what);
	return control_refuse(CONTROL_NOT_PERMITTED, &e, 1);
}

static json_t *
guard(void *context, const struct control_peer *peer, const json_t *request)
{
	const char *command = json_string_value(json_object_get(request, "command"));

	if (request == NULL)
		return atomic_load(&n_strangers) > 0 ? guard_refusal("to connect") : NULL;
	return strcmp(command, "big") == 0 ? guard_refusal(command) : NULL;
}

static void
note(void *context, const struct control_peer *peer, const json_t *request, const json_t *response)
{
	atomic_fetch_add(&n_notes, 1);
}

static void
test_a_guard_is_asked_at_connecting_and_for_each_request(void)
{
	unsigned int n_before = atomic_load(&n_calls);
	struct fixture f;
	int fd;

	fixture_up(&f, NULL);
	fixture_halt(&f);
	control_server_guard(f.server, guard, note);
	event_base_loopcontinue(f.base);
	CU_ASSERT_EQUAL(read(f.stop_fd, &(uint64_t){ 0 }, 8), 8);
	event_add(f.stop, NULL);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&f.thread, NULL, fixture_run, f.base), 0);
	fd = raw_connect(f.path);
	raw_say(fd, "{\"command\":\"echo\"}\n{\"command\":\"big\",\"size\":1}\n");
	CU_ASSERT(raw_answers(fd, CONTROL_DONE));
	CU_ASSERT(raw_answers(fd, CONTROL_NOT_PERMITTED));
	CU_ASSERT_EQUAL(atomic_load(&n_calls), n_before);
	CU_ASSERT_EQUAL(atomic_load(&n_notes), 2);
	close(fd);
	atomic_store(&n_strangers, 1);
	fd = raw_connect(f.path);
	CU_ASSERT(raw_answers(fd, CONTROL_NOT_PERMITTED));
	CU_ASSERT_PTR_NULL(raw_answer(fd));
	close(fd);
	fixture_down(&f);
}

static void
test_clients_that_only_sit_there_make_room(void)
{
	static const struct control_limits limits = { .n_clients_max = 4, .spare_ms = 1 };
	struct fixture f;
	int fds[200];
	size_t i;

	fixture_up(&f, &limits);
	for (i = 0; i < N(fds); i++) {
		fds[i] = raw_connect(f.path);
		usleep(2000); /* that they are silent for so long is what is tested */
	}
	CU_ASSERT(is_serving(&f));
	CU_ASSERT(raw_is_gone(fds[0]));
	for (i = 0; i < N(fds); i++)
		close(fds[i]);
	fixture_down(&f);
}

/* Sixteen mebibytes of each of 64 clients would be a gibibyte. */
static void
test_large_requests_of_all_clients_are_bounded(void)
{
	static const struct control_limits limits = { .held_max = 1 << 20 };
	static char large[400 << 10];
	unsigned int n_refused = 0;
	char answer[256];
	struct fixture f;
	int fds[10];
	size_t i;

	fixture_up(&f, &limits);
	memset(large, ' ', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	for (i = 0; i < N(fds); i++) {
		fds[i] = raw_connect(f.path);
		raw_say(fds[i], large);
	}
	CU_ASSERT(is_serving(&f));
	raw_say(fds[N(fds) - 1], "{\"command\":\"echo\"}\n");
	CU_ASSERT(raw_answers(fds[N(fds) - 1], CONTROL_DONE)); /* the last one is in earnest */
	for (i = 0; i < N(fds) - 1; i++) {
		struct pollfd ready = { .fd = fds[i], .events = POLLIN };
		ssize_t n =
			poll(&ready, 1, 100) == 1 ? read(fds[i], answer, sizeof(answer) - 1) : 0;

		answer[n > 0 ? n : 0] = '\0';
		n_refused += strstr(answer, "try again later") != NULL;
	}
	CU_ASSERT(n_refused >= N(fds) - 3); /* two fit, and one may not have been read yet */
	for (i = 0; i < N(fds); i++)
		close(fds[i]);
	fixture_down(&f);
}

static void
test_other_protocols_are_refused(void)
{
	struct fixture f;
	int fd;

	fixture_up(&f, NULL);
	fd = raw_connect(f.path);
	raw_say(fd, "{\"command\":\"echo\",\"protocol_version\":1}\n");
	CU_ASSERT(raw_answers(fd, CONTROL_DONE));
	raw_say(fd, "{\"command\":\"echo\",\"protocol_version\":2}\n");
	CU_ASSERT(raw_answers(fd, CONTROL_USAGE));
	raw_say(fd, "{\"command\":\"echo\",\"protocol_version\":\"\"}\n");
	CU_ASSERT(raw_answers(fd, CONTROL_USAGE));
	close(fd);
	fixture_down(&f);
}

static void
test_any_bytes_parse_to_an_object_or_an_error(void)
{
	static const char *const seeds[] = {
		"{\"command\":\"status\"}",
		"{\"command\":\"push\",\"name\":\"a\",\"text\":\"[policy]\\nmode = enforce\\n\"}",
		"{\"ok\":false,\"exit\":1,\"errors\":[{\"file\":\"\",\"line\":12,\"key\":null}]}",
		"{\"ok\":true,\"result\":{\"a\":[1,2.5e-3,{\"b\":\"\\ud83d\\ude00\"}],\"c\":true}}",
	};
	unsigned int seed = 7, i;
	size_t size;
	json_t *object;
	struct err e;
	char *line;

	for (i = 0; i < 100000; i++) {
		size = strlen(seeds[i % N(seeds)]);
		if (i % 5 == 0)
			size = 1 + (size_t)rand_r(&seed) % size;
		line = malloc(size);
		memcpy(line, seeds[i % N(seeds)], size);
		mutate(line, size, &seed);
		e.message[0] = '\0';
		object = control_parse(line, size, &e);
		CU_ASSERT_FATAL(json_is_object(object) || e.message[0] != '\0');
		json_decref(object);
		free(line);
	}
	CU_ASSERT_PTR_NULL(control_parse("", 0, NULL));
}

SUITE("control",
	{ "a guard is asked at connecting and for each request",
		test_a_guard_is_asked_at_connecting_and_for_each_request },
	{ "clients that only sit there make room", test_clients_that_only_sit_there_make_room },
	{ "large requests of all clients are bounded",
		test_large_requests_of_all_clients_are_bounded },
	{ "other protocols are refused", test_other_protocols_are_refused },
	{ "requests are answered, with who asked", test_requests_are_answered_with_who_asked },
	{ "refusals arrive with place and any text", test_refusals_arrive_with_place_and_any_text },
	{ "unknown commands get the nearest one", test_unknown_commands_get_the_nearest_one },
	{ "pipelined requests are answered in order",
		test_pipelined_requests_are_answered_in_order },
	{ "a request may arrive in any pieces", test_a_request_may_arrive_in_any_pieces },
	{ "lines that are no request are refused one by one",
		test_lines_that_are_no_request_are_refused_one_by_one },
	{ "deep nesting is refused", test_deep_nesting_is_refused },
	{ "a line has at most the documented length",
		test_a_line_has_at_most_the_documented_length },
	{ "calls and answers that fit no line are refused",
		test_calls_and_answers_that_fit_no_line_are_refused },
	{ "half-closed clients get their answers", test_half_closed_clients_get_their_answers },
	{ "more clients than allowed are turned away",
		test_more_clients_than_allowed_are_turned_away },
	{ "a client that never reads harms nobody", test_a_client_that_never_reads_harms_nobody },
	{ "a late reader gets every answer", test_a_late_reader_gets_every_answer },
	{ "idle and dribbling clients are closed", test_idle_and_dribbling_clients_are_closed },
	{ "two hundred clients with random bytes harm nobody",
		test_two_hundred_clients_with_random_bytes_harm_nobody },
	{ "running out of descriptors delays but loses nobody",
		test_running_out_of_descriptors_delays_but_loses_nobody },
	{ "only owner and group may connect", test_only_owner_and_group_may_connect },
	{ "groups are admitted by a list", test_groups_are_admitted_by_a_list },
	{ "a stale socket is replaced and a live one refused",
		test_a_stale_socket_is_replaced_and_a_live_one_refused },
	{ "a server says why it cannot listen", test_a_server_says_why_it_cannot_listen },
	{ "a server removes its own socket only", test_a_server_removes_its_own_socket_only },
	{ "calls to nobody say so", test_calls_to_nobody_say_so },
	{ "calls end in time", test_calls_end_in_time },
	{ "calls survive a broken daemon", test_calls_survive_a_broken_daemon },
	{ "strangers are told that they are not permitted",
		test_strangers_are_told_that_they_are_not_permitted },
	{ "outcomes of odd responses are refusals", test_outcomes_of_odd_responses_are_refusals },
	{ "any bytes parse to an object or an error",
		test_any_bytes_parse_to_an_object_or_an_error })
