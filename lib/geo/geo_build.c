/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Collects rows and merges them.
 *
 * Per kind and family a sweep over the rows sorted by start, with a heap of the rows that are open
 * at the current address, the latest row on top, gives disjoint segments in O(n log n). A second
 * sweep over the country and the ASN segments cuts at all boundaries of both; each distinct pair of
 * values becomes an origin, numbered in order of appearance. Neighbours of equal origin are joined.
 */
#include "geo/geo_build.h"

#include "geo/geo_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROWS_MAX ((size_t)1 << 25)
#define N_KINDS  2

struct row {
	ip6_t first, last;
	uint32_t value; /* number in countries or asns, 0 = unknown */
};

struct rows {
	struct row *items; /* in the order they were added */
	size_t n, capacity;
};

struct country_value {
	uint16_t source;
	char code[2];
	uint32_t dissents; /* number in dissents */
};

struct asn_value {
	uint32_t asn;
	uint32_t name; /* number in names */
	uint32_t source;
};

struct geo_build {
	struct rows rows[N_KINDS][2];      /* [kind][IPv4, IPv6] */
	struct geo_intern values[N_KINDS]; /* country_value, asn_value; [0] unknown */
	struct geo_intern names;           /* with their NUL; [0] "" */
	struct geo_intern sources;         /* with their NUL; [0] "" */
	struct geo_intern dissents;        /* lists of struct geo_dissent; [0] none */
	struct geo_intern origins;         /* pairs of value numbers; [0] unknown */
	uint64_t newest;                   /* newest date of an input, 0 = none */
};

static int
build_init(struct geo_build *b)
{
	static const struct country_value no_country = { 0, { 'Z', 'Z' }, 0 };
	static const struct asn_value no_asn;
	static const uint32_t no_pair[N_KINDS];

	if (geo_intern_add(&b->values[GEO_COUNTRY], &no_country, sizeof(no_country)) != 0 ||
		geo_intern_add(&b->values[GEO_ASN], &no_asn, sizeof(no_asn)) != 0 ||
		geo_intern_add(&b->names, "", 1) != 0 || geo_intern_add(&b->dissents, "", 1) != 0 ||
		geo_intern_add(&b->sources, "", 1) != 0 ||
		geo_intern_add(&b->origins, no_pair, sizeof(no_pair)) != 0)
		return -ENOMEM;
	return 0;
}

struct geo_build *
geo_build_new(void)
{
	struct geo_build *b = calloc(1, sizeof(*b));

	if (b != NULL && build_init(b) == 0)
		return b;
	geo_build_free(b);
	errno = ENOMEM;
	return NULL;
}

void
geo_build_free(struct geo_build *b)
{
	unsigned int kind;

	if (b == NULL)
		return;
	for (kind = 0; kind < N_KINDS; kind++) {
		free(b->rows[kind][0].items);
		free(b->rows[kind][1].items);
		geo_intern_fini(&b->values[kind]);
	}
	geo_intern_fini(&b->names);
	geo_intern_fini(&b->sources);
	geo_intern_fini(&b->dissents);
	geo_intern_fini(&b->origins);
	free(b);
}

int
geo_build_add_source(struct geo_build *b, const char *name)
{
	size_t length = strlen(name);
	size_t n_before = b->sources.n;
	uint32_t number;

	if (length == 0 || !geo_text_is_clean(name, length))
		return -EINVAL;
	number = geo_intern_add(&b->sources, name, length + 1);
	if (number == GEO_INTERN_FAILED)
		return -ENOMEM;
	return number >= GEO_SOURCES_MAX && number == n_before ? -ENOSPC : (int)number;
}

void
geo_build_note_time(struct geo_build *b, uint64_t seconds)
{
	if (seconds > b->newest)
		b->newest = seconds;
}

static int
rows_add(struct rows *rows, const struct ip_range *range, uint32_t value)
{
	size_t capacity = rows->capacity > 0 ? rows->capacity * 2 : 64;
	struct row *bigger;

	if (rows->n == ROWS_MAX)
		return -ENOMEM;
	if (rows->n == rows->capacity) {
		bigger = realloc(rows->items, capacity * sizeof(*bigger));
		if (bigger == NULL)
			return -ENOMEM;
		rows->items = bigger;
		rows->capacity = capacity;
	}
	rows->items[rows->n++] = (struct row){ range->first, range->last, value };
	return 0;
}

