/* SPDX-License-Identifier: BSD-3-Clause */
/* From a text to the generation that judges. */
#include "enact.h"

#include "room.h"

#include "base/text.h"
#include "ruleset/verify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GENERATIONS_WAITING_MAX 16
#define GRACE_MS                1000

void
enact_text_free(const struct enact_text *text)
{
	union {
		const char *from;
		char *to;
	} u = { .from = text->text };

	free(u.to);
}

/* Each generation that a reader may still see takes the memory of a whole ruleset. Where pushes come
 * in a row, a moment is all that the readers need. */
int
enact_make_room(struct daemon *d, struct err_list *errors)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	unsigned int n_waiting = publisher_reclaim(d->publisher), n_pauses = 0;

	while (n_waiting >= GENERATIONS_WAITING_MAX && n_pauses++ < GRACE_MS) {
		nanosleep(&pause, NULL);
		n_waiting = publisher_reclaim(d->publisher);
	}
	if (n_waiting < GENERATIONS_WAITING_MAX)
		return 0;
	return err_set_code(err_list_next(errors), EBUSY, NULL, 0, NULL,
		"%u older generations cannot be freed, since the mirror's disk or a worker does "
		"not move: see trefoilctl status, then push again",
		n_waiting);
}

struct generation *
enact_compile(struct daemon *d, uint32_t number, const struct enact_text *text, struct geo_ref *geo,
	struct err_list *errors)
{
	bool is_stale = geo_age_days(geo->table, time(NULL)) > d->settings->max_geo_age_days;
	struct policy *policy;
	struct generation *g;

	(void)publisher_reclaim(d->publisher);
	if (room_check(d, geo->table, text->size, err_list_next(errors)) != 0)
		return NULL;
	if (errors != NULL)
		errors->n = errors->n_found = 0;
	policy = policy_parse(text->text, text->size, text->name, errors);
	if (policy == NULL)
		return NULL;
	g = generation_new(number, policy, geo, is_stale, d->n_workers);
	if (g == NULL)
		err_set(err_list_next(errors), NULL, 0, NULL, "cannot compile the ruleset: %s",
			strerror(errno));
	if (g == NULL || ruleset_verify(g->ruleset, err_list_next(errors)) != 0) {
		generation_free(g);
		return NULL;
	}
	errors->n = errors->n_found = 0;
	if (generation_spread(g, &d->nodes) == 0)
		return g;
	err_set(err_list_next(errors), NULL, 0, NULL,
		"no memory for look-up tables on %u NUMA nodes; nothing was changed", d->nodes.n);
	generation_free(g);
	return NULL;
}

/* Keep the text for the next geo table. */
static int
keep_text(struct daemon *d, const struct enact_text *text)
{
	char *copy = malloc(text->size + 1);

	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, text->text, text->size);
	copy[text->size] = '\0';
	free(d->policy_text);
	d->policy_text = copy;
	d->policy_size = text->size;
	return 0;
}

int
enact_publish(struct daemon *d, struct generation *g, const struct enact_text *text,
	const struct store_record *record)
{
	struct geo_ref *before = d->geo;

	if (keep_text(d, text) != 0) {
		generation_free(g);
		return -ENOMEM;
	}
	d->geo = geo_ref_take(g->geo);
	geo_ref_drop(before);
	if (g->number > d->generation)
		d->generation = g->number;
	d->is_stale = g->ruleset->options.is_stale;
	d->running = *record;
	g->pushed_at = (time_t)record->pushed.at;
	text_copy(g->pushed_by, sizeof(g->pushed_by), record->pushed.name);
	text_copy(g->message, sizeof(g->message), record->message);
	publisher_set(d->publisher, g);
	daemon_alarm_clear(d, ALARM_POLICY);
	daemon_attend_stale(d);
	daemon_event(d, record->kind,
		"generation %u judges: policy %s (%s, sha256 %.12s), geo sha256 %.12s, by %s",
		g->number, g->policy->name, g->policy->file, g->policy->sha256,
		g->geo->table->sha256, g->pushed_by);
	return 0;
}
