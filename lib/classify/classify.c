/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Classification. A burst is sorted into plain frames, whose one address is looked up in bulk, and
 * the rest, which the walker takes apart one by one. Verdicts of a frame's addresses are OR-ed; the
 * first address that carries the strictest one decides.
 */
#include "classify/classify.h"

#include "packet/burst.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define BATCH_MAX 64u /* addresses of one look-up */
#define GROUP_MAX 32u /* walked frames that are looked up together: 264 KiB of stack */

static_assert(CLASSIFY_BURST_MAX <= PACKET_BURST_MAX, "a burst fits the keys");

static ruleset_class_t
class_of(const struct ruleset *rs, const struct packet_address *address)
{
	ruleset_class_t class;
	uint32_t ip4 = (uint32_t)address->value;

	if (address->version == 4)
		ruleset_lookup4(rs, &ip4, &class, 1);
	else
		ruleset_lookup6(rs, &address->value, &class, 1);
	return class;
}

/* Addresses waiting to be looked up together, and where their answers go. */
struct batch {
	unsigned int n4, n6;
	uint32_t ip4[BATCH_MAX];
	ip6_t ip6[BATCH_MAX];
	ruleset_answer_t *to4[BATCH_MAX], *to6[BATCH_MAX];
};

static void
batch_flush(const struct ruleset *rs, struct batch *b)
{
	ruleset_answer_t found[BATCH_MAX];
	unsigned int i;

	ruleset_answer4(rs, b->ip4, found, b->n4);
	for (i = 0; i < b->n4; i++)
		*b->to4[i] = found[i];
	ruleset_answer6(rs, b->ip6, found, b->n6);
	for (i = 0; i < b->n6; i++)
		*b->to6[i] = found[i];
	b->n4 = b->n6 = 0;
}

static void
batch_add(const struct ruleset *rs, struct batch *b, const struct packet_address *address,
	ruleset_answer_t *to)
{
	if (address->version == 4) {
		ruleset_prefetch4(rs, (uint32_t)address->value);
		b->ip4[b->n4] = (uint32_t)address->value;
		b->to4[b->n4++] = to;
	} else {
		ruleset_prefetch6(rs, address->value);
		b->ip6[b->n6] = address->value;
		b->to6[b->n6++] = to;
	}
	if (b->n4 == BATCH_MAX || b->n6 == BATCH_MAX)
		batch_flush(rs, b);
}

/* All addresses of some frames in bulk, so that their cache misses overlap. */
static void
look_up_addresses(const struct ruleset *rs, struct classify_detail *details, unsigned int n)
{
	struct batch batch;
	unsigned int i, k;

	batch.n4 = batch.n6 = 0;
	for (i = 0; i < n; i++)
		for (k = 0; k < details[i].info.n_addresses; k++)
			batch_add(rs, &batch, &details[i].info.addresses[k], &details[i].answer[k]);
	batch_flush(rs, &batch);
}

/* What a rule for the whole frame says: no address decided. */
static ruleset_answer_t
by_rule(const struct ruleset *rs, struct classify_detail *d, uint32_t rule, reason_t reason)
{
	d->deciding = -1;
	return ruleset_answer(CLASSIFY_ANSWER_NO_CLASS, reason, rs->policy->rules[rule].verdict);
}

/* A carrier has a say only when a [prefix] rule names it. */
static bool
has_say(const struct ruleset *rs, ruleset_answer_t answer)
{
	return (answer & RULESET_CARRIER) == 0 ||
	       rs->classes[answer & RULESET_CLASS_MASK].rule != RULESET_RULE_NONE;
}

/* The answer of one address with the verdict of all. */
static ruleset_answer_t
with_verdict(ruleset_answer_t answer, verdict_t verdict, bool is_odd)
{
	return ruleset_answer(answer & RULESET_CLASS_MASK, ruleset_answer_reason(answer), verdict) |
	       (is_odd ? CLASSIFY_ODD : 0);
}

