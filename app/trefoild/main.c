/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * trefoild: the appliance. The main thread is the control side: it sets everything up, launches one
 * worker per core and the mirror writer, and runs the event loop until SIGTERM.
 * Order: nothing is forwarded before a ruleset judges; at the end workers stop first, then the
 * writer takes what is left in the rings.
 */
#include "assign.h"
#include "access.h"
#include "audit_log.h"
#include "change.h"
#include "check.h"
#include "commands.h"
#include "crash.h"
#include "daemon.h"
#include "eal.h"
#include "geo_change.h"
#include "links.h"
#include "metrics_server.h"
#include "observe.h"
#include "privilege.h"
#include "telemetry.h"
#include "watchdog.h"

#include <argp.h>
#include <errno.h>
#include <malloc.h>
#include <rte_eal.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#define RING_SIZE  (8u << 20)
#define RECLAIM_MS 20
#define WATCH_MS   500
#define TURN_MS    100 /* of clients, until timers come first again */

/* Tables and captures come and go whole: blocks from this size on are mapped one by one and given back
 * when they are freed. glibc would raise its own limit to 32 MiB and keep twice as much. */
#define LARGE_BLOCK (1 << 20)

struct options {
	const char *settings;
	bool is_check, is_json;
};

enum option_key { OPTION_CHECK = 256 };

static const struct argp_option argp_options[] = {
	{ "config", 'c', "FILE", 0, "Settings (default: " TREFOIL_SYSCONFDIR "/trefoild.ini)", 0 },
	{ "check", OPTION_CHECK, NULL, 0,
		"Check settings, policy and geo table, print what is wrong, and end", 0 },
	{ "json", 'j', NULL, 0, "With --check: print one JSON object on one line", 0 },
	{ 0 },
};

static error_t
parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'c':
		o->settings = arg;
		return 0;
	case OPTION_CHECK:
		o->is_check = true;
		return 0;
	case 'j':
		o->is_json = true;
		return 0;
	case ARGP_KEY_END:
		if (o->is_json && !o->is_check)
			argp_error(state, "--json is for --check: ask a running daemon with "
					  "`trefoilctl --json status'");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = argp_options,
	.parser = parse_option,
	.doc = "Trefoil's border filter: forwards between two ports what the policy approves.\v"
	       "SIGTERM drains and ends, SIGHUP loads the geo table again.\n"
	       "Exit status: 0 done, 1 refused, 2 usage, 4 not permitted.",
};

const char *argp_program_version = "trefoild " TREFOIL_VERSION;

static void
log_error(const struct err *e)
{
	char text[1024];

	daemon_log("%s", err_format(e, text, sizeof(text)));
}

/* The memory of a worker is taken by its own core, so that it lies on that core's NUMA node. */
static int
clear_worker(void *w)
{
	memset(w, 0, sizeof(struct worker));
	return 0;
}

static int
allocate_workers(struct daemon *d)
{
	unsigned int i;

	d->n_workers = d->settings->n_cores;
	d->workers = aligned_alloc(WORKER_ALIGN, d->n_workers * sizeof(*d->workers));
	d->rings = calloc(d->n_workers, sizeof(struct mirror_ring *));
	d->publisher = publisher_new(d->n_workers);
	if (d->workers == NULL || d->rings == NULL || d->publisher == NULL)
		return -ENOMEM;
	for (i = 0; i < d->n_workers; i++)
		rte_eal_remote_launch(clear_worker, &d->workers[i], i + 1);
	rte_eal_mp_wait_lcore();
	return 0;
}

static int
init_worker(struct daemon *d, unsigned int i)
{
	struct worker *w = &d->workers[i];

	w->id = i;
	w->lcore = i + 1;
	w->publisher = d->publisher;
	w->stop = &d->stop;
	w->mirror_snaplen = d->settings->mirror_snaplen;
	load_init(&w->load);
	idle_init(&w->idle, d->settings->idle, d->settings->idle_after_us);
	w->ring = d->rings[i] = mirror_ring_new(RING_SIZE);
	return w->ring != NULL ? 0 : -ENOMEM;
}

