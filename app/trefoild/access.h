/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * access: who may ask what over the control socket: roles, from the groups that the kernel says a
 * peer is in. A group that does not exist gives nobody a role. The user that the daemon runs as is
 * an operator, so that there is always one; an approver he is only by group, root neither.
 *
 *     viewer    status, counters, explain, diff, history, show, shadow, watch
 *     auditor   that, and the mirror
 *     operator  that, and push, confirm, rollback, geo push...: every command not named here
 *     approver  what viewers may, and approve
 *
 * Threads: control thread.
 */
#pragma once

#include "control/control.h"
#include "daemon.h"

#define ACCESS_VIEWER   1u
#define ACCESS_AUDITOR  2u
#define ACCESS_OPERATOR 4u
#define ACCESS_APPROVER 8u

/* Roles of a peer, 0 = none. */
unsigned int access_roles(const struct settings *settings, const struct control_peer *peer);

/* Roles one of which a request needs. */
unsigned int access_needed(const json_t *request);

/* Does the request change, or try to change, anything? */
bool access_is_change(const json_t *request);

/* Let the kernel admit to the socket whom [access] names, as the groups are now; logs what is missing. */
void access_admit(struct daemon *d);

/* Guard the server and say which groups are missing. Returns 0 or -errno. */
int access_start(struct daemon *d, struct control_server *server, struct err *e);
