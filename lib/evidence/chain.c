/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Appending to a chain. A line is written with one write(2); one that fails is taken back with
 * ftruncate(2), and if even that fails, before the next append.
 */
#include "evidence/chain.h"
#include "evidence/chain_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct chain {
	int fd;
	struct chain_options options;
	struct chain_head head;
	bool is_torn;     /* bytes behind head.size that could not be cut off */
	bool is_unsynced; /* lines that a sync failed for */
};

size_t
chain_find_signature(const char *line, size_t length)
{
	size_t at = length - CHAIN_SIGNATURE_SIZE;

	if (length <= CHAIN_SIGNATURE_SIZE ||
		memcmp(line + at, CHAIN_SIGNATURE_KEY, sizeof(CHAIN_SIGNATURE_KEY) - 1) != 0 ||
		memcmp(line + length - 2, CHAIN_SIGNATURE_TAIL, 2) != 0)
		return 0;
	return at;
}

static int
chain_cut(struct chain *chain)
{
	if (ftruncate(chain->fd, (off_t)chain->head.size) != 0 ||
		lseek(chain->fd, (off_t)chain->head.size, SEEK_SET) < 0)
		return -errno;
	chain->is_torn = false;
	return 0;
}

/* The last bytes of the file, at most the longest line twice: it holds one whole, or none is. */
static int
chain_read_tail(struct chain *chain, uint64_t size, char **tail, size_t *length)
{
	size_t want = size < 2 * CHAIN_LINE_MAX ? (size_t)size : 2 * CHAIN_LINE_MAX;
	char *buf = malloc(want + 1);
	ssize_t n;

	if (buf == NULL)
		return -ENOMEM;
	n = pread(chain->fd, buf, want, (off_t)(size - want));
	if (n != (ssize_t)want) {
		int rc = n < 0 ? -errno : -EIO;

		free(buf);
		return rc;
	}
	*tail = buf;
	*length = want;
	return 0;
}

static int
chain_take_last(struct chain *chain, const char *line, size_t length)
{
	json_t *record = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
	json_int_t seq = json_integer_value(json_object_get(record, "seq"));
	bool has_prev = json_is_string(json_object_get(record, "prev"));

	json_decref(record);
	if (seq <= 0 || !has_prev)
		return -EBADMSG;
	chain->head.n_lines = (uint64_t)seq;
	return sha256_text(line, length, chain->head.hash);
}

/* Find the last whole line of the file and continue from it. */
static int
chain_resume(struct chain *chain, uint64_t size)
{
	const char *end, *begin;
	size_t length = 0;
	char *tail = NULL;
	int rc = chain_read_tail(chain, size, &tail, &length);

	if (rc != 0)
		return rc;
	end = memrchr(tail, '\n', length);
	chain->head.n_torn = length - (end == NULL ? 0 : (size_t)(end - tail) + 1);
	chain->head.size = size - chain->head.n_torn;
	if (end != NULL) {
		begin = memrchr(tail, '\n', (size_t)(end - tail));
		begin = begin == NULL ? tail : begin + 1;
		rc = chain_take_last(chain, begin, (size_t)(end - begin) + 1);
	} else if (chain->head.size != 0) {
		rc = -EBADMSG;
	}
	free(tail);
	return rc;
}

