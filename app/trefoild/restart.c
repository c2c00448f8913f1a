/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What judges after a start, in this order:
 *
 *   the generation that waited for its confirmation, with the time that is left to it;
 *   the newest confirmed generation that can be loaded;
 *   the policy file and geo table of trefoild.ini, when there has never been a generation.
 *
 * Anything else is closed: older files in /etc must not take the place of what was pushed.
 */
#include "change.h"

#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int
load(struct daemon *d, const struct store_record *record, struct err_list *errors)
{
	struct store_record copy = *record;
	struct generation *g;
	struct enact_text text;
	struct geo_ref *geo;
	int status = change_read(d, &copy, &text, &geo, errors);

	if (status != 0)
		return status;
	g = enact_compile(d, copy.number, &text, geo, errors);
	status = g != NULL ? enact_publish(d, g, &text, &copy) : -EINVAL;
	enact_text_free(&text);
	geo_ref_drop(geo);
	return status;
}

/* Nobody knows whether it was confirmed: an older policy may judge in its place. */
static void
say_damaged(struct daemon *d, const struct store_record *record)
{
	daemon_alarm(d, ALARM_STORE, "generation %u cannot be loaded: %.300s", record->number,
		record->note);
}

/* The newest confirmed one, older ones where that is damaged. */
static int
load_confirmed(struct daemon *d, struct err_list *errors)
{
	const struct store_record *list;
	char line[ALARM_SIZE];
	size_t i, n;

	list = store_list(d->store, &n);
	for (i = n; i > 0; i--) {
		struct err_list why = { .n = 0 };

		if (list[i - 1].state == STORE_DAMAGED)
			say_damaged(d, &list[i - 1]);
		if (list[i - 1].state != STORE_CONFIRMED)
			continue;
		if (load(d, &list[i - 1], &why) == 0)
			return 0;
		*errors = why;
		daemon_alarm(d, ALARM_STORE, "generation %u cannot be loaded: %s",
			list[i - 1].number,
			why.n > 0 ? err_format(&why.items[0], line, sizeof(line) - 80) : "");
	}
	if (errors->n == 0)
		err_set(err_list_next(errors), d->settings->state_dir, 0, "state_dir",
			"no generation in it can be loaded: push a policy");
	return -EINVAL;
}

/* Unconfirmed and newer than what is confirmed: its time goes on, or is over. */
static int
load_unconfirmed(struct daemon *d, const struct store_record *record, struct err_list *errors)
{
	uint32_t left = change_deadline_left(record);
	struct store_record copy = *record;

	if (left > 0 && load(d, record, errors) == 0) {
		daemon_event(d, "start", "generation %u must be confirmed within %u s", copy.number,
			left);
		change_arm(d, left);
		return 0;
	}
	daemon_log_errors(errors);
	errors->n = errors->n_found = 0;
	return -ETIME;
}

/* Say that it is over, and on what the border fell back. */
static void
end_unconfirmed(struct daemon *d, uint32_t number)
{
	struct store_record record = *store_find(d->store, number);

	record.state = STORE_ROLLED_BACK;
	snprintf(record.note, sizeof(record.note),
		"by trefoild: not confirmed within %u s, found at the start",
		record.confirm_within_s);
	(void)store_update(d->store, &record, NULL);
	daemon_event(d, "rollback",
		"generation %u was rolled back to %u by trefoild: it was not confirmed within %u "
		"s",
		number, d->running.number, record.confirm_within_s);
}

static int
load_stored(struct daemon *d, struct err_list *errors)
{
	const struct store_record *waiting = store_newest(d->store, STORE_UNCONFIRMED);
	const struct store_record *confirmed = store_newest(d->store, STORE_CONFIRMED);
	uint32_t number = waiting != NULL ? waiting->number : 0;
	int status;

	d->generation = store_next_number(d->store) - 1;
	if (confirmed != NULL && confirmed->number > number)
		number = 0; /* a rollback whose last step is missing */
	if (number != 0 && load_unconfirmed(d, waiting, errors) == 0)
		return 0;
	status = load_confirmed(d, errors);
	if (status == 0 && number != 0)
		end_unconfirmed(d, number);
	return status;
}

/* The files of trefoild.ini become generation 1. */
static int
load_files(struct daemon *d, struct err_list *errors)
{
	struct change change = { .kind = "start",
		.message = "start",
		.is_urgent = true,
		.who = change_person(STORE_NOBODY, "trefoild") };
	struct geo_ref *geo = geo_ref_load(d->settings->geo_table, err_list_next(errors));
	bool is_waiting;
	uint32_t number;
	char *text;
	int status = -EINVAL;

	if (geo == NULL)
		return -EINVAL;
	geo_ref_drop(d->geo); /* of a try before, whose policy was bad */
	d->geo = geo;
	errors->n = errors->n_found = 0;
	text = ini_load(d->settings->policy, &change.text.size, errors);
	change.text.text = text;
	change.text.name = d->settings->policy;
	if (text != NULL)
		status = change_propose(d, &change, &number, &is_waiting, errors);
	free(text);
	return status;
}

/* Nothing judges by it: a push needs one, and there must be a way out of being closed. */
static void
load_table(struct daemon *d)
{
	struct err_list errors = { .n = 0 };

	if (d->geo == NULL)
		d->geo = geo_ref_load(d->settings->geo_table, err_list_next(&errors));
	if (d->geo == NULL)
		daemon_log_errors(&errors);
}

static bool
is_empty(const struct daemon *d)
{
	size_t n;

	store_list(d->store, &n);
	return n == 0;
}

/* A directory that cannot be made holds nothing; one that cannot be read may hold anything. */
static int
open_store(struct daemon *d, struct err_list *errors)
{
	struct err *e = err_list_next(errors);
	char line[ALARM_SIZE];
	struct stat what;

	if (d->store == NULL)
		d->store = store_open(d->settings->state_dir, NULL, e);
	if (d->store == NULL && (lstat(d->settings->state_dir, &what) == 0 ||
					(errno != ENOENT && errno != ENOTDIR)))
		return -EINVAL;
	if (d->store == NULL)
		daemon_alarm(d, ALARM_STORE, "nothing can be pushed: %s",
			err_format(e, line, sizeof(line) - 80));
	errors->n = errors->n_found = 0;
	return 0;
}

void
change_start(struct daemon *d)
{
	struct err_list errors = { .n = 0 };
	char text[1024] = "no policy";
	int status = open_store(d, &errors);

	if (status == 0)
		status = d->store != NULL && !is_empty(d) ? load_stored(d, &errors)
							  : load_files(d, &errors);
	if (status == 0)
		return;
	load_table(d);
	daemon_log_errors(&errors);
	if (errors.n > 0)
		err_format(&errors.items[0], text, sizeof(text));
	daemon_alarm(d, ALARM_POLICY, "closed, everything is dropped: %.400s", text);
}
