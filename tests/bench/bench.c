/* SPDX-License-Identifier: BSD-3-Clause */
/* The table and the traffic of benches inside one process. */
#include "bench.h"

#include "base/huge.h"

#include <math.h>
#include <netinet/in.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UDP_SIZE 8u

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
put_ip4(uint8_t *p, uint32_t to, uint32_t from, uint8_t protocol, unsigned int payload)
{
	p[0] = 0x45;
	put16(p + 2, 20 + payload);
	p[8] = 64;
	p[9] = protocol;
	put16(p + 12, from >> 16);
	put16(p + 14, from & 0xffff);
	put16(p + 16, to >> 16);
	put16(p + 18, to & 0xffff);
	return p + 20;
}

static uint8_t *
put_ip6(uint8_t *p, ip6_t to, uint32_t from, uint8_t next, unsigned int payload)
{
	p[0] = 0x60;
	put16(p + 4, payload);
	p[6] = next;
	p[7] = 64;
	ip6_to_bytes(IP6(UINT64_C(0x2a00) << 48, from), p + 8);
	ip6_to_bytes(to, p + 24);
	return p + 40;
}

static uint8_t *
put_udp(uint8_t *p, unsigned int from, unsigned int to, unsigned int payload)
{
	put16(p, from);
	put16(p + 2, to);
	put16(p + 4, UDP_SIZE + payload);
	return p + UDP_SIZE;
}

/* Source ports as clients choose them, to the ports of servers. */
static uint8_t *
put_client_udp(uint8_t *p, uint64_t random)
{
	return put_udp(
		p, 32768 + (unsigned int)(random % 16000), (random >> 20 & 3) == 0 ? 53 : 443, 0);
}

static uint8_t *
put_datagram4(
	uint8_t *p, const struct geo_table *geo, const struct bench_shape *shape, uint64_t *state)
{
	bool is_marked = bench_random(state) % 100 < shape->percent_marked;
	uint32_t to = bench_destination4(geo, shape->draw, state);

	p = put_ip4(p, is_marked ? IP4(198, 51, 100, 1) : to, (uint32_t)bench_random(state),
		IPPROTO_UDP, UDP_SIZE);
	return put_client_udp(p, bench_random(state));
}

static uint8_t *
put_datagram6(
	uint8_t *p, const struct geo_table *geo, const struct bench_shape *shape, uint64_t *state)
{
	ip6_t to = bench_destination6(geo, shape->draw, state);

	p = put_ip6(p, to, (uint32_t)bench_random(state), IPPROTO_UDP, UDP_SIZE);
	return put_client_udp(p, bench_random(state));
}

static uint8_t *
put_srh3(uint8_t *p, const struct geo_table *geo, const struct bench_shape *shape, uint64_t *state)
{
	static const uint8_t header[] = { IPPROTO_UDP, 6, 4, 2, 2 };
	unsigned int i;

	p = put_ip6(p, bench_destination6(geo, shape->draw, state), 1, IPPROTO_ROUTING,
		8 + 3 * 16 + UDP_SIZE);
	memcpy(p, header, sizeof(header));
	for (i = 0, p += 8; i < 3; i++, p += 16)
		ip6_to_bytes(bench_destination6(geo, shape->draw, state), p);
	return put_client_udp(p, bench_random(state));
}

/* The outer header of a tunnel with `size` bytes of a datagram in it. */
static uint8_t *
put_tunnel(
	uint8_t *p, uint32_t to, enum bench_packing packing, unsigned int type, unsigned int size)
{
	if (packing == BENCH_GRE) {
		p = put_ip4(p, to, 1, IPPROTO_GRE, 4 + size);
		put16(p + 2, type);
		return p + 4;
	}
	if (packing == BENCH_VXLAN) {
		p = put_ip4(p, to, 1, IPPROTO_UDP, UDP_SIZE + 8 + 14 + size);
		p = put_udp(p, 40000, 4789, 8 + 14 + size);
		p[0] = 0x08;
		return put_ethernet(p + 8, 0, type);
	}
	p = put_ip4(p, to, 1, IPPROTO_UDP, UDP_SIZE + 8 + size);
	p = put_udp(p, 40000, 2152, 8 + size);
	p[0] = 0x30;
	p[1] = 0xff;
	put16(p + 2, size);
	return p + 8;
}

static uint8_t *
put_packets(
	uint8_t *p, const struct geo_table *geo, const struct bench_shape *shape, uint64_t *state)
{
	bool is_ip6 = shape->packing == BENCH_SRH3 || bench_random(state) % 100 < shape->percent6;
	unsigned int type = is_ip6 ? 0x86dd : 0x0800;

	p = put_ethernet(p, shape->n_tags,
		shape->packing == BENCH_PLAIN || shape->packing == BENCH_SRH3 ? type : 0x0800);
	if (shape->packing == BENCH_SRH3)
		return put_srh3(p, geo, shape, state);
	if (shape->packing != BENCH_PLAIN)
		p = put_tunnel(p, bench_destination4(geo, shape->draw, state), shape->packing, type,
			(is_ip6 ? 40 : 20) + UDP_SIZE);
	return is_ip6 ? put_datagram6(p, geo, shape, state) : put_datagram4(p, geo, shape, state);
}

static void
make_frame(struct bench_frame *f, const struct geo_table *geo, const struct bench_shape *shape,
	uint64_t *state)
{
	size_t size;

	memset(f, 0, sizeof(*f));
	size = (size_t)(put_packets(f->bytes, geo, shape, state) - f->bytes);
	size = size > 60 ? size : 60;
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
