/* SPDX-License-Identifier: BSD-3-Clause */
/* Groups to roles, commands to roles. Groups are looked up when asked: they may be made any time. */
#include "access.h"

#include "audit_log.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <unistd.h>

#define ANYBODY (ACCESS_VIEWER | ACCESS_AUDITOR | ACCESS_OPERATOR | ACCESS_APPROVER)

struct permission {
	const char *command;
	const char *action; /* NULL = any */
	unsigned int roles;
};

/* What is not here is for operators. */
static const struct permission permissions[] = {
	{ "status", NULL, ANYBODY },
	{ "counters", NULL, ANYBODY },
	{ "explain", NULL, ANYBODY },
	{ "diff", NULL, ANYBODY },
	{ "history", NULL, ANYBODY },
	{ "show", NULL, ANYBODY },
	{ "shadow", NULL, ANYBODY },
	{ "watch", NULL, ANYBODY },
	{ "geo", "status", ANYBODY },
	{ "mirror", NULL, ACCESS_AUDITOR | ACCESS_OPERATOR },
	{ "approve", NULL, ACCESS_APPROVER },
};

static bool
is_member(const struct control_peer *peer, const char *name)
{
	const struct group *group = name[0] != '\0' ? getgrnam(name) : NULL;
	unsigned int i;

	if (group == NULL)
		return false;
	if (peer->gid == group->gr_gid)
		return true;
	for (i = 0; i < peer->n_groups; i++)
		if (peer->groups[i] == group->gr_gid)
			return true;
	return false;
}

static const char *
approvers_of(const struct settings *settings)
{
	return settings->approvers[0] != '\0' ? settings->approvers : settings->operators;
}

unsigned int
access_roles(const struct settings *settings, const struct control_peer *peer)
{
	unsigned int roles = 0;

	if (peer->uid == geteuid() || peer->uid == 0 || is_member(peer, settings->operators))
		roles |= ACCESS_OPERATOR;
	if (is_member(peer, approvers_of(settings)))
		roles |= ACCESS_APPROVER;
	if (is_member(peer, settings->auditors))
		roles |= ACCESS_AUDITOR;
	if (is_member(peer, settings->viewers))
		roles |= ACCESS_VIEWER;
	return roles;
}

static const char *
text_of(const json_t *request, const char *key)
{
	const char *text = json_string_value(json_object_get(request, key));

	return text != NULL ? text : "";
}

unsigned int
access_needed(const json_t *request)
{
	const char *command = text_of(request, "command"), *action = text_of(request, "action");
	size_t i;

	for (i = 0; i < sizeof(permissions) / sizeof(permissions[0]); i++)
		if (strcmp(permissions[i].command, command) == 0 &&
			(permissions[i].action == NULL ||
				strcmp(permissions[i].action, action) == 0))
			return permissions[i].roles;
	return ACCESS_OPERATOR;
}

bool
access_is_change(const json_t *request)
{
	const char *action = text_of(request, "action");

	if (strcmp(text_of(request, "command"), "mirror") == 0)
		return strcmp(action, "rotate") == 0 || strcmp(action, "hold") == 0 ||
		       strcmp(action, "release") == 0;
	return json_is_string(json_object_get(request, "command")) &&
	       (access_needed(request) & ACCESS_VIEWER) == 0;
}

static json_t *
refuse(const char *format, const char *command, const char *group)
{
	struct err e;

	err_set(&e, NULL, 0, NULL, "not permitted%s%s: %s '%s' of [access] in trefoild.ini",
		command[0] != '\0' ? " to " : "", command, format, group);
	return control_refuse(CONTROL_NOT_PERMITTED, &e, 1);
}

static json_t *
guard(void *context, const struct control_peer *peer, const json_t *request)
{
	const struct daemon *d = context;
	unsigned int roles = access_roles(d->settings, peer), needed;

	if (roles == 0)
		return refuse("join a group such as", "", d->settings->viewers);
	needed = request != NULL ? access_needed(request) : roles;
	if (request != NULL)
		audit_log_before(d->audit);
	if ((roles & needed) != 0)
		return NULL;
	return refuse("needs the group", text_of(request, "command"),
		needed & ACCESS_OPERATOR   ? d->settings->operators
		: needed & ACCESS_APPROVER ? approvers_of(d->settings)
					   : d->settings->auditors);
}

static void
note(void *context, const struct control_peer *peer, const json_t *request, const json_t *response)
{
	const struct daemon *d = context;

	if (access_is_change(request))
		audit_log_command(d->audit, peer, request, response);
}

/* Each name once: the operators approve where no other group is named. */
static unsigned int
find_groups(const struct settings *settings, const char *names[4])
{
	const char *const all[] = { settings->operators, approvers_of(settings), settings->auditors,
		settings->viewers };
	unsigned int i, k, n = 0;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		for (k = 0; k < n && strcmp(names[k], all[i]) != 0; k++)
			;
		if (k == n && all[i][0] != '\0')
			names[n++] = all[i];
	}
	return n;
}

void
access_admit(struct daemon *d)
{
	const char *names[4];
	uint32_t gids[4];
	unsigned int i, n = 0, n_names = find_groups(d->settings, names);
	int status;

	for (i = 0; i < n_names; i++) {
		const struct group *group = getgrnam(names[i]);

		if (group != NULL)
			gids[n++] = group->gr_gid;
		else
			daemon_log("[access] there is no group '%s': nobody has a role by it: "
				   "addgroup --system %s",
				names[i], names[i]);
	}
	status = control_server_admit(d->server, gids, n);
	if (status != 0)
		daemon_log("%s: only root and the user and group of the daemon may connect: no "
			   "access control list: %s",
			d->settings->socket, strerror(-status));
}

int
access_start(struct daemon *d, struct control_server *server, struct err *e)
{
	d->server = server;
	d->audit = audit_log_new(d);
	if (d->audit == NULL)
		return err_set_code(e, ENOMEM, NULL, 0, NULL, "out of memory");
	access_admit(d);
	if (d->settings->approvals > 0 && getgrnam(approvers_of(d->settings)) == NULL)
		daemon_alarm(d, ALARM_ACCESS,
			"approvals = %u, but there is no group '%s': nobody can approve a push",
			d->settings->approvals, approvers_of(d->settings));
	control_server_guard(server, guard, note);
	return 0;
}
