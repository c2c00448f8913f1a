/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Handlers of the control socket. A request that fails changes nothing; texts of policies are
 * checked by the same parser that trefoilctl check runs.
 */
#include "commands.h"

#include "change_commands.h"
#include "report.h"
#include "report_diff.h"
#include "report_explain.h"
#include "shadow_commands.h"
#include "watch.h"

#include <string.h>

static json_t *
refuse(const char *key, const char *message)
{
	struct err e;

	err_set(&e, NULL, 0, key, "%s", message);
	return control_refuse(CONTROL_REFUSED, &e, 1);
}

static json_t *
answer_or_nomem(json_t *result)
{
	return result != NULL ? control_ok(result) : refuse(NULL, "out of memory");
}

/* A string of the request, or NULL. */
static const char *
string_of(const json_t *request, const char *key)
{
	return json_string_value(json_object_get(request, key));
}

static json_t *
on_status(void *context, const struct control_peer *peer, const json_t *request)
{
	return answer_or_nomem(report_status(context));
}

static json_t *
on_counters(void *context, const struct control_peer *peer, const json_t *request)
{
	const char *by = string_of(request, "by");

	if (by != NULL && !report_is_known(by))
		return refuse("by", "counters by country, reason, asn, rule, port or worker");
	return answer_or_nomem(report_counters(context, by));
}

static json_t *
on_diff(void *context, const struct control_peer *peer, const json_t *request)
{
	return diff_answer(context, request);
}

static json_t *
on_explain(void *context, const struct control_peer *peer, const json_t *request)
{
	const struct daemon *d = context;
	const struct generation *g = publisher_get(d->publisher);
	struct explain_question question;
	json_t *result;
	struct err e;

	if (explain_question_parse(request, &question, &e) != 0)
		return control_refuse(CONTROL_REFUSED, &e, 1);
	result = g != NULL ? report_explain(g, &question) : NULL;
	explain_question_fini(&question);
	if (g == NULL)
		return refuse(NULL, "no policy is running: everything is dropped (no-policy)");
	return answer_or_nomem(result);
}

static json_t *
on_watch(void *context, const struct control_peer *peer, const json_t *request)
{
	const struct daemon *d = context;

	return watch_answer(d->watch, request);
}

/* Legal hold of a segment, or its end. */
static json_t *
hold_segment(struct daemon *d, const struct control_peer *peer, const json_t *request, bool is_hold)
{
	const char *segment = string_of(request, "segment"), *why = string_of(request, "message");
	struct store_person who = change_peer(peer);
	struct err e;

	if (segment == NULL)
		return refuse("segment", "which segment? `mirror list' shows what there is");
	if (custody_hold(writer_custody(d->writer), segment, is_hold, who.name,
		    why != NULL ? why : "", &e) != 0)
		return control_refuse(CONTROL_REFUSED, &e, 1);
	return answer_or_nomem(json_pack("{s:s, s:b}", "segment", segment, "held", (int)is_hold));
}

static json_t *
list_segments(struct daemon *d)
{
	json_t *list = custody_list_json(writer_custody(d->writer));

	if (list == NULL)
		return refuse(NULL, "the mirror's disk does not answer: try again later");
	return answer_or_nomem(json_pack("{s:o}", "segments", list));
}

static json_t *
on_mirror(void *context, const struct control_peer *peer, const json_t *request)
{
	const char *action = string_of(request, "action");
	struct daemon *d = context;
	json_t *status, *result;

	if (action == NULL)
		action = "status";
	if (strcmp(action, "status") != 0 && d->writer == NULL)
		return refuse(NULL, "there is no mirror: set [mirror] dir in trefoild.ini");
	if (strcmp(action, "hold") == 0 || strcmp(action, "release") == 0)
		return hold_segment(d, peer, request, strcmp(action, "hold") == 0);
	if (strcmp(action, "list") == 0)
		return list_segments(d);
	if (strcmp(action, "rotate") == 0)
		writer_rotate(d->writer);
	else if (strcmp(action, "status") != 0)
		return refuse("action", "mirror status, rotate, list, hold or release");
	status = report_status(d);
	result = json_incref(json_object_get(status, "mirror"));
	json_decref(status);
	return answer_or_nomem(result);
}

const struct control_command commands[] = {
	{ "status", on_status },
	{ "counters", on_counters },
	{ "diff", on_diff },
	{ "explain", on_explain },
	{ "push", change_on_push },
	{ "confirm", change_on_confirm },
	{ "rollback", change_on_rollback },
	{ "approve", change_on_approve },
	{ "history", change_on_history },
	{ "show", change_on_show },
	{ "geo", geo_on_request },
	{ "mirror", on_mirror },
	{ "shadow", shadow_on_status },
	{ "shadow-push", shadow_on_push },
	{ "shadow-drop", shadow_on_drop },
	{ "promote", shadow_on_promote },
	{ "watch", on_watch },
	{ NULL, NULL },
};
