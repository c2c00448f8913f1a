/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * diff: what changes from one ruleset to another: rules, address space and, when the traffic of
 * each class is known, traffic. One sweep over the boundaries of both, with the data plane's
 * look-ups.
 *
 * Threads: pure functions over immutable rulesets.
 * Units: IPv4 space in addresses, IPv6 space in /64 networks (part of one counts as its share);
 * addresses in host order.
 */
#pragma once

#include "ruleset/ruleset.h"

#include <stddef.h>
#include <stdint.h>

#define DIFF_CHANGES_MAX 1000 /* single ranges kept per family */

struct diff_traffic {
	uint64_t packets, bytes;
};

/* How much address space, and the CIDR prefixes that it amounts to. */
struct diff_size {
	uint64_t prefixes4, prefixes6;
	double addresses4, nets6;
};

/*
 * Traffic is known by class, not by address. What a class carries is `certain` to be affected when
 * all of its addresses are; when only some are, it is `most` that may be.
 */
struct diff_share {
	struct diff_traffic certain, most;
};

/* Address space of one country or AS that changes in the same way. Country, AS, special key and
 * verdict are those of the two classes, each of which stands for all of the row. */
struct diff_row {
	ruleset_class_t before, after;
	struct diff_size size;
	struct diff_share traffic;
};

struct diff_rows {
	struct diff_row *items; /* changed verdicts first; more traffic, then more space first */
	size_t n;
};

/* One range of addresses that changes. */
struct diff_change {
	struct ip_range range;
	ruleset_class_t before, after;
};

struct diff_changes {
	struct diff_change *items; /* changed verdicts only, largest first; DIFF_CHANGES_MAX */
	size_t n;
	uint64_t n_found;
};

struct diff {
	const struct ruleset *before, *after; /* borrowed */
	struct diff_size known;               /* space that has a country or ASN in `before` */
	struct diff_size changed;             /* space whose verdict changes */
	struct diff_size moved;      /* space whose country or ASN changes, verdict or not */
	struct diff_traffic traffic; /* all that was given */
	struct diff_share affected;  /* what of it changes its verdict */
	struct diff_rows countries, asns;
	struct diff_changes changes4, changes6;
};

/* Verdict bits and RULESET_VERDICT_CARRIER of both ends of a row or change differ. */
bool diff_is_verdict(const struct diff *d, ruleset_class_t before, ruleset_class_t after);

/* Compare. Borrows both rulesets, which must outlive the diff. `traffic` has an entry per class of
 * `before`, NULL = none. Returns NULL and sets errno: ENOMEM. */
struct diff *diff_new(const struct ruleset *before, const struct ruleset *after,
	const struct diff_traffic *traffic);

/* NULL allowed. */
void diff_free(struct diff *d);

/* A rule that is only in the one policy, or in both with different verdicts. */
struct diff_rule {
	uint32_t before,
		after; /* indices into the policies' rules, RULESET_RULE_NONE = not there */
};

/* Rules that were added, removed or changed, by section as policies have them. File names and lines
 * do not count, built-in defaults do. The caller frees *rules. Returns 0 or -ENOMEM. */
int diff_rules(const struct policy *before, const struct policy *after, struct diff_rule **rules,
	size_t *n);
