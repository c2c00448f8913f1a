/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The answering end, in one thread. Each client is one state machine, client_step(), which runs
 * whenever something may have changed: it answers whole lines, writes what the socket takes, and
 * then says what to wait for. What bounds a client:
 *
 *   input   one line: reading stops while one is waiting to be answered;
 *   output  limits.output_max and one answer: above it, requests wait until the client reads;
 *   turns   N_TURN lines or TURN_MS, then the others come first;
 *   all     limits.held_max bytes of input and output of all clients together: beyond it, who holds
 *           the most of one user's is turned away;
 *   time    limits.idle_ms from one whole request to the next, whatever dribbles in or out between;
 *           limits.spare_ms when somebody else needs the place.
 *
 * Sockets are written with MSG_NOSIGNAL, so a client that dies raises no SIGPIPE.
 */
#include "control/control.h"
#include "control_impl.h"

#include "base/text.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/listener.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define N_TURN    16
#define TURN_MS   50
#define N_WORDS   128
#define N_VECTORS 16
#define READ_SIZE 65536
#define RETRY_MS  100 /* no descriptors left: try accept() again after that */
#define NO_MEMORY "{\"ok\":false,\"exit\":1,\"errors\":[{\"message\":\"out of memory\"}]}\n"

struct client {
	LIST_ENTRY(client) link;
	struct control_server *server;
	struct control_peer peer;
	uint32_t *groups; /* what peer.groups points to */
	int64_t heard_ms; /* CLOCK_MONOTONIC of the last whole request, or of connecting */
	int fd;
	struct event *readable, *writable, *deadline;
	struct evbuffer *in, *out;
	size_t n_searched; /* bytes of `in` without a newline */
	bool has_line;     /* the newline of the first line is at n_searched */
	bool at_end;       /* the peer sends no more */
	bool closing;      /* answer nothing more, close when `out` is written */
};

struct control_server {
	struct event_base *base;
	struct evconnlistener *listener;
	struct event *retry;
	char *path;
	struct stat made;
	const struct control_command *commands;
	void *context;
	control_guard_fn *guard; /* NULL = everybody who can connect may everything */
	control_note_fn *note;
	struct control_limits limits;
	unsigned int n_clients;
	LIST_HEAD(, client) clients;
};

static struct timeval
timeval_of(unsigned int ms)
{
	return (struct timeval){ .tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000 };
}

static void
client_free(struct client *c)
{
	if (c->server != NULL) {
		LIST_REMOVE(c, link);
		c->server->n_clients--;
	}
	if (c->readable != NULL)
		event_free(c->readable);
	if (c->writable != NULL)
		event_free(c->writable);
	if (c->deadline != NULL)
		event_free(c->deadline);
	if (c->in != NULL)
		evbuffer_free(c->in);
	if (c->out != NULL)
		evbuffer_free(c->out);
	close(c->fd);
	free(c->groups);
	free(c);
}

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static json_t *
answer_unknown(const struct control_command *commands, const char *name)
{
	const char *words[N_WORDS], *nearest;
	struct err e;
	size_t n;

	for (n = 0; n < N_WORDS && commands[n].name != NULL; n++)
		words[n] = commands[n].name;
	nearest = text_nearest(name, words, n);
	err_set(&e, NULL, 0, "command", "'%.64s' is no command%s%s%s", name,
		nearest != NULL ? " (did you mean '" : "", nearest != NULL ? nearest : "",
		nearest != NULL ? "'?)" : "");
	return control_refuse(CONTROL_USAGE, &e, 1);
}

/* Newer tools may ask for what this daemon would get wrong. */
static json_t *
answer_protocol(const json_t *request)
{
	const json_t *protocol = json_object_get(request, "protocol_version");
	struct err e;

	if (protocol == NULL || json_integer_value(protocol) == CONTROL_PROTOCOL)
		return NULL;
	err_set(&e, NULL, 0, "protocol_version",
		"this daemon speaks protocol %d: use the trefoilctl of its version",
		CONTROL_PROTOCOL);
	return control_refuse(CONTROL_USAGE, &e, 1);
}

