/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * verdict: what happens to a frame, as two bits. Verdicts of several addresses are OR-ed; a larger
 * number is stricter.
 * Threads: pure functions.
 */
#pragma once

#include <stdint.h>

typedef uint8_t verdict_t;

#define VERDICT_PASS   ((verdict_t)0)
#define VERDICT_MIRROR ((verdict_t)1) /* a copy goes to the mirror */
#define VERDICT_DROP   ((verdict_t)2)

/* "pass", "mirror", "drop", "drop+mirror". */
const char *verdict_name(verdict_t verdict);

/* The verdict of a word of the policy ("approve" is "pass"). Returns 0 or -EINVAL, `*out` untouched
 * then. */
int verdict_parse(const char *word, verdict_t *out);
