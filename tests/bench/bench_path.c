/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The data path of one worker without a port: frames come from a ring, whose mbufs get the fields
 * that a driver writes, are parsed, judged, counted by origin and by reason, split and put back. The
 * reference does the same with rte_fib and rte_fib6 in place of our tables: same parser, same
 * counters, same split. Rounds alternate. Full default table; cycles per packet.
 */
#include "account.h"
#include "base/isa.h"
#include "bench.h"
#include "mirror/mirror.h"
#include "packet/burst.h"
#include "reference.h"
#include "report.h"

#include <rte_cycles.h>
#include <rte_ring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BURST_MAX    32u
#define N_PASSES     4u /* over the frames in flight, per round, at least */
#define N_FRAMES_MIN 32768u
#define MIRROR_SIZE  (16u << 20)
#define SNAPLEN      128u
#define RATIO_BAR    0.85
#define N_ROUNDS     15

static const char policy[] = "[policy]\ndefault = drop\nunknown = drop\n"
			     "[country]\napprove = EU EEA adequacy US\n"
			     "[prefix]\nmirror = 198.51.100.0/24\n";

struct cell {
	const char *name;
	struct bench_shape shape;
	unsigned int n_frames, burst;
	double bar; /* cycles, on the machine of design/performance.md */
};

static const struct cell cells[] = {
	{ "IPv4, 2,048", { 0 }, 2048, 32, 22 },
	{ "IPv4, 16,384", { 0 }, 16384, 32, 34 },
	{ "30 % IPv6, 2,048", { .percent6 = 30 }, 2048, 32, 32 },
	{ "30 % IPv6, 16,384", { .percent6 = 30 }, 16384, 32, 45 },
	{ "IPv6, 2,048", { .percent6 = 100 }, 2048, 32, 42 },
	{ "IPv6, 16,384", { .percent6 = 100 }, 16384, 32, 56 },
	{ "IPv4 uniform, 262,144 cold", { .draw = BENCH_UNIFORM }, 262144, 32, 95 },
	{ "VLAN + IPv4, 2,048", { .n_tags = 1 }, 2048, 32, REPORT_NO_BAR },
	{ "IPv4, 2,048, bursts of 16", { 0 }, 2048, 16, REPORT_NO_BAR },
	{ "IPv4, 2,048, bursts of 8", { 0 }, 2048, 8, REPORT_NO_BAR },
	{ "IPv4, 2,048, bursts of 4", { 0 }, 2048, 4, REPORT_NO_BAR },
	{ "IPv4, 2,048, 1 % mirrored", { .percent_marked = 1 }, 2048, 32, REPORT_NO_BAR },
};
#define N_CELLS (sizeof(cells) / sizeof(cells[0]))

struct path {
	struct bench_rules rules;
	struct reference reference;
	ruleset_answer_t *answer_of_class; /* the reference's attributes */
	struct stats_worker stats;
	struct stats_class counters;
	struct mirror_ring *mirror;
	struct rte_ring *rings[N_CELLS];
};

static struct path path;

/* A driver's part: descriptors become mbufs. */
static inline void
write_fields(struct rte_mbuf **pkts, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];

		m->data_off = 0;
		m->refcnt = 1;
		m->nb_segs = 1;
		m->port = 0;
		m->ol_flags = 0;
		m->pkt_len = m->data_len;
	}
}

/* Keys, look-up, attributes: what classify_burst_answers() does for plain frames. */
static inline void
judge_by_reference(struct rte_mbuf *const *pkts, unsigned int n, struct classify_answers *out)
{
	uint64_t found[PACKET_BURST_MAX];
	reference_ip6_t ip6[PACKET_BURST_MAX];
	struct packet_keys keys;
	unsigned int i;

	packet_burst_keys(pkts, n, &path.rules.policy->limits, PACKET_DESTINATIONS, &keys);
	if (keys.n4 > 0)
		reference_lookup4(&path.reference, keys.ip4, found, keys.n4);
	for (i = 0; i < keys.n4; i++)
		out->answer[keys.at4[i]] = path.answer_of_class[found[i]];
	for (i = 0; i < keys.n6; i++) {
		uint64_t half[2] = { __builtin_bswap64((uint64_t)(keys.ip6[i] >> 64)),
			__builtin_bswap64((uint64_t)keys.ip6[i]) };

		memcpy(ip6[i].a, half, sizeof(half));
	}
	if (keys.n6 > 0)
		reference_lookup6(&path.reference, ip6, found, keys.n6);
	for (i = 0; i < keys.n6; i++)
		out->answer[keys.at6[i]] = path.answer_of_class[found[i]];
}