static json_t *
answer_command(const struct client *c, const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "command"));
	const struct control_server *s = c->server;
	const struct control_command *command;
	json_t *refusal = answer_protocol(request);
	struct err e;

	if (refusal != NULL)
		return refusal;
	if (name == NULL) {
		err_set(&e, NULL, 0, "command", "is missing or no text");
		return control_refuse(CONTROL_USAGE, &e, 1);
	}
	for (command = s->commands; command->name != NULL; command++)
		if (strcmp(command->name, name) == 0)
			break;
	if (command->name == NULL)
		return answer_unknown(s->commands, name);
	refusal = s->guard != NULL ? s->guard(s->context, &c->peer, request) : NULL;
	return refusal != NULL ? refusal : command->handler(s->context, &c->peer, request);
}

static json_t *
answer_request(const struct client *c, const json_t *request)
{
	const struct control_server *s = c->server;
	json_t *response = answer_command(c, request);

	if (s->note != NULL && response != NULL)
		s->note(s->context, &c->peer, request, response);
	return response;
}

static void
free_text(const void *data, size_t size, void *text)
{
	free(text);
}

/* Queue a response and let it go. */
static void
client_put(struct client *c, json_t *response)
{
	struct err e;
	char *text = NULL;
	size_t size;

	if (response != NULL)
		text = control_dump(response, &size);
	if (text == NULL && response != NULL && errno == EMSGSIZE) {
		json_decref(response);
		err_set(&e, NULL, 0, NULL, "the answer has more than %u bytes: ask for less",
			CONTROL_LINE_MAX);
		response = control_refuse(CONTROL_REFUSED, &e, 1);
		text = response != NULL ? control_dump(response, &size) : NULL;
	}
	json_decref(response);
	if (text == NULL)
		c->closing |= evbuffer_add(c->out, NO_MEMORY, sizeof(NO_MEMORY) - 1) < 0;
	else if (evbuffer_add_reference(c->out, text, size, free_text, text) < 0) {
		free(text);
		c->closing = true; /* an answer is lost: the next would be taken for it */
	}
}

static void
client_answer(struct client *c, const char *line, size_t size)
{
	json_t *request;
	struct err e;

	request = control_parse(line, size, &e);
	if (request == NULL) {
		client_put(c, control_refuse(CONTROL_USAGE, &e, 1));
		return;
	}
	client_put(c, answer_request(c, request));
	json_decref(request);
}

/* Is the first line of the input whole? Each byte is searched once. */
static bool
client_has_line(struct client *c)
{
	size_t size = evbuffer_get_length(c->in);
	struct evbuffer_ptr from, at;

	if (c->has_line)
		return true;
	if (c->n_searched < size &&
		evbuffer_ptr_set(c->in, &from, c->n_searched, EVBUFFER_PTR_SET) == 0) {
		at = evbuffer_search(c->in, "\n", 1, &from);
		c->has_line = at.pos >= 0;
		c->n_searched = c->has_line ? (size_t)at.pos : size;
	}
	c->has_line |= c->at_end && size > 0;
	return c->has_line;
}

static bool
client_is_due(struct client *c)
{
	return !c->closing && client_has_line(c) &&
	       evbuffer_get_length(c->out) <= c->server->limits.output_max;
}

/* Answer the first line. */
static void
client_turn(struct client *c)
{
	struct timeval idle = timeval_of(c->server->limits.idle_ms);
	size_t size = c->n_searched;
	const unsigned char *line = evbuffer_pullup(c->in, (ssize_t)size);

	if (line == NULL && size > 0) {
		c->closing = true;
		return;
	}
	client_answer(c, size > 0 ? (const char *)line : "", size);
	evbuffer_drain(c->in, size + 1);
	c->n_searched = 0;
	c->has_line = false;
	c->heard_ms = now_ms();
	event_add(c->deadline, &idle);
}

