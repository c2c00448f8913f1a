/* SPDX-License-Identifier: BSD-3-Clause */
/* One directory in custody. Order matters where power may go: a segment's line comes before its
 * file, its removal's line before the files go, its end when its bytes are on the disk. */
#include "evidence/evidence.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATH_SIZE  4096
#define BROKEN_MAX 1000
#define ANCHOR_S   60 /* between lines that say how far an open segment is covered */

struct evidence {
	struct evidence_options options;
	char directory[PATH_SIZE / 2];
	char manifest[PATH_SIZE];
	struct chain *chain;
	struct inventory inventory;
	struct segment *segment; /* NULL = none is open */
	char name[SEGMENT_NAME_MAX + 1];
	uint64_t bytes;                      /* of closed segments and their checkpoints */
	int64_t anchored_s;                  /* monotonic: when the last such line was written */
	char broken[2 * sizeof(struct err)]; /* what was found when it was opened */
};

static const char *
path_of(const struct evidence *ev, const char *name, char buf[PATH_SIZE])
{
	snprintf(buf, PATH_SIZE, "%s/%s", ev->directory, name);
	return buf;
}

static uint64_t
size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* Of a segment and its checkpoints. */
static uint64_t
size_of_segment(const struct evidence *ev, const char *name)
{
	char path[PATH_SIZE], checkpoints[PATH_SIZE];

	return size_of(path_of(ev, name, path)) + size_of(segment_checkpoints_path(ev->directory,
							  name, checkpoints, sizeof(checkpoints)));
}

/* Append a line and let the inventory know. A line that is in the file has happened, whatever the
 * disk says to a sync: written again it would break the chain. evidence_sync() tries that again. */
static int
evidence_append(struct evidence *ev, json_t *record)
{
	struct chain_head before;
	struct err ignored;
	int rc;

	chain_get_head(ev->chain, &before);
	json_incref(record);
	rc = chain_append(ev->chain, record);
	chain_get_head(ev->chain, &ev->inventory.head);
	if (ev->inventory.head.n_lines != before.n_lines)
		rc = inventory_apply(&ev->inventory, record, ev->inventory.head.hash, &ignored);
	json_decref(record);
	return rc;
}

/* Take what is true of a finding into a close or recover line. */
static json_t *
finding_json(const char *type, const char *name, const struct segment_finding *f)
{
	return json_pack("{s:s, s:s, s:I, s:I, s:s, s:{s:I, s:s}, s:I}", "type", type, "segment",
		name, "bytes", (json_int_t)f->bytes, "packets", (json_int_t)f->n_packets, "sha256",
		f->sha256, "checkpoints", "lines", (json_int_t)f->n_checkpoints, "sha256",
		f->checkpoints, "closed_s", (json_int_t)time(NULL));
}

/* A segment that was open when the daemon died: what is there now, and how much of it is under a
 * checkpoint that was made before. */
static int
evidence_recover(struct evidence *ev, const struct segment_claim *claim)
{
	struct segment_check check = { .key = ev->options.key };
	struct segment_finding found = { .bytes = 0 };
	struct err why = { .message = "" };
	char text[sizeof(why)];
	json_t *record;
	int rc = segment_verify(ev->directory, claim, &check, &found, &why);

	if (rc == -ENOMEM)
		return rc;
	record = finding_json("recover", claim->name, &found);
	json_object_set_new(record, "covered", json_integer((json_int_t)found.covered));
	json_object_set_new(record, "torn", json_integer((json_int_t)found.n_torn));
	if (rc != 0 && found.sha256[0] == '\0')
		json_object_set_new(record, "missing", json_true());
	else if (rc != 0)
		json_object_set_new(
			record, "error", json_string(err_format(&why, text, sizeof(text))));
	return evidence_append(ev, record);
}