static bool
row_is_valid(const struct geo_build *b, const struct ip_range *range, int source)
{
	return (range->version == 4 || range->version == 6) && range->first <= range->last &&
	       range->last <= ip_max(range->version) && source >= 0 &&
	       (size_t)source < b->sources.n;
}

static int
build_add(struct geo_build *b, enum geo_kind kind, const struct ip_range *range, const void *value,
	size_t size)
{
	uint32_t number = geo_intern_add(&b->values[kind], value, size);

	if (number == GEO_INTERN_FAILED)
		return -ENOMEM;
	return rows_add(&b->rows[kind][range->version == 6], range, number);
}

int
geo_build_add_country(
	struct geo_build *b, const struct ip_range *range, const char country[2], int source)
{
	struct country_value value = { (uint16_t)source, { country[0], country[1] }, 0 };

	if (!row_is_valid(b, range, source))
		return -EINVAL;
	if (memcmp(country, "??", 2) == 0 || memcmp(country, GEO_UNKNOWN_COUNTRY, 2) == 0)
		value = (struct country_value){ 0, { 'Z', 'Z' }, 0 };
	else if (!geo_is_country(country))
		return -EINVAL;
	return build_add(b, GEO_COUNTRY, range, &value, sizeof(value));
}

int
geo_build_add_asn(struct geo_build *b, const struct ip_range *range, uint32_t asn,
	const char *as_name, int source)
{
	struct asn_value value = { .asn = asn, .source = (uint32_t)source };
	char name[GEO_NAME_MAX + 1];
	size_t length;

	if (!row_is_valid(b, range, source) || asn == 0)
		return -EINVAL;
	if (as_name != NULL) {
		length = geo_text_clean(as_name, strlen(as_name), name);
		value.name = geo_intern_add(&b->names, name, length + 1);
		if (value.name == GEO_INTERN_FAILED)
			return -ENOMEM;
	}
	return build_add(b, GEO_ASN, range, &value, sizeof(value));
}

static int
row_compare(const void *a, const void *b, void *items)
{
	const struct row *rows = items;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	if (rows[x].first != rows[y].first)
		return rows[x].first < rows[y].first ? -1 : 1;
	return x < y ? -1 : x > y;
}

/* Row numbers sorted by start. */
static uint32_t *
rows_sort(const struct rows *rows)
{
	uint32_t *sorted = malloc((rows->n + 1) * sizeof(*sorted));
	uint32_t i;

	if (sorted == NULL)
		return NULL;
	for (i = 0; i < rows->n; i++)
		sorted[i] = i;
	qsort_r(sorted, rows->n, sizeof(*sorted), row_compare, rows->items);
	return sorted;
}

/* Row numbers, the largest (latest) on top. */
struct heap {
	uint32_t *items;
	size_t n;
};

static void
heap_push(struct heap *h, uint32_t item)
{
	size_t at = h->n++;

	for (; at > 0 && h->items[(at - 1) / 2] < item; at = (at - 1) / 2)
		h->items[at] = h->items[(at - 1) / 2];
	h->items[at] = item;
}

static void
heap_pop(struct heap *h)
{
	uint32_t item = h->items[--h->n];
	size_t at = 0, child;

	for (child = 1; child < h->n; child = 2 * at + 1) {
		if (child + 1 < h->n && h->items[child + 1] > h->items[child])
			child++;
		if (h->items[child] <= item)
			break;
		h->items[at] = h->items[child];
		at = child;
	}
	h->items[at] = item;
}

/* Append a segment, joined with the one before where that is the same. */
static int
segments_add(struct rows *out, ip6_t first, ip6_t last, uint32_t value)
{
	struct row *before = out->n > 0 ? &out->items[out->n - 1] : NULL;
	struct ip_range range = { first, last, 6 };

	if (value == 0)
		return 0;
	if (before != NULL && before->value == value && before->last + 1 == first) {
		before->last = last;
		return 0;
	}
	return rows_add(out, &range, value);
}