static int
client_flush(struct client *c)
{
	struct evbuffer_iovec pieces[N_VECTORS];
	struct msghdr message = { .msg_iov = pieces };
	ssize_t n_sent;
	int n;

	while (evbuffer_get_length(c->out) > 0) {
		n = evbuffer_peek(c->out, -1, NULL, pieces, N_VECTORS);
		message.msg_iovlen = (size_t)(n < N_VECTORS ? n : N_VECTORS);
		n_sent = sendmsg(c->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n_sent < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		evbuffer_drain(c->out, (size_t)n_sent);
	}
	return 0;
}

/* Nothing to write, and nothing more will come. */
static bool
client_is_done(struct client *c)
{
	return evbuffer_get_length(c->out) == 0 &&
	       (c->closing || (c->at_end && !client_has_line(c)));
}

/* A line that waits for its turn waits for a writable socket: that is the next round of the loop,
 * or when the client has read some of its answers. */
static void
client_wait(struct client *c)
{
	bool has_line = client_has_line(c);

	if (!c->at_end && !c->closing && !has_line)
		event_add(c->readable, NULL);
	else
		event_del(c->readable);
	if (evbuffer_get_length(c->out) > 0 || (has_line && !c->closing))
		event_add(c->writable, NULL);
}

static void
client_step(struct client *c)
{
	int64_t begin_ms = now_ms();
	struct err e;
	unsigned int i;

	for (i = 0; i < N_TURN && client_is_due(c) && now_ms() - begin_ms < TURN_MS; i++)
		client_turn(c);
	if (!c->closing && !client_has_line(c) && c->n_searched > CONTROL_LINE_MAX) {
		err_set(&e, NULL, 0, NULL, "a request has at most %u bytes", CONTROL_LINE_MAX);
		client_put(c, control_refuse(CONTROL_USAGE, &e, 1));
		c->closing = true;
	}
	if (client_flush(c) < 0 || client_is_done(c))
		client_free(c);
	else
		client_wait(c);
}

/* Read what fits one line and its newline. */
static int
client_read(struct client *c)
{
	size_t room = CONTROL_LINE_MAX + 1 - evbuffer_get_length(c->in);
	struct evbuffer_iovec piece;
	ssize_t n;

	if (evbuffer_reserve_space(c->in, READ_SIZE, &piece, 1) < 1)
		return -ENOMEM;
	n = recv(c->fd, piece.iov_base, room < READ_SIZE ? room : READ_SIZE, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	c->at_end = n == 0;
	piece.iov_len = (size_t)n;
	return evbuffer_commit_space(c->in, &piece, 1);
}

static size_t
client_held(const struct client *c)
{
	return evbuffer_get_length(c->in) + evbuffer_get_length(c->out);
}

/* Bytes of all clients, or of one user's. */
static size_t
server_held(const struct control_server *s, const uint32_t *uid)
{
	const struct client *c;
	size_t total = 0;

	LIST_FOREACH(c, &s->clients, link)
	if (uid == NULL || c->peer.uid == *uid)
		total += client_held(c);
	return total;
}

/* Of the user who holds the most, who has been at it the longest: what is sent in earnest is short. The
 * list begins with the newest. */
static struct client *
server_find_greedy(const struct control_server *s)
{
	struct client *c, *found = NULL;
	size_t most = 0, held;

	LIST_FOREACH(c, &s->clients, link)
	{
		if (client_held(c) <= READ_SIZE)
			continue;
		held = server_held(s, &c->peer.uid);
		if (held > most || (held == most && c->heard_ms <= found->heard_ms)) {
			most = held;
			found = c;
		}
	}
	return found;
}

static void
client_turn_away(struct client *c)
{
	struct err e;

	evbuffer_drain(c->in, evbuffer_get_length(c->in));
	if (evbuffer_get_length(c->out) > 0) {
		client_free(c); /* does not read what it asked for */
		return;
	}
	err_set(&e, NULL, 0, NULL,
		"requests of all clients take more than %zu bytes: try again later",
		c->server->limits.held_max);
	client_put(c, control_refuse(CONTROL_REFUSED, &e, 1));
	c->closing = true;
	client_step(c);
}

/* Returns whether `current` is one of those that had to go. */
static bool
server_bound(struct control_server *s, const struct client *current)
{
	struct client *greedy;
	bool is_gone = false;

	while (server_held(s, NULL) > s->limits.held_max &&
		(greedy = server_find_greedy(s)) != NULL) {
		is_gone |= greedy == current;
		client_turn_away(greedy);
	}
	return is_gone;
}

static void
client_readable(evutil_socket_t fd, short what, void *context)
{
	struct client *c = context;

	if (client_read(c) < 0)
		client_free(c);
	else if (!server_bound(c->server, c))
		client_step(c);
}

static void
client_writable(evutil_socket_t fd, short what, void *context)
{
	client_step(context);
}

static void
client_late(evutil_socket_t fd, short what, void *context)
{
	client_free(context);
}

/* Supplementary groups, as many as there are. Returns 0 or -errno. */
static int
client_groups(struct client *c)
{
	socklen_t size = 0;

	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) == 0)
		return 0; /* none */
	if (errno != ERANGE)
		return -errno;
	c->groups = malloc(size);
	if (c->groups == NULL)
		return -ENOMEM;
	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERGROUPS, c->groups, &size) < 0)
		return -errno;
	c->peer.groups = c->groups;
	c->peer.n_groups = size / sizeof(*c->groups);
	return 0;
}

