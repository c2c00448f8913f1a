/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the diff share. */
#pragma once

#include "ruleset/diff.h"

/* The space that goes from one class to one other. */
struct diff_part {
	ruleset_class_t before, after;
	uint32_t n_runs; /* of addresses side by side */
	struct diff_size size;
};

struct diff_parts {
	struct diff_part *items;
	size_t n, capacity;
	uint32_t *n_runs;                   /* of each class of `before`, changed or not */
	const struct diff_traffic *traffic; /* NULL = none */
};

/* Rows by country, rows by ASN and totals from the parts, which are sorted anew. Returns 0 or
 * -ENOMEM. */
int diff_add_rows(struct diff *d, struct diff_parts *parts);

void diff_size_add(struct diff_size *sum, const struct diff_size *size);
