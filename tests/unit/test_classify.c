/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * classify: one verdict and one reason per frame; the burst path and the walker are one contract.
 */
#include "suite.h"

#include "base/isa.h"
#include "capture/capture.h"
#include "classify/classify.h"
#include "geo/geo_build.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_MAX   2048
#define N_COPIES    19
#define N_MUTATIONS 3000000

struct fixture {
	struct policy *policy;
	struct geo_table *geo;
	struct ruleset *ruleset;
};

static const char base_policy[] = "[policy]\ndefault = drop\n[country]\napprove = IE DE\n"
				  "mirror = US\ndrop+mirror = CN\n"
				  "[prefix]\ndrop = 5.5.5.0/24\n"
				  "[special]\nmulticast = drop\n"
				  "[direction]\ninbound = pass\n";

static void
add(struct geo_build *b, const char *prefix, const char *country)
{
	struct ip_range range;

	CU_ASSERT_EQUAL_FATAL(ip_parse_prefix(prefix, &range), 0);
	CU_ASSERT_EQUAL_FATAL(
		geo_build_add_country(b, &range, country, geo_build_add_source(b, "test")), 0);
}

static void
fixture_init(struct fixture *f, const char *text)
{
	static struct err_list errors;
	struct geo_build *b = geo_build_new();

	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	add(b, "1.0.0.0/8", "CN");
	add(b, "2.0.0.0/8", "IE");
	add(b, "3.0.0.0/8", "US");
	add(b, "5.0.0.0/8", "DE");
	add(b, "2a00::/16", "DE");
	add(b, "2a01::/16", "CN");
	f->geo = geo_build_seal(b);
	f->policy = policy_parse(text, strlen(text), "policy.ini", &errors);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f->geo);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f->policy);
	f->ruleset = ruleset_compile(f->policy, f->geo, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f->ruleset);
}

static void
fixture_fini(struct fixture *f)
{
	ruleset_free(f->ruleset);
	policy_free(f->policy);
	geo_free(f->geo);
}

static void
put16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void
put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

struct frame {
	uint8_t bytes[FRAME_MAX];
	uint32_t length;
};

static void
ethernet(struct frame *f, unsigned int n_tags, unsigned int type)
{
	unsigned int i;

	memset(f->bytes, 0, sizeof(f->bytes));
	f->bytes[5] = f->bytes[11] = 2;
	f->length = 12;
	for (i = 0; i < n_tags; i++) {
		put16(f->bytes + f->length, i + 1 < n_tags ? 0x88a8 : 0x8100);
		put16(f->bytes + f->length + 2, 100 + i);
		f->length += 4;
	}
	put16(f->bytes + f->length, type);
	f->length += 2;
}

/* An IPv4 header with `options_size` bytes of options (zero = end of list). */
static uint8_t *
ip4(struct frame *f, unsigned int options_size, uint32_t source, uint32_t destination,
	uint8_t protocol, unsigned int payload)
{
	uint8_t *ip = f->bytes + f->length;

	ip[0] = (uint8_t)(0x40 | (5 + options_size / 4));
	put16(ip + 2, 20 + options_size + payload);
	ip[8] = 64;
	ip[9] = protocol;
	put32(ip + 12, source);
	put32(ip + 16, destination);
	f->length += 20 + options_size;
	return ip;
}

static uint8_t *
ip6(struct frame *f, ip6_t source, ip6_t destination, uint8_t next, unsigned int payload)
{
	uint8_t *ip = f->bytes + f->length;

	ip[0] = 0x60;
	put16(ip + 4, payload);
	ip[6] = next;
	ip[7] = 64;
	ip6_to_bytes(source, ip + 8);
	ip6_to_bytes(destination, ip + 24);
	f->length += 40;
	return ip;
}

static void
udp(struct frame *f, unsigned int source, unsigned int destination, unsigned int payload)
{
	put16(f->bytes + f->length, source);
	put16(f->bytes + f->length + 2, destination);
	put16(f->bytes + f->length + 4, 8 + payload);
	f->length += 8;
}