/* Walk the addresses: at each step the latest open row speaks until it ends or another begins. */
static int
rows_sweep(const struct rows *rows, const uint32_t *sorted, struct heap *open, struct rows *out)
{
	const struct row *items = rows->items;
	ip6_t at = 0, last;
	size_t i = 0;

	while (i < rows->n || open->n > 0) {
		if (open->n == 0)
			at = items[sorted[i]].first;
		while (i < rows->n && items[sorted[i]].first <= at)
			heap_push(open, sorted[i++]);
		while (open->n > 0 && items[open->items[0]].last < at)
			heap_pop(open);
		if (open->n == 0)
			continue;
		last = items[open->items[0]].last;
		if (i < rows->n && items[sorted[i]].first <= last)
			last = items[sorted[i]].first - 1;
		if (segments_add(out, at, last, items[open->items[0]].value) != 0)
			return -ENOMEM;
		if (last == ip_max(6))
			break;
		at = last + 1;
	}
	return 0;
}

/* Overlapping rows to disjoint sorted segments. */
static int
rows_resolve(const struct rows *rows, struct rows *out)
{
	uint32_t *sorted = rows_sort(rows);
	struct heap open = { malloc((rows->n + 1) * sizeof(*open.items)), 0 };
	int rc = -ENOMEM;

	if (sorted != NULL && open.items != NULL)
		rc = rows_sweep(rows, sorted, &open, out);
	free(open.items);
	free(sorted);
	return rc;
}

/* One side of the second sweep: the value at `at`, and the last address that it holds for. */
static uint32_t
segment_at(const struct rows *segments, size_t *i, ip6_t at, ip6_t *last)
{
	const struct row *s;

	while (*i < segments->n && segments->items[*i].last < at)
		(*i)++;
	if (*i == segments->n)
		return 0;
	s = &segments->items[*i];
	if (s->first > at) {
		*last = s->first - 1 < *last ? s->first - 1 : *last;
		return 0;
	}
	*last = s->last < *last ? s->last : *last;
	return s->value;
}

/* What one source alone says of countries. */
struct view {
	uint16_t source;
	struct rows segments;
	size_t at;
};

static struct country_value
country_of(const struct geo_build *b, uint32_t number)
{
	struct country_value value;

	memcpy(&value, geo_intern_key(&b->values[GEO_COUNTRY], number), sizeof(value));
	return value;
}

static int
view_init(const struct geo_build *b, const struct rows *rows, struct view *view)
{
	struct rows own = { 0 };
	size_t i;
	int rc = 0;

	for (i = 0; i < rows->n && rc == 0; i++) {
		struct ip_range range = { rows->items[i].first, rows->items[i].last, 6 };

		if (country_of(b, rows->items[i].value).source == view->source)
			rc = rows_add(&own, &range, rows->items[i].value);
	}
	if (rc == 0)
		rc = rows_resolve(&own, &view->segments);
	free(own.items);
	return rc;
}

/* `winner` with the sources that name another country from `at` to `*last`; a row that says
 * unknown has no source. */
static uint32_t
dissent_at(struct geo_build *b, struct view *views, size_t n_views, uint32_t winner, ip6_t at,
	ip6_t *last)
{
	struct geo_dissent list[GEO_SOURCES_MAX];
	struct country_value value = country_of(b, winner), other;
	uint32_t number;
	size_t i, n = 0;

	for (i = 0; i < n_views; i++) {
		number = segment_at(&views[i].segments, &views[i].at, at, last);
		other = country_of(b, number);
		if (number != 0 && winner != 0 && memcmp(other.code, value.code, 2) != 0)
			list[n++] = (struct geo_dissent){ other.source,
				{ other.code[0], other.code[1] } };
	}
	if (n == 0)
		return winner;
	value.dissents = geo_intern_add(&b->dissents, list, n * sizeof(*list));
	if (value.dissents == GEO_INTERN_FAILED)
		return GEO_INTERN_FAILED;
	return geo_intern_add(&b->values[GEO_COUNTRY], &value, sizeof(value));
}

static int
dissents_merge(struct geo_build *b, const struct rows *winners, struct view *views, size_t n_views,
	ip6_t max, struct rows *out)
{
	uint32_t value;
	ip6_t at = 0, last;
	size_t i = 0;

	for (;; at = last + 1) {
		last = max;
		value = segment_at(winners, &i, at, &last);
		value = dissent_at(b, views, n_views, value, at, &last);
		if (value == GEO_INTERN_FAILED || segments_add(out, at, last, value) != 0)
			return -ENOMEM;
		if (last == max)
			return 0;
	}
}

