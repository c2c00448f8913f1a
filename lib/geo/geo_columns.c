/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A table as columns of bytes and back. The encoding is described at the top of geo_file.c. Ranges
 * are coded as the gap after the range before and the size, so decoded ranges cannot overlap; what
 * is left to check is that they end inside the address space.
 */
#include "geo/geo_impl.h"

#include "base/huge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ORIGIN_NEW      0 /* the next origin that has not been used yet */
#define ORIGIN_NUMBERED 1 /* its number follows in the column of numbers */
/* larger: 1 + how many ranges back the same origin stands */

#define AS_NONE 0
#define AS_NEW  1 /* the next AS that has not been used yet */
/* larger: 1 + how many ASes back */

static const char *const column_names[] = {
#define X(id, name) name,
	GEO_COLUMNS(X)
#undef X
};

const char *
geo_column_name(enum geo_column column)
{
	return column_names[column];
}

static void
put_byte(struct geo_bytes *b, unsigned int value)
{
	uint8_t byte = (uint8_t)value;

	geo_bytes_add(b, &byte, 1);
}

/* LEB128, least significant 7 bits first. */
static void
put_varint(struct geo_bytes *b, ip6_t value)
{
	for (; value >= 0x80; value >>= 7)
		put_byte(b, (unsigned int)(value & 0x7f) | 0x80);
	put_byte(b, (unsigned int)value);
}

static unsigned int
trailing_zeros(ip6_t value)
{
	if ((uint64_t)value != 0)
		return (unsigned int)__builtin_ctzll((uint64_t)value);
	if (value != 0)
		return 64 + (unsigned int)__builtin_ctzll((uint64_t)(value >> 64));
	return 128;
}

/* The columns of one family, and its ranges seen as the larger kind. */
struct family {
	uint8_t version;
	enum geo_column gap_shift, gap, size_shift, size, origin, origin_number;
};

static const struct family families[] = {
	{ 4, GEO_COLUMN_GAP_SHIFT4, GEO_COLUMN_GAP4, GEO_COLUMN_SIZE_SHIFT4, GEO_COLUMN_SIZE4,
		GEO_COLUMN_ORIGIN4, GEO_COLUMN_ORIGIN_NUMBER4 },
	{ 6, GEO_COLUMN_GAP_SHIFT6, GEO_COLUMN_GAP6, GEO_COLUMN_SIZE_SHIFT6, GEO_COLUMN_SIZE6,
		GEO_COLUMN_ORIGIN6, GEO_COLUMN_ORIGIN_NUMBER6 },
};

static struct geo_range6
range_at(const struct geo_table *t, uint8_t version, size_t i)
{
	if (version == 6)
		return t->ranges6[i];
	return (struct geo_range6){ t->ranges4[i].first, t->ranges4[i].last, t->ranges4[i].origin };
}

static void
put_range(struct geo_bytes *columns, const struct family *f, ip6_t gap, ip6_t size_less_1)
{
	unsigned int shift = trailing_zeros(gap);

	put_byte(&columns[f->gap_shift], gap == 0 ? 0 : shift + 1);
	if (gap != 0)
		put_varint(&columns[f->gap], gap >> shift >> 1);
	shift = trailing_zeros(~size_less_1);
	put_byte(&columns[f->size_shift], shift);
	if (shift < 127)
		put_varint(&columns[f->size], size_less_1 >> shift >> 1);
}

/* Origins in the order in which the ranges use them; unused ones are dropped. */
struct order {
	uint32_t *number; /* by old number: the new one, 0 = not used yet */
	uint32_t *old;    /* by new number */
	size_t *used_at;  /* by old number: 1 + index of the last range in this family */
	uint32_t n;       /* new numbers given; 0 is the unknown origin's */
};