static int
client_peer(struct client *c)
{
	struct ucred credentials;
	socklen_t size = sizeof(credentials);

	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
		return -errno;
	c->peer.uid = credentials.uid;
	c->peer.gid = credentials.gid;
	c->peer.pid = (uint32_t)credentials.pid;
	return client_groups(c);
}

/* Who may ask nothing hears that at once. */
static void
client_admit(struct client *c)
{
	struct control_server *s = c->server;
	json_t *refusal = s->guard != NULL ? s->guard(s->context, &c->peer, NULL) : NULL;

	if (refusal == NULL)
		return;
	client_put(c, refusal);
	c->closing = true;
	client_step(c);
}

/* Takes `fd`, also when it fails. */
static void
client_new(struct control_server *s, int fd)
{
	struct timeval idle = timeval_of(s->limits.idle_ms);
	struct client *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		close(fd);
		return;
	}
	c->fd = fd;
	c->readable = event_new(s->base, fd, EV_READ, client_readable, c);
	c->writable = event_new(s->base, fd, EV_WRITE, client_writable, c);
	c->deadline = evtimer_new(s->base, client_late, c);
	c->in = evbuffer_new();
	c->out = evbuffer_new();
	if (c->readable == NULL || c->writable == NULL || c->deadline == NULL || c->in == NULL ||
		c->out == NULL || client_peer(c) < 0 || event_add(c->deadline, &idle) < 0 ||
		event_add(c->readable, NULL) < 0) {
		client_free(c);
		return;
	}
	c->server = s;
	s->n_clients++;
	c->heard_ms = now_ms();
	LIST_INSERT_HEAD(&s->clients, c, link);
	client_admit(c);
}

/* Too many: one line, as far as the socket takes it, and out. */
static void
server_turn_away(const struct control_server *s, int fd)
{
	json_t *response;
	struct err e;
	size_t size;
	char *text;

	err_set(&e, NULL, 0, NULL, "%u clients are connected, more are not served: try again later",
		s->n_clients);
	response = control_refuse(CONTROL_REFUSED, &e, 1);
	text = response != NULL ? control_dump(response, &size) : NULL;
	if (text != NULL)
		(void)!send(fd, text, size, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
	free(text);
	json_decref(response);
}

/* Who was silent for long makes room: nobody is kept out by clients that only sit there. */
static void
server_make_room(struct control_server *s)
{
	struct client *c, *oldest = NULL;

	LIST_FOREACH(c, &s->clients, link)
	if (oldest == NULL || c->heard_ms < oldest->heard_ms)
		oldest = c;
	if (oldest != NULL && now_ms() - oldest->heard_ms >= s->limits.spare_ms)
		client_free(oldest);
}

static void
server_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
	int size, void *context)
{
	struct control_server *s = context;

	if (s->n_clients >= s->limits.n_clients_max)
		server_make_room(s);
	if (s->n_clients < s->limits.n_clients_max)
		client_new(s, fd);
	else
		server_turn_away(s, fd);
}

