/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The evidence directory. Everything that touches the manifest holds the lock; the writer's thread
 * waits for the control thread only as long as that appends one line. The control thread waits a
 * second for the writer's, which a disk may hold up forever: then it answers without (what it knew
 * last, or that it cannot).
 * Retention trusts the clock only as long as it runs evenly: after a step of more than an hour
 * nothing is removed until the daemon starts again, so that no wrong clock eats evidence.
 */
#include "custody.h"

#include "daemon.h"
#include "kept_head.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define PATH_SIZE        4096
#define NS_PER_SECOND    UINT64_C(1000000000)
#define CHECKPOINT_NS    NS_PER_SECOND
#define CHECKPOINT_BYTES (UINT64_C(16) << 20)
#define SECONDS_PER_DAY  86400
#define CLOCK_STEP_S     3600
#define EXPIRE_NS        (60 * NS_PER_SECOND)
#define KEY_NAME         "evidence.key"
#define PATIENCE_S       1
#define COMMAND_S        20 /* a head_command that takes longer is stopped */

extern char **environ;

struct custody {
	struct custody_options options;
	struct signing_key *key;
	char binary_sha256[SHA256_TEXT_SIZE];
	pthread_mutex_t lock;
	struct evidence *evidence; /* NULL while the directory is gone */
	char broken[ALARM_SIZE];   /* what was wrong with the manifest that was found */
	bool is_broken;            /* atomic: it says something, and does not change */
	struct kept_head kept;
	char doubt[sizeof(struct err)]; /* why it is not known, until a start has said so */
	bool is_full;
	bool has_clock_step;               /* atomic */
	uint64_t checkpoint_ns, expire_ns; /* of the last ones */
	int64_t clock_offset_s;            /* wall clock less monotonic, at the start */
	uint32_t generation;               /* of the last one on record */
	pid_t command;                     /* running, 0 = none; and all that it starts */
	uint64_t command_ns;               /* when it was started */
	bool has_newer;                    /* head than the command was started with */
	json_t *last;                      /* what status said last; the control thread's */
};

const char *const custody_cause_names[CUSTODY_CAUSES] = { "ring", "write", "space", "filter",
	"flow", "rate" };

static uint64_t
clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

json_t *
custody_causes_json(const uint64_t lost[CUSTODY_CAUSES])
{
	json_t *o = json_object();
	unsigned int i;

	for (i = 0; i < CUSTODY_CAUSES; i++)
		json_object_set_new(o, custody_cause_names[i], json_integer((json_int_t)lost[i]));
	return o;
}

/* "" when it cannot be read. */
static void
digest_of_binary(char out[SHA256_TEXT_SIZE])
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct stat st = { .st_size = 0 };
	void *data = MAP_FAILED;

	out[0] = '\0';
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0)
		data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data != MAP_FAILED) {
		(void)sha256_text(data, (size_t)st.st_size, out);
		munmap(data, (size_t)st.st_size);
	}
	if (fd >= 0)
		close(fd);
}

/* Only what a power cut does not take: the evidence may be on another disk. */
static int
keep_head(struct custody *c, struct err *e)
{
	struct chain_head head;

	if (evidence_get_durable_head(c->evidence, &head) != 0)
		return 0;
	return kept_head_set(&c->kept, &head, c->key, e);
}

static int
open_evidence(struct custody *c, struct err *e)
{
	struct evidence_options options = {
		.directory = c->options.directory,
		.name = c->options.name,
		.version = "trefoild " TREFOIL_VERSION,
		.binary_sha256 = c->binary_sha256[0] != '\0' ? c->binary_sha256 : NULL,
		.key = c->key,
		.kept = c->kept.head.n_lines != 0 ? &c->kept.head : NULL,
		.doubt = c->doubt[0] != '\0' ? c->doubt : NULL,
	};

	c->evidence = evidence_open(&options, e);
	c->generation = 0;
	if (c->evidence == NULL)
		return -errno;
	c->doubt[0] = '\0';
	if (evidence_break(c->evidence) != NULL && !c->is_broken) {
		snprintf(c->broken, sizeof(c->broken), "%s", evidence_break(c->evidence));
		__atomic_store_n(&c->is_broken, true, __ATOMIC_RELEASE);
	}
	(void)keep_head(c, NULL); /* custody_attend() tries again, and tells */
	return 0;
}

