/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The mirror writer's thread. It wakes every millisecond (workers must not make system calls to
 * wake it), drains all rings and reports quiescent, so that old generations can be freed.
 *
 * Shared state: `status` under `lock` (writer and control thread, never a worker); `stop` and
 * `rotate` are atomic flags; the custody has a lock of its own.
 */
#include "writer.h"

#include "annotate.h"
#include "privilege.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_NS      1000000
#define FLUSH_NS      UINT64_C(200000000)
#define REOPEN_NS     UINT64_C(1000000000)
#define ATTEND_NS     UINT64_C(1000000000)
#define NS_PER_SECOND UINT64_C(1000000000)
#define ROOM          (UINT64_C(512) << 10) /* for checkpoints and the manifest's last lines */
#define RING_SHIFT    48                    /* of its number in a packet id */
#define STALLED_NS    UINT64_C(5000000000)  /* without a pass: something holds the writer up */

/* What may fail on its own, and be well again on its own. */
enum failure { FAIL_FILE = 1, FAIL_CHECKPOINT = 2, FAIL_CUSTODY = 4 };

struct writer {
	struct writer_options options;
	struct publisher *publisher;
	struct mirror_ring *const *rings;
	unsigned int n_rings;
	struct custody *custody;
	struct annotator *annotator;
	struct minimiser *minimiser;
	uint32_t generation;       /* whose reasons the rings know */
	struct capture_file *file; /* NULL while none can be opened */
	bool is_ending;            /* the last segment's end is not on record yet */
	bool has_failed;           /* in this pass: the file takes nothing */
	bool has_room;
	unsigned int failing; /* enum failure, under lock */
	uint64_t passed_ns;   /* atomic: when the last pass began */
	uint64_t opened_ns, flushed_ns, failed_ns, attended_ns;
	uint64_t n_written;                               /* in this pass */
	uint64_t n_in_file;                               /* packets */
	uint64_t lost[CUSTODY_CAUSES];                    /* in all, but for the rings */
	uint64_t lost_before[CUSTODY_CAUSES];             /* when the file before ended */
	uint64_t kept_at[MIRROR_INTERFACES_MAX];          /* in this file */
	uint64_t lost_at[MIRROR_INTERFACES_MAX];          /* in this file, after the rings */
	uint64_t ring_lost_before[MIRROR_INTERFACES_MAX]; /* when the file before ended */
	uint32_t dropped_at[MIRROR_INTERFACES_MAX];       /* since the last one written */
	pthread_t thread;
	bool stop, rotate; /* atomic */
	pthread_mutex_t lock;
	struct writer_status status; /* under lock */
};

static uint64_t
clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

static void
set_failure(struct writer *w, enum failure failure, const struct err *e)
{
	pthread_mutex_lock(&w->lock);
	w->failing |= failure;
	w->status.is_failing = true;
	err_format(e, w->status.error, sizeof(w->status.error));
	pthread_mutex_unlock(&w->lock);
}

static void
clear_failure(struct writer *w, enum failure failure)
{
	pthread_mutex_lock(&w->lock);
	w->failing &= ~(unsigned int)failure;
	w->status.is_failing = w->failing != 0;
	pthread_mutex_unlock(&w->lock);
}

/* The file: no other is tried for a while. */
static void
set_error(struct writer *w, const struct err *e)
{
	set_failure(w, FAIL_FILE, e);
	w->failed_ns = clock_ns();
}

/* Of all rings, of one interface. */
static uint64_t
ring_lost_at(const struct writer *w, unsigned int interface)
{
	uint64_t n = 0;
	unsigned int i;

	for (i = 0; i < w->n_rings; i++)
		n += mirror_ring_lost_at(w->rings[i], interface);
	return n;
}

static void
losses_now(const struct writer *w, uint64_t lost[CUSTODY_CAUSES])
{
	unsigned int i;

	memcpy(lost, w->lost, sizeof(w->lost));
	lost[CUSTODY_RING] = 0;
	for (i = 0; i < w->n_rings; i++)
		lost[CUSTODY_RING] += mirror_ring_lost(w->rings[i]);
}