static inline void
mirror_marked(struct rte_mbuf *const *pkts, const struct classify_answers *answers,
	const uint32_t *lengths, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct mirror_note note = { .time_ns = i, .wire_length = lengths[i] };

		if ((answers->answer[i] & RULESET_MIRROR) == 0)
			continue;
		note.class = answers->answer[i] & RULESET_CLASS_MASK;
		mirror_ring_put(path.mirror, pkts[i], SNAPLEN, &note);
	}
}

/* What a worker does with a burst between receiving and sending. */
static inline __attribute__((always_inline)) void
handle(struct rte_mbuf **pkts, unsigned int n, struct rte_ring *ring, bool is_reference)
{
	struct rte_mbuf *pass[BURST_MAX], *drop[BURST_MAX];
	struct classify_answers answers;
	uint32_t lengths[BURST_MAX];
	unsigned int i, n_pass = 0, n_drop = 0;
	ruleset_answer_t any = 0;

	for (i = 0; i < n; i++)
		lengths[i] = pkts[i]->pkt_len;
	if (is_reference)
		judge_by_reference(pkts, n, &answers);
	else
		classify_burst_answers(path.rules.ruleset, CLASSIFY_OUTBOUND, pkts, n, &answers);
	account_prefetch(path.counters.all, answers.answer, n);
	for (i = 0; i < n; i++) {
		unsigned int is_pass = (answers.answer[i] & RULESET_FORWARD) != 0;

		any |= answers.answer[i];
		pass[n_pass] = drop[n_drop] = pkts[i];
		n_pass += is_pass;
		n_drop += !is_pass;
	}
	if ((any & RULESET_MIRROR) != 0)
		mirror_marked(pkts, &answers, lengths, n);
	rte_ring_sp_enqueue_burst(ring, (void **)pass, n_pass, NULL);
	rte_ring_sp_enqueue_burst(ring, (void **)drop, n_drop, NULL);
	account_burst(&path.stats, &path.counters, path.counters.all, answers.answer, lengths, n);
}

static inline __attribute__((always_inline)) double
run(const struct cell *cell, struct rte_ring *ring, bool is_reference)
{
	unsigned int passes = N_FRAMES_MIN / cell->n_frames, i, n;
	unsigned int n_frames = cell->n_frames * (passes > N_PASSES ? passes : N_PASSES);
	struct rte_mbuf *pkts[BURST_MAX];
	uint64_t begin = rte_rdtsc();

	for (i = 0; i < n_frames; i += n) {
		n = rte_ring_sc_dequeue_burst(ring, (void **)pkts, cell->burst, NULL);
		write_fields(pkts, n);
		handle(pkts, n, ring, is_reference);
	}
	return (double)(rte_rdtsc() - begin) / n_frames;
}

static __attribute__((noinline)) double
run_ours(const struct cell *cell, struct rte_ring *ring)
{
	return run(cell, ring, false);
}

static __attribute__((noinline)) double
run_reference(const struct cell *cell, struct rte_ring *ring)
{
	return run(cell, ring, true);
}

/* Both sides must give every frame the same answer, or the figures mean nothing. */
static void
check(const struct cell *cell, struct bench_frame *frames)
{
	struct classify_answers ours, theirs;
	struct rte_mbuf *pkts[BURST_MAX];
	unsigned int i, k;

	for (i = 0; i < cell->n_frames; i += BURST_MAX) {
		for (k = 0; k < BURST_MAX; k++)
			pkts[k] = &frames[i + k].mbuf;
		classify_burst_answers(
			path.rules.ruleset, CLASSIFY_OUTBOUND, pkts, BURST_MAX, &ours);
		judge_by_reference(pkts, BURST_MAX, &theirs);
		if (memcmp(ours.answer, theirs.answer, BURST_MAX * sizeof(ours.answer[0])) != 0) {
			fprintf(stderr, "bench: %s: the reference disagrees\n", cell->name);
			exit(EXIT_FAILURE);
		}
	}
}

