/* SPDX-License-Identifier: BSD-3-Clause */
/* metrics: both formats to the letter, hostile labels, and a top list whose counters never fall. */
#include "suite.h"

#include "metrics/metrics.h"
#include "metrics/metrics_top.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct metrics_family packets = { "t_packets", METRICS_COUNTER, "Frames." };
static const struct metrics_family ratio = { "t_ratio", METRICS_GAUGE, "Share." };
static const struct metrics_family build = { "t_build", METRICS_INFO, "Version." };

static void
check_page(enum metrics_format format, const char *want)
{
	const struct metrics_label labels[] = { { "a", "x" }, { "b", "1\"2\\3\n4" } };
	struct metrics m;
	size_t size;
	char *text;

	CU_ASSERT_EQUAL_FATAL(metrics_begin(&m, format), 0);
	metrics_family(&m, &packets);
	metrics_count(&m, NULL, 0, UINT64_MAX);
	metrics_count(&m, labels, 2, 7);
	metrics_family(&m, &ratio);
	metrics_value(&m, labels, 1, 0.25);
	metrics_family(&m, &build);
	metrics_count(&m, labels, 1, 1);
	text = metrics_end(&m, &size);
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	CU_ASSERT_STRING_EQUAL(text, want);
	CU_ASSERT_EQUAL(size, strlen(want));
	free(text);
}

static void
test_text_format_to_the_letter(void)
{
	check_page(METRICS_TEXT,
		"# HELP t_packets_total Frames.\n# TYPE t_packets_total counter\n"
		"t_packets_total 18446744073709551615\n"
		"t_packets_total{a=\"x\",b=\"1\\\"2\\\\3\\n4\"} 7\n"
		"# HELP t_ratio Share.\n# TYPE t_ratio gauge\nt_ratio{a=\"x\"} 0.25\n"
		"# HELP t_build_info Version.\n# TYPE t_build_info gauge\nt_build_info{a=\"x\"} "
		"1\n");
}

static void
test_open_metrics_to_the_letter(void)
{
	check_page(METRICS_OPEN,
		"# HELP t_packets Frames.\n# TYPE t_packets counter\n"
		"t_packets_total 18446744073709551615\n"
		"t_packets_total{a=\"x\",b=\"1\\\"2\\\\3\\n4\"} 7\n"
		"# HELP t_ratio Share.\n# TYPE t_ratio gauge\nt_ratio{a=\"x\"} 0.25\n"
		"# HELP t_build Version.\n# TYPE t_build info\nt_build_info{a=\"x\"} 1\n# EOF\n");
}

static void
test_values_that_are_no_numbers(void)
{
	struct metrics m;
	size_t size;
	char *text;

	CU_ASSERT_EQUAL_FATAL(metrics_begin(&m, METRICS_TEXT), 0);
	m.family = &ratio;
	metrics_value(&m, NULL, 0, NAN);
	metrics_value(&m, NULL, 0, INFINITY);
	metrics_value(&m, NULL, 0, -INFINITY);
	metrics_value(&m, NULL, 0, 1782000000);
	text = metrics_end(&m, &size);
	CU_ASSERT_STRING_EQUAL(
		text, "t_ratio NaN\nt_ratio +Inf\nt_ratio -Inf\nt_ratio 1782000000\n");
	free(text);
}