/* Since the file before ended. */
static void
losses_in_file(const struct writer *w, uint64_t lost[CUSTODY_CAUSES])
{
	unsigned int i;

	losses_now(w, lost);
	for (i = 0; i < CUSTODY_CAUSES; i++)
		lost[i] -= w->lost_before[i];
}

/* Counters of a file begin when the one before ended: every loss is in the record of one. */
static void
count_from_here(struct writer *w)
{
	unsigned int i;

	w->n_in_file = 0;
	losses_now(w, w->lost_before);
	memset(w->kept_at, 0, sizeof(w->kept_at));
	memset(w->lost_at, 0, sizeof(w->lost_at));
	for (i = 0; i < w->options.n_interfaces && i < MIRROR_INTERFACES_MAX; i++)
		w->ring_lost_before[i] = ring_lost_at(w, i);
}

/* What the section header says of the appliance and of what it judges by. */
static void
describe(const struct writer *w, const struct generation *g, char *buf, size_t size)
{
	int n = snprintf(buf, size, "appliance=%s", w->options.custody.name);

	if (g != NULL && n > 0 && (size_t)n < size)
		snprintf(buf + n, size - (size_t)n,
			" policy=%s policy_sha256=%s geo_sha256=%s generation=%u", g->policy->name,
			g->policy->sha256, g->geo->table->sha256, g->number);
}

static int
create_file(struct writer *w, const char *path, const struct generation *g, struct err *e)
{
	char comment[512], hardware[sizeof(struct utsname)] = "";
	struct utsname name;
	struct capture_section section = {
		.application = "trefoild " TREFOIL_VERSION,
		.comment = comment,
		.hardware = hardware,
		.interfaces = w->options.interfaces,
		.n_interfaces = w->options.n_interfaces,
		.tap = custody_tap,
		.tap_context = w->custody,
	};

	describe(w, g, comment, sizeof(comment));
	if (uname(&name) == 0)
		snprintf(hardware, sizeof(hardware), "%s", name.machine);
	w->file = capture_file_create(path, w->options.format, &section, 0, e);
	return w->file != NULL ? 0 : -errno;
}

static int
open_file(struct writer *w, struct err *e)
{
	const struct generation *g = publisher_get(w->publisher);
	char path[sizeof(w->status.file)];
	int rc = custody_begin(w->custody, g, path, sizeof(path), e);

	if (rc != 0)
		return rc;
	rc = create_file(w, path, g, e);
	if (rc != 0) {
		custody_abandon(w->custody);
		return rc;
	}
	w->opened_ns = w->flushed_ns = clock_ns();
	pthread_mutex_lock(&w->lock);
	w->status.n_files++;
	memcpy(w->status.file, path, sizeof(path));
	pthread_mutex_unlock(&w->lock);
	clear_failure(w, FAIL_FILE);
	return 0;
}

/* The loss is in the capture too. */
static void
add_statistics(struct writer *w)
{
	unsigned int i;

	for (i = 0; i < w->options.n_interfaces && i < MIRROR_INTERFACES_MAX; i++) {
		uint64_t lost = ring_lost_at(w, i) - w->ring_lost_before[i] + w->lost_at[i];

		(void)capture_file_add_statistics(w->file, i, w->kept_at[i] + lost, lost);
	}
}

/* Put the closed segment's end on record; what cannot be now is tried again. */
static void
end_segment(struct writer *w)
{
	uint64_t lost[CUSTODY_CAUSES];
	struct err e;

	losses_in_file(w, lost);
	w->is_ending = custody_end(w->custody, w->n_in_file, lost, &e) != 0;
	if (w->is_ending)
		set_error(w, &e);
	else
		count_from_here(w);
}

/* Copies that the file had taken but cannot keep are moved from written to lost. */
static void
take_back(struct writer *w, uint64_t pending)
{
	w->n_in_file -= pending;
	w->lost[CUSTODY_WRITE] += pending;
	pthread_mutex_lock(&w->lock);
	w->status.written -= pending;
	w->status.lost += pending;
	w->status.causes[CUSTODY_WRITE] += pending;
	pthread_mutex_unlock(&w->lock);
}