/* OR over all addresses; the first with the strictest verdict decides. */
static ruleset_answer_t
judge_different(const struct ruleset *rs, struct classify_detail *d)
{
	verdict_t all = VERDICT_PASS, strictest = VERDICT_PASS;
	int i;

	d->deciding = -1;
	for (i = 0; i < d->info.n_addresses; i++) {
		verdict_t verdict = ruleset_answer_verdict(d->answer[i]);

		if (!has_say(rs, d->answer[i]))
			continue;
		all |= verdict;
		if (d->deciding >= 0 && verdict <= strictest)
			continue;
		strictest = verdict;
		d->deciding = i;
	}
	if (d->deciding < 0) /* nothing had a say: fail closed */
		return by_rule(rs, d, rs->policy->rule_unknown, REASON_UNKNOWN);
	return with_verdict(d->answer[d->deciding], all, all != strictest);
}

/* What most frames are: no carriers, and all addresses get the same verdict. There is one at least. */
static ruleset_answer_t
judge_addresses(const struct ruleset *rs, struct classify_detail *d)
{
	ruleset_answer_t any = 0, all = ~(ruleset_answer_t)0;
	unsigned int i;

	for (i = 0; i < d->info.n_addresses; i++) {
		any |= d->answer[i];
		all &= d->answer[i];
	}
	if ((((any ^ all) & (RULESET_FORWARD | RULESET_MIRROR)) | (any & RULESET_CARRIER)) != 0)
		return judge_different(rs, d);
	d->deciding = 0;
	return d->answer[0];
}

/* An action for a whole frame, on top of what its addresses got. A source route is refused as such
 * (RFC 7126), so it decides ties; an opaque tunnel only decides when it is stricter. */
static ruleset_answer_t
judge_frame_action(const struct ruleset *rs, struct classify_detail *d, ruleset_answer_t answer,
	uint32_t rule, reason_t reason, bool wins_ties)
{
	verdict_t before = ruleset_answer_verdict(answer),
		  verdict = rs->policy->rules[rule].verdict;
	ruleset_class_t class;

	if (verdict == POLICY_ACTION_NONE || verdict == VERDICT_PASS)
		return answer;
	if (verdict > before || (wins_ties && verdict == before))
		answer = by_rule(rs, d, rule, reason);
	class = answer & RULESET_CLASS_MASK;
	return with_verdict(answer, before | verdict,
		class != CLASSIFY_ANSWER_NO_CLASS &&
			(before | verdict) != (rs->verdict[class] & RULESET_VERDICT_MASK));
}

static ruleset_answer_t
judge(const struct ruleset *rs, struct classify_detail *d)
{
	const struct policy *policy = rs->policy;
	ruleset_answer_t answer;

	if (d->info.reason != REASON_NONE)
		return by_rule(rs, d, policy->rule_unparsable, d->info.reason);
	if (d->info.non_ip != NON_IP_NONE)
		return by_rule(rs, d, policy->rule_non_ip[d->info.non_ip], REASON_NON_IP);
	if (d->info.n_addresses == 0) /* the walker has a reason for these: fail closed */
		return by_rule(rs, d, policy->rule_unparsable, REASON_UNKNOWN_ETHERTYPE);
	answer = judge_addresses(rs, d);
	if (d->info.has_opaque)
		answer = judge_frame_action(
			rs, d, answer, policy->rule_opaque, REASON_OPAQUE_TUNNEL, false);
	if (d->info.has_source_route)
		answer = judge_frame_action(
			rs, d, answer, policy->rule_source_route, REASON_SOURCE_ROUTE, true);
	return answer;
}

/* inbound = pass: everything is forwarded and counted for where it came from. */
static ruleset_answer_t
pass_inbound(const struct ruleset *rs, struct classify_detail *d)
{
	d->deciding = -1;
	return ruleset_answer(
		d->info.has_source ? class_of(rs, &d->info.outer_source) : CLASSIFY_ANSWER_NO_CLASS,
		REASON_INBOUND, VERDICT_PASS);
}

static bool
is_inbound_pass(const struct ruleset *rs, enum classify_direction direction)
{
	return direction == CLASSIFY_INBOUND && rs->policy->inbound == POLICY_INBOUND_PASS;
}

