/* SPDX-License-Identifier: BSD-3-Clause */
/* Names of reasons. */
#include "base/reason.h"

static const char *const names[REASON_N] = { "none",
#define X(id, name, what) name,
	REASONS(X)
#undef X
};

static const char *const texts[REASON_N] = { "not decided",
#define X(id, name, what) what,
	REASONS(X)
#undef X
};

const char *
reason_name(reason_t reason)
{
	return reason < REASON_N ? names[reason] : names[REASON_NONE];
}

const char *
reason_text(reason_t reason)
{
	return reason < REASON_N ? texts[reason] : texts[REASON_NONE];
}

bool
reason_is_unparsable(reason_t reason)
{
	return reason >= REASON_TRUNCATED && reason <= REASON_UNKNOWN_ETHERTYPE;
}