static void
close_file(struct writer *w)
{
	uint64_t pending;
	struct err e;
	int status;

	if (w->file == NULL)
		return;
	add_statistics(w);
	status = capture_file_flush(w->file);
	pending = status != 0 ? capture_file_pending(w->file) : 0;
	if (pending != 0)
		take_back(w, pending);
	if (status == 0)
		status = capture_file_sync(w->file);
	(void)capture_file_close(w->file);
	w->file = NULL;
	if (status != 0) {
		err_set(&e, w->status.file, 0, NULL, "closing failed, %llu copies are lost: %s",
			(unsigned long long)pending, strerror(-status));
		set_error(w, &e);
	}
	end_segment(w);
}

static bool
is_due(const struct writer *w)
{
	const struct writer_options *o = &w->options;

	if (o->rotate_size != 0 && capture_file_size(w->file) >= o->rotate_size)
		return true;
	return o->rotate_s != 0 && clock_ns() - w->opened_ns >= o->rotate_s * NS_PER_SECOND;
}

/* The mirror stops rather than eat old evidence. */
static void
attend_room(struct writer *w)
{
	struct err e;

	w->has_room = custody_has_room(w->custody, ROOM + CAPTURE_BUFFER_SIZE);
	if (w->has_room)
		return;
	close_file(w);
	if (clock_ns() - w->failed_ns < REOPEN_NS)
		return;
	err_set(&e, w->options.custody.directory, 0, "[mirror] max_bytes",
		"%llu bytes are used up: the mirror has stopped, old evidence is kept; raise "
		"max_bytes, shorten retention_days or archive segments",
		(unsigned long long)w->options.custody.max_bytes);
	set_error(w, &e);
}

/* Have a file to write to, a new one if it is time. */
static void
attend_file(struct writer *w)
{
	struct err e;

	if (w->file != NULL && is_due(w))
		close_file(w);
	attend_room(w);
	if (w->file != NULL || !w->has_room || clock_ns() - w->failed_ns < REOPEN_NS)
		return;
	if (w->is_ending)
		end_segment(w);
	if (!w->is_ending && open_file(w, &e) != 0)
		set_error(w, &e);
}

/* What goes to a file that somebody removed or moved would look written, and be gone. */
static void
flush_if_due(struct writer *w)
{
	struct err e;
	int status;

	if (w->file == NULL || clock_ns() - w->flushed_ns < FLUSH_NS)
		return;
	w->flushed_ns = clock_ns();
	if (access(w->status.file, F_OK) != 0 && errno == ENOENT) {
		close_file(w);
		return;
	}
	status = capture_file_flush(w->file);
	if (status == 0) {
		clear_failure(w, FAIL_FILE);
		return;
	}
	err_set(&e, w->status.file, 0, NULL, "writing failed: %s; free some space",
		strerror(-status));
	set_error(w, &e);
}

/* Every second, and when much has come: a crash loses what no checkpoint covers. */
static void
checkpoint_if_due(struct writer *w)
{
	uint64_t lost[CUSTODY_CAUSES];
	bool is_second;
	struct err e;
	int rc;

	if (w->file == NULL || !custody_is_due(w->custody, &is_second))
		return;
	rc = capture_file_flush(w->file);
	if (rc == 0 && is_second)
		rc = capture_file_sync(w->file);
	losses_in_file(w, lost);
	if (rc == 0)
		rc = custody_checkpoint(w->custody, w->n_in_file, lost, is_second);
	if (rc == 0) {
		if (is_second)
			clear_failure(w, FAIL_CHECKPOINT);
		return;
	}
	err_set(&e, w->status.file, 0, NULL,
		"no checkpoint could be made: %s: free some space, or replace the disk",
		strerror(-rc));
	set_failure(w, FAIL_CHECKPOINT, &e);
}

