/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * diff: rows, shares and sizes of hand-made changes, and an oracle: every address of a small space
 * looked up in both rulesets, one by one.
 */
#include "suite.h"

#include "geo/geo_build.h"
#include "ruleset/diff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_ROUNDS 100
#define SPACE    1024u /* addresses from BASE on that random tables speak of */
#define BASE     IP4(20, 0, 0, 0)

struct side {
	struct policy *policy;
	struct geo_table *geo;
	struct ruleset *ruleset;
};

static struct policy *
policy_of(const char *text)
{
	static struct err_list errors;
	struct policy *policy;
	char buf[1024];

	errors.n = errors.n_found = 0;
	policy = policy_parse(text, strlen(text), "policy.ini", &errors);
	if (policy == NULL && errors.n > 0)
		printf("%s\n", err_format(&errors.items[0], buf, sizeof(buf)));
	CU_ASSERT_PTR_NOT_NULL_FATAL(policy);
	return policy;
}

static void
side_init(struct side *s, const char *text, struct geo_build *b)
{
	s->policy = policy_of(text);
	s->geo = geo_build_seal(b);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s->geo);
	s->ruleset = ruleset_compile(s->policy, s->geo, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s->ruleset);
}

static void
side_fini(struct side *s)
{
	ruleset_free(s->ruleset);
	policy_free(s->policy);
	geo_free(s->geo);
}

static void
add(struct geo_build *b, const char *prefix, const char *country, uint32_t asn)
{
	int source = geo_build_add_source(b, "test");
	struct ip_range range;

	CU_ASSERT_EQUAL_FATAL(ip_parse_prefix(prefix, &range), 0);
	CU_ASSERT_EQUAL_FATAL(geo_build_add_country(b, &range, country, source), 0);
	if (asn != 0)
		CU_ASSERT_EQUAL_FATAL(geo_build_add_asn(b, &range, asn, "NAME", source), 0);
}

/* Two autonomous systems in EE, one of them also in IE; `moved` = where the /24 in AS 64500 is. */
static struct geo_build *
small_geo(const char *moved)
{
	struct geo_build *b = geo_build_new();

	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	add(b, "20.0.0.0/16", "EE", 64500);
	add(b, "20.0.7.0/24", moved, 64500);
	add(b, "20.1.0.0/16", "EE", 64501);
	add(b, "20.2.0.0/16", "IE", 64500);
	add(b, "2a00::/32", "EE", 64501);
	return b;
}

static const char sample[] = "[policy]\ndefault = drop\n[country]\napprove = EE IE\n";

static ruleset_class_t
class_at(const struct ruleset *rs, const char *text)
{
	ruleset_class_t class = UINT32_MAX;
	struct ip_addr ip;
	uint32_t ip4;

	CU_ASSERT_EQUAL_FATAL(ip_parse(text, &ip), 0);
	ip4 = (uint32_t)ip.value;
	if (ip.version == 4)
		ruleset_lookup4(rs, &ip4, &class, 1);
	else
		ruleset_lookup6(rs, &ip.value, &class, 1);
	return class;
}

static struct diff_traffic *
traffic_new(const struct ruleset *rs, const char *const *addresses, size_t n)
{
	struct diff_traffic *traffic = calloc(rs->n_classes, sizeof(*traffic));
	size_t i;

	CU_ASSERT_PTR_NOT_NULL_FATAL(traffic);
	for (i = 0; i < n; i++) {
		struct diff_traffic *t = &traffic[class_at(rs, addresses[i])];

		t->packets += 10;
		t->bytes += 1000 << i;
	}
	return traffic;
}

