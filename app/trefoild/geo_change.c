/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * geo push, reload, rollback, status. A table is bytes that were read once, verified, checked
 * against [geo] of the settings, and kept with the generation: nothing is mapped from a file that
 * somebody may overwrite.
 */
#include "geo_change.h"

#include "change_commands.h"
#include "report.h"
#include "report_diff.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int
check_canary(const struct geo_table *table, const struct settings_canary *canary, struct err *e)
{
	struct geo_answer answer;
	char text[IP_TEXT_SIZE];

	geo_lookup(table, &canary->ip, &answer);
	if (canary->country[0] != '\0' && memcmp(answer.origin->country, canary->country, 2) != 0)
		return err_set(e, "trefoild.ini", canary->line, "[geo] canary",
			"%s is in %.2s by the new table, not in %s: it is refused",
			ip_format(&canary->ip, text), answer.origin->country, canary->country);
	if (canary->asn != 0 && answer.origin->asn != canary->asn)
		return err_set(e, "trefoild.ini", canary->line, "[geo] canary",
			"%s is of AS%u by the new table, not of AS%u: it is refused",
			ip_format(&canary->ip, text), answer.origin->asn, canary->asn);
	return 0;
}

static int
check_table(const struct settings *s, const struct geo_table *table, struct err *e)
{
	size_t n_ranges = table->n_ranges4 + table->n_ranges6;
	unsigned int i;
	int status = 0;

	if (n_ranges < s->geo_min_ranges)
		return err_set(e, NULL, 0, "[geo] min_ranges",
			"the new table has %zu ranges, fewer than %u: it is refused", n_ranges,
			s->geo_min_ranges);
	for (i = 0; i < s->n_canaries && status == 0; i++)
		status = check_canary(table, &s->canaries[i], e);
	return status;
}

bool
geo_change_is_large(struct daemon *d, const struct generation *g, struct store_record *record)
{
	const struct blast_radius radius = { d->settings->geo_max_space,
		d->settings->geo_max_traffic };
	const struct generation *before = publisher_get(d->publisher);
	struct comparison c;
	struct err e;
	int status;

	if (before == NULL || (radius.space_percent >= 100 && radius.traffic_percent >= 100))
		return false;
	if (comparison_init(&c, d, before, g) != 0) {
		text_copy(record->note, sizeof(record->note), "no memory to compare it");
		return true;
	}
	status = comparison_check(&c, &radius, &e);
	comparison_fini(&c);
	if (status != 0)
		text_copy(record->note, sizeof(record->note), e.message);
	return status != 0;
}

/* `geo` NULL = it could not be had, `errors` says why; dropped in any case. */
static int
propose(struct daemon *d, struct geo_ref *geo, const struct store_person *who, const char *message,
	uint32_t *number, bool *is_waiting, struct err_list *errors)
{
	struct change change = { .kind = "geo",
		.who = *who,
		.message = message,
		.geo = geo,
		.n_approvals = d->settings->approvals };
	int status;

	if (geo == NULL)
		return -EINVAL;
	errors->n = errors->n_found = 0;
	status = check_table(d->settings, geo->table, err_list_next(errors));
	if (status == 0) {
		errors->n = errors->n_found = 0;
		status = change_propose(d, &change, number, is_waiting, errors);
	}
	geo_ref_drop(geo);
	if (status == 0)
		daemon_alarm_clear(d, ALARM_GEO);
	return status;
}

void
geo_change_reload(struct daemon *d)
{
	struct store_person who = change_person(STORE_NOBODY, "trefoild");
	struct err_list errors = { .n = 0 };
	struct geo_ref *geo = geo_ref_load(d->settings->geo_table, err_list_next(&errors));
	bool is_waiting = false;
	char line[1024];
	uint32_t number = 0;

	if (propose(d, geo, &who, "SIGHUP", &number, &is_waiting, &errors) == 0)
		return;
	if (errors.n > 0)
		daemon_event(d, "refused", "SIGHUP: %s",
			err_format(&errors.items[0], line, sizeof(line)));
	daemon_alarm(d, ALARM_GEO,
		"the geo table could not be loaded again, the old one judges: %.400s",
		errors.n > 0 ? line : "out of memory");
}

static struct geo_ref *
table_of(const json_t *request, struct err_list *errors)
{
	const json_t *table = json_object_get(request, "table");
	const char *name = change_text(request, "name");

	if (json_is_string(table) && (name == NULL || !text_has_control(name)))
		return diff_parse_table(
			table, name != NULL ? name : "pushed", err_list_next(errors));
	err_set(err_list_next(errors), NULL, 0, "table",
		"a geo push needs the bytes of a table in base64, and a plain name");
	return NULL;
}

/* The newest other table that was confirmed. */
static struct geo_ref *
table_before(struct daemon *d, struct err_list *errors)
{
	const struct store_record *found = change_find_target(d, true);
	struct enact_text text;
	struct geo_ref *geo = NULL;

	if (found == NULL)
		err_set(err_list_next(errors), NULL, 0, NULL,
			"there is no earlier table to go back to");
	else if (change_read(d, found, &text, &geo, errors) == 0)
		enact_text_free(&text);
	return geo;
}

static json_t *
status_of(struct daemon *d)
{
	json_t *status = report_status(d), *geo;
	struct err e;

	if (status == NULL)
		return change_refuse(NULL, "out of memory");
	geo = json_incref(json_object_get(status, "geo"));
	json_decref(status);
	if (!json_is_object(geo)) {
		json_decref(geo);
		return change_refuse(NULL, "no geo table is loaded");
	}
	json_object_set_new(geo, "canaries", json_integer(d->settings->n_canaries));
	json_object_set_new(geo, "checks",
		check_table(d->settings, d->geo->table, &e) == 0 ? json_string("good")
								 : json_string(e.message));
	return control_ok(geo);
}

json_t *
geo_on_request(void *context, const struct control_peer *peer, const json_t *request)
{
	const char *action = change_text(request, "action"), *bad = change_forged(request),
		   *message;
	struct store_person who = change_peer(peer);
	struct daemon *d = context;
	struct err_list errors = { .n = 0 };
	struct geo_ref *geo;
	bool is_waiting = false;
	uint32_t number = 0;
	int status;

	if (bad != NULL)
		return change_refuse(bad, "there is a control character in it");
	if (action != NULL && strcmp(action, "status") == 0)
		return status_of(d);
	if (action != NULL && strcmp(action, "reload") == 0)
		geo = geo_ref_load(d->settings->geo_table, err_list_next(&errors));
	else if (action != NULL && strcmp(action, "push") == 0)
		geo = table_of(request, &errors);
	else if (action != NULL && strcmp(action, "rollback") == 0)
		geo = table_before(d, &errors);
	else
		return change_refuse("action", "geo push, reload, rollback or status");
	message = change_text(request, "message");
	status = propose(
		d, geo, &who, message != NULL ? message : action, &number, &is_waiting, &errors);
	return change_answer(d, status, number, is_waiting, &errors);
}
