/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cycles per packet of classification, by shape: the burst path as the daemon runs it, and the
 * walker alone. Full default table, destinations Zipf(1.0) over its ranges, bursts of 32, frames
 * prepared in memory (no PMD). Shapes alternate within a round. Cycles are TSC cycles.
 */
#include "bench.h"
#include "report.h"

#include "base/huge.h"

#include <rte_cycles.h>
#include <stdio.h>
#include <stdlib.h>

#define N_ROUNDS 15
#define BURST    32u
#define N_FEW    2048u
#define N_FRAMES 16384u
#define N_PASSES 4u /* over the frames in flight, per round, at least */

static const char policy[] = "[country]\napprove = EU EEA adequacy US\n";

static const struct cell {
	const char *name;
	struct bench_shape shape;
} cells[] = {
	{ "IPv4", { 0 } },
	{ "IPv6", { .percent6 = 100 } },
	{ "30 % IPv6", { .percent6 = 30 } },
	{ "VLAN + IPv4", { .n_tags = 1 } },
	{ "QinQ + IPv4", { .n_tags = 2 } },
	{ "GRE + IPv4", { .packing = BENCH_GRE } },
	{ "VXLAN + IPv4", { .packing = BENCH_VXLAN } },
	{ "GTP-U + IPv6", { .packing = BENCH_GTPU, .percent6 = 100 } },
	{ "IPv6 + SRH, 3 segments", { .packing = BENCH_SRH3 } },
};
#define N_CELLS (sizeof(cells) / sizeof(cells[0]))

enum way { BURST_FEW, BURST_MANY, WALKER, N_WAYS };
static const char *const way_names[N_WAYS] = { "burst path, 2,048", "burst path, 16,384",
	"walker, 2,048" };

static volatile uint64_t sink;

static double
cycles_burst(const struct ruleset *rs, struct bench_frame *frames, unsigned int n_frames)
{
	struct classify_answers answers;
	struct rte_mbuf *pkts[BURST];
	unsigned int pass, i, k;
	uint64_t begin, sum = 0;

	begin = rte_rdtsc();
	for (pass = 0; pass < N_PASSES; pass++)
		for (i = 0; i < n_frames; i += BURST) {
			for (k = 0; k < BURST; k++)
				pkts[k] = &frames[i + k].mbuf;
			classify_burst_answers(rs, CLASSIFY_OUTBOUND, pkts, BURST, &answers);
			sum += answers.answer[i % BURST];
		}
	sink = sum;
	return (double)(rte_rdtsc() - begin) / (N_PASSES * n_frames);
}

static double
cycles_walker(const struct ruleset *rs, struct bench_frame *frames, unsigned int n_frames)
{
	static struct classify_detail detail;
	unsigned int pass, i;
	uint64_t begin, sum = 0;

	begin = rte_rdtsc();
	for (pass = 0; pass < N_PASSES; pass++)
		for (i = 0; i < n_frames; i++) {
			classify_frame(rs, CLASSIFY_OUTBOUND, &frames[i].mbuf,
				frames[i].mbuf.pkt_len, PACKET_LINK_ETHERNET, &detail);
			sum += detail.result.class;
		}
	sink = sum;
	return (double)(rte_rdtsc() - begin) / (N_PASSES * n_frames);
}

/* What is measured must be what the cell's name says: every frame understood. */
static void
check(const struct ruleset *rs, const struct cell *cell, struct bench_frame *frames)
{
	static struct classify_detail detail;
	unsigned int i;

	for (i = 0; i < N_FRAMES; i++) {
		classify_frame(rs, CLASSIFY_OUTBOUND, &frames[i].mbuf, frames[i].mbuf.pkt_len,
			PACKET_LINK_ETHERNET, &detail);
		if (detail.info.reason == REASON_NONE)
			continue;
		fprintf(stderr, "bench: %s: frame %u is %s\n", cell->name, i,
			reason_name(detail.info.reason));
		exit(EXIT_FAILURE);
	}
}

static void
tell(struct report_series series[N_CELLS][N_WAYS])
{
	char name[64];
	size_t i, way;

	for (i = 0; i < N_CELLS; i++)
		for (way = 0; way < N_WAYS; way++) {
			snprintf(name, sizeof(name), "%s: %s", cells[i].name, way_names[way]);
			report_cell(name, "cycles", &series[i][way], REPORT_LOWER, REPORT_NO_BAR);
		}
}

int
main(int argc, char **argv)
{
	static struct report_series series[N_CELLS][N_WAYS];
	struct bench_frame *frames[N_CELLS];
	struct bench_rules rules;
	uint64_t state = 42;
	unsigned int round;
	size_t i;

	report_begin(argc, argv, "classify", "classification alone, full table, Zipf, bursts of 32",
		N_ROUNDS);
	bench_rules_init(&rules, policy);
	for (i = 0; i < N_CELLS; i++) {
		frames[i] = bench_frames(rules.geo, &cells[i].shape, N_FRAMES, &state);
		check(rules.ruleset, &cells[i], frames[i]);
	}
	for (round = 0; round < report_rounds(); round++)
		for (i = 0; i < N_CELLS; i++) {
			cycles_burst(rules.ruleset, frames[i], N_FEW);
			report_add(&series[i][BURST_FEW],
				cycles_burst(rules.ruleset, frames[i], N_FEW));
			report_add(&series[i][BURST_MANY],
				cycles_burst(rules.ruleset, frames[i], N_FRAMES));
			cycles_walker(rules.ruleset, frames[i], N_FEW);
			report_add(
				&series[i][WALKER], cycles_walker(rules.ruleset, frames[i], N_FEW));
		}
	tell(series);
	for (i = 0; i < N_CELLS; i++)
		huge_free(frames[i], N_FRAMES * sizeof(*frames[i]));
	bench_rules_fini(&rules);
	return report_end();
}
