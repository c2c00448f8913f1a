/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Generations on disk. Faults are injected where the store calls the system: each call fails in
 * turn, once or from then on, and the power is cut in front of each call, where bytes that were not
 * synced are cut at every length and names that were not synced are taken back.
 */
#include "store/store.h"
#include "suite.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define N_PENDING 16

/* A name that the disk may forget, a file whose end it may forget. */
struct pending {
	char from[512], to[512]; /* `from` "" = a new file or directory */
};

static struct {
	unsigned int n_calls, fail_at; /* 0 = never */
	bool stays_broken;
	int code;
	struct pending names[N_PENDING];
	unsigned int n_names;
	char dirty[N_PENDING][512]; /* written and not synced */
	unsigned int n_dirty;
	struct {
		int fd;
		char path[512];
	} open[N_PENDING];
} disk;

static bool
must_fail(void)
{
	disk.n_calls++;
	if (disk.fail_at == 0 || disk.n_calls < disk.fail_at)
		return false;
	if (disk.n_calls > disk.fail_at && !disk.stays_broken)
		return false;
	errno = disk.code;
	return true;
}

/* A file that is replaced is kept beside: the disk may go back to it. */
static void
keep_replaced(const char *to)
{
	char kept[600];

	snprintf(kept, sizeof(kept), "%s.kept", to);
	unlink(kept);
	(void)!link(to, kept);
}

static void
note_name(const char *from, const char *to)
{
	struct pending *p = &disk.names[disk.n_names++];

	CU_ASSERT_FATAL(disk.n_names < N_PENDING);
	snprintf(p->from, sizeof(p->from), "%s", from);
	snprintf(p->to, sizeof(p->to), "%s", to);
}

/* The names in a directory last from now on. */
static void
sync_names(const char *directory)
{
	size_t length = strlen(directory);
	unsigned int i, n = 0;

	for (i = 0; i < disk.n_names; i++) {
		const char *name = disk.names[i].to;

		if (strncmp(name, directory, length) != 0 || name[length] != '/' ||
			strchr(name + length + 1, '/') != NULL)
			disk.names[n++] = disk.names[i];
	}
	disk.n_names = n;
}

static void
sync_bytes(const char *path)
{
	unsigned int i, n = 0;

	for (i = 0; i < disk.n_dirty; i++)
		if (strcmp(disk.dirty[i], path) != 0)
			memmove(disk.dirty[n++], disk.dirty[i], sizeof(disk.dirty[0]));
	disk.n_dirty = n;
}

/* What was written and not synced is found under its new name. */
static void
move_dirty(const char *from, const char *to)
{
	size_t length = strlen(from);
	char moved[512];
	unsigned int i;

	for (i = 0; i < disk.n_dirty; i++) {
		char *path = disk.dirty[i];

		if (strncmp(path, from, length) != 0 ||
			(path[length] != '\0' && path[length] != '/'))
			continue;
		snprintf(moved, sizeof(moved), "%.250s%.250s", to, path + length);
		memcpy(path, moved, sizeof(moved));
	}
}

static const char *
path_of(int fd)
{
	unsigned int i;

	for (i = 0; i < N_PENDING; i++)
		if (disk.open[i].fd == fd)
			return disk.open[i].path;
	return "";
}

static int
test_open(const char *path, int flags, mode_t mode)
{
	unsigned int i = 0;
	int fd;

	if (must_fail())
		return -1;
	fd = open(path, flags, mode);
	if (fd < 0)
		return fd;
	while (disk.open[i].fd != 0)
		i++;
	disk.open[i].fd = fd;
	snprintf(disk.open[i].path, sizeof(disk.open[i].path), "%s", path);
	return fd;
}

/* Writes short, as a disk that becomes full does. */
static ssize_t
test_write(int fd, const void *bytes, size_t size)
{
	const char *path = path_of(fd);

	if (must_fail())
		return -1;
	sync_bytes(path);
	snprintf(disk.dirty[disk.n_dirty++], sizeof(disk.dirty[0]), "%s", path);
	return write(fd, bytes, size > 100 ? size / 2 : size);
}