/* The fastest of the reference's look-ups on this cell's kind of traffic. */
static void
select_best_reference(void)
{
	double cycles, least[2] = { INFINITY, INFINITY };
	unsigned int i, best[2] = { 0, 0 };

	for (i = 0; i < reference_n_variants4(); i++) {
		if (reference_select4(&path.reference, i) != 0)
			continue;
		run_reference(&cells[1], path.rings[1]);
		cycles = run_reference(&cells[1], path.rings[1]);
		best[0] = cycles < least[0] ? i : best[0];
		least[0] = fmin(cycles, least[0]);
	}
	(void)reference_select4(&path.reference, best[0]);
	for (i = 0; i < reference_n_variants6(); i++)
		if (reference_select6(&path.reference, i) == 0)
			best[1] = i; /* in order of speed */
	(void)reference_select6(&path.reference, best[1]);
	report_note("reference: %s, %s; ours: %s", reference_name4(best[0]),
		reference_name6(best[1]), isa_name(isa_selected));
}

static void
make_ring(size_t i, struct bench_frame *frames)
{
	char name[32];
	unsigned int k;

	snprintf(name, sizeof(name), "cell %zu", i);
	path.rings[i] = rte_ring_create(
		name, 2 * cells[i].n_frames, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (path.rings[i] == NULL) {
		fprintf(stderr, "bench: no memory for a ring\n");
		exit(EXIT_FAILURE);
	}
	for (k = 0; k < cells[i].n_frames; k++)
		rte_ring_sp_enqueue(path.rings[i], &frames[k].mbuf);
}

static void
prepare(struct bench_frame *frames[N_CELLS])
{
	uint64_t state = 42;
	uint32_t i;

	bench_eal(REFERENCE_MEMORY_MB);
	bench_rules_init(&path.rules, policy);
	reference_init(&path.reference, path.rules.ruleset);
	path.mirror = mirror_ring_new(MIRROR_SIZE);
	path.answer_of_class = calloc(path.rules.ruleset->n_classes, sizeof(ruleset_answer_t));
	if (path.mirror == NULL || path.answer_of_class == NULL ||
		stats_class_init(&path.counters, path.rules.ruleset->n_classes) != 0) {
		fprintf(stderr, "bench: out of memory\n");
		exit(EXIT_FAILURE);
	}
	for (i = 0; i < path.rules.ruleset->n_classes; i++)
		path.answer_of_class[i] = ruleset_answer(i, path.rules.ruleset->reason[i],
			path.rules.ruleset->verdict[i] & RULESET_VERDICT_MASK);
	for (i = 0; i < N_CELLS; i++) {
		frames[i] =
			bench_frames(path.rules.geo, &cells[i].shape, cells[i].n_frames, &state);
		make_ring(i, frames[i]);
		check(&cells[i], frames[i]);
	}
}

/* A round of a cell; each side warms up first. Copies are taken out meanwhile. */
static void
run_round(size_t i, struct report_series *ours, struct report_series *theirs)
{
	uint64_t lost = 0;

	run_ours(&cells[i], path.rings[i]);
	mirror_drain(&path.mirror, 1, NULL, NULL, &lost);
	report_add(ours, run_ours(&cells[i], path.rings[i]));
	mirror_drain(&path.mirror, 1, NULL, NULL, &lost);
	run_reference(&cells[i], path.rings[i]);
	mirror_drain(&path.mirror, 1, NULL, NULL, &lost);
	report_add(theirs, run_reference(&cells[i], path.rings[i]));
	mirror_drain(&path.mirror, 1, NULL, NULL, &lost);
}

static void
tell(const struct report_series *ours, const struct report_series *theirs)
{
	char name[64];
	size_t i;

	for (i = 0; i < N_CELLS; i++) {
		snprintf(name, sizeof(name), "%s: trefoil", cells[i].name);
		report_cell(name, "cycles", &ours[i], REPORT_LOWER, cells[i].bar);
		snprintf(name, sizeof(name), "%s: rte_fib", cells[i].name);
		report_cell(name, "cycles", &theirs[i], REPORT_LOWER, REPORT_NO_BAR);
		snprintf(name, sizeof(name), "%s: trefoil / rte_fib", cells[i].name);
		report_ratio(name, &ours[i], &theirs[i], REPORT_LOWER, RATIO_BAR);
	}
}

int
main(int argc, char **argv)
{
	static struct report_series ours[N_CELLS], theirs[N_CELLS];
	struct bench_frame *frames[N_CELLS];
	unsigned int round;
	size_t i;

	report_begin(argc, argv, "path",
		"a worker's burst from ring to ring, 64-byte frames (IPv6: 62 and more), Zipf, "
		"full table",
		N_ROUNDS);
	prepare(frames);
	select_best_reference();
	for (round = 0; round < report_rounds(); round++)
		for (i = 0; i < N_CELLS; i++)
			run_round(i, &ours[i], &theirs[i]);
	tell(ours, theirs);
	return report_end();
}
