/* SPDX-License-Identifier: BSD-3-Clause */
/* Every frame lies at the end of a heap buffer of its own size, so a sanitizer sees any read behind
 * it. Segments of one frame are separate buffers. */
#include "test_packet_frame.h"

#include "base/isa.h"
#include "packet/burst.h"
#include "suite.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FRAME_MAX      4096u
#define RESULT_MAX     8192u
#define N_OPEN_MAX     16u
#define MUTATE_SECONDS 2 /* per call, on a slow machine */
#define N_CROWD        ((unsigned int)PACKET_BURST_MAX)

struct open_length {
	uint32_t at;
	long adjust;
};

/* A frame in segments. */
struct chain {
	unsigned int n;
	struct rte_mbuf *segments;
	uint8_t **buffers;
};

static void
close_length(uint8_t *bytes, uint32_t end, struct open_length open)
{
	long length = (long)(end - open.at - 2) + open.adjust;

	CU_ASSERT_FATAL(length >= 0 && length <= UINT16_MAX);
	bytes[open.at] = (uint8_t)(length >> 8);
	bytes[open.at + 1] = (uint8_t)length;
}

static unsigned int
hex_digit(char c)
{
	CU_ASSERT_FATAL(isxdigit((unsigned char)c));
	return (unsigned int)(isdigit((unsigned char)c) ? c - '0' : tolower(c) - 'a' + 10);
}

uint32_t
frame_build(const char *text, uint8_t *bytes, size_t size)
{
	struct open_length open[N_OPEN_MAX];
	unsigned int n_open = 0;
	uint32_t length = 0;
	const char *c = text;

	while (*c != '\0') {
		if (*c == ' ') {
			c++;
			continue;
		}
		CU_ASSERT_FATAL(length < size || *c == '}');
		if (*c == '{') {
			char *end;

			CU_ASSERT_FATAL(length + 2 <= size && n_open < N_OPEN_MAX);
			open[n_open++] = (struct open_length){ length, strtol(c + 1, &end, 10) };
			length += 2;
			c = end + 1;
		} else if (*c == '}') {
			CU_ASSERT_FATAL(n_open > 0);
			close_length(bytes, length, open[--n_open]);
			c++;
		} else {
			bytes[length++] = (uint8_t)(hex_digit(c[0]) << 4 | hex_digit(c[1]));
			c += 2;
		}
	}
	CU_ASSERT_FATAL(n_open == 0);
	return length;
}

const struct limits *
frame_limits(void)
{
	static struct limits limits;
	static bool is_set;

	if (!is_set)
		limits_init(&limits);
	is_set = true;
	return &limits;
}

/* `step` bytes per segment, the first one of `first`. */
static struct chain
make_chain(const uint8_t *bytes, uint32_t length, uint32_t first, uint32_t step)
{
	struct chain chain = { .n = 0 };
	uint32_t at = 0, size = first < length ? first : length;

	chain.segments = calloc(length + 2, sizeof(*chain.segments));
	chain.buffers = calloc(length + 2, sizeof(*chain.buffers));
	CU_ASSERT_FATAL(chain.segments != NULL && chain.buffers != NULL);
	do {
		struct rte_mbuf *m = &chain.segments[chain.n];

		chain.buffers[chain.n] = malloc(size > 0 ? size : 1);
		memcpy(chain.buffers[chain.n], bytes + at, size);
		m->buf_addr = chain.buffers[chain.n];
		m->data_len = (uint16_t)size;
		if (chain.n > 0)
			m[-1].next = m;
		chain.n++;
		at += size;
		size = step < length - at ? step : length - at;
	} while (at < length);
	chain.segments[0].pkt_len = length;
	chain.segments[0].nb_segs = (uint16_t)chain.n;
	return chain;
}

static void
free_chain(struct chain *chain)
{
	unsigned int i;

	for (i = 0; i < chain->n; i++)
		free(chain->buffers[i]);
	free(chain->buffers);
	free(chain->segments);
}

static size_t
format_address(const struct packet_address *address, char *buf, size_t size)
{
	struct ip_addr ip = { .value = address->value, .version = address->version };
	char text[IP_TEXT_SIZE];

	return (size_t)snprintf(
		buf, size, "%s%s", ip_format(&ip, text), address->carrier ? "*" : "");
}

