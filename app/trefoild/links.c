/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Links are asked for ten times a second, and at once when a driver reports a change by interrupt.
 *
 * A device that went: workers are told to keep off the port (is_open), after one grace period none
 * is in its driver any more and it is taken out. When it can be made again, it is, and workers get
 * its new id; after another grace period none remembers the old one, and the port is opened.
 *
 * A port whose driver holds frames from before its link went (leftover.h) goes the same way when the
 * link is back: what was approved then may not be any more, and it must not be sent.
 */
#include "links.h"

#include "leftover.h"
#include "plug.h"
#include "propagation.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS  100
#define RETRY_MS 1000 /* between two attempts to bring a device back */

enum plugged {
	PLUG_IN,
	PLUG_LEAVING, /* workers may still be in its driver */
	PLUG_OUT,
	PLUG_RETURNING, /* workers may still remember its old id */
};

struct link {
	struct port *port;
	enum plugged plugged;
	uint64_t token;       /* of the grace period */
	uint64_t tried_ms;    /* to bring it back */
	bool was_removed;     /* atomic: set by the interrupt thread */
	bool was_up, is_mute; /* as of the last event; it cannot be switched */
	bool is_anew;         /* its device was there all the time */
	struct leftover leftover;
	char error[256]; /* the last one of bringing it back */
};

struct links {
	struct event *timer, *wake;
	int fd; /* eventfd: a driver reported something */
	struct propagation wires[WIRES_MAX];
	struct link items[2 * WIRES_MAX]; /* in the order of worker_queue.interface */
};

static uint64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static const char *
wire_name(const struct daemon *d, unsigned int i)
{
	return d->wires.items[i / 2].settings->name;
}

/* From now on workers keep off the port; sure once the grace period is over. */
static void
close_port(struct daemon *d, struct link *l)
{
	__atomic_store_n(&l->port->link_up, false, __ATOMIC_RELEASE);
	__atomic_store_n(&l->port->is_open, false, __ATOMIC_RELEASE);
	l->token = rte_rcu_qsbr_start(publisher_workers(d->publisher));
}

static bool
has_passed(const struct daemon *d, const struct link *l)
{
	return rte_rcu_qsbr_check(publisher_workers(d->publisher), l->token, false) == 1;
}

/* Tell workers the port's new id while they keep off it. */
static void
renumber(struct daemon *d, const struct port *port)
{
	unsigned int i, k;

	for (i = 0; i < d->n_workers; i++)
		for (k = 0; k < d->workers[i].n_queues; k++) {
			struct worker_queue *q = &d->workers[i].queues[k];

			if (q->rx_is_open == &port->is_open)
				q->rx_port = port->id;
			if (q->tx_link_up == &port->link_up)
				q->tx_port = port->id;
		}
}

static void
begin_leaving(struct daemon *d, struct link *l)
{
	l->plugged = PLUG_LEAVING;
	l->was_up = false;
	close_port(d, l);
}

static void
let_go(struct daemon *d, unsigned int i)
{
	struct link *l = &d->links->items[i];

	daemon_event(d, "port-gone",
		"wire %s: the device of port %s is gone; it is used again when it is back",
		wire_name(d, i), l->port->name);
	l->port->n_unplugged++;
	begin_leaving(d, l);
}

static void
begin_anew(struct daemon *d, unsigned int i)
{
	struct link *l = &d->links->items[i];

	daemon_event(d, "link",
		"wire %s: port %s begins anew: frames of before that its driver holds are not sent",
		wire_name(d, i), l->port->name);
	l->is_anew = true;
	begin_leaving(d, l);
}

static void
bring_back(struct daemon *d, unsigned int i, uint64_t now)
{
	struct link *l = &d->links->items[i];
	struct err e;
	char text[sizeof(l->error)];

	if (!plug_can_return(l->port, d->settings)) {
		l->is_anew = false;
		return;
	}
	if (now - l->tried_ms < RETRY_MS)
		return;
	l->tried_ms = now;
	if (plug_bring_back(&d->wires, l->port, d->settings, d->wires.items[i / 2].settings, &e) ==
		0) {
		l->plugged = PLUG_RETURNING;
		l->error[0] = '\0';
		renumber(d, l->port);
		l->token = rte_rcu_qsbr_start(publisher_workers(d->publisher));
		return;
	}
	err_format(&e, text, sizeof(text));
	if (strcmp(text, l->error) != 0)
		daemon_log("%s", text);
	memcpy(l->error, text, sizeof(text));
}

