/* SPDX-License-Identifier: BSD-3-Clause */
/* One line of the audit log after the other, each already known to be good as a link of the chain. */
#include "evidence/command_log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct reading {
	const char *path;
	struct command_log_sum *sum;
	command_log_note_fn *note;
	void *context;
};

static int
strange(const struct reading *r, const struct chain_line *line, struct err *e, const char *what)
{
	return err_set_code(e, EBADMSG, r->path, (unsigned int)line->number, NULL,
		"is a good link of a chain, but no line of an audit log: %s", what);
}

static void tell(const struct reading *r, const struct chain_line *line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void
tell(const struct reading *r, const struct chain_line *line, const char *format, ...)
{
	char text[128];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (r->note != NULL)
		r->note(r->context, line->number, text);
}

static bool
is_state(const json_t *state)
{
	return json_is_integer(json_object_get(state, "generation")) &&
	       json_is_string(json_object_get(state, "policy_sha256")) &&
	       json_is_string(json_object_get(state, "geo_sha256"));
}

static int
read_command(struct reading *r, const struct chain_line *line, struct err *e)
{
	const char *outcome = json_string_value(json_object_get(line->record, "outcome"));

	if (!json_is_string(json_object_get(line->record, "who")) ||
		!json_is_string(json_object_get(line->record, "command")) || outcome == NULL)
		return strange(r, line, e, "a command without who, command or outcome");
	if (!is_state(json_object_get(line->record, "before")) ||
		!is_state(json_object_get(line->record, "after")))
		return strange(r, line, e, "a command without what judged before and after");
	if (strcmp(outcome, "refused") == 0)
		r->sum->n_refused++;
	else if (strcmp(outcome, "not-permitted") == 0)
		r->sum->n_not_permitted++;
	else if (strcmp(outcome, "done") != 0)
		return strange(r, line, e, "its outcome is none of done, refused, not-permitted");
	r->sum->n_commands++;
	return 0;
}

static int
read_event(struct reading *r, const struct chain_line *line, struct err *e)
{
	if (!json_is_string(json_object_get(line->record, "event")) ||
		!is_state(json_object_get(line->record, "after")))
		return strange(r, line, e, "an event without its kind or what judges after it");
	r->sum->n_events++;
	return 0;
}

static int
read_torn(struct reading *r, const struct chain_line *line, struct err *e)
{
	const json_t *bytes = json_object_get(line->record, "bytes");

	if (!json_is_integer(bytes) || json_integer_value(bytes) <= 0)
		return strange(r, line, e, "a cut line without its bytes");
	r->sum->n_torn++;
	tell(r, line, "a crash cut the line before it: %" PRIu64 " bytes were removed",
		(uint64_t)json_integer_value(bytes));
	return 0;
}

/* RFC 3339 in UTC with equal digits sorts as text. */
static int
read_time(struct reading *r, const struct chain_line *line, struct err *e)
{
	const char *time = json_string_value(json_object_get(line->record, "time"));
	struct command_log_sum *sum = r->sum;

	if (time == NULL || strlen(time) >= sizeof(sum->last))
		return strange(r, line, e, "it has no time");
	if (line->number == 1)
		memcpy(sum->first, time, strlen(time) + 1);
	if (strcmp(time, sum->last) < 0) {
		sum->n_backwards++;
		tell(r, line, "it is older than line %" PRIu64 ": the clock was set back",
			line->number - 1);
	}
	memcpy(sum->last, time, strlen(time) + 1);
	return 0;
}

/* How much was not written before this line. */
static int
read_counts(struct reading *r, const struct chain_line *line, struct err *e)
{
	const struct {
		const char *key, *what;
		uint64_t *sum;
	} counts[] = {
		{ "missing_before", "lines before it could not be written", &r->sum->n_missing },
		{ "not_permitted_before", "commands before it, not permitted, are only counted",
			&r->sum->n_not_permitted },
	};
	char text[64];
	size_t i;

	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		const json_t *count = json_object_get(line->record, counts[i].key);

		if (count == NULL)
			continue;
		snprintf(text, sizeof(text), "%s is no count", counts[i].key);
		if (!json_is_integer(count) || json_integer_value(count) <= 0)
			return strange(r, line, e, text);
		*counts[i].sum += (uint64_t)json_integer_value(count);
		tell(r, line, "%" PRIu64 " %s", (uint64_t)json_integer_value(count),
			counts[i].what);
	}
	return 0;
}

static int
read_line(void *context, const struct chain_line *line, struct err *e)
{
	static const struct {
		const char *type;
		int (*read)(struct reading *r, const struct chain_line *line, struct err *e);
	} types[] = { { "command", read_command }, { "event", read_event }, { "torn", read_torn } };
	const char *type = json_string_value(json_object_get(line->record, "audit"));
	struct reading *r = context;
	size_t i;
	int rc = read_time(r, line, e);

	if (rc == 0)
		rc = read_counts(r, line, e);
	for (i = 0; rc == 0 && type != NULL && i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(type, types[i].type) == 0)
			return types[i].read(r, line, e);
	return rc != 0 ? rc : strange(r, line, e, "audit is none of command, event, torn");
}

int
command_log_verify(const char *path, const struct chain_check *check, command_log_note_fn *note,
	void *context, struct command_log_sum *sum, struct err *e)
{
	struct reading r = { .path = path, .sum = sum, .note = note, .context = context };

	memset(sum, 0, sizeof(*sum));
	return chain_verify(path, check, read_line, &r, &sum->head, e);
}
