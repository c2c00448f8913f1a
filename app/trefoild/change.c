/* SPDX-License-Identifier: BSD-3-Clause */
/* Proposals, approvals, confirmations, rollbacks. */
#include "change.h"

#include "geo_change.h"

#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct store_person
change_person(uint32_t uid, const char *name)
{
	struct store_person person = { .uid = uid, .at = time(NULL) };

	text_copy(person.name, sizeof(person.name), name);
	return person;
}

static uint32_t
next_number(const struct daemon *d)
{
	uint32_t stored = d->store != NULL ? store_next_number(d->store) : 0;

	return stored > d->generation ? stored : d->generation + 1;
}

static void
fill_record(struct store_record *r, const struct daemon *d, const struct generation *g,
	const struct change *change)
{
	*r = (struct store_record){
		.number = g->number,
		.parent = d->running.number,
		.state = STORE_CONFIRMED,
		.pushed = change->who,
		.confirmed = { .uid = STORE_NOBODY },
		.n_needed = change->n_approvals,
	};
	text_copy(r->kind, sizeof(r->kind), change->kind);
	text_copy(r->policy_name, sizeof(r->policy_name), g->policy->name);
	text_copy(r->policy_file, sizeof(r->policy_file), g->policy->file);
	text_copy(r->policy_sha256, sizeof(r->policy_sha256), g->policy->sha256);
	text_copy(r->geo_file, sizeof(r->geo_file), g->geo->path);
	text_copy(r->geo_sha256, sizeof(r->geo_sha256), g->geo->table->sha256);
	text_copy(r->message, sizeof(r->message), change->message != NULL ? change->message : "");
	r->confirm_within_s = change->confirm_within_s;
}

/* From the moment it judges. */
static void
set_judging(struct store_record *r)
{
	r->state = STORE_CONFIRMED;
	if (r->confirm_within_s == 0)
		return;
	r->state = STORE_UNCONFIRMED;
	change_set_deadline(r, r->confirm_within_s);
}

static int
keep(struct daemon *d, const struct store_record *record, const struct enact_text *text,
	const struct geo_ref *geo, struct err *e)
{
	int status;

	if (d->store == NULL)
		return err_set_code(e, EROFS, d->settings->state_dir, 0, "state_dir",
			"cannot be used, so no generation can be kept: see trefoilctl status");
	status = store_add(d->store, record, text->text, text->size, geo->bytes, geo->size, e);
	if (status == 0)
		daemon_alarm_clear(d, ALARM_STORE);
	return status;
}

/* The same for what must take effect in any case. */
static void
keep_if_possible(struct daemon *d, const struct store_record *record, const struct enact_text *text,
	const struct geo_ref *geo)
{
	char line[ALARM_SIZE];
	struct err e;

	if (keep(d, record, text, geo, &e) != 0)
		daemon_alarm(d, ALARM_STORE,
			"generation %u judges, but a restart would not know it: %s", record->number,
			err_format(&e, line, sizeof(line) - 80));
}

/* The texts live in the daemon, which publishing replaces: a copy. */
static int
complete(const struct daemon *d, const struct change *change, struct enact_text *text,
	struct err_list *errors)
{
	const struct generation *g = publisher_get(d->publisher);
	char *copy;

	if (change->text.text == NULL && (g == NULL || d->policy_text == NULL))
		return err_set_code(err_list_next(errors), ENOENT, NULL, 0, NULL,
			"no policy is running: push one first");
	*text = change->text;
	if (change->text.text == NULL)
		*text = (struct enact_text){ d->policy_text, d->policy_size, g->policy->file };
	copy = malloc(text->size + 1);
	if (copy == NULL)
		return err_set_code(err_list_next(errors), ENOMEM, NULL, 0, NULL, "out of memory");
	memcpy(copy, text->text, text->size);
	copy[text->size] = '\0';
	text->text = copy;
	return 0;
}

