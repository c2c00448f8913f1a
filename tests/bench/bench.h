/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench: what the measurements share: traffic drawn from the default table, rounds and their
 * medians, rows for people and, with --json FILE, as JSON Lines for tests/bench/run.
 *
 * Threads: one.
 * Units: cycles are TSC cycles.
 */
#pragma once

#include "classify/classify.h"

#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_ROUNDS_MAX 101
#define BENCH_FRAME_SIZE 192u /* with the mbuf an odd number of cache lines: all sets are used */

/* Options of the command line; a bench ends with a message when they are wrong. */
struct bench_options {
	unsigned int n_rounds;
	const char *json; /* NULL = none */
};
void bench_options(int argc, char **argv, struct bench_options *options);

/* The same numbers in every run. */
uint64_t bench_random(uint64_t *state);

/* Index below n by Zipf(1.0). */
size_t bench_zipf(size_t n, uint64_t *state);

enum bench_draw { BENCH_ZIPF, BENCH_UNIFORM };

/* A destination: a range of the table by Zipf or evenly, and an address in it. Ranks are spread over
 * the table, so that popular ranges are not neighbours. */
uint32_t bench_destination4(const struct geo_table *geo, enum bench_draw draw, uint64_t *state);
ip6_t bench_destination6(const struct geo_table *geo, enum bench_draw draw, uint64_t *state);

/* The default table compiled with a policy; ends the program where it cannot be. */
struct bench_rules {
	struct policy *policy;
	struct geo_table *geo;
	struct ruleset *ruleset;
};
void bench_rules_init(struct bench_rules *rules, const char *policy);
void bench_rules_fini(struct bench_rules *rules);

/* A frame of 64 bytes on the wire (or what IPv6 needs), with its mbuf in front of it. */
struct bench_frame {
	struct rte_mbuf mbuf;
	uint8_t bytes[BENCH_FRAME_SIZE];
} __attribute__((aligned(64)));

struct bench_shape {
	unsigned int percent6; /* of the frames are IPv6 */
	unsigned int n_tags;
	enum bench_draw draw;
	unsigned int percent_marked; /* of the frames go to 198.51.100.1 */
};
struct bench_frame *bench_frames(
	const struct geo_table *geo, const struct bench_shape *shape, size_t n, uint64_t *state);

/* What the rounds of one variant in one cell gave. */
struct bench_series {
	double values[BENCH_ROUNDS_MAX];
	unsigned int n;
};
static inline void
bench_add(struct bench_series *s, double value)
{
	s->values[s->n++] = value;
}
double bench_median(const struct bench_series *s);
double bench_min(const struct bench_series *s);
double bench_max(const struct bench_series *s);

/* Round by round a / b: what drifts hits both. */
void bench_ratios(
	const struct bench_series *a, const struct bench_series *b, struct bench_series *ratios);

/* A row of results: `bar` is compared with the median, NAN = none. */
enum bench_better { BENCH_LOWER, BENCH_HIGHER };
struct bench_row {
	const char *bench, *cell, *variant, *unit;
	const struct bench_series *series;
	double bar;
	enum bench_better better;
	bool is_ratio; /* holds on any machine: what CI compares with its baseline */
};
void bench_report(const struct bench_options *options, const struct bench_row *row);

/* Start the EAL for benches: huge pages where there are `memory_mb` of them, else none; says which. */
void bench_eal(unsigned int memory_mb);
