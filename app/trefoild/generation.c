/* SPDX-License-Identifier: BSD-3-Clause */
/* Making and freeing generations. */
#include "generation.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GEO_FILE_MAX ((size_t)64 << 20)

static uint64_t
count_prefixes(ip6_t first, ip6_t last, uint8_t version)
{
	struct ip_range rest = { first, last, version };
	uint64_t n = 1;

	for (;; n++) {
		ip6_t end = geo_range_prefix(&rest).last;

		if (end == last)
			return n;
		rest.first = end + 1;
	}
}

void
geo_ref_count(struct geo_ref *ref)
{
	const struct geo_table *t = ref->table;
	size_t i;

	if (ref->n_prefixes4 + ref->n_prefixes6 > 0)
		return;
	for (i = 0; i < t->n_ranges4; i++)
		ref->n_prefixes4 += count_prefixes(t->ranges4[i].first, t->ranges4[i].last, 4);
	for (i = 0; i < t->n_ranges6; i++)
		ref->n_prefixes6 += count_prefixes(t->ranges6[i].first, t->ranges6[i].last, 6);
}

/* Takes `table`, also when it fails; NULL = it could not be read, `e` says why. */
static struct geo_ref *
geo_ref_new(struct geo_table *table, const char *path, struct err *e)
{
	struct geo_ref *ref;

	if (table == NULL)
		return NULL;
	ref = calloc(1, sizeof(*ref));
	if (ref == NULL) {
		geo_free(table);
		err_set(e, path, 0, NULL, "no memory for the geo table");
		return NULL;
	}
	ref->table = table;
	snprintf(ref->path, sizeof(ref->path), "%s", path);
	ref->n_users = 1;
	return ref;
}

struct geo_ref *
geo_ref_parse(const void *bytes, size_t size, const char *name, struct err *e)
{
	struct geo_ref *ref = geo_ref_new(geo_parse(bytes, size, name, e), name, e);

	if (ref == NULL)
		return NULL;
	ref->bytes = malloc(size + 1);
	if (ref->bytes == NULL) {
		err_set(e, name, 0, NULL, "no memory for the geo table");
		geo_ref_drop(ref);
		return NULL;
	}
	memcpy(ref->bytes, bytes, size);
	ref->size = size;
	return ref;
}

/* The file is read once: what is verified is what is kept. */
static char *
read_table(const char *path, size_t *size)
{
	FILE *file = fopen(path, "re");
	char *bytes = malloc(GEO_FILE_MAX + 1);

	if (file != NULL && bytes != NULL) {
		errno = 0;
		*size = fread(bytes, 1, GEO_FILE_MAX + 1, file);
		if (*size > GEO_FILE_MAX)
			errno = EFBIG;
	}
	if (file == NULL || bytes == NULL || ferror(file) || *size > GEO_FILE_MAX) {
		free(bytes);
		bytes = NULL;
	}
	if (file != NULL)
		fclose(file);
	return bytes;
}

struct geo_ref *
geo_ref_load(const char *path, struct err *e)
{
	size_t size = 0;
	char *bytes = read_table(path, &size);
	struct geo_ref *ref;

	if (bytes == NULL) {
		err_set_code(
			e, errno, path, 0, NULL, "cannot read the geo table: %s", strerror(errno));
		return NULL;
	}
	ref = geo_ref_parse(bytes, size, path, e);
	free(bytes);
	return ref;
}

struct geo_ref *
geo_ref_take(struct geo_ref *ref)
{
	ref->n_users++;
	return ref;
}

void
geo_ref_drop(struct geo_ref *ref)
{
	if (ref == NULL || --ref->n_users > 0)
		return;
	geo_free(ref->table);
	free(ref->bytes);
	free(ref);
}

unsigned int
geo_age_days(const struct geo_table *table, time_t now)
{
	if ((uint64_t)now <= table->built_at)
		return 0;
	return (unsigned int)(((uint64_t)now - table->built_at) / 86400);
}

static int
add_counters(struct generation *g, unsigned int n_workers)
{
	g->counters = calloc(n_workers + 1, sizeof(*g->counters));
	if (g->counters == NULL)
		return -ENOMEM;
	for (g->n_workers = 0; g->n_workers < n_workers; g->n_workers++)
		if (stats_class_init(&g->counters[g->n_workers], g->ruleset->n_classes) != 0)
			return -ENOMEM;
	return 0;
}

static int
add_keys(struct generation *g)
{
	const struct ruleset *rs = g->ruleset;
	uint32_t i;

	g->keys = calloc(rs->n_classes, sizeof(*g->keys));
	if (g->keys == NULL)
		return -ENOMEM;
	for (i = 0; i < rs->n_classes; i++) {
		const struct geo_origin *origin = &rs->geo->origins[rs->classes[i].origin];

		g->keys[i].asn = origin->asn;
		memcpy(g->keys[i].country, origin->country, 2);
		g->keys[i].special = rs->classes[i].special;
		g->keys[i].verdict = rs->verdict[i] & RULESET_VERDICT_MASK;
	}
	return 0;
}

static void
set_rulesets(struct generation *g)
{
	unsigned int i;

	for (i = 0; i < GENERATION_NODES_MAX; i++)
		g->on_node[i] = g->ruleset;
}

struct generation *
generation_new(uint32_t number, struct policy *policy, struct geo_ref *geo, bool is_stale,
	unsigned int n_workers)
{
	struct generation *g = calloc(1, sizeof(*g));
	struct ruleset_options options = { .is_stale = is_stale };
	int saved;

	if (g == NULL) {
		policy_free(policy);
		return NULL;
	}
	g->number = number;
	g->policy = policy;
	g->geo = geo_ref_take(geo);
	g->ruleset = ruleset_compile(policy, geo->table, &options);
	set_rulesets(g);
	if (g->ruleset != NULL && add_counters(g, n_workers) == 0 && add_keys(g) == 0)
		return g;
	saved = g->ruleset == NULL ? errno : ENOMEM;
	generation_free(g);
	errno = saved;
	return NULL;
}

int
generation_spread(struct generation *g, const struct generation_nodes *nodes)
{
	const struct huge_memory *memory =
		nodes->memory != NULL ? nodes->memory : &huge_memory_on_nodes;
	unsigned int i;

	if (nodes->n < 2)
		return 0;
	for (i = 1; i < nodes->n; i++) {
		struct ruleset *copy = ruleset_copy(g->ruleset, memory, nodes->nodes[i]);

		if (copy == NULL)
			return -ENOMEM;
		g->on_node[i] = copy;
	}
	return ruleset_move(g->ruleset, memory, nodes->nodes[0]);
}

void
generation_free(struct generation *g)
{
	unsigned int i;

	if (g == NULL)
		return;
	for (i = 0; i < g->n_workers; i++)
		stats_class_fini(&g->counters[i]);
	free(g->counters);
	free(g->keys);
	for (i = 0; i < GENERATION_NODES_MAX; i++)
		if (g->on_node[i] != g->ruleset)
			ruleset_free(g->on_node[i]);
	ruleset_free(g->ruleset);
	policy_free(g->policy);
	geo_ref_drop(g->geo);
	free(g);
	(void)malloc_trim(0); /* the heap's holes too: free() gives back only its end */
}

int
generation_tally(const struct generation *g, struct tally *tally)
{
	unsigned int i;
	int status = 0;

	for (i = 0; i < g->n_workers && status == 0; i++)
		status = tally_add(tally, &g->counters[i], g->keys);
	return status;
}
