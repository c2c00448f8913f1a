/* SPDX-License-Identifier: BSD-3-Clause */
/* A ruleset that says what policy and data say is found good, whatever they are; one wrong entry is
 * found. */
#include "geo/geo_build.h"
#include "ruleset/verify.h"
#include "suite.h"

#include <errno.h>
#include <string.h>

struct made {
	struct policy *policy;
	struct geo_table *geo;
	struct ruleset *rs;
};

/* Takes `geo`. */
static void
make_with(struct made *m, const char *text, struct geo_table *geo, bool is_stale)
{
	struct ruleset_options options = { .is_stale = is_stale };
	struct err_list errors = { .n = 0 };

	m->policy = policy_parse(text, strlen(text), "policy.ini", &errors);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m->policy);
	m->geo = geo;
	CU_ASSERT_PTR_NOT_NULL_FATAL(m->geo);
	m->rs = ruleset_compile(m->policy, m->geo, &options);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m->rs);
}

static void
make(struct made *m, const char *text, bool is_stale)
{
	struct err e;

	make_with(m, text, geo_load(geo_default_path(), &e), is_stale);
}

static void
unmake(struct made *m)
{
	ruleset_free(m->rs);
	geo_free(m->geo);
	policy_free(m->policy);
}

static void
test_what_the_compiler_makes_is_good(void)
{
	static const char *const texts[] = { "", "[policy]\ndefault = pass\n",
		"[policy]\nstale = drop\nunknown = pass\n",
		"[prefix]\ndrop = 0.0.0.0/0\npass = ::/0 192.0.2.1/32\n",
		"[country]\napprove = EU\n[asn]\ndrop = 13335\n[prefix]\npass = 1.1.1.0/24 "
		"10.0.0.0/8 fe80::/10 2606:4700::/32 2606:4700:4700::1111/128\nmirror = "
		"1.1.1.1/32 2002::/16\n" };
	struct made m;
	struct err e;
	size_t i;

	for (i = 0; i < 2 * sizeof(texts) / sizeof(texts[0]); i++) {
		e.message[0] = '\0';
		make(&m, texts[i / 2], i % 2 == 1);
		if (ruleset_verify(m.rs, &e) != 0)
			printf("%s: %s ", texts[i / 2], e.message);
		CU_ASSERT_EQUAL(ruleset_verify(m.rs, &e), 0);
		unmake(&m);
	}
}

static ruleset_class_t
class_of(const struct made *m, uint32_t ip)
{
	ruleset_class_t class;

	ruleset_lookup4(m->rs, &ip, &class, 1);
	return class;
}

static void
test_one_wrong_class_is_found(void)
{
	struct made m;
	struct err e;
	struct ruleset_class *class;
	uint32_t rule, origin;

	make(&m, "[country]\napprove = AU\n[prefix]\ndrop = 1.1.1.1/32\n", false);
	class = &m.rs->classes[class_of(&m, IP4(1, 1, 1, 1))];
	rule = class->rule;
	class->rule = m.policy->rule_default;
	CU_ASSERT_EQUAL(ruleset_verify(m.rs, &e), -EBADMSG);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.message, "1.1.1.1"));
	class->rule = rule;
	origin = class->origin;
	class->origin = 0;
	CU_ASSERT_EQUAL(ruleset_verify(m.rs, &e), -EBADMSG);
	class->origin = origin;
	CU_ASSERT_EQUAL(ruleset_verify(m.rs, &e), 0);
	unmake(&m);
}

static void
test_one_wrong_verdict_is_found(void)
{
	struct made m;
	struct err e;
	union {
		const uint8_t *from;
		uint8_t *to;
	} verdict;
	uint32_t i, n_found = 0;

	make(&m, "[country]\napprove = EU\n", false);
	verdict.from = m.rs->verdict;
	for (i = 0; i < m.rs->n_classes; i += m.rs->n_classes / 8) {
		verdict.to[i] ^= VERDICT_DROP;
		n_found += ruleset_verify(m.rs, &e) == -EBADMSG;
		verdict.to[i] ^= VERDICT_DROP;
	}
	CU_ASSERT_EQUAL(
		n_found, (m.rs->n_classes + m.rs->n_classes / 8 - 1) / (m.rs->n_classes / 8));
	unmake(&m);
}