static int
may_propose(const struct daemon *d, const struct change *change, struct err_list *errors)
{
	if (change->geo == NULL && d->geo == NULL)
		return err_set_code(err_list_next(errors), ENOENT, d->settings->geo_table, 0, NULL,
			"no geo table is loaded, so nothing can be judged: put one there "
			"(trefoil-geo build) and send SIGHUP");
	if (d->running.state == STORE_UNCONFIRMED && d->running.number != 0)
		return err_set_code(err_list_next(errors), EBUSY, NULL, 0, NULL,
			"generation %u waits for its confirmation: confirm it or roll it back "
			"first",
			d->running.number);
	return 0;
}

/* Put on record how a generation ended, and by whom. */
static int
end_record(struct daemon *d, const struct store_record *ended, enum store_state state,
	const char *by, const char *why, struct err *e)
{
	struct store_record record = *ended;
	char note[2 * sizeof(record.note)];

	record.state = state;
	snprintf(note, sizeof(note), "by %s: %s", by, why);
	text_copy(record.note, sizeof(record.note), note);
	return store_update(d->store, &record, e);
}

/* Nobody can approve any more what was made to follow another generation than the one that judges
 * now. If the disk does not take it, may_approve() says the same. */
static void
refuse_overtaken(struct daemon *d)
{
	const struct store_record *list = NULL;
	char why[64];
	size_t i, n = 0;

	if (d->store != NULL)
		list = store_list(d->store, &n);
	snprintf(why, sizeof(why), "generation %u began to judge before it was approved",
		d->running.number);
	for (i = 0; i < n; i++)
		if (list[i].state == STORE_WAITING && list[i].parent != d->running.number)
			(void)end_record(d, &list[i], STORE_REFUSED, "trefoild", why, NULL);
}

/* Takes `g`. */
static int
publish(struct daemon *d, struct generation *g, const struct enact_text *text,
	const struct store_record *record, struct err_list *errors)
{
	if (enact_publish(d, g, text, record) != 0)
		return err_set_code(err_list_next(errors), ENOMEM, NULL, 0, NULL, "out of memory");
	change_arm(d, change_left_s(d));
	refuse_overtaken(d);
	return 0;
}

/* Takes `g`. */
static int
settle(struct daemon *d, struct generation *g, const struct enact_text *text,
	const struct change *change, bool *is_waiting, struct err_list *errors)
{
	struct store_record record;
	int status = 0;

	fill_record(&record, d, g, change);
	if (change->geo != NULL && record.n_needed == 0 && strcmp(change->kind, "geo") == 0)
		record.n_needed = geo_change_is_large(d, g, &record) ? 1 : 0;
	if (record.n_needed > 0)
		record.state = STORE_WAITING;
	else
		set_judging(&record);
	if (change->is_urgent)
		keep_if_possible(d, &record, text, g->geo);
	else
		status = keep(d, &record, text, g->geo, err_list_next(errors));
	if (status != 0) {
		generation_free(g);
		return status;
	}
	errors->n = errors->n_found = 0;
	*is_waiting = record.state == STORE_WAITING;
	if (!*is_waiting)
		return publish(d, g, text, &record, errors);
	daemon_event(d, "proposal", "generation %u waits for %u approval(s): policy %s, by %s",
		record.number, record.n_needed, record.policy_name, record.pushed.name);
	generation_free(g);
	return 0;
}

int
change_propose(struct daemon *d, const struct change *change, uint32_t *number, bool *is_waiting,
	struct err_list *errors)
{
	struct geo_ref *geo = change->geo != NULL ? change->geo : d->geo;
	struct generation *g;
	struct enact_text text;
	int status = may_propose(d, change, errors);

	if (status == 0)
		status = enact_make_room(d, errors);
	if (status == 0)
		status = complete(d, change, &text, errors);
	if (status != 0)
		return status;
	g = enact_compile(d, next_number(d), &text, geo, errors);
	if (g != NULL) {
		*number = g->number;
		status = settle(d, g, &text, change, is_waiting, errors);
	} else {
		status = -EINVAL;
	}
	enact_text_free(&text);
	return status;
}

int
change_read(struct daemon *d, const struct store_record *record, struct enact_text *text,
	struct geo_ref **geo, struct err_list *errors)
{
	struct err *e = err_list_next(errors);
	char *policy, *bytes;
	size_t size = 0;

