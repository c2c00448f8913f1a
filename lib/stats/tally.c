/* SPDX-License-Identifier: BSD-3-Clause */
/* Sums by country and ASN. ASNs are a sorted array; adding merges two sorted arrays. */
#include "stats/tally.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void
count_add(struct tally_count *sum, const struct tally_count *count)
{
	stats_sum(&sum->all, &count->all);
	stats_sum(&sum->dropped, &count->dropped);
	stats_sum(&sum->mirrored, &count->mirrored);
}

static bool
is_letter(char c)
{
	return c >= 'A' && c <= 'Z';
}

static struct tally_count *
country_count(
	struct tally_count *countries, struct tally_count *unknown, const struct tally_key *key)
{
	if (!is_letter(key->country[0]) || !is_letter(key->country[1]) ||
		memcmp(key->country, "ZZ", 2) == 0)
		return unknown;
	return &countries[(key->country[0] - 'A') * 26 + (key->country[1] - 'A')];
}

/* What one class got, from its counter and its verdict. */
static struct tally_count
class_count(const struct stats_class *counters, uint32_t class, verdict_t verdict)
{
	struct tally_count count = { .all = stats_read(&counters->all[class]) };

	count.dropped =
		verdict & VERDICT_DROP ? count.all : stats_read(&counters->odd_dropped[class]);
	count.mirrored =
		verdict & VERDICT_MIRROR ? count.all : stats_read(&counters->odd_mirrored[class]);
	return count;
}

static int
asn_compare(const void *a, const void *b)
{
	const struct tally_asn *x = a, *y = b;

	return x->asn < y->asn ? -1 : x->asn > y->asn;
}

/* Merge two sorted arrays, equal ASNs summed (also within one array), into a new one. */
static struct tally_asn *
asns_merge(const struct tally_asn *a, size_t n_a, const struct tally_asn *b, size_t n_b, size_t *n)
{
	struct tally_asn *out = calloc(n_a + n_b + 1, sizeof(*out));
	const struct tally_asn *next;
	size_t i = 0, j = 0;

	*n = 0;
	if (out == NULL)
		return NULL;
	while (i < n_a || j < n_b) {
		next = j == n_b || (i < n_a && a[i].asn <= b[j].asn) ? &a[i++] : &b[j++];
		if (*n > 0 && out[*n - 1].asn == next->asn)
			count_add(&out[*n - 1].count, &next->count);
		else
			out[(*n)++] = *next;
	}
	return out;
}

static int
asns_add(struct tally *t, const struct tally_asn *asns, size_t n_asns)
{
	size_t n;
	struct tally_asn *merged = asns_merge(t->asns, t->n_asns, asns, n_asns, &n);

	if (merged == NULL)
		return -ENOMEM;
	free(t->asns);
	t->asns = merged;
	t->n_asns = n;
	return 0;
}

int
tally_add(struct tally *t, const struct stats_class *counters, const struct tally_key *keys)
{
	struct tally_asn *asns = calloc((size_t)counters->n_classes + 1, sizeof(*asns));
	size_t n_asns = 0;
	uint32_t i;
	int status;

	if (asns == NULL)
		return -ENOMEM;
	for (i = 0; i < counters->n_classes; i++)
		if (keys[i].asn != 0 && stats_read(&counters->all[i]).packets != 0)
			asns[n_asns++] = (struct tally_asn){ keys[i].asn,
				class_count(counters, i, keys[i].verdict) };
	qsort(asns, n_asns, sizeof(*asns), asn_compare);
	status = asns_add(t, asns, n_asns);
	free(asns);
	for (i = 0; status == 0 && i < counters->n_classes; i++) {
		struct tally_count count = class_count(counters, i, keys[i].verdict);
		struct tally_count inbound = { .all = stats_read(&counters->inbound[i]) };

		if (keys[i].special != SPECIAL_NONE)
			count_add(&t->specials[keys[i].special], &count);
		else
			count_add(country_count(t->countries, &t->unknown, &keys[i]), &count);
		count_add(country_count(t->inbound_countries, &t->inbound_unknown, &keys[i]),
			&inbound);
	}
	return status;
}

int
tally_merge(struct tally *t, const struct tally *other)
{
	unsigned int i;

	if (asns_add(t, other->asns, other->n_asns) != 0)
		return -ENOMEM;
	count_add(&t->unknown, &other->unknown);
	count_add(&t->inbound_unknown, &other->inbound_unknown);
	for (i = 0; i < TALLY_COUNTRIES; i++) {
		count_add(&t->countries[i], &other->countries[i]);
		count_add(&t->inbound_countries[i], &other->inbound_countries[i]);
	}
	for (i = 0; i < SPECIAL_N; i++)
		count_add(&t->specials[i], &other->specials[i]);
	return 0;
}

void
tally_country(unsigned int index, char out[3])
{
	out[0] = (char)('A' + index / 26);
	out[1] = (char)('A' + index % 26);
	out[2] = '\0';
}

void
tally_fini(struct tally *t)
{
	free(t->asns);
	*t = (struct tally){ .n_asns = 0 };
}
