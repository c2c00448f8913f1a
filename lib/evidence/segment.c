/* SPDX-License-Identifier: BSD-3-Clause */
/* A segment while it is written. */
#include "evidence/segment.h"
#include "evidence/segment_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SIZE 4096

struct segment {
	struct digest digest;
	struct chain *checkpoints;
	uint64_t bytes; /* atomic: may be asked by another thread */
	uint64_t covered, n_packets;
};

bool
segment_is_name(const char *name)
{
	size_t length = name != NULL ? strlen(name) : 0, i;

	if (length == 0 || length > SEGMENT_NAME_MAX || name[0] == '.')
		return false;
	for (i = 0; i < length; i++)
		if (name[i] == '/' || (unsigned char)name[i] < ' ' || name[i] == 0x7f)
			return false;
	return true;
}

const char *
segment_checkpoints_path(const char *directory, const char *name, char *buf, size_t size)
{
	snprintf(buf, size, "%s/%s.checkpoints.jsonl", directory, name);
	return buf;
}

struct segment *
segment_open(const char *directory, const char *name, const char *start,
	const struct signing_key *key, struct err *e)
{
	struct chain_options options = { .key = key, .start = start, .sync = CHAIN_SYNC_NONE };
	struct segment *s = calloc(1, sizeof(*s));
	char path[PATH_SIZE];
	int rc;

	segment_checkpoints_path(directory, name, path, sizeof(path));
	if (s == NULL || digest_init(&s->digest) != 0) {
		free(s);
		errno = -err_set_code(e, ENOMEM, path, 0, NULL, "out of memory");
		return NULL;
	}
	s->checkpoints = chain_open(path, &options, NULL, e);
	if (s->checkpoints != NULL)
		return s;
	rc = errno;
	segment_close(s);
	errno = rc;
	return NULL;
}

void
segment_close(struct segment *s)
{
	if (s == NULL)
		return;
	chain_close(s->checkpoints);
	digest_fini(&s->digest);
	free(s);
}

void
segment_update(struct segment *s, const void *data, size_t size)
{
	digest_update(&s->digest, data, size);
	__atomic_store_n(&s->bytes, s->bytes + size, __ATOMIC_RELAXED);
}

uint64_t
segment_bytes(const struct segment *s)
{
	return __atomic_load_n(&s->bytes, __ATOMIC_RELAXED);
}

uint64_t
segment_covered(const struct segment *s)
{
	return s->covered;
}

int
segment_checkpoint(struct segment *s, uint64_t n_packets, json_t *more)
{
	char sha256[SHA256_TEXT_SIZE];
	json_t *record = NULL;
	int rc = digest_get(&s->digest, sha256);

	if (rc == 0)
		record = json_pack("{s:s, s:I, s:I, s:s}", "type", "checkpoint", "bytes",
			(json_int_t)s->bytes, "packets", (json_int_t)n_packets, "sha256", sha256);
	if (record != NULL && more != NULL)
		json_object_update_missing(record, more);
	json_decref(more);
	if (rc == 0)
		rc = chain_append(s->checkpoints, record);
	if (rc != 0)
		return rc;
	s->covered = s->bytes;
	s->n_packets = n_packets;
	return 0;
}

int
segment_sync(struct segment *s)
{
	return chain_sync(s->checkpoints);
}

void
segment_get_last_checkpoint(const struct segment *s, struct segment_finding *out)
{
	struct chain_head head;

	chain_get_head(s->checkpoints, &head);
	*out = (struct segment_finding){
		.covered = s->covered, .n_packets = s->n_packets, .n_checkpoints = head.n_lines
	};
	memcpy(out->checkpoints, head.hash, sizeof(out->checkpoints));
}

int
segment_get(const struct segment *s, struct segment_finding *out)
{
	segment_get_last_checkpoint(s, out);
	out->bytes = s->bytes;
	return digest_get(&s->digest, out->sha256);
}
