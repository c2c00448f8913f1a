/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sweep. All addresses between two neighbouring boundaries (of either geo table, of the special
 * registries, of a [prefix] rule or NAT64 prefix of either policy) have one class in each ruleset.
 * The first addresses of these pieces are looked up in bulk in both; pieces side by side with the
 * same pair of classes are joined to runs, and runs that change are added up by pair.
 */
#include "ruleset/diff.h"

#include "diff_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 64u
#define N_GEO 2u

/* Walks the boundaries of one geo table. */
struct cursor {
	const struct geo_table *geo;
	size_t at;
};

struct sweep {
	struct diff *diff;
	struct diff_parts *parts;
	uint8_t version;
	ip6_t max;
	struct cursor geo[N_GEO];
	ip6_t *fixed; /* boundaries of registries and policies, sorted */
	size_t n_fixed, at_fixed;
	struct diff_change run; /* the one that is open */
	bool has_run;
	struct diff_changes *changes; /* a heap while the sweep lasts, the smallest on top */
};

bool
diff_is_verdict(const struct diff *d, ruleset_class_t before, ruleset_class_t after)
{
	return d->before->verdict[before] != d->after->verdict[after];
}

static bool
is_moved(const struct diff *d, ruleset_class_t before, ruleset_class_t after)
{
	const struct geo_origin *a = &d->before->geo->origins[d->before->classes[before].origin];
	const struct geo_origin *b = &d->after->geo->origins[d->after->classes[after].origin];

	return a->asn != b->asn || memcmp(a->country, b->country, 2) != 0;
}

static struct ip_range
range_at(const struct geo_table *t, uint8_t version, size_t i)
{
	if (version == 4)
		return (struct ip_range){ t->ranges4[i].first, t->ranges4[i].last, 4 };
	return (struct ip_range){ t->ranges6[i].first, t->ranges6[i].last, 6 };
}

/* The last address before the next boundary behind `ip`, which never goes back. */
static ip6_t
cursor_last(struct cursor *c, uint8_t version, ip6_t ip, ip6_t max)
{
	size_t n = version == 4 ? c->geo->n_ranges4 : c->geo->n_ranges6;
	struct ip_range range;

	for (; c->at < n; c->at++) {
		range = range_at(c->geo, version, c->at);
		if (ip < range.first)
			return range.first - 1;
		if (ip <= range.last)
			return range.last;
	}
	return max;
}

static ip6_t
sweep_last(struct sweep *s, ip6_t ip)
{
	ip6_t last = s->max, other;
	unsigned int i;

	for (i = 0; i < N_GEO; i++) {
		other = cursor_last(&s->geo[i], s->version, ip, s->max);
		last = other < last ? other : last;
	}
	while (s->at_fixed < s->n_fixed && s->fixed[s->at_fixed] <= ip)
		s->at_fixed++;
	if (s->at_fixed < s->n_fixed && s->fixed[s->at_fixed] - 1 < last)
		last = s->fixed[s->at_fixed] - 1;
	return last;
}

static void
fixed_add(struct sweep *s, ip6_t first, ip6_t last)
{
	s->fixed[s->n_fixed++] = first;
	if (last != s->max)
		s->fixed[s->n_fixed++] = last + 1;
}

static void
fixed_add_policy(struct sweep *s, const struct policy *p)
{
	size_t i;

	for (i = 0; i < p->n_prefixes; i++)
		if (p->prefixes[i].range.version == s->version)
			fixed_add(s, p->prefixes[i].range.first, p->prefixes[i].range.last);
	for (i = 0; s->version == 6 && i < p->limits.n_nat64; i++)
		fixed_add(s, p->limits.nat64[i].prefix,
			p->limits.nat64[i].prefix | (~(ip6_t)0 >> p->limits.nat64[i].length));
}