static int
chain_begin(struct chain *chain)
{
	struct stat st;
	int rc;

	if (flock(chain->fd, LOCK_EX | LOCK_NB) != 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (fstat(chain->fd, &st) != 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size == 0)
		return 0;
	rc = chain_resume(chain, (uint64_t)st.st_size);
	return rc != 0 ? rc : chain_cut(chain);
}

static const char *
chain_advice(int error)
{
	switch (error) {
	case ELOOP:
		return "is a symbolic link: put the directory elsewhere, not the file";
	case EBUSY:
		return "another process writes it";
	case EBADMSG:
		return "its end is not a line of a chain: keep the file as evidence, move it away "
		       "and "
		       "start again";
	case EINVAL:
		return "is not a regular file";
	default:
		return strerror(error);
	}
}

struct chain *
chain_open(const char *path, const struct chain_options *options, uint64_t *n_torn, struct err *e)
{
	struct chain *chain = calloc(1, sizeof(*chain));
	int rc;

	if (chain == NULL) {
		errno = -err_set_code(e, ENOMEM, path, 0, NULL, "out of memory");
		return NULL;
	}
	chain->options = *options;
	memcpy(chain->head.hash, options->start != NULL ? options->start : CHAIN_START,
		SHA256_TEXT_SIZE);
	chain->options.start = NULL;
	chain->fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
	rc = chain->fd < 0 ? -errno : chain_begin(chain);
	if (rc == 0) {
		if (n_torn != NULL)
			*n_torn = chain->head.n_torn;
		chain->head.n_torn = 0;
		return chain;
	}
	chain_close(chain);
	errno = -err_set_code(e, -rc, path, 0, NULL, "cannot append: %s", chain_advice(-rc));
	return NULL;
}

void
chain_close(struct chain *chain)
{
	if (chain == NULL)
		return;
	if (chain->fd >= 0)
		close(chain->fd);
	free(chain);
}

static json_t *
chain_time(void)
{
	struct timespec now;
	struct tm utc;
	char date[32], text[64];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(text, sizeof(text), "%s.%09ldZ", date, now.tv_nsec);
	return json_string(text);
}

/* The line's object: what makes the chain, then the record. */
static json_t *
chain_compose(const struct chain *chain, json_t *record)
{
	json_t *time = json_object_get(record, "time");
	json_t *line = json_pack("{s:I, s:o, s:s}", "seq", (json_int_t)(chain->head.n_lines + 1),
		"time", time != NULL ? json_incref(time) : chain_time(), "prev", chain->head.hash);

	if (line != NULL && json_object_update_missing(line, record) != 0) {
		json_decref(line);
		return NULL;
	}
	return line;
}

static bool
chain_is_record(const json_t *record)
{
	return json_is_object(record) && json_object_get(record, "seq") == NULL &&
	       json_object_get(record, "prev") == NULL && json_object_get(record, "sig") == NULL;
}

/* Put the signature into the object's text. */
static int
chain_sign(const struct chain *chain, char *text, size_t *length)
{
	char signature[SIGNATURE_TEXT_SIZE];
	int rc;

	if (chain->options.key == NULL)
		return 0;
	rc = signing_key_sign(chain->options.key, text, *length, signature);
	if (rc != 0)
		return rc;
	*length -= 1;
	*length += (size_t)sprintf(
		text + *length, "%s%s%s", CHAIN_SIGNATURE_KEY, signature, CHAIN_SIGNATURE_TAIL);
	return 0;
}

/* The line with its line feed; the caller frees it. */
static int
chain_format(const struct chain *chain, json_t *record, char **out, size_t *out_length)
{
	json_t *line = chain_compose(chain, record);
	size_t length = json_dumpb(line, NULL, 0, JSON_COMPACT);
	char *text;
	int rc;

	if (line == NULL || length == 0) {
		json_decref(line);
		return -ENOMEM;
	}
	if (length + CHAIN_SIGNATURE_SIZE + 2 > CHAIN_LINE_MAX) {
		json_decref(line);
		return -EMSGSIZE;
	}
	text = malloc(length + CHAIN_SIGNATURE_SIZE + 2);
	rc = text == NULL || json_dumpb(line, text, length, JSON_COMPACT) != length ? -ENOMEM : 0;
	json_decref(line);
	if (rc == 0)
		rc = chain_sign(chain, text, &length);
	if (rc != 0) {
		free(text);
		return rc;
	}
	text[length++] = '\n';
	*out = text;
	*out_length = length;
	return 0;
}

static int
chain_write(struct chain *chain, const char *text, size_t length)
{
	ssize_t n;
	int rc = chain->is_torn ? chain_cut(chain) : 0;

	if (rc != 0)
		return rc;
	n = pwrite(chain->fd, text, length, (off_t)chain->head.size);
	if (n == (ssize_t)length)
		return 0;
	rc = n < 0 ? -errno : -ENOSPC;
	chain->is_torn = n > 0;
	if (chain->is_torn)
		(void)chain_cut(chain);
	return rc;
}

int
chain_append(struct chain *chain, json_t *record)
{
	char hash[SHA256_TEXT_SIZE], *text = NULL;
	size_t length = 0;
	int rc = record == NULL ? -ENOMEM : chain_is_record(record) ? 0 : -EINVAL;

	if (rc == 0)
		rc = chain_format(chain, record, &text, &length);
	json_decref(record);
	if (rc == 0)
		rc = sha256_text(text, length, hash);
	if (rc == 0)
		rc = chain_write(chain, text, length);
	free(text);
	if (rc != 0)
		return rc;
	chain->head.n_lines++;
	chain->head.size += length;
	memcpy(chain->head.hash, hash, sizeof(hash));
	return chain->options.sync == CHAIN_SYNC_EACH ? chain_sync(chain) : 0;
}

int
chain_sync(struct chain *chain)
{
	chain->is_unsynced = fdatasync(chain->fd) != 0;
	return chain->is_unsynced ? -errno : 0;
}

bool
chain_is_unsynced(const struct chain *chain)
{
	return chain->is_unsynced;
}

void
chain_get_head(const struct chain *chain, struct chain_head *out)
{
	*out = chain->head;
}