static enum packet_judge
judged_side(const struct ruleset *rs, enum classify_direction direction)
{
	if (direction == CLASSIFY_INBOUND && rs->policy->inbound != POLICY_INBOUND_DESTINATION)
		return PACKET_SOURCES;
	return PACKET_DESTINATIONS;
}

static void
walk_frame(const struct ruleset *rs, enum classify_direction direction, const struct rte_mbuf *m,
	uint32_t wire_length, enum packet_link link, struct classify_detail *d)
{
	packet_parse(
		m, wire_length, link, &rs->policy->limits, judged_side(rs, direction), &d->info);
}

static ruleset_answer_t
judge_frame(const struct ruleset *rs, enum classify_direction direction, struct classify_detail *d)
{
	return is_inbound_pass(rs, direction) ? pass_inbound(rs, d) : judge(rs, d);
}

static struct classify_result
result_of(ruleset_answer_t answer, uint8_t non_ip)
{
	ruleset_class_t class = answer & RULESET_CLASS_MASK;
	reason_t reason = ruleset_answer_reason(answer);

	return (struct classify_result){
		.class = class != CLASSIFY_ANSWER_NO_CLASS ? class : CLASSIFY_NO_CLASS,
		.verdict = ruleset_answer_verdict(answer),
		.reason = reason,
		.non_ip = reason == REASON_NON_IP ? non_ip : (uint8_t)NON_IP_NONE,
		.is_odd = (answer & CLASSIFY_ODD) != 0,
	};
}

void
classify_frame(const struct ruleset *rs, enum classify_direction direction,
	const struct rte_mbuf *m, uint32_t wire_length, enum packet_link link,
	struct classify_detail *d)
{
	walk_frame(rs, direction, m, wire_length, link, d);
	look_up_addresses(rs, d, 1);
	d->result = result_of(judge_frame(rs, direction, d), d->info.non_ip);
	d->rule = classify_rule(rs, &d->result);
}

struct classify_result
classify_result_of(const struct classify_answers *answers, unsigned int i)
{
	return result_of(answers->answer[i], answers->non_ip[i]);
}

/* The frames at `at`, n <= GROUP_MAX, by the walker. */
static void
classify_slow(const struct ruleset *rs, enum classify_direction direction,
	struct rte_mbuf *const *pkts, const uint8_t *at, unsigned int n,
	struct classify_answers *out)
{
	struct classify_detail details[GROUP_MAX], *d;
	unsigned int i;

	for (i = 0, d = details; i < n; i++, d++)
		walk_frame(
			rs, direction, pkts[at[i]], pkts[at[i]]->pkt_len, PACKET_LINK_ETHERNET, d);
	look_up_addresses(rs, details, n);
	for (i = 0, d = details; i < n; i++, d++) {
		out->answer[at[i]] = judge_frame(rs, direction, d);
		out->non_ip[at[i]] = d->info.non_ip;
	}
}

/* How what is known of an address becomes the answer for a plain frame: with inbound = pass the class
 * alone is of use, and the rest is the same for all. */
struct plain {
	ruleset_answer_t keep, set;
};

static inline void
set_plain(const ruleset_answer_t *found, const uint8_t *at, unsigned int n, struct plain plain,
	struct classify_answers *out)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		out->answer[at[i]] = (found[i] & plain.keep) | plain.set;
}

/* IPv4 has no carriers: a burst of nothing else is answered in place. */
static inline void
classify_plain4(const struct ruleset *rs, const struct packet_keys *keys, unsigned int n,
	struct plain plain, struct classify_answers *out)
{
	ruleset_answer_t found[PACKET_BURST_MAX];

	if (keys->n4 == n && plain.set == 0) {
		ruleset_answer4(rs, keys->ip4, out->answer, n);
		return;
	}
	ruleset_answer4(rs, keys->ip4, found, keys->n4);
	set_plain(found, keys->at4, keys->n4, plain, out);
}

/* Carriers are handed on to the walker. */
static inline void
classify_plain6(const struct ruleset *rs, struct packet_keys *keys, struct plain plain,
	struct classify_answers *out)
{
	ruleset_answer_t found[PACKET_BURST_MAX], any = 0;
	unsigned int i;