static void
put_origin(struct geo_bytes *columns, const struct family *f, struct order *order, uint32_t old,
	size_t i)
{
	if (order->number[old] == 0) {
		order->old[order->n] = old;
		order->number[old] = order->n++;
		put_varint(&columns[f->origin], ORIGIN_NEW);
	} else if (order->used_at[old] == 0) {
		put_varint(&columns[f->origin], ORIGIN_NUMBERED);
		put_varint(&columns[f->origin_number], order->number[old]);
	} else {
		put_varint(&columns[f->origin], i + 1 - order->used_at[old] + ORIGIN_NUMBERED);
	}
	order->used_at[old] = i + 1;
}

static int
encode_family(const struct geo_table *t, const struct family *f, size_t n_ranges,
	struct order *order, struct geo_bytes *columns)
{
	ip6_t max = ip_max(f->version), next = 0;
	size_t i;

	memset(order->used_at, 0, t->n_origins * sizeof(*order->used_at));
	for (i = 0; i < n_ranges; i++) {
		struct geo_range6 r = range_at(t, f->version, i);

		if (r.first < next || r.last < r.first || r.last > max || r.origin == 0 ||
			r.origin >= t->n_origins || (r.last == max && i + 1 < n_ranges))
			return -EINVAL;
		put_range(columns, f, r.first - next, r.last - r.first);
		put_origin(columns, f, order, r.origin, i);
		next = r.last + 1;
	}
	return 0;
}

static bool
origin_is_valid(const struct geo_table *t, const struct geo_origin *o)
{
	return geo_is_country(o->country) && o->country_source < t->n_sources &&
	       o->asn_source < t->n_sources && o->as_name != NULL &&
	       geo_text_is_clean(o->as_name, strlen(o->as_name));
}

/* An (ASN, name) is written once, where it first occurs; later origins say how many ASes ago. */
static int
put_as(struct geo_bytes *columns, struct geo_intern *as, const struct geo_origin *o)
{
	size_t length = strlen(o->as_name), n_before = as->n;
	uint8_t key[sizeof(o->asn) + GEO_NAME_MAX];
	uint32_t number;

	if (o->asn == 0) {
		put_varint(&columns[GEO_COLUMN_ORIGIN_AS], AS_NONE);
		return length == 0 ? 0 : -EINVAL;
	}
	memcpy(key, &o->asn, sizeof(o->asn));
	memcpy(key + sizeof(o->asn), o->as_name, length);
	number = geo_intern_add(as, key, sizeof(o->asn) + length);
	if (number == GEO_INTERN_FAILED)
		return -ENOMEM;
	put_varint(&columns[GEO_COLUMN_ORIGIN_AS],
		number == n_before ? AS_NEW : n_before - number + AS_NEW);
	if (number == n_before) {
		put_varint(&columns[GEO_COLUMN_AS_NUMBER], o->asn);
		geo_bytes_add(&columns[GEO_COLUMN_AS_NAME], o->as_name, length + 1);
	}
	return 0;
}

static int
put_dissents(const struct geo_table *t, const struct geo_origin *o, struct geo_bytes *column)
{
	const struct geo_dissent *d;
	uint32_t i, before = 0;

	if ((uint64_t)o->dissents + o->n_dissents > t->n_dissents)
		return -EINVAL;
	put_varint(column, o->n_dissents);
	for (i = 0; i < o->n_dissents; i++) {
		d = &t->dissents[o->dissents + i];
		if (d->source <= before || d->source >= t->n_sources ||
			!geo_is_country(d->country) || memcmp(d->country, o->country, 2) == 0)
			return -EINVAL;
		before = d->source;
		put_varint(column, d->source);
		geo_bytes_add(column, d->country, 2);
	}
	return 0;
}

static int
encode_origins(const struct geo_table *t, const struct order *order, struct geo_bytes *columns,
	struct geo_intern *as)
{
	uint32_t i;
	int rc;