static int
open_key(struct custody *c, struct err *e)
{
	char path[PATH_SIZE];

	if (mkdir(c->options.state_dir, 0750) != 0 && errno != EEXIST)
		return err_set_code(e, errno, c->options.state_dir, 0, "[appliance] state_dir",
			"the key that signs the evidence is kept there, but it cannot be made: %s",
			strerror(errno));
	snprintf(path, sizeof(path), "%s/" KEY_NAME, c->options.state_dir);
	c->key = signing_key_load(path, NULL, e);
	return c->key != NULL ? 0 : -errno;
}

/* What is damaged there must not stop the daemon, and must not pass for a first start. */
static int
load_kept(struct custody *c, struct err *e)
{
	struct err why;
	int rc = kept_head_load(&c->kept, c->options.state_dir, c->options.directory, &why);

	if (rc == -ENOMEM)
		return err_set_code(e, ENOMEM, NULL, 0, NULL, "out of memory");
	if (rc != 0)
		err_format(&why, c->doubt, sizeof(c->doubt));
	return 0;
}

/* A directory that only has to be made is no reason to forward nothing. */
static int
make_directory(const char *path, struct err *e)
{
	if (mkdir(path, 0750) == 0 || errno == EEXIST)
		return 0;
	return err_set_code(e, errno, path, 0, "[mirror] dir",
		"cannot be made: %s: make it, and give it to the user of the daemon",
		strerror(errno));
}

static int64_t
clock_offset(void)
{
	return (int64_t)time(NULL) - (int64_t)(clock_ns() / NS_PER_SECOND);
}

struct custody *
custody_open(const struct custody_options *options, struct err *e)
{
	struct custody *c = calloc(1, sizeof(*c));
	int rc;

	if (c == NULL) {
		errno = -err_set_code(e, ENOMEM, NULL, 0, NULL, "out of memory");
		return NULL;
	}
	c->options = *options;
	c->clock_offset_s = clock_offset();
	pthread_mutex_init(&c->lock, NULL);
	digest_of_binary(c->binary_sha256);
	rc = open_key(c, e);
	if (rc == 0)
		rc = make_directory(c->options.directory, e);
	if (rc == 0)
		rc = load_kept(c, e);
	if (rc == 0)
		rc = open_evidence(c, e);
	if (rc == 0)
		return c;
	custody_close(c);
	errno = -rc;
	return NULL;
}

/* In a process group of its own, so that it can be stopped with all that it starts. */
static int
spawn(pid_t *pid, char *const argv[], const char *path)
{
	posix_spawnattr_t attributes;
	int rc = posix_spawnattr_init(&attributes);

	if (rc != 0)
		return rc;
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
	rc = posix_spawn(pid, path, NULL, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	return rc;
}

/* One at a time: what comes meanwhile is told when it has ended. */
static void
run_command(struct custody *c)
{
	const struct chain_head *head = &evidence_inventory(c->evidence)->head;
	char lines[32], name[128];
	char *argv[] = { name, lines, NULL, NULL, NULL };
	char hash[SHA256_TEXT_SIZE], key[SHA256_TEXT_SIZE];

	c->has_newer = c->command != 0;
	if (c->options.head_command[0] == '\0' || c->command != 0)
		return;
	snprintf(lines, sizeof(lines), "%" PRIu64, head->n_lines);
	snprintf(name, sizeof(name), "%s", c->options.name);
	memcpy(hash, head->hash, sizeof(hash));
	memcpy(key, signing_key_id(c->key), sizeof(key));
	argv[2] = hash;
	argv[3] = key;
	c->command_ns = clock_ns();
	if (spawn(&c->command, argv, c->options.head_command) != 0) {
		syslog(LOG_ERR, "[mirror] head_command %s cannot be run", c->options.head_command);
		c->command = 0;
	}
}

/* The head of the chain to where the appliance cannot take it back. */
static void
publish_head(struct custody *c)
{
	const struct chain_head *head = &evidence_inventory(c->evidence)->head;

	syslog(LOG_NOTICE, "evidence of %s: line %" PRIu64 " has sha256 %s, key %s",
		c->options.name, head->n_lines, head->hash, signing_key_id(c->key));
	run_command(c);
}

void
custody_close(struct custody *c)
{
	if (c == NULL)
		return;
	if (c->evidence != NULL) {
		evidence_note(c->evidence, json_pack("{s:s}", "type", "stop"));
		c->command = 0; /* the last head is told beside what still runs */
		publish_head(c);
		(void)keep_head(c, NULL); /* the one before is in the chain too */
	}
	evidence_close(c->evidence, false);
	kept_head_fini(&c->kept);
	signing_key_free(c->key);
	json_decref(c->last);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* Which ruleset judges, for a line of the manifest. */
static json_t *
generation_json(const char *type, const struct generation *g)
{
	json_t *o = json_object();

	if (type != NULL)
		json_object_set_new(o, "type", json_string(type));
	if (g == NULL)
		return o;
	json_object_set_new(o, "generation", json_integer(g->number));
	json_object_set_new(o, "policy",
		json_pack("{s:s, s:s}", "name", g->policy->name, "sha256", g->policy->sha256));
	json_object_set_new(o, "geo",
		json_pack("{s:s, s:I}", "sha256", g->geo->table->sha256, "built_s",
			(json_int_t)g->geo->table->built_at));
	return o;
}

/* A manifest that somebody removed or moved would look kept, and be gone. */
static int
ensure_evidence(struct custody *c, struct err *e)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "%s/" INVENTORY_MANIFEST, c->options.directory);
	if (c->evidence != NULL && access(path, F_OK) == 0)
		return 0;
	evidence_close(c->evidence, false);
	c->evidence = NULL;
	return open_evidence(c, e);
}