static int
ip_compare(const void *a, const void *b)
{
	const ip6_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int
sweep_init(struct sweep *s)
{
	const struct policy *a = s->diff->before->policy, *b = s->diff->after->policy;
	size_t i, n;
	const struct special_entry *entries = special_entries(s->version, &n);

	s->max = ip_max(s->version);
	s->geo[0].geo = s->diff->before->geo;
	s->geo[1].geo = s->diff->after->geo;
	s->changes = s->version == 4 ? &s->diff->changes4 : &s->diff->changes6;
	s->fixed = calloc(
		2 * (n + a->n_prefixes + b->n_prefixes + a->limits.n_nat64 + b->limits.n_nat64),
		sizeof(*s->fixed));
	s->changes->items = calloc(DIFF_CHANGES_MAX, sizeof(*s->changes->items));
	if (s->fixed == NULL || s->changes->items == NULL)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		fixed_add(s, entries[i].range.first, entries[i].range.last);
	fixed_add_policy(s, a);
	fixed_add_policy(s, b);
	qsort(s->fixed, s->n_fixed, sizeof(*s->fixed), ip_compare);
	return 0;
}

void
diff_size_add(struct diff_size *sum, const struct diff_size *size)
{
	sum->prefixes4 += size->prefixes4;
	sum->prefixes6 += size->prefixes6;
	sum->addresses4 += size->addresses4;
	sum->nets6 += size->nets6;
}

static uint64_t
count_prefixes(const struct ip_range *range)
{
	struct ip_range rest = *range;
	uint64_t n = 1;
	ip6_t end;

	for (;; n++) {
		end = geo_range_prefix(&rest).last;
		if (end == range->last)
			return n;
		rest.first = end + 1;
	}
}

static struct diff_size
size_of(const struct ip_range *range)
{
	double n = (double)(range->last - range->first) + 1;

	if (range->version == 4)
		return (struct diff_size){ .prefixes4 = count_prefixes(range), .addresses4 = n };
	return (struct diff_size){ .prefixes6 = count_prefixes(range), .nets6 = n / 0x1p64 };
}

static int
parts_add(struct diff_parts *p, const struct diff_change *run, const struct diff_size *size)
{
	size_t capacity = p->capacity > 0 ? 2 * p->capacity : 1024;
	struct diff_part *grown;

	if (p->n == p->capacity) {
		grown = realloc(p->items, capacity * sizeof(*grown));
		if (grown == NULL)
			return -ENOMEM;
		p->items = grown;
		p->capacity = capacity;
	}
	p->items[p->n++] = (struct diff_part){ run->before, run->after, 1, *size };
	return 0;
}

/* Smaller, or as large and further behind. */
static bool
is_smaller(const struct diff_change *a, const struct diff_change *b)
{
	ip6_t x = a->range.last - a->range.first, y = b->range.last - b->range.first;

	return x != y ? x < y : a->range.first > b->range.first;
}

static void
heap_sink(struct diff_changes *h, struct diff_change item)
{
	size_t at = 0, child;

	for (child = 1; child < h->n; child = 2 * at + 1) {
		if (child + 1 < h->n && is_smaller(&h->items[child + 1], &h->items[child]))
			child++;
		if (!is_smaller(&h->items[child], &item))
			break;
		h->items[at] = h->items[child];
		at = child;
	}
	h->items[at] = item;
}

static void
heap_rise(struct diff_changes *h, struct diff_change item)
{
	size_t at = h->n++;

	for (; at > 0 && is_smaller(&item, &h->items[(at - 1) / 2]); at = (at - 1) / 2)
		h->items[at] = h->items[(at - 1) / 2];
	h->items[at] = item;
}

/* Keep the largest ones. */
static void
changes_add(struct diff_changes *h, const struct diff_change *change)
{
	h->n_found++;
	if (h->n < DIFF_CHANGES_MAX)
		heap_rise(h, *change);
	else if (is_smaller(&h->items[0], change))
		heap_sink(h, *change);
}

static int
run_end(struct sweep *s)
{
	const struct diff_change *run = &s->run;
	struct diff *d = s->diff;
	struct diff_size size = { .prefixes4 = 0 };
	bool is_verdict, has_moved;

	if (!s->has_run)
		return 0;
	s->parts->n_runs[run->before]++;
	is_verdict = diff_is_verdict(d, run->before, run->after);
	has_moved = is_moved(d, run->before, run->after);
	if (d->before->classes[run->before].origin != 0 || is_verdict || has_moved)
		size = size_of(&run->range);
	if (d->before->classes[run->before].origin != 0)
		diff_size_add(&d->known, &size);
	if (has_moved)
		diff_size_add(&d->moved, &size);
	if (is_verdict)
		changes_add(s->changes, run);
	return is_verdict || has_moved ? parts_add(s->parts, run, &size) : 0;
}

static int
piece_add(struct sweep *s, const struct diff_change *piece)
{
	int status = 0;

	if (s->has_run && s->run.before == piece->before && s->run.after == piece->after) {
		s->run.range.last = piece->range.last;
		return 0;
	}
	status = run_end(s);
	s->run = *piece;
	s->has_run = true;
	return status;
}

static void
look_up(const struct ruleset *rs, uint8_t version, const ip6_t *ips, ruleset_class_t *classes,
	unsigned int n)
{
	uint32_t ips4[BATCH];
	unsigned int i;

	if (version == 6) {
		ruleset_lookup6(rs, ips, classes, n);
		return;
	}
	for (i = 0; i < n; i++)
		ips4[i] = (uint32_t)ips[i];
	ruleset_lookup4(rs, ips4, classes, n);
}

/* Up to BATCH pieces from `*ip` on. Returns 1 when that was the last address, 0 or -ENOMEM. */
static int
sweep_batch(struct sweep *s, ip6_t *ip)
{
	ruleset_class_t before[BATCH], after[BATCH];
	ip6_t first[BATCH], last[BATCH];
	unsigned int n = 0, i;

	do {
		first[n] = *ip;
		last[n] = sweep_last(s, *ip);
		*ip = last[n] + 1;
	} while (last[n++] != s->max && n < BATCH);
	look_up(s->diff->before, s->version, first, before, n);
	look_up(s->diff->after, s->version, first, after, n);
	for (i = 0; i < n; i++) {
		struct diff_change piece = { { first[i], last[i], s->version }, before[i],
			after[i] };

		if (piece_add(s, &piece) != 0)
			return -ENOMEM;
	}
	return last[n - 1] == s->max;
}

static int
change_compare(const void *a, const void *b)
{
	return is_smaller(a, b) ? 1 : -1;
}

static int
sweep_family(struct diff *d, struct diff_parts *parts, uint8_t version)
{
	struct sweep s = { .diff = d, .parts = parts, .version = version };
	int status = sweep_init(&s);
	ip6_t ip = 0;

	while (status == 0)
		status = sweep_batch(&s, &ip);
	if (status == 1)
		status = run_end(&s);
	if (status == 0)
		qsort(s.changes->items, s.changes->n, sizeof(*s.changes->items), change_compare);
	free(s.fixed);
	return status;
}

struct diff *
diff_new(const struct ruleset *before, const struct ruleset *after,
	const struct diff_traffic *traffic)
{
	struct diff_parts parts = { .traffic = traffic };
	struct diff *d = calloc(1, sizeof(*d));
	int status = -ENOMEM;

	parts.n_runs = calloc(before->n_classes, sizeof(*parts.n_runs));
	if (d != NULL && parts.n_runs != NULL) {
		d->before = before;
		d->after = after;
		status = sweep_family(d, &parts, 4);
		if (status == 0)
			status = sweep_family(d, &parts, 6);
		if (status == 0)
			status = diff_add_rows(d, &parts);
	}
	free(parts.n_runs);
	free(parts.items);
	if (status == 0)
		return d;
	diff_free(d);
	errno = ENOMEM;
	return NULL;
}

void
diff_free(struct diff *d)
{
	if (d == NULL)
		return;
	free(d->countries.items);
	free(d->asns.items);
	free(d->changes4.items);
	free(d->changes6.items);
	free(d);
}