/* One more prefix in the policy than in the tables: they differ in one /32 or /128 only. */
static void
test_tables_of_another_policy_are_found(void)
{
	struct made a, b;
	struct ruleset_table4 table4;
	struct ruleset_table6 table6;
	struct err e;

	make(&a, "[prefix]\npass = 1.2.3.4/32 2a01::1/128\n", false);
	make(&b, "[prefix]\npass = 1.2.3.5/32 2a01::2/128\n", false);
	table4 = a.rs->table4;
	a.rs->table4 = b.rs->table4;
	b.rs->table4 = table4;
	CU_ASSERT_EQUAL(ruleset_verify(a.rs, &e), -EBADMSG);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.message, "1.2.3."));
	CU_ASSERT_EQUAL(ruleset_verify(b.rs, &e), -EBADMSG);
	b.rs->table4 = a.rs->table4;
	a.rs->table4 = table4;
	CU_ASSERT_EQUAL(ruleset_verify(a.rs, &e), 0);
	table6 = a.rs->table6;
	a.rs->table6 = b.rs->table6;
	b.rs->table6 = table6;
	CU_ASSERT_EQUAL(ruleset_verify(a.rs, &e), -EBADMSG);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.message, "2a01::"));
	unmake(&a);
	unmake(&b);
}

/* DE says one source of all of 5/8, and another of parts KP and US. */
static struct geo_table *
disputed(void)
{
	struct geo_build *b = geo_build_new();
	int one = geo_build_add_source(b, "one"), two = geo_build_add_source(b, "two");
	const struct ip_range whole = { IP4(5, 0, 0, 0), IP4(5, 255, 255, 255), 4 };
	const struct ip_range kp = { IP4(5, 1, 0, 0), IP4(5, 1, 255, 255), 4 };
	const struct ip_range us = { IP4(5, 2, 0, 0), IP4(5, 2, 255, 255), 4 };

	CU_ASSERT_EQUAL_FATAL(geo_build_add_country(b, &kp, "KP", two), 0);
	CU_ASSERT_EQUAL_FATAL(geo_build_add_country(b, &us, "US", two), 0);
	CU_ASSERT_EQUAL_FATAL(geo_build_add_country(b, &whole, "DE", one), 0);
	return geo_build_seal(b);
}

/* Each way to settle disputes is found good, and not where the policy asks for another way. */
static void
test_disputes_settled_in_another_way_are_found(void)
{
	static const char *const texts[] = { "[policy]\nconflict = first\n[country]\npass = DE\n",
		"[policy]\nconflict = strictest\n[country]\npass = DE\nmirror = US\n",
		"[policy]\nconflict = unknown\n[country]\npass = DE\n" };
	struct made m;
	struct err e;
	unsigned int i, k;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		make_with(&m, texts[i], disputed(), false);
		for (k = POLICY_CONFLICT_FIRST; k <= POLICY_CONFLICT_UNKNOWN; k++) {
			m.policy->conflict = k;
			CU_ASSERT_EQUAL(ruleset_verify(m.rs, &e), k == i ? 0 : -EBADMSG);
			if (k != i)
				CU_ASSERT_PTR_NOT_NULL(strstr(e.message, "wrong at 5.1.0.0"));
		}
		unmake(&m);
	}
}

SUITE("ruleset_verify", { "what the compiler makes is good", test_what_the_compiler_makes_is_good },
	{ "one wrong class is found", test_one_wrong_class_is_found },
	{ "one wrong verdict is found", test_one_wrong_verdict_is_found },
	{ "tables of another policy are found", test_tables_of_another_policy_are_found },
	{ "disputes settled in another way are found",
		test_disputes_settled_in_another_way_are_found })
