/* SPDX-License-Identifier: BSD-3-Clause */
/* A ring of events. Numbers go up by one from 1, so an event's place follows from its number. */
#include "watch.h"

#include "report.h"

#include "control/control.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct kept {
	struct daemon_event event;
	char *kind, *text; /* what event points to */
};

struct watch {
	char instance[48]; /* another one = the daemon was started again */
	uint64_t newest;   /* number of the newest event, 0 = none yet */
	struct kept kept[WATCH_EVENTS_MAX];
};

struct watch *
watch_new(void)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (w != NULL)
		snprintf(w->instance, sizeof(w->instance), "%lld-%ld", (long long)time(NULL),
			(long)getpid());
	return w;
}

static void
kept_fini(struct kept *k)
{
	free(k->kind);
	free(k->text);
	*k = (struct kept){ .kind = NULL };
}

void
watch_free(struct watch *w)
{
	size_t i;

	if (w == NULL)
		return;
	for (i = 0; i < WATCH_EVENTS_MAX; i++)
		kept_fini(&w->kept[i]);
	free(w);
}

/* Without memory the number is skipped: clients count it as missed. */
void
watch_add(struct watch *w, const struct daemon_event *event)
{
	struct kept *k = &w->kept[event->number % WATCH_EVENTS_MAX];

	kept_fini(k);
	w->newest = event->number;
	k->kind = strdup(event->kind);
	k->text = strdup(event->text);
	if (k->kind == NULL || k->text == NULL) {
		kept_fini(k);
		return;
	}
	k->event = *event;
	k->event.kind = k->kind;
	k->event.text = k->text;
}

/* A text may quote a path or a policy. */
static json_t *
text_json(const char *text)
{
	json_t *string = json_string(text);
	char *ascii, *at;

	if (string != NULL)
		return string;
	ascii = strdup(text);
	for (at = ascii; at != NULL && *at != '\0'; at++)
		*at = (*at & 0x80) != 0 ? '?' : *at;
	string = ascii != NULL ? json_string(ascii) : NULL;
	free(ascii);
	return string;
}

static json_t *
event_json(const struct daemon_event *e)
{
	return json_pack("{s:I, s:o, s:s, s:I, s:o}", "number", (json_int_t)e->number, "at",
		report_time(e->at), "kind", e->kind, "generation", (json_int_t)e->generation,
		"text", text_json(e->text));
}

static json_t *
answer(const struct watch *w, uint64_t since)
{
	uint64_t oldest = w->newest > WATCH_EVENTS_MAX ? w->newest - WATCH_EVENTS_MAX + 1 : 1;
	uint64_t number = since + 1 > oldest ? since + 1 : oldest;
	uint64_t n_missed = number - (since + 1);
	json_t *events = json_array();

	for (; number <= w->newest && json_array_size(events) < WATCH_ANSWER_MAX; number++) {
		const struct kept *k = &w->kept[number % WATCH_EVENTS_MAX];

		if (k->kind == NULL || k->event.number != number)
			n_missed++;
		else
			json_array_append_new(events, event_json(&k->event));
	}
	return control_ok(json_pack("{s:s, s:I, s:I, s:o}", "instance", w->instance, "next",
		(json_int_t)(number - 1), "missed", (json_int_t)n_missed, "events", events));
}

json_t *
watch_answer(const struct watch *w, const json_t *request)
{
	const json_t *since = json_object_get(request, "since");
	json_int_t n = json_integer_value(since);
	struct err e;

	if (since == NULL)
		return answer(w, w->newest);
	if (!json_is_integer(since) || n < 0) {
		err_set(&e, NULL, 0, "since", "is not the number of an event");
		return control_refuse(CONTROL_REFUSED, &e, 1);
	}
	/* A number that is not there yet is from before a restart. */
	return answer(w, (uint64_t)n <= w->newest ? (uint64_t)n : 0);
}
