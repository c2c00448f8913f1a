/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The mirror writer's thread. It wakes every millisecond (workers must not make system calls to
 * wake it), drains all rings and reports quiescent, so that old generations can be freed.
 *
 * Shared state: `status` under `lock` (writer and control thread, never a worker); `stop` and
 * `rotate` are atomic flags.
 */
#include "writer.h"

#include "classify/classify.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_NS      1000000
#define FLUSH_NS      UINT64_C(200000000)
#define REOPEN_NS     UINT64_C(1000000000)
#define NAME_TRIES    1000
#define NS_PER_SECOND UINT64_C(1000000000)

struct writer {
	struct writer_options options;
	struct publisher *publisher;
	struct mirror_ring *const *rings;
	unsigned int n_rings;
	struct capture_file *file; /* NULL while none can be opened */
	uint64_t opened_ns, flushed_ns, failed_ns;
	uint64_t number; /* of the last file name tried */
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

static const char *
annotate(const struct mirror_note *note, char *buf, size_t size)
{
	const struct generation *g = note->generation;
	struct classify_result result = {
		.class = note->class,
		.verdict = note->verdict,
		.reason = note->reason,
		.non_ip = note->non_ip,
		.is_odd = note->is_odd,
	};
	size_t length;

	classify_annotate(g->ruleset, &result, g->number, buf, size);
	length = strlen(buf);
	snprintf(buf + length, size - length, " seq=%llu", (unsigned long long)note->queue_id);
	return buf;
}

static void
set_error(struct writer *w, const struct err *e)
{
	pthread_mutex_lock(&w->lock);
	w->status.is_failing = true;
	err_format(e, w->status.error, sizeof(w->status.error));
	pthread_mutex_unlock(&w->lock);
	w->failed_ns = clock_ns();
}

/* "dub1-20261123T221500Z-000001.pcapng": UTC of the opening and a number that only grows. */
static void
file_name(struct writer *w, char *path, size_t size)
{
	time_t now = time(NULL);
	struct tm utc;
	char stamp[32];

	gmtime_r(&now, &utc);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &utc);
	snprintf(path, size, "%s/%s-%s-%06llu.%s", w->options.directory, w->options.name, stamp,
		(unsigned long long)++w->number,
		w->options.format == CAPTURE_PCAP ? "pcap" : "pcapng");
}

static int
open_file(struct writer *w, struct err *e)
{
	struct capture_section section = {
		.application = "trefoild " TREFOIL_VERSION,
		.comment = w->options.name,
		.interfaces = w->options.interfaces,
		.n_interfaces = w->options.n_interfaces,
	};
	char path[sizeof(w->status.file)];
	unsigned int n_tries = 0;

	do { /* a daemon that ended in this very second may have left the same name */
		file_name(w, path, sizeof(path));
		w->file = capture_file_create(path, w->options.format, &section, 0, e);
	} while (w->file == NULL && errno == EEXIST && ++n_tries < NAME_TRIES);
	if (w->file == NULL)
		return -errno;
	w->opened_ns = w->flushed_ns = clock_ns();
	pthread_mutex_lock(&w->lock);
	w->status.n_files++;
	w->status.is_failing = false;
	memcpy(w->status.file, path, sizeof(path));
	pthread_mutex_unlock(&w->lock);
	return 0;
}

/* Copies that the file had taken but cannot keep are moved from written to lost. */
static void
close_file(struct writer *w)
{
	int status = w->file != NULL ? capture_file_flush(w->file) : 0;
	uint64_t pending = status != 0 ? capture_file_pending(w->file) : 0;
	struct err e;

	if (w->file == NULL)
		return;
	pthread_mutex_lock(&w->lock);
	w->status.written -= pending;
	w->status.lost += pending;
	pthread_mutex_unlock(&w->lock);
	(void)capture_file_close(w->file);
	w->file = NULL;
	if (status == 0)
		return;
	err_set(&e, w->status.file, 0, NULL, "closing failed, %llu copies are lost: %s",
		(unsigned long long)pending, strerror(-status));
	set_error(w, &e);
}

static bool
is_due(const struct writer *w)
{
	const struct writer_options *o = &w->options;

	if (o->rotate_size != 0 && capture_file_size(w->file) >= o->rotate_size)
		return true;
	return o->rotate_s != 0 && clock_ns() - w->opened_ns >= o->rotate_s * NS_PER_SECOND;
}

/* Have a file to write to, a new one if it is time. */
static void
attend_file(struct writer *w)
{
	struct err e;

	if (__atomic_exchange_n(&w->rotate, false, __ATOMIC_RELAXED) ||
		(w->file != NULL && is_due(w)))
		close_file(w);
	if (w->file == NULL && clock_ns() - w->failed_ns >= REOPEN_NS && open_file(w, &e) != 0)
		set_error(w, &e);
}

static void
clear_error(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->status.is_failing = false;
	pthread_mutex_unlock(&w->lock);
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
	if (access(w->status.file, F_OK) != 0 && errno == ENOENT)
		writer_rotate(w);
	status = capture_file_flush(w->file);
	if (status == 0) {
		clear_error(w);
		return;
	}
	err_set(&e, w->status.file, 0, NULL, "writing failed: %s; free some space",
		strerror(-status));
	set_error(w, &e);
}

static unsigned int
pass(struct writer *w)
{
	uint64_t lost = 0;
	unsigned int n;

	attend_file(w);
	n = mirror_drain(w->rings, w->n_rings, w->file, annotate, &lost);
	rte_rcu_qsbr_quiescent(publisher_writer(w->publisher), 0);
	pthread_mutex_lock(&w->lock);
	w->status.written += n;
	w->status.lost += lost;
	pthread_mutex_unlock(&w->lock);
	flush_if_due(w);
	return n;
}

static void *
writer_main(void *arg)
{
	struct writer *w = arg;
	struct rte_rcu_qsbr *qsbr = publisher_writer(w->publisher);
	const struct timespec pause = { .tv_nsec = PAUSE_NS };

	rte_rcu_qsbr_thread_online(qsbr, 0);
	while (!__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE))
		if (pass(w) == 0)
			nanosleep(&pause, NULL);
	pass(w); /* the workers have stopped: this one takes what is left */
	close_file(w);
	rte_rcu_qsbr_thread_offline(qsbr, 0);
	return NULL;
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
	status = open_file(w, e);
	if (status == 0 && (status = -pthread_create(&w->thread, NULL, writer_main, w)) != 0)
		err_set(e, NULL, 0, "mirror", "cannot start the writer: %s", strerror(-status));
	if (status == 0)
		return w;
	capture_file_close(w->file);
	pthread_mutex_destroy(&w->lock);
	free(w);
	errno = -status;
	return NULL;
}

void
writer_stop(struct writer *w)
{
	if (w == NULL)
		return;
	__atomic_store_n(&w->stop, true, __ATOMIC_RELEASE);
	pthread_join(w->thread, NULL);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

void
writer_rotate(struct writer *w)
{
	__atomic_store_n(&w->rotate, true, __ATOMIC_RELAXED);
}

void
writer_status(struct writer *w, struct writer_status *out)
{
	pthread_mutex_lock(&w->lock);
	*out = w->status;
	pthread_mutex_unlock(&w->lock);
}
