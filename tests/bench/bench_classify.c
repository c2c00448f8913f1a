/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cycles per packet of classification, by shape: the burst path as the daemon runs it, and the
 * walker alone. Full default table, destinations Zipf(1.0) over its ranges, bursts of 32, frames
 * prepared in memory (no PMD). Prints the median of the rounds; shapes alternate within a round, so
 * that the machine's drift hits all alike. Cycles are TSC cycles.
 */
#include "classify/classify.h"

#include <math.h>
#include <rte_cycles.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_ROUNDS   15
#define BURST      32u
#define FRAME_SIZE 256u
#define N_FRAMES   16384u
#define N_PASSES   4u /* over the frames in flight, per round, at least */

struct frame {
	struct rte_mbuf mbuf;
	uint8_t bytes[FRAME_SIZE];
} __attribute__((aligned(64)));

enum shape { PLAIN4, PLAIN6, MIXED, VLAN4, QINQ4, GRE4, VXLAN4, GTPU6, SRH3, N_SHAPES };

static const char *const shape_names[N_SHAPES] = { "IPv4", "IPv6", "30 % IPv6", "VLAN + IPv4",
	"QinQ + IPv4", "GRE + IPv4", "VXLAN + IPv4", "GTP-U + IPv6", "IPv6 + SRH, 3 segments" };

static const char policy_text[] = "[country]\napprove = EU EEA adequacy US\n";

static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Index below n by Zipf(1.0): the inverse of the harmonic sum, good enough for a bench. */
static size_t
zipf(size_t n, uint64_t *state)
{
	double u = (double)(next_random(state) >> 11) / 9007199254740992.0;

	return (size_t)exp(u * log((double)n)) % n;
}

/* Ranks are spread over the table, so that popular ranges are not neighbours. */
static uint32_t
destination4(const struct geo_table *geo, uint64_t *state)
{
	size_t rank = zipf(geo->n_ranges4, state);
	const struct geo_range4 *r = &geo->ranges4[rank * 2654435761u % geo->n_ranges4];

	return r->first + (uint32_t)(next_random(state) % (r->last - r->first + UINT64_C(1)));
}

