/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Compiling: three layers over each address space (geo ranges, special-purpose registries, [prefix]
 * rules) are merged in one sweep into segments of one class each, and the segments become tables.
 * What decides a class is looked up once per class, never per packet.
 *
 * Readers: any; writers: none once ruleset_compile() has returned.
 */
#include "ruleset/ruleset_impl.h"

#include <assert.h>
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

static_assert(REASON_N <= 1 << RULESET_REASON_BITS, "a reason fits an answer");

#define N_CLASSES_MAX RULESET_CLASS_MASK /* which stands for none */

/* Classes of addresses under a [prefix] rule: few, found by what they are made of. */
struct combination {
	uint32_t origin, rule;
	uint8_t special;
	ruleset_class_t class;
};

struct compiler {
	struct ruleset *rs;
	size_t capacity;                  /* of rs->classes */
	ruleset_class_t *class_of_origin; /* [n_origins], NO_CLASS = none yet */
	ruleset_class_t class_of_special[SPECIAL_N];
	void *combinations; /* tsearch tree of struct combination */
};

#define NO_CLASS UINT32_MAX

static int
combination_compare(const void *a, const void *b)
{
	const struct combination *x = a, *y = b;

	if (x->origin != y->origin)
		return x->origin < y->origin ? -1 : 1;
	if (x->rule != y->rule)
		return x->rule < y->rule ? -1 : 1;
	return (int)x->special - (int)y->special;
}

static uint32_t
rule_of_country(const struct policy *policy, const char country[2])
{
	const struct policy_rule *rule = policy_find_country(policy, country);

	return rule != NULL ? (uint32_t)(rule - policy->rules) : policy->rule_default;
}

/* Sources do not agree on the country, and the policy says what then. Of equally strict rules that
 * of the country that is believed decides, then that of the source named first. */
static uint32_t
rule_of_conflict(const struct ruleset *rs, const struct geo_origin *origin)
{
	const struct policy *policy = rs->policy;
	uint32_t rule, strictest = rule_of_country(policy, origin->country);
	unsigned int i;

	if (policy->conflict == POLICY_CONFLICT_UNKNOWN)
		return policy->rule_unknown;
	for (i = 0; i < origin->n_dissents; i++) {
		rule = rule_of_country(policy, rs->geo->dissents[origin->dissents + i].country);
		if (policy->rules[rule].verdict > policy->rules[strictest].verdict)
			strictest = rule;
	}
	return strictest;
}

/* The rule for an ordinary address without a [prefix] rule, by its origin. */
static uint32_t
rule_of_origin(const struct ruleset *rs, uint32_t index)
{
	const struct geo_origin *origin = &rs->geo->origins[index];
	const struct policy_rule *rule = NULL;
	bool has_country = memcmp(origin->country, GEO_UNKNOWN_COUNTRY, 2) != 0;

	if (origin->asn != 0)
		rule = policy_find_asn(rs->policy, origin->asn);
	if (rule != NULL)
		return (uint32_t)(rule - rs->policy->rules);
	if (origin->n_dissents > 0 && rs->policy->conflict != POLICY_CONFLICT_FIRST)
		return rule_of_conflict(rs, origin);
	if (has_country)
		return rule_of_country(rs->policy, origin->country);
	return origin->asn != 0 ? rs->policy->rule_default : rs->policy->rule_unknown;
}

/* Returns the new class or NO_CLASS. */
static ruleset_class_t
class_add(struct compiler *c, const struct ruleset_class *class)
{
	struct ruleset *rs = c->rs;
	size_t capacity = c->capacity > 0 ? c->capacity * 2 : 1024;
	void *grown;

	if (rs->n_classes == N_CLASSES_MAX) {
		errno = EOVERFLOW;
		return NO_CLASS;
	}
	if (rs->n_classes == c->capacity) {
		grown = realloc(rs->classes, capacity * sizeof(*rs->classes));
		if (grown == NULL)
			return NO_CLASS;
		rs->classes = grown;
		c->capacity = capacity;
	}
	rs->classes[rs->n_classes] = *class;
	return rs->n_classes++;
}

static ruleset_class_t
class_of_combination(struct compiler *c, const struct ruleset_class *class)
{
	struct combination key = { class->origin, class->rule, class->special, NO_CLASS };
	struct combination **found, *made;

	found = tfind(&key, &c->combinations, combination_compare);
	if (found != NULL)
		return (*found)->class;
	made = malloc(sizeof(*made));
	if (made == NULL)
		return NO_CLASS;
	*made = key;
	made->class = class_add(c, class);
	if (made->class == NO_CLASS ||
		tsearch(made, &c->combinations, combination_compare) == NULL) {
		free(made);
		return NO_CLASS;
	}
	return made->class;
}

