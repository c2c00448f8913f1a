/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * report_diff: what a candidate would change, as JSON: rules, address space, current traffic.
 * Threads: control thread.
 * Units: shares are per cent.
 */
#pragma once

#include "daemon.h"
#include "ruleset/diff.h"
#include "traffic.h"

#include <jansson.h>

/* A candidate compared with the running generation. */
struct comparison {
	const struct generation *before, *after; /* borrowed */
	struct traffic_window window;
	struct diff *diff;
};

/* Both must outlive the comparison. Returns 0 or -ENOMEM. */
int comparison_init(struct comparison *c, struct daemon *d, const struct generation *before,
	const struct generation *after);
void comparison_fini(struct comparison *c);

/* At most `limit` rows and ranges of each kind. NEW, NULL = out of memory. */
json_t *report_diff(const struct comparison *c, size_t limit);

/* What is no rule but decides all the same, where it differs: an array of "key", "before", "after". NEW. */
json_t *report_settings(const struct policy *before, const struct policy *after);

/* How much new data may change without a second look: per cent of the address space that the
 * running table knows, and of the traffic of the window. 100 = anything. */
struct blast_radius {
	double space_percent, traffic_percent;
};

/* Refuse what is over the radius, by what would change its verdict. Where counters cannot tell, all
 * traffic that may be affected counts. Returns 0 or -EPERM and `e` says how much it is. */
int comparison_check(const struct comparison *c, const struct blast_radius *radius, struct err *e);

/* Answers {"command":"diff"}: "text" of a policy (and "name"), or "table" with the bytes of a geo
 * table in base64; neither = the policy file of trefoild.ini. "limit" = rows of each list. */
json_t *diff_answer(struct daemon *d, const json_t *request);

/* A table of a request: base64 of the bytes of its file. NULL, `e` says why. */
struct geo_ref *diff_parse_table(const json_t *table, const char *name, struct err *e);
