/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * geo_change: new geo tables, from the control socket or, by SIGHUP, from the file of trefoild.ini:
 * one path, one set of checks.
 * Threads: control thread.
 */
#pragma once

#include "change.h"

/* SIGHUP: load the file again. A failure is logged and raises an alarm; what runs goes on. */
void geo_change_reload(struct daemon *d);

/* Does the candidate `g`, made with new data, change more than [geo] max_space or max_traffic allow
 * without an approval? Then `record->note` says how much. */
bool geo_change_is_large(struct daemon *d, const struct generation *g, struct store_record *record);
