/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * push, confirm, rollback, approve, history, show. Texts of policies are checked by the same parser
 * that trefoilctl check runs; a request that fails changes nothing.
 */
#include "change_commands.h"

#include "base/text.h"
#include "report.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

json_t *
change_refuse(const char *key, const char *message)
{
	struct err e;

	err_set(&e, NULL, 0, key, "%s", message);
	return control_refuse(CONTROL_REFUSED, &e, 1);
}

const char *
change_text(const json_t *request, const char *key)
{
	return json_string_value(json_object_get(request, key));
}

struct store_person
change_peer(const struct control_peer *peer)
{
	const struct passwd *user = getpwuid(peer->uid);
	char name[32];

	snprintf(name, sizeof(name), "uid %u", peer->uid);
	return change_person(peer->uid, user != NULL ? user->pw_name : name);
}

json_t *
change_answer(struct daemon *d, int status, uint32_t number, bool is_waiting,
	const struct err_list *errors)
{
	const struct store_record *record;
	json_t *result;

	if (status != 0)
		return control_refuse(status == -EPERM ? CONTROL_NOT_PERMITTED : CONTROL_REFUSED,
			errors->items, errors->n);
	result = report_status(d);
	if (result == NULL)
		return change_refuse(NULL, "out of memory");
	record = d->store != NULL ? store_find(d->store, number) : NULL;
	json_object_set_new(result, "change",
		json_pack("{s:I, s:b, s:b, s:s}", "generation", (json_int_t)number, "waiting",
			(int)is_waiting, "withdrawn",
			record != NULL && record->state == STORE_REFUSED, "note",
			record != NULL ? record->note : ""));
	return control_ok(result);
}

/* A number of 1..max, 0 when there is none; -1 = something else. */
static int64_t
number_of(const json_t *request, const char *key, int64_t max)
{
	const json_t *value = json_object_get(request, key);
	json_int_t number = json_integer_value(value);

	if (value == NULL)
		return 0;
	return json_is_integer(value) && number >= 1 && number <= max ? number : -1;
}

const char *
change_forged(const json_t *request)
{
	static const char *const keys[] = { "name", "message" };
	const char *text;
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		text = change_text(request, keys[i]);
		if (text != NULL && text_has_control(text))
			return keys[i];
	}
	return NULL;
}

json_t *
change_on_push(void *context, const struct control_peer *peer, const json_t *request)
{
	struct daemon *d = context;
	const json_t *text = json_object_get(request, "text");
	const char *name = change_text(request, "name"), *bad = change_forged(request);
	int64_t within = number_of(request, "confirm_within_s", CHANGE_WITHIN_MAX_S);
	struct err_list errors = { .n = 0 };
	struct change change = { .kind = "push",
		.who = change_peer(peer),
		.message = change_text(request, "message"),
		.n_approvals = d->settings->approvals };
	bool is_waiting = false;
	uint32_t number = 0;
	int status;

	if (!json_is_string(text))
		return change_refuse("text", "a push needs the text of a policy");
	if (bad != NULL)
		return change_refuse(bad, "there is a control character in it");
	if (within < 0)
		return change_refuse("confirm_within_s", "is not a number from 1 to 86400");
	change.confirm_within_s = (uint32_t)within;
	change.text = (struct enact_text){ json_string_value(text), json_string_length(text),
		name != NULL ? name : "pushed" };
	status = change_propose(d, &change, &number, &is_waiting, &errors);
	return change_answer(d, status, number, is_waiting, &errors);
}

json_t *
change_on_confirm(void *context, const struct control_peer *peer, const json_t *request)
{
	struct daemon *d = context;
	int64_t number = number_of(request, "generation", UINT32_MAX);
	struct store_person who = change_peer(peer);
	struct err_list errors = { .n = 0 };
	int status;

	if (number < 0)
		return change_refuse("generation", "is not a number of a generation");
	status = change_confirm(d, &who, (uint32_t)number, &errors);
	return change_answer(d, status, d->running.number, false, &errors);
}

json_t *
change_on_rollback(void *context, const struct control_peer *peer, const json_t *request)
{
	struct daemon *d = context;
	int64_t target = number_of(request, "generation", UINT32_MAX);
	const char *message = change_text(request, "message"), *bad = change_forged(request);
	struct err_list errors = { .n = 0 };
	struct change change = { .kind = "rollback",
		.who = change_peer(peer),
		.message = message != NULL ? message : "by hand",
		.n_approvals = d->settings->approvals };
	bool is_waiting = false;
	uint32_t number = 0;
	int status;

	if (target < 0)
		return change_refuse("generation", "is not a number of a generation");
	if (bad != NULL)
		return change_refuse(bad, "there is a control character in it");
	status = change_rollback(d, &change, (uint32_t)target, &number, &is_waiting, &errors);
	return change_answer(d, status, number, is_waiting, &errors);
}

json_t *
change_on_approve(void *context, const struct control_peer *peer, const json_t *request)
{
	struct daemon *d = context;
	int64_t number = number_of(request, "generation", UINT32_MAX);
	struct store_person who = change_peer(peer);
	struct err_list errors = { .n = 0 };
	bool is_waiting = false;
	int status;

	if (number <= 0)
		return change_refuse("generation", "an approval needs the number of a generation");
	status = change_approve(d, &who, (uint32_t)number, &is_waiting, &errors);
	return change_answer(d, status, (uint32_t)number, is_waiting, &errors);
}

json_t *
change_on_history(void *context, const struct control_peer *peer, const json_t *request)
{
	struct daemon *d = context;
	const struct store_record *list = NULL;
	json_t *records = json_array();
	size_t i, n = 0;

	if (d->store != NULL)
		list = store_list(d->store, &n);
	for (i = n; i > 0; i--) {
		json_t *record = store_record_json(&list[i - 1]);

		json_object_set_new(
			record, "running", json_boolean(list[i - 1].number == d->running.number));
		json_array_append_new(records, record);
	}
	return control_ok(json_pack(
		"{s:I, s:o}", "running", (json_int_t)d->running.number, "generations", records));
}

static json_t *
show(struct daemon *d, const struct store_record *record)
{
	struct err_list errors = { .n = 0 };
	json_t *result = store_record_json(record);
	size_t size = 0;
	char *text = NULL;

	if (record->number == d->running.number && d->policy_text != NULL)
		json_object_set_new(result, "text", json_stringn(d->policy_text, d->policy_size));
	else if (d->store != NULL && (text = store_read_policy(d->store, record, &size,
					      err_list_next(&errors))) != NULL)
		json_object_set_new(result, "text", json_stringn(text, size));
	else if (d->store != NULL) {
		json_decref(result);
		return control_refuse(CONTROL_REFUSED, errors.items, errors.n);
	}
	free(text);
	json_object_set_new(result, "running", json_boolean(record->number == d->running.number));
	return control_ok(result);
}

json_t *
change_on_show(void *context, const struct control_peer *peer, const json_t *request)
{
	struct daemon *d = context;
	int64_t number = number_of(request, "generation", UINT32_MAX);
	const struct store_record *record = NULL;
	char message[96];

	if (number < 0)
		return change_refuse("generation", "is not a number of a generation");
	if (number == 0 && d->running.number == 0)
		return change_refuse(NULL, "no policy is running");
	if (number == 0 || number == d->running.number)
		record = &d->running;
	else if (d->store != NULL)
		record = store_find(d->store, (uint32_t)number);
	if (record != NULL)
		return show(d, record);
	snprintf(message, sizeof(message), "there is no generation %u: see trefoilctl history",
		(uint32_t)number);
	return change_refuse("generation", message);
}