static int
evidence_recover_all(struct evidence *ev)
{
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < ev->inventory.n; i++) {
		struct segment_claim claim = ev->inventory.items[i].claim;

		if (!ev->inventory.items[i].is_removed && !claim.is_closed)
			rc = evidence_recover(ev, &claim);
		if (rc == 0 && !ev->inventory.items[i].is_removed)
			ev->bytes += size_of_segment(ev, claim.name);
	}
	return rc;
}

static int evidence_sweep(struct evidence *ev, struct err *e);

static int
evidence_start(struct evidence *ev, uint64_t n_torn)
{
	const struct evidence_options *o = &ev->options;
	json_t *record = json_pack("{s:s, s:s, s:s, s:s}", "type", "start", "name", o->name,
		"version", o->version, "key", signing_key_id(o->key));

	if (o->binary_sha256 != NULL)
		json_object_set_new(
			record, "binary", json_pack("{s:s}", "sha256", o->binary_sha256));
	if (n_torn != 0)
		json_object_set_new(record, "torn", json_integer((json_int_t)n_torn));
	if (ev->broken[0] != '\0')
		json_object_set_new(record, "broken", json_string(ev->broken));
	if (ev->broken[0] != '\0' && o->kept != NULL)
		json_object_set_new(record, "kept",
			json_pack("{s:I, s:s}", "lines", (json_int_t)o->kept->n_lines, "sha256",
				o->kept->hash));
	return evidence_append(ev, record);
}

/* Out of the way, never overwritten, never removed. */
static int
evidence_set_aside(struct evidence *ev, const struct err *why)
{
	char to[PATH_SIZE + 32], text[sizeof(*why)];
	unsigned int i;

	for (i = 1; i < BROKEN_MAX; i++) {
		snprintf(to, sizeof(to), "%s.broken-%u", ev->manifest, i);
		if (access(to, F_OK) != 0)
			break;
	}
	if (i == BROKEN_MAX)
		return -EEXIST;
	snprintf(ev->broken, sizeof(ev->broken), "%s (set aside as %s)",
		err_format(why, text, sizeof(text)), strrchr(to, '/') + 1);
	return rename(ev->manifest, to) == 0 ? 0 : -errno;
}

/* A chain that verifies, or none, where there was another one. */
static void
evidence_say_lost(struct evidence *ev, const struct chain_head *kept)
{
	snprintf(ev->broken, sizeof(ev->broken),
		INVENTORY_MANIFEST " does not hold line %" PRIu64
				   " of SHA-256 %s any more, which this "
				   "appliance wrote: it was taken away, cut off or replaced",
		kept->n_lines, kept->hash);
}

/* The manifest as it is. A broken one is set aside, and ev->broken says why. One that only lacks the
 * line that was kept is broken by the first check and not by the second, which trusts nothing. */
static int
evidence_load(struct evidence *ev, struct err *e)
{
	const struct chain_head *kept = ev->options.kept;
	struct chain_check check = { .key = ev->options.key,
		.head = kept != NULL ? kept->hash : NULL,
		.allow_torn = true,
		.n_trusted = kept != NULL ? kept->n_lines : 0,
		.skip = INVENTORY_COVERED };
	int rc = inventory_load(ev->directory, &check, false, &ev->inventory, e);
	bool is_lost = kept != NULL && rc != 0;

	if (rc == -EBADMSG && kept != NULL) {
		inventory_fini(&ev->inventory);
		check.head = NULL;
		check.n_trusted = 0;
		rc = inventory_load(ev->directory, &check, false, &ev->inventory, e);
	}
	if (rc == 0 || rc == -ENOENT) {
		if (ev->options.doubt != NULL)
			snprintf(ev->broken, sizeof(ev->broken), "%s", ev->options.doubt);
		if (is_lost)
			evidence_say_lost(ev, kept);
		return 0;
	}
	if (rc != -EBADMSG)
		return rc;
	inventory_fini(&ev->inventory);
	rc = evidence_set_aside(ev, e);
	if (rc != 0)
		err_set_code(e, -rc, ev->manifest, 0, NULL, "is broken and cannot be renamed: %s",
			strerror(-rc));
	return rc;
}

