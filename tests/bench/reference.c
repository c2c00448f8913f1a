/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The reference tables. The prefixes are what the borders of the ruleset's inputs amount to, so
 * that both sides know the same classes; class 0, unknown, is the default next hop.
 */
#include "reference.h"

#include <errno.h>
#include <rte_errno.h>
#include <rte_memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_ROUTES_MAX 1500000
#define N_TBL8_4     (1u << 16)
#define N_TBL8_6     1100000u /* rte_fib6 reserves 15 times what it uses */

static void
die(const char *what, int status)
{
	fprintf(stderr, "bench: %s: error %d\n", what, status);
	exit(EXIT_FAILURE);
}

static uint8_t
length_of(const struct ip_range *prefix)
{
	ip6_t differ = prefix->first ^ prefix->last;
	unsigned int n = 0;

	for (; differ != 0; differ >>= 1)
		n++;
	return (uint8_t)((prefix->version == 4 ? 32 : 128) - n);
}

static int
add(struct reference *r, const struct ip_range *prefix, uint32_t class)
{
	reference_ip6_t ip;

	if (prefix->version == 4)
		return rte_fib_add(r->fib4, (uint32_t)prefix->first, length_of(prefix), class);
	ip6_to_bytes(prefix->first, ip.a);
#if RTE_VERSION >= RTE_VERSION_NUM(24, 11, 0, 0)
	return rte_fib6_add(r->fib6, &ip, length_of(prefix), class);
#else
	return rte_fib6_add(r->fib6, ip.a, length_of(prefix), class);
#endif
}

/* All prefixes of a range that has one class. */
static void
add_range(struct reference *r, struct ip_range range, uint32_t class)
{
	struct ip_range prefix;
	int status;

	if (class == RULESET_UNKNOWN)
		return;
	for (;; range.first = prefix.last + 1) {
		prefix = geo_range_prefix(&range);
		status = add(r, &prefix, class);
		if (status != 0)
			die("adding a route", status);
		if (prefix.last == range.last)
			return;
	}
}

struct borders {
	ip6_t *items; /* first addresses of what may have a class of its own */
	size_t n;
};

static void
add_border(struct borders *b, const struct ip_range *range)
{
	b->items[b->n++] = range->first;
	if (range->last != ip_max(range->version))
		b->items[b->n++] = range->last + 1;
}

static int
border_compare(const void *a, const void *b)
{
	ip6_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

static void
borders_init(struct borders *b, const struct ruleset *rs, uint8_t version)
{
	size_t i, n_special, n = version == 4 ? rs->geo->n_ranges4 : rs->geo->n_ranges6;
	const struct special_entry *special = special_entries(version, &n_special);

	b->items = calloc(2 * (n + n_special + rs->policy->n_prefixes) + 1, sizeof(*b->items));
	if (b->items == NULL)
		die("borders", ENOMEM);
	b->n = 1; /* 0 */
	for (i = 0; i < n; i++)
		add_border(b, version == 4 ? &(struct ip_range){ rs->geo->ranges4[i].first,
						     rs->geo->ranges4[i].last, 4 }
					   : &(struct ip_range){ rs->geo->ranges6[i].first,
						     rs->geo->ranges6[i].last, 6 });
	for (i = 0; i < n_special; i++)
		add_border(b, &special[i].range);
	for (i = 0; i < rs->policy->n_prefixes; i++)
		if (rs->policy->prefixes[i].range.version == version)
			add_border(b, &rs->policy->prefixes[i].range);
	qsort(b->items, b->n, sizeof(*b->items), border_compare);
}

static ruleset_class_t
class_at(const struct ruleset *rs, ip6_t ip, uint8_t version)
{
	uint32_t ip4 = (uint32_t)ip;
	ruleset_class_t class;

	if (version == 4)
		ruleset_lookup4(rs, &ip4, &class, 1);
	else
		ruleset_lookup6(rs, &ip, &class, 1);
	return class;
}

static void
fill(struct reference *r, const struct ruleset *rs, uint8_t version)
{
	struct ip_range range = { .version = version };
	ruleset_class_t class, before;
	struct borders b;
	size_t i;

	borders_init(&b, rs, version);
	before = class_at(rs, 0, version);
	for (i = 1; i < b.n; i++) {
		class = class_at(rs, b.items[i], version);
		if (class == before)
			continue;
		range.last = b.items[i] - 1;
		add_range(r, range, before);
		range.first = b.items[i];
		before = class;
	}
	range.last = ip_max(version);
	add_range(r, range, before);
	free(b.items);
}

void
reference_init(struct reference *r, const struct ruleset *rs)
{
	struct rte_fib_conf conf4 = { .type = RTE_FIB_DIR24_8,
		.max_routes = N_ROUTES_MAX,
		.dir24_8 = { .nh_sz = RTE_FIB_DIR24_8_4B, .num_tbl8 = N_TBL8_4 } };
	struct rte_fib6_conf conf6 = { .type = RTE_FIB6_TRIE,
		.max_routes = N_ROUTES_MAX,
		.trie = { .nh_sz = RTE_FIB6_TRIE_4B, .num_tbl8 = N_TBL8_6 } };

	r->fib4 = rte_fib_create("reference4", SOCKET_ID_ANY, &conf4);
	if (r->fib4 == NULL)
		die("rte_fib_create", rte_errno);
	r->fib6 = rte_fib6_create("reference6", SOCKET_ID_ANY, &conf6);
	if (r->fib6 == NULL)
		die("rte_fib6_create", rte_errno);
	fill(r, rs, 4);
	fill(r, rs, 6);
}

static const struct {
	const char *name;
	enum rte_fib_lookup_type type;
} variants4[] = {
	{ "rte_fib macro", RTE_FIB_LOOKUP_DIR24_8_SCALAR_MACRO },
	{ "rte_fib inline", RTE_FIB_LOOKUP_DIR24_8_SCALAR_INLINE },
	{ "rte_fib uni", RTE_FIB_LOOKUP_DIR24_8_SCALAR_UNI },
	{ "rte_fib avx512", RTE_FIB_LOOKUP_DIR24_8_VECTOR_AVX512 },
};

static const struct {
	const char *name;
	enum rte_fib6_lookup_type type;
} variants6[] = {
	{ "rte_fib6 scalar", RTE_FIB6_LOOKUP_TRIE_SCALAR },
	{ "rte_fib6 avx512", RTE_FIB6_LOOKUP_TRIE_VECTOR_AVX512 },
};

unsigned int
reference_n_variants4(void)
{
	return sizeof(variants4) / sizeof(variants4[0]);
}

const char *
reference_name4(unsigned int variant)
{
	return variants4[variant].name;
}

int
reference_select4(struct reference *r, unsigned int variant)
{
	return rte_fib_select_lookup(r->fib4, variants4[variant].type);
}

unsigned int
reference_n_variants6(void)
{
	return sizeof(variants6) / sizeof(variants6[0]);
}

const char *
reference_name6(unsigned int variant)
{
	return variants6[variant].name;
}

int
reference_select6(struct reference *r, unsigned int variant)
{
	return rte_fib6_select_lookup(r->fib6, variants6[variant].type);
}
