/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The candidate's life. Its text is kept, so that it can be compiled anew against other data, and
 * promoted: that is a push of this very text, with all that a push needs.
 */
#include "shadow_commands.h"

#include "base/text.h"
#include "change_commands.h"
#include "enact.h"
#include "report.h"
#include "shadow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASNS_MAX 50

/* Let the text of d->shadow_text judge beside the running generation. */
static int
compile(struct daemon *d, const char *text, size_t size, const char *name, struct err_list *errors)
{
	const struct enact_text source = { text, size, name };
	struct generation *g;
	struct candidate *c;
	int status;

	shadow_reclaim(d->shadow);
	status = enact_make_room(d, errors);
	if (status != 0)
		return status;
	g = enact_compile(d, 0, &source, d->geo, errors);
	if (g == NULL)
		return -EINVAL;
	c = candidate_new(g, d->n_workers, publisher_get(d->publisher)->number);
	if (c != NULL && shadow_set(d->shadow, c) == 0)
		return 0;
	candidate_free(c);
	return err_set_code(err_list_next(errors), ENOMEM, NULL, 0, NULL, "out of memory");
}

static void
forget(struct daemon *d)
{
	json_decref(d->shadow_text);
	d->shadow_text = NULL;
	(void)shadow_set(d->shadow, NULL); /* without memory it goes on, seen by nobody */
}

json_t *
shadow_on_push(void *context, const struct control_peer *peer, const json_t *request)
{
	json_t *text = json_object_get(request, "text");
	const char *name = change_text(request, "name");
	struct store_person who = change_peer(peer);
	struct err_list errors = { .n = 0 };
	struct daemon *d = context;

	if (!json_is_string(text))
		return change_refuse("text", "a push needs the text of a policy");
	if (name != NULL && text_has_control(name))
		return change_refuse("name", "there is a control character in it");
	if (publisher_get(d->publisher) == NULL)
		return change_refuse(
			NULL, "no policy is running: there is nothing to compare with");
	name = name != NULL ? name : "pushed";
	if (compile(d, json_string_value(text), json_string_length(text), name, &errors) != 0)
		return control_refuse(CONTROL_REFUSED, errors.items, errors.n);
	json_decref(d->shadow_text);
	d->shadow_text =
		json_pack("{s:O, s:s, s:s}", "text", text, "name", name, "pushed_by", who.name);
	daemon_event(d, "shadow", "%s is judged beside generation %u, by %s", name,
		shadow_get(d->shadow)->against, who.name);
	return shadow_on_status(context, peer, request);
}

json_t *
shadow_on_status(void *context, const struct control_peer *peer, const json_t *request)
{
	json_t *report = shadow_report(context);

	if (report != NULL)
		return control_ok(report);
	return change_refuse(NULL, "there is no candidate: push one with push --shadow");
}

json_t *
shadow_on_drop(void *context, const struct control_peer *peer, const json_t *request)
{
	struct store_person who = change_peer(peer);
	struct daemon *d = context;

	if (d->shadow_text == NULL)
		return change_refuse(NULL, "there is no candidate");
	daemon_event(d, "shadow", "%s is not judged any more, by %s",
		json_string_value(json_object_get(d->shadow_text, "name")), who.name);
	forget(d);
	return control_ok(NULL);
}

json_t *
shadow_on_promote(void *context, const struct control_peer *peer, const json_t *request)
{
	struct daemon *d = context;
	json_t *push, *answer;

	if (d->shadow_text == NULL)
		return change_refuse(NULL, "there is no candidate: push one with push --shadow");
	push = json_deep_copy(request);
	if (push == NULL || json_object_update(push, d->shadow_text) != 0) {
		json_decref(push);
		return change_refuse(NULL, "out of memory");
	}
	answer = change_on_push(context, peer, push);
	json_decref(push);
	shadow_attend(d);
	return answer;
}

static void
compile_again(struct daemon *d)
{
	const json_t *text = json_object_get(d->shadow_text, "text");
	const char *name = json_string_value(json_object_get(d->shadow_text, "name"));
	struct err_list errors = { .n = 0 };
	char why[1024] = "";

	if (compile(d, json_string_value(text), json_string_length(text), name, &errors) == 0) {
		daemon_event(d, "shadow", "%s is judged beside generation %u, counted anew", name,
			shadow_get(d->shadow)->against);
		return;
	}
	if (errors.n > 0)
		err_format(&errors.items[0], why, sizeof(why));
	daemon_event(d, "shadow", "%s is not judged any more: %s", name, why);
	forget(d);
}

void
shadow_attend(struct daemon *d)
{
	const struct generation *g = publisher_get(d->publisher);
	const struct candidate *c = shadow_get(d->shadow);

	shadow_reclaim(d->shadow);
	if (d->shadow_text == NULL || c == NULL || g == NULL || c->against == g->number)
		return;
	if (strcmp(g->policy->sha256, c->generation->policy->sha256) != 0) {
		compile_again(d);
		return;
	}
	daemon_event(d, "shadow", "%s was promoted to generation %u", c->generation->policy->file,
		g->number);
	forget(d);
}

static json_t *
pair_json(const struct stats_pair *pair)
{
	return json_pack("{s:I, s:I}", "packets", (json_int_t)pair->packets, "bytes",
		(json_int_t)pair->bytes);
}

static json_t *
verdicts_json(const struct shadow_counts *sum)
{
	json_t *list = json_array(), *o;
	verdict_t a, b;

	for (a = 0; a < SHADOW_VERDICTS; a++)
		for (b = 0; b < SHADOW_VERDICTS; b++) {
			if (sum->verdicts[a][b].packets == 0)
				continue;
			o = pair_json(&sum->verdicts[a][b]);
			json_object_set_new(o, "before", json_string(verdict_name(a)));
			json_object_set_new(o, "after", json_string(verdict_name(b)));
			json_array_append_new(list, o);
		}
	return list;
}