static int
evidence_begin_manifest(struct evidence *ev, struct err *e)
{
	struct chain_options options = { .key = ev->options.key, .sync = CHAIN_SYNC_EACH };
	char path[PATH_SIZE];
	uint64_t n_torn = 0;
	int rc = evidence_load(ev, e);

	if (rc != 0)
		return rc;
	ev->chain = chain_open(ev->manifest, &options, &n_torn, e);
	if (ev->chain == NULL)
		return -errno;
	rc = evidence_recover_all(ev);
	if (rc == 0)
		rc = evidence_start(ev, n_torn);
	if (rc != 0)
		return err_set_code(
			e, -rc, ev->manifest, 0, NULL, "cannot append: %s", strerror(-rc));
	return signing_key_export(ev->options.key, path_of(ev, INVENTORY_KEY, path), e);
}

struct evidence *
evidence_open(const struct evidence_options *options, struct err *e)
{
	struct evidence *ev = calloc(1, sizeof(*ev));
	int rc;

	if (ev == NULL) {
		errno = -err_set_code(e, ENOMEM, options->directory, 0, NULL, "out of memory");
		return NULL;
	}
	ev->options = *options;
	snprintf(ev->directory, sizeof(ev->directory), "%s", options->directory);
	path_of(ev, INVENTORY_MANIFEST, ev->manifest);
	rc = evidence_begin_manifest(ev, e);
	if (rc == 0) {
		(void)evidence_sweep(ev, NULL); /* evidence_expire() tells what it cannot */
		return ev;
	}
	evidence_close(ev, false);
	errno = -rc;
	return NULL;
}

const char *
evidence_break(const struct evidence *ev)
{
	return ev->broken[0] != '\0' ? ev->broken : NULL;
}

int
evidence_get_durable_head(const struct evidence *ev, struct chain_head *out)
{
	if (chain_is_unsynced(ev->chain))
		return -EAGAIN;
	chain_get_head(ev->chain, out);
	return 0;
}

void
evidence_close(struct evidence *ev, bool is_stop)
{
	if (ev == NULL)
		return;
	if (is_stop)
		(void)evidence_append(ev, json_pack("{s:s}", "type", "stop"));
	segment_close(ev->segment);
	chain_close(ev->chain);
	inventory_fini(&ev->inventory);
	free(ev);
}

uint64_t
evidence_next_number(const struct evidence *ev)
{
	return ev->inventory.number_max + 1;
}

void
evidence_skip_number(struct evidence *ev)
{
	ev->inventory.number_max++;
}

int
evidence_begin(struct evidence *ev, const char *name, json_t *more, struct err *e)
{
	json_t *record = json_pack("{s:s, s:s, s:I, s:I}", "type", "open", "segment", name,
		"number", (json_int_t)evidence_next_number(ev), "opened_s", (json_int_t)time(NULL));
	int rc;

	if (more != NULL)
		json_object_update_missing(record, more);
	json_decref(more);
	rc = evidence_append(ev, record);
	if (rc != 0)
		return err_set_code(
			e, -rc, ev->manifest, 0, NULL, "cannot append: %s", strerror(-rc));
	snprintf(ev->name, sizeof(ev->name), "%s", name);
	ev->segment =
		segment_open(ev->directory, name, ev->inventory.head.hash, ev->options.key, e);
	if (ev->segment != NULL)
		return 0;
	rc = -errno;
	evidence_abandon(ev);
	return rc;
}

/* What cannot be put on record now is at the next start. */
void
evidence_abandon(struct evidence *ev)
{
	char path[PATH_SIZE];

	segment_close(ev->segment);
	ev->segment = NULL;
	unlink(segment_checkpoints_path(ev->directory, ev->name, path, sizeof(path)));
	(void)evidence_append(ev,
		json_pack("{s:s, s:s, s:I, s:b, s:I}", "type", "recover", "segment", ev->name,
			"bytes", (json_int_t)0, "missing", 1, "closed_s", (json_int_t)time(NULL)));
}

