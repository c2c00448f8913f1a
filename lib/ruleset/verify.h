/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * verify: does a compiled ruleset say what policy and data say? Both ends of every range of the geo
 * table, of the special-purpose registries and of the policy's prefixes, and the addresses next to
 * them, are looked up in the compiled tables and by a slow reading that shares no code with the
 * compiler.
 *
 * Threads: pure function over immutable objects.
 */
#pragma once

#include "ruleset/ruleset.h"

/* Returns 0 or -EBADMSG: `e` names the first address that differs. -ENOMEM. */
int ruleset_verify(const struct ruleset *rs, struct err *e);