static ip6_t
destination6(const struct geo_table *geo, uint64_t *state)
{
	size_t rank = zipf(geo->n_ranges6, state);

	return geo->ranges6[rank * 2654435761u % geo->n_ranges6].first + (next_random(state) & 7);
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
put_ip4(uint8_t *p, uint32_t to, uint8_t protocol, unsigned int payload)
{
	p[0] = 0x45;
	put16(p + 2, 20 + payload);
	p[8] = 64;
	p[9] = protocol;
	p[12] = 10;
	put16(p + 16, to >> 16);
	put16(p + 18, to & 0xffff);
	return p + 20;
}

static uint8_t *
put_ip6(uint8_t *p, ip6_t to, uint8_t next, unsigned int payload)
{
	p[0] = 0x60;
	put16(p + 4, payload);
	p[6] = next;
	p[7] = 64;
	ip6_to_bytes(IP6(UINT64_C(0x2a00) << 48, 1), p + 8);
	ip6_to_bytes(to, p + 24);
	return p + 40;
}

static uint8_t *
put_udp(uint8_t *p, unsigned int port, unsigned int payload)
{
	put16(p, 40000);
	put16(p + 2, port);
	put16(p + 4, 8 + payload);
	return p + 8;
}

static uint8_t *
make_srh(uint8_t *p, const struct geo_table *geo, uint64_t *state)
{
	unsigned int i;

	p = put_ethernet(p, 0, 0x86dd);
	p = put_ip6(p, destination6(geo, state), 43, 8 + 3 * 16 + 8);
	p[0] = 17;
	p[1] = 6;
	p[2] = 4;
	p[3] = 2;
	p[4] = 2;
	for (i = 0; i < 3; i++)
		ip6_to_bytes(destination6(geo, state), p + 8 + 16 * i);
	return put_udp(p + 56, 53, 0);
}

static uint8_t *
make_tunnel(uint8_t *p, enum shape shape, const struct geo_table *geo, uint64_t *state)
{
	p = put_ethernet(p, 0, 0x0800);
	if (shape == GRE4) {
		p = put_ip4(p, destination4(geo, state), 47, 4 + 28);
		put16(p + 2, 0x0800);
		p = put_ip4(p + 4, destination4(geo, state), 17, 8);
	} else if (shape == VXLAN4) {
		p = put_ip4(p, destination4(geo, state), 17, 8 + 8 + 14 + 28);
		p = put_udp(p, 4789, 8 + 14 + 28);
		p[0] = 8;
		p = put_ethernet(p + 8, 0, 0x0800);
		p = put_ip4(p, destination4(geo, state), 17, 8);
	} else {
		p = put_ip4(p, destination4(geo, state), 17, 8 + 8 + 48);
		p = put_udp(p, 2152, 8 + 48);
		p[0] = 0x30;
		p[1] = 255;
		put16(p + 2, 48);
		p = put_ip6(p + 8, destination6(geo, state), 17, 8);
	}
	return put_udp(p, 53, 0);
}

static void
make_frame(struct frame *f, enum shape shape, const struct geo_table *geo, uint64_t *state)
{
	uint8_t *p = f->bytes;

	memset(f, 0, sizeof(*f));
	if (shape == MIXED)
		shape = next_random(state) % 10 < 3 ? PLAIN6 : PLAIN4;
	if (shape == PLAIN6) {
		p = put_ip6(put_ethernet(p, 0, 0x86dd), destination6(geo, state), 17, 8);
		p = put_udp(p, 53, 0);
	} else if (shape == SRH3) {
		p = make_srh(p, geo, state);
	} else if (shape >= GRE4) {
		p = make_tunnel(p, shape, geo, state);
	} else {
		p = put_ethernet(p, shape == QINQ4 ? 2 : shape == VLAN4, 0x0800);
		p = put_udp(put_ip4(p, destination4(geo, state), 17, 8), 53, 0);
	}
	f->mbuf.buf_addr = f->bytes;
	f->mbuf.nb_segs = 1;
	f->mbuf.data_len = f->mbuf.buf_len = (uint16_t)(p - f->bytes > 60 ? p - f->bytes : 60);
	f->mbuf.pkt_len = f->mbuf.data_len;
}

static volatile uint64_t sink;

static double
cycles_burst(const struct ruleset *rs, struct frame *frames, unsigned int n_frames)
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
cycles_walker(const struct ruleset *rs, struct frame *frames, unsigned int n_frames)
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

static int
double_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double
median(double values[N_ROUNDS])
{
	qsort(values, N_ROUNDS, sizeof(*values), double_compare);
	return values[N_ROUNDS / 2];
}

static void
measure(const struct ruleset *rs, struct frame *frames[N_SHAPES])
{
	static double few[N_SHAPES][N_ROUNDS], many[N_SHAPES][N_ROUNDS], walk[N_SHAPES][N_ROUNDS];
	unsigned int round, s;

	for (round = 0; round < N_ROUNDS; round++)
		for (s = 0; s < N_SHAPES; s++) {
			cycles_burst(rs, frames[s], 2048);
			few[s][round] = cycles_burst(rs, frames[s], 2048);
			many[s][round] = cycles_burst(rs, frames[s], N_FRAMES);
			walk[s][round] = cycles_walker(rs, frames[s], 2048);
		}
	printf("%-24s %12s %12s %12s\n", "cycles per packet", "burst 2,048", "burst 16,384",
		"walker 2,048");
	for (s = 0; s < N_SHAPES; s++)
		printf("%-24s %12.1f %12.1f %12.1f\n", shape_names[s], median(few[s]),
			median(many[s]), median(walk[s]));
}

int
main(void)
{
	static struct err_list errors;
	struct frame *frames[N_SHAPES];
	struct policy *policy =
		policy_parse(policy_text, sizeof(policy_text) - 1, "policy.ini", &errors);
	struct geo_table *geo = geo_load(geo_default_path(), NULL);
	struct ruleset *rs;
	uint64_t state = 42;
	unsigned int s, i;

	rs = policy != NULL && geo != NULL ? ruleset_compile(policy, geo, NULL) : NULL;
	if (rs == NULL)
		return EXIT_FAILURE;
	for (s = 0; s < N_SHAPES; s++) {
		frames[s] = aligned_alloc(64, N_FRAMES * sizeof(struct frame));
		if (frames[s] == NULL)
			return EXIT_FAILURE;
		for (i = 0; i < N_FRAMES; i++)
			make_frame(&frames[s][i], (enum shape)s, geo, &state);
	}
	printf("bursts of %u, full table, Zipf, median of %u rounds\n", BURST, N_ROUNDS);
	measure(rs, frames);
	for (s = 0; s < N_SHAPES; s++)
		free(frames[s]);
	ruleset_free(rs);
	policy_free(policy);
	geo_free(geo);
	return EXIT_SUCCESS;
}