	ruleset_answer6(rs, keys->ip6, found, keys->n6);
	set_plain(found, keys->at6, keys->n6, plain, out);
	for (i = 0; i < keys->n6; i++)
		any |= found[i];
	if ((any & RULESET_CARRIER) == 0 || plain.set != 0)
		return;
	for (i = 0; i < keys->n6; i++) {
		keys->slow[keys->n_slow] = keys->at6[i];
		keys->n_slow += (found[i] & RULESET_CARRIER) != 0;
	}
}

void
classify_burst_answers(const struct ruleset *rs, enum classify_direction direction,
	struct rte_mbuf *const *pkts, unsigned int n, struct classify_answers *out)
{
	struct plain plain = { .keep = ~RULESET_CARRIER };
	struct packet_keys keys;
	unsigned int i;

	packet_burst_keys(pkts, n, &rs->policy->limits, judged_side(rs, direction), &keys);
	for (i = 0; i < keys.n4; i++)
		ruleset_prefetch4(rs, keys.ip4[i]);
	for (i = 0; i < keys.n6; i++)
		ruleset_prefetch6(rs, keys.ip6[i]);
	if (is_inbound_pass(rs, direction))
		plain = (struct plain){ RULESET_CLASS_MASK,
			ruleset_answer(0, REASON_INBOUND, VERDICT_PASS) };
	/* IPv6 goes down several levels, meanwhile what IPv4 needs is on its way. */
	if (keys.n6 > 0)
		classify_plain6(rs, &keys, plain, out);
	if (keys.n4 > 0)
		classify_plain4(rs, &keys, n, plain, out);
	for (i = 0; i < keys.n_slow; i += GROUP_MAX)
		classify_slow(rs, direction, pkts, keys.slow + i,
			RTE_MIN(keys.n_slow - i, GROUP_MAX), out);
}

void
classify_burst(const struct ruleset *rs, enum classify_direction direction,
	struct rte_mbuf *const *pkts, unsigned int n, struct classify_result *results)
{
	struct classify_answers answers;
	unsigned int i;

	classify_burst_answers(rs, direction, pkts, n, &answers);
	for (i = 0; i < n; i++)
		results[i] = classify_result_of(&answers, i);
}

uint32_t
classify_rule(const struct ruleset *rs, const struct classify_result *result)
{
	const struct policy *policy = rs->policy;

	if (result->reason == REASON_INBOUND)
		return RULESET_RULE_NONE;
	if (result->class != CLASSIFY_NO_CLASS)
		return rs->classes[result->class].rule;
	if (result->reason == REASON_NON_IP)
		return policy->rule_non_ip[result->non_ip];
	if (result->reason == REASON_SOURCE_ROUTE)
		return policy->rule_source_route;
	if (result->reason == REASON_OPAQUE_TUNNEL)
		return policy->rule_opaque;
	if (result->reason == REASON_UNKNOWN)
		return policy->rule_unknown;
	return policy->rule_unparsable;
}

const char *
classify_annotate(const struct ruleset *rs, const struct classify_result *result,
	uint32_t generation, char *buf, size_t size)
{
	uint32_t rule = classify_rule(rs, result);
	char rule_text[256] = "-", country[3] = "-";
	uint32_t asn = 0;

	if (rule != RULESET_RULE_NONE)
		policy_rule_format(rs->policy, rule, rule_text, sizeof(rule_text));
	if (result->class != CLASSIFY_NO_CLASS) {
		const struct geo_origin *origin =
			&rs->geo->origins[rs->classes[result->class].origin];

		if (memcmp(origin->country, GEO_UNKNOWN_COUNTRY, 2) != 0)
			snprintf(country, sizeof(country), "%.2s", origin->country);
		asn = origin->asn;
	}
	snprintf(buf, size, "verdict=%s reason=%s rule=\"%s\" country=%s asn=%u generation=%u",
		verdict_name(result->verdict), reason_name(result->reason), rule_text, country, asn,
		generation);
	return buf;
}