static const char *
format_result(const struct packet_info *info, char *buf)
{
	char layers[1024];
	size_t n, i;

	n = (size_t)snprintf(buf, RESULT_MAX, "%s %s ", reason_name(info->reason),
		packet_layers_format(info, layers, sizeof(layers)));
	for (i = 0; i < info->n_addresses && n < RESULT_MAX - 128; i++) {
		if (i > 0)
			buf[n++] = ',';
		n += format_address(&info->addresses[i], buf + n, RESULT_MAX - n);
	}
	snprintf(buf + n, RESULT_MAX - n, "%s%s%s%s%s", info->n_addresses == 0 ? "-" : "",
		info->has_opaque ? " opaque" : "", info->has_source_route ? " source-route" : "",
		info->non_ip != NON_IP_NONE ? " " : "",
		info->non_ip != NON_IP_NONE ? non_ip_name(info->non_ip) : "");
	return buf;
}

/* What holds for any frame, understood or not. Returns what does not, or NULL. */
static const char *
find_broken(const struct packet_info *info, uint32_t length)
{
	if (info->reason != REASON_NONE && !reason_is_unparsable(info->reason))
		return "reason";
	if (info->n_steps > PACKET_STEPS_MAX)
		return "n_steps";
	if (info->n_addresses > PACKET_ADDRESSES_MAX)
		return "n_addresses";
	if (info->n_layers > PACKET_LAYERS_MAX)
		return "n_layers";
	if (info->headers_length > length)
		return "headers_length";
	if (info->non_ip != NON_IP_NONE && info->n_addresses > 0)
		return "non_ip with addresses";
	if (info->reason == REASON_NONE && info->non_ip == NON_IP_NONE && info->n_addresses == 0)
		return "understood, and nothing to judge";
	if (info->n_addresses > 0 && !info->has_source)
		return "no source";
	return NULL;
}

static bool
is_same(const struct packet_info *a, const struct packet_info *b)
{
	unsigned int i;

	if (a->reason != b->reason || a->non_ip != b->non_ip ||
		a->has_source_route != b->has_source_route || a->has_opaque != b->has_opaque ||
		a->has_source != b->has_source || a->n_layers != b->n_layers ||
		a->n_addresses != b->n_addresses || a->headers_length != b->headers_length ||
		a->n_steps != b->n_steps || a->outer_source.value != b->outer_source.value ||
		memcmp(a->layers, b->layers, a->n_layers) != 0)
		return false;
	for (i = 0; i < a->n_addresses; i++)
		if (a->addresses[i].value != b->addresses[i].value ||
			a->addresses[i].version != b->addresses[i].version ||
			a->addresses[i].carrier != b->addresses[i].carrier)
			return false;
	return true;
}

/* What the burst path says of a frame. */
struct pick {
	unsigned int n; /* times that it is listed */
	unsigned int version;
	ip6_t address;
};

static void
read_picks(const struct packet_keys *keys, struct pick *picks, unsigned int n)
{
	unsigned int i;

	memset(picks, 0, n * sizeof(*picks));
	for (i = 0; i < keys->n4; i++)
		picks[keys->at4[i]] = (struct pick){ picks[keys->at4[i]].n + 1, 4, keys->ip4[i] };
	for (i = 0; i < keys->n6; i++)
		picks[keys->at6[i]] = (struct pick){ picks[keys->at6[i]].n + 1, 6, keys->ip6[i] };
	for (i = 0; i < keys->n_slow; i++)
		picks[keys->slow[i]].n++;
}

static struct pick
pick_alone(struct rte_mbuf *m, const struct limits *limits, enum packet_judge judge)
{
	struct packet_keys keys;
	struct pick pick;

	packet_burst_keys(&m, 1, limits, judge, &keys);
	read_picks(&keys, &pick, 1);
	return pick;
}

/* Frames that the burst path knows, and some that it does not. */
static struct rte_mbuf *
crowd(void)
{
	static const char *const frames[] = { ETH("0800") PLAIN4, ETH("0800") IPV4("11", D4, DNS),
		ETH("86dd") PLAIN6, ETH("8100") TAG("0800") PLAIN4, ETH("86dd") IPV6("11", D6, DNS),
		ETH("8100") TAG("86dd") PLAIN6, ETH("0800") IPV4("11", D4C, UDP("12b5", "00")),
		ETH("0806") "0001080006040001" MACS S4 D4 "0000000000000000" };
	static struct rte_mbuf mbufs[N_CROWD];
	unsigned int i;

	for (i = 0; i < N_CROWD && mbufs[i].buf_addr == NULL; i++) {
		uint8_t bytes[FRAME_MAX];
		uint32_t length = frame_build(
			frames[i % (sizeof(frames) / sizeof(frames[0]))], bytes, sizeof(bytes));

		mbufs[i].buf_addr = malloc(length);
		CU_ASSERT_PTR_NOT_NULL_FATAL(mbufs[i].buf_addr);
		memcpy(mbufs[i].buf_addr, bytes, length);
		mbufs[i].data_len = (uint16_t)length;
		mbufs[i].pkt_len = length;
		mbufs[i].nb_segs = 1;
	}
	return mbufs;
}