static void
open_port(struct daemon *d, unsigned int i, uint64_t now)
{
	struct link *l = &d->links->items[i];

	leftover_begin(&l->leftover, l->port, d->links->items[i ^ 1].port, d->settings, now);
	l->plugged = PLUG_IN;
	l->is_mute = false;
	__atomic_store_n(&l->was_removed, false, __ATOMIC_RELAXED);
	__atomic_store_n(&l->port->is_open, true, __ATOMIC_RELEASE);
	if (!l->is_anew)
		daemon_event(d, "port-back", "wire %s: the device of port %s is back",
			wire_name(d, i), l->port->name);
	l->is_anew = false;
}

static void
attend_device(struct daemon *d, unsigned int i, uint64_t now)
{
	struct link *l = &d->links->items[i];

	if (l->plugged == PLUG_IN &&
		(plug_is_gone(l->port) || __atomic_load_n(&l->was_removed, __ATOMIC_RELAXED)))
		let_go(d, i);
	if (l->plugged == PLUG_IN && leftover_look(&l->leftover, l->port, now) &&
		wires_has_link(l->port))
		begin_anew(d, i);
	if (l->plugged == PLUG_LEAVING && has_passed(d, l)) {
		plug_take_out(l->port);
		l->plugged = PLUG_OUT;
	}
	if (l->plugged == PLUG_OUT)
		bring_back(d, i, now);
	if (l->plugged == PLUG_RETURNING && has_passed(d, l))
		open_port(d, i, now);
}

static const char *
state_name(const struct link *l, enum propagation_state state)
{
	static const char *const names[] = {
		[PROPAGATION_STARTING] = "starting",
		[PROPAGATION_UP] = "up",
		[PROPAGATION_DOWN] = "down",
		[PROPAGATION_WAITING] = "hold-down",
		[PROPAGATION_HELD] = "held",
	};

	return l->plugged == PLUG_IN ? names[state] : l->is_anew ? "starting" : "unplugged";
}

/* A driver that cannot is told of once; frames to the port are dropped all the same. */
static void
switch_link(struct daemon *d, unsigned int i, bool is_on)
{
	struct link *l = &d->links->items[i];
	int status = wires_switch_link(l->port, is_on);

	if (status == 0 || status == -ENODEV || l->is_mute)
		return;
	l->is_mute = true;
	daemon_log("wire %s: port %s cannot be switched %s (%s): its neighbour sees a link while "
		   "nothing passes",
		wire_name(d, i), l->port->name, is_on ? "on" : "off", strerror(-status));
}

static void
say_held(struct daemon *d, unsigned int i, bool is_held)
{
	const struct port *port = d->links->items[i].port, *other = d->links->items[i ^ 1].port;

	if (is_held)
		daemon_event(d, "link-held",
			"wire %s: port %s is taken down, since port %s has no link",
			wire_name(d, i), port->name, other->name);
	else
		daemon_event(d, "link-released",
			"wire %s: port %s is let go, since the link of port %s is back",
			wire_name(d, i), port->name, other->name);
}

/* Carry out what was decided for a side; `has_link` is what it showed before. */
static void
apply(struct daemon *d, unsigned int i, bool was_held, bool has_link)
{
	struct link *l = &d->links->items[i];
	const struct propagation *p = &d->links->wires[i / 2];
	const struct propagation_side *side = &p->sides[i % 2];
	bool is_held = propagation_is_held(p, i % 2), is_up = has_link && !is_held;

	if (!is_up)
		__atomic_store_n(&l->port->link_up, false, __ATOMIC_RELEASE);
	if (is_held != was_held)
		say_held(d, i, is_held);
	if (is_held && (!was_held || has_link) && !l->is_mute)
		switch_link(d, i, false);
	if (!is_held && was_held)
		switch_link(d, i, true);
	if (is_up != l->was_up && !is_held)
		daemon_event(d, "link", "wire %s: the link of port %s is %s", wire_name(d, i),
			l->port->name, is_up ? "up" : "down");
	l->was_up = is_up;
	l->port->state = state_name(l, side->state);
	l->port->n_downs = side->n_downs;
	l->port->n_held = side->n_held;
	__atomic_store_n(&l->port->link_up, is_up && l->plugged == PLUG_IN && !l->leftover.is_there,
		__ATOMIC_RELEASE);
}

/* The first wire that has something to say. */
static void
attend_alarm(struct daemon *d)
{
	struct links *links = d->links;
	unsigned int i;

	for (i = 0; i < 2 * d->wires.n; i++) {
		const struct link *l = &links->items[i];
		bool is_other_held = propagation_is_held(&links->wires[i / 2], (i % 2) ^ 1);

		if (l->was_up || propagation_is_held(&links->wires[i / 2], i % 2))
			continue;
		daemon_alarm(d, ALARM_LINK, "wire %s: port %s has no link%s%s%s", wire_name(d, i),
			l->port->name,
			l->plugged == PLUG_IN || l->is_anew ? "" : ", its device is gone",
			is_other_held ? "; down with it: port " : "",
			is_other_held ? links->items[i ^ 1].port->name : "");
		return;
	}
	daemon_alarm_clear(d, ALARM_LINK);
}

