/* SPDX-License-Identifier: BSD-3-Clause */
/* stats: sums over workers and generations must lose nothing. */
#include "suite.h"

#include "stats/tally.h"

#include <string.h>

static const struct tally_key keys[] = {
	{ 0, "ZZ", SPECIAL_NONE, VERDICT_DROP }, { 13335, "AU", SPECIAL_NONE, VERDICT_PASS },
	{ 4134, "CN", SPECIAL_NONE, VERDICT_DROP | VERDICT_MIRROR },
	{ 13335, "US", SPECIAL_NONE, VERDICT_MIRROR }, { 0, "ZZ", SPECIAL_PRIVATE, VERDICT_PASS },
	{ 7, "a?", SPECIAL_NONE, VERDICT_PASS }, /* no country code: counted as unknown */
};
#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

static const struct tally_count *
country(const struct tally *t, const char *code)
{
	return &t->countries[(code[0] - 'A') * 26 + code[1] - 'A'];
}

static const struct tally_asn *
asn(const struct tally *t, uint32_t number)
{
	size_t i;

	for (i = 0; i < t->n_asns; i++)
		if (t->asns[i].asn == number)
			return &t->asns[i];
	return NULL;
}

static void
count_each_class_once(struct stats_class *c)
{
	uint32_t i;

	CU_ASSERT_EQUAL_FATAL(stats_class_init(c, N_KEYS), 0);
	for (i = 0; i < N_KEYS; i++)
		stats_add(&c->all[i], 1, 100);
}

static void
test_classes_are_summed_by_country_asn_and_special(void)
{
	struct tally t = { .n_asns = 0 };
	struct stats_class c;

	count_each_class_once(&c);
	stats_add(&c.odd_dropped[1], 1, 100);
	stats_add(&c.inbound[2], 5, 500);
	CU_ASSERT_EQUAL(tally_add(&t, &c, keys), 0);
	CU_ASSERT_EQUAL(t.unknown.all.packets, 2);
	CU_ASSERT_EQUAL(t.unknown.dropped.packets, 1);
	CU_ASSERT_EQUAL(country(&t, "AU")->all.bytes, 100);
	CU_ASSERT_EQUAL(country(&t, "AU")->dropped.packets, 1);
	CU_ASSERT_EQUAL(country(&t, "CN")->dropped.packets, 1);
	CU_ASSERT_EQUAL(country(&t, "CN")->mirrored.packets, 1);
	CU_ASSERT_EQUAL(country(&t, "US")->dropped.packets, 0);
	CU_ASSERT_EQUAL(country(&t, "US")->mirrored.packets, 1);
	CU_ASSERT_EQUAL(t.specials[SPECIAL_PRIVATE].all.packets, 1);
	CU_ASSERT_EQUAL(t.inbound_countries[('C' - 'A') * 26 + 'N' - 'A'].all.packets, 5);
	CU_ASSERT_EQUAL(asn(&t, 13335)->count.all.packets, 2);
	CU_ASSERT_PTR_NULL(asn(&t, 0));
	stats_class_fini(&c);
	tally_fini(&t);
}

static void
test_tallies_of_several_generations_add_up(void)
{
	struct tally past = { .n_asns = 0 }, sum = { .n_asns = 0 };
	struct stats_class c;
	unsigned int i;

	count_each_class_once(&c);
	for (i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(tally_add(&past, &c, keys), 0);
	CU_ASSERT_EQUAL(tally_merge(&sum, &past), 0);
	CU_ASSERT_EQUAL(tally_add(&sum, &c, keys), 0);
	CU_ASSERT_EQUAL(country(&sum, "CN")->all.packets, 4);
	CU_ASSERT_EQUAL(asn(&sum, 13335)->count.all.packets, 8);
	CU_ASSERT_EQUAL(sum.n_asns, 3);
	for (i = 1; i < sum.n_asns; i++)
		CU_ASSERT(sum.asns[i - 1].asn < sum.asns[i].asn);
	stats_class_fini(&c);
	tally_fini(&past);
	tally_fini(&sum);
}

static void
test_a_frame_counted_once_is_in_every_sum(void)
{
	static struct stats_worker a;
	static struct stats_total total;
	unsigned int i;

	for (i = 0; i < REASON_N; i++) {
		stats_add(&a.fate[i], i, 10 * i);
		stats_add(&a.fate[STATS_FORWARDED | i], 1, 100);
		stats_add(&a.shadow[i], 2, 3);
	}
	stats_add(&a.mirrored, 4, 5);
	stats_add(&a.mirror_lost, 6, 7);
	stats_total_add(&total, &a);
	stats_total_add(&total, &a);
	for (i = 0; i < REASON_N; i++) {
		CU_ASSERT_EQUAL(total.reason[i][0].packets, 2);
		CU_ASSERT_EQUAL(total.reason[i][0].bytes, 200);
		CU_ASSERT_EQUAL(total.reason[i][1].packets, 2 * i);
		CU_ASSERT_EQUAL(total.reason[i][1].bytes, 20 * i);
		CU_ASSERT_EQUAL(total.shadow[i].packets, 4);
	}
	CU_ASSERT_EQUAL(total.forwarded.packets, 2 * REASON_N);
	CU_ASSERT_EQUAL(total.dropped.packets, REASON_N * (REASON_N - 1));
	CU_ASSERT_EQUAL(total.dropped.bytes, 10 * REASON_N * (REASON_N - 1));
	CU_ASSERT_EQUAL(total.rx.packets, 2 * REASON_N + REASON_N * (REASON_N - 1));
	CU_ASSERT_EQUAL(total.rx.bytes, 200 * REASON_N + 10 * REASON_N * (REASON_N - 1));
	CU_ASSERT_EQUAL(total.mirrored.bytes, 10);
	CU_ASSERT_EQUAL(total.mirror_lost.packets, 12);
}

SUITE("stats",
	{ "classes are summed by country asn and special",
		test_classes_are_summed_by_country_asn_and_special },
	{ "tallies of several generations add up", test_tallies_of_several_generations_add_up },
	{ "a frame counted once is in every sum", test_a_frame_counted_once_is_in_every_sum })
