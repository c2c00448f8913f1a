/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control: the control socket: requests and responses as JSON Lines over a Unix stream socket, both
 * ends. A request is {"command":"status",...arguments}; a response {"ok":true,"result":{...}} or
 * {"ok":false,"exit":1,"errors":[{"file","line","key","message"}]}. One object a line, at most
 * CONTROL_LINE_MAX bytes.
 *
 * A line that is no request is answered with an error and the connection goes on; a line that is
 * too long is answered and the connection closed. Requests may be pipelined; a client may close its
 * sending half and still gets its answers, and the newline of its last request may be missing.
 *
 * Threads: a server belongs to the thread of its event_base; a client call belongs to its caller.
 * Units: sizes are bytes, times are milliseconds.
 * Source: JSON Lines, RFC 8259; unix(7) for SO_PEERCRED.
 */
#pragma once

#include "base/err.h"

#include <event2/event.h>
#include <jansson.h>
#include <stdint.h>

#define CONTROL_SOCKET      "/run/trefoil/control.sock" /* where the daemon listens by default */
#define CONTROL_PROTOCOL    1           /* "protocol_version" of a request; may be missing */
#define CONTROL_LINE_MAX    (16u << 20) /* bytes without the newline */
#define CONTROL_CLIENTS_MAX 64
#define CONTROL_IDLE_MS     60000       /* a client without a whole request for so long is closed */
#define CONTROL_OUTPUT_MAX  (1u << 20)  /* unread bytes above which a client's requests wait */
#define CONTROL_HELD_MAX    (64u << 20) /* bytes of requests and answers of all clients */

/* Exit codes of the programs and of responses. */
enum control_exit {
	CONTROL_DONE = 0,
	CONTROL_REFUSED = 1,
	CONTROL_USAGE = 2,
	CONTROL_UNREACHABLE = 3,
	CONTROL_NOT_PERMITTED = 4,
	CONTROL_WARNED = 5, /* trefoilctl doctor: nothing failed, something is not good */
};

#define CONTROL_SPARE_MS 1000 /* without a whole request for so long: may have to make room */

/* Who asks: peer credentials of the socket, as they were when it was connected. */
struct control_peer {
	uint32_t uid, gid, pid;
	const uint32_t *groups; /* [n_groups] supplementary */
	unsigned int n_groups;
};

/* Answer one request. Returns a NEW response object (control_ok, control_refuse), never NULL. */
typedef json_t *control_handler_fn(
	void *context, const struct control_peer *peer, const json_t *request);

struct control_command {
	const char *name;
	control_handler_fn *handler;
};

/* May this peer ask this? `request` NULL: may it connect? Returns NULL, or a NEW refusal. */
typedef json_t *control_guard_fn(
	void *context, const struct control_peer *peer, const json_t *request);

/* Hear of each request and its answer, refused ones too. */
typedef void control_note_fn(void *context, const struct control_peer *peer, const json_t *request,
	const json_t *response);

struct control_server;

/* What one server allows its clients; starts as the constants above. */
struct control_limits {
	unsigned int n_clients_max;
	unsigned int idle_ms; /* also the time that a client has for reading its answers */
	size_t output_max;
	unsigned int
		spare_ms; /* when all places are taken, who was silent for so long makes room */
	size_t held_max; /* of requests and answers of all clients: who holds the most makes room */
};

/* Listen at `path` (mode 0660; a stale socket file is replaced, a live one is EADDRINUSE).
 * `commands` ends with a NULL name and must outlive the server, like `context`, which may be NULL.
 * Returns NULL and sets errno; `e` (NULL allowed) says what to do: EADDRINUSE (a daemon listens),
 * EEXIST (no socket but another file), EBUSY (another process is starting there), ENOENT (no
 * directory), EACCES, ENAMETOOLONG, ENOMEM... A handler must not free the server. */
struct control_server *control_server_new(struct event_base *base, const char *path,
	const struct control_command *commands, void *context, struct err *e);

/* Other limits than the constants, for clients that connect from now on. Zeros keep what is set. */
void control_server_limit(struct control_server *s, const struct control_limits *limits);

/* From now on `guard` says who is served what; `note` (NULL allowed) hears of it. Both get the
 * context of the commands. */
void control_server_guard(struct control_server *s, control_guard_fn *guard, control_note_fn *note);

#define CONTROL_GROUPS_MAX 16

/* Let the kernel admit the members of these groups, beside owner and group of the socket, and nobody
 * else: mode 0660 and an access control list. Replaces what was admitted before. Returns 0, or
 * -errno and nothing changed: -EOPNOTSUPP (a file system without lists), -EINVAL (a group that this
 * user namespace does not know), -E2BIG, -ENOMEM. */
int control_server_admit(struct control_server *s, const uint32_t *gids, unsigned int n);

/* Connected clients. */
unsigned int control_server_count(const struct control_server *s);

/* Closes all, removes the socket unless it was replaced meanwhile. NULL allowed. */
void control_server_free(struct control_server *s);

/* Responses. control_ok takes over `result` (NULL = {}). Bytes that are no UTF-8 become '?'. */
json_t *control_ok(json_t *result);
json_t *control_refuse(enum control_exit code, const struct err *errors, unsigned int n_errors);

/* What a response says: CONTROL_DONE and the BORROWED *result (never NULL then), or another code
 * and its errors added to `errors` (at least one, whatever the response looks like). */
enum control_exit control_outcome(
	const json_t *response, const json_t **result, struct err_list *errors);

/* Client: connect, send one request (borrowed), wait for one response. Returns 0 and a NEW
 * *response. Else *response is untouched, `e` (NULL allowed) says what to do, and: -ENOENT or
 * -ECONNREFUSED (no daemon), -EACCES, -ETIMEDOUT (of the whole call), -EPROTO (no valid answer),
 * -ECONNRESET (closed without an answer), -EMSGSIZE (request too long), -ENAMETOOLONG, -ENOMEM. */
int control_call(const char *path, const json_t *request, unsigned int timeout_ms,
	json_t **response, struct err *e);

/* The same over a connected stream socket, which stays open; `name` is what errors call it. */
int control_call_on(int fd, const char *name, const json_t *request, unsigned int timeout_ms,
	json_t **response, struct err *e);

/* Connect a stream socket to the daemon. Returns the descriptor or what control_call() does. */
int control_connect(const char *path, unsigned int timeout_ms, struct err *e);

/* Parse one line of `size` bytes, no newline needed, as a request or response: one JSON object, no
 * key twice. Returns a NEW object, or NULL and `e` (NULL allowed). The fuzz target. */
json_t *control_parse(const char *line, size_t size, struct err *e);
