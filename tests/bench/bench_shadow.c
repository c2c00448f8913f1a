/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the hook for candidates costs per packet, beside classification: without a shadow, with one
 * that has no candidate, with a candidate that says the same, and with one that says otherwise of
 * most. Full table, Zipf(1.0), bursts of 32; the variants alternate within a round.
 */
#include "bench.h"
#include "base/huge.h"
#include "report.h"

#include "shadow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BURST    32u
#define N_FRAMES 8192u
#define N_ROUNDS 15

enum variant { NO_SHADOW, NO_CANDIDATE, SAME, OTHER, N_VARIANTS };

static const char *const names[N_VARIANTS] = { "no shadow", "no candidate", "candidate, same",
	"candidate, other" };
static const char *const policies[N_VARIANTS] = { [SAME] = "[country]\napprove = EU EEA US\n",
	[OTHER] = "[policy]\ndefault = mirror\n[country]\ndrop = EU US\n" };

static struct generation *
generation_of(struct geo_ref *geo, const char *text)
{
	struct policy *policy = policy_parse(text, strlen(text), "policy.ini", NULL);
	struct generation *g = policy != NULL ? generation_new(1, policy, geo, false, 1) : NULL;

	if (g == NULL) {
		fprintf(stderr, "bench_shadow: no generation of '%s'\n", text);
		exit(1);
	}
	return g;
}

/* Cycles per packet of judging all frames once. */
static double
run_once(const struct generation *g, const struct shadow *shadow, struct bench_frame *frames)
{
	struct classify_result results[BURST];
	struct rte_mbuf *pkts[BURST];
	uint64_t begin = rte_rdtsc();
	unsigned int i, k;

	for (i = 0; i < N_FRAMES; i += BURST) {
		for (k = 0; k < BURST; k++)
			pkts[k] = &frames[i + k].mbuf;
		classify_burst(g->ruleset, CLASSIFY_OUTBOUND, pkts, BURST, results);
		shadow_judge(shadow, 0, g, CLASSIFY_OUTBOUND, pkts, BURST, results);
	}
	return (double)(rte_rdtsc() - begin) / N_FRAMES;
}

static struct shadow *
shadow_of(struct rte_rcu_qsbr *qsbr, struct geo_ref *geo, enum variant v)
{
	struct shadow *s = v != NO_SHADOW ? shadow_new(qsbr) : NULL;

	if (s != NULL && policies[v] != NULL &&
		shadow_set(s, candidate_new(generation_of(geo, policies[v]), 1, 1)) != 0)
		exit(1);
	return s;
}

int
main(int argc, char **argv)
{
	static const struct bench_shape shape = { .percent6 = 30, .draw = BENCH_ZIPF };
	struct report_series series[N_VARIANTS] = { { .n = 0 } };
	struct rte_rcu_qsbr *qsbr = aligned_alloc(64, (rte_rcu_qsbr_get_memsize(1) + 63) & ~63ul);
	struct shadow *shadows[N_VARIANTS];
	struct bench_frame *frames;
	struct generation *g;
	struct geo_ref *geo;
	uint64_t state = 42;
	unsigned int v, i;
	struct err e;

	report_begin(argc, argv, "shadow",
		"what a candidate beside the running policy costs; 30 % IPv6, Zipf, full table",
		N_ROUNDS);
	geo = geo_ref_load(geo_default_path(), &e);
	if (geo == NULL || qsbr == NULL || rte_rcu_qsbr_init(qsbr, 1) != 0)
		return 1;
	g = generation_of(geo, policies[SAME]);
	frames = bench_frames(geo->table, &shape, N_FRAMES, &state);
	for (v = 0; v < N_VARIANTS; v++)
		shadows[v] = shadow_of(qsbr, geo, v);
	for (i = 0; i <= report_rounds(); i++)
		for (v = 0; v < N_VARIANTS; v++) {
			double cycles = run_once(g, shadows[v], frames);

			if (i > 0) /* the first warms up */
				report_add(&series[v], cycles);
		}
	for (v = 0; v < N_VARIANTS; v++) {
		report_cell(names[v], "cycles", &series[v], REPORT_LOWER, REPORT_NO_BAR);
		shadow_free(shadows[v]);
	}
	generation_free(g);
	geo_ref_drop(geo);
	huge_free(frames, N_FRAMES * sizeof(*frames));
	free(qsbr);
	return report_end();
}
