/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * annotate: the text beside each mirrored frame. What a frame has in common with others of its
 * class is written once and kept; the rest is a number.
 *
 * Threads: an annotator belongs to one thread.
 */
#pragma once

#include "classify/classify.h"
#include "mirror/mirror.h"

#include <stdbool.h>
#include <stdint.h>

/* What was left out of or in front of a copy. */
struct annotate_extra {
	uint32_t kept;       /* bytes of the frame that the copy has */
	uint64_t n_left_out; /* copies of the same rule left out by its rate since the one before */
	bool is_last_of_flow; /* what follows of its flow is left out */
};

/* The verdict that a copy's note spells out. */
struct classify_result annotate_result(const struct mirror_note *note);

struct annotator;

/* NULL + ENOMEM. */
struct annotator *annotator_new(void);
void annotator_free(struct annotator *a); /* NULL allowed */

/* HOT for the writer: the annotation of a copy, in memory of the annotator's; `*length` without
 * NUL. note->generation must still be there. */
const char *annotate(struct annotator *a, const struct mirror_note *note,
	const struct annotate_extra *extra, size_t *length);
