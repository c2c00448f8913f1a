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

/* Bits that are zero at the end of `ip`, which is not 0. */
static unsigned int
trailing_zeros(ip6_t ip)
{
	uint64_t low = (uint64_t)ip;

	return low != 0 ? (unsigned int)__builtin_ctzll(low)
			: 64 + (unsigned int)__builtin_ctzll((uint64_t)(ip >> 64));
}

/* Bits of the largest number of the form 2^n - 1 that is not above `size`. */
static unsigned int
whole_bits(ip6_t size)
{
	uint64_t high = (uint64_t)((size + 1) >> 64), low = (uint64_t)(size + 1);

	return high != 0 ? 127 - (unsigned int)__builtin_clzll(high)
			 : 63 - (unsigned int)__builtin_clzll(low);
}

struct ip_range
geo_range_prefix(const struct ip_range *range)
{
	ip6_t size = range->last - range->first;
	unsigned int bits;

	if (size == ~(ip6_t)0)
		return *range;
	bits = whole_bits(size);
	if (range->first != 0 && trailing_zeros(range->first) < bits)
		bits = trailing_zeros(range->first);
	return (struct ip_range){ range->first, range->first + (((ip6_t)1 << bits) - 1),
		range->version };
}

const char *
geo_default_path(void)
{
	static const char installed[] = TREFOIL_DATADIR "/internet.tgt";

	return access(installed, F_OK) == 0 ? installed
					    : TREFOIL_SOURCE_ROOT "/config/geo/internet.tgt";
}