/* The sources with country rows, by number. Returns their count. */
static size_t
find_sources(const struct geo_build *b, const struct rows *rows, struct view *views)
{
	static const struct view none;
	bool is_used[GEO_SOURCES_MAX + 1] = { false };
	size_t i, n = 0;

	for (i = 0; i < rows->n; i++)
		is_used[country_of(b, rows->items[i].value).source] = true;
	for (i = 1; i < b->sources.n && i <= GEO_SOURCES_MAX; i++)
		if (is_used[i]) {
			views[n] = none;
			views[n++].source = (uint16_t)i;
		}
	return n;
}

/* The country segments: the latest row speaks, and what other sources say is noted. */
static int
country_resolve(struct geo_build *b, unsigned int family, ip6_t max, struct rows *out)
{
	const struct rows *rows = &b->rows[GEO_COUNTRY][family];
	struct view *views = calloc(b->sources.n, sizeof(*views));
	struct rows winners = { 0 };
	size_t i, n_views = views != NULL ? find_sources(b, rows, views) : 0;
	int rc = views != NULL ? 0 : -ENOMEM;

	if (rc == 0 && n_views < 2) {
		free(views);
		return rows_resolve(rows, out);
	}
	for (i = 0; i < n_views && rc == 0; i++)
		rc = view_init(b, rows, &views[i]);
	if (rc == 0)
		rc = rows_resolve(rows, &winners);
	if (rc == 0)
		rc = dissents_merge(b, &winners, views, n_views, max, out);
	for (i = 0; i < n_views; i++)
		free(views[i].segments.items);
	free(views);
	free(winners.items);
	return rc;
}

/* Cut country and ASN segments at the boundaries of both; value = origin number. */
static int
segments_merge(struct geo_build *b, const struct rows *country, const struct rows *asn, ip6_t max,
	struct rows *out)
{
	size_t i = 0, j = 0;
	uint32_t pair[N_KINDS], origin;
	ip6_t at = 0, last;

	for (;;) {
		last = max;
		pair[GEO_COUNTRY] = segment_at(country, &i, at, &last);
		pair[GEO_ASN] = segment_at(asn, &j, at, &last);
		origin = geo_intern_add(&b->origins, pair, sizeof(pair));
		if (origin == GEO_INTERN_FAILED || segments_add(out, at, last, origin) != 0)
			return -ENOMEM;
		if (last == max)
			return 0;
		at = last + 1;
	}
}

static int
build_resolve(struct geo_build *b, unsigned int family, struct rows *out)
{
	struct rows segments[N_KINDS] = { 0 };
	ip6_t max = ip_max(family == 0 ? 4 : 6);
	int rc = country_resolve(b, family, max, &segments[GEO_COUNTRY]);

	if (rc == 0)
		rc = rows_resolve(&b->rows[GEO_ASN][family], &segments[GEO_ASN]);
	if (rc == 0)
		rc = segments_merge(b, &segments[GEO_COUNTRY], &segments[GEO_ASN], max, out);
	free(segments[0].items);
	free(segments[1].items);
	return rc;
}

static int
seal_ranges4(struct geo_build *b, struct geo_table *t)
{
	struct rows merged = { 0 };
	size_t i;

	if (build_resolve(b, 0, &merged) == 0)
		t->ranges4 = malloc((merged.n + 1) * sizeof(*t->ranges4));
	for (i = 0; t->ranges4 != NULL && i < merged.n; i++)
		t->ranges4[i] = (struct geo_range4){ (uint32_t)merged.items[i].first,
			(uint32_t)merged.items[i].last, merged.items[i].value };
	t->n_ranges4 = t->ranges4 != NULL ? merged.n : 0;
	free(merged.items);
	return t->ranges4 != NULL ? 0 : -ENOMEM;
}