static void
wrap(struct rte_mbuf *m, uint8_t *bytes, uint32_t length)
{
	memset(m, 0, sizeof(*m));
	m->buf_addr = bytes;
	m->buf_len = (uint16_t)length;
	m->data_len = (uint16_t)length;
	m->pkt_len = length;
	m->nb_segs = 1;
}

static bool
is_same(const struct classify_result *a, const struct classify_result *b)
{
	return a->class == b->class && a->verdict == b->verdict && a->reason == b->reason &&
	       a->non_ip == b->non_ip && a->is_odd == b->is_odd;
}

/* Both paths over one frame, alone and with copies of it; they must agree. The bytes sit at the end of
 * an exact allocation, so that a sanitizer sees a read behind them. */
static struct classify_result
judge(const struct fixture *f, enum classify_direction direction, const uint8_t *bytes,
	uint32_t length)
{
	static struct classify_detail detail;
	struct classify_result burst, many[N_COPIES];
	uint8_t *copy = malloc(length > 0 ? length : 1);
	struct rte_mbuf m, *pkts[N_COPIES];
	unsigned int i;

	CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
	memcpy(copy, bytes, length);
	wrap(&m, copy, length);
	for (i = 0; i < N_COPIES; i++)
		pkts[i] = &m;
	classify_burst(f->ruleset, direction, pkts, 1, &burst);
	classify_burst(f->ruleset, direction, pkts, N_COPIES, many);
	for (i = 0; i < N_COPIES; i++)
		CU_ASSERT(is_same(&burst, &many[i]));
	classify_frame(f->ruleset, direction, &m, length, PACKET_LINK_ETHERNET, &detail);
	if (!is_same(&burst, &detail.result))
		printf("burst %s/%s class %u, walker %s/%s class %u ", verdict_name(burst.verdict),
			reason_name(burst.reason), burst.class, verdict_name(detail.result.verdict),
			reason_name(detail.result.reason), detail.result.class);
	CU_ASSERT(is_same(&burst, &detail.result));
	CU_ASSERT_NOT_EQUAL(burst.reason, REASON_NONE);
	CU_ASSERT_EQUAL(classify_rule(f->ruleset, &burst), detail.rule);
	free(copy);
	return burst;
}

static void
expect(const struct fixture *f, const struct frame *frame, const char *verdict, const char *reason)
{
	struct classify_result r = judge(f, CLASSIFY_OUTBOUND, frame->bytes, frame->length);

	if (strcmp(verdict_name(r.verdict), verdict) != 0 ||
		strcmp(reason_name(r.reason), reason) != 0)
		printf("got %s %s, want %s %s ", verdict_name(r.verdict), reason_name(r.reason),
			verdict, reason);
	CU_ASSERT_STRING_EQUAL(verdict_name(r.verdict), verdict);
	CU_ASSERT_STRING_EQUAL(reason_name(r.reason), reason);
}

static void
plain4(struct frame *frame, unsigned int n_tags, uint32_t destination)
{
	ethernet(frame, n_tags, 0x0800);
	ip4(frame, 0, IP4(10, 0, 0, 1), destination, 17, 8);
	udp(frame, 1000, 2000, 0);
}

static void
test_verdict_follows_destination(void)
{
	static const struct {
		uint32_t destination;
		const char *verdict, *reason;
	} cases[] = {
		{ IP4(2, 1, 1, 1), "pass", "approved-country" },
		{ IP4(1, 1, 1, 1), "drop+mirror", "country" },
		{ IP4(3, 1, 1, 1), "mirror", "country" },
		{ IP4(5, 5, 5, 5), "drop", "prefix" },
		{ IP4(10, 1, 1, 1), "pass", "special" },
		{ IP4(224, 1, 1, 1), "drop", "special" },
		{ IP4(99, 1, 1, 1), "drop+mirror", "unknown" },
	};
	struct frame frame;
	struct fixture f;
	unsigned int tags;
	size_t i;

	fixture_init(&f, base_policy);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (tags = 0; tags <= 4; tags++) {
			plain4(&frame, tags, cases[i].destination);
			expect(&f, &frame, cases[i].verdict, cases[i].reason);
		}
	plain4(&frame, 5, IP4(2, 1, 1, 1));
	expect(&f, &frame, "drop+mirror", "too-many-tags");
	fixture_fini(&f);
}