	for (i = 1; i < order->n; i++) {
		const struct geo_origin *o = &t->origins[order->old[i]];

		if (!origin_is_valid(t, o))
			return -EINVAL;
		rc = put_as(columns, as, o);
		if (rc != 0)
			return rc;
		geo_bytes_add(&columns[GEO_COLUMN_ORIGIN_COUNTRY], o->country, 2);
		put_varint(&columns[GEO_COLUMN_ORIGIN_COUNTRY_SOURCE], o->country_source);
		put_varint(&columns[GEO_COLUMN_ORIGIN_ASN_SOURCE], o->asn_source);
		if (t->n_dissents > 0 &&
			put_dissents(t, o, &columns[GEO_COLUMN_ORIGIN_DISSENT]) != 0)
			return -EINVAL;
	}
	return 0;
}

static int
encode_sources(const struct geo_table *t, struct geo_bytes *column)
{
	size_t i, length;

	if (t->n_sources == 0 || t->n_sources > GEO_SOURCES_MAX)
		return -EINVAL;
	for (i = 1; i < t->n_sources; i++) {
		length = strlen(t->sources[i]);
		if (length == 0 || !geo_text_is_clean(t->sources[i], length))
			return -EINVAL;
		geo_bytes_add(column, t->sources[i], length + 1);
	}
	return 0;
}

static int
encode_all(const struct geo_table *t, struct order *order, struct geo_intern *as,
	struct geo_bytes *columns)
{
	int rc = encode_sources(t, &columns[GEO_COLUMN_SOURCES]);

	if (rc == 0)
		rc = encode_family(t, &families[0], t->n_ranges4, order, columns);
	if (rc == 0)
		rc = encode_family(t, &families[1], t->n_ranges6, order, columns);
	return rc == 0 ? encode_origins(t, order, columns, as) : rc;
}

int
geo_columns_encode(const struct geo_table *t, struct geo_bytes columns[GEO_COLUMN_N],
	struct geo_counts *counts)
{
	struct order order = { .n = 1 };
	struct geo_intern as = { 0 };
	unsigned int c;
	int rc = -ENOMEM;

	if (t->n_origins == 0 || t->n_origins > GEO_COUNT_MAX || t->n_ranges4 > GEO_COUNT_MAX ||
		t->n_ranges6 > GEO_COUNT_MAX)
		return -EINVAL;
	order.number = calloc(t->n_origins, sizeof(*order.number));
	order.old = calloc(t->n_origins, sizeof(*order.old));
	order.used_at = calloc(t->n_origins, sizeof(*order.used_at));
	if (order.number != NULL && order.old != NULL && order.used_at != NULL)
		rc = encode_all(t, &order, &as, columns);
	*counts = (struct geo_counts){ (uint32_t)t->n_ranges4, (uint32_t)t->n_ranges6, order.n,
		(uint32_t)t->n_sources, (uint32_t)as.n };
	for (c = 0; c < GEO_COLUMN_N && rc == 0; c++)
		rc = columns[c].failed ? -ENOMEM : 0;
	geo_intern_fini(&as);
	free(order.number);
	free(order.old);
	free(order.used_at);
	return rc;
}

/* Reading: every column has its own position; the first fault stops it. */
struct reader {
	const uint8_t *at[GEO_COLUMN_N], *start[GEO_COLUMN_N], *end[GEO_COLUMN_N];
	struct geo_column_fault *fault;
};

static int
fault(struct reader *r, enum geo_column c, const char *what)
{
	*r->fault = (struct geo_column_fault){ c, (size_t)(r->at[c] - r->start[c]), what };
	return -EINVAL;
}

static int
get_byte(struct reader *r, enum geo_column c, unsigned int *out)
{
	if (r->at[c] == r->end[c])
		return fault(r, c, "the column ends early");
	*out = *r->at[c]++;
	return 0;
}

