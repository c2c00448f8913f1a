/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Control messages. The first byte chooses:
 *
 *     0  one line through the parser, as a request and as a response
 *     1  the bytes as what a client sends to a server; the second byte is the size of a write, which
 *        is made larger when there would be too many of them
 *     2  the bytes as an error text, which a response must be able to hold
 */
#include "fuzz.h"

#include "control/control.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define OUTPUT_MAX 256 /* small, so that requests have to wait */
#define N_PIECES   32
#define N_ROUNDS   100000

static struct event_base *base;
static struct control_server *server;
static char path[64];

static json_t *
answer_echo(void *context, const struct control_peer *peer, const json_t *request)
{
	return control_ok(json_pack("{s:O}", "request", request));
}

static json_t *
answer_refuse(void *context, const struct control_peer *peer, const json_t *request)
{
	const char *text = json_string_value(json_object_get(request, "text"));
	struct err e;

	err_set(&e, text, 1, "text", "%s", text != NULL ? text : "no");
	return control_refuse(CONTROL_REFUSED, &e, 1);
}

static const struct control_command commands[] = {
	{ "echo", answer_echo },
	{ "refuse", answer_refuse },
	{ NULL, NULL },
};

static void
remove_directory(void)
{
	control_server_free(server);
	event_base_free(base);
	*strrchr(path, '/') = '\0';
	rmdir(path);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct control_limits limits = { .output_max = OUTPUT_MAX };

	snprintf(path, sizeof(path), "/tmp/trefoil-fuzz-XXXXXX");
	CHECK(mkdtemp(path) != NULL);
	strcat(path, "/s");
	base = event_base_new();
	CHECK(base != NULL);
	server = control_server_new(base, path, commands, NULL, NULL);
	CHECK(server != NULL);
	control_server_limit(server, &limits);
	atexit(remove_directory);
	return 0;
}

static void
check_response(const json_t *response)
{
	static struct err_list errors;
	const json_t *result = NULL;
	enum control_exit code;

	errors.n = errors.n_found = 0;
	code = control_outcome(response, &result, &errors);
	if (code == CONTROL_DONE) {
		CHECK(json_is_object(result) && errors.n == 0);
	} else {
		CHECK(code >= CONTROL_REFUSED && code <= CONTROL_NOT_PERMITTED);
		fuzz_check_errors(&errors);
	}
}

static void
check_line(const uint8_t *data, size_t size)
{
	char *line = fuzz_copy(data, size), *text;
	struct err e = { 0 };
	json_t *object = control_parse(line, size, &e), *again;

	free(line);
	if (object == NULL) {
		fuzz_check_error(&e);
		return;
	}
	CHECK(json_is_object(object));
	check_response(object);
	text = json_dumps(object, JSON_COMPACT);
	CHECK(text != NULL);
	again = control_parse(text, strlen(text), NULL);
	CHECK(again != NULL && json_equal(object, again));
	json_decref(again);
	json_decref(object);
	free(text);
}

static void
check_error_text(const uint8_t *data, size_t size)
{
	struct err e = { .line = 1 };
	json_t *response;
	char *text;

	memcpy(e.message, data, size < sizeof(e.message) - 1 ? size : sizeof(e.message) - 1);
	memcpy(e.key, data, size < sizeof(e.key) ? size : sizeof(e.key)); /* may lack its NUL */
	response = control_refuse(CONTROL_REFUSED, &e, 1);
	CHECK(response != NULL);
	CHECK(json_array_size(json_object_get(response, "errors")) == 1);
	text = json_dumps(response, JSON_COMPACT);
	CHECK(text != NULL);
	free(text);
	json_decref(response);
}

/* What came back so far. */
struct answers {
	char *text;
	size_t size, room;
	bool at_end;
};

static void
answers_read(struct answers *a, int fd)
{
	ssize_t n;

	if (a->room - a->size < 4096) {
		a->room = 2 * a->room + 4096;
		a->text = realloc(a->text, a->room);
		CHECK(a->text != NULL);
	}
	n = recv(fd, a->text + a->size, a->room - a->size, MSG_DONTWAIT);
	CHECK(n >= 0 || errno == EAGAIN);
	a->at_end = n == 0;
	a->size += n > 0 ? (size_t)n : 0;
}

static int
connect_client(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	CHECK(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	return fd;
}

/* Send everything in pieces, then close the sending half and read until the server closes. */
static void
talk(int fd, const uint8_t *data, size_t size, size_t piece, struct answers *a)
{
	bool is_open = true;
	unsigned int i;
	ssize_t n;

	for (i = 0; i < N_ROUNDS && !a->at_end; i++) {
		if (size > 0) {
			n = send(
				fd, data, piece < size ? piece : size, MSG_DONTWAIT | MSG_NOSIGNAL);
			data += n > 0 ? n : 0;
			size -= n > 0 ? (size_t)n : 0;
		} else if (is_open) {
			shutdown(fd, SHUT_WR);
			is_open = false;
		}
		event_base_loop(base, EVLOOP_NONBLOCK);
		answers_read(a, fd);
	}
	CHECK(a->at_end);
}

/* One answer per line of the input, each of them a response. */
static void
check_answers(const struct answers *a, const uint8_t *data, size_t size)
{
	size_t i, n_lines = 0, n_answers = 0, start = 0;

	for (i = 0; i < size; i++)
		n_lines += data[i] == '\n';
	n_lines += size > 0 && data[size - 1] != '\n';
	for (i = 0; i < a->size; i++) {
		json_t *response;

		if (a->text[i] != '\n')
			continue;
		response = control_parse(a->text + start, i - start, NULL);
		CHECK(response != NULL);
		check_response(response);
		json_decref(response);
		n_answers++;
		start = i + 1;
	}
	CHECK(start == a->size);
	CHECK(n_answers == n_lines);
}

static void
check_server(const uint8_t *data, size_t size)
{
	struct answers a = { 0 };
	size_t piece;
	uint8_t wanted;
	int fd = connect_client();

	fuzz_take(&data, &size, &wanted, 1);
	piece = wanted > size / N_PIECES ? wanted : size / N_PIECES + 1;
	talk(fd, data, size, piece, &a);
	close(fd);
	CHECK(control_server_count(server) == 0);
	check_answers(&a, data, size);
	free(a.text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t mode;

	fuzz_take(&data, &size, &mode, 1);
	switch (mode % 3) {
	case 0:
		check_line(data, size);
		break;
	case 1:
		check_server(data, size);
		break;
	default:
		check_error_text(data, size);
	}
	return 0;
}
