/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * text: what error messages for people need: the nearest valid word, copies cut to a size.
 * Threads: pure functions.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The word of `words` with the smallest edit distance to `word`, or NULL when none is near enough
 * to suggest (distance over half its length, at least 1). NULL entries are skipped. */
const char *text_nearest(const char *word, const char *const *words, size_t n_words);

/* Copy to `out` of `size` > 0 bytes; what does not fit is cut, never inside a UTF-8 character: JSON
 * takes no half ones. */
void text_copy(char *out, size_t size, const char *text);

/* Is there a control character (ASCII) in it? It would forge lines of a log. */
bool text_has_control(const char *text);
