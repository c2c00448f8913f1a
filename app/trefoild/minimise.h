/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * minimise: an auditor gets no more than is needed. Of the copies that the workers made, the writer
 * keeps those that the filter matches, the first ones of each flow, so many a second of each rule;
 * and of these the headers, unless the policy names rule or reason for payload.
 *
 * Threads: a minimiser belongs to the writer's thread.
 */
#pragma once

#include "annotate.h"
#include "base/err.h"
#include "custody.h"
#include "mirror/mirror.h"

struct minimise_options {
	const char *filter;        /* pcap-filter(7), "" = all */
	unsigned int flow_packets; /* 0 = all */
};

struct minimiser;

/* NULL + errno, `e` filled: EINVAL (no such filter), ENOMEM. */
struct minimiser *minimiser_new(const struct minimise_options *options, struct err *e);
void minimiser_free(struct minimiser *m); /* NULL allowed */

/* Is that a filter? Returns 0, -EINVAL or -ENOMEM, `e` filled. Needs no EAL. */
int minimise_check_filter(const char *filter, struct err *e);

/* Reasons whose copies the rings must hold whole under that generation. */
struct generation;
uint64_t minimiser_whole_reasons(const struct generation *g);

/* HOT for the writer: what becomes of a copy of `length` bytes? CUSTODY_CAUSES: it is kept, as far
 * as extra->kept says, and extra->n_left_out, is_last_of_flow are set. Else why it is not. */
enum custody_cause minimiser_judge(struct minimiser *m, const struct mirror_note *note,
	const void *data, uint32_t length, struct annotate_extra *extra);