static void
test_strictest_address_decides(void)
{
	struct frame frame;
	struct fixture f;

	fixture_init(&f, base_policy);
	ethernet(&frame, 0, 0x0800); /* IPv4 in IPv4: US outside, CN inside */
	ip4(&frame, 0, IP4(10, 0, 0, 1), IP4(3, 1, 1, 1), 4, 28);
	ip4(&frame, 0, IP4(10, 0, 0, 1), IP4(1, 1, 1, 1), 17, 8);
	udp(&frame, 1, 2, 0);
	expect(&f, &frame, "drop+mirror", "country");
	ethernet(&frame, 0, 0x0800); /* mirror outside, drop inside: both bits */
	ip4(&frame, 0, IP4(10, 0, 0, 1), IP4(3, 1, 1, 1), 4, 28);
	ip4(&frame, 0, IP4(10, 0, 0, 1), IP4(5, 5, 5, 5), 17, 8);
	udp(&frame, 1, 2, 0);
	expect(&f, &frame, "drop+mirror", "prefix");
	ethernet(&frame, 0, 0x86dd); /* 6to4: judged by what it embeds */
	ip6(&frame, IP6(1, 1), IP6(UINT64_C(0x2002010101010000), 1), 17, 8);
	udp(&frame, 1, 2, 0);
	expect(&f, &frame, "drop+mirror", "country");
	ethernet(&frame, 0, 0x86dd);
	ip6(&frame, IP6(1, 1), IP6(UINT64_C(0x2002020101010000), 1), 17, 8);
	udp(&frame, 1, 2, 0);
	expect(&f, &frame, "pass", "approved-country");
	fixture_fini(&f);
}

static void
test_source_route_is_refused_or_followed(void)
{
	static const char follow[] = "[policy]\nsource-route = pass\ndefault = drop\n"
				     "[country]\napprove = IE DE\ndrop = CN\n";
	struct frame frame;
	struct fixture f;
	uint8_t *ip;

	ethernet(&frame, 0, 0x0800);
	ip = ip4(&frame, 8, IP4(10, 0, 0, 1), IP4(2, 1, 1, 1), 17, 8);
	ip[20] = 131;
	ip[21] = 7;
	ip[22] = 4;
	put32(ip + 23, IP4(1, 1, 1, 1));
	udp(&frame, 1, 2, 0);
	fixture_init(&f, base_policy);
	expect(&f, &frame, "drop+mirror", "source-route");
	fixture_fini(&f);
	fixture_init(&f, follow);
	expect(&f, &frame, "drop", "country");
	put32(ip + 23, IP4(5, 1, 1, 1));
	expect(&f, &frame, "pass", "approved-country");
	fixture_fini(&f);
}

static void
test_opaque_tunnels_follow_the_policy(void)
{
	static const char strict[] = "[policy]\nopaque-tunnel = drop\n[country]\napprove = IE\n"
				     "drop+mirror = CN\n";
	struct frame frame;
	struct fixture f;

	ethernet(&frame, 0, 0x0800);
	ip4(&frame, 0, IP4(10, 0, 0, 1), IP4(2, 1, 1, 1), 50, 16);
	frame.length += 16;
	fixture_init(&f, base_policy);
	expect(&f, &frame, "pass", "approved-country");
	fixture_fini(&f);
	fixture_init(&f, strict);
	expect(&f, &frame, "drop", "opaque-tunnel");
	put32(frame.bytes + 30, IP4(1, 1, 1, 1));
	expect(&f, &frame, "drop+mirror", "country");
	fixture_fini(&f);
}

