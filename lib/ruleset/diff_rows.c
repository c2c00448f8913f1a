/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Parts to rows: the parts are sorted by what a row stands for, then by class, so that each row and
 * within it each class is a stretch. A class whose runs are all in one row is affected as a whole.
 */
#include "ruleset/diff.h"

#include "diff_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What a row stands for, as a string of bytes that can be compared. */
struct key {
	uint8_t verdict[2], special[2];
	char country[2][2];
	uint32_t asn[2];
};

struct keyed {
	struct key key;
	const struct diff_part *part;
};

static const struct geo_origin *
origin_of(const struct ruleset *rs, ruleset_class_t class)
{
	return &rs->geo->origins[rs->classes[class].origin];
}

static struct key
key_of(const struct diff *d, const struct diff_part *part, bool by_asn)
{
	const struct geo_origin *a = origin_of(d->before, part->before);
	const struct geo_origin *b = origin_of(d->after, part->after);
	struct key key;

	memset(&key, 0, sizeof(key));
	key.verdict[0] = d->before->verdict[part->before];
	key.verdict[1] = d->after->verdict[part->after];
	if (by_asn) {
		key.asn[0] = a->asn;
		key.asn[1] = b->asn;
	} else {
		key.special[0] = d->before->classes[part->before].special;
		key.special[1] = d->after->classes[part->after].special;
	}
	/* Within an AS only what moves is told apart by country. */
	if (!by_asn || memcmp(a->country, b->country, 2) != 0) {
		memcpy(key.country[0], a->country, 2);
		memcpy(key.country[1], b->country, 2);
	}
	return key;
}

static int
part_compare(const void *a, const void *b)
{
	const struct diff_part *x = a, *y = b;

	if (x->before != y->before)
		return x->before < y->before ? -1 : 1;
	return x->after < y->after ? -1 : x->after > y->after;
}

/* One part per pair of classes. */
static void
parts_join(struct diff_parts *p)
{
	size_t i, n = 0;

	if (p->n > 0)
		qsort(p->items, p->n, sizeof(*p->items), part_compare);
	for (i = 0; i < p->n; i++) {
		if (n == 0 || part_compare(&p->items[n - 1], &p->items[i]) != 0) {
			p->items[n++] = p->items[i];
			continue;
		}
		p->items[n - 1].n_runs += p->items[i].n_runs;
		diff_size_add(&p->items[n - 1].size, &p->items[i].size);
	}
	p->n = n;
}

static void
traffic_add(struct diff_traffic *sum, const struct diff_traffic *traffic)
{
	sum->packets += traffic->packets;
	sum->bytes += traffic->bytes;
}

/* `n_runs` of a class are affected. */
static void
share_add(struct diff_share *share, const struct diff_parts *p, ruleset_class_t class,
	uint32_t n_runs)
{
	if (p->traffic == NULL || n_runs == 0)
		return;
	traffic_add(&share->most, &p->traffic[class]);
	if (n_runs == p->n_runs[class])
		traffic_add(&share->certain, &p->traffic[class]);
}

/* Parts are sorted by class. */
static void
add_totals(struct diff *d, const struct diff_parts *p)
{
	uint32_t class, n_runs;
	size_t i = 0;

	for (class = 0; class < d->before->n_classes; class ++) {
		n_runs = 0;
		for (; i < p->n && p->items[i].before == class; i++) {
			if (!diff_is_verdict(d, class, p->items[i].after))
				continue;
			n_runs += p->items[i].n_runs;
			diff_size_add(&d->changed, &p->items[i].size);
		}
		share_add(&d->affected, p, class, n_runs);
		if (p->traffic != NULL)
			traffic_add(&d->traffic, &p->traffic[class]);
	}
}

static int
keyed_compare(const void *a, const void *b)
{
	const struct keyed *x = a, *y = b;
	int order = memcmp(&x->key, &y->key, sizeof(x->key));

	return order != 0 ? order : part_compare(x->part, y->part);
}

/* The row of the stretch that begins at `k[0]`. Returns its length. */
static size_t
row_fill(struct diff_row *row, const struct diff_parts *p, const struct keyed *k, size_t n)
{
	size_t i, class_begin = 0;
	uint32_t n_runs = 0;

	*row = (struct diff_row){ .before = k[0].part->before, .after = k[0].part->after };
	for (i = 0; i < n && memcmp(&k[i].key, &k[0].key, sizeof(k[0].key)) == 0; i++) {
		if (k[i].part->before != k[class_begin].part->before) {
			share_add(&row->traffic, p, k[class_begin].part->before, n_runs);
			class_begin = i;
			n_runs = 0;
		}
		n_runs += k[i].part->n_runs;
		diff_size_add(&row->size, &k[i].part->size);
	}
	share_add(&row->traffic, p, k[class_begin].part->before, n_runs);
	return i;
}

static int
double_compare(double a, double b)
{
	return a > b ? -1 : a < b;
}

static int
row_compare(const void *a, const void *b, void *context)
{
	const struct diff_row *x = a, *y = b;
	const struct diff *d = context;
	bool is_x = diff_is_verdict(d, x->before, x->after);
	bool is_y = diff_is_verdict(d, y->before, y->after);
	int order;

	if (is_x != is_y)
		return is_x ? -1 : 1;
	if (x->traffic.most.bytes != y->traffic.most.bytes)
		return x->traffic.most.bytes > y->traffic.most.bytes ? -1 : 1;
	order = double_compare(x->size.addresses4, y->size.addresses4);
	if (order == 0)
		order = double_compare(x->size.nets6, y->size.nets6);
	if (order == 0)
		order = x->before < y->before ? -1 : x->before > y->before;
	return order;
}

static int
rows_of(struct diff *d, const struct diff_parts *p, bool by_asn, struct diff_rows *rows)
{
	struct keyed *keyed = calloc(p->n + 1, sizeof(*keyed));
	size_t i, n = 0;

	rows->items = calloc(p->n + 1, sizeof(*rows->items));
	if (keyed == NULL || rows->items == NULL) {
		free(keyed);
		return -ENOMEM;
	}
	for (i = 0; i < p->n; i++) {
		keyed[n] = (struct keyed){ key_of(d, &p->items[i], by_asn), &p->items[i] };
		n += !by_asn || keyed[n].key.asn[0] != 0 || keyed[n].key.asn[1] != 0;
	}
	qsort(keyed, n, sizeof(*keyed), keyed_compare);
	for (i = 0; i < n; rows->n++)
		i += row_fill(&rows->items[rows->n], p, keyed + i, n - i);
	qsort_r(rows->items, rows->n, sizeof(*rows->items), row_compare, d);
	free(keyed);
	return 0;
}

int
diff_add_rows(struct diff *d, struct diff_parts *p)
{
	int status;

	parts_join(p);
	add_totals(d, p);
	status = rows_of(d, p, false, &d->countries);
	if (status == 0)
		status = rows_of(d, p, true, &d->asns);
	return status;
}