static int
test_fsync(int fd)
{
	if (must_fail())
		return -1;
	sync_bytes(path_of(fd));
	sync_names(path_of(fd));
	return 0;
}

static int
test_close(int fd)
{
	unsigned int i;

	for (i = 0; i < N_PENDING; i++)
		if (disk.open[i].fd == fd)
			disk.open[i].fd = 0;
	close(fd); /* the descriptor is gone, whatever it says */
	return must_fail() ? -1 : 0;
}

static int
test_rename(const char *from, const char *to)
{
	if (must_fail())
		return -1;
	keep_replaced(to);
	if (rename(from, to) != 0)
		return -1;
	move_dirty(from, to);
	note_name(from, to);
	return 0;
}

static int
test_mkdir(const char *path, mode_t mode)
{
	return must_fail() ? -1 : mkdir(path, mode);
}

static int
test_unlink(const char *path)
{
	return must_fail() ? -1 : unlink(path);
}

static int
test_rmdir(const char *path)
{
	return must_fail() ? -1 : rmdir(path);
}

static const struct store_disk test_disk = { test_open, test_write, test_fsync, test_close,
	test_rename, test_mkdir, test_unlink, test_rmdir };

static char root[64];

static int
remove_one(const char *path, const struct stat *what, int type, struct FTW *walk)
{
	return remove(path);
}

static void
begin(void)
{
	snprintf(root, sizeof(root), "%s/trefoil-store-XXXXXX",
		access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(root));
	memset(&disk, 0, sizeof(disk));
	disk.code = EIO;
}