	policy = store_read_policy(d->store, record, &size, e);
	if (policy == NULL)
		return -errno;
	*text = (struct enact_text){ policy, size, record->policy_file };
	*geo = NULL;
	if (d->geo != NULL && strcmp(d->geo->table->sha256, record->geo_sha256) == 0) {
		*geo = geo_ref_take(d->geo);
	} else if ((bytes = store_read_geo(d->store, record->geo_sha256, &size, e)) != NULL) {
		*geo = geo_ref_parse(bytes, size, record->geo_file, e);
		free(bytes);
	}
	if (*geo == NULL) {
		free(policy);
		return -EINVAL;
	}
	errors->n = errors->n_found = 0;
	return 0;
}

/* What somebody approves must be what it was when it was proposed: a change of what runs. */
static int
may_approve(struct daemon *d, const struct store_person *who, const struct store_record *r,
	struct err *e)
{
	uint32_t i;

	if (r->state == STORE_REFUSED)
		return err_set_code(e, ESTALE, NULL, 0, NULL,
			"generation %u cannot be approved any more (%s): push it again", r->number,
			r->note);
	if (r->state != STORE_WAITING)
		return err_set(e, NULL, 0, NULL, "generation %u is %s: it needs no approval",
			r->number, store_state_name(r->state));
	if (r->pushed.uid == who->uid)
		return err_set_code(e, EPERM, NULL, 0, NULL,
			"generation %u is your own: somebody else must approve it", r->number);
	for (i = 0; i < r->n_approvals; i++)
		if (r->approvals[i].uid == who->uid)
			return err_set_code(e, EPERM, NULL, 0, NULL,
				"you have approved generation %u already: %u more must", r->number,
				r->n_needed - r->n_approvals);
	if (r->parent != d->running.number)
		return err_set_code(e, ESTALE, NULL, 0, NULL,
			"generation %u was made to follow %u, but %u runs by now: push it again",
			r->number, r->parent, d->running.number);
	return 0;
}

/* The one that is left is no target of a later rollback. */
static void
mark_left(struct daemon *d, uint32_t number, const struct store_person *who, const char *message)
{
	const struct store_record *found =
		d->store != NULL && number != 0 ? store_find(d->store, number) : NULL;

	if (found != NULL && found->state != STORE_DAMAGED)
		(void)end_record(d, found, STORE_ROLLED_BACK, who->name, message, NULL);
}

static int
enact_approved(struct daemon *d, struct store_record *record, struct err_list *errors)
{
	struct geo_ref *geo;
	struct enact_text text;
	struct generation *g;
	uint32_t left = d->running.number;
	int status = enact_make_room(d, errors);

	if (status == 0)
		status = change_read(d, record, &text, &geo, errors);
	if (status != 0)
		return status;
	set_judging(record);
	g = enact_compile(d, record->number, &text, geo, errors);
	status = g == NULL ? -EINVAL : store_update(d->store, record, err_list_next(errors));
	if (status == 0) {
		errors->n = errors->n_found = 0;
		if (strcmp(record->kind, "rollback") == 0)
			mark_left(d, left, &record->pushed, record->message);
		status = publish(d, g, &text, record, errors);
	} else {
		generation_free(g);
	}
	enact_text_free(&text);
	geo_ref_drop(geo);
	return status;
}

static int
count_approval(
	struct daemon *d, struct store_record *record, bool *is_waiting, struct err_list *errors)
{
	const struct store_person *by = &record->approvals[record->n_approvals - 1];
	int status;

	*is_waiting = record->n_approvals < record->n_needed;
	if (!*is_waiting)
		return enact_approved(d, record, errors);
	status = store_update(d->store, record, err_list_next(errors));
	if (status != 0)
		return status;
	errors->n = errors->n_found = 0;
	daemon_event(d, "approval", "generation %u is approved by %s, %u more must", record->number,
		by->name, record->n_needed - record->n_approvals);
	return 0;
}

int
change_approve(struct daemon *d, const struct store_person *who, uint32_t number, bool *is_waiting,
	struct err_list *errors)
{
	const struct store_record *found = d->store != NULL ? store_find(d->store, number) : NULL;
	struct store_record record;
	struct err *e = err_list_next(errors);
	int status;

