/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * store: numbered generations on disk: the text of a policy, the geo table it was joined with, who
 * pushed it, when and why. What was added is never changed but for its state.
 *
 *     DIR/generations/42/policy.ini, generation.json     DIR/geo/SHA256.tgt
 *
 * Everything is written beside, synced and renamed: a crash, a full disk or a cut of the power at
 * any moment leaves what was there before or the whole new generation.
 *
 * Threads: one store belongs to one thread; a directory to one store (it is locked).
 * Units: times are seconds since the epoch, or of CLOCK_BOOTTIME where the name says boot.
 */
#pragma once

#include "base/err.h"
#include "base/sha256.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define STORE_KEPT          50
#define STORE_FILE_MAX      (64u << 20) /* bytes of a policy or table */
#define STORE_APPROVALS_MAX 8
#define STORE_NOBODY        UINT32_MAX /* uid of the daemon's own deeds */

/* X(identifier, name in JSON) */
#define STORE_STATES(X)                                                                            \
	X(CONFIRMED, "confirmed")     /* judges or has judged; what a restart loads */             \
	X(UNCONFIRMED, "unconfirmed") /* judges until its deadline unless it is confirmed */       \
	X(WAITING, "waiting")         /* has not judged yet: approvals are missing */              \
	X(ROLLED_BACK, "rolled-back") /* has judged, and was taken back */                         \
	X(REFUSED, "refused")         /* never judged and never will: overtaken, or withdrawn */   \
	X(DAMAGED, "damaged")         /* cannot be read any more */

enum store_state {
#define X(id, name) STORE_##id,
	STORE_STATES(X)
#undef X
		STORE_STATE_N
};

struct store_person {
	uint32_t uid; /* STORE_NOBODY = no person, or none yet */
	char name[64];
	int64_t at; /* 0 = has not happened */
};

/* What is known of a generation; texts are UTF-8. */
struct store_record {
	uint32_t number;
	uint32_t parent; /* the one that judged when it was pushed, 0 = none */
	enum store_state state;
	char kind[16];         /* "push", "geo", "rollback", "start" */
	char policy_name[64];  /* [policy] name */
	char policy_file[256]; /* how errors and rules call the file */
	char policy_sha256[SHA256_TEXT_SIZE];
	char geo_file[256]; /* where the table came from */
	char geo_sha256[SHA256_TEXT_SIZE];
	struct store_person pushed, confirmed;
	char message[256];
	char note[256]; /* why it was rolled back or refused */
	uint32_t n_needed, n_approvals;
	struct store_person approvals[STORE_APPROVALS_MAX];
	uint32_t confirm_within_s; /* 0 = needs no confirmation */
	int64_t deadline;          /* of the confirmation, by the wall clock */
	int64_t deadline_boot;     /* the same by CLOCK_BOOTTIME of the boot `boot_id` */
	char boot_id[40];
};

/* The calls that change the disk, as in POSIX; tests let them fail. */
struct store_disk {
	int (*open)(const char *path, int flags, mode_t mode);
	ssize_t (*write)(int fd, const void *bytes, size_t size);
	int (*fsync)(int fd);
	int (*close)(int fd);
	int (*rename)(const char *from, const char *to);
	int (*mkdir)(const char *path, mode_t mode);
	int (*unlink)(const char *path);
	int (*rmdir)(const char *path);
};

struct store;

/* Open (and make, but for its parents) a directory; `disk` NULL = the real one. What a crash left
 * half done is ignored, and removed when there is a chance. Returns NULL and sets errno, `e` says
 * what to do: ENOENT (no parent), ENOTDIR, EACCES, EROFS, EBUSY (another process has it), ENOMEM,
 * EIO... */
struct store *store_open(const char *path, const struct store_disk *disk, struct err *e);
void store_close(struct store *s); /* NULL allowed */

/* Records by ascending number; BORROWED until the store changes. */
const struct store_record *store_list(const struct store *s, size_t *n);
const struct store_record *store_find(const struct store *s, uint32_t number);

/* Newest generation in this state, or NULL. */
const struct store_record *store_newest(const struct store *s, enum store_state state);

/* A number that no generation had yet. */
uint32_t store_next_number(const struct store *s);

/* Add a generation with store_next_number() or a greater number; its digests must be those of the
 * bytes. `geo` may be NULL when the store has the table already. Then removes the oldest
 * generations beyond STORE_KEPT, but never the newest confirmed one and those that wait for their
 * confirmation, and those that wait for approvals only when nothing else is left. Returns 0; else
 * nothing was added and `e` says why: -EINVAL (number, digest), -ENOSPC, -EIO, -EROFS... */
int store_add(struct store *s, const struct store_record *record, const void *policy,
	size_t policy_size, const void *geo, size_t geo_size, struct err *e);

/* Replace what is known of a generation: its state, approvals, confirmation, note. Returns 0, or
 * -errno and nothing changed. */
int store_update(struct store *s, const struct store_record *record, struct err *e);

/* The bytes, whose digest was checked; free() them, a NUL stands behind them. NULL and errno:
 * ENOENT, EBADMSG (damaged), ENOMEM, EIO... */
char *store_read_policy(
	const struct store *s, const struct store_record *record, size_t *size, struct err *e);
char *store_read_geo(const struct store *s, const char *sha256, size_t *size, struct err *e);

/* "confirmed" */
const char *store_state_name(enum store_state state);

/* One file of its own, also outside a store. Write `name` beside, sync, rename, sync the directory;
 * `disk` NULL = the real one. Returns 0 or -errno: the old file is still there, or (the last sync
 * failed) the new one. */
int store_replace(const struct store_disk *disk, const char *directory, const char *name,
	const void *bytes, size_t size);

/* Read a regular file of at most STORE_FILE_MAX bytes, for free(); a NUL stands behind them. NULL
 * and errno. */
char *store_read(const char *path, size_t *size);

/* A record as the object of generation.json (also what `history` shows), NEW; NULL + ENOMEM. */
json_t *store_record_json(const struct store_record *record);

/* generation.json with its digest, for free(). NULL + ENOMEM. */
char *store_record_dump(const struct store_record *record, size_t *size);

/* Read such a file; a digest in it guards all of it. Returns 0, or -EINVAL (`e` says why). */
int store_record_parse(
	const char *bytes, size_t size, const char *name, struct store_record *out, struct err *e);

/* "2026-11-23T22:15:00Z" and back. Returns `buf`; 0 or -EINVAL. */
#define STORE_TIME_SIZE 32
const char *store_time_format(int64_t at, char buf[STORE_TIME_SIZE]);
int store_time_parse(const char *text, int64_t *out);