/* "dub1-20261123T221500Z-000001.pcapng": UTC of the opening and a number that only grows. */
static void
name_segment(const struct custody *c, char *name, size_t size)
{
	time_t now = time(NULL);
	struct tm utc;
	char stamp[32];

	gmtime_r(&now, &utc);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &utc);
	snprintf(name, size, "%s-%s-%06" PRIu64 ".%s", c->options.name, stamp,
		evidence_next_number(c->evidence), c->options.extension);
}

/* A segment that cannot be made leaves two lines in the manifest, at each try. So a file without a name
 * is made first, where the file system can. */
static int
can_make_files(const struct custody *c, struct err *e)
{
	int fd = open(c->options.directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0640);

	if (fd >= 0)
		return close(fd);
	if (errno == EOPNOTSUPP || errno == EISDIR)
		return 0;
	return err_set_code(e, errno, c->options.directory, 0, "[mirror] dir",
		"no file can be made there: %s", strerror(errno));
}

static int
begin_locked(struct custody *c, const struct generation *g, char *path, size_t size, struct err *e)
{
	char name[SEGMENT_NAME_MAX + 1];
	int rc = ensure_evidence(c, e);

	if (rc == 0)
		rc = can_make_files(c, e);
	if (rc != 0)
		return rc;
	for (;; evidence_skip_number(c->evidence)) {
		name_segment(c, name, sizeof(name));
		snprintf(path, size, "%s/%s", c->options.directory, name);
		if (access(path, F_OK) != 0)
			break;
	}
	rc = evidence_begin(c->evidence, name, generation_json(NULL, g), e);
	if (rc == 0 && g != NULL)
		c->generation = g->number;
	c->checkpoint_ns = clock_ns();
	return rc;
}

int
custody_begin(struct custody *c, const struct generation *g, char *path, size_t size, struct err *e)
{
	int rc;

	pthread_mutex_lock(&c->lock);
	rc = begin_locked(c, g, path, size, e);
	pthread_mutex_unlock(&c->lock);
	return rc;
}

void
custody_abandon(struct custody *c)
{
	pthread_mutex_lock(&c->lock);
	evidence_abandon(c->evidence);
	pthread_mutex_unlock(&c->lock);
}

/* Without the lock: the control thread never touches the open segment's digest. */
void
custody_tap(void *custody, const void *data, size_t size)
{
	struct custody *c = custody;

	if (c->evidence != NULL)
		evidence_update(c->evidence, data, size);
}

bool
custody_is_due(struct custody *c, bool *is_second)
{
	uint64_t uncovered = c->evidence != NULL ? evidence_uncovered(c->evidence) : 0;

	*is_second = clock_ns() - c->checkpoint_ns >= CHECKPOINT_NS;
	return uncovered >= CHECKPOINT_BYTES || *is_second;
}

