/* SPDX-License-Identifier: BSD-3-Clause */
/* Clock, disk, owners and modes of files, users and groups. */
#include "doctor_impl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#define PROBE_SIZE  (64u << 20)
#define SPEED_LOW   200 /* MB/s: what one worker can mirror of short frames */
#define CHUNK_SIZE  (1u << 20)
#define EXAMPLES    "/usr/share/doc/trefoil/examples/"
#define SPACE_FILES 4 /* capture files that should fit */

static bool
is_synced(enum doctor_clock clock)
{
	struct timex t = { .modes = 0 };

	if (clock != DOCTOR_CLOCK_ASK)
		return clock == DOCTOR_CLOCK_SYNCED;
	return adjtimex(&t) != TIME_ERROR && (t.status & STA_UNSYNC) == 0;
}

void
doctor_check_clock(struct doctor *d)
{
	static const char why[] =
		"evidence, confirmations with a deadline and the age of geo data go by "
		"the clock; a wrong one spoils their worth";

	if (is_synced(d->options->clock))
		doctor_say(d, DOCTOR_OK, "clock", "", why, "synchronized");
	else
		doctor_mend(doctor_say(d, DOCTOR_WARN, "clock", "", why,
				    "the kernel's clock is not synchronized"),
			"apt-get install -y chrony && systemctl enable --now chrony");
}

/* MB/s to the disk, of a file without a name; negative = -errno. */
static int64_t
measure_speed(const char *directory, size_t size)
{
	static char chunk[CHUNK_SIZE];
	struct timespec from, to;
	size_t done = 0;
	ssize_t n = 1;
	int64_t ns;
	int fd = open(directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600), saved;

	if (fd < 0)
		return -errno;
	memset(chunk, 0x5a, sizeof(chunk));
	clock_gettime(CLOCK_MONOTONIC, &from);
	while (done < size && n > 0) {
		n = write(fd, chunk, sizeof(chunk));
		done += n > 0 ? (size_t)n : 0;
	}
	saved = n <= 0 || fdatasync(fd) != 0 ? errno : 0;
	clock_gettime(CLOCK_MONOTONIC, &to);
	close(fd);
	ns = (to.tv_sec - from.tv_sec) * 1000000000LL + (to.tv_nsec - from.tv_nsec) + 1;
	return saved != 0 ? -saved : (int64_t)((double)done * 1e9 / (double)ns / 1048576);
}

static void
check_speed(struct doctor *d, const char *path)
{
	static const char why[] =
		"copies that come faster than the disk takes them are lost, and counted";
	const char *directory = d->options->settings->mirror_dir;
	size_t size = d->options->probe_size != 0 ? d->options->probe_size : PROBE_SIZE;
	int64_t speed = measure_speed(path, size);

	if (speed < 0)
		doctor_mend(doctor_say(d, DOCTOR_UNKNOWN, "disk-speed", directory, why,
				    "cannot be tried: %s", strerror((int)-speed)),
			"sudo trefoilctl doctor");
	else if (speed >= SPEED_LOW)
		doctor_say(
			d, DOCTOR_OK, "disk-speed", directory, why, "%lld MB/s", (long long)speed);
	else
		doctor_mend(doctor_say(d, DOCTOR_WARN, "disk-speed", directory, why,
				    "%lld MB/s, less than %d", (long long)speed, SPEED_LOW),
			"sed -i 's|^dir *=.*|dir = PATH|' %s   # PATH: on a faster disk", d->file);
}

static void
check_space(struct doctor *d, const char *path)
{
	static const char why[] =
		"when the disk is full the mirror stops: evidence is never overwritten";
	const struct settings *s = d->options->settings;
	uint64_t free_mb, needed_mb = (uint64_t)SPACE_FILES * s->mirror_rotate_mb;
	enum doctor_state state = DOCTOR_OK;
	struct statvfs fs;

	if (statvfs(path, &fs) != 0) {
		doctor_say(d, DOCTOR_UNKNOWN, "disk-space", s->mirror_dir, why,
			"cannot be asked: %s", strerror(errno));
		return;
	}
	free_mb = (uint64_t)fs.f_bavail * fs.f_frsize >> 20;
	if (free_mb < s->mirror_rotate_mb)
		state = DOCTOR_FAIL;
	else if (free_mb < needed_mb)
		state = DOCTOR_WARN;
	doctor_mend(doctor_say(d, state, "disk-space", s->mirror_dir, why,
			    "%llu MB free; files of %u MB", (unsigned long long)free_mb,
			    s->mirror_rotate_mb),
		"%s",
		state == DOCTOR_OK ? ""
				   : "trefoilctl mirror list   # let retention_days remove some, "
				     "or enlarge this file system");
}