/* Frames cross to another NUMA node: that is worth a line, for the operator can choose the cores. */
static void
log_far_queues(const struct daemon *d, const int *sockets)
{
	unsigned int i, q;

	for (i = 0; i < d->n_workers; i++)
		for (q = 0; q < d->workers[i].n_queues; q++) {
			int socket = rte_eth_dev_socket_id(d->workers[i].queues[q].rx_port);

			if (socket < 0 || socket == sockets[i])
				continue;
			daemon_log("core %u of NUMA node %d takes frames of a port of node %d: "
				   "list cores of that node in [eal] cores",
				d->settings->cores[i], sockets[i], socket);
			break;
		}
}

static int
make_workers(struct daemon *d, struct err *e)
{
	int sockets[RTE_MAX_LCORE];
	unsigned int i;
	int status = allocate_workers(d);

	for (i = 0; i < d->n_workers && status == 0; i++) {
		status = init_worker(d, i);
		sockets[i] = (int)rte_lcore_to_socket_id(i + 1);
	}
	if (status != 0)
		return err_set_code(e, ENOMEM, NULL, 0, NULL, "out of memory");
	if (assign_queues(&d->wires, d->workers, d->n_workers, sockets) != 0)
		return err_set(e, NULL, 0, "[wire]",
			"more than %u queues for one worker: add cores", WORKER_QUEUES_MAX);
	log_far_queues(d, sockets);
	assign_nodes(d->workers, d->n_workers, sockets, &d->nodes);
	if (d->nodes.n > 1)
		daemon_log("workers on %u NUMA nodes: each ruleset has look-up tables on every one",
			d->nodes.n);
	return 0;
}

/* The mirror's interfaces: two per wire, in the order of worker_queue.interface. */
static int
start_writer(struct daemon *d, struct err *e)
{
	static struct capture_interface interfaces[2 * WIRES_MAX];
	static char names[2 * WIRES_MAX][128], descriptions[2 * WIRES_MAX][128];
	struct writer_options options = {
		.custody = {
			.directory = d->settings->mirror_dir,
			.name = d->settings->name,
			.state_dir = d->settings->state_dir,
			.head_command = d->settings->mirror_head_command,
			.extension = d->settings->mirror_format == CAPTURE_PCAP ? "pcap" : "pcapng",
			.retention_days = d->settings->mirror_retention_days,
			.max_bytes = d->settings->mirror_max_bytes,
		},
		.format = d->settings->mirror_format,
		.rotate_size = (uint64_t)d->settings->mirror_rotate_mb << 20,
		.rotate_s = d->settings->mirror_rotate_s,
		.minimise = {
			.filter = d->settings->mirror_filter,
			.flow_packets = d->settings->mirror_flow_packets,
		},
		.interfaces = interfaces,
		.n_interfaces = 2 * d->wires.n,
	};
	unsigned int i;

	if (d->settings->mirror_dir[0] == '\0') {
		for (i = 0; i < d->n_workers; i++)
			d->workers[i].ring = NULL;
		return 0;
	}
	for (i = 0; i < options.n_interfaces; i++) {
		const struct wire *w = &d->wires.items[i / 2];

		snprintf(names[i], sizeof(names[i]), "%s/%s", w->settings->name,
			i % 2 == 0 ? "inside" : "outside");
		snprintf(descriptions[i], sizeof(descriptions[i]), "%s, %s frames that enter here",
			i % 2 == 0 ? w->inside.name : w->outside.name,
			i % 2 == 0 ? "outbound" : "inbound");
		interfaces[i] = (struct capture_interface){ .name = names[i],
			.description = descriptions[i],
			.filter = d->settings->mirror_filter[0] != '\0' ? d->settings->mirror_filter
									: NULL,
			.link_type = 1,
			.snaplen = d->settings->mirror_snaplen };
	}
	d->writer = writer_start(&options, d->publisher, d->rings, d->n_workers, e);
	return d->writer != NULL ? 0 : -errno;
}

