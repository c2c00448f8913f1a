/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of the control module share: lines, addresses, and the socket file of the server.
 * Threads: pure functions; the socket file is guarded against other processes by a lock.
 */
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/un.h>

/* One line with its newline, *size bytes, for free(). NULL: no memory, or longer than
 * CONTROL_LINE_MAX (errno ENOMEM, EMSGSIZE). */
char *control_dump(const json_t *object, size_t *size);

/* The address of a path. Returns 0 or -ENAMETOOLONG, -EINVAL (empty). */
int control_address(const char *path, struct sockaddr_un *out, struct err *e);

/* Claim `path` for a server: a socket bound with mode 0660 and listening, close-on-exec and
 * non-blocking, that replaces a stale one. *made is what the file is, for control_socket_remove.
 * Returns the descriptor or what control_server_new says, negative. */
int control_socket_listen(const char *path, struct stat *made, struct err *e);

/* The access control list of control_server_admit(). */
int control_socket_admit(const char *path, const uint32_t *gids, unsigned int n);

/* Remove the file at `path` if it still is `made`. */
void control_socket_remove(const char *path, const struct stat *made);
