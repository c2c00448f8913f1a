/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A segment is read once, from checkpoint to checkpoint: the first whose digest does not fit names
 * the bytes and packets that were changed. File and checkpoints are hostile.
 */
#include "evidence/segment.h"
#include "evidence/segment_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_SIZE   4096
#define BUFFER_SIZE ((size_t)256 << 10) /* stays in L2 between read and digest */

struct check {
	const struct segment_claim *claim;
	const struct segment_check *options;
	char path[PATH_SIZE], checkpoints[PATH_SIZE];
	int fd;
	uint8_t *buffer;
	struct digest digest;
	uint64_t at; /* bytes read and digested */
	struct segment_finding found;
	struct err *e;
};

/* Read on up to byte `end`. -ENODATA: the file ends before. */
static int
check_read(struct check *c, uint64_t end)
{
	while (c->at < end) {
		uint64_t left = end - c->at;
		ssize_t n = read(c->fd, c->buffer, left < BUFFER_SIZE ? (size_t)left : BUFFER_SIZE);

		if (n < 0)
			return err_set_code(c->e, errno, c->path, 0, NULL, "%s", strerror(errno));
		if (n == 0)
			return -ENODATA;
		digest_update(&c->digest, c->buffer, (size_t)n);
		c->at += (uint64_t)n;
		if (c->options->progress != NULL)
			c->options->progress(c->options->context, (uint64_t)n);
	}
	return 0;
}

static int
check_broken(const struct check *c, uint64_t number, uint64_t bytes, uint64_t n_packets,
	const char *what)
{
	char key[sizeof(c->e->key)];

	snprintf(key, sizeof(key), "bytes %" PRIu64 "-%" PRIu64 ", packets %" PRIu64 "-%" PRIu64,
		c->found.covered, bytes, c->found.n_packets + 1, n_packets);
	return err_set_code(c->e, EBADMSG, c->path, 0, key, "%s checkpoint %" PRIu64, what, number);
}

static int
check_checkpoint(void *context, const struct chain_line *line, struct err *e)
{
	struct check *c = context;
	json_int_t bytes = json_integer_value(json_object_get(line->record, "bytes"));
	json_int_t n_packets = json_integer_value(json_object_get(line->record, "packets"));
	const char *sha256 = json_string_value(json_object_get(line->record, "sha256"));
	char is[SHA256_TEXT_SIZE];
	int rc;

	if (bytes < (json_int_t)c->found.covered || n_packets < (json_int_t)c->found.n_packets ||
		sha256 == NULL)
		return err_set_code(e, EBADMSG, c->checkpoints, (unsigned int)line->number, NULL,
			"is no checkpoint behind the one before");
	rc = check_read(c, (uint64_t)bytes);
	if (rc == -ENODATA)
		return check_broken(c, line->number, (uint64_t)bytes, (uint64_t)n_packets,
			"the file is cut short: it has not all bytes of");
	if (rc == 0)
		rc = digest_get(&c->digest, is);
	if (rc == 0 && strcmp(is, sha256) != 0)
		return check_broken(c, line->number, (uint64_t)bytes, (uint64_t)n_packets,
			"the bytes up to here are not those of");
	if (rc != 0)
		return rc;
	c->found.covered = (uint64_t)bytes;
	c->found.n_packets = (uint64_t)n_packets;
	c->found.n_checkpoints = line->number;
	memcpy(c->found.checkpoints, line->hash, SHA256_TEXT_SIZE);
	return 0;
}

static int
check_checkpoints(struct check *c)
{
	struct chain_check options = {
		.key = c->options->key, .start = c->claim->start, .allow_torn = true
	};
	struct chain_head head;
	int rc;

	memcpy(c->found.checkpoints, c->claim->start, SHA256_TEXT_SIZE);
	rc = chain_verify(c->checkpoints, &options, check_checkpoint, c, &head, c->e);
	c->found.n_torn = rc == 0 ? head.n_torn : 0;
	return rc;
}

/* What the manifest says at the end. */
static int
check_claim(const struct check *c)
{
	const struct segment_claim *claim = c->claim;

	if (c->found.n_checkpoints != claim->n_checkpoints ||
		strcmp(c->found.checkpoints, claim->checkpoints) != 0)
		return err_set_code(c->e, EBADMSG, c->checkpoints,
			(unsigned int)c->found.n_checkpoints, NULL,
			"ends with checkpoint %" PRIu64 ", the manifest says %" PRIu64 " of them, "
			"the last with SHA-256 %.16s...",
			c->found.n_checkpoints, claim->n_checkpoints, claim->checkpoints);
	if (c->found.bytes != claim->bytes)
		return err_set_code(c->e, EBADMSG, c->path, 0, NULL,
			"has %" PRIu64 " bytes, not the %" PRIu64 " that the manifest says",
			c->found.bytes, claim->bytes);
	if (strcmp(c->found.sha256, claim->sha256) != 0)
		return err_set_code(c->e, EBADMSG, c->path, 0, NULL,
			"SHA-256 is %s, the manifest says %s: bytes %" PRIu64 "-%" PRIu64
			", behind the last checkpoint, were changed",
			c->found.sha256, claim->sha256, c->found.covered, c->found.bytes);
	return 0;
}

static int
check_all(struct check *c)
{
	int broken = check_checkpoints(c), rc;

	if (broken != 0 && broken != -EBADMSG)
		return broken;
	rc = check_read(c, UINT64_MAX);
	if (rc != 0 && rc != -ENODATA)
		return rc;
	c->found.bytes = c->at;
	rc = digest_get(&c->digest, c->found.sha256);
	if (broken != 0 || rc != 0)
		return broken != 0 ? broken : rc;
	if (c->claim->is_closed && c->found.n_torn != c->claim->n_torn)
		return err_set_code(c->e, EBADMSG, c->checkpoints,
			(unsigned int)c->found.n_checkpoints + 1, NULL,
			"the line is cut off after %" PRIu64 " bytes", c->found.n_torn);
	if (c->claim->is_closed)
		rc = check_claim(c);
	return rc;
}

static int
check_open(struct check *c, const char *directory)
{
	snprintf(c->path, sizeof(c->path), "%s/%s", directory, c->claim->name);
	segment_checkpoints_path(directory, c->claim->name, c->checkpoints, sizeof(c->checkpoints));
	c->fd = open(c->path, O_RDONLY | O_CLOEXEC);
	if (c->fd < 0)
		return err_set_code(c->e, errno, c->path, 0, NULL,
			"the segment is in the manifest, but cannot be read: %s", strerror(errno));
	c->buffer = malloc(BUFFER_SIZE);
	if (c->buffer != NULL && digest_init(&c->digest) == 0)
		return 0;
	return err_set_code(c->e, ENOMEM, c->path, 0, NULL, "out of memory");
}

int
segment_verify(const char *directory, const struct segment_claim *claim,
	const struct segment_check *options, struct segment_finding *out, struct err *e)
{
	struct check c = { .claim = claim, .options = options, .fd = -1, .e = e };
	int rc = check_open(&c, directory);

	if (rc == 0)
		rc = check_all(&c);
	if (c.fd >= 0)
		close(c.fd);
	free(c.buffer);
	digest_fini(&c.digest);
	if (out != NULL)
		*out = c.found;
	return rc;
}