static void
test_non_ip_and_unparsable_are_closed_by_default(void)
{
	struct frame frame;
	struct fixture f;

	fixture_init(&f, base_policy);
	ethernet(&frame, 0, 0x0806);
	frame.length += 46;
	expect(&f, &frame, "pass", "non-ip");
	ethernet(&frame, 0, 0x88f7);
	frame.length += 46;
	expect(&f, &frame, "drop", "non-ip");
	ethernet(&frame, 0, 0x9999);
	frame.length += 46;
	expect(&f, &frame, "drop+mirror", "unknown-ethertype");
	ethernet(&frame, 0, 0x0800);
	frame.bytes[14] = 0x55;
	frame.length += 46;
	expect(&f, &frame, "drop+mirror", "bad-version");
	frame.length = 0;
	expect(&f, &frame, "drop+mirror", "truncated");
	fixture_fini(&f);
}

static void
test_inbound_follows_its_direction_key(void)
{
	static const char by_source[] = "[direction]\ninbound = source\n[country]\napprove = IE\n"
					"drop = CN\n";
	static const char by_destination[] = "[direction]\ninbound = destination\n[country]\n"
					     "approve = IE\ndrop = CN\n";
	struct classify_result r;
	struct frame frame, garbage;
	struct fixture f;

	ethernet(&frame, 0, 0x0800);
	ip4(&frame, 0, IP4(1, 1, 1, 1), IP4(2, 1, 1, 1), 17, 8);
	udp(&frame, 1, 2, 0);
	ethernet(&garbage, 0, 0x9999);
	fixture_init(&f, base_policy);
	r = judge(&f, CLASSIFY_INBOUND, frame.bytes, frame.length);
	CU_ASSERT_EQUAL(r.verdict, VERDICT_PASS);
	CU_ASSERT_EQUAL(r.reason, REASON_INBOUND);
	CU_ASSERT_EQUAL(
		memcmp(f.geo->origins[f.ruleset->classes[r.class].origin].country, "CN", 2), 0);
	r = judge(&f, CLASSIFY_INBOUND, garbage.bytes, garbage.length);
	CU_ASSERT_EQUAL(r.reason, REASON_INBOUND);
	CU_ASSERT_EQUAL(r.class, CLASSIFY_NO_CLASS);
	fixture_fini(&f);
	fixture_init(&f, by_source);
	r = judge(&f, CLASSIFY_INBOUND, frame.bytes, frame.length);
	CU_ASSERT_EQUAL(r.verdict, VERDICT_DROP);
	fixture_fini(&f);
	fixture_init(&f, by_destination);
	r = judge(&f, CLASSIFY_INBOUND, frame.bytes, frame.length);
	CU_ASSERT_EQUAL(r.verdict, VERDICT_PASS);
	fixture_fini(&f);
}

static void
test_defaults_may_pass_and_old_data_may_stop(void)
{
	static const char text[] = "[policy]\ndefault = pass\nunknown = mirror\nstale = drop\n"
				   "[asn]\npass = 7\n[prefix]\npass = 5.5.5.0/24\n";
	struct ruleset_options options = { .is_stale = true };
	struct ruleset *fresh;
	struct frame frame;
	struct fixture f;

	fixture_init(&f, text);
	plain4(&frame, 0, IP4(1, 1, 1, 1));
	expect(&f, &frame, "pass", "approved-default");
	plain4(&frame, 0, IP4(5, 5, 5, 5));
	expect(&f, &frame, "pass", "approved-prefix");
	plain4(&frame, 0, IP4(99, 1, 1, 1));
	expect(&f, &frame, "mirror", "unknown");
	fresh = f.ruleset;
	f.ruleset = ruleset_compile(f.policy, f.geo, &options);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f.ruleset);
	plain4(&frame, 0, IP4(1, 1, 1, 1));
	expect(&f, &frame, "drop", "stale-data");
	plain4(&frame, 0, IP4(5, 5, 5, 5));
	expect(&f, &frame, "pass", "approved-prefix");
	ruleset_free(fresh);
	fixture_fini(&f);
}

