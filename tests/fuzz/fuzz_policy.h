/* SPDX-License-Identifier: BSD-3-Clause */
/* fuzz_policy: what holds for every policy text. */
#pragma once

#include "fuzz.h"

#include "policy/policy.h"

#include <errno.h>

static inline void
check_rule(const struct policy *p, uint32_t rule)
{
	char text[512], small[16];

	CHECK(rule < p->n_rules);
	CHECK(p->rules[rule].verdict <= (VERDICT_DROP | VERDICT_MIRROR) ||
		p->rules[rule].verdict == POLICY_ACTION_NONE);
	policy_rule_format(p, rule, text, sizeof(text));
	CHECK(text[0] != '\0' && strstr(text, p->rules[rule].section) != NULL);
	CHECK(strlen(policy_rule_format(p, rule, small, sizeof(small))) < sizeof(small));
}

static inline void
check_countries(const struct policy *p)
{
	size_t i;

	for (i = 0; i < p->n_countries; i++) {
		const struct policy_country *c = &p->countries[i];

		CHECK(i == 0 || memcmp(c[-1].country, c->country, 2) < 0);
		CHECK(policy_find_country(p, c->country) == &p->rules[c->rule]);
		check_rule(p, c->rule);
	}
}

static inline void
check_asns(const struct policy *p)
{
	size_t i;

	for (i = 0; i < p->n_asns; i++) {
		CHECK(i == 0 || p->asns[i - 1].asn < p->asns[i].asn);
		CHECK(p->asns[i].asn > 0);
		CHECK(policy_find_asn(p, p->asns[i].asn) == &p->rules[p->asns[i].rule]);
		check_rule(p, p->asns[i].rule);
	}
}

/* Holders before what they hold, nothing twice. */
static inline void
check_prefixes(const struct policy *p)
{
	size_t i;

	for (i = 0; i < p->n_prefixes; i++) {
		const struct policy_prefix *a = &p->prefixes[i], *before = a - 1;

		CHECK(a->range.version == 4 || a->range.version == 6);
		CHECK(a->range.first <= a->range.last && a->range.last <= ip_max(a->range.version));
		CHECK(a->length <= (a->range.version == 4 ? 32 : 128));
		check_rule(p, a->rule);
		if (i == 0 || before->range.version < a->range.version)
			continue;
		CHECK(before->range.version == a->range.version);
		CHECK(before->range.first < a->range.first ||
			(before->range.first == a->range.first && before->length < a->length));
	}
}

static inline void
check_singles(const struct policy *p)
{
	unsigned int i;

	check_rule(p, p->rule_default);
	check_rule(p, p->rule_unknown);
	check_rule(p, p->rule_unparsable);
	check_rule(p, p->rule_source_route);
	check_rule(p, p->rule_opaque);
	check_rule(p, p->rule_stale);
	for (i = 0; i < SPECIAL_N; i++)
		if (special_name((enum special)i) != NULL)
			check_rule(p, p->rule_special[i]);
	for (i = NON_IP_NONE + 1; i < NON_IP_N; i++)
		check_rule(p, p->rule_non_ip[i]);
}

/* Not instrumented: it would take most of the time. */
static inline void __attribute__((no_sanitize("coverage", "address", "undefined")))
check_ports(const struct limits *limits)
{
	unsigned int i;
	uint8_t max = 0;

	for (i = 0; i < 65536; i++)
		max = limits->wire_port[i] > max ? limits->wire_port[i] : max;
	CHECK(max < TUNNEL_PORT_N && limits->wire_port[0] == TUNNEL_PORT_NONE);
}

static inline void
check_policy(const struct policy *p)
{
	unsigned int i;

	CHECK(memchr(p->name, '\0', sizeof(p->name)) != NULL && p->name[0] != '\0');
	CHECK(strcmp(p->file, "input.ini") == 0);
	CHECK(strlen(p->sha256) == SHA256_TEXT_SIZE - 1);
	CHECK(p->mode == POLICY_ENFORCE || p->mode == POLICY_SHADOW);
	CHECK(p->inbound <= POLICY_INBOUND_DESTINATION);
	CHECK(p->limits.n_tags_max <= 16 && p->limits.n_labels_max <= 64);
	CHECK(p->limits.n_headers_max <= 32 && p->limits.headers_size_max <= 4096);
	CHECK(p->limits.n_tunnels_max <= 8 && p->limits.n_nat64 <= LIMITS_NAT64_MAX);
	check_ports(&p->limits);
	for (i = 0; i < p->n_rules; i++)
		check_rule(p, i);
	check_singles(p);
	CHECK(policy_find_country(p, "??") == NULL && policy_find_asn(p, 0) == NULL);
	check_countries(p);
	check_asns(p);
	check_prefixes(p);
}

static inline void
fuzz_check_policy(const char *data, size_t size)
{
	char *text = fuzz_copy(data, size);
	struct err_list errors = { 0 };
	struct policy *p = policy_parse(text, size, "some/where/input.ini", &errors);

	if (p == NULL) {
		CHECK(errno == EINVAL);
		fuzz_check_errors(&errors);
		if (size % 8 == 0)
			p = policy_parse(text, size, "input.ini", NULL);
		CHECK(p == NULL && errno == EINVAL);
	} else {
		CHECK(errors.n_found == 0);
		check_policy(p);
	}
	policy_free(p);
	free(text);
}