/* Before the first start the directory is made: its parent counts. */
void
doctor_check_disk(struct doctor *d)
{
	const struct settings *s = d->options->settings;
	char path[DOCTOR_PATH_SIZE], *slash;

	if (s->mirror_dir[0] == '\0') {
		doctor_say(d, DOCTOR_OK, "disk-space", "", "copies are written there",
			"no [mirror] dir: nothing is written");
		return;
	}
	doctor_path(d, s->mirror_dir, path);
	while (access(path, F_OK) != 0 && (slash = strrchr(path, '/')) != NULL && slash != path)
		*slash = '\0';
	check_space(d, path);
	check_speed(d, path);
}

struct rule {
	const char *check;
	mode_t forbidden;    /* bits that must not be set */
	mode_t good;         /* what chmod would set */
	const char *example; /* to begin with */
	const char *why;
	enum { ANYBODYS, DAEMONS, GIVEN_IF_EMPTY } owner;
};

/* Where there is no such user another check says so. */
static bool
find_user(const struct doctor *d, const char *name, uid_t *uid)
{
	char path[DOCTOR_PATH_SIZE];
	const struct passwd *p = NULL;
	FILE *f;

	if (d->options->root[0] == '\0') {
		p = getpwnam(name);
		*uid = p != NULL ? p->pw_uid : 0;
		return p != NULL;
	}
	f = fopen(doctor_path(d, "/etc/passwd", path), "re");
	while (f != NULL && (p = fgetpwent(f)) != NULL && strcmp(p->pw_name, name) != 0)
		;
	*uid = p != NULL ? p->pw_uid : 0;
	if (f != NULL)
		fclose(f);
	return p != NULL;
}

static bool
is_empty(const char *path)
{
	DIR *directory = opendir(path);
	unsigned int n = 0;

	while (directory != NULL && n <= 2 && readdir(directory) != NULL)
		n++;
	if (directory != NULL)
		closedir(directory);
	return n == 2;
}

/* What the daemon writes must be of the user that it becomes. */
static bool
is_owned(const struct doctor *d, const struct rule *rule, const char *path, const struct stat *st)
{
	uid_t uid;

	if (rule->owner == ANYBODYS || S_ISLNK(st->st_mode) ||
		d->options->settings->user[0] == '\0' ||
		!find_user(d, d->options->settings->user, &uid) || st->st_uid == uid)
		return true;
	return rule->owner == GIVEN_IF_EMPTY && st->st_uid == 0 && is_empty(path);
}

static void
say_missing(struct doctor *d, const struct rule *rule, const char *name)
{
	struct doctor_finding *f =
		doctor_say(d, DOCTOR_FAIL, rule->check, name, rule->why, "missing");
	char word[DOCTOR_PATH_SIZE];

	if (strcmp(rule->example, name) != 0)
		doctor_mend(f, "cp %s %s", rule->example, doctor_quote(name, word));
	else
		doctor_mend(f, "apt-get install --reinstall trefoil   # or trefoil-geo build -o %s",
			name);
}

static void
check_file(struct doctor *d, const struct rule *rule, const char *name, bool must_exist)
{
	char path[DOCTOR_PATH_SIZE], word[DOCTOR_PATH_SIZE];
	struct stat st;
	int code = lstat(doctor_path(d, name, path), &st) == 0 ? 0 : errno;

	if (code == ENOENT && !must_exist)
		doctor_say(d, DOCTOR_OK, rule->check, name, rule->why,
			"not there yet: the daemon makes it");
	else if (code == ENOENT)
		say_missing(d, rule, name);
	else if (code != 0)
		doctor_mend(doctor_say(d, DOCTOR_UNKNOWN, rule->check, name, rule->why,
				    "cannot be looked at: %s", strerror(code)),
			"sudo trefoilctl doctor");
	else if (!is_owned(d, rule, path, &st))
		doctor_mend(doctor_say(d, DOCTOR_FAIL, rule->check, name, rule->why,
				    "of uid %u, but the daemon becomes %s", st.st_uid,
				    d->options->settings->user),
			"chown -R %s: %s", d->options->settings->user, doctor_quote(name, word));
	else if (S_ISLNK(st.st_mode) || (st.st_mode & rule->forbidden) == 0)
		doctor_say(d, DOCTOR_OK, rule->check, name, rule->why, "mode %04o, of uid %u",
			st.st_mode & 07777u, st.st_uid);
	else
		doctor_mend(doctor_say(d, DOCTOR_FAIL, rule->check, name, rule->why,
				    "mode %04o, of uid %u", st.st_mode & 07777u, st.st_uid),
			"chmod %04o %s", rule->good, doctor_quote(name, word));
}