void
evidence_update(struct evidence *ev, const void *data, size_t size)
{
	if (ev->segment != NULL)
		segment_update(ev->segment, data, size);
}

uint64_t
evidence_uncovered(const struct evidence *ev)
{
	if (ev->segment == NULL)
		return 0;
	return segment_bytes(ev->segment) - segment_covered(ev->segment);
}

/* Put the open segment under a checkpoint; NULL segment: nothing. */
static int
evidence_cover(struct evidence *ev, uint64_t n_packets, json_t *more, bool is_durable)
{
	int rc;

	if (ev->segment == NULL) {
		json_decref(more);
		return 0;
	}
	rc = segment_checkpoint(ev->segment, n_packets, more);
	return rc == 0 && is_durable ? segment_sync(ev->segment) : rc;
}

/* Who takes an open segment away, or cuts it and its checkpoints to an earlier one, finds in the
 * manifest how far it was. */
static int
evidence_anchor(struct evidence *ev, uint64_t n_packets)
{
	const struct inventory_segment *s = inventory_find(&ev->inventory, ev->name);
	struct timespec now;
	int rc;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (s == NULL || (s->anchored != 0 && now.tv_sec - ev->anchored_s < ANCHOR_S))
		return 0;
	rc = evidence_append(
		ev, json_pack("{s:s, s:s, s:I, s:I}", "type", "covered", "segment", ev->name,
			    "bytes", (json_int_t)segment_covered(ev->segment), "packets",
			    (json_int_t)n_packets));
	if (rc == 0)
		ev->anchored_s = now.tv_sec;
	return rc;
}

int
evidence_checkpoint(struct evidence *ev, uint64_t n_packets, json_t *more, bool is_durable)
{
	int rc = evidence_cover(ev, n_packets, more, is_durable);

	if (rc == 0 && is_durable && ev->segment != NULL)
		rc = evidence_anchor(ev, n_packets);
	return rc;
}

/* The last checkpoint covers the whole file, then the manifest says so. */
int
evidence_end(struct evidence *ev, uint64_t n_packets, json_t *more, struct err *e)
{
	struct segment_finding found;
	json_t *record;
	int rc = 0;

	if (ev->segment == NULL) {
		json_decref(more);
		return 0;
	}
	if (evidence_uncovered(ev) != 0)
		rc = evidence_cover(ev, n_packets, NULL, true);
	if (rc == 0)
		rc = segment_get(ev->segment, &found);
	record = rc == 0 ? finding_json("close", ev->name, &found) : NULL;
	if (record != NULL && more != NULL)
		json_object_update_missing(record, more);
	json_decref(more);
	if (rc == 0)
		rc = evidence_append(ev, record);
	if (rc != 0)
		return err_set_code(e, -rc, ev->manifest, 0, NULL,
			"cannot put the end of segment %s on record: %s", ev->name, strerror(-rc));
	ev->bytes += size_of_segment(ev, ev->name);
	segment_close(ev->segment);
	ev->segment = NULL;
	return 0;
}

int
evidence_note(struct evidence *ev, json_t *record)
{
	return evidence_append(ev, record);
}

int
evidence_hold(struct evidence *ev, const char *name, bool is_hold, const char *who, const char *why,
	struct err *e)
{
	const struct inventory_segment *s = inventory_find(&ev->inventory, name);
	json_t *record;
	int rc;

	if (s == NULL)
		return err_set_code(e, ENOENT, NULL, 0, name,
			"no such segment: `mirror list' shows what there is");
	if (s->is_held == is_hold)
		return err_set_code(e, EALREADY, NULL, 0, name,
			is_hold ? "is already under legal hold" : "is not under legal hold");
	record = json_pack("{s:s, s:s, s:s, s:s}", "type", is_hold ? "hold" : "release", "segment",
		name, "who", who, "why", why);
	rc = evidence_append(ev, record);
	if (rc != 0)
		err_set_code(e, -rc, ev->manifest, 0, NULL, "cannot append: %s", strerror(-rc));
	return rc;
}

