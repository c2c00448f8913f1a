/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chain: a file of JSON Lines that can only grow unnoticed. Each line is one compact JSON object:
 *
 *     {"seq":2,"time":"2026-11-24T22:15:00.123456789Z","prev":"<SHA-256>",...,"sig":"<base64>"}
 *
 * `seq` counts from 1. `prev` is the SHA-256 (hex) of the line before, its line feed included; in
 * the first line it is what the chain starts from, 64 zeros unless something else is given. `sig`,
 * always the last key, is the Ed25519 signature of the line without it and without the line feed:
 * what is left when `,"sig":"..."` is cut out. So sha256sum, sed and openssl are enough to check it.
 *
 * Threads: a chain belongs to one thread.
 * Source: RFC 8259, https://jsonlines.org, RFC 8032.
 */
#pragma once

#include "base/err.h"
#include "base/sha256.h"
#include "evidence/signing_key.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define CHAIN_LINE_MAX (1u << 20) /* bytes of a line, its line feed included */

enum chain_sync {
	CHAIN_SYNC_EACH, /* a line is on the disk before chain_append() returns */
	CHAIN_SYNC_NONE, /* only what chain_sync() was called for */
};

struct chain_options {
	const struct signing_key *key; /* private; NULL = lines are not signed */
	const char *start;             /* `prev` of the first line: 64 hex digits; NULL = zeros */
	enum chain_sync sync;
};

/* Where a chain ends. */
struct chain_head {
	uint64_t n_lines;            /* seq of the last line; 0 = none */
	uint64_t size;               /* bytes up to its end */
	uint64_t n_torn;             /* bytes behind it that are no whole line */
	char hash[SHA256_TEXT_SIZE]; /* of the last line: `prev` of the next one */
};

struct chain;

/* Open `path` to append (0640, made if need be), and lock it against other writers. Only its last
 * line is looked at: chain_verify() checks all. Bytes behind the last whole line (a crash while it
 * was written) are cut off; `*n_torn` (NULL allowed) says how many: the caller puts it on record.
 * NULL + errno, `e` says what to do: EBUSY (another writer), EBADMSG (does not end as a chain), ELOOP
 * (a symbolic link: whoever could write to the directory could have another file cut), ENOMEM, that of
 * the system. */
struct chain *chain_open(
	const char *path, const struct chain_options *options, uint64_t *n_torn, struct err *e);

/* Append the keys of `record`, an object without seq, prev and sig, behind those that make the
 * chain; `time` is put in front unless it has one. TAKES `record`, NULL = no memory. Returns 0,
 * -EMSGSIZE, -EINVAL (not such an object), -ENOMEM, -EIO (libcrypto) or -errno of the write: then
 * the file ends as before and the same line may be tried again. A failed sync (-EIO) leaves it open
 * whether the line is there after a power cut; it is in the file and the head has moved on, so it
 * must not be appended again: chain_is_unsynced() tells. */
int chain_append(struct chain *chain, json_t *record);

/* Everything appended is on the disk when it returns 0; else -errno. */
int chain_sync(struct chain *chain);

/* The last sync failed: lines are in the file that a power cut may take. */
bool chain_is_unsynced(const struct chain *chain);

/* As far as chain_append() has come. */
void chain_get_head(const struct chain *chain, struct chain_head *out);

/* NULL allowed. Does not sync. */
void chain_close(struct chain *chain);

struct chain_line {
	uint64_t number;       /* from 1, also `seq` */
	uint64_t offset, size; /* bytes in the file, line feed included */
	const char *hash;      /* of it */
	const json_t *record;  /* with all keys; borrowed */
};

/* Called for each good line in turn. Not 0 (a negative errno, `e` filled) ends the walk. */
typedef int chain_visit_fn(void *context, const struct chain_line *line, struct err *e);

struct chain_check {
	const struct signing_key *key; /* NULL = signatures are not looked at */
	const char *start;             /* as in chain_options */
	bool allow_torn;  /* a last line that was cut is no error: the writer may be at it */
	const char *head; /* hash of a line that must be in it; NULL = none */
	/* The number of that line, 0 = not known. Its hash holds all lines before it: whoever is sure of
	 * it need not look at their signatures, nor at the keys of those that have `skip` in them. */
	uint64_t n_trusted;
	const char *skip; /* text of lines that visit() need not see; NULL = it sees all */
};

/* Check a whole chain and hand each line to `visit` (NULL allowed). `*head` (NULL allowed) is where
 * the good part ends, also after an error. Returns 0, -EBADMSG with the first broken line named in
 * `e`, -ENOMEM, what `visit` returned, or -errno of reading. */
int chain_verify(const char *path, const struct chain_check *check, chain_visit_fn *visit,
	void *context, struct chain_head *head, struct err *e);
