/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Look-ups of classes alone, 32 at a time: ours by instruction set, and every variant of rte_fib and
 * rte_fib6 that this CPU runs, over the same addresses in alternated rounds. First all of them are
 * asked for every address and must agree. Also what building and memory take.
 */
#include "base/isa.h"
#include "bench.h"
#include "reference.h"
#include "report.h"

#include <rte_cycles.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define N_IPS        (1u << 20)
#define BURST        32u
#define N_HOT        1000u
#define VARIANTS_MAX 8u
#define N_BUILDS     5u
#define N_ROUNDS     15

static const char policy[] = "[country]\napprove = EU EEA adequacy US\n";

enum draw { ZIPF, UNIFORM, HOT, N_DRAWS };
static const char *const draw_names[N_DRAWS] = { "Zipf", "uniform", "hot" };

struct traffic {
	uint32_t *ip4;
	ip6_t *ip6;
	reference_ip6_t *bytes6;
};

/* A way to look up: one of ours by instruction set, or one of the reference. */
struct variant {
	char name[32];
	bool is_ours;
	unsigned int number;
	struct report_series cycles[N_DRAWS];
};

struct bench {
	struct bench_rules rules;
	struct reference reference;
	struct traffic traffic[N_DRAWS];
	struct variant variants[2][VARIANTS_MAX]; /* IPv4, IPv6 */
	unsigned int n_variants[2];
};

static volatile uint64_t sink;

static void *
allocate(size_t n, size_t size)
{
	void *memory = calloc(n, size);

	if (memory == NULL) {
		fprintf(stderr, "bench: out of memory\n");
		exit(EXIT_FAILURE);
	}
	return memory;
}

static void
make_traffic(struct bench *b, enum draw draw, uint64_t *state)
{
	enum bench_draw how = draw == ZIPF ? BENCH_ZIPF : BENCH_UNIFORM;
	struct traffic *t = &b->traffic[draw];
	uint32_t i;

	t->ip4 = allocate(N_IPS, sizeof(*t->ip4));
	t->ip6 = allocate(N_IPS, sizeof(*t->ip6));
	t->bytes6 = allocate(N_IPS, sizeof(*t->bytes6));
	for (i = 0; i < N_IPS; i++) {
		uint32_t again = (uint32_t)(bench_random(state) % N_HOT);
		bool is_again = draw == HOT && i >= N_HOT;

		t->ip4[i] = is_again ? t->ip4[again] : bench_destination4(b->rules.geo, how, state);
		t->ip6[i] = is_again ? t->ip6[again] : bench_destination6(b->rules.geo, how, state);
		ip6_to_bytes(t->ip6[i], t->bytes6[i].a);
	}
}

static int
select_variant(struct bench *b, unsigned int family, const struct variant *v)
{
	if (v->is_ours)
		return isa_select((enum isa)v->number);
	return family == 0 ? reference_select4(&b->reference, v->number)
			   : reference_select6(&b->reference, v->number);
}

static void
add_variant(
	struct bench *b, unsigned int family, bool is_ours, unsigned int number, const char *name)
{
	struct variant *v = &b->variants[family][b->n_variants[family]];

	*v = (struct variant){ .is_ours = is_ours, .number = number };
	snprintf(v->name, sizeof(v->name), "%s%s", is_ours ? "trefoil " : "", name);
	if (select_variant(b, family, v) == 0)
		b->n_variants[family]++;
}

static void
find_variants(struct bench *b)
{
	unsigned int i;

	for (i = 0; i < ISA_N; i++) {
		add_variant(b, 0, true, i, isa_name((enum isa)i));
		add_variant(b, 1, true, i, isa_name((enum isa)i));
	}
	for (i = 0; i < reference_n_variants4(); i++)
		add_variant(b, 0, false, i, reference_name4(i));
	for (i = 0; i < reference_n_variants6(); i++)
		add_variant(b, 1, false, i, reference_name6(i));
}

/* Addresses are fetched when they are known, as classification does, which here is all at once. */
static void
look_up_ours(const struct ruleset *rs, unsigned int family, const struct traffic *t, uint32_t i,
	ruleset_answer_t *answers)
{
	unsigned int k;

	if (family == 0) {
		for (k = 0; k < BURST; k++)
			ruleset_prefetch4(rs, t->ip4[i + k]);
		ruleset_answer4(rs, t->ip4 + i, answers, BURST);
	} else {
		for (k = 0; k < BURST; k++)
			ruleset_prefetch6(rs, t->ip6[i + k]);
		ruleset_answer6(rs, t->ip6 + i, answers, BURST);
	}
}

/* One burst by the selected variant; classes as 64-bit numbers, like the reference's. */
static void
look_up(struct bench *b, unsigned int family, bool is_ours, const struct traffic *t, uint32_t i,
	ruleset_answer_t *ours, uint64_t *theirs)
{
	if (is_ours)
		look_up_ours(b->rules.ruleset, family, t, i, ours);
	else if (family == 0)
		reference_lookup4(&b->reference, t->ip4 + i, theirs, BURST);
	else
		reference_lookup6(&b->reference, t->bytes6 + i, theirs, BURST);
}

