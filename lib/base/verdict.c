/* SPDX-License-Identifier: BSD-3-Clause */
/* Verdict words. */
#include "base/verdict.h"

#include <errno.h>
#include <string.h>

static const char *const verdict_names[] = { "pass", "mirror", "drop", "drop+mirror" };

const char *
verdict_name(verdict_t verdict)
{
	return verdict_names[verdict & (VERDICT_DROP | VERDICT_MIRROR)];
}

int
verdict_parse(const char *word, verdict_t *out)
{
	verdict_t v;

	if (strcmp(word, "approve") == 0) {
		*out = VERDICT_PASS;
		return 0;
	}
	for (v = 0; v < sizeof(verdict_names) / sizeof(verdict_names[0]); v++)
		if (strcmp(word, verdict_names[v]) == 0) {
			*out = v;
			return 0;
		}
	return -EINVAL;
}
