/* SPDX-License-Identifier: BSD-3-Clause */
/* Traffic, rounds and rows of the benches. */
#include "bench.h"

#include "base/huge.h"

#include <argp.h>
#include <jansson.h>
#include <math.h>
#include <rte_eal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_ROUNDS 15

static const struct argp_option argp_options[] = {
	{ "rounds", 'r', "N", 0, "Alternated rounds per cell (15)", 0 },
	{ "json", 'j', "FILE", 0, "Append a JSON line per row", 0 },
	{ 0 },
};

static error_t
parse_option(int key, char *arg, struct argp_state *state)
{
	struct bench_options *o = state->input;
	long n;

	switch (key) {
	case 'r':
		n = strtol(arg, NULL, 10);
		if (n < 1 || n > BENCH_ROUNDS_MAX)
			argp_error(state, "rounds: 1 to %d", BENCH_ROUNDS_MAX);
		o->n_rounds = (unsigned int)n;
		return 0;
	case 'j':
		o->json = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

void
bench_options(int argc, char **argv, struct bench_options *options)
{
	static const struct argp argp = { .options = argp_options, .parser = parse_option };

	*options = (struct bench_options){ .n_rounds = N_ROUNDS };
	argp_parse(&argp, argc, argv, 0, NULL, options);
	setvbuf(stdout, NULL, _IOLBF, 0);
}

uint64_t
bench_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* The inverse of the harmonic sum, good enough for a bench. */
size_t
bench_zipf(size_t n, uint64_t *state)
{
	double u = (double)(bench_random(state) >> 11) / 9007199254740992.0;

	return (size_t)exp(u * log((double)n)) % n;
}

static size_t
draw_range(size_t n, enum bench_draw draw, uint64_t *state)
{
	if (draw == BENCH_UNIFORM)
		return bench_random(state) % n;
	return bench_zipf(n, state) * 2654435761u % n;
}

uint32_t
bench_destination4(const struct geo_table *geo, enum bench_draw draw, uint64_t *state)
{
	const struct geo_range4 *r = &geo->ranges4[draw_range(geo->n_ranges4, draw, state)];

	return r->first + (uint32_t)(bench_random(state) % (r->last - r->first + UINT64_C(1)));
}

ip6_t
bench_destination6(const struct geo_table *geo, enum bench_draw draw, uint64_t *state)
{
	const struct geo_range6 *r = &geo->ranges6[draw_range(geo->n_ranges6, draw, state)];

	return r->first + (bench_random(state) & 7) % (uint64_t)(r->last - r->first + 1 == 0 ? 8
								 : r->last - r->first + 1 > 8
									 ? 8
									 : r->last - r->first + 1);
}

void
bench_rules_init(struct bench_rules *rules, const char *policy)
{
	static struct err_list errors;
	struct err e;

	rules->policy = policy_parse(policy, strlen(policy), "policy.ini", &errors);
	rules->geo = geo_load(geo_default_path(), &e);
	rules->ruleset = rules->policy != NULL && rules->geo != NULL
				 ? ruleset_compile(rules->policy, rules->geo, NULL)
				 : NULL;
	if (rules->ruleset == NULL) {
		fprintf(stderr, "bench: no ruleset: %s\n",
			rules->policy == NULL ? errors.items[0].message
			: rules->geo == NULL  ? e.message
					      : "out of memory");
		exit(EXIT_FAILURE);
	}
}

void
bench_rules_fini(struct bench_rules *rules)
{
	ruleset_free(rules->ruleset);
	policy_free(rules->policy);
	geo_free(rules->geo);
}

static void
put16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint8_t *
put_ethernet(uint8_t *p, unsigned int n_tags, unsigned int type)
{
	memset(p, 2, 12);
	p += 12;
	for (; n_tags > 0; n_tags--, p += 4) {
		put16(p, n_tags > 1 ? 0x88a8 : 0x8100);
		put16(p + 2, n_tags);
	}
	put16(p, type);
	return p + 2;
}

static uint8_t *
put_ip4(uint8_t *p, uint32_t to, uint32_t from)
{
	p[0] = 0x45;
	put16(p + 2, 28);
	p[8] = 64;
	p[9] = 17;
	put16(p + 12, from >> 16);
	put16(p + 14, from & 0xffff);
	put16(p + 16, to >> 16);
	put16(p + 18, to & 0xffff);
	return p + 20;
}

static uint8_t *
put_ip6(uint8_t *p, ip6_t to, uint32_t from)
{
	p[0] = 0x60;
	put16(p + 4, 8);
	p[6] = 17;
	p[7] = 64;
	ip6_to_bytes(IP6(UINT64_C(0x2a00) << 48, from), p + 8);
	ip6_to_bytes(to, p + 24);
	return p + 40;
}

/* Source ports as clients choose them, to the ports of servers. */
static uint8_t *
put_udp(uint8_t *p, uint64_t random)
{
	put16(p, 32768 + (unsigned int)(random % 16000));
	put16(p + 2, (random >> 20 & 3) == 0 ? 53 : 443);
	put16(p + 4, 8);
	return p + 8;
}

static void
make_frame(struct bench_frame *f, const struct geo_table *geo, const struct bench_shape *shape,
	uint64_t *state)
{
	bool is_marked = bench_random(state) % 100 < shape->percent_marked;
	uint8_t *p = f->bytes;
	size_t size;
	uint32_t to;

	memset(f, 0, sizeof(*f));
	if (bench_random(state) % 100 < shape->percent6) {
		p = put_ethernet(p, shape->n_tags, 0x86dd);
		p = put_ip6(p, bench_destination6(geo, shape->draw, state),
			(uint32_t)bench_random(state));
	} else {
		to = bench_destination4(geo, shape->draw, state);
		p = put_ethernet(p, shape->n_tags, 0x0800);
		p = put_ip4(
			p, is_marked ? IP4(198, 51, 100, 1) : to, (uint32_t)bench_random(state));
	}
	p = put_udp(p, bench_random(state));
	size = (size_t)(p - f->bytes) > 60 ? (size_t)(p - f->bytes) : 60;
	f->mbuf.buf_addr = f->bytes;
	f->mbuf.buf_len = BENCH_FRAME_SIZE;
	f->mbuf.nb_segs = 1;
	f->mbuf.data_len = (uint16_t)size;
	f->mbuf.pkt_len = (uint32_t)size;
}

struct bench_frame *
bench_frames(
	const struct geo_table *geo, const struct bench_shape *shape, size_t n, uint64_t *state)
{
	struct bench_frame *frames = huge_new(n * sizeof(*frames));
	size_t i;

	if (frames == NULL) {
		fprintf(stderr, "bench: out of memory\n");
		exit(EXIT_FAILURE);
	}
	for (i = 0; i < n; i++)
		make_frame(&frames[i], geo, shape, state);
	return frames;
}

static int
double_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
quantile(const struct bench_series *s, double q)
{
	double sorted[BENCH_ROUNDS_MAX];

	if (s->n == 0)
		return NAN;
	memcpy(sorted, s->values, s->n * sizeof(*sorted));
	qsort(sorted, s->n, sizeof(*sorted), double_compare);
	return sorted[(size_t)(q * (s->n - 1) + 0.5)];
}

double
bench_median(const struct bench_series *s)
{
	return quantile(s, 0.5);
}

double
bench_min(const struct bench_series *s)
{
	return quantile(s, 0);
}

double
bench_max(const struct bench_series *s)
{
	return quantile(s, 1);
}

void
bench_ratios(
	const struct bench_series *a, const struct bench_series *b, struct bench_series *ratios)
{
	for (ratios->n = 0; ratios->n < a->n && ratios->n < b->n; ratios->n++)
		ratios->values[ratios->n] = a->values[ratios->n] / b->values[ratios->n];
}

static void
append_json(const char *path, json_t *row)
{
	FILE *file = fopen(path, "a");

	if (file == NULL || json_dumpf(row, file, JSON_COMPACT) != 0 || fputc('\n', file) == EOF ||
		fclose(file) != 0) {
		fprintf(stderr, "bench: cannot write %s\n", path);
		exit(EXIT_FAILURE);
	}
	json_decref(row);
}

void
bench_report(const struct bench_options *options, const struct bench_row *row)
{
	double median = bench_median(row->series), min = bench_min(row->series);
	double max = bench_max(row->series);
	bool has_bar = !isnan(row->bar);
	bool is_met = row->better == BENCH_LOWER ? median <= row->bar : median >= row->bar;

	printf("%-34s %-22s %9.2f %9.2f %9.2f %4u %-14s", row->cell, row->variant, median, min, max,
		row->series->n, row->unit);
	if (has_bar)
		printf(" %s %.4g: %s", row->better == BENCH_LOWER ? "<=" : ">=", row->bar,
			is_met ? "met" : "NOT MET");
	putchar('\n');
	if (options->json == NULL)
		return;
	append_json(options->json,
		json_pack("{s:s, s:s, s:s, s:s, s:f, s:f, s:f, s:i, s:b, s:s, s:o, s:o}", "bench",
			row->bench, "cell", row->cell, "variant", row->variant, "unit", row->unit,
			"median", median, "min", min, "max", max, "n", (int)row->series->n, "ratio",
			(int)row->is_ratio, "better",
			row->better == BENCH_LOWER ? "lower" : "higher", "bar",
			has_bar ? json_real(row->bar) : json_null(), "met",
			has_bar ? json_boolean(is_met) : json_null()));
}

/* Free huge pages of 2 MiB, in MiB. */
static unsigned long
free_huge_mb(void)
{
	FILE *file = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "r");
	unsigned long n = 0;

	if (file != NULL && fscanf(file, "%lu", &n) != 1)
		n = 0;
	if (file != NULL)
		fclose(file);
	return 2 * n;
}

void
bench_eal(unsigned int memory_mb)
{
	bool is_huge = free_huge_mb() >= memory_mb;
	char memory[16], core[16];
	char *argv[] = { (char[]){ "bench" },
		is_huge ? (char[]){ "--in-memory" } : (char[]){ "--no-huge" },
		is_huge ? (char[]){ "--no-pci" } : (char[]){ "--no-shconf" },
		(char[]){ "--no-pci" }, (char[]){ "--no-telemetry" },
		(char[]){ "--force-max-simd-bitwidth=512" }, (char[]){ "--log-level=*:error" },
		(char[]){ "-m" }, memory, (char[]){ "-l" }, core };

	snprintf(memory, sizeof(memory), "%u", memory_mb);
	snprintf(core, sizeof(core), "%d", sched_getcpu());
	if (rte_eal_init((int)(sizeof(argv) / sizeof(argv[0])), argv) < 0) {
		fprintf(stderr, "bench: the EAL does not start with %u MB\n", memory_mb);
		exit(EXIT_FAILURE);
	}
	printf("EAL on core %s, %u MB %s\n", core, memory_mb,
		is_huge ? "of huge pages" : "without huge pages (vm.nr_hugepages gives some)");
}
