/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * traffic and the blast radius: what counts as traffic of the last hour, and which changes are
 * refused. Needs no port.
 */
#include "suite.h"

#include "geo/geo_build.h"
#include "report_diff.h"
#include "traffic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define T0 1000000

static struct geo_ref geo;

static struct generation *
generation_of(uint32_t number, const char *text)
{
	struct policy *policy = policy_parse(text, strlen(text), "policy.ini", NULL);
	struct generation *g;

	CU_ASSERT_PTR_NOT_NULL_FATAL(policy);
	g = generation_new(number, policy, &geo, false, 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(g);
	return g;
}

static void
make_geo(void)
{
	struct geo_build *b;
	static const struct ip_range ranges[] = {
		{ IP4(20, 1, 0, 0), IP4(20, 1, 255, 255), 4 },
		{ IP4(20, 2, 0, 0), IP4(20, 2, 255, 255), 4 },
	};
	int source;

	if (geo.table != NULL)
		return;
	b = geo_build_new();
	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	source = geo_build_add_source(b, "test");
	CU_ASSERT_EQUAL_FATAL(geo_build_add_country(b, &ranges[0], "IE", source), 0);
	CU_ASSERT_EQUAL_FATAL(geo_build_add_country(b, &ranges[1], "DE", source), 0);
	geo.table = geo_build_seal(b);
	geo.n_users = 1;
	CU_ASSERT_PTR_NOT_NULL_FATAL(geo.table);
}

static ruleset_class_t
class_at(const struct generation *g, uint32_t ip)
{
	ruleset_class_t class;

	ruleset_lookup4(g->ruleset, &ip, &class, 1);
	return class;
}

static void
count(struct generation *g, uint32_t ip, uint64_t packets)
{
	stats_add(&g->counters[0].all[class_at(g, ip)], packets, packets * 100);
}

static uint64_t
packets_of(const struct traffic *t, const struct generation *g, time_t now, uint32_t *seconds)
{
	struct stats_total total = { .rx = { 0, 0 } };
	struct traffic_window w;
	uint64_t packets;

	CU_ASSERT_EQUAL_FATAL(traffic_read(t, g, &total, now, &w), 0);
	packets = w.classes[class_at(g, IP4(20, 1, 0, 1))].packets;
	*seconds = w.seconds;
	free(w.classes);
	return packets;
}

static void
test_the_window_slides(void)
{
	struct stats_total total = { .rx = { 0, 0 } };
	struct traffic *t = traffic_new();
	struct generation *g;
	uint32_t seconds;
	int i;

	make_geo();
	g = generation_of(1, "[country]\napprove = IE DE\n");
	traffic_tick(t, g, &total, T0);
	for (i = 1; i <= 90; i++) { /* ten packets a minute, 90 minutes */
		count(g, IP4(20, 1, 0, 1), 10);
		traffic_tick(t, g, &total, T0 + i * 60);
		if (i == 20)
			CU_ASSERT_EQUAL(packets_of(t, g, T0 + 1200, &seconds), 200);
		if (i == 59) {
			CU_ASSERT_EQUAL(packets_of(t, g, T0 + 3540, &seconds), 590);
			CU_ASSERT_EQUAL(seconds, 3540);
		}
	}
	CU_ASSERT_EQUAL(packets_of(t, g, T0 + 5400, &seconds), 300);
	CU_ASSERT_EQUAL(seconds, 1800);
	CU_ASSERT_EQUAL(packets_of(t, g, T0 + 7000, &seconds), 300);
	CU_ASSERT_EQUAL(seconds, 3400);
	generation_free(g);
	traffic_free(t);
}

static void
test_reasons_have_the_same_window(void)
{
	struct stats_total total = { .rx = { 0, 0 } };
	struct traffic *t = traffic_new();
	struct traffic_window w;
	struct generation *g;

	make_geo();
	g = generation_of(1, "[country]\napprove = IE DE\n");
	total.reason[REASON_TRUNCATED][1] = (struct stats_pair){ 7, 700 }; /* of before */
	traffic_tick(t, g, &total, T0);
	total.reason[REASON_TRUNCATED][1] = (struct stats_pair){ 9, 900 };
	total.shadow[REASON_TRUNCATED] = (struct stats_pair){ 1, 50 };
	CU_ASSERT_EQUAL_FATAL(traffic_read(t, g, &total, T0 + 9, &w), 0);
	CU_ASSERT_EQUAL(w.reasons[REASON_TRUNCATED].packets, 3);
	CU_ASSERT_EQUAL(w.reasons[REASON_TRUNCATED].bytes, 250);
	free(w.classes);
	generation_free(g);
	traffic_free(t);
}

static int
radius(const struct comparison *c, double traffic_percent, double space_percent, struct err *e)
{
	struct blast_radius radius = { .space_percent = space_percent,
		.traffic_percent = traffic_percent };

	return comparison_check(c, &radius, e);
}

static void
test_blast_radius(void)
{
	struct stats_total total = { .rx = { 0, 0 } };
	struct traffic *t = traffic_new();
	struct generation *before, *after;
	struct comparison c;
	struct err e;

	make_geo();
	before = generation_of(1, "[policy]\nunparsable = drop\n[country]\napprove = IE DE\n");
	after = generation_of(2, "[policy]\nunparsable = pass\n[country]\napprove = IE\n");
	c = (struct comparison){ .before = before, .after = after, .window.seconds = 60 };
	traffic_tick(t, before, &total, T0);
	count(before, IP4(20, 1, 0, 1), 60);
	count(before, IP4(20, 2, 0, 1), 30);
	total.reason[REASON_TRUNCATED][1] = (struct stats_pair){ 10, 1000 };
	CU_ASSERT_EQUAL_FATAL(traffic_read(t, before, &total, T0 + 60, &c.window), 0);
	c.diff = diff_new(before->ruleset, after->ruleset, c.window.classes);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c.diff);
	/* DE is 30 %, unparsable 10 % of the bytes; DE is half of the space. */
	CU_ASSERT_EQUAL(radius(&c, 40, 50, &e), 0);
	CU_ASSERT_EQUAL(radius(&c, 39.9, 100, &e), -EPERM);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.message, "40.00 % of the traffic of the last 60 s"));
	CU_ASSERT_EQUAL(radius(&c, 100, 49.9, &e), -EPERM);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.message, "50.00 % of the known address space"));
	comparison_fini(&c);
	traffic_free(t);
	generation_free(before);
	generation_free(after);
}

SUITE("traffic", { "the window slides", test_the_window_slides },
	{ "reasons have the same window", test_reasons_have_the_same_window },
	{ "blast radius", test_blast_radius })
