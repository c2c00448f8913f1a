/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Records as JSON. The object holds the digest of itself without that digest (compact, keys
 * sorted), so that a damaged record is never taken for a good one.
 */
#include "store/store_impl.h"

#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DUMP_FLAGS (JSON_COMPACT | JSON_SORT_KEYS)

static const char *const state_names[] = {
#define X(id, name) [STORE_##id] = name,
	STORE_STATES(X)
#undef X
};

const char *
store_state_name(enum store_state state)
{
	return state_names[state];
}

const char *
store_time_format(int64_t at, char buf[STORE_TIME_SIZE])
{
	time_t when = (time_t)at;
	struct tm utc;

	if (gmtime_r(&when, &utc) == NULL ||
		strftime(buf, STORE_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
		text_copy(buf, STORE_TIME_SIZE, "1970-01-01T00:00:00Z");
	return buf;
}

int
store_time_parse(const char *text, int64_t *out)
{
	struct tm utc = { .tm_sec = 0 };
	char again[STORE_TIME_SIZE];
	int64_t at;

	if (strptime(text, "%Y-%m-%dT%H:%M:%SZ", &utc) == NULL)
		return -EINVAL;
	at = timegm(&utc);
	if (strcmp(store_time_format(at, again), text) != 0)
		return -EINVAL; /* a leap second, 31 February, blanks, something behind it */
	*out = at;
	return 0;
}

static json_t *
time_json(int64_t at)
{
	char text[STORE_TIME_SIZE];

	return at != 0 ? json_string(store_time_format(at, text)) : json_null();
}

static json_t *
person_json(const struct store_person *p)
{
	if (p->at == 0)
		return json_null();
	return json_pack("{s:s, s:o, s:o}", "by", p->name, "uid",
		p->uid != STORE_NOBODY ? json_integer(p->uid) : json_null(), "at",
		time_json(p->at));
}

static json_t *
confirm_json(const struct store_record *r)
{
	if (r->confirm_within_s == 0)
		return json_null();
	return json_pack("{s:I, s:o, s:I, s:s}", "within_s", (json_int_t)r->confirm_within_s,
		"deadline", time_json(r->deadline), "deadline_boot", (json_int_t)r->deadline_boot,
		"boot_id", r->boot_id);
}

json_t *
store_record_json(const struct store_record *r)
{
	json_t *approvals = json_array();
	uint32_t i;

	for (i = 0; i < r->n_approvals; i++)
		json_array_append_new(approvals, person_json(&r->approvals[i]));
	return json_pack("{s:I, s:I, s:s, s:s, s:{s:s, s:s, s:s}, s:{s:s, s:s}, s:o, s:o, s:s, "
			 "s:s, s:I, s:o, s:o}",
		"generation", (json_int_t)r->number, "parent", (json_int_t)r->parent, "state",
		state_names[r->state], "kind", r->kind, "policy", "name", r->policy_name, "file",
		r->policy_file, "sha256", r->policy_sha256, "geo", "file", r->geo_file, "sha256",
		r->geo_sha256, "pushed", person_json(&r->pushed), "confirmed",
		person_json(&r->confirmed), "message", r->message, "note", r->note,
		"approvals_needed", (json_int_t)r->n_needed, "approvals", approvals, "confirm",
		confirm_json(r));
}

/* Digest of the object as it is. */
static int
digest(const json_t *object, char out[SHA256_TEXT_SIZE])
{
	char *text = json_dumps(object, DUMP_FLAGS);
	int status = text != NULL ? sha256_text(text, strlen(text), out) : -ENOMEM;

	free(text);
	return status;
}

char *
store_record_dump(const struct store_record *record, size_t *size)
{
	json_t *object = store_record_json(record);
	char sha256[SHA256_TEXT_SIZE], *text = NULL;

	if (object != NULL && digest(object, sha256) == 0 &&
		json_object_set_new(object, "record_sha256", json_string(sha256)) == 0)
		text = json_dumps(object, JSON_INDENT(1) | JSON_SORT_KEYS);
	json_decref(object);
	if (text == NULL)
		errno = ENOMEM;
	else
		*size = strlen(text);
	return text;
}

/* The reading stops to believe anything after the first thing that does not fit. */
struct reading {
	bool failed;
	const char *key; /* that did not fit */
};

static const json_t *
get(struct reading *r, const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (value == NULL && !r->failed) {
		r->failed = true;
		r->key = key;
	}
	return value;
}

static void
fail(struct reading *r, const char *key)
{
	if (!r->failed)
		r->key = key;
	r->failed = true;
}

static void
get_text(struct reading *r, const json_t *object, const char *key, char *out, size_t size)
{
	const json_t *value = get(r, object, key);
	const char *text = json_string_value(value);

	if (text == NULL || strlen(text) != json_string_length(value) || strlen(text) >= size)
		fail(r, key);
	else
		text_copy(out, size, text);
}

static void
get_sha256(struct reading *r, const json_t *object, char out[SHA256_TEXT_SIZE])
{
	get_text(r, object, "sha256", out, SHA256_TEXT_SIZE);
	if (!sha256_is_text(out))
		fail(r, "sha256");
}

static int64_t
get_number(struct reading *r, const json_t *object, const char *key, int64_t max)
{
	const json_t *value = get(r, object, key);

	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
		json_integer_value(value) > max) {
		fail(r, key);
		return 0;
	}
	return json_integer_value(value);
}

static void
get_time(struct reading *r, const json_t *object, const char *key, int64_t *out)
{
	const char *text = json_string_value(get(r, object, key));

	if (text == NULL || store_time_parse(text, out) != 0)
		fail(r, key);
}

static void
read_person(struct reading *r, const json_t *value, struct store_person *out)
{
	out->uid = STORE_NOBODY;
	if (json_is_null(value))
		return;
	get_text(r, value, "by", out->name, sizeof(out->name));
	get_time(r, value, "at", &out->at);
	if (out->at == 0)
		fail(r, "at"); /* which would mean that it has not happened */
	if (!json_is_null(get(r, value, "uid")))
		out->uid = (uint32_t)get_number(r, value, "uid", UINT32_MAX - 1);
}

static void
get_approvals(struct reading *r, const json_t *object, struct store_record *out)
{
	const json_t *list = get(r, object, "approvals");
	size_t i, n = json_array_size(list);

	out->n_needed = (uint32_t)get_number(r, object, "approvals_needed", STORE_APPROVALS_MAX);
	if (!json_is_array(list) || n > STORE_APPROVALS_MAX) {
		fail(r, "approvals");
		return;
	}
	for (i = 0; i < n; i++) {
		read_person(r, json_array_get(list, i), &out->approvals[i]);
		if (out->approvals[i].at == 0)
			fail(r, "approvals"); /* nobody's */
	}
	out->n_approvals = (uint32_t)n;
}

/* A deadline is there once the time runs: not while approvals are missing. */
static void
get_deadline(struct reading *r, const json_t *confirm, struct store_record *out)
{
	if (json_is_null(get(r, confirm, "deadline")))
		return;
	get_time(r, confirm, "deadline", &out->deadline);
	if (out->deadline == 0)
		fail(r, "deadline");
}

static void
get_confirm(struct reading *r, const json_t *object, struct store_record *out)
{
	const json_t *confirm = get(r, object, "confirm");

	if (json_is_null(confirm))
		return;
	out->confirm_within_s = (uint32_t)get_number(r, confirm, "within_s", UINT32_MAX);
	if (out->confirm_within_s == 0)
		fail(r, "within_s");
	get_deadline(r, confirm, out);
	out->deadline_boot = get_number(r, confirm, "deadline_boot", INT64_MAX);
	get_text(r, confirm, "boot_id", out->boot_id, sizeof(out->boot_id));
}

static void
get_state(struct reading *r, const json_t *object, struct store_record *out)
{
	const char *text = json_string_value(get(r, object, "state"));
	int i;

	for (i = 0; i < STORE_DAMAGED; i++)
		if (text != NULL && strcmp(text, state_names[i]) == 0) {
			out->state = (enum store_state)i;
			return;
		}
	fail(r, "state");
}

static void
read_record(struct reading *r, const json_t *object, struct store_record *out)
{
	const json_t *policy = get(r, object, "policy"), *geo = get(r, object, "geo");

	out->number = (uint32_t)get_number(r, object, "generation", UINT32_MAX);
	out->parent = (uint32_t)get_number(r, object, "parent", UINT32_MAX);
	get_state(r, object, out);
	get_text(r, object, "kind", out->kind, sizeof(out->kind));
	get_text(r, policy, "name", out->policy_name, sizeof(out->policy_name));
	get_text(r, policy, "file", out->policy_file, sizeof(out->policy_file));
	get_sha256(r, policy, out->policy_sha256);
	get_text(r, geo, "file", out->geo_file, sizeof(out->geo_file));
	get_sha256(r, geo, out->geo_sha256);
	read_person(r, get(r, object, "pushed"), &out->pushed);
	read_person(r, get(r, object, "confirmed"), &out->confirmed);
	get_text(r, object, "message", out->message, sizeof(out->message));
	get_text(r, object, "note", out->note, sizeof(out->note));
	get_approvals(r, object, out);
	get_confirm(r, object, out);
	if (out->state == STORE_UNCONFIRMED && out->deadline == 0)
		fail(r, "deadline");
}

/* The digest in the object, which is taken out, is the digest of the rest. */
static bool
is_whole(json_t *object)
{
	const char *said = json_string_value(json_object_get(object, "record_sha256"));
	char wanted[SHA256_TEXT_SIZE] = "", found[SHA256_TEXT_SIZE];

	if (said == NULL)
		return false;
	text_copy(wanted, sizeof(wanted), said);
	json_object_del(object, "record_sha256");
	return digest(object, found) == 0 && strcmp(wanted, found) == 0;
}

int
store_record_parse(
	const char *bytes, size_t size, const char *name, struct store_record *out, struct err *e)
{
	struct store_record record = { .number = 0 };
	struct reading reading = { .failed = false };
	json_error_t why;
	json_t *object = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &why);
	int status = 0;

	if (object == NULL)
		return err_set(e, name, why.line > 0 ? (unsigned int)why.line : 0, NULL,
			"is damaged: %s", why.text);
	if (!is_whole(object)) {
		status = err_set(e, name, 0, NULL, "is damaged: its digest is not that of it");
	} else {
		read_record(&reading, object, &record);
		if (reading.failed)
			status = err_set(e, name, 0, reading.key, "is missing or does not fit");
	}
	json_decref(object);
	if (status == 0)
		*out = record;
	return status;
}