static int
evidence_remove(struct evidence *ev, const struct segment_claim *claim)
{
	uint64_t size = size_of_segment(ev, claim->name);
	int rc = evidence_append(
		ev, json_pack("{s:s, s:s, s:I, s:s, s:s}", "type", "remove", "segment", claim->name,
			    "bytes", (json_int_t)claim->bytes, "sha256", claim->sha256, "why",
			    "retention"));

	if (rc == 0)
		ev->bytes -= size < ev->bytes ? size : ev->bytes;
	return rc;
}

static int
evidence_unlink(const struct evidence *ev, struct inventory_segment *s)
{
	char path[PATH_SIZE], checkpoints[PATH_SIZE];

	segment_checkpoints_path(ev->directory, s->claim.name, checkpoints, sizeof(checkpoints));
	if (unlink(path_of(ev, s->claim.name, path)) != 0 && errno != ENOENT)
		return -errno;
	if (unlink(checkpoints) != 0 && errno != ENOENT)
		return -errno;
	s->is_gone = true;
	return 0;
}

/* The files of what is removed go once the line that says so is on the disk: now, or, after a crash
 * or an error, later. */
static int
evidence_sweep(struct evidence *ev, struct err *e)
{
	size_t i, n = 0;
	int rc = evidence_sync(ev, e);

	for (i = 0; rc == 0 && i < ev->inventory.n; i++) {
		struct inventory_segment *s = &ev->inventory.items[i];

		if (!s->is_removed || s->is_gone)
			continue;
		rc = evidence_unlink(ev, s);
		n += rc == 0;
		if (rc != 0)
			err_set_code(e, -rc, ev->directory, 0, s->claim.name,
				"cannot be removed after its retention: %s", strerror(-rc));
	}
	if (n > 0)
		inventory_forget_gone(&ev->inventory);
	return rc;
}

int
evidence_expire(struct evidence *ev, int64_t before_s, struct err *e)
{
	int n = 0, rc = 0;
	size_t i;

	for (i = 0; rc == 0 && n < EVIDENCE_EXPIRE_MAX && i < ev->inventory.n; i++) {
		const struct inventory_segment *s = &ev->inventory.items[i];
		struct segment_claim claim = s->claim;

		if (s->is_removed || s->is_held || !claim.is_closed || s->closed_s >= before_s)
			continue;
		rc = evidence_remove(ev, &claim);
		n += rc == 0;
	}
	if (rc != 0)
		return err_set_code(
			e, -rc, ev->manifest, 0, NULL, "cannot append: %s", strerror(-rc));
	rc = evidence_sweep(ev, e);
	return rc != 0 ? rc : n;
}

int
evidence_sync(struct evidence *ev, struct err *e)
{
	int rc = chain_is_unsynced(ev->chain) ? chain_sync(ev->chain) : 0;

	if (rc != 0)
		err_set_code(e, -rc, ev->manifest, 0, NULL,
			"the disk does not confirm that it has the last lines: %s: replace it, a "
			"power cut may take them",
			strerror(-rc));
	return rc;
}

uint64_t
evidence_bytes(const struct evidence *ev)
{
	uint64_t bytes = ev->bytes + ev->inventory.head.size;

	return ev->segment != NULL ? bytes + segment_bytes(ev->segment) : bytes;
}

const struct inventory *
evidence_inventory(const struct evidence *ev)
{
	return &ev->inventory;
}

void
evidence_get_last_checkpoint(const struct evidence *ev, struct segment_finding *out)
{
	*out = (struct segment_finding){ .n_checkpoints = 0 };
	if (ev->segment != NULL)
		segment_get_last_checkpoint(ev->segment, out);
}