/* In a burst with others each frame gets what it gets alone, with any instructions. */
static bool
is_same_in_crowd(struct rte_mbuf *m, const struct limits *limits, enum packet_judge judge)
{
	static unsigned int turn;
	struct rte_mbuf *others = crowd(), *pkts[N_CROWD];
	struct pick want[N_CROWD], got[N_CROWD];
	enum isa isa, before = isa_selected;
	struct packet_keys keys;
	unsigned int i, n;
	bool is_same = true;

	turn++;
	n = 1 + turn % N_CROWD;
	for (i = 0; i < n; i++) {
		/* many alike, or few of a kind */
		pkts[i] = (i + turn) % 3 == 0
				  ? m
				  : &others[(turn & 8 ? turn >> 4 : i + turn) % N_CROWD];
		want[i] = pick_alone(pkts[i], limits, judge);
	}
	for (isa = ISA_SCALAR; isa < ISA_N; isa++) {
		if (isa_select(isa) != 0)
			continue;
		packet_burst_keys(pkts, n, limits, judge, &keys);
		read_picks(&keys, got, n);
		for (i = 0; i < n; i++)
			is_same = is_same && got[i].n == 1 && got[i].version == want[i].version &&
				  got[i].address == want[i].address;
	}
	(void)isa_select(before);
	return is_same;
}

/* The burst path may leave a frame to the walk; what it answers is the walk's answer. */
static bool
is_same_in_burst(struct rte_mbuf *m, const struct limits *limits, enum packet_judge judge,
	const struct packet_info *info)
{
	struct pick pick = pick_alone(m, limits, judge);

	if (pick.n != 1 || !is_same_in_crowd(m, limits, judge))
		return false;
	if (pick.version == 0)
		return true;
	if (info->reason != REASON_NONE || info->has_opaque || info->has_source_route ||
		info->n_addresses == 0)
		return false;
	if (pick.version == 4 && info->n_addresses != 1)
		return false;
	return info->addresses[0].version == pick.version &&
	       info->addresses[0].value == pick.address &&
	       (info->n_addresses == 1) == !info->addresses[0].carrier;
}

/* Parse `length` bytes in segments. `length` may be less than the case's frame. */
static void
parse(const struct limits *limits, const struct frame_case *c, const uint8_t *bytes,
	uint32_t length, uint32_t first, uint32_t wire_length, struct packet_info *info)
{
	struct chain chain = make_chain(bytes, length, first, first == 0 ? 1 : length);
	const char *broken;

	chain.segments[0].ol_flags = c->flags;
	packet_parse(&chain.segments[0], wire_length, c->link, limits, c->judge, info);
	broken = find_broken(info, length);
	if (broken == NULL && c->link == PACKET_LINK_ETHERNET && wire_length == length &&
		!is_same_in_burst(&chain.segments[0], limits, c->judge, info))
		broken = "burst";
	if (broken != NULL)
		printf("\n%s: cut at %u, first %u: %s\n", c->what, length, first, broken);
	CU_ASSERT(broken == NULL);
	free_chain(&chain);
}

/* In two segments cut anywhere, and (first = 0) in an empty one and then one byte each. */
static void
check_segments(const struct limits *limits, const struct frame_case *c, const uint8_t *bytes,
	uint32_t length, uint32_t wire_length, const struct packet_info *whole)
{
	struct packet_info info;
	uint32_t first;

	for (first = 0; first < length; first++) {
		parse(limits, c, bytes, length, first, wire_length, &info);
		if (!is_same(whole, &info))
			printf("\n%s: other answer in segments, first %u\n", c->what, first);
		CU_ASSERT(is_same(whole, &info));
	}
}

/* Cut short on the wire, and cut short by a capture: a capture's cut never adds an answer other
 * than "truncated" or the whole frame's. */
static void
check_cuts(const struct limits *limits, const struct frame_case *c, const uint8_t *bytes,
	uint32_t length, uint32_t wire_length, const struct packet_info *whole)
{
	struct packet_info info;
	uint32_t n;

	for (n = 0; n < length; n++) {
		parse(limits, c, bytes, n, n, n, &info);
		parse(limits, c, bytes, n, n, wire_length, &info);
		if (info.reason != whole->reason && info.reason != REASON_TRUNCATED)
			printf("\n%s: captured %u: %s\n", c->what, n, reason_name(info.reason));
		CU_ASSERT(info.reason == whole->reason || info.reason == REASON_TRUNCATED);
		if (info.reason == REASON_NONE)
			CU_ASSERT_EQUAL(info.n_addresses, whole->n_addresses);
	}
}