	if (found == NULL)
		return err_set_code(e, ENOENT, NULL, 0, NULL, "there is no generation %u", number);
	record = *found;
	status = may_approve(d, who, &record, e);
	if (status != 0)
		return status;
	errors->n = errors->n_found = 0;
	record.approvals[record.n_approvals++] = *who;
	return count_approval(d, &record, is_waiting, errors);
}

int
change_confirm(
	struct daemon *d, const struct store_person *who, uint32_t number, struct err_list *errors)
{
	struct store_record record = d->running;
	struct err *e = err_list_next(errors);
	int status;

	if (record.number == 0 || record.state != STORE_UNCONFIRMED)
		return err_set_code(
			e, ENOENT, NULL, 0, NULL, "no generation waits to be confirmed");
	if (number != 0 && number != record.number)
		return err_set_code(e, ESTALE, NULL, 0, NULL,
			"generation %u runs and waits to be confirmed, not %u", record.number,
			number);
	record.state = STORE_CONFIRMED;
	record.confirmed = *who;
	status = store_update(d->store, &record, e);
	if (status != 0)
		return status;
	errors->n = errors->n_found = 0;
	d->running = record;
	change_arm(d, 0);
	daemon_event(d, "confirm", "generation %u is confirmed by %s", record.number, who->name);
	return 0;
}

static bool
is_same(const struct store_record *a, const struct store_record *b)
{
	return strcmp(a->policy_sha256, b->policy_sha256) == 0 &&
	       strcmp(a->geo_sha256, b->geo_sha256) == 0;
}

/* Has somebody gone back from the same later on? */
static bool
was_left(const struct store_record *list, size_t n, const struct store_record *r)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (list[i].number > r->number && list[i].state == STORE_ROLLED_BACK &&
			is_same(&list[i], r))
			return true;
	return false;
}

const struct store_record *
change_find_target(const struct daemon *d, bool is_geo)
{
	const struct store_record *list, *now = &d->running;
	size_t i, n = 0;

	if (d->store == NULL)
		return NULL;
	if (now->state == STORE_UNCONFIRMED && !is_geo)
		return store_newest(d->store, STORE_CONFIRMED);
	list = store_list(d->store, &n);
	for (i = n; i > 0; i--) {
		const struct store_record *r = &list[i - 1];

		if (r->state != STORE_CONFIRMED || (now->number != 0 && r->number >= now->number))
			continue;
		if (is_geo ? strcmp(r->geo_sha256, now->geo_sha256) != 0
			   : !is_same(r, now) && !was_left(list, n, r))
			return r;
	}
	return NULL;
}

/* Only what has judged once may judge again without being looked at. */
static const struct store_record *
find_judged(const struct daemon *d, uint32_t target, struct err *e)
{
	const struct store_record *r;

	if (target == 0)
		r = change_find_target(d, false);
	else
		r = d->store != NULL ? store_find(d->store, target) : NULL;
	if (r == NULL && target == 0)
		err_set(e, NULL, 0, NULL, "there is no earlier generation to go back to");
	else if (r == NULL)
		err_set(e, NULL, 0, NULL, "there is no generation %u: see trefoilctl history",
			target);
	else if (r->state != STORE_CONFIRMED && r->state != STORE_ROLLED_BACK)
		err_set(e, NULL, 0, NULL, "generation %u is %s: it has not judged", r->number,
			store_state_name(r->state));
	else if (r->number == d->running.number)
		err_set(e, NULL, 0, NULL, "generation %u is the running one", r->number);
	else
		return r;
	return NULL;
}

/* Takes `g`. */
static int
go_back(struct daemon *d, struct generation *g, const struct enact_text *text,
	const struct change *change, uint32_t target, struct err_list *errors)
{
	uint32_t left = d->running.number;
	struct store_record record;
	int status;

	fill_record(&record, d, g, change);
	keep_if_possible(d, &record, text, g->geo);
	mark_left(d, left, &change->who, record.message);
	status = publish(d, g, text, &record, errors);
	if (status == 0)
		daemon_event(d, "rollback", "generation %u was rolled back to %u by %s: %s", left,
			target, change->who.name, record.message);
	return status;
}

/* Back to the generation before is always free; what lies farther back is a proposal like others,
 * also for who goes there step by step. */