/* The class of addresses of which the layers say this. */
static ruleset_class_t
class_of(struct compiler *c, uint32_t origin, uint32_t special, uint32_t prefix_rule)
{
	struct ruleset_class class = { .origin = origin };
	ruleset_class_t *known = &c->class_of_origin[origin];

	if (special != SPECIAL_NONE) {
		known = &c->class_of_special[special];
		class.origin = 0;
		class.special = (uint8_t)special;
	}
	if (prefix_rule != LAYER_NONE) {
		class.rule = prefix_rule;
		return class_of_combination(c, &class);
	}
	if (*known != NO_CLASS)
		return *known;
	if (special == SPECIAL_NONE)
		class.rule = rule_of_origin(c->rs, origin);
	else if (special == SPECIAL_EMBEDDED)
		class.rule = RULESET_RULE_NONE;
	else
		class.rule = c->rs->policy->rule_special[special];
	*known = class_add(c, &class);
	return *known;
}

static struct layer
layer_of_geo(const struct geo_table *geo, uint8_t version)
{
	if (version == 4)
		return (struct layer){ .ranges4 = geo->ranges4, .n = geo->n_ranges4 };
	return (struct layer){ .ranges6 = geo->ranges6, .n = geo->n_ranges6 };
}

/* Holders before what they hold. */
static int
layer_range_compare(const void *a, const void *b)
{
	const struct layer_range *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return x->last > y->last ? -1 : x->last < y->last;
}

/* The registries, and the operator's NAT64 prefixes as carriers. */
static int
layer_of_special(struct layer *layer, const struct policy *policy, uint8_t version)
{
	size_t i, n, n_nat64 = version == 6 ? policy->limits.n_nat64 : 0;
	const struct special_entry *entries = special_entries(version, &n);
	struct layer_range *ranges = calloc(n + n_nat64, sizeof(*ranges));
	int status;

	if (ranges == NULL)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		ranges[i] = (struct layer_range){ entries[i].range.first, entries[i].range.last,
			entries[i].special };
	for (i = 0; i < n_nat64; i++)
		ranges[n + i] = (struct layer_range){ policy->limits.nat64[i].prefix,
			policy->limits.nat64[i].prefix |
				(~(ip6_t)0 >> policy->limits.nat64[i].length),
			SPECIAL_EMBEDDED };
	qsort(ranges, n + n_nat64, sizeof(*ranges), layer_range_compare);
	status = layer_flatten(layer, ranges, n + n_nat64);
	free(ranges);
	return status;
}

static int
layer_of_prefixes(struct layer *layer, const struct policy *policy, uint8_t version)
{
	struct layer_range *ranges = calloc(policy->n_prefixes + 1, sizeof(*ranges));
	size_t i, n = 0;
	int status;

	if (ranges == NULL)
		return -ENOMEM;
	for (i = 0; i < policy->n_prefixes; i++) {
		const struct policy_prefix *p = &policy->prefixes[i];

		if (p->range.version == version)
			ranges[n++] =
				(struct layer_range){ p->range.first, p->range.last, p->rule };
	}
	status = layer_flatten(layer, ranges, n);
	free(ranges);
	return status;
}

struct layers {
	struct layer geo, special, prefixes;
};

static void
layers_fini(struct layers *layers)
{
	free(layers->special.ranges);
	free(layers->prefixes.ranges);
}

/* `layers` is zeroed by the caller and always needs layers_fini(). */
static int
layers_init(struct layers *layers, const struct ruleset *rs, uint8_t version)
{
	layers->geo = layer_of_geo(rs->geo, version);
	if (layer_of_special(&layers->special, rs->policy, version) != 0)
		return -ENOMEM;
	return layer_of_prefixes(&layers->prefixes, rs->policy, version);
}

static ip6_t
min_ip(ip6_t a, ip6_t b)
{
	return a < b ? a : b;
}