static void
end(void)
{
	nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static struct store *
open_store(const struct store_disk *with)
{
	struct err e = { .line = 0 };
	struct store *s = store_open(root, with, &e);

	if (s == NULL)
		printf("%s: %s ", e.file, e.message);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	return s;
}

static struct store_record
record_of(uint32_t number, const char *policy, const char *geo)
{
	struct store_record r = {
		.number = number,
		.parent = number - 1,
		.state = STORE_CONFIRMED,
		.kind = "push",
		.policy_name = "border",
		.policy_file = "policy.ini",
		.geo_file = "/usr/share/internet.tgt",
		.pushed = { 1000, "alice", 1700000000 },
		.confirmed = { 1001, "bob", 1700000100 },
		.message = "ticket 4711: \"quoted\" \xc3\xa9",
	};

	CU_ASSERT_EQUAL(sha256_text(policy, strlen(policy), r.policy_sha256), 0);
	CU_ASSERT_EQUAL(sha256_text(geo, strlen(geo), r.geo_sha256), 0);
	return r;
}

static int
add(struct store *s, uint32_t number, const char *policy, const char *geo, struct err *e)
{
	struct store_record r = record_of(number, policy, geo);

	return store_add(s, &r, policy, strlen(policy), geo, strlen(geo), e);
}

/* Every number has a policy of its own; two geo tables in turn. */
static const char *
policy_of(uint32_t number)
{
	static char text[64];

	snprintf(text, sizeof(text), "[policy]\nname = number %u\n", number);
	return text;
}

static const char *
geo_of(uint32_t number)
{
	return number % 2 == 0 ? "an even table" : "an odd table";
}

static bool
is_loadable(struct store *s, const struct store_record *r)
{
	size_t n_policy = 0, n_geo = 0;
	char *policy = store_read_policy(s, r, &n_policy, NULL);
	char *geo = store_read_geo(s, r->geo_sha256, &n_geo, NULL);
	bool is_good = policy != NULL && geo != NULL && strcmp(policy, policy_of(r->number)) == 0 &&
		       strcmp(geo, geo_of(r->number)) == 0;

	free(policy);
	free(geo);
	return is_good;
}

static void
test_what_was_added_is_there_after_opening_again(void)
{
	struct store *s;
	const struct store_record *r;
	size_t n;

	begin();
	s = open_store(NULL);
	CU_ASSERT_EQUAL(store_next_number(s), 1);
	CU_ASSERT_EQUAL(add(s, 1, policy_of(1), geo_of(1), NULL), 0);
	CU_ASSERT_EQUAL(add(s, 3, policy_of(3), geo_of(3), NULL), 0);
	store_close(s);
	s = open_store(NULL);
	r = store_list(s, &n);
	CU_ASSERT_EQUAL_FATAL(n, 2);
	CU_ASSERT_EQUAL(r[1].number, 3);
	CU_ASSERT_STRING_EQUAL(r[1].message, "ticket 4711: \"quoted\" \xc3\xa9");
	CU_ASSERT_STRING_EQUAL(r[1].pushed.name, "alice");
	CU_ASSERT_EQUAL(r[1].confirmed.uid, 1001);
	CU_ASSERT_EQUAL(r[1].confirmed.at, 1700000100);
	CU_ASSERT(is_loadable(s, &r[0]));
	CU_ASSERT(is_loadable(s, &r[1]));
	CU_ASSERT_EQUAL(store_next_number(s), 4);
	store_close(s);
	end();
}

/* Records whose parts are there or not, as the daemon makes them. */
static void
test_every_record_that_is_written_can_be_read(void)
{
	struct store_record r[5], out;
	size_t i, size;
	char *text;

	for (i = 0; i < 5; i++)
		r[i] = record_of(7, policy_of(7), geo_of(7));
	r[0].confirmed = (struct store_person){ .uid = STORE_NOBODY };
	r[1].state = STORE_UNCONFIRMED;
	r[1].confirm_within_s = 600;
	r[1].deadline = 1700000700;
	r[1].deadline_boot = 700;
	text_copy(r[1].boot_id, sizeof(r[1].boot_id), "boot");
	r[2].state = STORE_WAITING; /* its time to confirm has not begun */
	r[2].confirm_within_s = 600;
	r[2].n_needed = 2;
	r[3].state = STORE_WAITING;
	r[3].n_needed = r[3].n_approvals = STORE_APPROVALS_MAX;
	for (i = 0; i < STORE_APPROVALS_MAX; i++)
		r[3].approvals[i] = (struct store_person){ (uint32_t)i, "carol", 1700000000 };
	r[4].pushed = (struct store_person){ STORE_NOBODY, "trefoild", -1 };
	for (i = 0; i < 5; i++) {
		struct err e = { .line = 0 };

		text = store_record_dump(&r[i], &size);
		CU_ASSERT_PTR_NOT_NULL_FATAL(text);
		memset(&out, 0, sizeof(out));
		if (store_record_parse(text, size, "r", &out, &e) != 0) {
			printf("record %zu: %s %s ", i, e.key, e.message);
			CU_FAIL("it can be read");
		}
		CU_ASSERT_EQUAL(out.confirm_within_s, r[i].confirm_within_s);
		CU_ASSERT_EQUAL(out.deadline, r[i].deadline);
		CU_ASSERT_EQUAL(out.n_approvals, r[i].n_approvals);
		CU_ASSERT_EQUAL(out.pushed.at, r[i].pushed.at);
		free(text);
	}
}

static void
test_numbers_and_digests_must_fit(void)
{
	struct store_record r;
	struct store *s;

	begin();
	s = open_store(NULL);
	CU_ASSERT_EQUAL(add(s, 5, policy_of(5), geo_of(5), NULL), 0);
	CU_ASSERT_EQUAL(add(s, 5, policy_of(5), geo_of(5), NULL), -EINVAL);
	CU_ASSERT_EQUAL(add(s, 4, policy_of(4), geo_of(4), NULL), -EINVAL);
	r = record_of(6, policy_of(6), geo_of(6));
	CU_ASSERT_EQUAL(store_add(s, &r, "other", 5, geo_of(6), strlen(geo_of(6)), NULL), -EINVAL);
	CU_ASSERT_EQUAL(
		store_add(s, &r, policy_of(6), strlen(policy_of(6)), "other", 5, NULL), -EINVAL);
	CU_ASSERT_EQUAL(
		store_add(s, &r, policy_of(6), strlen(policy_of(6)), NULL, 0, NULL), -ENOENT);
	r = record_of(7, policy_of(7), geo_of(7));
	CU_ASSERT_EQUAL(store_add(s, &r, policy_of(7), strlen(policy_of(7)), NULL, 0, NULL), 0);
	store_close(s);
	end();
}

static void
test_a_state_changes_and_lasts(void)
{
	struct store_record r;
	struct store *s;

	begin();
	s = open_store(NULL);
	r = record_of(1, policy_of(1), geo_of(1));
	r.state = STORE_UNCONFIRMED;
	r.confirm_within_s = 600;
	r.deadline = 1700000600;
	r.deadline_boot = 4711;
	snprintf(r.boot_id, sizeof(r.boot_id), "a boot");
	CU_ASSERT_EQUAL(store_add(s, &r, policy_of(1), strlen(policy_of(1)), geo_of(1),
				strlen(geo_of(1)), NULL),
		0);
	CU_ASSERT_PTR_NULL(store_newest(s, STORE_CONFIRMED));
	r.state = STORE_WAITING;
	r.n_needed = 2;
	r.n_approvals = 1;
	r.approvals[0] = (struct store_person){ 5, "carol", 1700000009 };
	CU_ASSERT_EQUAL(store_update(s, &r, NULL), 0);
	store_close(s);
	s = open_store(NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(store_find(s, 1));
	r = *store_find(s, 1);
	CU_ASSERT_EQUAL(r.state, STORE_WAITING);
	CU_ASSERT_EQUAL(r.approvals[0].uid, 5);
	CU_ASSERT_EQUAL(r.deadline, 1700000600);
	CU_ASSERT_EQUAL(r.deadline_boot, 4711);
	CU_ASSERT_STRING_EQUAL(r.boot_id, "a boot");
	r.number = 9;
	CU_ASSERT_EQUAL(store_update(s, &r, NULL), -ENOENT);
	store_close(s);
	end();
}

static unsigned int
count_entries(const char *name)
{
	char command[256];
	unsigned int n = 0;
	FILE *pipe;

	snprintf(command, sizeof(command), "ls -A %s/%s | wc -l", root, name);
	pipe = popen(command, "r");
	CU_ASSERT_EQUAL(fscanf(pipe, "%u", &n), 1);
	pclose(pipe);
	return n;
}

/* The generations from `first` to `last`, all in one state. */
static void
add_all(struct store *s, uint32_t first, uint32_t last, enum store_state state)
{
	struct store_record r;
	uint32_t i;

	for (i = first; i <= last; i++) {
		r = record_of(i, policy_of(i), geo_of(i));
		r.state = state;
		if (state == STORE_UNCONFIRMED) {
			r.confirm_within_s = 600;
			r.deadline = 1700000600;
		}
		CU_ASSERT_EQUAL(store_add(s, &r, policy_of(i), strlen(policy_of(i)), geo_of(i),
					strlen(geo_of(i)), NULL),
			0);
	}
}

static void
test_fifty_are_kept_and_the_newest_confirmed_always(void)
{
	struct store *s;
	uint32_t i;
	size_t n;

	begin();
	s = open_store(&test_disk);
	for (i = 1; i <= 60; i++)
		CU_ASSERT_EQUAL(add(s, i, policy_of(i), geo_of(i), NULL), 0);
	CU_ASSERT_EQUAL(store_list(s, &n)[0].number, 11);
	CU_ASSERT_EQUAL(n, STORE_KEPT);
	add_all(s, 61, 180, STORE_ROLLED_BACK);
	store_close(s);
	s = open_store(NULL);
	store_list(s, &n);
	CU_ASSERT_EQUAL(n, STORE_KEPT);
	CU_ASSERT_PTR_NOT_NULL_FATAL(store_newest(s, STORE_CONFIRMED));
	CU_ASSERT_EQUAL(store_newest(s, STORE_CONFIRMED)->number, 60);
	CU_ASSERT(is_loadable(s, store_newest(s, STORE_CONFIRMED)));
	CU_ASSERT_EQUAL(count_entries("generations"), STORE_KEPT);
	CU_ASSERT_EQUAL(count_entries("geo"), 2);
	store_close(s);
	end();
}

/* Proposals that nobody ever approves do not push out what a restart loads. */
static void
test_what_waits_does_not_push_out_what_judges(void)
{
	const uint32_t judging = 3 * STORE_KEPT + 1;
	struct store *s;
	size_t n;

	begin();
	s = open_store(&test_disk);
	CU_ASSERT_EQUAL(add(s, 1, policy_of(1), geo_of(1), NULL), 0);
	add_all(s, 2, judging - 1, STORE_WAITING);
	add_all(s, judging, judging, STORE_UNCONFIRMED);
	add_all(s, judging + 1, 5 * STORE_KEPT, STORE_WAITING);
	store_close(s);
	s = open_store(NULL);
	store_list(s, &n);
	CU_ASSERT_EQUAL(n, STORE_KEPT);
	CU_ASSERT_PTR_NOT_NULL_FATAL(store_newest(s, STORE_CONFIRMED));
	CU_ASSERT_EQUAL(store_newest(s, STORE_CONFIRMED)->number, 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(store_newest(s, STORE_UNCONFIRMED));
	CU_ASSERT_EQUAL(store_newest(s, STORE_UNCONFIRMED)->number, judging);
	store_close(s);
	end();
}

static void
test_two_daemons_do_not_share_a_directory(void)
{
	struct err e = { .line = 0 };
	struct store *s;

	begin();
	s = open_store(NULL);
	errno = 0;
	CU_ASSERT_PTR_NULL(store_open(root, NULL, &e));
	CU_ASSERT_EQUAL(errno, EBUSY);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.message, "another process"));
	store_close(s);
	store_close(open_store(NULL));
	end();
}

/* The disk works again; it remembers nothing that could be lost. */
static const struct store_disk *
heal(void)
{
	disk.fail_at = disk.n_names = disk.n_dirty = 0;
	return &test_disk;
}

/* Three generations, then the fourth with its own table. */
static void
fill(void)
{
	struct store *s = open_store(&test_disk);
	uint32_t i;

	for (i = 1; i <= 3; i++)
		CU_ASSERT_EQUAL(add(s, i, policy_of(i), "an odd table", NULL), 0);
	store_close(s);
}

/* After whatever happened: opened again, the newest confirmed generation can be loaded and is the
 * third, or the fourth where that may be; and another one can be added. */
static void
check_after(unsigned int call, const char *what, bool may_be_new, bool must_be_new)
{
	struct store *s = open_store(heal());
	const struct store_record *r = store_newest(s, STORE_CONFIRMED);
	bool is_new = r != NULL && r->number == 4;

	if (r == NULL || (is_new && !may_be_new) || (!is_new && must_be_new) ||
		(r->number != 3 && !is_new))
		printf("%s at call %u: newest is %u ", what, call, r != NULL ? r->number : 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(r);
	CU_ASSERT(is_new ? may_be_new : r->number == 3 && !must_be_new);
	CU_ASSERT(r->number != 4 || is_loadable(s, r));
	CU_ASSERT(r->number != 3 || is_loadable(s, r));
	CU_ASSERT_EQUAL(add(s, 8, policy_of(8), geo_of(8), NULL), 0);
	CU_ASSERT(is_loadable(s, store_newest(s, STORE_CONFIRMED)));
	store_close(s);
}

/* Returns false when the call to fail was never reached: all have been tried. */
static bool
try_failing(unsigned int call, bool stays_broken, int code)
{
	struct err e = { .line = 0 };
	struct store *s;
	int status;
	bool was_reached;

	begin();
	fill();
	s = open_store(&test_disk);
	disk.n_calls = 0;
	disk.fail_at = call;
	disk.stays_broken = stays_broken;
	disk.code = code;
	status = add(s, 4, policy_of(4), geo_of(4), &e);
	was_reached = disk.n_calls >= call;
	if (status != 0)
		CU_ASSERT_PTR_NOT_NULL(strstr(e.message, strerror(code)));
	CU_ASSERT_EQUAL(store_find(s, 4) != NULL, status == 0);
	store_close(s);
	/* A disk that fails for good also keeps the name of what could not be taken back. */
	check_after(call, "failing", status == 0 || stays_broken, status == 0);
	end();
	return was_reached;
}

static void
test_each_call_may_fail_once(void)
{
	unsigned int call;

	for (call = 1; try_failing(call, false, ENOSPC); call++)
		;
	CU_ASSERT(call > 20);
}

static void
test_each_call_may_be_the_last_that_works(void)
{
	unsigned int call;

	for (call = 1; try_failing(call, true, EIO); call++)
		;
	CU_ASSERT(call > 20);
}

/* What the disk has not been told to keep is lost: names from the last to the first, or none of
 * them; bytes from `keep` on. */
static void
cut_power(bool loses_names, long keep)
{
	char kept[600];
	unsigned int i;

	for (i = 0; i < disk.n_dirty; i++)
		(void)!truncate(disk.dirty[i], keep);
	for (i = disk.n_names; loses_names && i > 0; i--) {
		(void)rename(disk.names[i - 1].to, disk.names[i - 1].from);
		snprintf(kept, sizeof(kept), "%s.kept", disk.names[i - 1].to);
		(void)rename(kept, disk.names[i - 1].to);
	}
}

static bool
try_cutting(unsigned int call, bool loses_names, long keep)
{
	struct store *s;
	bool was_reached;
	int status;

	begin();
	fill();
	s = open_store(&test_disk);
	disk.n_calls = 0;
	disk.fail_at = call;
	disk.stays_broken = true;
	status = add(s, 4, policy_of(4), geo_of(4), NULL);
	was_reached = disk.n_calls >= call;
	store_close(s);
	cut_power(loses_names, keep);
	check_after(call, "cutting", true, status == 0);
	end();
	return was_reached;
}

static void
test_power_may_be_cut_before_each_call(void)
{
	unsigned int call;
	long keep;

	for (keep = 0; keep < 700; keep += keep < 80 ? 1 : 31) {
		for (call = 1; try_cutting(call, false, keep); call++)
			;
		for (call = 1; try_cutting(call, true, keep); call++)
			;
	}
}

static void
test_an_update_is_whole_or_not_there(void)
{
	struct store_record r;
	struct store *s;
	unsigned int call;
	int status;

	for (call = 1; call < 12; call++) {
		begin();
		fill();
		s = open_store(&test_disk);
		r = *store_find(s, 3);
		r.state = STORE_ROLLED_BACK;
		disk.n_calls = 0;
		disk.fail_at = call;
		disk.stays_broken = true;
		status = store_update(s, &r, NULL);
		store_close(s);
		cut_power(call % 2 == 0, 7);
		s = open_store(NULL);
		CU_ASSERT_PTR_NOT_NULL_FATAL(store_newest(s, STORE_CONFIRMED));
		CU_ASSERT(store_newest(s, STORE_CONFIRMED)->number == 2 || status != 0);
		CU_ASSERT_NOT_EQUAL(store_find(s, 3)->state, STORE_DAMAGED);
		store_close(s);
		end();
	}
}

/* Cut one file of the newest generation to each length: the one before is loaded then. */
static void
truncate_at_every_byte(const char *name)
{
	char path[256], *bytes;
	struct store *s;
	const struct store_record *r;
	struct stat what;
	off_t at;
	int fd;

	begin();
	fill();
	snprintf(path, sizeof(path), "%s/%s", root, name);
	fd = open(path, O_RDWR);
	CU_ASSERT_FATAL(fd >= 0 && fstat(fd, &what) == 0);
	bytes = malloc((size_t)what.st_size);
	CU_ASSERT_EQUAL(pread(fd, bytes, (size_t)what.st_size, 0), what.st_size);
	for (at = 0; at < what.st_size; at++) {
		CU_ASSERT_EQUAL(ftruncate(fd, at), 0);
		s = open_store(NULL);
		r = store_find(s, 3);
		CU_ASSERT(r->state == STORE_DAMAGED || !is_loadable(s, r));
		CU_ASSERT(is_loadable(s, store_find(s, 1)) && store_next_number(s) == 4);
		store_close(s);
		CU_ASSERT_EQUAL(pwrite(fd, bytes, (size_t)what.st_size, 0), what.st_size);
	}
	s = open_store(NULL);
	CU_ASSERT(is_loadable(s, store_find(s, 3)));
	store_close(s);
	free(bytes);
	close(fd);
	end();
}

static void
test_files_cut_at_every_byte_are_found_damaged(void)
{
	truncate_at_every_byte("generations/3/generation.json");
	truncate_at_every_byte("generations/3/policy.ini");
}

static void
test_one_changed_byte_of_a_record_is_found(void)
{
	struct store_record r, out;
	char path[256], bytes[4096];
	size_t i, size;
	FILE *file;
	int mask;

	begin();
	fill();
	snprintf(path, sizeof(path), "%s/generations/3/generation.json", root);
	file = fopen(path, "re");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	size = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	CU_ASSERT_EQUAL(store_record_parse(bytes, size, "r", &r, NULL), 0);
	for (i = 0; i < size; i++)
		for (mask = 1; mask < 256; mask <<= 1) {
			bytes[i] ^= (char)mask;
			memset(&out, 0, sizeof(out));
			/* White space may change; nothing that is read from it does then. */
			if (store_record_parse(bytes, size, "r", &out, NULL) == 0)
				CU_ASSERT_EQUAL(memcmp(&out, &r, sizeof(r)), 0);
			bytes[i] ^= (char)mask;
		}
	end();
}

static void
test_hostile_records_are_refused(void)
{
	/* The digest is right, the rest is missing. */
	static const char nothing[] =
		"{\"record_sha256\":"
		"\"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\"}";
	static const char *const texts[] = { "", "null", "[]", "{}", "{\"record_sha256\":1}",
		"{\"record_sha256\":\"\"}", nothing };
	struct store_record out;
	struct err e;
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		e.message[0] = '\0';
		CU_ASSERT_EQUAL(
			store_record_parse(texts[i], strlen(texts[i]), "r", &out, &e), -EINVAL);
		CU_ASSERT(e.message[0] != '\0');
	}
}

/* The digest is right, and the text means nothing or something else than what it would be taken for. */
static void
test_records_that_contradict_themselves_are_refused(void)
{
	static const struct {
		const char *patch, *key;
	} cases[] = {
		{ "{\"approvals\":[null]}", "approvals" },
		{ "{\"pushed\":{\"by\":\"a\",\"uid\":1,\"at\":\"1970-01-01T00:00:00Z\"}}", "at" },
		{ "{\"pushed\":{\"by\":\"a\",\"uid\":1,\"at\":\"9999-12-31T23:59:60Z\"}}", "at" },
		{ "{\"pushed\":{\"by\":\"a\",\"uid\":1,\"at\":\"2026-02-31T00:00:00Z\"}}", "at" },
		{ "{\"pushed\":{\"by\":\"a\",\"uid\":1,\"at\":\" 2026-02-01T00:00:00Z\"}}", "at" },
		{ "{\"state\":\"damaged\"}", "state" },
		{ "{\"state\":\"unconfirmed\"}", "deadline" },
		{ "{\"confirm\":{\"within_s\":0,\"deadline\":null,\"deadline_boot\":0,"
		  "\"boot_id\":\"\"}}",
			"within_s" },
		{ "{\"state\":\"unconfirmed\",\"confirm\":{\"within_s\":5,\"deadline\":null,"
		  "\"deadline_boot\":0,\"boot_id\":\"\"}}",
			"deadline" },
		{ "{\"approvals_needed\":9}", "approvals_needed" },
	};
	const struct store_record good = record_of(7, policy_of(7), geo_of(7));
	char sha256[SHA256_TEXT_SIZE], *text;
	struct store_record out;
	json_t *object, *patch;
	struct err e;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		object = store_record_json(&good);
		patch = json_loads(cases[i].patch, 0, NULL);
		CU_ASSERT_PTR_NOT_NULL_FATAL(patch);
		json_object_update(object, patch);
		text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
		CU_ASSERT_EQUAL(sha256_text(text, strlen(text), sha256), 0);
		free(text);
		json_object_set_new(object, "record_sha256", json_string(sha256));
		text = json_dumps(object, JSON_COMPACT);
		e.key[0] = '\0';
		CU_ASSERT_EQUAL(store_record_parse(text, strlen(text), "r", &out, &e), -EINVAL);
		if (strcmp(e.key, cases[i].key) != 0) {
			printf("%s: %s %s ", cases[i].patch, e.key, e.message);
			CU_FAIL("the key");
		}
		free(text);
		json_decref(patch);
		json_decref(object);
	}
}