void
frame_check(const struct limits *limits, const struct frame_case *cases, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		const struct frame_case *c = &cases[i];
		uint8_t bytes[FRAME_MAX];
		uint32_t length = frame_build(c->frame, bytes, sizeof(bytes));
		uint32_t wire_length = c->wire_length > 0 ? c->wire_length : length;
		struct packet_info info;
		char result[RESULT_MAX];

		parse(limits, c, bytes, length, length, wire_length, &info);
		format_result(&info, result);
		if (strcmp(result, c->want) != 0)
			printf("\n%s:\n  got  %s\n  want %s\n", c->what, result, c->want);
		CU_ASSERT_STRING_EQUAL(result, c->want);
		check_segments(limits, c, bytes, length, wire_length, &info);
		check_cuts(limits, c, bytes, length, wire_length, &info);
	}
}

/* xorshift64*: the same frames in every run. */
static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

/* One to four bytes: random, or a value that length and type fields like. */
static void
change(uint8_t *bytes, uint32_t length, uint64_t *random)
{
	static const uint8_t values[] = { 0, 1, 2, 3, 4, 6, 8, 0x0f, 0x29, 0x2b, 0x2c, 0x2f, 0x3c,
		0x45, 0x4f, 0x60, 0x7f, 0x80, 0x81, 0x86, 0x88, 0xa8, 0xdd, 0xff };
	uint64_t r = next_random(random);
	unsigned int n = 1 + (r & 3), i;

	for (i = 0; i < n; i++) {
		r = next_random(random);
		bytes[(r >> 16) % length] =
			(r & 1) != 0 ? (uint8_t)(r >> 8) : values[(r >> 8) % sizeof(values)];
	}
}

/* One changed frame, whole or cut, at the end of `buffer`. */
static bool
check_changed(const struct limits *limits, const struct frame_case *c, uint8_t *buffer,
	uint32_t length, uint64_t *random)
{
	uint64_t r = next_random(random);
	uint32_t n = (r & 7) == 0 ? (uint32_t)(r >> 8) % (length + 1) : length;
	struct rte_mbuf m = { .buf_addr = buffer,
		.data_off = (uint16_t)(length - n),
		.data_len = (uint16_t)n,
		.pkt_len = n,
		.nb_segs = 1 };
	struct rte_mbuf second = m;
	struct packet_info info, split;
	uint32_t wire_length = (r & 0x38) == 0 ? (uint32_t)(r >> 32) : n, first;

	packet_parse(&m, wire_length, c->link, limits, c->judge, &info);
	if (find_broken(&info, n) != NULL)
		return false;
	if (c->link == PACKET_LINK_ETHERNET && wire_length == n &&
		!is_same_in_burst(&m, limits, c->judge, &info))
		return false;
	if ((r & 0xc0) != 0 || n == 0)
		return true;
	first = (uint32_t)(r >> 40) % n;
	second.data_off = (uint16_t)(m.data_off + first);
	second.data_len = (uint16_t)(n - first);
	m.data_len = (uint16_t)first;
	m.nb_segs = 2;
	m.next = &second;
	packet_parse(&m, wire_length, c->link, limits, c->judge, &split);
	return is_same(&info, &split);
}

void
frame_mutate(const struct limits *limits, const struct frame_case *cases, size_t n, size_t n_rounds)
{
	uint64_t random = UINT64_C(0x7265666f696c0001);
	time_t deadline = time(NULL) + MUTATE_SECONDS;
	size_t done = 0, i, k, n_broken = 0;

	for (i = 0; i < n; i++) {
		uint8_t bytes[FRAME_MAX], *buffer;
		uint32_t length = frame_build(cases[i].frame, bytes, sizeof(bytes));

		buffer = malloc(length);
		CU_ASSERT_FATAL(buffer != NULL);
		for (k = 0; k < n_rounds / n && (k % 4096 != 0 || time(NULL) < deadline); k++) {
			if (k % 16 == 0)
				memcpy(buffer, bytes, length);
			change(buffer, length, &random);
			if (!check_changed(limits, &cases[i], buffer, length, &random))
				n_broken++;
			done++;
		}
		if (n_broken > 0)
			printf("\n%s: a changed frame breaks a rule\n", cases[i].what);
		free(buffer);
	}
	printf("%zu frames ", done);
	CU_ASSERT_EQUAL(n_broken, 0);
}
