/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading a chain line by line, each checked against the one before. The bytes are hostile. */
#include "evidence/chain.h"
#include "evidence/chain_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct walk {
	const char *path;
	const struct chain_check *check;
	chain_visit_fn *visit;
	void *context;
	struct chain_head head;
	bool has_head; /* the line asked for was seen */
	struct err *e;
};

static int broken(const struct walk *w, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int
broken(const struct walk *w, const char *format, ...)
{
	char text[sizeof(w->e->message)];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return err_set_code(
		w->e, EBADMSG, w->path, (unsigned int)(w->head.n_lines + 1), NULL, "%s", text);
}

static int
check_signature(const struct walk *w, const char *text, size_t length)
{
	char signature[SIGNATURE_TEXT_SIZE], *message;
	size_t at = chain_find_signature(text, length);
	int rc;

	if (w->check->key == NULL)
		return 0;
	if (at == 0)
		return broken(w, "the line is not signed");
	memcpy(signature, text + at + sizeof(CHAIN_SIGNATURE_KEY) - 1, sizeof(signature) - 1);
	signature[sizeof(signature) - 1] = '\0';
	message = malloc(at + 1);
	if (message == NULL)
		return -ENOMEM;
	memcpy(message, text, at);
	message[at] = '}';
	rc = signing_key_verify(w->check->key, message, at + 1, signature);
	free(message);
	return rc == 0 ? 0
		       : broken(w, "the signature is not of this line by key %.16s...",
				 signing_key_id(w->check->key));
}

static int
check_links(const struct walk *w, const json_t *record)
{
	const json_t *seq = json_object_get(record, "seq");
	const char *prev = json_string_value(json_object_get(record, "prev"));

	if (!json_is_object(record))
		return broken(w, "is not a JSON object");
	if (prev == NULL || strcmp(prev, w->head.hash) != 0)
		return broken(w, "prev is %.64s, but the line before has SHA-256 %s",
			prev != NULL ? prev : "missing", w->head.hash);
	if (!json_is_integer(seq) || json_integer_value(seq) != (json_int_t)(w->head.n_lines + 1))
		return broken(w, "seq is not %llu", (unsigned long long)(w->head.n_lines + 1));
	return 0;
}

static bool
is_trusted(const struct walk *w)
{
	return w->head.n_lines < w->check->n_trusted;
}

/* The link of a line whose keys nobody asks for: it says `prev` once, as chain_append() wrote it. */
static int
check_link_only(const struct walk *w, const char *text, size_t length)
{
	static const char key[] = "\"prev\":\"";
	const char *prev = memmem(text, length, key, sizeof(key) - 1);
	size_t at = prev != NULL ? (size_t)(prev - text) + sizeof(key) - 1 : length;

	if (length - at < SHA256_TEXT_SIZE ||
		memcmp(text + at, w->head.hash, SHA256_TEXT_SIZE - 1) != 0)
		return broken(w, "prev is not the SHA-256 of the line before, %s", w->head.hash);
	return 0;
}

/* The keys of a line. */
static int
check_record(struct walk *w, const char *text, struct chain_line *line)
{
	json_t *record = json_loadb(text, line->size - 1, JSON_REJECT_DUPLICATES, NULL);
	int rc = check_links(w, record);

	if (rc == 0 && !is_trusted(w))
		rc = check_signature(w, text, line->size - 1);
	line->record = record;
	if (rc == 0 && w->visit != NULL)
		rc = w->visit(w->context, line, w->e);
	json_decref(record);
	return rc;
}

/* One line with its line feed. */
static int
walk_line(struct walk *w, const char *text, size_t length)
{
	const char *skip = is_trusted(w) ? w->check->skip : NULL;
	char hash[SHA256_TEXT_SIZE];
	struct chain_line line = {
		.number = w->head.n_lines + 1, .offset = w->head.size, .size = length, .hash = hash
	};
	int rc = sha256_text(text, length, hash);

	if (rc == 0 && line.number == w->check->n_trusted && strcmp(hash, w->check->head) != 0)
		return broken(w, "is not the line of SHA-256 %.64s", w->check->head);
	if (rc == 0 && skip != NULL && memmem(text, length, skip, strlen(skip)) != NULL)
		rc = check_link_only(w, text, length);
	else if (rc == 0)
		rc = check_record(w, text, &line);
	if (rc != 0)
		return rc;
	w->head.n_lines++;
	w->head.size += length;
	memcpy(w->head.hash, hash, sizeof(hash));
	w->has_head = w->has_head || (w->check->head != NULL && strcmp(hash, w->check->head) == 0);
	return 0;
}

/* Whole lines of the `n` bytes in `buf`. Returns 0 or -errno, *used = their bytes. */
static int
walk_lines(struct walk *w, const char *buf, size_t n, size_t *used)
{
	const char *end;
	int rc = 0;

	*used = 0;
	while (rc == 0 && (end = memchr(buf + *used, '\n', n - *used)) != NULL) {
		size_t length = (size_t)(end - buf) + 1 - *used;

		rc = walk_line(w, buf + *used, length);
		*used += length;
	}
	return rc;
}

/* Bytes behind the last line feed: a write that was cut leaves the beginning of a line. A whole
 * object with something behind it is one whose line feed was changed. */
static int
check_torn(const struct walk *w, const char *text, size_t n)
{
	json_error_t where = { .position = 0 };
	json_t *record = json_loadb(text, n, JSON_DISABLE_EOF_CHECK, &where);
	bool is_whole = record != NULL;

	json_decref(record);
	if (!w->check->allow_torn)
		return broken(w, "the line is cut off after %zu bytes", n);
	if (is_whole && where.position >= 0 && (size_t)where.position < n)
		return broken(w, "the line does not end with a line feed");
	return 0;
}

static int
walk_file(struct walk *w, int fd, char *buf)
{
	size_t n = 0, used;
	ssize_t got;
	int rc;

	while ((got = read(fd, buf + n, CHAIN_LINE_MAX - n)) > 0) {
		n += (size_t)got;
		rc = walk_lines(w, buf, n, &used);
		if (rc != 0)
			return rc;
		n -= used;
		memmove(buf, buf + used, n);
		if (n == CHAIN_LINE_MAX)
			return broken(w, "the line is longer than %u bytes", CHAIN_LINE_MAX);
	}
	if (got < 0)
		return err_set_code(w->e, errno, w->path, 0, NULL, "%s", strerror(errno));
	w->head.n_torn = n;
	return n != 0 ? check_torn(w, buf, n) : 0;
}

static int
walk_open(struct walk *w)
{
	int fd = open(w->path, O_RDONLY | O_CLOEXEC), rc = -ENOMEM;
	char *buf;

	if (fd < 0)
		return err_set_code(w->e, errno, w->path, 0, NULL, "%s", strerror(errno));
	buf = malloc(CHAIN_LINE_MAX);
	if (buf != NULL)
		rc = walk_file(w, fd, buf);
	free(buf);
	close(fd);
	return rc;
}

int
chain_verify(const char *path, const struct chain_check *check, chain_visit_fn *visit,
	void *context, struct chain_head *head, struct err *e)
{
	struct walk w = {
		.path = path, .check = check, .visit = visit, .context = context, .e = e
	};
	int rc;

	memcpy(w.head.hash, check->start != NULL ? check->start : CHAIN_START, SHA256_TEXT_SIZE);
	w.has_head = check->head == NULL || strcmp(check->head, w.head.hash) == 0;
	rc = walk_open(&w);
	if (head != NULL)
		*head = w.head;
	if (rc == 0 && !w.has_head)
		rc = broken(&w,
			"the chain ends here, without the line of SHA-256 %.64s: its tail is "
			"missing",
			check->head);
	return rc;
}