/* Without a pause the loop would spin: the connection stays readable while nobody can take it. */
static void
server_accept_failed(struct evconnlistener *listener, void *context)
{
	struct control_server *s = context;
	struct timeval pause = timeval_of(RETRY_MS);

	evconnlistener_disable(listener);
	event_add(s->retry, &pause);
}

static void
server_accept_again(evutil_socket_t fd, short what, void *context)
{
	struct control_server *s = context;

	evconnlistener_enable(s->listener);
}

static int
server_listen(struct control_server *s, const char *path, struct err *e)
{
	int fd;

	fd = control_socket_listen(path, &s->made, e);
	if (fd < 0)
		return fd;
	s->path = strdup(path);
	s->retry = evtimer_new(s->base, server_accept_again, s);
	s->listener = evconnlistener_new(
		s->base, server_accept, s, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (s->listener == NULL)
		close(fd);
	if (s->path != NULL && s->retry != NULL && s->listener != NULL) {
		evconnlistener_set_error_cb(s->listener, server_accept_failed);
		return 0;
	}
	control_socket_remove(path, &s->made);
	return err_set_code(e, ENOMEM, path, 0, NULL, "out of memory");
}

struct control_server *
control_server_new(struct event_base *base, const char *path,
	const struct control_command *commands, void *context, struct err *e)
{
	struct control_server *s = calloc(1, sizeof(*s));
	int status;

	if (s == NULL) {
		err_set(e, path, 0, NULL, "out of memory");
		return NULL;
	}
	s->base = base;
	s->commands = commands;
	s->context = context;
	s->limits = (struct control_limits){ CONTROL_CLIENTS_MAX, CONTROL_IDLE_MS,
		CONTROL_OUTPUT_MAX, CONTROL_SPARE_MS, CONTROL_HELD_MAX };
	LIST_INIT(&s->clients);
	status = server_listen(s, path, e);
	if (status < 0) {
		control_server_free(s);
		errno = -status;
		return NULL;
	}
	return s;
}

void
control_server_limit(struct control_server *s, const struct control_limits *limits)
{
	if (limits->n_clients_max > 0)
		s->limits.n_clients_max = limits->n_clients_max;
	if (limits->idle_ms > 0)
		s->limits.idle_ms = limits->idle_ms;
	if (limits->output_max > 0)
		s->limits.output_max = limits->output_max;
	if (limits->spare_ms > 0)
		s->limits.spare_ms = limits->spare_ms;
	if (limits->held_max > 0)
		s->limits.held_max = limits->held_max;
}

void
control_server_guard(struct control_server *s, control_guard_fn *guard, control_note_fn *note)
{
	s->guard = guard;
	s->note = note;
}

int
control_server_admit(struct control_server *s, const uint32_t *gids, unsigned int n)
{
	return control_socket_admit(s->path, gids, n);
}

unsigned int
control_server_count(const struct control_server *s)
{
	return s->n_clients;
}

void
control_server_free(struct control_server *s)
{
	if (s == NULL)
		return;
	if (s->path != NULL)
		control_socket_remove(s->path, &s->made);
	while (!LIST_EMPTY(&s->clients))
		client_free(LIST_FIRST(&s->clients));
	if (s->listener != NULL)
		evconnlistener_free(s->listener);
	if (s->retry != NULL)
		event_free(s->retry);
	free(s->path);
	free(s);
}