static int
seal_ranges6(struct geo_build *b, struct geo_table *t)
{
	struct rows merged = { 0 };
	size_t i;

	if (build_resolve(b, 1, &merged) == 0)
		t->ranges6 = malloc((merged.n + 1) * sizeof(*t->ranges6));
	for (i = 0; t->ranges6 != NULL && i < merged.n; i++)
		t->ranges6[i] = (struct geo_range6){ merged.items[i].first, merged.items[i].last,
			merged.items[i].value };
	t->n_ranges6 = t->ranges6 != NULL ? merged.n : 0;
	free(merged.items);
	return t->ranges6 != NULL ? 0 : -ENOMEM;
}

/* Names and sources in one block, names first. */
static int
seal_strings(const struct geo_build *b, struct geo_table *t)
{
	char *sources;
	uint32_t i;

	t->strings = malloc(b->names.keys.n + b->sources.keys.n);
	t->sources = malloc(b->sources.n * sizeof(*t->sources));
	if (t->strings == NULL || t->sources == NULL)
		return -ENOMEM;
	sources = (char *)t->strings + b->names.keys.n;
	memcpy(t->strings, b->names.keys.data, b->names.keys.n);
	memcpy(sources, b->sources.keys.data, b->sources.keys.n);
	t->n_sources = b->sources.n;
	for (i = 0; i < t->n_sources; i++)
		t->sources[i] = sources + b->sources.offset[i];
	return 0;
}

static size_t
count_dissents(const struct geo_build *b, uint32_t number)
{
	if (number == 0)
		return 0;
	return (b->dissents.offset[number + 1] - b->dissents.offset[number]) /
	       sizeof(struct geo_dissent);
}

/* Every origin gets its own copy of its list. */
static int
seal_dissents(const struct geo_build *b, struct geo_table *t)
{
	const uint32_t *pair;
	size_t n = 0, n_own;
	uint32_t i, list;

	for (i = 0; i < t->n_origins; i++) {
		pair = geo_intern_key(&b->origins, i);
		n += count_dissents(b, country_of(b, pair[GEO_COUNTRY]).dissents);
	}
	if (n == 0)
		return 0;
	t->dissents = calloc(n, sizeof(*t->dissents));
	if (t->dissents == NULL)
		return -ENOMEM;
	for (i = 0; i < t->n_origins; i++) {
		pair = geo_intern_key(&b->origins, i);
		list = country_of(b, pair[GEO_COUNTRY]).dissents;
		n_own = count_dissents(b, list);
		t->origins[i].dissents = (uint32_t)t->n_dissents;
		t->origins[i].n_dissents = (uint16_t)n_own;
		if (n_own > 0)
			memcpy(&t->dissents[t->n_dissents], geo_intern_key(&b->dissents, list),
				n_own * sizeof(*t->dissents));
		t->n_dissents += n_own;
	}
	return 0;
}

static int
seal_origins(const struct geo_build *b, struct geo_table *t)
{
	uint32_t i;

	t->origins = calloc(b->origins.n, sizeof(*t->origins));
	if (t->origins == NULL)
		return -ENOMEM;
	t->n_origins = b->origins.n;
	for (i = 0; i < t->n_origins; i++) {
		const uint32_t *pair = geo_intern_key(&b->origins, i);
		struct country_value country;
		struct asn_value asn;

		memcpy(&country, geo_intern_key(&b->values[GEO_COUNTRY], pair[GEO_COUNTRY]),
			sizeof(country));
		memcpy(&asn, geo_intern_key(&b->values[GEO_ASN], pair[GEO_ASN]), sizeof(asn));
		t->origins[i] = (struct geo_origin){ .asn = asn.asn,
			.country = { country.code[0], country.code[1] },
			.country_source = country.source,
			.asn_source = (uint16_t)asn.source,
			.as_name = (const char *)t->strings + b->names.offset[asn.name] };
	}
	return 0;
}

struct geo_table *
geo_build_seal(struct geo_build *b)
{
	struct geo_table *t = calloc(1, sizeof(*t));

	if (t == NULL || seal_ranges4(b, t) != 0 || seal_ranges6(b, t) != 0 ||
		seal_strings(b, t) != 0 || seal_origins(b, t) != 0 || seal_dissents(b, t) != 0) {
		geo_free(t);
		t = NULL;
	} else {
		t->built_at = b->newest > 0 ? b->newest : (uint64_t)time(NULL);
	}
	geo_build_free(b);
	if (t == NULL)
		errno = ENOMEM;
	return t;
}
