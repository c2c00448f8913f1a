/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * enact: compile a policy and a geo table beside the running generation, and let the result judge.
 * Says nothing of who may, and keeps nothing on disk: that is change.h.
 * Threads: control thread.
 */
#pragma once

#include "daemon.h"

/* A policy's text; `name` is how errors and rules call it. */
struct enact_text {
	const char *text;
	size_t size;
	const char *name;
};

/* Of a copy that belongs to the caller. */
void enact_text_free(const struct enact_text *text);

/* Wait a moment while too many older generations cannot be freed. What protects the border (a rollback,
 * old data) does without. Returns 0 or -EBUSY. */
int enact_make_room(struct daemon *d, struct err_list *errors);

/* Parse, compile and verify generation `number`. NULL: `errors` says what to do; nothing changed. */
struct generation *enact_compile(struct daemon *d, uint32_t number, const struct enact_text *text,
	struct geo_ref *geo, struct err_list *errors);

/* Let `g`, made of `text`, judge from now on; takes it. `record` is kept as d->running. Returns 0
 * or -ENOMEM, then nothing changed and `g` is freed. */
int enact_publish(struct daemon *d, struct generation *g, const struct enact_text *text,
	const struct store_record *record);
