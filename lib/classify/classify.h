/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * classify: frame -> verdict and reason under one ruleset. The only classifier: daemon, tools,
 * tests and fuzzers call it.
 *
 * Threads: pure functions over an immutable ruleset.
 * Source: the classification contract (README "What every frame gets").
 */
#pragma once

#include "packet/packet.h"
#include "ruleset/ruleset.h"

enum classify_direction { CLASSIFY_OUTBOUND, CLASSIFY_INBOUND };

struct classify_result {
	ruleset_class_t class; /* of the deciding address; for inbound = pass: of the outer source;
				  CLASSIFY_NO_CLASS */
	verdict_t verdict;     /* what the policy says; in shadow mode it is not carried out */
	reason_t reason;       /* never REASON_NONE */
	uint8_t non_ip;        /* enum non_ip, for the rule */
	bool is_odd; /* verdict or reason differ from those of the class: the frame, not the
			address, decided */
};

#define CLASSIFY_NO_CLASS                                                                          \
	UINT32_MAX /* no address decided: unparsable, non-IP, source-route, opaque */

/* HOT: results[i] for pkts[i], i < n <= CLASSIFY_BURST_MAX. Frames are whole and Ethernet. */
#define CLASSIFY_BURST_MAX 64
void classify_burst(const struct ruleset *rs, enum classify_direction direction,
	struct rte_mbuf *const *pkts, unsigned int n, struct classify_result *results);

/* HOT: the same in the form the data plane works with: one word per frame, as ruleset.h describes,
 * with two differences: CLASSIFY_ODD stands for is_odd where addresses have RULESET_CARRIER, and the
 * class is CLASSIFY_ANSWER_NO_CLASS where no address decided. */
#define CLASSIFY_ODD             RULESET_CARRIER
#define CLASSIFY_ANSWER_NO_CLASS RULESET_CLASS_MASK

struct classify_answers {
	ruleset_answer_t answer[CLASSIFY_BURST_MAX];
	uint8_t non_ip[CLASSIFY_BURST_MAX]; /* set where the reason is non-ip */
};
void classify_burst_answers(const struct ruleset *rs, enum classify_direction direction,
	struct rte_mbuf *const *pkts, unsigned int n, struct classify_answers *out);

/* answers->answer[i], spelled out. */
struct classify_result classify_result_of(const struct classify_answers *answers, unsigned int i);

/* One frame with everything that can be said about it. classify_frame() sets all of it. */
struct classify_detail {
	struct classify_result result;
	int deciding;  /* index into info.addresses, -1 = none */
	uint32_t rule; /* index into the policy's rules, RULESET_RULE_NONE = none (inbound) */
	struct packet_info info;
	ruleset_answer_t answer[PACKET_ADDRESSES_MAX]; /* of info.addresses[i] */
};
void classify_frame(const struct ruleset *rs, enum classify_direction direction,
	const struct rte_mbuf *m, uint32_t wire_length, enum packet_link link,
	struct classify_detail *detail);

/* The rule behind a result: index into the policy's rules or RULESET_RULE_NONE. */
uint32_t classify_rule(const struct ruleset *rs, const struct classify_result *result);

/* "verdict=drop+mirror reason=country rule=policy.ini:12 [country] drop CN country=CN asn=4134
 * generation=3": the annotation of a mirrored frame. Cut to fit; returns `buf`. */
const char *classify_annotate(const struct ruleset *rs, const struct classify_result *result,
	uint32_t generation, char *buf, size_t size);
