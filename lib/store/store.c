/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The directory of generations and what is known of it in memory. A generation is made in
 * generations/.new and renamed; geo tables are named by their digest and shared. The list in memory
 * changes only after the disk has.
 */
#include "store/store.h"
#include "store/store_impl.h"

#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRECTORY_MODE 0750
#define RECORD_FILE    "generation.json"
#define POLICY_FILE    "policy.ini"
#define BESIDE         ".new"
#define GEO_NAME_SIZE  (SHA256_TEXT_SIZE + 8)

struct store {
	const struct store_disk *disk;
	char path[STORE_PATH_SIZE], generations[STORE_PATH_SIZE], geo[STORE_PATH_SIZE];
	int lock; /* descriptor of `generations`, flock()ed */
	struct store_record *records;
	size_t n_records;
	uint32_t last_number;
};

static int
make_directory(const struct store_disk *disk, const char *path)
{
	struct stat what;

	if (disk->mkdir(path, DIRECTORY_MODE) == 0 || errno == EEXIST)
		return 0;
	return errno == EROFS && stat(path, &what) == 0 ? 0 : -errno;
}

static int
lock_directory(struct store *s)
{
	s->lock = open(s->generations, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->lock < 0)
		return -errno;
	if (flock(s->lock, LOCK_EX | LOCK_NB) != 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	return 0;
}

static void
number_path(const struct store *s, uint32_t number, char out[STORE_PATH_SIZE])
{
	snprintf(out, STORE_PATH_SIZE, "%.490s/%u", s->generations, number);
}

static void
geo_name(const char *sha256, char out[GEO_NAME_SIZE])
{
	snprintf(out, GEO_NAME_SIZE, "%.64s.tgt", sha256);
}

/* The files that a generation consists of, whole or half. */
static void
remove_files(const struct store *s, const char *directory)
{
	static const char *const names[] = { RECORD_FILE, POLICY_FILE, "." RECORD_FILE BESIDE };
	char path[STORE_PATH_SIZE];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (store_path(path, directory, names[i]) == 0)
			s->disk->unlink(path);
	s->disk->rmdir(directory);
}

/* A generation that goes gets a name that is not a number first: half of it is never read. */
static void
remove_generation(const struct store *s, uint32_t number)
{
	char from[STORE_PATH_SIZE], to[STORE_PATH_SIZE];

	number_path(s, number, from);
	snprintf(to, sizeof(to), "%.480s/.old-%u", s->generations, number);
	if (s->disk->rename(from, to) == 0)
		remove_files(s, to);
}

static bool
geo_is_used(const struct store *s, const char *file)
{
	char name[GEO_NAME_SIZE];
	size_t i;

	for (i = 0; i < s->n_records; i++) {
		geo_name(s->records[i].geo_sha256, name);
		if (s->records[i].state != STORE_DAMAGED && strcmp(name, file) == 0)
			return true;
	}
	return false;
}

static void
remove_unused_geo(const struct store *s)
{
	DIR *directory = opendir(s->geo);
	char path[STORE_PATH_SIZE];
	const struct dirent *entry;

	while (directory != NULL && (entry = readdir(directory)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
			!geo_is_used(s, entry->d_name) &&
			store_path(path, s->geo, entry->d_name) == 0)
			s->disk->unlink(path);
	if (directory != NULL)
		closedir(directory);
}

/* What a restart may load, which goes never; proposals go when nothing else is left. */
static bool
is_kept(const struct store *s, const struct store_record *r)
{
	return r->state == STORE_UNCONFIRMED || r == store_newest(s, STORE_CONFIRMED);
}

static void
forget_oldest(struct store *s)
{
	size_t i;

	for (i = 0; i < s->n_records; i++)
		if (!is_kept(s, &s->records[i]) && s->records[i].state != STORE_WAITING)
			break;
	for (i = i < s->n_records ? i : 0; i + 1 < s->n_records; i++)
		if (!is_kept(s, &s->records[i]))
			break;
	remove_generation(s, s->records[i].number);
	memmove(&s->records[i], &s->records[i + 1], (s->n_records - i - 1) * sizeof(*s->records));
	s->n_records--;
}

/* Keep the list sorted. Returns 0 or -ENOMEM. */
static int
remember(struct store *s, const struct store_record *record)
{
	void *grown = realloc(s->records, (s->n_records + 1) * sizeof(*s->records));
	size_t i;

	if (grown == NULL)
		return -ENOMEM;
	s->records = grown;
	for (i = s->n_records; i > 0 && s->records[i - 1].number > record->number; i--)
		s->records[i] = s->records[i - 1];
	s->records[i] = *record;
	s->n_records++;
	if (record->number > s->last_number)
		s->last_number = record->number;
	return 0;
}

/* What cannot be read is listed as damaged. */
static void
read_generation(const struct store *s, uint32_t number, struct store_record *out)
{
	char directory[STORE_PATH_SIZE], path[STORE_PATH_SIZE], *bytes = NULL;
	struct err e = { .line = 0 };
	size_t size = 0;

	number_path(s, number, directory);
	if (store_path(path, directory, RECORD_FILE) == 0)
		bytes = store_read(path, &size);
	if (bytes == NULL)
		err_set(&e, NULL, 0, NULL, "cannot read its record: %s", strerror(errno));
	if (bytes == NULL || store_record_parse(bytes, size, NULL, out, &e) != 0 ||
		out->number != number) {
		*out = (struct store_record){ .number = number, .state = STORE_DAMAGED };
		text_copy(out->note, sizeof(out->note), e.message);
	}
	free(bytes);
}

/* A number in plain decimal, else 0. */
static uint32_t
number_of(const char *name)
{
	char again[16];
	unsigned long n = strtoul(name, NULL, 10);

	if (n == 0 || n >= UINT32_MAX)
		return 0;
	snprintf(again, sizeof(again), "%lu", n);
	return strcmp(again, name) == 0 ? (uint32_t)n : 0;
}

static int
read_all(struct store *s)
{
	DIR *directory = opendir(s->generations);
	const struct dirent *entry;
	struct store_record record;
	int status = 0;

	if (directory == NULL)
		return -errno;
	while (status == 0 && (entry = readdir(directory)) != NULL) {
		uint32_t number = number_of(entry->d_name);

		if (number == 0)
			continue;
		read_generation(s, number, &record);
		status = remember(s, &record);
	}
	closedir(directory);
	return status;
}

static int
open_directories(struct store *s, const char *path)
{
	int status = snprintf(s->path, sizeof(s->path), "%s", path) < 400 ? 0 : -ENAMETOOLONG;

	if (status == 0)
		status = make_directory(s->disk, s->path);
	if (status == 0)
		status = store_path(s->generations, s->path, "generations");
	if (status == 0)
		status = store_path(s->geo, s->path, "geo");
	if (status == 0)
		status = make_directory(s->disk, s->generations);
	if (status == 0)
		status = lock_directory(s);
	if (status == 0)
		status = make_directory(s->disk, s->geo);
	return status;
}

struct store *
store_open(const char *path, const struct store_disk *disk, struct err *e)
{
	struct store *s = calloc(1, sizeof(*s));
	int status = -ENOMEM;

	if (s != NULL) {
		s->disk = disk != NULL ? disk : &store_disk_real;
		s->lock = -1;
		status = open_directories(s, path);
	}
	if (status == 0)
		status = read_all(s);
	if (status == 0)
		return s;
	err_set_code(e, -status, path, 0, "state_dir", "%s",
		status == -EBUSY ? "another process uses it: one daemon per directory"
				 : strerror(-status));
	store_close(s);
	errno = -status;
	return NULL;
}

void
store_close(struct store *s)
{
	if (s == NULL)
		return;
	if (s->lock >= 0)
		close(s->lock);
	free(s->records);
	free(s);
}

const struct store_record *
store_list(const struct store *s, size_t *n)
{
	*n = s->n_records;
	return s->records;
}

const struct store_record *
store_find(const struct store *s, uint32_t number)
{
	size_t i;

	for (i = 0; i < s->n_records; i++)
		if (s->records[i].number == number)
			return &s->records[i];
	return NULL;
}

const struct store_record *
store_newest(const struct store *s, enum store_state state)
{
	size_t i;

	for (i = s->n_records; i > 0; i--)
		if (s->records[i - 1].state == state)
			return &s->records[i - 1];
	return NULL;
}

uint32_t
store_next_number(const struct store *s)
{
	return s->last_number + 1;
}

static int
check_digest(const void *bytes, size_t size, const char *wanted)
{
	char found[SHA256_TEXT_SIZE];

	if (sha256_text(bytes, size, found) != 0)
		return -EIO;
	return strcmp(found, wanted) == 0 ? 0 : -EBADMSG;
}

/* A table that is there and whole is not written again. */
static int
put_geo(const struct store *s, const char *sha256, const void *bytes, size_t size)
{
	char name[GEO_NAME_SIZE], *there;
	size_t there_size;

	there = store_read_geo(s, sha256, &there_size, NULL);
	free(there);
	if (there != NULL)
		return 0;
	if (bytes == NULL)
		return -ENOENT;
	if (check_digest(bytes, size, sha256) != 0)
		return -EINVAL;
	geo_name(sha256, name);
	return store_replace(s->disk, s->geo, name, bytes, size);
}

static int
put_file(const struct store *s, const char *directory, const char *name, const void *bytes,
	size_t size)
{
	char path[STORE_PATH_SIZE];
	int status = store_path(path, directory, name);

	return status == 0 ? store_write(s->disk, path, bytes, size) : status;
}

static int
put_beside(const struct store *s, const char *beside, const struct store_record *record,
	const void *policy, size_t policy_size)
{
	size_t size = 0;
	char *text = store_record_dump(record, &size);
	int status = text != NULL ? 0 : -ENOMEM;

	remove_files(s, beside); /* of an attempt that did not come to its end */
	if (status == 0 && s->disk->mkdir(beside, DIRECTORY_MODE) != 0)
		status = -errno;
	if (status == 0)
		status = put_file(s, beside, POLICY_FILE, policy, policy_size);
	if (status == 0)
		status = put_file(s, beside, RECORD_FILE, text, size);
	if (status == 0)
		status = store_sync(s->disk, beside);
	free(text);
	return status;
}

/* What the caller is told has failed must not come back after a restart. */
static int
put_generation(const struct store *s, const struct store_record *record, const void *policy,
	size_t policy_size)
{
	char beside[STORE_PATH_SIZE], path[STORE_PATH_SIZE];
	int status = store_path(beside, s->generations, BESIDE);

	if (status != 0)
		return status;
	number_path(s, record->number, path);
	status = put_beside(s, beside, record, policy, policy_size);
	if (status == 0 && s->disk->rename(beside, path) != 0)
		status = -errno;
	else if (status == 0 && (status = store_sync(s->disk, s->generations)) != 0)
		s->disk->rename(path, beside);
	if (status != 0)
		remove_files(s, beside);
	return status;
}

static int
say_failed(int status, const char *path, struct err *e)
{
	return err_set_code(e, -status, path, 0, "state_dir", "the generation cannot be kept: %s%s",
		strerror(-status),
		status == -ENOSPC || status == -EDQUOT ? "; free some space and try again" : "");
}

int
store_add(struct store *s, const struct store_record *record, const void *policy,
	size_t policy_size, const void *geo, size_t geo_size, struct err *e)
{
	int status = record->number > s->last_number ? 0 : -EINVAL;

	if (status == 0 && check_digest(policy, policy_size, record->policy_sha256) != 0)
		status = -EINVAL;
	if (status == 0)
		status = put_geo(s, record->geo_sha256, geo, geo_size);
	if (status == 0)
		status = put_generation(s, record, policy, policy_size);
	if (status == 0 && (status = remember(s, record)) != 0)
		remove_generation(s, record->number);
	if (status != 0)
		return say_failed(status, s->path, e);
	while (s->n_records > STORE_KEPT)
		forget_oldest(s);
	remove_unused_geo(s);
	return 0;
}

int
store_update(struct store *s, const struct store_record *record, struct err *e)
{
	char directory[STORE_PATH_SIZE], *text;
	int status = -ENOMEM;
	size_t i, size = 0;

	for (i = 0; i < s->n_records && s->records[i].number != record->number; i++)
		;
	if (i == s->n_records)
		return say_failed(-ENOENT, s->path, e);
	number_path(s, record->number, directory);
	text = store_record_dump(record, &size);
	if (text != NULL)
		status = store_replace(s->disk, directory, RECORD_FILE, text, size);
	free(text);
	if (status != 0)
		return say_failed(status, directory, e);
	s->records[i] = *record;
	return 0;
}

static char *
read_checked(const char *path, const char *sha256, size_t *size, struct err *e)
{
	char *bytes = store_read(path, size);
	int status = bytes != NULL ? check_digest(bytes, *size, sha256) : -errno;

	if (status == 0)
		return bytes;
	err_set_code(e, -status, path, 0, NULL, "%s",
		status == -EBADMSG ? "is damaged: its digest is another one" : strerror(-status));
	free(bytes);
	errno = -status;
	return NULL;
}

char *
store_read_policy(
	const struct store *s, const struct store_record *record, size_t *size, struct err *e)
{
	char directory[STORE_PATH_SIZE], path[STORE_PATH_SIZE];

	number_path(s, record->number, directory);
	if (store_path(path, directory, POLICY_FILE) != 0) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	return read_checked(path, record->policy_sha256, size, e);
}

char *
store_read_geo(const struct store *s, const char *sha256, size_t *size, struct err *e)
{
	char path[STORE_PATH_SIZE], name[GEO_NAME_SIZE];

	geo_name(sha256, name);
	if (store_path(path, s->geo, name) != 0) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	return read_checked(path, sha256, size, e);
}