/* Sweep once over the address space. */
static int
merge(struct compiler *c, struct layers *layers, ip6_t max, struct segments *out)
{
	size_t n_max = 2 * (layers->geo.n + layers->special.n + layers->prefixes.n) + 1;
	ip6_t ip = 0, last, end;
	uint32_t origin, special, rule;
	ruleset_class_t class;

	*out = (struct segments){ .items = calloc(n_max, sizeof(*out->items)) };
	if (out->items == NULL)
		return -ENOMEM;
	huge_wish(out->items, n_max * sizeof(*out->items));
	for (;; ip = end + 1) {
		origin = layer_at(&layers->geo, ip, max, &end);
		special = layer_at(&layers->special, ip, max, &last);
		end = min_ip(end, last);
		rule = layer_at(&layers->prefixes, ip, max, &last);
		end = min_ip(end, last);
		class = class_of(c, origin == LAYER_NONE ? 0 : origin,
			special == LAYER_NONE ? SPECIAL_NONE : special, rule);
		if (class == NO_CLASS)
			return -errno;
		if (out->n == 0 || out->items[out->n - 1].value != class)
			out->items[out->n++] = (struct segment){ ip, class };
		if (end == max)
			return 0;
	}
}

static int
sweep_family(struct compiler *c, uint8_t version, struct segments *out)
{
	struct layers layers = { .geo = { .n = 0 } };
	int status = layers_init(&layers, c->rs, version);

	if (status == 0)
		status = merge(c, &layers, ip_max(version), out);
	layers_fini(&layers);
	return status;
}

/* Why a class gets its verdict: the section of the rule and whether it passes. */
static reason_t
reason_of(const struct ruleset *rs, const struct ruleset_class *class, verdict_t verdict)
{
	static const struct {
		const char *section;
		reason_t pass, stop;
	} reasons[] = {
		{ "prefix", REASON_APPROVED_PREFIX, REASON_PREFIX },
		{ "asn", REASON_APPROVED_ASN, REASON_ASN },
		{ "country", REASON_APPROVED_COUNTRY, REASON_COUNTRY },
		{ "special", REASON_SPECIAL, REASON_SPECIAL },
	};
	const struct policy *policy = rs->policy;
	bool is_pass = verdict == VERDICT_PASS;
	size_t i;

	for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (strcmp(policy->rules[class->rule].section, reasons[i].section) == 0)
			return is_pass ? reasons[i].pass : reasons[i].stop;
	if (is_pass)
		return REASON_APPROVED_DEFAULT;
	return class->rule == policy->rule_unknown ? REASON_UNKNOWN : REASON_DEFAULT;
}

/* Old data must not decide alone: [policy] stale comes on top of what rests on it. */
static void
apply_stale(
	const struct ruleset *rs, struct ruleset_class *class, verdict_t *verdict, reason_t *reason)
{
	const char *section = rs->policy->rules[class->rule].section;
	verdict_t stale = rs->policy->rules[rs->policy->rule_stale].verdict;

	if (!rs->options.is_stale || stale == POLICY_ACTION_NONE ||
		class->special != SPECIAL_NONE || strcmp(section, "prefix") == 0 ||
		(*verdict | stale) == *verdict)
		return;
	*verdict |= stale;
	*reason = REASON_STALE_DATA;
	class->rule = rs->policy->rule_stale;
}

static int
fill_verdicts(struct ruleset *rs)
{
	uint8_t *verdicts = calloc(rs->n_classes, 1), *reasons = calloc(rs->n_classes, 1);
	uint32_t i;

	rs->verdict = verdicts;
	rs->reason = reasons;
	if (verdicts == NULL || reasons == NULL)
		return -ENOMEM;
	for (i = 0; i < rs->n_classes; i++) {
		struct ruleset_class *class = &rs->classes[i];

		/* A carrier has no say of its own: the addresses it embeds are judged. */
		reasons[i] = REASON_SPECIAL;
		if (class->rule != RULESET_RULE_NONE) {
			verdicts[i] = rs->policy->rules[class->rule].verdict;
			reasons[i] = reason_of(rs, class, verdicts[i]);
			apply_stale(rs, class, &verdicts[i], &reasons[i]);
		}
		if (class->special == SPECIAL_EMBEDDED)
			verdicts[i] |= RULESET_VERDICT_CARRIER;
	}
	return 0;
}

static ruleset_answer_t
answer_of(const struct ruleset *rs, ruleset_class_t class)
{
	ruleset_answer_t answer =
		ruleset_answer(class, rs->reason[class], rs->verdict[class] & RULESET_VERDICT_MASK);

	return (rs->verdict[class] & RULESET_VERDICT_CARRIER) != 0 ? answer | RULESET_CARRIER
								   : answer;
}