/* What the rings must hold whole, by the policy that judges. */
static void
attend_generation(struct writer *w)
{
	const struct generation *g = publisher_get(w->publisher);
	unsigned int i;

	if (g == NULL || g->number == w->generation)
		return;
	w->generation = g->number;
	for (i = 0; i < w->n_rings; i++)
		mirror_ring_set_whole(w->rings[i], minimiser_whole_reasons(g));
}

static void
attend_custody(struct writer *w)
{
	const struct generation *g = publisher_get(w->publisher);
	struct err e;

	if (clock_ns() - w->attended_ns < ATTEND_NS)
		return;
	w->attended_ns = clock_ns();
	if (custody_attend(w->custody, &e) != 0)
		set_failure(w, FAIL_CUSTODY, &e);
	else
		clear_failure(w, FAIL_CUSTODY);
	if (g != NULL)
		custody_note_generation(w->custody, g);
}

static void
count_lost(struct writer *w, const struct mirror_note *note, enum custody_cause cause)
{
	w->lost[cause]++;
	if (note->interface < MIRROR_INTERFACES_MAX) {
		w->lost_at[note->interface]++;
		w->dropped_at[note->interface]++;
	}
}

/* HOT: one copy. After a failed write the rest of the pass is lost without trying, so that a full
 * disk does not cost a system call per copy. */
static void
take_copy(void *context, unsigned int ring, const struct mirror_note *note, const void *data,
	uint32_t length)
{
	struct writer *w = context;
	struct annotate_extra extra = { .kept = length };
	unsigned int at = note->interface % MIRROR_INTERFACES_MAX;
	struct capture_origin origin = {
		.packet_id = (uint64_t)ring << RING_SHIFT | note->queue_id,
		.queue = ring,
		.n_dropped = (uint64_t)w->dropped_at[at] + note->n_dropped,
	};
	struct capture_packet packet = { .time_ns = note->time_ns,
		.wire_length = note->wire_length,
		.length = length,
		.interface = note->interface,
		.direction = CAPTURE_RECEIVED,
		.origin = &origin,
		.data = data };
	enum custody_cause left_out;
	int rc;

	if (w->file == NULL || w->has_failed) {
		count_lost(w, note, w->has_room ? CUSTODY_WRITE : CUSTODY_SPACE);
		return;
	}
	left_out = minimiser_judge(w->minimiser, note, data, length, &extra);
	if (left_out != CUSTODY_CAUSES) {
		count_lost(w, note, left_out);
		return;
	}
	packet.length = extra.kept;
	packet.comment = annotate(w->annotator, note, &extra, &packet.comment_length);
	rc = capture_file_write(w->file, &packet);
	if (rc != 0) {
		w->has_failed = rc != -EINVAL && rc != -EMSGSIZE;
		count_lost(w, note, CUSTODY_WRITE);
		return;
	}
	w->dropped_at[at] = 0;
	w->kept_at[at]++;
	w->n_in_file++;
	w->n_written++;
}

static unsigned int
drain(struct writer *w)
{
	const struct mirror_output output = { .take = take_copy, .context = w };
	unsigned int n;

	w->has_failed = false;
	w->n_written = 0;
	n = mirror_drain_to(w->rings, w->n_rings, &output);
	pthread_mutex_lock(&w->lock);
	w->status.written += w->n_written;
	memcpy(w->status.causes, w->lost, sizeof(w->lost));
	w->status.lost = w->lost[CUSTODY_WRITE] + w->lost[CUSTODY_SPACE];
	pthread_mutex_unlock(&w->lock);
	return n;
}

/* A file that is asked to end has all copies of before. */
static unsigned int
rotate_if_asked(struct writer *w)
{
	unsigned int n;

	if (!__atomic_exchange_n(&w->rotate, false, __ATOMIC_ACQUIRE) || w->file == NULL)
		return 0;
	n = drain(w);
	close_file(w);
	return n;
}

