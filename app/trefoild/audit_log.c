/* SPDX-License-Identifier: BSD-3-Clause */
/* Lines of the audit log. Texts of policies and tables are there by their digests only. */
#include "audit_log.h"

#include "change_commands.h"

#include "evidence/command_log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LOG_FILE COMMAND_LOG_FILE
#define KEY_FILE "evidence.key"
#define PUB_FILE "evidence.pub"

/* Lines a minute about those who may not do what they tried: they must not be able to fill the disk. */
#define NOT_PERMITTED_MAX 60u

struct state {
	uint32_t generation;
	char policy[SHA256_TEXT_SIZE], geo[SHA256_TEXT_SIZE];
};

struct audit_log {
	struct daemon *d;
	struct signing_key *key;
	struct chain *chain; /* NULL while it cannot be opened */
	struct state before;
	uint64_t n_missing; /* lines that could not be written */
	time_t minute;      /* of NOT_PERMITTED_MAX */
	unsigned int n_not_permitted;
	uint64_t n_untold; /* beyond it since the last line */
};

static void
read_state(const struct daemon *d, struct state *out)
{
	const struct generation *g = publisher_get(d->publisher);

	*out = (struct state){ .generation = g != NULL ? g->number : 0 };
	if (g == NULL)
		return;
	memcpy(out->policy, g->policy->sha256, sizeof(out->policy));
	memcpy(out->geo, g->geo->table->sha256, sizeof(out->geo));
}

static json_t *
state_json(const struct state *s)
{
	return json_pack("{s:I, s:s, s:s}", "generation", (json_int_t)s->generation,
		"policy_sha256", s->policy, "geo_sha256", s->geo);
}

static json_t *
now_json(const struct audit_log *log)
{
	struct state now;

	read_state(log->d, &now);
	return state_json(&now);
}

static int
open_chain(struct audit_log *log, struct err *e)
{
	char path[512], key[512], public_key[512];
	const char *directory = log->d->settings->state_dir;
	struct chain_options options = { .sync = CHAIN_SYNC_EACH };
	uint64_t n_torn = 0;

	snprintf(path, sizeof(path), "%s/" LOG_FILE, directory);
	snprintf(key, sizeof(key), "%s/" KEY_FILE, directory);
	snprintf(public_key, sizeof(public_key), "%s/" PUB_FILE, directory);
	if (log->key == NULL)
		log->key = signing_key_load(key, NULL, e);
	if (log->key == NULL)
		return -errno;
	if (access(public_key, F_OK) != 0 && signing_key_export(log->key, public_key, e) != 0)
		return -EIO;
	options.key = log->key;
	log->chain = chain_open(path, &options, &n_torn, e);
	if (log->chain == NULL)
		return -errno;
	if (n_torn > 0)
		return chain_append(log->chain,
			json_pack("{s:s, s:I}", "audit", "torn", "bytes", (json_int_t)n_torn));
	return 0;
}

static void
add_count(json_t *record, const char *key, uint64_t n)
{
	if (n > 0)
		json_object_set_new(record, key, json_integer((json_int_t)n));
}

static int
open_and_append(struct audit_log *log, json_t *record, struct err *e)
{
	int status = log->chain != NULL ? 0 : open_chain(log, e);

	if (log->chain == NULL || record == NULL) {
		json_decref(record);
		return status != 0 ? status : -ENOMEM;
	}
	add_count(record, "missing_before", log->n_missing);
	add_count(record, "not_permitted_before", log->n_untold);
	status = chain_append(log->chain, record);
	if (status != 0)
		err_set_code(e, -status, LOG_FILE, 0, NULL, "%s", strerror(-status));
	return status;
}

/* To where the appliance cannot take it back. */
static void
publish_head(const struct audit_log *log)
{
	struct chain_head head;

	chain_get_head(log->chain, &head);
	syslog(LOG_NOTICE, "audit log of %s: line %" PRIu64 " has sha256 %s, key %s",
		log->d->settings->name, head.n_lines, head.hash, signing_key_id(log->key));
}

json_t *
audit_log_json(const struct audit_log *log)
{
	struct chain_head head;

	if (log == NULL || log->chain == NULL)
		return json_null();
	chain_get_head(log->chain, &head);
	return json_pack("{s:I, s:s, s:s, s:I}", "lines", (json_int_t)head.n_lines, "sha256",
		head.hash, "key", signing_key_id(log->key), "missing", (json_int_t)log->n_missing);
}