static void
on_reclaim(evutil_socket_t fd, short what, void *arg)
{
	daemon_reclaim(arg);
}

static void
on_watch(evutil_socket_t fd, short what, void *arg)
{
	daemon_watch(arg);
}

static void
on_term(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	daemon_log("stopping");
	event_base_loopbreak(d->base);
}

static void
notify_reloading(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
		(unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000);
}

static void
on_hup(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	notify_reloading();
	access_admit(d);
	if (publisher_get(d->publisher) == NULL)
		change_start(d);
	else
		geo_change_reload(d);
	sd_notify(0, "READY=1");
}

struct events {
	struct event *reclaim, *watch, *term, *interrupt, *hup;
};

static void
events_fini(struct events *ev)
{
	struct event **all[] = { &ev->reclaim, &ev->watch, &ev->term, &ev->interrupt, &ev->hup };
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (*all[i] != NULL)
			event_free(*all[i]);
}

static int
events_add(struct events *ev)
{
	const struct timeval reclaim = { .tv_usec = RECLAIM_MS * 1000 };
	const struct timeval watch = { .tv_usec = WATCH_MS * 1000 };
	struct event *urgent[] = { ev->reclaim, ev->watch, ev->term, ev->interrupt };
	size_t i;

	for (i = 0; i < sizeof(urgent) / sizeof(urgent[0]); i++)
		if (event_priority_set(urgent[i], DAEMON_URGENT) != 0)
			return -EINVAL;
	if (event_add(ev->reclaim, &reclaim) != 0 || event_add(ev->watch, &watch) != 0 ||
		event_add(ev->term, NULL) != 0 || event_add(ev->interrupt, NULL) != 0 ||
		event_add(ev->hup, NULL) != 0)
		return -ENOMEM;
	return 0;
}

static int
events_init(struct events *ev, struct daemon *d)
{
	ev->reclaim = event_new(d->base, -1, EV_PERSIST, on_reclaim, d);
	ev->watch = event_new(d->base, -1, EV_PERSIST, on_watch, d);
	ev->term = evsignal_new(d->base, SIGTERM, on_term, d);
	ev->interrupt = evsignal_new(d->base, SIGINT, on_term, d);
	ev->hup = evsignal_new(d->base, SIGHUP, on_hup, d);
	if (ev->reclaim == NULL || ev->watch == NULL || ev->term == NULL || ev->interrupt == NULL ||
		ev->hup == NULL)
		return -ENOMEM;
	return events_add(ev);
}

static void
launch_workers(struct daemon *d)
{
	unsigned int i;

	for (i = 0; i < d->n_workers; i++)
		rte_eal_remote_launch(worker_main, &d->workers[i], d->workers[i].lcore);
}

static void
stop_workers(struct daemon *d)
{
	__atomic_store_n(&d->stop, true, __ATOMIC_RELAXED);
	rte_eal_mp_wait_lcore();
}

/* Everything is set up: answer until told to stop. */
static int
serve(struct daemon *d, struct err *e)
{
	struct events events = { .reclaim = NULL };
	int status = events_init(&events, d);

	if (status != 0) {
		err_set_code(e, -status, NULL, 0, NULL, "cannot set up timers and signals");
	} else {
		daemon_log("%u wire(s), %u worker(s), control socket %s", d->wires.n, d->n_workers,
			d->settings->socket);
		sd_notify(0, "READY=1");
		event_base_dispatch(d->base);
		sd_notify(0, "STOPPING=1");
	}
	events_fini(&events);
	return status;
}

static int
forward(struct daemon *d, struct err *e)
{
	struct writer_status last = { .written = 0 };
	int status = start_writer(d, e);

	if (status != 0)
		return status;
	status = wires_start(&d->wires, e);
	if (status == 0 && links_start(d) != 0)
		status = err_set_code(e, ENOMEM, NULL, 0, NULL, "cannot watch links");
	if (status == 0) {
		launch_workers(d);
		watchdog_start(d);
		status = serve(d, e);
		stop_workers(d);
	}
	writer_stop(d->writer, &last);
	daemon_log_totals(d, &last);
	links_stop(d);
	wires_stop(&d->wires);
	return status;
}

