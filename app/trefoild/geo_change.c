/* SPDX-License-Identifier: BSD-3-Clause */
/* geo reload. */
#include "geo_change.h"

#include "change_commands.h"
#include "report.h"

#include <errno.h>
#include <string.h>

static int
reload(struct daemon *d, const struct store_person *who, uint32_t *number, bool *is_waiting,
	struct err_list *errors)
{
	struct change change = { .kind = "geo",
		.who = *who,
		.message = "geo reload",
		.n_approvals = d->settings->approvals };
	int status;

	change.geo = geo_ref_load(d->settings->geo_table, err_list_next(errors));
	if (change.geo == NULL)
		return -EINVAL;
	errors->n = errors->n_found = 0;
	status = change_propose(d, &change, number, is_waiting, errors);
	geo_ref_drop(change.geo);
	if (status == 0)
		daemon_alarm_clear(d, ALARM_GEO);
	return status;
}

void
geo_change_reload(struct daemon *d)
{
	struct store_person who = change_person(STORE_NOBODY, "trefoild");
	struct err_list errors = { .n = 0 };
	char line[1024];
	bool is_waiting;
	uint32_t number;

	if (reload(d, &who, &number, &is_waiting, &errors) == 0)
		return;
	if (errors.n > 0)
		daemon_log("%s", err_format(&errors.items[0], line, sizeof(line)));
	daemon_alarm(d, ALARM_GEO,
		"the geo table could not be loaded again, the old one judges: %.400s",
		errors.n > 0 ? line : "out of memory");
}

json_t *
geo_on_request(void *context, const struct control_peer *peer, const json_t *request)
{
	const char *action = change_text(request, "action");
	struct store_person who = change_peer(peer);
	struct daemon *d = context;
	struct err_list errors = { .n = 0 };
	bool is_waiting = false;
	uint32_t number = 0;
	int status;

	if (action == NULL || strcmp(action, "reload") != 0)
		return change_refuse("action", "geo reload is the only action");
	status = reload(d, &who, &number, &is_waiting, &errors);
	return change_answer(d, status, number, is_waiting, &errors);
}