static unsigned int
pass(struct writer *w)
{
	unsigned int n;

	__atomic_store_n(&w->passed_ns, clock_ns(), __ATOMIC_RELAXED);
	attend_generation(w);
	n = rotate_if_asked(w);
	attend_file(w);
	n += drain(w);
	attend_custody(w);
	rte_rcu_qsbr_quiescent(publisher_writer(w->publisher), 0);
	flush_if_due(w);
	checkpoint_if_due(w);
	return n;
}

static void *
writer_main(void *arg)
{
	struct writer *w = arg;
	struct rte_rcu_qsbr *qsbr = publisher_writer(w->publisher);
	const struct timespec pause = { .tv_nsec = PAUSE_NS };

	privilege_drop_thread();
	rte_rcu_qsbr_thread_online(qsbr, 0);
	while (!__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE))
		if (pass(w) == 0)
			nanosleep(&pause, NULL);
	pass(w); /* the workers have stopped: this one takes what is left */
	close_file(w);
	rte_rcu_qsbr_thread_offline(qsbr, 0);
	return NULL;
}

static void
writer_free(struct writer *w)
{
	if (w == NULL)
		return;
	custody_close(w->custody);
	annotator_free(w->annotator);
	minimiser_free(w->minimiser);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

static int
begin(struct writer *w, struct err *e)
{
	int rc;

	w->annotator = annotator_new();
	if (w->annotator == NULL)
		return err_set_code(e, ENOMEM, NULL, 0, "mirror", "no memory for the writer");
	w->minimiser = minimiser_new(&w->options.minimise, e);
	if (w->minimiser == NULL)
		return -errno;
	w->custody = custody_open(&w->options.custody, e);
	if (w->custody == NULL)
		return -errno;
	w->has_room = custody_has_room(w->custody, ROOM + CAPTURE_BUFFER_SIZE);
	w->passed_ns = clock_ns();
	attend_generation(w);
	rc = w->has_room ? open_file(w, e) : 0;
	if (rc != 0)
		return rc;
	rc = -pthread_create(&w->thread, NULL, writer_main, w);
	if (rc == 0)
		return 0;
	close_file(w);
	return err_set_code(
		e, -rc, NULL, 0, "mirror", "cannot start the writer: %s", strerror(-rc));
}

struct writer *
writer_start(const struct writer_options *options, struct publisher *publisher,
	struct mirror_ring *const *rings, unsigned int n_rings, struct err *e)
{
	struct writer *w = calloc(1, sizeof(*w));
	int status;

	if (w == NULL) {
		err_set(e, NULL, 0, "mirror", "no memory for the writer");
		return NULL;
	}
	w->options = *options;
	w->publisher = publisher;
	w->rings = rings;
	w->n_rings = n_rings;
	pthread_mutex_init(&w->lock, NULL);
	status = begin(w, e);
	if (status == 0)
		return w;
	writer_free(w);
	errno = -status;
	return NULL;
}

void
writer_stop(struct writer *w, struct writer_status *last)
{
	if (w == NULL)
		return;
	__atomic_store_n(&w->stop, true, __ATOMIC_RELEASE);
	pthread_join(w->thread, NULL);
	*last = w->status;
	writer_free(w);
}

void
writer_rotate(struct writer *w)
{
	__atomic_store_n(&w->rotate, true, __ATOMIC_RELEASE);
}

struct custody *
writer_custody(struct writer *w)
{
	return w->custody;
}

/* A disk that neither takes nor refuses holds the writer up, and nobody else. */
static void
tell_stall(const struct writer *w, struct writer_status *out)
{
	uint64_t passed_ns = __atomic_load_n(&w->passed_ns, __ATOMIC_RELAXED), now = clock_ns();

	if (now < passed_ns + STALLED_NS)
		return;
	out->is_failing = true;
	snprintf(out->error, sizeof(out->error), "%.440s: held up: the disk does not answer",
		out->file);
}

void
writer_status(struct writer *w, struct writer_status *out)
{
	pthread_mutex_lock(&w->lock);
	*out = w->status;
	pthread_mutex_unlock(&w->lock);
	tell_stall(w, out);
}
