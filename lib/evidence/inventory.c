/* SPDX-License-Identifier: BSD-3-Clause */
/* Replaying a manifest. The daemon applies what it appends, so both see the same. */
#include "evidence/inventory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SIZE 4096

static const char *
text_of(const json_t *record, const char *key)
{
	const char *text = json_string_value(json_object_get(record, key));

	return text != NULL ? text : "";
}

/* 0 for what is missing, no integer or negative. */
static uint64_t
number_of(const json_t *record, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(record, key));

	return n > 0 ? (uint64_t)n : 0;
}

static int
take_hash(char out[SHA256_TEXT_SIZE], const char *text)
{
	if (!sha256_is_text(text))
		return -EBADMSG;
	memcpy(out, text, SHA256_TEXT_SIZE);
	return 0;
}

static int
not_fitting(struct err *e, const char *what)
{
	return err_set_code(e, EBADMSG, NULL, 0, NULL, "%s", what);
}

struct inventory_segment *
inventory_find(struct inventory *inventory, const char *name)
{
	const json_t *index = json_object_get(inventory->by_name, name);

	return index != NULL ? &inventory->items[json_integer_value(index)] : NULL;
}

/* Returns 0 or -ENOMEM. */
static int
remember(struct inventory *inventory, size_t i)
{
	if (inventory->by_name == NULL)
		inventory->by_name = json_object();
	return json_object_set_new_nocheck(inventory->by_name, inventory->items[i].claim.name,
		       json_integer((json_int_t)i)) == 0
		       ? 0
		       : -ENOMEM;
}

bool
inventory_was_removed(const struct inventory *inventory, const char *name)
{
	size_t i;

	for (i = 0; i < inventory->n; i++)
		if (inventory->items[i].is_removed &&
			strcmp(inventory->items[i].claim.name, name) == 0)
			return true;
	return false;
}

static int
apply_open(struct inventory *inventory, const json_t *record, const char *hash, struct err *e)
{
	const char *name = text_of(record, "segment");
	struct inventory_segment *items, *s;

	if (!segment_is_name(name))
		return not_fitting(e, "opens a segment without a proper name");
	if (inventory_find(inventory, name) != NULL)
		return not_fitting(e, "opens a segment that is already there");
	items = reallocarray(inventory->items, inventory->n + 1, sizeof(*items));
	if (items == NULL)
		return -ENOMEM;
	inventory->items = items;
	s = &items[inventory->n++];
	memset(s, 0, sizeof(*s));
	strcpy(s->claim.name, name);
	memcpy(s->claim.start, hash, SHA256_TEXT_SIZE);
	s->number = number_of(record, "number");
	s->opened_s = (int64_t)number_of(record, "opened_s");
	s->opened = inventory->keeps_lines ? json_deep_copy(record) : NULL;
	if (s->number > inventory->number_max)
		inventory->number_max = s->number;
	return remember(inventory, inventory->n - 1);
}

static int
apply_covered(struct inventory_segment *s, const json_t *record, struct err *e)
{
	uint64_t bytes = number_of(record, "bytes");

	if (s->claim.is_closed)
		return not_fitting(e, "covers a segment that is closed");
	if (bytes < s->anchored)
		return not_fitting(e, "covers less of a segment than before");
	s->anchored = bytes;
	return 0;
}

static int
apply_close(struct inventory_segment *s, const json_t *record, bool keeps_lines, bool is_recovered,
	struct err *e)
{
	const json_t *checkpoints = json_object_get(record, "checkpoints");

	if (s->claim.is_closed)
		return not_fitting(e, "closes a segment that is closed");
	s->is_missing = json_is_true(json_object_get(record, "missing"));
	s->is_damaged = json_is_string(json_object_get(record, "error"));
	if (!s->is_missing &&
		(take_hash(s->claim.sha256, text_of(record, "sha256")) != 0 ||
			take_hash(s->claim.checkpoints, text_of(checkpoints, "sha256")) != 0))
		return not_fitting(e, "closes a segment without its SHA-256");
	s->claim.is_closed = true;
	s->claim.bytes = number_of(record, "bytes");
	s->claim.n_torn = is_recovered ? number_of(record, "torn") : 0;
	s->claim.n_checkpoints = number_of(checkpoints, "lines");
	s->n_packets = number_of(record, "packets");
	s->closed_s = (int64_t)number_of(record, "closed_s");
	s->is_recovered = is_recovered;
	s->covered = is_recovered ? number_of(record, "covered") : s->claim.bytes;
	s->closed = keeps_lines ? json_deep_copy(record) : NULL;
	return 0;
}