static void
test_directories_that_cannot_be_used_are_named(void)
{
	struct err e = { .line = 0 };
	char path[128];

	begin();
	snprintf(path, sizeof(path), "%s/no/such", root);
	CU_ASSERT_PTR_NULL(store_open(path, NULL, &e));
	CU_ASSERT_EQUAL(errno, ENOENT);
	CU_ASSERT_STRING_EQUAL(e.file, path);
	snprintf(path, sizeof(path), "%s/file", root);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	CU_ASSERT_PTR_NULL(store_open(path, NULL, &e));
	CU_ASSERT_EQUAL(errno, ENOTDIR);
	end();
}

SUITE("store",
	{ "what was added is there after opening again",
		test_what_was_added_is_there_after_opening_again },
	{ "every record that is written can be read",
		test_every_record_that_is_written_can_be_read },
	{ "numbers and digests must fit", test_numbers_and_digests_must_fit },
	{ "a state changes and lasts", test_a_state_changes_and_lasts },
	{ "fifty are kept, and the newest confirmed one always",
		test_fifty_are_kept_and_the_newest_confirmed_always },
	{ "what waits does not push out what judges",
		test_what_waits_does_not_push_out_what_judges },
	{ "two daemons do not share a directory", test_two_daemons_do_not_share_a_directory },
	{ "each call may fail once", test_each_call_may_fail_once },
	{ "each call may be the last that works", test_each_call_may_be_the_last_that_works },
	{ "power may be cut before each call", test_power_may_be_cut_before_each_call },
	{ "an update is whole or not there", test_an_update_is_whole_or_not_there },
	{ "files cut at every byte are found damaged",
		test_files_cut_at_every_byte_are_found_damaged },
	{ "one changed byte of a record is found", test_one_changed_byte_of_a_record_is_found },
	{ "hostile records are refused", test_hostile_records_are_refused },
	{ "records that contradict themselves are refused",
		test_records_that_contradict_themselves_are_refused },
	{ "directories that cannot be used are named",
		test_directories_that_cannot_be_used_are_named })
