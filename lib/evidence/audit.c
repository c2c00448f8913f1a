/* SPDX-License-Identifier: BSD-3-Clause */
/* The manifest first, then each segment that it names, then what lies in the directory without
 * being named. */
#include "evidence/audit.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_SIZE   4096
#define CHECKPOINTS ".checkpoints.jsonl"

struct audit {
	const char *directory;
	const struct audit_options *options;
	struct audit_result *result;
	struct inventory inventory;
};

static void
tell(struct audit *a, enum audit_kind kind, const struct inventory_segment *s,
	const struct segment_finding *found, const char *text)
{
	struct audit_finding finding = { .kind = kind, .s = s, .found = found, .text = text };

	a->result->n_broken += kind == AUDIT_BROKEN;
	a->result->n_notes += kind == AUDIT_NOTE;
	if (a->options->found != NULL)
		a->options->found(a->options->context, &finding);
}

static void
tell_error(struct audit *a, const struct inventory_segment *s, const struct segment_finding *found,
	const struct err *e)
{
	char text[sizeof(*e) + 32];

	tell(a, AUDIT_BROKEN, s, found, err_format(e, text, sizeof(text)));
}

/* A segment that holds: what is to be said of it all the same? */
static void
tell_good(struct audit *a, const struct inventory_segment *s, const struct segment_finding *found)
{
	uint64_t uncovered = found->bytes - found->covered;
	char text[256];

	if (!s->claim.is_closed) {
		snprintf(text, sizeof(text),
			"is not closed: being written, or left by a crash; good up to byte %" PRIu64
			" (packet %" PRIu64 "), %" PRIu64 " bytes are under no checkpoint",
			found->covered, found->n_packets, uncovered);
		tell(a, AUDIT_NOTE, s, found, text);
	} else if (s->is_recovered) {
		snprintf(text, sizeof(text),
			"was left open by a crash; vouched for up to byte %" PRIu64
			" (packet %" PRIu64 "), the %" PRIu64
			" bytes behind only since the start after it",
			s->covered, found->n_packets, uncovered);
		tell(a, AUDIT_NOTE, s, found, text);
	} else {
		tell(a, AUDIT_GOOD, s, found, "");
	}
}

/* Whether the crash itself did it or somebody after it, the record of the recovery tells. */
static bool
is_as_recovered(const struct inventory_segment *s, const struct segment_finding *found)
{
	return s->is_damaged && found->bytes == s->claim.bytes &&
	       strcmp(found->sha256, s->claim.sha256) == 0;
}

/* An open segment, or one that was open at a crash, is shorter than the manifest once said. */
static bool
is_cut(const struct inventory_segment *s, const struct segment_finding *found)
{
	if (s->claim.is_closed && !s->is_recovered)
		return false;
	return (s->is_recovered ? s->covered : found->covered) < s->anchored;
}

/* A crash may come between the line that opens a segment and its file; once there is a checkpoint,
 * there was a file. */
static bool
is_never_written(const struct audit *a, const struct inventory_segment *s)
{
	char path[PATH_SIZE];
	struct stat st;

	if (s->anchored != 0 || (s->claim.is_closed && !s->is_missing))
		return false;
	snprintf(path, sizeof(path), "%s/%s", a->directory, s->claim.name);
	if (stat(path, &st) == 0)
		return false;
	segment_checkpoints_path(a->directory, s->claim.name, path, sizeof(path));
	return stat(path, &st) != 0 || st.st_size == 0;
}

static int
audit_segment(struct audit *a, const struct inventory_segment *s)
{
	struct segment_check check = { .key = a->options->key,
		.progress = a->options->progress,
		.context = a->options->context };
	struct segment_finding found = { .bytes = 0 };
	struct err e = { .message = "" };
	char text[sizeof(e) + 64], place[sizeof(e) + 32];
	int rc;

	if (is_never_written(a, s)) {
		tell(a, AUDIT_NOTE, s, NULL,
			"was opened, but there is no file and no checkpoint: a crash in that "
			"instant, or no space");
		return 0;
	}
	rc = segment_verify(a->directory, &s->claim, &check, &found, &e);
	if (rc == -ENOMEM)
		return rc;
	a->result->n_bytes += found.bytes;
	a->result->n_packets += found.n_packets;
	if (rc == 0 && is_cut(s, &found)) {
		snprintf(text, sizeof(text),
			"is cut off: the manifest has its first %" PRIu64
			" bytes under a checkpoint, here are %" PRIu64 " (packet %" PRIu64 ")",
			s->anchored, s->is_recovered ? s->covered : found.covered, found.n_packets);
		tell(a, AUDIT_BROKEN, s, &found, text);
	} else if (rc == 0) {
		tell_good(a, s, &found);
	} else if (is_as_recovered(s, &found)) {
		snprintf(text, sizeof(text), "damaged by the crash it was recovered from: %.600s",
			err_format(&e, place, sizeof(place)));
		tell(a, AUDIT_BROKEN, s, &found, text);
	} else {
		tell_error(a, s, &found, &e);
	}
	return 0;
}