static void
test_equal_rulesets_have_no_difference(void)
{
	struct side a, b;
	struct diff *d;

	side_init(&a, sample, small_geo("EE"));
	side_init(&b, sample, small_geo("EE"));
	d = diff_new(a.ruleset, b.ruleset, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	CU_ASSERT_EQUAL(d->countries.n + d->asns.n + d->changes4.n + d->changes6.n, 0);
	CU_ASSERT_EQUAL(d->changed.prefixes4 + d->moved.prefixes4, 0);
	CU_ASSERT_EQUAL(d->known.addresses4, 3 * 65536);
	CU_ASSERT_EQUAL(d->known.nets6, 0x1p32);
	diff_free(d);
	side_fini(&a);
	side_fini(&b);
}

/* One country is dropped: everything of it is certain to be affected, nothing else. */
static void
test_a_dropped_country_is_a_row_with_its_traffic(void)
{
	static const char *const busy[] = { "20.0.0.1", "20.1.0.1", "20.2.0.1" };
	struct diff_traffic *traffic;
	const struct diff_row *row;
	struct side a, b;
	struct diff *d;

	side_init(&a, sample, small_geo("EE"));
	side_init(&b, "[policy]\ndefault = drop\n[country]\napprove = IE\n", small_geo("EE"));
	traffic = traffic_new(a.ruleset, busy, 3);
	d = diff_new(a.ruleset, b.ruleset, traffic);
	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	CU_ASSERT_EQUAL_FATAL(d->countries.n, 1);
	row = &d->countries.items[0];
	CU_ASSERT_EQUAL(row->before, class_at(a.ruleset, "20.0.0.1"));
	CU_ASSERT_EQUAL(row->size.prefixes4, 2); /* one for each autonomous system */
	CU_ASSERT_EQUAL(row->size.addresses4, 2 * 65536);
	CU_ASSERT_EQUAL(row->size.prefixes6, 1);
	CU_ASSERT_EQUAL(row->traffic.certain.bytes, 3000);
	CU_ASSERT_EQUAL(row->traffic.most.bytes, 3000);
	CU_ASSERT_EQUAL(d->traffic.bytes, 7000);
	CU_ASSERT_EQUAL(d->affected.certain.packets, 20);
	CU_ASSERT_EQUAL_FATAL(d->asns.n, 2);
	CU_ASSERT_EQUAL(d->asns.items[0].traffic.most.bytes, 2000); /* more traffic first */
	CU_ASSERT_EQUAL(d->asns.items[1].traffic.most.bytes, 1000);
	CU_ASSERT_EQUAL(d->changes4.n, 2);
	CU_ASSERT_EQUAL(d->changes6.n, 1);
	diff_free(d);
	free(traffic);
	side_fini(&a);
	side_fini(&b);
}

/* New data moves one /24 of an AS: its traffic may be affected, since counters are by class. */
static void
test_a_moved_prefix_is_a_row_of_its_as(void)
{
	static const char *const busy[] = { "20.0.0.1", "20.1.0.1" };
	const struct geo_origin *from, *to;
	struct diff_traffic *traffic;
	struct side a, b;
	struct diff *d;

	side_init(&a, sample, small_geo("EE"));
	side_init(&b, sample, small_geo("XK"));
	traffic = traffic_new(a.ruleset, busy, 2);
	d = diff_new(a.ruleset, b.ruleset, traffic);
	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	CU_ASSERT_EQUAL_FATAL(d->asns.n, 1);
	from = &a.geo->origins[a.ruleset->classes[d->asns.items[0].before].origin];
	to = &b.geo->origins[b.ruleset->classes[d->asns.items[0].after].origin];
	CU_ASSERT_EQUAL(from->asn, 64500);
	CU_ASSERT_EQUAL(memcmp(from->country, "EE", 2), 0);
	CU_ASSERT_EQUAL(memcmp(to->country, "XK", 2), 0);
	CU_ASSERT_EQUAL(d->asns.items[0].size.prefixes4, 1);
	CU_ASSERT_EQUAL(d->asns.items[0].size.addresses4, 256);
	CU_ASSERT_EQUAL(d->affected.certain.bytes, 0);
	CU_ASSERT_EQUAL(d->affected.most.bytes, 1000);
	CU_ASSERT_EQUAL(d->moved.addresses4, 256);
	CU_ASSERT_EQUAL(d->changed.addresses4, 256);
	diff_free(d);
	free(traffic);
	side_fini(&a);
	side_fini(&b);
}

/* What moves between approved countries moves, but changes no verdict. */
static void
test_a_move_without_consequence_is_no_change(void)
{
	struct side a, b;
	struct diff *d;

	side_init(&a, sample, small_geo("EE"));
	side_init(&b, sample, small_geo("IE"));
	d = diff_new(a.ruleset, b.ruleset, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	CU_ASSERT_EQUAL(d->moved.addresses4, 256);
	CU_ASSERT_EQUAL(d->changed.addresses4, 0);
	CU_ASSERT_EQUAL(d->changes4.n, 0);
	CU_ASSERT_EQUAL(d->countries.n, 1);
	diff_free(d);
	side_fini(&a);
	side_fini(&b);
}

static void
test_ends_of_the_address_space(void)
{
	struct side a, b;
	struct diff *d;

	side_init(&a, "[policy]\ndefault = drop\n", small_geo("EE"));
	side_init(&b,
		"[policy]\ndefault = drop\n[prefix]\npass = 0.0.0.0/0 ::/0\n"
		"mirror = 0.0.0.0/32 255.255.255.255/32 "
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128\n",
		small_geo("EE"));
	d = diff_new(a.ruleset, b.ruleset, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	CU_ASSERT_TRUE(d->changes4.n > 2);
	CU_ASSERT_EQUAL(d->changes4.n, d->changes4.n_found);
	CU_ASSERT_TRUE(d->changes4.items[0].range.last - d->changes4.items[0].range.first >=
		       d->changes4.items[1].range.last - d->changes4.items[1].range.first);
	CU_ASSERT_TRUE(d->changed.nets6 > 0x1p62);
	diff_free(d);
	side_fini(&a);
	side_fini(&b);
}

static struct geo_build *
random_geo(unsigned int *seed)
{
	static const char *const countries[] = { "EE", "IE", "US", "CN", "ZZ" };
	struct geo_build *b = geo_build_new();
	int i, source, n = rand_r(seed) % 20;

	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	source = geo_build_add_source(b, "random");
	for (i = 0; i < n; i++) {
		uint32_t first = BASE + (uint32_t)rand_r(seed) % SPACE;
		uint32_t last = first + (uint32_t)rand_r(seed) % 64;
		struct ip_range range = { first, last < BASE + SPACE ? last : BASE + SPACE - 1, 4 };

		geo_build_add_country(b, &range, countries[rand_r(seed) % 5], source);
		if (rand_r(seed) % 2)
			geo_build_add_asn(
				b, &range, 64500 + (uint32_t)rand_r(seed) % 4, NULL, source);
	}
	return b;
}

static const char *
random_policy(unsigned int *seed, char *buf, size_t size)
{
	static const char *const actions[] = { "pass", "mirror", "drop", "drop+mirror" };

	snprintf(buf, size,
		"[policy]\ndefault = %s\nunknown = drop\n[country]\n%s = EE\n%s = US\n"
		"[asn]\n%s = 64500\n[prefix]\n%s = 20.0.%d.%d/28\n%s = 20.0.2.0/24\n",
		actions[rand_r(seed) % 4], actions[rand_r(seed) % 4], actions[rand_r(seed) % 4],
		actions[rand_r(seed) % 4], actions[rand_r(seed) % 4], rand_r(seed) % 2,
		rand_r(seed) % 16 * 16, actions[rand_r(seed) % 4]);
	return buf;
}

struct seen {
	double changed, moved, known;
	struct diff_share affected;
};

/* Per class of `a`: are all, some or none of its addresses affected? One class's traffic is its
 * number. */
static void
look_everywhere(const struct side *a, const struct side *b, struct seen *out)
{
	uint8_t *is_hit = calloc(a->ruleset->n_classes, 1), *is_spared;
	ruleset_class_t x, y;
	uint32_t i, ip;

	is_spared = calloc(a->ruleset->n_classes, 1);
	CU_ASSERT_FATAL(is_hit != NULL && is_spared != NULL);
	memset(out, 0, sizeof(*out));
	memset(is_spared, 1, 1); /* class 0, the unknown, is everywhere else too */
	for (ip = BASE; ip < BASE + SPACE; ip++) {
		const struct geo_origin *from, *to;

		ruleset_lookup4(a->ruleset, &ip, &x, 1);
		ruleset_lookup4(b->ruleset, &ip, &y, 1);
		from = &a->geo->origins[a->ruleset->classes[x].origin];
		to = &b->geo->origins[b->ruleset->classes[y].origin];
		out->known += from != a->geo->origins;
		out->moved += from->asn != to->asn || memcmp(from->country, to->country, 2) != 0;
		*(a->ruleset->verdict[x] != b->ruleset->verdict[y] ? &is_hit[x] : &is_spared[x]) =
			1;
		out->changed += a->ruleset->verdict[x] != b->ruleset->verdict[y];
	}
	for (i = 0; i < a->ruleset->n_classes; i++) {
		out->affected.most.bytes += is_hit[i] ? i : 0;
		out->affected.certain.bytes += is_hit[i] && !is_spared[i] ? i : 0;
	}
	free(is_hit);
	free(is_spared);
}

static void
compare_once(unsigned int *seed)
{
	char text[2][512];
	struct diff_traffic *traffic;
	struct side a, b;
	struct seen want;
	struct diff *d;
	double sum = 0;
	uint32_t i;

	side_init(&a, random_policy(seed, text[0], sizeof(text[0])), random_geo(seed));
	side_init(&b, random_policy(seed, text[1], sizeof(text[1])), random_geo(seed));
	traffic = calloc(a.ruleset->n_classes, sizeof(*traffic));
	CU_ASSERT_PTR_NOT_NULL_FATAL(traffic);
	for (i = 0; i < a.ruleset->n_classes; i++)
		traffic[i].bytes = i;
	look_everywhere(&a, &b, &want);
	d = diff_new(a.ruleset, b.ruleset, traffic);
	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	CU_ASSERT_EQUAL(d->changed.addresses4, want.changed);
	CU_ASSERT_EQUAL(d->moved.addresses4, want.moved);
	CU_ASSERT_EQUAL(d->known.addresses4, want.known);
	CU_ASSERT_EQUAL(d->affected.most.bytes, want.affected.most.bytes);
	CU_ASSERT_EQUAL(d->affected.certain.bytes, want.affected.certain.bytes);
	for (i = 0; i < d->changes4.n; i++)
		sum += (double)(d->changes4.items[i].range.last -
				d->changes4.items[i].range.first) +
		       1;
	CU_ASSERT_EQUAL(sum, want.changed);
	for (sum = 0, i = 0; i < d->countries.n; i++)
		if (diff_is_verdict(d, d->countries.items[i].before, d->countries.items[i].after))
			sum += d->countries.items[i].size.addresses4;
	CU_ASSERT_EQUAL(sum, want.changed);
	diff_free(d);
	free(traffic);
	side_fini(&a);
	side_fini(&b);
}

static void
test_agrees_with_looking_at_every_address(void)
{
	unsigned int seed = 5;
	int i;

	for (i = 0; i < N_ROUNDS; i++)
		compare_once(&seed);
}

/* More changes than are kept: the largest stay. */
static void
test_keeps_the_largest_ranges(void)
{
	struct geo_build *x = geo_build_new(), *y = geo_build_new();
	struct side a, b;
	struct diff *d;
	uint32_t i, ip;
	int source;

	CU_ASSERT_FATAL(x != NULL && y != NULL);
	source = geo_build_add_source(y, "test");
	for (i = 0; i < 3000; i++) {
		struct ip_range range;

		ip = BASE + i * 4096;
		range = (struct ip_range){ ip, ip + (i * 7919) % 3001, 4 };
		CU_ASSERT_EQUAL(geo_build_add_country(y, &range, "EE", source), 0);
	}
	side_init(&a, sample, x);
	side_init(&b, sample, y);
	d = diff_new(a.ruleset, b.ruleset, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	CU_ASSERT_EQUAL(d->changes4.n_found, 3000);
	CU_ASSERT_EQUAL_FATAL(d->changes4.n, DIFF_CHANGES_MAX);
	for (i = 1; i < d->changes4.n; i++) {
		const struct ip_range *p = &d->changes4.items[i - 1].range;
		const struct ip_range *q = &d->changes4.items[i].range;

		CU_ASSERT_TRUE(p->last - p->first >= q->last - q->first);
	}
	CU_ASSERT_TRUE(d->changes4.items[DIFF_CHANGES_MAX - 1].range.last -
			       d->changes4.items[DIFF_CHANGES_MAX - 1].range.first >=
		       2000);
	diff_free(d);
	side_fini(&a);
	side_fini(&b);
}

static void
test_rules_added_removed_and_changed(void)
{
	struct policy *a = policy_of("[policy]\ndefault = drop\n[country]\napprove = IE DE\n"
				     "drop = KP\n[asn]\npass = 64500\n");
	struct policy *b = policy_of("# moved lines\n\n[country]\nmirror = IE\ndrop = KP FR\n"
				     "[asn]\npass = AS64500\n[policy]\ndefault = drop\n"
				     "unknown = mirror\n[special]\nprivate = pass\n");
	struct diff_rule *rules = NULL;
	char text[256], all[2048] = "";
	size_t i, n = 0;

	CU_ASSERT_EQUAL_FATAL(diff_rules(a, b, &rules, &n), 0);
	for (i = 0; i < n; i++) {
		strcat(all, "-");
		if (rules[i].before != RULESET_RULE_NONE)
			strcat(all, policy_rule_format(a, rules[i].before, text, sizeof(text)));
		strcat(all, "+");
		if (rules[i].after != RULESET_RULE_NONE)
			strcat(all, policy_rule_format(b, rules[i].after, text, sizeof(text)));
		strcat(all, "\n");
	}
	CU_ASSERT_STRING_EQUAL(all,
		"-default [policy] unknown drop+mirror+policy.ini:10 [policy] unknown mirror\n"
		"-policy.ini:4 [country] approve DE+\n"
		"-+policy.ini:5 [country] drop FR\n"
		"-policy.ini:4 [country] approve IE+policy.ini:4 [country] mirror IE\n");
	free(rules);
	policy_free(a);
	policy_free(b);
}

SUITE("ruleset_diff",
	{ "equal rulesets have no difference", test_equal_rulesets_have_no_difference },
	{ "a dropped country is a row with its traffic",
		test_a_dropped_country_is_a_row_with_its_traffic },
	{ "a moved prefix is a row of its AS", test_a_moved_prefix_is_a_row_of_its_as },
	{ "a move without consequence is no change", test_a_move_without_consequence_is_no_change },
	{ "ends of the address space", test_ends_of_the_address_space },
	{ "agrees with looking at every address", test_agrees_with_looking_at_every_address },
	{ "keeps the largest ranges", test_keeps_the_largest_ranges },
	{ "rules added, removed and changed", test_rules_added_removed_and_changed })
