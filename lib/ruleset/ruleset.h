/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ruleset: policy + geo table compiled into one immutable object: address -> class -> (verdict,
 * reason, rule, origin). A class is a distinct (origin, rule, special) triple; every address of
 * both families has exactly one.
 *
 * IPv4: DIR-24-8 of 32-bit entries. IPv6: multibit trie with popcount-compressed nodes. Both are
 * built from sorted ranges in one pass.
 *
 * Threads: look-ups from any number of threads at once. Freeing is the publisher's job, after a
 * grace period.
 * Units: addresses in HOST order.
 */
#pragma once

#include "geo/geo.h"
#include "policy/policy.h"

#include <stdbool.h>

typedef uint32_t ruleset_class_t; /* dense; class 0 is the unknown origin */

/* Beside the verdict's bits in ruleset->verdict[]: a carrier (6to4, Teredo, NAT64), which only the
 * frame walker can judge. */
#define RULESET_VERDICT_CARRIER 0x80u
#define RULESET_VERDICT_MASK    0x03u

#define RULESET_UNKNOWN   ((ruleset_class_t)0)
#define RULESET_RULE_NONE UINT32_MAX

struct ruleset_class {
	uint32_t origin; /* index into the geo table's origins, 0 = unknown or special */
	uint32_t rule;   /* index into the policy's rules; RULESET_RULE_NONE for carriers without a
			    [prefix] rule */
	uint8_t special; /* enum special */
};

struct ruleset_options {
	bool is_stale; /* the geo data is too old: what it decides gets [policy] stale on top */
};

struct ruleset {
	/* Hot: indexed by class, read for every packet. */
	const uint8_t *verdict; /* verdict_t, RULESET_VERDICT_CARRIER */
	const uint8_t *reason;  /* reason_t */
	struct ruleset_table4 *table4;
	struct ruleset_table6 *table6;
	/* Cold. */
	struct ruleset_class *classes;
	uint32_t n_classes;
	const struct policy *policy; /* borrowed */
	const struct geo_table *geo; /* borrowed */
	struct ruleset_options options;
};

/* Compile. Borrows `policy` and `geo`, which must outlive the ruleset. `options` NULL = all off.
 * Returns NULL and sets errno: ENOMEM, EOVERFLOW (more than 2^24 classes). */
struct ruleset *ruleset_compile(const struct policy *policy, const struct geo_table *geo,
	const struct ruleset_options *options);

/* NULL allowed. */
void ruleset_free(struct ruleset *rs);

/* HOT: classes[i] = class of ips[i] for i < n. Cannot fail; n == 0 is allowed; no overlap. */
void ruleset_lookup4(
	const struct ruleset *rs, const uint32_t *ips, ruleset_class_t *classes, unsigned int n);
void ruleset_lookup6(
	const struct ruleset *rs, const ip6_t *ips, ruleset_class_t *classes, unsigned int n);

/* The range of addresses around `ip` that one [prefix] rule, special entry or geo range decides:
 * what `explain` shows. */
void ruleset_explain_range(
	const struct ruleset *rs, const struct ip_addr *ip, struct ip_range *range);

/* Bytes of memory the look-up structures take. */
size_t ruleset_memory_size(const struct ruleset *rs);