static void
attend_wire(struct daemon *d, unsigned int wire, uint64_t now)
{
	struct propagation *p = &d->links->wires[wire];
	bool has_link[2], was_held[2];
	unsigned int side;

	for (side = 0; side < 2; side++) {
		struct link *l = &d->links->items[2 * wire + side];

		attend_device(d, 2 * wire + side, now);
		has_link[side] = l->plugged == PLUG_IN && wires_has_link(l->port);
		was_held[side] = propagation_is_held(p, side);
	}
	(void)propagation_step(p, has_link, now);
	for (side = 0; side < 2; side++)
		apply(d, 2 * wire + side, was_held[side], has_link[side]);
}

static void
look(struct daemon *d)
{
	uint64_t now = now_ms();
	unsigned int i;

	for (i = 0; i < d->wires.n; i++)
		attend_wire(d, i, now);
	attend_alarm(d);
	daemon_set_waits(d);
}

static void
on_look(evutil_socket_t fd, short what, void *arg)
{
	look(arg);
}

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	eventfd_t n;

	(void)eventfd_read(fd, &n);
	look(arg);
}

/* In DPDK's interrupt thread. */
static int
on_device(uint16_t id, enum rte_eth_event_type type, void *arg, void *unused)
{
	struct daemon *d = arg;
	unsigned int i;

	(void)unused;
	for (i = 0; type == RTE_ETH_EVENT_INTR_RMV && i < 2 * d->wires.n; i++)
		if (d->links->items[i].port->id == id)
			__atomic_store_n(&d->links->items[i].was_removed, true, __ATOMIC_RELAXED);
	(void)eventfd_write(d->links->fd, 1);
	return 0;
}

static void
init_items(struct daemon *d)
{
	uint64_t now = now_ms();
	unsigned int i;

	for (i = 0; i < d->wires.n; i++) {
		struct wire *w = &d->wires.items[i];
		const struct settings_wire *s = w->settings;

		d->links->items[2 * i].port = &w->inside;
		d->links->items[2 * i + 1].port = &w->outside;
		leftover_begin(&d->links->items[2 * i].leftover, &w->inside, &w->outside,
			d->settings, now);
		leftover_begin(&d->links->items[2 * i + 1].leftover, &w->outside, &w->inside,
			d->settings, now);
		propagation_init(&d->links->wires[i], s->link_propagation, s->link_hold_down_ms,
			s->link_settle_ms, now);
	}
}

static int
start_events(struct daemon *d)
{
	const struct timeval period = { .tv_usec = LOOK_MS * 1000 };
	struct links *links = d->links;

	links->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (links->fd < 0)
		return -errno;
	links->timer = event_new(d->base, -1, EV_PERSIST, on_look, d);
	links->wake = event_new(d->base, links->fd, EV_READ | EV_PERSIST, on_wake, d);
	if (links->timer == NULL || links->wake == NULL)
		return -ENOMEM;
	(void)event_priority_set(links->timer, DAEMON_URGENT);
	(void)event_priority_set(links->wake, DAEMON_URGENT);
	if (event_add(links->timer, &period) != 0 || event_add(links->wake, NULL) != 0)
		return -ENOMEM;
	return 0;
}

int
links_start(struct daemon *d)
{
	int status;

	d->links = calloc(1, sizeof(*d->links));
	if (d->links == NULL)
		return -ENOMEM;
	d->links->fd = -1;
	init_items(d);
	status = start_events(d);
	if (status != 0)
		return status;
	(void)rte_eth_dev_callback_register(RTE_ETH_ALL, RTE_ETH_EVENT_INTR_LSC, on_device, d);
	(void)rte_eth_dev_callback_register(RTE_ETH_ALL, RTE_ETH_EVENT_INTR_RMV, on_device, d);
	look(d);
	return 0;
}

/* When this returns the interrupt thread is not in on_device() any more. */
static void
unregister(struct daemon *d, enum rte_eth_event_type type)
{
	while (rte_eth_dev_callback_unregister(RTE_ETH_ALL, type, on_device, d) == -EAGAIN)
		sched_yield();
}

void
links_stop(struct daemon *d)
{
	struct links *links = d->links;
	unsigned int i;

	if (links == NULL)
		return;
	unregister(d, RTE_ETH_EVENT_INTR_LSC);
	unregister(d, RTE_ETH_EVENT_INTR_RMV);
	for (i = 0; i < 2 * d->wires.n; i++)
		if (propagation_is_held(&links->wires[i / 2], i % 2))
			switch_link(d, i, true);
	if (links->timer != NULL)
		event_free(links->timer);
	if (links->wake != NULL)
		event_free(links->wake);
	if (links->fd >= 0)
		close(links->fd);
	free(links);
	d->links = NULL;
}
