/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * replay: what trefoil-replay prints: one line per packet, and the summary.
 * Threads: single-threaded program.
 */
#pragma once

#include "capture/capture.h"
#include "classify/classify.h"

#include <stdbool.h>
#include <stdio.h>

struct replay_count {
	uint64_t packets, bytes;
};

struct replay_summary {
	struct replay_count all, verdicts[4], reasons[REASON_N];
	struct replay_count countries[26 * 26], no_country;
	double seconds; /* spent on reading and judging */
};

/* Count one judged frame. */
void replay_count(struct replay_summary *s, const struct ruleset *rs,
	const struct capture_frame *frame, const struct classify_detail *d);

/* One packet, for people or as one JSON object on a line. */
void replay_print_text(FILE *out, const struct ruleset *rs, const struct capture_frame *frame,
	const struct classify_detail *d);
/* Returns 0 or -ENOMEM. */
int replay_print_json(FILE *out, const struct ruleset *rs, enum classify_direction direction,
	const struct capture_frame *frame, const struct classify_detail *d);

void replay_print_summary_text(FILE *out, const struct replay_summary *s, bool is_shadow);
int replay_print_summary_json(FILE *out, const struct replay_summary *s, bool is_shadow);
