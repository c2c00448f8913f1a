/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ruleset: policy + geo table compiled into one immutable object: address -> class -> (verdict,
 * reason, rule, origin). A class is a distinct (origin, rule, special) triple; every address of
 * both families has exactly one.
 *
 * Both families: a direct table by the first bits. Where what an entry stands for is not uniform,
 * IPv4 has one node of bits to count, IPv6 a block of entries down to a /32 and a B-tree over the borders
 * inside that. Built from sorted ranges in one pass.
 *
 * Threads: look-ups from any number of threads at once. Freeing is the publisher's job, after a
 * grace period.
 * Units: addresses in HOST order.
 */
#pragma once

#include "base/huge.h"
#include "base/reason.h"
#include "base/verdict.h"
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

/* Everything the data plane needs to know of an address in one word: its class, and what the policy
 * says of the class: the reason, and two bits for the verdict, of which DROP is kept as its
 * opposite, so that 0 forwards nothing. Reason and FORWARD together are a small number. */
typedef uint32_t ruleset_answer_t;

#define RULESET_CLASS_BITS   22
#define RULESET_CLASS_MASK   ((UINT32_C(1) << RULESET_CLASS_BITS) - 1)
#define RULESET_REASON_SHIFT RULESET_CLASS_BITS
#define RULESET_REASON_BITS  6
#define RULESET_FORWARD      (UINT32_C(1) << 28)
#define RULESET_MIRROR       (UINT32_C(1) << 29)
#define RULESET_CARRIER      (UINT32_C(1) << 30)
#define RULESET_NODE         (UINT32_C(1) << 31) /* inside the tables only */

struct ruleset_class {
	uint32_t origin; /* index into the geo table's origins, 0 = unknown or special */
	uint32_t rule;   /* index into the policy's rules; RULESET_RULE_NONE for carriers without a
			    [prefix] rule */
	uint8_t special; /* enum special */
};

static inline ruleset_answer_t
ruleset_answer(ruleset_class_t class, reason_t reason, verdict_t verdict)
{
	return class | (ruleset_answer_t)reason << RULESET_REASON_SHIFT |
	       ((verdict & VERDICT_DROP) != 0 ? 0 : RULESET_FORWARD) |
	       ((verdict & VERDICT_MIRROR) != 0 ? RULESET_MIRROR : 0);
}

static inline reason_t
ruleset_answer_reason(ruleset_answer_t answer)
{
	return (reason_t)(answer >> RULESET_REASON_SHIFT & ((1u << RULESET_REASON_BITS) - 1));
}

static inline verdict_t
ruleset_answer_verdict(ruleset_answer_t answer)
{
	return (verdict_t)(((answer & RULESET_FORWARD) != 0 ? VERDICT_PASS : VERDICT_DROP) |
			   ((answer & RULESET_MIRROR) != 0 ? VERDICT_MIRROR : VERDICT_PASS));
}

struct ruleset_node4;
struct ruleset_block6;
struct ruleset_node6;

/* IPv4: answers by the first 24 bits, or RULESET_NODE | a node about the last 8. */
struct ruleset_table4 {
	const uint32_t *direct; /* [2^24] */
	const struct ruleset_node4 *nodes;
	const uint32_t *leaves;
	size_t direct_size, nodes_size, leaves_size; /* bytes */
};

/* IPv6: 2000::/3 by its next 21 bits, all else by the first 16 bits: answers, or RULESET_NODE | a block
 * about the next 8 bits. From a /32 on, RULESET_NODE | the root of a B-tree. */
#define RULESET_GLOBAL6_BITS 21
#define RULESET_OTHER6_BITS  16
struct ruleset_table6 {
	const uint32_t *direct; /* [2^21] global unicast, then [2^16] all */
	const struct ruleset_block6 *blocks;
	const struct ruleset_node6 *nodes;
	size_t direct_size, blocks_size, nodes_size; /* bytes */
};

struct ruleset_options {
	bool is_stale; /* the geo data is too old: what it decides gets [policy] stale on top */
};

struct ruleset {
	/* Hot. */
	struct ruleset_table4 table4;
	struct ruleset_table6 table6;
	/* Cold: indexed by class. */
	const uint8_t *verdict; /* verdict_t, RULESET_VERDICT_CARRIER */
	const uint8_t *reason;  /* reason_t */
	struct ruleset_class *classes;
	uint32_t n_classes;
	const struct policy *policy; /* borrowed */
	const struct geo_table *geo; /* borrowed */
	struct ruleset_options options;
	const struct huge_memory *memory; /* of the tables; NULL = that of compiling */
	bool is_copy;                     /* shares all but the tables with the one it is of */
};

/* Compile. Borrows `policy` and `geo`, which must outlive the ruleset. `options` NULL = all off.
 * Returns NULL and sets errno: ENOMEM, EOVERFLOW (more than 2^22 classes). */
struct ruleset *ruleset_compile(const struct policy *policy, const struct geo_table *geo,
	const struct ruleset_options *options);

/* NULL allowed. Copies go before what they are copies of. */
void ruleset_free(struct ruleset *rs);

/* The same ruleset with look-up tables of its own on a NUMA node, for its workers; it borrows all else
 * from `rs`. `memory` is kept by reference. NULL + ENOMEM. */
struct ruleset *ruleset_copy(const struct ruleset *rs, const struct huge_memory *memory, int node);

/* Move the look-up tables to a node. While it works there are both; nobody may look up meanwhile.
 * Returns 0 or -ENOMEM: nothing has changed. */
int ruleset_move(struct ruleset *rs, const struct huge_memory *memory, int node);

/* HOT: answers[i] = what is known of ips[i] for i < n. Cannot fail; n == 0 is allowed; no overlap. Callers
 * fetch each address first, below: nothing here does. */
void ruleset_answer4(
	const struct ruleset *rs, const uint32_t *ips, ruleset_answer_t *answers, unsigned int n);
void ruleset_answer6(
	const struct ruleset *rs, const ip6_t *ips, ruleset_answer_t *answers, unsigned int n);

/* HOT: fetch what ruleset_answer4/6() will read first, as soon as an address is known. */
static inline void
ruleset_prefetch4(const struct ruleset *rs, uint32_t ip)
{
	__builtin_prefetch(&rs->table4.direct[ip >> 8]);
}

static inline bool
ruleset_is_global6(ip6_t ip)
{
	return (uint64_t)(ip >> 125) == 1;
}

static inline uint32_t
ruleset_index6(ip6_t ip)
{
	uint64_t high = (uint64_t)(ip >> 64);
	uint32_t global = (uint32_t)(high >> (61 - RULESET_GLOBAL6_BITS)) &
			  ((UINT32_C(1) << RULESET_GLOBAL6_BITS) - 1);
	uint32_t other = (UINT32_C(1) << RULESET_GLOBAL6_BITS) +
			 (uint32_t)(high >> (64 - RULESET_OTHER6_BITS));

	return ruleset_is_global6(ip) ? global : other;
}

static inline void
ruleset_prefetch6(const struct ruleset *rs, ip6_t ip)
{
	__builtin_prefetch(&rs->table6.direct[ruleset_index6(ip)]);
}

/* The same answers, only the classes; nothing needs to be fetched first. */
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
