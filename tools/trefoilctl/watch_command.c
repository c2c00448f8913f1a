/* SPDX-License-Identifier: BSD-3-Clause */
/* watch: asks for new events five times a second, prints each at once. Ends with the daemon. */
#include "command.h"
#include "print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TIMEOUT_MS 15000
#define PAUSE_MS   200

struct watching {
	const struct command_line *line;
	json_int_t since; /* -1 = from now on */
	char instance[64];
	long n_left; /* events to show, -1 = no end */
};

static char *
text_at(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return print_safe(text != NULL ? text : "-");
}

static void
show(struct watching *w, const json_t *event)
{
	char *at = text_at(event, "at"), *kind = text_at(event, "kind");
	char *text = text_at(event, "text");

	if (w->line->json)
		command_print_json(json_deep_copy(event));
	else
		printf("%s  %-11s  %s\n", at, kind, text);
	free(at);
	free(kind);
	free(text);
	if (w->n_left > 0)
		w->n_left--;
}

static void
show_missed(struct watching *w, json_int_t n)
{
	if (w->line->json)
		command_print_json(json_pack("{s:s, s:I}", "kind", "missed", "events", n));
	else
		printf("... %lld events were missed\n", (long long)n);
}

/* Another daemon answers: its events count from 1 again. */
static bool
is_restarted(struct watching *w, const json_t *result)
{
	const char *instance = json_string_value(json_object_get(result, "instance"));
	bool is_known = w->instance[0] != '\0';

	if (instance == NULL || strcmp(instance, w->instance) == 0)
		return false;
	snprintf(w->instance, sizeof(w->instance), "%s", instance);
	return is_known;
}

static void
show_all(struct watching *w, const json_t *result)
{
	const json_t *events = json_object_get(result, "events");
	json_int_t n_missed = json_integer_value(json_object_get(result, "missed"));
	size_t i;

	if (n_missed > 0)
		show_missed(w, n_missed);
	for (i = 0; i < json_array_size(events) && w->n_left != 0; i++)
		show(w, json_array_get(events, i));
	w->since = json_integer_value(json_object_get(result, "next"));
}

static enum control_exit
watch_once(struct watching *w)
{
	json_t *request = json_pack("{s:s}", "command", "watch"), *response;
	const json_t *result;
	enum control_exit code;

	if (w->since >= 0)
		json_object_set_new(request, "since", json_integer(w->since));
	code = command_ask(w->line, request, TIMEOUT_MS, &response, &result);
	if (code != CONTROL_DONE)
		return code;
	if (is_restarted(w, result))
		w->since = 0;
	else
		show_all(w, result);
	json_decref(response);
	return CONTROL_DONE;
}

enum control_exit
command_watch(const struct command_line *line)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };
	struct watching w = { .line = line, .since = line->since, .n_left = line->count };
	enum control_exit code;

	while ((code = watch_once(&w)) == CONTROL_DONE) {
		if (fflush(stdout) != 0 || w.n_left == 0)
			return CONTROL_DONE; /* main() reports what could not be written */
		nanosleep(&pause, NULL);
	}
	return code;
}
