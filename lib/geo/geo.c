/* SPDX-License-Identifier: BSD-3-Clause */
/* Lookups by binary search over the sorted ranges, and the end of a table. */
#include "geo/geo.h"

#include <stdlib.h>
#include <unistd.h>

void
geo_free(struct geo_table *t)
{
	if (t == NULL)
		return;
	free(t->ranges4);
	free(t->ranges6);
	free(t->origins);
	free(t->dissents);
	free(t->sources);
	free(t->strings);
	free(t);
}

/* Number of ranges that begin at or below `ip`. */
static size_t
geo_rank4(const struct geo_table *t, uint32_t ip)
{
	size_t low = 0, high = t->n_ranges4;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (t->ranges4[middle].first <= ip)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static size_t
geo_rank6(const struct geo_table *t, ip6_t ip)
{
	size_t low = 0, high = t->n_ranges6;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (t->ranges6[middle].first <= ip)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct geo_range4 *
geo_find4(const struct geo_table *t, uint32_t ip)
{
	size_t rank = geo_rank4(t, ip);

	return rank > 0 && ip <= t->ranges4[rank - 1].last ? &t->ranges4[rank - 1] : NULL;
}

const struct geo_range6 *
geo_find6(const struct geo_table *t, ip6_t ip)
{
	size_t rank = geo_rank6(t, ip);

	return rank > 0 && ip <= t->ranges6[rank - 1].last ? &t->ranges6[rank - 1] : NULL;
}

static void
geo_lookup4(const struct geo_table *t, uint32_t ip, struct geo_answer *out)
{
	size_t rank = geo_rank4(t, ip);

	out->range = (struct ip_range){ 0, ip_max(4), 4 };
	out->origin = &t->origins[0];
	if (rank < t->n_ranges4)
		out->range.last = t->ranges4[rank].first - 1;
	if (rank > 0 && ip <= t->ranges4[rank - 1].last) {
		out->range.first = t->ranges4[rank - 1].first;
		out->range.last = t->ranges4[rank - 1].last;
		out->origin = &t->origins[t->ranges4[rank - 1].origin];
	} else if (rank > 0) {
		out->range.first = (ip6_t)t->ranges4[rank - 1].last + 1;
	}
}

static void
geo_lookup6(const struct geo_table *t, ip6_t ip, struct geo_answer *out)
{
	size_t rank = geo_rank6(t, ip);

	out->range = (struct ip_range){ 0, ip_max(6), 6 };
	out->origin = &t->origins[0];
	if (rank < t->n_ranges6)
		out->range.last = t->ranges6[rank].first - 1;
	if (rank > 0 && ip <= t->ranges6[rank - 1].last) {
		out->range.first = t->ranges6[rank - 1].first;
		out->range.last = t->ranges6[rank - 1].last;
		out->origin = &t->origins[t->ranges6[rank - 1].origin];
	} else if (rank > 0) {
		out->range.first = t->ranges6[rank - 1].last + 1;
	}
}

void
geo_lookup(const struct geo_table *t, const struct ip_addr *ip, struct geo_answer *out)
{
	if (ip->version == 4)
		geo_lookup4(t, (uint32_t)ip->value, out);
	else
		geo_lookup6(t, ip->value, out);
}

struct ip_range
geo_range_prefix(const struct ip_range *range)
{
	ip6_t max = ip_max(range->version), host = 0, wider;

	while (host != max) {
		wider = host << 1 | 1;
		if ((range->first & wider) != 0 || wider > range->last - range->first)
			break;
		host = wider;
	}
	return (struct ip_range){ range->first, range->first + host, range->version };
}

const char *
geo_default_path(void)
{
	static const char installed[] = TREFOIL_DATADIR "/internet.tgt";

	return access(installed, F_OK) == 0 ? installed
					    : TREFOIL_SOURCE_ROOT "/config/geo/internet.tgt";
}