static void
test_annotation_names_everything(void)
{
	struct classify_result r;
	struct frame frame;
	struct fixture f;
	char text[512], small[16];

	fixture_init(&f, base_policy);
	plain4(&frame, 0, IP4(1, 1, 1, 1));
	r = judge(&f, CLASSIFY_OUTBOUND, frame.bytes, frame.length);
	CU_ASSERT_STRING_EQUAL(classify_annotate(f.ruleset, &r, 7, text, sizeof(text)),
		"verdict=drop+mirror reason=country rule=\"policy.ini:6 [country] drop+mirror CN\" "
		"country=CN asn=0 generation=7");
	CU_ASSERT_EQUAL(strlen(classify_annotate(f.ruleset, &r, 7, small, sizeof(small))), 15);
	fixture_fini(&f);
}

static void
test_bursts_keep_order_when_shapes_are_mixed(void)
{
	static struct frame frames[CLASSIFY_BURST_MAX];
	struct rte_mbuf mbufs[CLASSIFY_BURST_MAX], *pkts[CLASSIFY_BURST_MAX];
	struct classify_result results[CLASSIFY_BURST_MAX];
	struct fixture f;
	unsigned int i;

	fixture_init(&f, base_policy);
	for (i = 0; i < CLASSIFY_BURST_MAX; i++) {
		if (i % 4 == 0) {
			plain4(&frames[i], i % 8 ? 1 : 0, IP4(2, 1, 1, 1));
		} else if (i % 4 == 1) {
			ethernet(&frames[i], 0, 0x86dd);
			ip6(&frames[i], IP6(1, 1), IP6(UINT64_C(0x2a01) << 48, i), 17, 8);
			udp(&frames[i], 1, 2, 0);
		} else if (i % 4 == 2) {
			ethernet(&frames[i], 0, 0x0806);
		} else {
			plain4(&frames[i], 2, IP4(5, 5, 5, 5));
		}
		wrap(&mbufs[i], frames[i].bytes, frames[i].length);
		pkts[i] = &mbufs[i];
	}
	classify_burst(f.ruleset, CLASSIFY_OUTBOUND, pkts, CLASSIFY_BURST_MAX, results);
	for (i = 0; i < CLASSIFY_BURST_MAX; i++) {
		static const reason_t want[] = { REASON_APPROVED_COUNTRY, REASON_COUNTRY,
			REASON_NON_IP, REASON_PREFIX };

		CU_ASSERT_EQUAL(results[i].reason, want[i % 4]);
	}
	fixture_fini(&f);
}

static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Change a few bytes near the headers, sometimes the length. */
static void
change(struct frame *frame, uint64_t *state)
{
	unsigned int i, n = 1 + next_random(state) % 4;

	for (i = 0; i < n && frame->length > 0; i++)
		frame->bytes[next_random(state) % (frame->length < 96 ? frame->length : 96)] =
			(uint8_t)next_random(state);
}

static void
mutate(struct frame *frame, uint64_t *state)
{
	change(frame, state);
	if (next_random(state) % 4 == 0)
		frame->length = (uint32_t)(next_random(state) % (frame->length + 1));
}

static void
make_seed(struct frame *frame, unsigned int kind)
{
	if (kind == 0) {
		plain4(frame, 0, IP4(1, 2, 3, 4));
	} else if (kind == 1) {
		plain4(frame, 1, IP4(3, 2, 3, 4));
	} else if (kind == 2) {
		ethernet(frame, 1, 0x86dd);
		ip6(frame, IP6(UINT64_C(0x2a00) << 48, 1), IP6(UINT64_C(0x2a01) << 48, 1), 17, 8);
		udp(frame, 53, 4789, 0);
	} else {
		ethernet(frame, 0, 0x0800);
		ip4(frame, 0, IP4(5, 0, 0, 1), IP4(2, 1, 1, 1), 6, 20);
		frame->length += 20;
	}
}

static void
test_burst_and_walker_agree_on_mutated_frames(void)
{
	uint64_t state = UINT64_C(0x1234567890abcdef);
	struct frame frame;
	struct fixture f;
	unsigned int i, n = getenv("TREFOIL_FAST_TESTS") != NULL ? N_MUTATIONS / 10 : N_MUTATIONS;

	fixture_init(&f, base_policy);
	for (i = 0; i < n && CU_get_number_of_failures() == 0; i++) {
		make_seed(&frame, i & 3);
		mutate(&frame, &state);
		judge(&f, i & 4 ? CLASSIFY_INBOUND : CLASSIFY_OUTBOUND, frame.bytes, frame.length);
	}
	fixture_fini(&f);
}

