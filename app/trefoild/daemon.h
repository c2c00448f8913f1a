/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * daemon: everything trefoild runs with, owned by the control thread.
 * Threads: control thread only, but for what its members say.
 */
#pragma once

#include "generation.h"
#include "publish.h"
#include "settings/settings.h"
#include "store/store.h"
#include "wires.h"
#include "worker.h"
#include "writer.h"

#include <event2/event.h>
#include <jansson.h>

#define ALARM_SIZE 512

/* Priority of the events that guard the border: links, workers, confirmations, the end. All others
 * have the next one, so that no number of requests keeps these waiting. */
#define DAEMON_URGENT 0

enum alarm_kind {
	ALARM_POLICY,   /* no valid policy: closed */
	ALARM_GEO,      /* no geo table, or it cannot be reloaded */
	ALARM_STALE,    /* geo data older than max_geo_age_days */
	ALARM_MIRROR,   /* the mirror loses copies, or there is none */
	ALARM_LINK,     /* a port has no link */
	ALARM_WORKER,   /* a worker does not move */
	ALARM_LOAD,     /* ports lose frames that no worker took in time */
	ALARM_AUDIT,    /* the audit log cannot be written */
	ALARM_ACCESS,   /* a push needs approvals that nobody can give */
	ALARM_STORE,    /* generations cannot be kept or read */
	ALARM_ROLLBACK, /* a generation that was not confirmed cannot be rolled back */
	ALARM_N
};

/* What people want to hear of as it happens. */
struct daemon_event {
	uint64_t number;     /* 1, 2, ... since the start */
	time_t at;           /* seconds since the epoch */
	const char *kind;    /* "push", "confirm", "rollback", "alarm", "alarm-over"... */
	const char *text;    /* one line; lives until the listener returns */
	uint32_t generation; /* that judges now; 0 = none */
};

/* Called in the control thread. Must not raise events. */
typedef void daemon_event_fn(void *context, const struct daemon_event *event);

#define DAEMON_LISTENERS_MAX 8

struct daemon_listener {
	daemon_event_fn *hear;
	void *context;
};

/* What was last seen of a worker: watchdog.h. */
struct heartbeat {
	uint64_t n_loops;
	uint64_t looked_at_ms; /* CLOCK_MONOTONIC */
	uint64_t still_ms;     /* without a round since */
};

struct daemon {
	const struct settings *settings;
	struct wires wires;
	struct worker *workers; /* [n_workers] */
	unsigned int n_workers;
	struct generation_nodes nodes; /* that have workers */
	bool stop;                     /* atomic: workers end */
	struct publisher *publisher;
	struct geo_ref *geo; /* NULL until a table is loaded */
	uint32_t generation; /* number of the newest one */
	char *policy_text;   /* of the running generation; NULL = none */
	size_t policy_size;
	bool is_stale;    /* what the running generation was compiled with */
	time_t age_retry; /* not before then another try to change that */
	struct control_server *server;
	struct audit_log *audit;
	struct store *store;         /* NULL = nothing can be kept */
	struct store_record running; /* what is known of the running generation */
	struct event *deadline;      /* of its confirmation; NULL until the first one */
	struct mirror_ring **rings;
	struct writer *writer; /* NULL = no mirror */
	struct event_base *base;
	uint64_t started_s;               /* CLOCK_MONOTONIC */
	char alarms[ALARM_N][ALARM_SIZE]; /* "" = not raised */
	struct heartbeat heartbeats[RTE_MAX_LCORE];
	bool is_watched; /* systemd waits for a sign of life */
	bool has_failed; /* a worker is stuck */
	struct load_history loads[RTE_MAX_LCORE];
	uint64_t missed_before; /* by the ports, at the last look */
	uint64_t lost_before;   /* mirror losses at the last look */
	struct daemon_listener listeners[DAEMON_LISTENERS_MAX];
	unsigned int n_listeners;
	uint64_t n_events;
	struct traffic *traffic; /* of the last hour */
	struct watch *watch;     /* the last events */
	struct shadow *shadow;   /* the candidate beside the running generation */
	json_t *shadow_text;     /* its text, name and pushed_by; NULL = none */
	struct observe *observe; /* what feeds them: observe.h */
	struct links *links;     /* NULL until ports are started: links.h */
};

/* Say what happened: a line of the log, and to every listener. */
void daemon_event(struct daemon *d, const char *kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Hear of all events from now on. Returns 0 or -ENOSPC. */
int daemon_listen(struct daemon *d, daemon_event_fn *hear, void *context);

/* Raise (and log, once per text) or clear an alarm. */
void daemon_alarm(struct daemon *d, enum alarm_kind kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void daemon_alarm_clear(struct daemon *d, enum alarm_kind kind);

/* Counters of all workers; frames the ports had no buffer for count as received and dropped. */
void daemon_sum_workers(const struct daemon *d, struct stats_total *sum);

/* At the end, when nothing is under way any more: a line that shows that nothing was lost unnamed. */
void daemon_log_totals(const struct daemon *d, const struct writer_status *last);

/* Is the loaded geo data older than max_geo_age_days? */
bool daemon_has_old_data(const struct daemon *d);

/* Raise or clear the alarm of old data. */
void daemon_attend_stale(struct daemon *d);

/* How long each worker may leave its queues alone, from the speeds of its ports. */
void daemon_set_waits(struct daemon *d);

/* Timers: freeing of old generations; workers, mirror, age of the data. */
void daemon_reclaim(struct daemon *d);
void daemon_watch(struct daemon *d);

/* Copies that the workers could not hand to the mirror, or that there is no mirror for. */
uint64_t daemon_mirror_lost(const struct daemon *d);

/* One line on standard error, for the journal. */
void daemon_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same for each error of a list. */
void daemon_log_errors(const struct err_list *errors);