static void
test_format_follows_accept(void)
{
	static const struct {
		const char *accept;
		enum metrics_format want;
	} cases[] = {
		{ NULL, METRICS_TEXT },
		{ "", METRICS_TEXT },
		{ "*/*", METRICS_TEXT },
		{ "text/plain;version=0.0.4;q=0.5", METRICS_TEXT },
		{ "application/openmetrics-text;version=1.0.0,text/plain;q=0.5", METRICS_OPEN },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CU_ASSERT_EQUAL(metrics_choose_format(cases[i].accept), cases[i].want);
	CU_ASSERT_PTR_NOT_NULL(strstr(metrics_content_type(METRICS_OPEN), "openmetrics"));
	CU_ASSERT_PTR_NOT_NULL(strstr(metrics_content_type(METRICS_TEXT), "version=0.0.4"));
}

static void
test_all_are_listed_while_there_is_room(void)
{
	struct metrics_member first[] = { { .id = 1, .values = { 5 } } };
	struct metrics_member second[] = { { .id = 1, .values = { 6 } },
		{ .id = 9, .values = { 70 } } };
	struct metrics_top *t = metrics_top_new(2);
	uint64_t other[METRICS_TOP_VALUES];

	CU_ASSERT_EQUAL(metrics_top_update(t, first, 1, other), 0);
	CU_ASSERT_TRUE(first[0].is_listed);
	CU_ASSERT_EQUAL(other[0], 0);
	CU_ASSERT_EQUAL(metrics_top_update(t, second, 2, other), 0);
	CU_ASSERT_TRUE(second[0].is_listed && second[1].is_listed);
	CU_ASSERT_EQUAL(other[0], 0);
	metrics_top_free(t);
}

static void
test_no_room_at_all_counts_everything_as_other(void)
{
	struct metrics_member m[] = { { .id = 1, .values = { 5, 1 } },
		{ .id = 2, .values = { 6, 2 } } };
	struct metrics_top *t = metrics_top_new(0);
	uint64_t other[METRICS_TOP_VALUES];

	CU_ASSERT_EQUAL(metrics_top_update(t, m, 2, other), 0);
	CU_ASSERT_EQUAL(other[0], 11);
	CU_ASSERT_EQUAL(other[1], 3);
	CU_ASSERT_EQUAL(metrics_top_update(t, m, 0, other), 0);
	CU_ASSERT_EQUAL(other[0], 0);
	metrics_top_free(t);
}

/* The smallest of 2 N stays listed, one that falls behind them gives way. */
static void
test_who_is_listed_stays_until_far_behind(void)
{
	struct metrics_member a[] = { { .id = 1, .values = { 9 } }, { .id = 2, .values = { 5 } } };
	struct metrics_member b[] = { { .id = 1, .values = { 9 } }, { .id = 2, .values = { 50 } } };
	struct metrics_member c[] = { { .id = 1, .values = { 10 } }, { .id = 2, .values = { 60 } },
		{ .id = 3, .values = { 20 } } };
	struct metrics_top *t = metrics_top_new(1);
	uint64_t other[METRICS_TOP_VALUES];

	metrics_top_update(t, a, 2, other);
	CU_ASSERT_TRUE(a[0].is_listed && !a[1].is_listed);
	CU_ASSERT_EQUAL(other[0], 5);
	metrics_top_update(t, b, 2, other);
	CU_ASSERT_TRUE(b[0].is_listed && !b[1].is_listed);
	CU_ASSERT_EQUAL(other[0], 50);
	metrics_top_update(t, c, 3, other);
	CU_ASSERT_TRUE(!c[0].is_listed && c[1].is_listed && !c[2].is_listed);
	CU_ASSERT_EQUAL(other[0], 50 + 1 + 10 + 20); /* all that was counted while not listed */
	metrics_top_free(t);
}

/* 500 rounds of a made-up Internet: every increment belongs to one series, and none falls. */
static void
test_no_counter_falls_and_every_packet_has_one_series(void)
{
	enum { N = 40, LISTED = 5 };
	static struct metrics_member m[N];
	uint64_t other[METRICS_TOP_VALUES], before = 0, total = 0;
	struct metrics_top *t = metrics_top_new(LISTED);
	unsigned int seed = 7, round, i, n_listed, n_changes = 0;
	bool was[N] = { false };

	for (round = 0; round < 500; round++) {
		uint64_t shown = 0, own = 0;

		for (i = 0; i < N; i++) {
			uint64_t more =
				(uint64_t)rand_r(&seed) % ((i + round / 10) % N == 0 ? 9000 : 9);

			m[i].id = i;
			m[i].values[0] += more;
			total += more;
			own += was[i] ? more : 0;
			shown += more;
		}
		CU_ASSERT_EQUAL(metrics_top_update(t, m, N, other), 0);
		for (i = n_listed = 0; i < N; i++) {
			n_listed += m[i].is_listed;
			n_changes += round > 0 && m[i].is_listed != was[i];
			if (round > 0 && was[i] && !m[i].is_listed)
				own = UINT64_MAX; /* its last increment went to other: not compared */
			was[i] = m[i].is_listed;
		}
		CU_ASSERT_EQUAL(n_listed, LISTED);
		CU_ASSERT(other[0] >= before && other[0] <= total);
		if (round > 0 && own != UINT64_MAX)
			CU_ASSERT_EQUAL(other[0] - before + own, shown);
		before = other[0];
	}
	CU_ASSERT(n_changes > 10);
	metrics_top_free(t);
}

SUITE("metrics", { "text format to the letter", test_text_format_to_the_letter },
	{ "OpenMetrics to the letter", test_open_metrics_to_the_letter },
	{ "values that are no numbers", test_values_that_are_no_numbers },
	{ "format follows Accept", test_format_follows_accept },
	{ "all are listed while there is room", test_all_are_listed_while_there_is_room },
	{ "no room at all counts everything as other",
		test_no_room_at_all_counts_everything_as_other },
	{ "who is listed stays until far behind", test_who_is_listed_stays_until_far_behind },
	{ "no counter falls and every packet has one series",
		test_no_counter_falls_and_every_packet_has_one_series })