int
custody_checkpoint(
	struct custody *c, uint64_t n_packets, const uint64_t lost[CUSTODY_CAUSES], bool is_durable)
{
	int rc = 0;

	if (is_durable)
		c->checkpoint_ns = clock_ns();
	if (c->evidence == NULL || evidence_uncovered(c->evidence) == 0)
		return 0;
	pthread_mutex_lock(&c->lock);
	rc = evidence_checkpoint(c->evidence, n_packets,
		json_pack("{s:o}", "lost", custody_causes_json(lost)), is_durable);
	pthread_mutex_unlock(&c->lock);
	return rc;
}

int
custody_end(
	struct custody *c, uint64_t n_packets, const uint64_t lost[CUSTODY_CAUSES], struct err *e)
{
	int rc = 0;

	pthread_mutex_lock(&c->lock);
	if (c->evidence != NULL)
		rc = evidence_end(c->evidence, n_packets,
			json_pack("{s:o}", "lost", custody_causes_json(lost)), e);
	if (rc == 0 && c->evidence != NULL)
		publish_head(c);
	pthread_mutex_unlock(&c->lock);
	return rc;
}

static void
attend_command(struct custody *c)
{
	if (c->command != 0 && waitpid(c->command, NULL, WNOHANG) != 0) {
		c->command = 0;
		if (c->has_newer && c->evidence != NULL)
			run_command(c);
	} else if (c->command != 0 && clock_ns() - c->command_ns >= COMMAND_S * NS_PER_SECOND) {
		syslog(LOG_ERR, "[mirror] head_command %s has not ended in %d s: stopped",
			c->options.head_command, COMMAND_S);
		kill(-c->command, SIGKILL);
	}
}

/* Each step goes on record; one that cannot be now is tried again. */
static void
look_at_clock(struct custody *c)
{
	int64_t step = clock_offset() - c->clock_offset_s;

	if (step < CLOCK_STEP_S && step > -CLOCK_STEP_S)
		return;
	__atomic_store_n(&c->has_clock_step, true, __ATOMIC_RELAXED);
	if (evidence_note(c->evidence,
		    json_pack("{s:s, s:I}", "type", "clock", "step_s", (json_int_t)step)) != 0)
		return;
	c->clock_offset_s += step;
	syslog(LOG_WARNING,
		"the clock was set by %" PRId64 " s: no evidence is removed until trefoild starts "
		"again",
		step);
}

static int
attend_locked(struct custody *c, struct err *e)
{
	int64_t age_s = (int64_t)c->options.retention_days * SECONDS_PER_DAY;
	int n, rc;

	look_at_clock(c);
	rc = evidence_sync(c->evidence, e);
	if (rc == 0)
		rc = keep_head(c, e);
	if (rc != 0)
		return rc;
	if (age_s == 0 || c->has_clock_step ||
		(c->expire_ns != 0 && clock_ns() - c->expire_ns < EXPIRE_NS))
		return 0;
	c->expire_ns = clock_ns();
	n = evidence_expire(c->evidence, (int64_t)time(NULL) - age_s, e);
	if (n == EVIDENCE_EXPIRE_MAX)
		c->expire_ns = 0; /* the rest at the next look */
	if (n > 0)
		publish_head(c);
	return n < 0 ? n : 0;
}

int
custody_attend(struct custody *c, struct err *e)
{
	int rc = 0;

	pthread_mutex_lock(&c->lock);
	attend_command(c);
	if (c->evidence != NULL)
		rc = attend_locked(c, e);
	pthread_mutex_unlock(&c->lock);
	return rc;
}

void
custody_note_generation(struct custody *c, const struct generation *g)
{
	pthread_mutex_lock(&c->lock);
	if (g->number != c->generation && c->evidence != NULL &&
		evidence_note(c->evidence, generation_json("generation", g)) == 0)
		c->generation = g->number;
	pthread_mutex_unlock(&c->lock);
}