static bool
needs_approval(const struct daemon *d, uint32_t target)
{
	const struct store_record *before = change_find_target(d, false);
	bool has_gone_back = strcmp(d->running.kind, "rollback") == 0 && d->running.n_needed == 0;

	return before == NULL || before->number != target || has_gone_back;
}

/* Who pushed the wrong thing must be able to take it back before somebody approves it. */
static int
withdraw(struct daemon *d, const struct store_record *proposal, const struct change *change,
	struct err_list *errors)
{
	uint32_t number = proposal->number;
	int status = end_record(d, proposal, STORE_REFUSED, change->who.name, change->message,
		err_list_next(errors));

	if (status != 0)
		return status;
	errors->n = errors->n_found = 0;
	daemon_event(d, "proposal", "generation %u is withdrawn by %s: %s", number,
		change->who.name, change->message);
	return 0;
}

int
change_rollback(struct daemon *d, const struct change *wanted, uint32_t target, uint32_t *number,
	bool *is_waiting, struct err_list *errors)
{
	const struct store_record *waiting =
		target != 0 && d->store != NULL ? store_find(d->store, target) : NULL;
	const struct store_record *found;
	struct change change = *wanted;
	struct store_record record;
	struct generation *g;
	int status;

	*is_waiting = false;
	*number = target;
	if (waiting != NULL && waiting->state == STORE_WAITING)
		return withdraw(d, waiting, wanted, errors);
	found = find_judged(d, target, err_list_next(errors));
	if (found == NULL)
		return -EINVAL;
	record = *found;
	errors->n = errors->n_found = 0;
	status = change_read(d, &record, &change.text, &change.geo, errors);
	if (status != 0)
		return status;
	if (change.n_approvals > 0 && needs_approval(d, record.number)) {
		status = change_propose(d, &change, number, is_waiting, errors);
	} else {
		change.n_approvals = 0;
		*number = next_number(d);
		g = enact_compile(d, *number, &change.text, change.geo, errors);
		status = g != NULL ? go_back(d, g, &change.text, &change, record.number, errors)
				   : -EINVAL;
	}
	enact_text_free(&change.text);
	geo_ref_drop(change.geo);
	return status;
}

/* What waits for its confirmation goes on waiting, under its number; the data is old all the same. */
static void
age_unconfirmed(struct daemon *d)
{
	const struct change change = { .kind = "age" };
	struct store_record record = d->running;
	struct err_list errors = { .n = 0 };
	struct generation *g = NULL;
	struct enact_text text;
	char line[1024], kind[sizeof(record.kind)];

	if (complete(d, &change, &text, &errors) == 0) {
		g = enact_compile(d, record.number, &text, d->geo, &errors);
		text_copy(record.kind, sizeof(record.kind), change.kind); /* of the event */
		memcpy(kind, d->running.kind, sizeof(kind));
		if (g != NULL)
			(void)publish(d, g, &text, &record, &errors);
		memcpy(d->running.kind, kind, sizeof(kind));
		enact_text_free(&text);
	}
	if (g == NULL && errors.n > 0)
		daemon_log("%s", err_format(&errors.items[0], line, sizeof(line)));
}

void
change_age(struct daemon *d)
{
	struct change change = { .kind = "age",
		.who = change_person(STORE_NOBODY, "trefoild"),
		.message = "the age of the geo data changed" };
	struct err_list errors = { .n = 0 };
	struct store_record record;
	struct generation *g;
	struct enact_text text;
	char line[1024];

	if (publisher_get(d->publisher) == NULL)
		return;
	if (d->running.state == STORE_UNCONFIRMED) {
		age_unconfirmed(d);
		return;
	}
	if (may_propose(d, &change, &errors) != 0 || complete(d, &change, &text, &errors) != 0)
		return;
	g = enact_compile(d, next_number(d), &text, d->geo, &errors);
	if (g != NULL) {
		fill_record(&record, d, g, &change);
		keep_if_possible(d, &record, &text, g->geo);
		publish(d, g, &text, &record, &errors);
	} else if (errors.n > 0) {
		daemon_log("%s", err_format(&errors.items[0], line, sizeof(line)));
	}
	enact_text_free(&text);
}