/* Takes `record`. */
static void
append(struct audit_log *log, json_t *record)
{
	char line[ALARM_SIZE];
	struct err e = { .line = 0 };

	if (open_and_append(log, record, &e) == 0) {
		log->n_missing = log->n_untold = 0;
		publish_head(log);
		daemon_alarm_clear(log->d, ALARM_AUDIT);
		return;
	}
	log->n_missing++;
	daemon_alarm(log->d, ALARM_AUDIT, "the audit log cannot be written: %s",
		err_format(&e, line, sizeof(line) - 80));
}

/* A digest for what is long. */
static void
add_digest(json_t *arguments, const json_t *request, const char *key, const char *name)
{
	const json_t *value = json_object_get(request, key);
	char sha256[SHA256_TEXT_SIZE];

	if (json_is_string(value) &&
		sha256_text(json_string_value(value), json_string_length(value), sha256) == 0)
		json_object_set_new(arguments, name, json_string(sha256));
}

static json_t *
arguments_json(const json_t *request)
{
	static const char *const keys[] = { "action", "name", "message", "generation",
		"confirm_within_s", "shadow" };
	json_t *arguments = json_object();
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		json_t *value = json_object_get(request, keys[i]);

		/* What is too long, or no simple value, is not taken over. */
		if (json_is_integer(value) || json_is_boolean(value) ||
			(json_is_string(value) && json_string_length(value) < 1024))
			json_object_set(arguments, keys[i], value);
	}
	add_digest(arguments, request, "text", "text_sha256");
	add_digest(arguments, request, "table", "table_base64_sha256");
	return arguments;
}

/* One more by somebody who may not: is there a line for it? If not it is counted in the next one. */
static bool
is_told(struct audit_log *log)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec / 60 != log->minute) {
		log->minute = now.tv_sec / 60;
		log->n_not_permitted = 0;
	}
	if (log->n_not_permitted++ < NOT_PERMITTED_MAX)
		return true;
	log->n_untold++;
	return false;
}

static const char *
outcome_of(const json_t *response)
{
	if (json_is_true(json_object_get(response, "ok")))
		return "done";
	return json_integer_value(json_object_get(response, "exit")) == CONTROL_NOT_PERMITTED
		       ? "not-permitted"
		       : "refused";
}

void
audit_log_before(struct audit_log *log)
{
	read_state(log->d, &log->before);
}

void
audit_log_command(struct audit_log *log, const struct control_peer *peer, const json_t *request,
	const json_t *response)
{
	const json_t *error = json_array_get(json_object_get(response, "errors"), 0);
	struct store_person who = change_peer(peer);
	const char *outcome = outcome_of(response);

	if (strcmp(outcome, "not-permitted") == 0 && !is_told(log))
		return;
	append(log, json_pack("{s:s, s:s, s:I, s:I, s:O, s:o, s:s, s:O*, s:o, s:o}", "audit",
			    "command", "who", who.name, "uid", (json_int_t)peer->uid, "pid",
			    (json_int_t)peer->pid, "command", json_object_get(request, "command"),
			    "arguments", arguments_json(request), "outcome", outcome, "error",
			    json_object_get(error, "message"), "before", state_json(&log->before),
			    "after", now_json(log)));
}

/* What changes what judges, whoever did it. */
static void
on_event(void *context, const struct daemon_event *event)
{
	static const char *const kinds[] = { "start", "push", "geo", "age", "rollback", "confirm",
		"approval", "proposal", "refused" };
	struct audit_log *log = context;
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(event->kind, kinds[i]) == 0)
			append(log,
				json_pack("{s:s, s:s, s:s, s:o}", "audit", "event", "event",
					event->kind, "text", event->text, "after", now_json(log)));
}

struct audit_log *
audit_log_new(struct daemon *d)
{
	struct audit_log *log = calloc(1, sizeof(*log));

	if (log == NULL)
		return NULL;
	log->d = d;
	if (daemon_listen(d, on_event, log) != 0) {
		free(log);
		errno = ENOMEM;
		return NULL;
	}
	return log;
}

void
audit_log_free(struct audit_log *log)
{
	if (log == NULL)
		return;
	chain_close(log->chain);
	signing_key_free(log->key);
	free(log);
}