/* What a table keeps is not the class alone. */
static void
classes_to_answers(const struct ruleset *rs, struct segments *segments)
{
	size_t i;

	for (i = 0; i < segments->n; i++)
		segments->items[i].value = answer_of(rs, segments->items[i].value);
}

static int
build_tables(struct ruleset *rs, struct segments *segments4, struct segments *segments6)
{
	int status;

	classes_to_answers(rs, segments4);
	classes_to_answers(rs, segments6);
	status = table4_init(&rs->table4, segments4);
	return status == 0 ? table6_init(&rs->table6, segments6) : status;
}

static int
compile(struct compiler *c)
{
	struct segments segments4 = { .items = NULL }, segments6 = { .items = NULL };
	size_t i;
	int status;

	c->class_of_origin = calloc(c->rs->geo->n_origins, sizeof(*c->class_of_origin));
	if (c->class_of_origin == NULL)
		return -ENOMEM;
	for (i = 0; i < c->rs->geo->n_origins; i++)
		c->class_of_origin[i] = NO_CLASS;
	for (i = 0; i < SPECIAL_N; i++)
		c->class_of_special[i] = NO_CLASS;
	if (class_of(c, 0, SPECIAL_NONE, LAYER_NONE) != RULESET_UNKNOWN)
		return -ENOMEM; /* the first class made is class 0: zeroed memory means unknown */
	status = sweep_family(c, 4, &segments4);
	if (status == 0)
		status = sweep_family(c, 6, &segments6);
	if (status == 0)
		status = fill_verdicts(c->rs);
	if (status == 0)
		status = build_tables(c->rs, &segments4, &segments6);
	free(segments4.items);
	free(segments6.items);
	return status;
}

struct ruleset *
ruleset_compile(const struct policy *policy, const struct geo_table *geo,
	const struct ruleset_options *options)
{
	struct ruleset *rs = calloc(1, sizeof(*rs));
	struct compiler c = { .rs = rs };
	int status;

	if (rs == NULL)
		return NULL;
	rs->policy = policy;
	rs->geo = geo;
	if (options != NULL)
		rs->options = *options;
	status = compile(&c);
	free(c.class_of_origin);
	tdestroy(c.combinations, free);
	if (status != 0) {
		ruleset_free(rs);
		errno = -status;
		return NULL;
	}
	return rs;
}

/* free() for memory that is const to everybody else. */
static void
free_const(const uint8_t *memory)
{
	union {
		const uint8_t *from;
		void *to;
	} u = { .from = memory };

	free(u.to);
}

void
ruleset_free(struct ruleset *rs)
{
	if (rs == NULL)
		return;
	tables_fini(rs);
	if (!rs->is_copy) {
		free_const(rs->verdict);
		free_const(rs->reason);
		free(rs->classes);
	}
	free(rs);
}

/* Cut `range` so that it still holds `ip` but no border of `other`. */
static void
clip(struct ip_range *range, const struct ip_range *other, ip6_t ip)
{
	if (other->version != range->version)
		return;
	if (other->first <= ip && ip <= other->last) {
		range->first = other->first > range->first ? other->first : range->first;
		range->last = min_ip(range->last, other->last);
	} else if (other->last < ip && other->last >= range->first) {
		range->first = other->last + 1;
	} else if (other->first > ip && other->first <= range->last) {
		range->last = other->first - 1;
	}
}

void
ruleset_explain_range(const struct ruleset *rs, const struct ip_addr *ip, struct ip_range *range)
{
	const struct special_entry *entries;
	struct geo_answer answer;
	size_t i, n;

	geo_lookup(rs->geo, ip, &answer);
	*range = answer.range;
	entries = special_entries(ip->version, &n);
	for (i = 0; i < n; i++)
		clip(range, &entries[i].range, ip->value);
	for (i = 0; i < rs->policy->n_prefixes; i++)
		clip(range, &rs->policy->prefixes[i].range, ip->value);
}

size_t
ruleset_memory_size(const struct ruleset *rs)
{
	const struct ruleset_table4 *t4 = &rs->table4;
	const struct ruleset_table6 *t6 = &rs->table6;

	return t4->direct_size + t4->nodes_size + t4->leaves_size + t6->direct_size +
	       t6->blocks_size + t6->nodes_size +
	       rs->n_classes * (2 + sizeof(struct ruleset_class));
}
