/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * privilege: root only as long as ports need it. Then the process is [appliance] user, with the
 * capabilities that its ports' drivers go on using and no others, and cannot get any back.
 *
 * Threads: control thread. Afterwards workers and whatever else runs have no capability at all.
 * Source: capabilities(7), credentials(7), PR_SET_NO_NEW_PRIVS of prctl(2).
 */
#pragma once

#include "base/err.h"
#include "settings/settings.h"
#include "wires.h"

/* Before there are threads: no program that is executed gains a privilege. */
void privilege_begin(void);

/* The ports are set up, no file is written yet: give the user its directories and become it. Logs
 * what is kept. Returns 0, or -errno and `e` says what to do: -ENOENT (no such user), -EPERM (not
 * started as root), -EACCES (a directory is somebody else's)... */
int privilege_drop(const struct settings *settings, const struct wires *wires, struct err *e);

/* A thread that is made later needs none of the capabilities that the control thread kept. */
void privilege_drop_thread(void);