/* A number of at most `max`, in its shortest form. */
static int
get_varint(struct reader *r, enum geo_column c, ip6_t max, ip6_t *out)
{
	unsigned int byte, shift = 0;
	ip6_t value = 0;

	do {
		if (get_byte(r, c, &byte) != 0)
			return -EINVAL;
		if (shift > 126 || (shift == 126 && byte > 3) || (byte == 0 && shift > 0))
			return fault(r, c, "not a number");
		value |= (ip6_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	if (value > max)
		return fault(r, c, "number out of bounds");
	*out = value;
	return 0;
}

static int
get_count(struct reader *r, enum geo_column c, uint32_t max, uint32_t *out)
{
	ip6_t value;

	if (get_varint(r, c, max, &value) != 0)
		return -EINVAL;
	*out = (uint32_t)value;
	return 0;
}

/* A NUL-terminated clean text; it stays where it is. */
static int
get_text(struct reader *r, enum geo_column c, const char **out)
{
	size_t left = (size_t)(r->end[c] - r->at[c]);
	const char *text = (const char *)r->at[c];
	size_t length = strnlen(text, left);

	if (length == left)
		return fault(r, c, "the text does not end");
	if (!geo_text_is_clean(text, length))
		return fault(r, c, "not clean UTF-8 text");
	r->at[c] += length + 1;
	*out = text;
	return 0;
}

/* The gap before a range, at most `max`. */
static int
get_gap(struct reader *r, const struct family *f, ip6_t max, ip6_t *out)
{
	unsigned int shift;
	ip6_t rest;

	if (get_byte(r, f->gap_shift, &shift) != 0)
		return -EINVAL;
	if (shift == 0) {
		*out = 0;
		return 0;
	}
	if (shift > 128 || get_varint(r, f->gap, ~(ip6_t)0 >> 1, &rest) != 0)
		return shift > 128 ? fault(r, f->gap_shift, "shift out of bounds") : -EINVAL;
	rest = rest << 1 | 1;
	if (rest > max >> (shift - 1))
		return fault(r, f->gap, "the range begins after the last address");
	*out = rest << (shift - 1);
	return 0;
}

/* The size of a range less 1, at most `max`: `shift` ones, a zero, the rest. */
static int
get_size(struct reader *r, const struct family *f, ip6_t max, ip6_t *out)
{
	unsigned int shift;
	ip6_t rest = 0, size;

	if (get_byte(r, f->size_shift, &shift) != 0)
		return -EINVAL;
	if (shift > 128)
		return fault(r, f->size_shift, "shift out of bounds");
	if (shift < 127 &&
		get_varint(r, f->size, shift < 127 ? ip_max(6) >> shift >> 1 : 0, &rest) != 0)
		return -EINVAL;
	size = shift < 127 ? rest << 1 << shift : 0;
	size |= shift == 128 ? ip_max(6) : ((ip6_t)1 << shift) - 1;
	if (size > max)
		return fault(r, f->size_shift, "the range ends after the last address");
	*out = size;
	return 0;
}

/* What decoding the origins of ranges needs to know. */
struct decoder {
	struct reader r;
	const struct geo_counts *counts;
	struct geo_table *t;
	uint32_t next_origin; /* the one that ORIGIN_NEW means */
};

static int
get_origin(struct decoder *d, const struct family *f, uint32_t i, uint32_t *out)
{
	uint32_t code;

	if (get_count(&d->r, f->origin, i + ORIGIN_NUMBERED, &code) != 0)
		return -EINVAL;
	if (code == ORIGIN_NUMBERED) {
		if (get_count(&d->r, f->origin_number, d->next_origin - 1, out) != 0)
			return -EINVAL;
		return *out > 0 ? 0 : fault(&d->r, f->origin_number, "a range of unknown origin");
	}
	if (code == ORIGIN_NEW) {
		if (d->next_origin == d->counts->n_origins)
			return fault(&d->r, f->origin, "more origins than announced");
		*out = d->next_origin++;
		return 0;
	}
	i -= code - ORIGIN_NUMBERED;
	*out = f->version == 4 ? d->t->ranges4[i].origin : d->t->ranges6[i].origin;
	return 0;
}

static void
range_set(struct geo_table *t, uint8_t version, size_t i, const struct geo_range6 *range)
{
	if (version == 6)
		t->ranges6[i] = *range;
	else
		t->ranges4[i] = (struct geo_range4){ (uint32_t)range->first, (uint32_t)range->last,
			range->origin };
}

static int
decode_family(struct decoder *d, const struct family *f, uint32_t n_ranges)
{
	ip6_t max = ip_max(f->version), next = 0, gap, size;
	struct geo_range6 range;
	uint32_t i;

	for (i = 0; i < n_ranges; i++) {
		if (i > 0 && next == 0)
			return fault(&d->r, f->gap_shift, "a range after the last address");
		if (get_gap(&d->r, f, max - next, &gap) != 0)
			return -EINVAL;
		range.first = next + gap;
		if (get_size(&d->r, f, max - range.first, &size) != 0 ||
			get_origin(d, f, i, &range.origin) != 0)
			return -EINVAL;
		range.last = range.first + size;
		range_set(d->t, f->version, i, &range);
		next = range.last == max ? 0 : range.last + 1;
	}
	return 0;
}

/* The ASes in the order of the file; [0] is none. */
struct as {
	uint32_t asn;
	const char *name;
};

static int
decode_ases(struct decoder *d, struct as *ases)
{
	uint32_t i;

	ases[0] = (struct as){ 0, "" };
	for (i = 1; i <= d->counts->n_as; i++) {
		if (get_count(&d->r, GEO_COLUMN_AS_NUMBER, UINT32_MAX, &ases[i].asn) != 0 ||
			get_text(&d->r, GEO_COLUMN_AS_NAME, &ases[i].name) != 0)
			return -EINVAL;
		if (ases[i].asn == 0)
			return fault(&d->r, GEO_COLUMN_AS_NUMBER, "AS number 0");
	}
	return 0;
}

/* Which AS an origin has; `*n` are in use so far. */
static int
get_as(struct decoder *d, uint32_t *n, uint32_t *out)
{
	uint32_t code;

	if (get_count(&d->r, GEO_COLUMN_ORIGIN_AS, *n + AS_NEW, &code) != 0)
		return -EINVAL;
	if (code == AS_NONE) {
		*out = 0;
	} else if (code > AS_NEW) {
		*out = *n + 1 - (code - AS_NEW);
	} else {
		if (*n == d->counts->n_as)
			return fault(&d->r, GEO_COLUMN_ORIGIN_AS, "more ASes than announced");
		*out = ++*n;
	}
	return 0;
}

static int
get_country(struct decoder *d, char out[2])
{
	unsigned int first, second;

	if (get_byte(&d->r, GEO_COLUMN_ORIGIN_COUNTRY, &first) != 0 ||
		get_byte(&d->r, GEO_COLUMN_ORIGIN_COUNTRY, &second) != 0)
		return -EINVAL;
	out[0] = (char)first;
	out[1] = (char)second;
	return geo_is_country(out) ? 0
				   : fault(&d->r, GEO_COLUMN_ORIGIN_COUNTRY, "not a country code");
}

static int
decode_origins(struct decoder *d, const struct as *ases)
{
	uint32_t i, as, n_as = 0, source_max = d->counts->n_sources - 1, country, asn;

	d->t->origins[0] = (struct geo_origin){ .country = { 'Z', 'Z' }, .as_name = "" };
	for (i = 1; i < d->counts->n_origins; i++) {
		struct geo_origin *o = &d->t->origins[i];

		if (get_country(d, o->country) != 0 || get_as(d, &n_as, &as) != 0 ||
			get_count(&d->r, GEO_COLUMN_ORIGIN_COUNTRY_SOURCE, source_max, &country) !=
				0 ||
			get_count(&d->r, GEO_COLUMN_ORIGIN_ASN_SOURCE, source_max, &asn) != 0)
			return -EINVAL;
		o->asn = ases[as].asn;
		o->as_name = ases[as].name;
		o->country_source = (uint16_t)country;
		o->asn_source = (uint16_t)asn;
	}
	return n_as == d->counts->n_as ? 0 : fault(&d->r, GEO_COLUMN_ORIGIN_AS, "unused ASes");
}

/* One that says something else, and none of its source before. */
static int
get_dissent(struct decoder *d, const struct geo_origin *o, uint32_t before)
{
	struct geo_dissent *out = &d->t->dissents[d->t->n_dissents];
	unsigned int first, second;
	uint32_t source;

	if (get_count(&d->r, GEO_COLUMN_ORIGIN_DISSENT, d->counts->n_sources - 1, &source) != 0 ||
		get_byte(&d->r, GEO_COLUMN_ORIGIN_DISSENT, &first) != 0 ||
		get_byte(&d->r, GEO_COLUMN_ORIGIN_DISSENT, &second) != 0)
		return -EINVAL;
	*out = (struct geo_dissent){ (uint16_t)source, { (char)first, (char)second } };
	if (source <= before || !geo_is_country(out->country) ||
		memcmp(out->country, o->country, 2) == 0)
		return fault(&d->r, GEO_COLUMN_ORIGIN_DISSENT, "not a dissent");
	d->t->n_dissents++;
	return 0;
}

/* Every dissent takes three bytes of the column at least. An empty column: there are none. */
static int
decode_dissents(struct decoder *d)
{
	const enum geo_column c = GEO_COLUMN_ORIGIN_DISSENT;
	size_t size = (size_t)(d->r.end[c] - d->r.start[c]);
	struct geo_table *t = d->t;
	uint32_t i, k, n;

	if (size == 0)
		return 0;
	t->dissents = calloc(size / 3 + 1, sizeof(*t->dissents));
	if (t->dissents == NULL)
		return -ENOMEM;
	for (i = 1; i < d->counts->n_origins; i++) {
		struct geo_origin *o = &t->origins[i];

		if (get_count(&d->r, c, d->counts->n_sources - 1, &n) != 0)
			return -EINVAL;
		o->dissents = (uint32_t)t->n_dissents;
		o->n_dissents = (uint16_t)n;
		for (k = 0; k < n; k++)
			if (get_dissent(d, o, k > 0 ? t->dissents[t->n_dissents - 1].source : 0) !=
				0)
				return -EINVAL;
	}
	return t->n_dissents > 0 ? 0 : fault(&d->r, c, "a column without dissents");
}

static int
decode_sources(struct decoder *d)
{
	uint32_t i;

	d->t->sources[0] = "";
	for (i = 1; i < d->counts->n_sources; i++)
		if (get_text(&d->r, GEO_COLUMN_SOURCES, &d->t->sources[i]) != 0)
			return -EINVAL;
	return 0;
}

static int
decode_all(struct decoder *d, struct as *ases)
{
	unsigned int c;
	int rc;

	if (decode_sources(d) != 0 || decode_ases(d, ases) != 0 || decode_origins(d, ases) != 0 ||
		decode_family(d, &families[0], d->counts->n_ranges4) != 0 ||
		decode_family(d, &families[1], d->counts->n_ranges6) != 0)
		return -EINVAL;
	rc = decode_dissents(d);
	if (rc != 0)
		return rc;
	if (d->next_origin != d->counts->n_origins)
		return fault(&d->r, GEO_COLUMN_ORIGIN6, "fewer origins than announced");
	for (c = 0; c < GEO_COLUMN_N; c++)
		if (d->r.at[c] != d->r.end[c])
			return fault(&d->r, c, "bytes after the end of the column");
	return 0;
}

/* Every item takes at least a byte of these columns, so memory is bounded by the bytes there are.
 */
static int
check_counts(struct reader *r, const uint32_t size[GEO_COLUMN_N], const struct geo_counts *counts)
{
	if (counts->n_ranges4 != size[GEO_COLUMN_GAP_SHIFT4])
		return fault(r, GEO_COLUMN_GAP_SHIFT4, "size and count do not agree");
	if (counts->n_ranges6 != size[GEO_COLUMN_GAP_SHIFT6])
		return fault(r, GEO_COLUMN_GAP_SHIFT6, "size and count do not agree");
	if (counts->n_origins == 0 ||
		(uint64_t)2 * (counts->n_origins - 1) != size[GEO_COLUMN_ORIGIN_COUNTRY])
		return fault(r, GEO_COLUMN_ORIGIN_COUNTRY, "size and count do not agree");
	if (counts->n_as > size[GEO_COLUMN_AS_NUMBER])
		return fault(r, GEO_COLUMN_AS_NUMBER, "more ASes than bytes");
	if (counts->n_sources == 0 || counts->n_sources > GEO_SOURCES_MAX)
		return fault(r, GEO_COLUMN_SOURCES, "impossible number of sources");
	return 0;
}

/* Names and sources move into one block that belongs to the table, and are read from there. */
static int
copy_strings(struct decoder *d)
{
	static const enum geo_column texts[] = { GEO_COLUMN_SOURCES, GEO_COLUMN_AS_NAME };
	size_t size[2], i;
	uint8_t *to;

	for (i = 0; i < 2; i++)
		size[i] = (size_t)(d->r.end[texts[i]] - d->r.start[texts[i]]);
	to = malloc(size[0] + size[1] + 1);
	if (to == NULL)
		return -ENOMEM;
	d->t->strings = to;
	for (i = 0; i < 2; to += size[i++]) {
		memcpy(to, d->r.start[texts[i]], size[i]);
		d->r.at[texts[i]] = d->r.start[texts[i]] = to;
		d->r.end[texts[i]] = to + size[i];
	}
	return 0;
}

static int
decode_alloc(struct geo_table *t, const struct geo_counts *counts)
{
	t->n_ranges4 = counts->n_ranges4;
	t->n_ranges6 = counts->n_ranges6;
	t->n_origins = counts->n_origins;
	t->n_sources = counts->n_sources;
	t->ranges4 = calloc(t->n_ranges4 + 1, sizeof(*t->ranges4));
	t->ranges6 = calloc(t->n_ranges6 + 1, sizeof(*t->ranges6));
	t->origins = calloc(t->n_origins, sizeof(*t->origins));
	t->sources = calloc(t->n_sources, sizeof(*t->sources));
	if (t->ranges4 == NULL || t->ranges6 == NULL || t->origins == NULL || t->sources == NULL)
		return -ENOMEM;
	huge_wish(t->ranges4, t->n_ranges4 * sizeof(*t->ranges4));
	huge_wish(t->ranges6, t->n_ranges6 * sizeof(*t->ranges6));
	return 0;
}

int
geo_columns_decode(const uint8_t *const column[GEO_COLUMN_N], const uint32_t size[GEO_COLUMN_N],
	const struct geo_counts *counts, struct geo_table *t, struct geo_column_fault *f)
{
	struct decoder d = { .r = { .fault = f }, .counts = counts, .t = t, .next_origin = 1 };
	struct as *ases;
	unsigned int c;
	int rc;

	for (c = 0; c < GEO_COLUMN_N; c++) {
		d.r.at[c] = d.r.start[c] = column[c];
		d.r.end[c] = column[c] + size[c];
	}
	if (check_counts(&d.r, size, counts) != 0)
		return -EINVAL;
	if (decode_alloc(t, counts) != 0 || copy_strings(&d) != 0)
		return -ENOMEM;
	ases = malloc(((size_t)counts->n_as + 1) * sizeof(*ases));
	if (ases == NULL)
		return -ENOMEM;
	rc = decode_all(&d, ases);
	free(ases);
	return rc;
}
