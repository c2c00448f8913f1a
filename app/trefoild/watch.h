/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * watch: the last events, numbered, for clients that follow them. A client asks for what came since
 * the last one it knows; a slow one finds out how many it missed and costs the daemon nothing.
 * Threads: control thread.
 */
#pragma once

#include "daemon.h"

#include <jansson.h>

#define WATCH_EVENTS_MAX 512
#define WATCH_ANSWER_MAX 256 /* events of one answer */

struct watch;

/* NULL + ENOMEM. */
struct watch *watch_new(void);
void watch_free(struct watch *w); /* NULL allowed */

void watch_add(struct watch *w, const struct daemon_event *event);

/* Answers {"command":"watch","since":N}: the events after number N; without "since" none, only the
 * number to go on from. */
json_t *watch_answer(const struct watch *w, const json_t *request);
