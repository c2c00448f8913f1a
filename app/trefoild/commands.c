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

static json_t *
on_mirror(void *context, const struct control_peer *peer, const json_t *request)
{
	const char *action = string_of(request, "action");
	struct daemon *d = context;
	json_t *status, *result;

	if (action != NULL && strcmp(action, "rotate") == 0) {
		if (d->writer == NULL)
			return refuse(NULL, "there is no mirror: set [mirror] dir in trefoild.ini");
		writer_rotate(d->writer);
	} else if (action != NULL && strcmp(action, "status") != 0) {
		return refuse("action", "mirror status or rotate");
	}
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
