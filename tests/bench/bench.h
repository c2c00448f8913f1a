/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench: what benches inside one process share: the default table compiled, and traffic drawn from it.
 *
 * Threads: one.
 */
#pragma once

#include "classify/classify.h"

#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_FRAME_SIZE 192u /* with the mbuf an odd number of cache lines: all sets are used */

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

/* What the destination is packed in; between addresses of the table, too. */
enum bench_packing { BENCH_PLAIN, BENCH_GRE, BENCH_VXLAN, BENCH_GTPU, BENCH_SRH3 };

struct bench_shape {
	unsigned int percent6; /* of the frames are IPv6; inside of what they are packed in */
	unsigned int n_tags;
	enum bench_draw draw;
	unsigned int percent_marked; /* of the plain IPv4 frames go to 198.51.100.1 */
	enum bench_packing packing;  /* BENCH_SRH3: IPv6 with a routing header of three segments */
};

/* Ends the program when there is no memory. Freed with huge_free(). */
struct bench_frame *bench_frames(
	const struct geo_table *geo, const struct bench_shape *shape, size_t n, uint64_t *state);

/* Start the EAL for benches: huge pages where there are `memory_mb` of them, else none; says which. */
void bench_eal(unsigned int memory_mb);
