/* SPDX-License-Identifier: BSD-3-Clause */
/* fuzz_geo: what holds for every geo table, wherever it comes from. */
#pragma once

#include "fuzz.h"

#include "geo/geo.h"

static inline void
check_origins(const struct geo_table *t)
{
	size_t i;

	CHECK(t->n_sources > 0 && t->sources[0][0] == '\0');
	for (i = 0; i < t->n_sources; i++)
		CHECK(strlen(t->sources[i]) <= 200);
	CHECK(t->n_origins > 0 && t->origins[0].asn == 0);
	CHECK(memcmp(t->origins[0].country, GEO_UNKNOWN_COUNTRY, 2) == 0);
	for (i = 0; i < t->n_origins; i++) {
		const struct geo_origin *o = &t->origins[i];

		CHECK(o->country[0] >= 'A' && o->country[0] <= 'Z');
		CHECK(o->country[1] >= 'A' && o->country[1] <= 'Z');
		CHECK(o->country_source < t->n_sources && o->asn_source < t->n_sources);
		CHECK(strlen(o->as_name) <= 200);
		CHECK(o->asn > 0 || o->as_name[0] == '\0');
	}
}

/* The answers inside, before and behind a range agree with the range. */
static inline void
check_answer(const struct geo_table *t, const struct ip_range *range, uint32_t origin)
{
	struct ip_addr ip = { range->first, range->version };
	struct ip_range prefix = geo_range_prefix(range);
	struct geo_answer answer;

	geo_lookup(t, &ip, &answer);
	CHECK(answer.origin == &t->origins[origin]);
	CHECK(answer.range.first == range->first && answer.range.last == range->last);
	ip.value = range->last;
	geo_lookup(t, &ip, &answer);
	CHECK(answer.origin == &t->origins[origin]);
	CHECK(answer.range.first == range->first && answer.range.last == range->last);
	CHECK(prefix.first == range->first && prefix.last <= range->last);
	if (range->last == ip_max(range->version))
		return;
	ip.value = range->last + 1;
	geo_lookup(t, &ip, &answer);
	CHECK(answer.range.first == ip.value && answer.range.last >= ip.value);
}

static inline void
check_ranges4(const struct geo_table *t)
{
	size_t i;

	for (i = 0; i < t->n_ranges4; i++) {
		const struct geo_range4 *r = &t->ranges4[i];
		struct ip_range range = { r->first, r->last, 4 };

		CHECK(r->first <= r->last && r->origin > 0 && r->origin < t->n_origins);
		CHECK(i == 0 || r[-1].last < r->first);
		check_answer(t, &range, r->origin);
	}
}

static inline void
check_ranges6(const struct geo_table *t)
{
	size_t i;

	for (i = 0; i < t->n_ranges6; i++) {
		const struct geo_range6 *r = &t->ranges6[i];
		struct ip_range range = { r->first, r->last, 6 };

		CHECK(r->first <= r->last && r->origin > 0 && r->origin < t->n_origins);
		CHECK(i == 0 || r[-1].last < r->first);
		check_answer(t, &range, r->origin);
	}
}

static inline void
fuzz_check_table(const struct geo_table *t)
{
	check_origins(t);
	check_ranges4(t);
	check_ranges6(t);
}