void
doctor_check_files(struct doctor *d)
{
	static const struct rule config = { "config", 022, 0644, EXAMPLES "trefoild.ini",
		"who can write it decides what passes", ANYBODYS };
	static const struct rule policy = { "policy", 022, 0644, EXAMPLES "policy.ini",
		"who can write it decides what passes", ANYBODYS };
	static const struct rule data = { "geo-table", 022, 0644, TREFOIL_DATADIR "/internet.tgt",
		"who can write it decides where an address is", ANYBODYS };
	static const struct rule state = { "state", 022, 0711, NULL,
		"generations, the audit log and the key are kept there", GIVEN_IF_EMPTY };
	static const struct rule key = { "key", 077, 0600, NULL,
		"who can read it can sign evidence in the appliance's name", DAEMONS };
	static const struct rule evidence = { "evidence", 027, 0750, NULL,
		"copies of other people's traffic are for the auditors only", DAEMONS };
	static const struct rule control = { "socket", 007, 0660, NULL,
		"who can connect can ask the daemon; its groups are in [access]", ANYBODYS };
	const struct settings *s = d->options->settings;
	char name[DOCTOR_PATH_SIZE];

	check_file(d, &config, d->options->settings_path, true);
	check_file(d, &policy, s->policy, true);
	check_file(d, &data, s->geo_table, true);
	check_file(d, &state, s->state_dir, false);
	snprintf(name, sizeof(name), "%s/evidence.key", s->state_dir);
	check_file(d, &key, name, false);
	if (s->mirror_dir[0] != '\0')
		check_file(d, &evidence, s->mirror_dir, false);
	check_file(d, &control, s->socket, false);
}

static bool
has_group(const struct doctor *d, const char *name)
{
	char path[DOCTOR_PATH_SIZE];
	const struct group *g = NULL;
	FILE *f;

	if (d->options->root[0] == '\0')
		return getgrnam(name) != NULL;
	f = fopen(doctor_path(d, "/etc/group", path), "re");
	while (f != NULL && (g = fgetgrent(f)) != NULL && strcmp(g->gr_name, name) != 0)
		;
	if (f != NULL)
		fclose(f);
	return g != NULL;
}

void
doctor_check_people(struct doctor *d)
{
	static const char why_user[] = "a daemon that stays root is root for whoever takes it over";
	static const char why_group[] = "without it nobody but root has the role";
	const struct settings *s = d->options->settings;
	char word[DOCTOR_PATH_SIZE];
	uid_t uid;
	const char *const groups[] = { s->operators, s->approvers, s->auditors, s->viewers };
	size_t i;

	if (s->user[0] == '\0')
		doctor_mend(doctor_say(d, DOCTOR_WARN, "user", "", why_user,
				    "no [appliance] user: the daemon stays root"),
			"sed -i 's/^\\[appliance\\]/&\\nuser = trefoil/' %s", d->file);
	else if (find_user(d, s->user, &uid))
		doctor_say(d, DOCTOR_OK, "user", s->user, why_user, "there is such a user");
	else
		doctor_mend(doctor_say(d, DOCTOR_FAIL, "user", s->user, why_user,
				    "there is no such user: the daemon does not start"),
			"adduser --system --group --home %s --no-create-home %s",
			doctor_quote(s->state_dir, word), s->user);
	for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		if (groups[i][0] == '\0')
			continue;
		if (has_group(d, groups[i]))
			doctor_say(d, DOCTOR_OK, "group", groups[i], why_group,
				"there is such a group");
		else
			doctor_mend(doctor_say(d, DOCTOR_WARN, "group", groups[i], why_group,
					    "there is no such group"),
				"addgroup --system %s", groups[i]);
	}
}