static double
run(struct bench *b, unsigned int family, const struct variant *v, const struct traffic *t)
{
	ruleset_answer_t ours[BURST] = { 0 };
	uint64_t theirs[BURST] = { 0 }, begin, sum = 0;
	uint32_t i;

	(void)select_variant(b, family, v);
	begin = rte_rdtsc();
	for (i = 0; i < N_IPS; i += BURST) {
		look_up(b, family, v->is_ours, t, i, ours, theirs);
		sum += ours[i % BURST] + theirs[i % BURST];
	}
	sink = sum;
	return (double)(rte_rdtsc() - begin) / N_IPS;
}

/* Every variant against the first one, scalar, on every address. */
static void
check(struct bench *b, unsigned int family, const struct variant *v, const struct traffic *t)
{
	ruleset_answer_t want[BURST], ours[BURST];
	uint64_t theirs[BURST];
	uint32_t i, k;

	for (i = 0; i < N_IPS; i += BURST) {
		(void)select_variant(b, family, &b->variants[family][0]);
		look_up(b, family, true, t, i, want, theirs);
		(void)select_variant(b, family, v);
		look_up(b, family, v->is_ours, t, i, ours, theirs);
		for (k = 0; k < BURST; k++)
			if (v->is_ours ? ours[k] != want[k]
				       : theirs[k] != (want[k] & RULESET_CLASS_MASK)) {
				fprintf(stderr, "bench: %s disagrees\n", v->name);
				exit(EXIT_FAILURE);
			}
	}
}

static const struct variant *
best(const struct bench *b, unsigned int family, enum draw draw, bool is_ours)
{
	const struct variant *found = NULL;
	unsigned int i;

	for (i = 0; i < b->n_variants[family]; i++) {
		const struct variant *v = &b->variants[family][i];

		if (v->is_ours == is_ours &&
			(found == NULL || report_median(&v->cycles[draw]) <
						  report_median(&found->cycles[draw])))
			found = v;
	}
	return found;
}

static void
tell_family(struct bench *b, unsigned int family, enum draw draw)
{
	char name[96], cell[32];
	unsigned int i;

	snprintf(cell, sizeof(cell), "%s %s", family == 0 ? "IPv4" : "IPv6", draw_names[draw]);
	for (i = 0; i < b->n_variants[family]; i++) {
		snprintf(name, sizeof(name), "%s: %s", cell, b->variants[family][i].name);
		report_cell(name, "cycles", &b->variants[family][i].cycles[draw], REPORT_LOWER,
			REPORT_NO_BAR);
	}
	snprintf(name, sizeof(name), "%s: best rte_fib / best trefoil", cell);
	report_ratio(name, &best(b, family, draw, false)->cycles[draw],
		&best(b, family, draw, true)->cycles[draw], REPORT_HIGHER,
		draw == ZIPF ? 1.3 : REPORT_NO_BAR);
}

static double
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
tell_build(const struct bench *b)
{
	struct report_series times = { .n = 0 };
	struct bench_rules rules;
	unsigned int i;
	double begin;

	for (i = 0; i < N_BUILDS; i++) {
		begin = seconds();
		bench_rules_init(&rules, policy);
		report_add(&times, seconds() - begin);
		bench_rules_fini(&rules);
	}
	report_cell("both families: build from the file", "s", &times, REPORT_LOWER, 0.6);
	report_value("both families: memory", "MiB",
		(double)ruleset_memory_size(b->rules.ruleset) / (1 << 20), REPORT_LOWER, 128);
}

static void
measure(struct bench *b)
{
	unsigned int round, family, draw, i;

	for (family = 0; family < 2; family++)
		for (draw = 0; draw < N_DRAWS; draw++)
			for (i = 0; i < b->n_variants[family]; i++)
				check(b, family, &b->variants[family][i], &b->traffic[draw]);
	for (round = 0; round < report_rounds(); round++)
		for (family = 0; family < 2; family++)
			for (draw = 0; draw < N_DRAWS; draw++)
				for (i = 0; i < b->n_variants[family]; i++) {
					struct variant *v = &b->variants[family][i];

					report_add(&v->cycles[draw],
						run(b, family, v, &b->traffic[draw]));
				}
}

int
main(int argc, char **argv)
{
	static struct bench b;
	uint64_t state = 42;
	unsigned int draw, family;

	report_begin(argc, argv, "table",
		"look-ups of 1,048,576 addresses in bursts of 32, full table", N_ROUNDS);
	bench_eal(REFERENCE_MEMORY_MB);
	bench_rules_init(&b.rules, policy);
	reference_init(&b.reference, b.rules.ruleset);
	for (draw = 0; draw < N_DRAWS; draw++)
		make_traffic(&b, (enum draw)draw, &state);
	find_variants(&b);
	measure(&b);
	for (family = 0; family < 2; family++)
		for (draw = 0; draw < N_DRAWS; draw++)
			tell_family(&b, family, (enum draw)draw);
	tell_build(&b);
	return report_end();
}
