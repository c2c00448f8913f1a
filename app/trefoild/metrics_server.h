/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * metrics_server: GET /metrics and /healthz over HTTP on the address of [metrics] listen. Read only:
 * nothing that comes in changes anything.
 * Threads: control thread; it serves from the event loop.
 */
#pragma once

#include "base/err.h"
#include "daemon.h"

struct metrics_server;

/* Listen. `*out` is NULL where [metrics] listen is empty. Returns 0 or -errno, `e` filled. */
int metrics_server_start(struct daemon *d, struct metrics_server **out, struct err *e);
void metrics_server_stop(struct metrics_server *s); /* NULL allowed */