static json_t *
reasons_json(const struct shadow_counts *sum)
{
	json_t *o = json_object();
	unsigned int i;

	for (i = 1; i < REASON_N; i++)
		if (sum->reasons[i].packets != 0)
			json_object_set_new(
				o, reason_name((reason_t)i), pair_json(&sum->reasons[i]));
	return o;
}

/* What the frames of one country or AS would get otherwise. */
struct place {
	char name[24];
	const char *as_name;
	struct stats_pair stricter, looser;
};

static int
place_compare_name(const void *a, const void *b)
{
	return strcmp(((const struct place *)a)->name, ((const struct place *)b)->name);
}

static int
place_compare_size(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	uint64_t m = x->stricter.bytes + x->looser.bytes, n = y->stricter.bytes + y->looser.bytes;

	return m != n ? (m > n ? -1 : 1) : place_compare_name(a, b);
}

/* Name of the country or AS of class `i`; false = it has none to show. */
static bool
place_name(const struct generation *g, uint32_t i, bool by_asn, struct place *p)
{
	const struct ruleset *rs = g->ruleset;
	const struct geo_origin *origin;

	if (i == rs->n_classes) { /* frames that no address decided */
		snprintf(p->name, sizeof(p->name), "no address");
		return !by_asn;
	}
	origin = &rs->geo->origins[rs->classes[i].origin];
	p->as_name = origin->as_name;
	if (by_asn)
		snprintf(p->name, sizeof(p->name), "AS%u", origin->asn);
	else if (special_name(rs->classes[i].special) != NULL)
		snprintf(p->name, sizeof(p->name), "%s", special_name(rs->classes[i].special));
	else if (memcmp(origin->country, GEO_UNKNOWN_COUNTRY, 2) == 0)
		snprintf(p->name, sizeof(p->name), "unknown");
	else
		snprintf(p->name, sizeof(p->name), "%.2s", origin->country);
	return !by_asn || origin->asn != 0;
}

/* Rows of one name become one; returns how many are left. */
static size_t
places_join(struct place *places, size_t n)
{
	size_t i, kept = 0;

	qsort(places, n, sizeof(*places), place_compare_name);
	for (i = 0; i < n; i++) {
		if (kept > 0 && strcmp(places[kept - 1].name, places[i].name) == 0) {
			stats_sum(&places[kept - 1].stricter, &places[i].stricter);
			stats_sum(&places[kept - 1].looser, &places[i].looser);
		} else {
			places[kept++] = places[i];
		}
	}
	qsort(places, kept, sizeof(*places), place_compare_size);
	return kept;
}

static json_t *
places_json(const struct generation *g, const struct shadow_counts *sum, bool by_asn, size_t limit)
{
	uint32_t i, n_classes = g->ruleset->n_classes;
	struct place *places = calloc((size_t)n_classes + 1, sizeof(*places));
	json_t *o = json_object(), *row;
	size_t n = 0, k;

	for (i = 0; places != NULL && i <= n_classes; i++) {
		places[n].stricter = sum->stricter[i];
		places[n].looser = sum->looser[i];
		if (sum->stricter[i].packets + sum->looser[i].packets > 0 &&
			place_name(g, i, by_asn, &places[n]))
			n++;
	}
	n = places != NULL ? places_join(places, n) : 0;
	for (k = 0; k < n && k < limit; k++) {
		row = json_pack("{s:o, s:o}", "stricter", pair_json(&places[k].stricter), "looser",
			pair_json(&places[k].looser));
		if (by_asn)
			json_object_set_new(row, "name", json_string(places[k].as_name));
		json_object_set_new(o, places[k].name, row);
	}
	free(places);
	return o;
}

static void
sum_changes(const struct shadow_counts *sum, struct stats_pair *stricter, struct stats_pair *looser)
{
	unsigned int a, b;

	for (a = 0; a < SHADOW_VERDICTS; a++)
		for (b = 0; b < SHADOW_VERDICTS; b++)
			if (a != b)
				stats_sum(b > a ? stricter : looser, &sum->verdicts[a][b]);
}

json_t *
shadow_report(const struct daemon *d)
{
	const struct candidate *c = shadow_get(d->shadow);
	struct stats_pair stricter = { 0, 0 }, looser = { 0, 0 };
	struct shadow_counts sum;
	json_t *o;

	if (c == NULL || d->shadow_text == NULL || shadow_sum(c, &sum) != 0)
		return NULL;
	sum_changes(&sum, &stricter, &looser);
	o = json_pack("{s:s, s:s, s:s, s:O, s:o, s:I, s:o, s:o, s:o, s:f, s:o, s:o, s:o, s:o}",
		"name", c->generation->policy->name, "file", c->generation->policy->file, "sha256",
		c->generation->policy->sha256, "pushed_by",
		json_object_get(d->shadow_text, "pushed_by"), "since", report_time(c->since),
		"against", (json_int_t)c->against, "judged", pair_json(&sum.judged), "stricter",
		pair_json(&stricter), "looser", pair_json(&looser), "percent",
		sum.judged.bytes > 0
			? 100.0 * (double)(stricter.bytes + looser.bytes) / (double)sum.judged.bytes
			: 0.0,
		"verdicts", verdicts_json(&sum), "reasons", reasons_json(&sum), "countries",
		places_json(c->generation, &sum, false, SIZE_MAX), "asns",
		places_json(c->generation, &sum, true, ASNS_MAX));
	shadow_sum_fini(&sum);
	return o;
}