/* The segment that a file of that name is or belongs to. */
static void
segment_of(const char *name, char segment[NAME_MAX + 1])
{
	size_t length = strlen(name), tail = sizeof(CHECKPOINTS) - 1;

	if (length > tail && strcmp(name + length - tail, CHECKPOINTS) == 0)
		length -= tail;
	if (length > NAME_MAX)
		length = NAME_MAX;
	memcpy(segment, name, length);
	segment[length] = '\0';
}

static bool
is_expected(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	       strcmp(name, INVENTORY_MANIFEST) == 0 || strcmp(name, INVENTORY_KEY) == 0;
}

static void
audit_stranger(struct audit *a, const char *name)
{
	char segment[NAME_MAX + 1], text[NAME_MAX + 128];

	segment_of(name, segment);
	if (is_expected(name) || inventory_find(&a->inventory, segment) != NULL)
		return;
	if (inventory_was_removed(&a->inventory, segment)) {
		snprintf(text, sizeof(text),
			"%s is on record as removed, but a file of that name is here: not checked, "
			"trefoild removes it when it starts",
			name);
		tell(a, AUDIT_NOTE, NULL, NULL, text);
		return;
	}
	snprintf(text, sizeof(text), "%s is not in the manifest", name);
	tell(a, AUDIT_BROKEN, NULL, NULL, text);
}

static int
audit_strangers(struct audit *a, struct err *e)
{
	DIR *dir = opendir(a->directory);
	struct dirent *entry;

	if (dir == NULL)
		return err_set_code(e, errno, a->directory, 0, NULL, "%s", strerror(errno));
	while ((entry = readdir(dir)) != NULL)
		audit_stranger(a, entry->d_name);
	closedir(dir);
	return 0;
}

/* The copy beside the manifest is nobody's proof, but who changes it means to mislead. */
static void
audit_key(struct audit *a)
{
	char path[PATH_SIZE];
	int rc;

	if (a->options->key == NULL)
		return;
	snprintf(path, sizeof(path), "%s/" INVENTORY_KEY, a->directory);
	rc = signing_key_compare(a->options->key, path);
	if (rc == -ENOENT)
		tell(a, AUDIT_NOTE, NULL, NULL, INVENTORY_KEY " is missing");
	else if (rc != 0)
		tell(a, AUDIT_BROKEN, NULL, NULL,
			INVENTORY_KEY " is not the key that the evidence is checked with");
}

/* What the appliance itself found wrong when it began. */
static void
audit_breaks(struct audit *a)
{
	struct err why = { .message = "" };
	const json_t *start;
	size_t i;

	json_array_foreach(a->inventory.breaks, i, start)
	{
		err_set(&why, INVENTORY_MANIFEST,
			(unsigned int)json_integer_value(json_object_get(start, "seq")), NULL,
			"the start found a break: %s",
			json_string_value(json_object_get(start, "broken")));
		tell_error(a, NULL, NULL, &why);
	}
}

static int
audit_segments(struct audit *a, struct err *e)
{
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < a->inventory.n; i++) {
		if (a->inventory.items[i].is_removed) {
			a->result->n_removed++;
			continue;
		}
		a->result->n_segments++;
		rc = audit_segment(a, &a->inventory.items[i]);
	}
	return rc != 0 ? rc : audit_strangers(a, e);
}

int
audit_directory(const char *directory, const struct audit_options *options,
	struct audit_result *result, struct err *e)
{
	struct chain_check check = {
		.key = options->key, .head = options->head, .allow_torn = true
	};
	struct audit a = { .directory = directory, .options = options, .result = result };
	int rc;

	memset(result, 0, sizeof(*result));
	rc = inventory_load(directory, &check, false, &a.inventory, e);
	result->head = a.inventory.head;
	if (rc == -EBADMSG)
		tell_error(&a, NULL, NULL, e);
	else if (rc == 0 && a.inventory.head.n_torn != 0)
		tell(&a, AUDIT_NOTE, NULL, NULL,
			"the manifest's last line is cut off: being written, or left by a crash");
	if (rc == 0 || rc == -EBADMSG)
		audit_key(&a);
	audit_breaks(&a);
	if (rc == 0 || rc == -EBADMSG)
		rc = audit_segments(&a, e);
	inventory_fini(&a.inventory);
	if (rc == 0 && result->n_broken != 0)
		rc = -EBADMSG;
	return rc;
}

uint64_t
audit_bytes(const char *directory)
{
	struct chain_check check = { .allow_torn = true };
	struct inventory inventory;
	char path[PATH_SIZE];
	uint64_t bytes = 0;
	struct stat st;
	size_t i;

	(void)inventory_load(directory, &check, false, &inventory, NULL);
	for (i = 0; i < inventory.n; i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, inventory.items[i].claim.name);
		if (!inventory.items[i].is_removed && stat(path, &st) == 0)
			bytes += (uint64_t)st.st_size;
	}
	inventory_fini(&inventory);
	return bytes;
}