static int
apply_remove(struct inventory *inventory, struct inventory_segment *s, struct err *e)
{
	if (!s->claim.is_closed)
		return not_fitting(e, "removes a segment that is not closed");
	if (s->is_held)
		return not_fitting(e, "removes a segment under legal hold");
	s->is_removed = true;
	json_object_del(inventory->by_name, s->claim.name);
	return 0;
}

static int
apply_to_segment(struct inventory *inventory, const char *type, const json_t *record, struct err *e)
{
	struct inventory_segment *s = inventory_find(inventory, text_of(record, "segment"));

	if (s == NULL)
		return not_fitting(e, "is about a segment that is not there");
	if (strcmp(type, "hold") == 0 || strcmp(type, "release") == 0) {
		s->is_held = strcmp(type, "hold") == 0;
		return 0;
	}
	if (strcmp(type, "remove") == 0)
		return apply_remove(inventory, s, e);
	if (strcmp(type, "covered") == 0)
		return apply_covered(s, record, e);
	return apply_close(s, record, inventory->keeps_lines, strcmp(type, "recover") == 0, e);
}

static int
apply_start(struct inventory *inventory, const json_t *record)
{
	inventory->is_running = true;
	if (!json_is_string(json_object_get(record, "broken")))
		return 0;
	if (inventory->breaks == NULL)
		inventory->breaks = json_array();
	return json_array_append_new(inventory->breaks, json_deep_copy(record)) == 0 ? 0 : -ENOMEM;
}

int
inventory_apply(struct inventory *inventory, const json_t *record, const char *hash, struct err *e)
{
	static const char *const of_segment[] = { "covered", "close", "recover", "hold", "release",
		"remove" };
	const char *type = text_of(record, "type");
	size_t i;

	for (i = 0; i < sizeof(of_segment) / sizeof(of_segment[0]); i++)
		if (strcmp(type, of_segment[i]) == 0)
			return apply_to_segment(inventory, type, record, e);
	if (strcmp(type, "open") == 0)
		return apply_open(inventory, record, hash, e);
	if (strcmp(type, "start") == 0)
		return apply_start(inventory, record);
	if (strcmp(type, "stop") == 0)
		inventory->is_running = false;
	return 0;
}

struct replay {
	struct inventory *inventory;
	const char *path;
};

static int
replay_line(void *context, const struct chain_line *line, struct err *e)
{
	const struct replay *r = context;
	struct err why = { .message = "out of memory" };
	int rc = inventory_apply(r->inventory, line->record, line->hash, &why);

	if (rc != 0)
		return err_set_code(
			e, -rc, r->path, (unsigned int)line->number, NULL, "%s", why.message);
	return 0;
}

int
inventory_load(const char *directory, const struct chain_check *check, bool keeps_lines,
	struct inventory *out, struct err *e)
{
	char path[PATH_SIZE];
	struct replay replay = { .inventory = out, .path = path };

	memset(out, 0, sizeof(*out));
	out->keeps_lines = keeps_lines;
	snprintf(path, sizeof(path), "%s/" INVENTORY_MANIFEST, directory);
	return chain_verify(path, check, replay_line, &replay, &out->head, e);
}

static void
forget(const struct inventory_segment *s)
{
	json_decref(s->opened);
	json_decref(s->closed);
}

void
inventory_forget_gone(struct inventory *inventory)
{
	size_t i, n = 0;

	for (i = 0; i < inventory->n; i++) {
		const struct inventory_segment *s = &inventory->items[i];
		json_t *index = json_object_get(inventory->by_name, s->claim.name);

		if (s->is_gone) {
			forget(s);
			continue;
		}
		if (!s->is_removed)
			json_integer_set(index, (json_int_t)n);
		inventory->items[n++] = *s;
	}
	inventory->n = n;
}

void
inventory_fini(struct inventory *inventory)
{
	size_t i;

	for (i = 0; i < inventory->n; i++)
		forget(&inventory->items[i]);
	free(inventory->items);
	json_decref(inventory->by_name);
	json_decref(inventory->breaks);
	memset(inventory, 0, sizeof(*inventory));
}