/* One short frame in a burst has all of it sorted one by one: most bursts have none. */
static void
test_whole_bursts_equal_frame_by_frame(void)
{
	static struct frame frames[CLASSIFY_BURST_MAX];
	static struct classify_detail detail;
	struct rte_mbuf mbufs[CLASSIFY_BURST_MAX], *pkts[CLASSIFY_BURST_MAX];
	struct classify_result results[CLASSIFY_BURST_MAX];
	uint64_t state = UINT64_C(0xfeedface);
	unsigned int round, i, n, n_different = 0;
	enum isa best = isa_selected;
	struct fixture f;

	fixture_init(&f, base_policy);
	for (round = 0; round < 5000; round++) {
		n = 1 + (unsigned int)(next_random(&state) % CLASSIFY_BURST_MAX);
		for (i = 0; i < n; i++) {
			make_seed(&frames[i], (unsigned int)(next_random(&state) & 3));
			if (round % 8 == 0)
				mutate(&frames[i], &state);
			else if (i % 3 == 0)
				change(&frames[i], &state);
			wrap(&mbufs[i], frames[i].bytes, frames[i].length);
			pkts[i] = &mbufs[i];
		}
		if (isa_select((enum isa)(round % ISA_N)) != 0)
			continue;
		classify_burst(f.ruleset, CLASSIFY_OUTBOUND, pkts, n, results);
		for (i = 0; i < n; i++) {
			classify_frame(f.ruleset, CLASSIFY_OUTBOUND, pkts[i], frames[i].length,
				PACKET_LINK_ETHERNET, &detail);
			n_different += !is_same(&detail.result, &results[i]);
		}
	}
	CU_ASSERT_EQUAL(isa_select(best), 0);
	CU_ASSERT_EQUAL(n_different, 0);
	fixture_fini(&f);
}

/* A routing header with as many segments as the limits allow, each to another address. */
static void
test_every_segment_of_a_long_route_is_judged(void)
{
	enum { N = 60 };
	struct frame frame;
	struct fixture f;
	uint8_t *srh;
	unsigned int i;

	fixture_init(&f, base_policy);
	ethernet(&frame, 0, 0x86dd);
	ip6(&frame, IP6(1, 1), IP6(UINT64_C(0x2a00) << 48, 1), 43, 8 + 16 * N + 8);
	srh = frame.bytes + frame.length;
	srh[0] = 17;
	srh[1] = 2 * N;
	srh[2] = 4;
	srh[3] = N - 1;
	srh[4] = N - 1;
	for (i = 0; i < N; i++)
		ip6_to_bytes(IP6(UINT64_C(0x2a00) << 48, i), srh + 8 + 16 * i);
	frame.length += 8 + 16 * N;
	udp(&frame, 1, 2, 0);
	expect(&f, &frame, "pass", "approved-country");
	for (i = 0; i < N; i++) {
		ip6_to_bytes(IP6(UINT64_C(0x2a01) << 48, i), srh + 8 + 16 * i);
		expect(&f, &frame, "drop+mirror", "country");
		ip6_to_bytes(IP6(UINT64_C(0x2a00) << 48, i), srh + 8 + 16 * i);
	}
	fixture_fini(&f);
}

