/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * report: the daemon's state as JSON; keys are a contract (trefoilctl(8)).
 * Threads: control thread.
 */
#pragma once

#include "daemon.h"

#include <jansson.h>
#include <time.h>

/* NEW objects; NULL = out of memory. */
json_t *report_status(struct daemon *d);

/* What worker `i` had to do over the last second, and what waits for it. */
json_t *report_load(const struct daemon *d, unsigned int i);

/* `by` NULL = country; one of which report_is_known() says true. */
json_t *report_counters(struct daemon *d, const char *by);
bool report_is_known(const char *by);

/* By country, reason, asn, port and worker at once, of one reading. */
json_t *report_all_counters(struct daemon *d);

/* "2026-11-23T22:15:00Z" */
json_t *report_time(time_t when);