bool
custody_has_room(struct custody *c, uint64_t bytes)
{
	uint64_t max = c->options.max_bytes, used;
	bool is_full;

	if (max == 0 || c->evidence == NULL)
		return true;
	pthread_mutex_lock(&c->lock);
	used = evidence_bytes(c->evidence);
	is_full = used + bytes > max;
	if (is_full != c->is_full)
		(void)evidence_note(c->evidence,
			json_pack("{s:s, s:I, s:I}", "type", is_full ? "full" : "room", "bytes",
				(json_int_t)used, "max_bytes", (json_int_t)max));
	c->is_full = is_full;
	pthread_mutex_unlock(&c->lock);
	return !is_full;
}

/* For the control thread, which must go on whatever the disk does. */
static bool
lock_patiently(struct custody *c)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PATIENCE_S;
	return pthread_mutex_clocklock(&c->lock, CLOCK_MONOTONIC, &until) == 0;
}

int
custody_hold(struct custody *c, const char *name, bool is_hold, const char *who, const char *why,
	struct err *e)
{
	int rc;

	if (!lock_patiently(c))
		return err_set_code(e, EBUSY, c->options.directory, 0, NULL,
			"its disk does not answer: nothing was changed, try again later");
	if (c->evidence != NULL)
		rc = evidence_hold(c->evidence, name, is_hold, who, why, e);
	else
		rc = err_set_code(e, ENOENT, c->options.directory, 0, NULL, "is not there");
	pthread_mutex_unlock(&c->lock);
	return rc;
}

static json_t *
json_locked(struct custody *c)
{
	struct segment_finding last;
	const struct chain_head *head = &evidence_inventory(c->evidence)->head;
	json_t *o = json_pack("{s:{s:I, s:s, s:s}, s:I, s:I, s:I, s:b, s:b, s:b}", "chain", "lines",
		(json_int_t)head->n_lines, "sha256", head->hash, "key", signing_key_id(c->key),
		"bytes", (json_int_t)evidence_bytes(c->evidence), "max_bytes",
		(json_int_t)c->options.max_bytes, "retention_days",
		(json_int_t)c->options.retention_days, "full", (int)c->is_full, "manifest_broken",
		(int)c->is_broken, "clock_step", (int)c->has_clock_step);

	if (c->is_broken)
		json_object_set_new(o, "break", json_string(c->broken));
	evidence_get_last_checkpoint(c->evidence, &last);
	json_object_set_new(o, "checkpoint",
		json_pack("{s:I, s:I, s:s}", "lines", (json_int_t)last.n_checkpoints, "bytes",
			(json_int_t)last.covered, "sha256", last.checkpoints));
	return o;
}

json_t *
custody_json(struct custody *c)
{
	json_t *o;

	if (!lock_patiently(c))
		return c->last != NULL ? json_deep_copy(c->last) : json_object();
	o = c->evidence != NULL ? json_locked(c) : json_object();
	pthread_mutex_unlock(&c->lock);
	json_decref(c->last);
	c->last = json_deep_copy(o);
	return o;
}

static json_t *
segment_json(const struct inventory_segment *s)
{
	return json_pack("{s:s, s:I, s:b, s:I, s:I, s:b, s:b, s:s}", "segment", s->claim.name,
		"number", (json_int_t)s->number, "closed", (int)s->claim.is_closed, "bytes",
		(json_int_t)s->claim.bytes, "packets", (json_int_t)s->n_packets, "held",
		(int)s->is_held, "recovered", (int)s->is_recovered, "sha256", s->claim.sha256);
}

bool
custody_keeps_all(const struct custody *c)
{
	return c->options.retention_days != 0 &&
	       __atomic_load_n(&c->has_clock_step, __ATOMIC_RELAXED);
}

const char *
custody_break(const struct custody *c)
{
	return __atomic_load_n(&c->is_broken, __ATOMIC_ACQUIRE) ? c->broken : NULL;
}

json_t *
custody_list_json(struct custody *c)
{
	const struct inventory *inventory;
	json_t *list = json_array();
	size_t i;

	if (!lock_patiently(c)) {
		json_decref(list);
		return NULL;
	}
	inventory = c->evidence != NULL ? evidence_inventory(c->evidence) : NULL;
	for (i = 0; inventory != NULL && i < inventory->n; i++)
		if (!inventory->items[i].is_removed)
			json_array_append_new(list, segment_json(&inventory->items[i]));
	pthread_mutex_unlock(&c->lock);
	return list;
}