static void
test_ports_limits_and_nat64_of_the_policy_are_used(void)
{
	static const char own[] = "[country]\napprove = IE DE\ndrop = CN\n[limits]\ntags = 1\n"
				  "[ports]\nvxlan = 5555\n[nat64]\nprefix = 2a00:64::/96\n";
	struct frame frame;
	struct fixture f;
	unsigned int port;

	fixture_init(&f, own);
	for (port = 4789; port <= 5555; port += 5555 - 4789) {
		ethernet(&frame, 0, 0x0800);
		ip4(&frame, 0, IP4(10, 0, 0, 1), IP4(2, 1, 1, 1), 17, 8 + 8 + 14 + 28);
		udp(&frame, 1, port, 8 + 14 + 28);
		frame.bytes[frame.length] = 8;
		frame.length += 8 + 12;
		put16(frame.bytes + frame.length, 0x0800);
		frame.length += 2;
		ip4(&frame, 0, IP4(10, 0, 0, 1), IP4(1, 1, 1, 1), 17, 8);
		udp(&frame, 1, 2, 0);
		expect(&f, &frame, port == 5555 ? "drop" : "pass",
			port == 5555 ? "country" : "approved-country");
	}
	plain4(&frame, 1, IP4(2, 1, 1, 1));
	expect(&f, &frame, "pass", "approved-country");
	plain4(&frame, 2, IP4(2, 1, 1, 1));
	expect(&f, &frame, "drop+mirror", "too-many-tags");
	ethernet(&frame, 0, 0x86dd);
	ip6(&frame, IP6(1, 1), IP6(UINT64_C(0x2a00006400000000), IP4(1, 1, 1, 1)), 17, 8);
	udp(&frame, 1, 2, 0);
	expect(&f, &frame, "drop", "country");
	fixture_fini(&f);
}

static unsigned int
judge_capture(const struct fixture *f, const char *path)
{
	struct capture *c = capture_open(path, NULL);
	struct capture_frame frame;
	unsigned int n = 0;

	if (c == NULL)
		return 0;
	while (capture_link_type(c) == 1 && capture_next(c, &frame, NULL) == 1) {
		if (frame.length > UINT16_MAX)
			continue;
		judge(f, n & 1 ? CLASSIFY_INBOUND : CLASSIFY_OUTBOUND, frame.data, frame.length);
		n++;
	}
	capture_close(c);
	return n;
}

static void
test_burst_and_walker_agree_on_real_captures(void)
{
	static const char *const folders[] = { "plain", "local", "encap", "fragments", "exthdr",
		"malformed", "nonip", "large" };
	char path[2048];
	struct fixture f;
	struct dirent *entry;
	unsigned int n = 0;
	size_t i;

	if (suite_shared("pcaps/plain") == NULL) {
		suite_skip("../shared/pcaps is not there");
		return;
	}
	fixture_init(&f, base_policy);
	for (i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		char folder[1024];
		DIR *dir;

		snprintf(path, sizeof(path), "pcaps/%s", folders[i]);
		snprintf(folder, sizeof(folder), "%s", suite_shared(path));
		dir = opendir(folder);
		CU_ASSERT_PTR_NOT_NULL_FATAL(dir);
		while ((entry = readdir(dir)) != NULL) {
			snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
			if (entry->d_name[0] != '.')
				n += judge_capture(&f, path);
		}
		closedir(dir);
	}
	printf("%u frames ", n);
	CU_ASSERT(n > 50000);
	fixture_fini(&f);
}

SUITE("classify", { "verdict follows destination", test_verdict_follows_destination },
	{ "strictest address decides", test_strictest_address_decides },
	{ "source route is refused or followed", test_source_route_is_refused_or_followed },
	{ "opaque tunnels follow the policy", test_opaque_tunnels_follow_the_policy },
	{ "non-ip and unparsable are closed by default",
		test_non_ip_and_unparsable_are_closed_by_default },
	{ "inbound follows its direction key", test_inbound_follows_its_direction_key },
	{ "defaults may pass and old data may stop", test_defaults_may_pass_and_old_data_may_stop },
	{ "annotation names everything", test_annotation_names_everything },
	{ "bursts keep order when shapes are mixed", test_bursts_keep_order_when_shapes_are_mixed },
	{ "burst and walker agree on mutated frames",
		test_burst_and_walker_agree_on_mutated_frames },
	{ "whole bursts equal frame by frame", test_whole_bursts_equal_frame_by_frame },
	{ "every segment of a long route is judged", test_every_segment_of_a_long_route_is_judged },
	{ "ports limits and nat64 of the policy are used",
		test_ports_limits_and_nat64_of_the_policy_are_used },
	{ "burst and walker agree on real captures", test_burst_and_walker_agree_on_real_captures })
