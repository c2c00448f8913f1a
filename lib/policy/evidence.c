/* SPDX-License-Identifier: BSD-3-Clause */
/* [evidence]: which copies keep their payload, and how many of a rule are kept. Rules are named by
 * what they list (KP, AS4134, 192.0.2.0/24), those of [policy], [special] and [non-ip] by their key;
 * reasons by their names. */
#include "policy_impl.h"

#include "base/reason.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RATE_MAX 100000000ul

static int
evidence_add(struct policy_build *b, const char *name, unsigned int line, uint32_t rate_pps)
{
	const char *copy = policy_keep(b, name);

	if (copy == NULL || policy_room(&b->evidence, b->n_evidence, sizeof(b->evidence[0])) != 0)
		return -ENOMEM;
	b->evidence[b->n_evidence++] = (struct evidence_mention){ copy, line, rate_pps };
	return 0;
}

int
evidence_take_payload(struct policy_build *b, const struct schema_value *v)
{
	return evidence_add(b, v->text, v->line, 0);
}

int
evidence_take_rate(struct policy_build *b, const struct schema_value *v)
{
	const char *at = strrchr(v->text, '@');
	char name[256], *end = NULL;
	unsigned long rate = at != NULL ? strtoul(at + 1, &end, 10) : 0;

	if (at == NULL || at == v->text || at[1] < '0' || at[1] > '9' || *end != '\0' ||
		rate == 0 || rate > RATE_MAX)
		return schema_fail(&b->reader,
			"'%s' is not RULE@COPIES-PER-SECOND such as KP@100 (1..%lu)", v->text,
			RATE_MAX);
	snprintf(name, sizeof(name), "%.*s", (int)(at - v->text), v->text);
	return evidence_add(b, name, v->line, (uint32_t)rate);
}

static bool
is_called(const struct policy_rule *rule, const char *name)
{
	bool is_key = strcmp(rule->section, "policy") == 0 ||
		      strcmp(rule->section, "special") == 0 || strcmp(rule->section, "non-ip") == 0;

	return strcmp(is_key ? rule->action : rule->item, name) == 0;
}

/* Returns the number of rules of that name. */
static size_t
mark_rules(struct policy *p, const struct evidence_mention *m)
{
	size_t i, n = 0;

	for (i = 0; i < p->n_rules; i++) {
		if (!is_called(&p->rules[i], m->name))
			continue;
		n++;
		if (m->rate_pps != 0)
			p->rules[i].rate_pps = m->rate_pps;
		else
			p->rules[i].keeps_payload = true;
	}
	return n;
}

static bool
mark_reason(struct policy *p, const char *name)
{
	reason_t reason;

	for (reason = REASON_NONE + 1; reason < REASON_N; reason++) {
		if (strcmp(reason_name(reason), name) != 0)
			continue;
		p->payload_reasons |= UINT64_C(1) << reason;
		return true;
	}
	return false;
}

static void
fail_unknown(struct policy_build *b, const struct evidence_mention *m)
{
	const char *words[REASON_N] = { NULL };
	char hint[SCHEMA_HINT_SIZE];
	reason_t reason;

	for (reason = REASON_NONE + 1; m->rate_pps == 0 && reason < REASON_N; reason++)
		words[reason] = reason_name(reason);
	schema_hint(&b->reader, hint, m->name, words, REASON_N);
	schema_fail_at(&b->reader, m->line,
		m->rate_pps != 0 ? "[evidence] rate" : "[evidence] payload",
		m->rate_pps != 0 ? "no rule lists '%s'%s"
				 : "'%s' is no reason, and no rule lists it%s",
		m->name, hint);
}

void
evidence_resolve(struct policy_build *b)
{
	struct policy *p = b->p;
	size_t i;

	_Static_assert(REASON_N <= 64, "a bit per reason");
	for (i = 0; i < b->n_evidence; i++) {
		const struct evidence_mention *m = &b->evidence[i];
		bool is_reason = m->rate_pps == 0 && mark_reason(p, m->name);

		if (!is_reason && mark_rules(p, m) == 0)
			fail_unknown(b, m);
		p->has_rates = p->has_rates || m->rate_pps != 0;
		p->has_payload_rules = p->has_payload_rules || (!is_reason && m->rate_pps == 0);
	}
}
