/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Until when a generation must be confirmed. The clock of the running boot counts, which nobody
 * sets; after another boot the wall clock does. Time in which no daemon ran counts too: who was cut
 * off is let in again when it was promised.
 */
#include "change.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define RETRY_S 1

static int64_t
boot_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec;
}

/* "" = unknown: then the wall clock decides. */
static void
read_boot_id(char *out, size_t size)
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	out[0] = '\0';
	if (file == NULL)
		return;
	if (fgets(out, (int)size, file) == NULL)
		out[0] = '\0';
	out[strcspn(out, "\n")] = '\0';
	fclose(file);
}

void
change_set_deadline(struct store_record *record, uint32_t within_s)
{
	record->deadline = time(NULL) + within_s;
	record->deadline_boot = boot_time() + within_s;
	read_boot_id(record->boot_id, sizeof(record->boot_id));
}

uint32_t
change_deadline_left(const struct store_record *record)
{
	char boot_id[sizeof(record->boot_id)];
	int64_t left;

	read_boot_id(boot_id, sizeof(boot_id));
	if (boot_id[0] != '\0' && strcmp(boot_id, record->boot_id) == 0)
		left = record->deadline_boot - boot_time();
	else
		left = record->deadline - time(NULL);
	/* More than there ever was: the clock was set back, nobody knows how much is left. */
	return left > 0 && left <= record->confirm_within_s ? (uint32_t)left : 0;
}

uint32_t
change_left_s(const struct daemon *d)
{
	uint32_t left;

	if (d->running.number == 0 || d->running.state != STORE_UNCONFIRMED)
		return 0;
	left = change_deadline_left(&d->running);
	return left > 0 ? left : 1;
}

/* To the newest confirmed generation, older ones where that is damaged. `errors` of the newest. */
static int
fall_back(struct daemon *d, const struct change *change, struct err_list *errors)
{
	const struct store_record *list;
	size_t i, n = 0;
	bool is_waiting;
	uint32_t number;

	list = d->store != NULL ? store_list(d->store, &n) : NULL;
	for (i = n; i > 0; i--) {
		struct err_list why = { .n = 0 };

		if (list[i - 1].state != STORE_CONFIRMED)
			continue;
		if (change_rollback(d, change, list[i - 1].number, &number, &is_waiting, &why) == 0)
			return 0;
		if (errors->n == 0)
			*errors = why;
	}
	return -ENOENT;
}

static void
expire(struct daemon *d)
{
	struct change change = { .kind = "rollback",
		.who = change_person(STORE_NOBODY, "trefoild") };
	struct err_list errors = { .n = 0 };
	char message[128], line[ALARM_SIZE];

	snprintf(message, sizeof(message), "generation %u was not confirmed within %u s",
		d->running.number, d->running.confirm_within_s);
	change.message = message;
	if (fall_back(d, &change, &errors) == 0) {
		daemon_alarm_clear(d, ALARM_ROLLBACK);
		return;
	}
	if (errors.n == 0)
		err_set(err_list_next(&errors), NULL, 0, NULL, "there is no confirmed generation");
	daemon_alarm(d, ALARM_ROLLBACK, "%s, but it cannot be rolled back: %s", message,
		err_format(&errors.items[0], line, sizeof(line) - 160));
	change_arm(d, RETRY_S);
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	if (d->running.state == STORE_UNCONFIRMED)
		expire(d);
}

void
change_arm(struct daemon *d, uint32_t left_s)
{
	const struct timeval left = { .tv_sec = left_s };

	if (d->deadline == NULL && d->base != NULL) {
		d->deadline = evtimer_new(d->base, on_deadline, d);
		if (d->deadline != NULL)
			(void)event_priority_set(d->deadline, DAEMON_URGENT);
	}
	if (d->deadline == NULL)
		return;
	event_del(d->deadline);
	if (left_s > 0)
		event_add(d->deadline, &left);
}