/* The socket comes first: where another daemon listens, not one frame may be forwarded twice. */
static int
run(struct daemon *d, struct err *e)
{
	struct control_server *server =
		control_server_new(d->base, d->settings->socket, commands, d, e);
	struct metrics_server *metrics = NULL;
	int status;

	if (server == NULL)
		return -errno;
	status = access_start(d, server, e);
	if (status == 0)
		status = metrics_server_start(d, &metrics, e);
	if (status == 0)
		status = telemetry_start(d, e);
	if (status == 0) {
		change_start(d);
		status = forward(d, e);
	}
	telemetry_stop();
	metrics_server_stop(metrics);
	control_server_free(server);
	return status;
}

static void
daemon_fini(struct daemon *d)
{
	unsigned int i;

	observe_stop(d);
	publisher_free(d->publisher);
	for (i = 0; d->rings != NULL && i < d->n_workers; i++)
		mirror_ring_free(d->rings[i]);
	free(d->rings);
	free(d->workers);
	free(d->policy_text);
	if (d->deadline != NULL)
		event_free(d->deadline);
	store_close(d->store);
	audit_log_free(d->audit);
	geo_ref_drop(d->geo);
	if (d->base != NULL)
		event_base_free(d->base);
}

/* Whatever clients ask for, events of DAEMON_URGENT wait for one request at most. */
static struct event_base *
base_new(void)
{
	const struct timeval turn = { .tv_usec = TURN_MS * 1000 };
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config != NULL &&
		event_config_set_max_dispatch_interval(config, &turn, -1, DAEMON_URGENT + 1) == 0)
		base = event_base_new_with_config(config);
	if (config != NULL)
		event_config_free(config);
	if (base != NULL && event_base_priority_init(base, DAEMON_URGENT + 2) != 0) {
		event_base_free(base);
		return NULL;
	}
	return base;
}

static int
start(struct daemon *d, struct err *e)
{
	struct timespec now;
	int status;

	clock_gettime(CLOCK_MONOTONIC, &now);
	d->started_s = (uint64_t)now.tv_sec;
	signal(SIGHUP, SIG_IGN); /* where nothing can be loaded again: while starting, draining */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	d->base = base_new();
	if (d->base == NULL)
		return err_set_code(e, ENOMEM, NULL, 0, NULL, "out of memory");
	status = eal_start(d->settings, e);
	if (status == 0)
		status = wires_setup(&d->wires, d->settings, e);
	if (status == 0)
		status = make_workers(d, e);
	if (status == 0 && observe_start(d) != 0)
		status = err_set_code(e, ENOMEM, NULL, 0, NULL, "out of memory");
	if (status == 0)
		status = privilege_drop(d->settings, &d->wires, e);
	if (status == 0)
		status = run(d, e);
	return status;
}

static int
exit_status(int status)
{
	if (status == 0)
		return CONTROL_DONE;
	return status == -EACCES || status == -EPERM ? CONTROL_NOT_PERMITTED : CONTROL_REFUSED;
}

int
main(int argc, char **argv)
{
	struct options options = { .settings = TREFOIL_SYSCONFDIR "/trefoild.ini" };
	struct err_list errors = { .n = 0 };
	struct daemon d = { .generation = 0 };
	struct settings *settings;
	struct err e;
	int status;

	(void)mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
	argp_err_exit_status = CONTROL_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &options);
	if (options.is_check)
		return exit_status(check_files(options.settings, options.is_json));
	settings = settings_load(options.settings, &errors);
	if (settings == NULL) {
		int saved = errno;

		daemon_log_errors(&errors);
		return exit_status(saved == EACCES ? -EACCES : -EINVAL);
	}
	d.settings = settings;
	crash_watch();
	privilege_begin();
	status = start(&d, &e);
	if (status != 0)
		log_error(&e);
	daemon_fini(&d);
	eal_stop();
	free(settings);
	return exit_status(status);
}
