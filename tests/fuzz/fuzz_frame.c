/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames. The input is 8 bytes of circumstances and the frame:
 *
 *     0    link type
 *     1    policy; 0x80: the frame entered from outside
 *     2    1, 2: the NIC stripped a tag or two
 *     3    how much of the frame a capture kept (0 = all), and how much padding a port adds
 *     4-7  lengths of the first four segments when the frame comes in five
 *
 * Most mutations are libFuzzer's own; some set a length field to what is there, or nearly.
 *
 * What must hold for every frame: bounded work; one verdict and one reason, which are those of the
 * strictest address; the same answer in one segment and in several, from the burst path and from
 * the walker; what a capture cut off is `truncated` or did not matter; padding does not matter.
 */
#include "fuzz.h"

#include "classify/classify.h"
#include "geo/geo_build.h"

#define N_CIRCUMSTANCES 8
#define N_SEGMENTS      5
#define N_LINKS         5
#define N_CROWD         CLASSIFY_BURST_MAX
#define PADDING_MAX     64
#define LENGTHS_ONE_IN  4 /* mutations that end with a length field */

static const char *const policies[] = {
	/* Fail-closed defaults. */
	"[country]\napprove = IE DE\nmirror = US\ndrop = CN\n",
	/* The largest limits; rules for carriers. */
	"[policy]\nunknown = pass\nopaque-tunnel = drop\n[direction]\ninbound = source\n"
	"[country]\napprove = IE DE\nmirror = US\ndrop = CN\n[asn]\nmirror = 64496\n"
	"[prefix]\ndrop = 3.3.0.0/16 2002:0200::/24 64:ff9b::/96\npass = 2a01:1::/32\n"
	"[limits]\ntags = 16\nlabels = 64\nheaders = 32\nheader-bytes = 4096\ndepth = 8\n"
	"[nat64]\nprefix = 2a00:64::/32 2a00:65::/40 2a00:66::/48 2a00:67::/56 2a00:68::/64 "
	"2a00:69::/96\n",
	/* The smallest limits, and everything may pass. */
	"[policy]\nmode = shadow\ndefault = pass\nunknown = mirror\nunparsable = mirror\n"
	"source-route = pass\n[direction]\ninbound = destination\n[special]\nprivate = drop\n"
	"[non-ip]\narp = drop+mirror\n"
	"[limits]\ntags = 0\nlabels = 0\nheaders = 0\nheader-bytes = 0\ndepth = 0\n",
};

#define N_POLICIES (sizeof(policies) / sizeof(policies[0]))

static struct ruleset *rulesets[N_POLICIES];

struct circumstances {
	enum packet_link link;
	enum classify_direction direction;
	size_t policy;
	uint64_t flags;
	uint32_t keep; /* of 256 */
	uint8_t segment[N_SEGMENTS - 1];
};

static struct geo_table *
make_geo(void)
{
	static const struct {
		const char *prefix, *country;
		uint32_t asn;
	} rows[] = {
		{ "1.0.0.0/8", "CN", 4134 },
		{ "2.0.0.0/8", "IE", 64496 },
		{ "3.0.0.0/8", "US", 16509 },
		{ "5.0.0.0/8", "DE", 3320 },
		{ "10.0.0.0/8", "AU", 1 },
		{ "2a00::/16", "DE", 3320 },
		{ "2a01::/16", "CN", 4134 },
		{ "2001:db8::/32", "JP", 2 },
	};
	struct geo_build *b = geo_build_new();
	struct ip_range range;
	int source;
	size_t i;

	CHECK(b != NULL);
	source = geo_build_add_source(b, "fuzz");
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CHECK(ip_parse_prefix(rows[i].prefix, &range) == 0);
		CHECK(geo_build_add_country(b, &range, rows[i].country, source) == 0);
		CHECK(geo_build_add_asn(b, &range, rows[i].asn, "fuzz", source) == 0);
	}
	return geo_build_seal(b);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static struct err_list errors;
	struct geo_table *geo = make_geo();
	size_t i;

	CHECK(geo != NULL);
	for (i = 0; i < N_POLICIES; i++) {
		struct policy *policy =
			policy_parse(policies[i], strlen(policies[i]), "fuzz.ini", &errors);

		if (policy == NULL)
			fprintf(stderr, "policy %zu: %s\n", i, errors.items[0].message);
		CHECK(policy != NULL);
		rulesets[i] = ruleset_compile(policy, geo, NULL);
		CHECK(rulesets[i] != NULL);
	}
	return 0;
}

static void
mbuf_init(struct rte_mbuf *m, const void *data, size_t size)
{
	memset(m, 0, sizeof(*m));
	m->buf_addr = fuzz_copy(data, size);
	m->data_len = (uint16_t)size;
	m->pkt_len = (uint32_t)size;
	m->nb_segs = 1;
}

/* The frame in up to five segments, each of them a block of its own; some may be empty. */
static void
chain_init(struct rte_mbuf *m, const struct circumstances *c, const uint8_t *frame, size_t size)
{
	size_t i, at = 0, n;

	for (i = 0; i < N_SEGMENTS; i++) {
		n = size - at;
		if (i < N_SEGMENTS - 1 && c->segment[i] < n)
			n = c->segment[i];
		mbuf_init(&m[i], frame + at, n);
		at += n;
		if (i > 0)
			m[i - 1].next = &m[i];
	}
	m[0].pkt_len = (uint32_t)size;
	m[0].nb_segs = N_SEGMENTS;
	m[0].ol_flags = c->flags;
}

static void
chain_fini(struct rte_mbuf *m, unsigned int n)
{
	while (n-- > 0)
		free(m[n].buf_addr);
}

/* How many IPv4 addresses the prefix of an IPv6 address says are in it. */
static unsigned int
count_embedded(ip6_t ip)
{
	uint64_t high = (uint64_t)(ip >> 64);

	if (high >> 48 == 0x2002)
		return 1;
	if (high >> 32 == 0x20010000)
		return 2;
	if (high == UINT64_C(0x0064ff9b00000000) && (uint64_t)ip >> 32 == 0)
		return 1;
	return high >> 16 == UINT64_C(0x0064ff9b0001) ? 2 : 0;
}

/* What an address embeds follows it, at least while the list has room. */
static void
check_embedded(const struct packet_info *info, unsigned int at)
{
	const struct packet_address *a = &info->addresses[at];
	unsigned int i, n = count_embedded(a->value);

	if (a->version == 4)
		return;
	CHECK(a->carrier || n == 0);
	for (i = 1; i <= n && at + i < PACKET_ADDRESSES_MAX; i++)
		CHECK(at + i < info->n_addresses && a[i].version == 4);
	if (a->carrier && at + 1 < PACKET_ADDRESSES_MAX)
		CHECK(at + 1 < info->n_addresses && a[1].version == 4);
	if (n == 1 && (uint64_t)(a->value >> 112) == 0x2002 && at + 1 < PACKET_ADDRESSES_MAX)
		CHECK(a[1].value == (uint32_t)(a->value >> 80));
}

static void
check_info(const struct packet_info *info, uint32_t length)
{
	char text[1024], small[8];
	unsigned int i;

	CHECK(info->reason == REASON_NONE || reason_is_unparsable(info->reason));
	CHECK(info->n_steps <= PACKET_STEPS_MAX);
	CHECK(info->n_addresses <= PACKET_ADDRESSES_MAX);
	CHECK(info->n_layers <= PACKET_LAYERS_MAX);
	CHECK(info->headers_length <= length);
	CHECK(info->non_ip < NON_IP_N);
	CHECK(info->non_ip == NON_IP_NONE || info->n_addresses == 0);
	CHECK(info->has_source || info->n_addresses == 0);
	for (i = 0; i < info->n_layers; i++)
		CHECK(info->layers[i] < PACKET_LAYER_N);
	for (i = 0; i < info->n_addresses; i++) {
		const struct packet_address *a = &info->addresses[i];

		CHECK(a->version == 6 || (a->version == 4 && a->value <= ip_max(4) && !a->carrier));
		check_embedded(info, i);
	}
	CHECK(strlen(packet_layers_format(info, text, sizeof(text))) < sizeof(text));
	CHECK(strlen(packet_layers_format(info, small, sizeof(small))) < sizeof(small));
}

/* All that is judged is the same. */
static void
check_same_judged(const struct packet_info *a, const struct packet_info *b)
{
	unsigned int i;

	CHECK(a->reason == b->reason);
	CHECK(a->non_ip == b->non_ip);
	CHECK(a->has_source_route == b->has_source_route);
	CHECK(a->has_opaque == b->has_opaque);
	CHECK(a->has_source == b->has_source);
	CHECK(a->n_addresses == b->n_addresses);
	for (i = 0; i < a->n_addresses; i++) {
		CHECK(a->addresses[i].value == b->addresses[i].value);
		CHECK(a->addresses[i].version == b->addresses[i].version);
		CHECK(a->addresses[i].carrier == b->addresses[i].carrier);
	}
	if (a->has_source)
		CHECK(a->outer_source.value == b->outer_source.value);
}

static void
check_same_info(const struct packet_info *a, const struct packet_info *b)
{
	check_same_judged(a, b);
	CHECK(a->n_steps == b->n_steps);
	CHECK(a->headers_length == b->headers_length);
	CHECK(a->n_layers == b->n_layers);
	CHECK(memcmp(a->layers, b->layers, a->n_layers) == 0);
}

static void
check_same_result(const struct classify_result *a, const struct classify_result *b)
{
	CHECK(a->class == b->class);
	CHECK(a->verdict == b->verdict);
	CHECK(a->reason == b->reason);
	CHECK(a->non_ip == b->non_ip);
	CHECK(a->is_odd == b->is_odd);
}

/* No address is judged weaker than its own class says, and what was not understood is not passed. */
static void
check_verdict(const struct ruleset *rs, const struct classify_detail *d)
{
	unsigned int i;

	if (d->info.reason != REASON_NONE) {
		CHECK(d->result.reason == d->info.reason);
		CHECK(d->result.verdict == rs->policy->rules[rs->policy->rule_unparsable].verdict);
		return;
	}
	CHECK(!reason_is_unparsable(d->result.reason));
	CHECK(d->info.non_ip != NON_IP_NONE || d->info.n_addresses > 0);
	for (i = 0; i < d->info.n_addresses; i++) {
		verdict_t own =
			rs->verdict[d->answer[i] & RULESET_CLASS_MASK] & RULESET_VERDICT_MASK;

		CHECK(d->info.addresses[i].carrier || (d->result.verdict & own) == own);
	}
	CHECK(d->deciding < (int)d->info.n_addresses);
}

static void
check_detail(const struct ruleset *rs, enum classify_direction direction,
	const struct classify_detail *d)
{
	bool is_counted =
		direction == CLASSIFY_INBOUND && rs->policy->inbound == POLICY_INBOUND_PASS;
	char text[600];

	CHECK(d->result.reason > REASON_NONE && d->result.reason < REASON_N);
	CHECK(d->result.verdict <= (VERDICT_DROP | VERDICT_MIRROR));
	CHECK(d->result.class == CLASSIFY_NO_CLASS || d->result.class < rs->n_classes);
	CHECK(classify_rule(rs, &d->result) == d->rule);
	CHECK(strlen(classify_annotate(rs, &d->result, 7, text, sizeof(text))) < sizeof(text));
	if (is_counted)
		CHECK(d->result.verdict == VERDICT_PASS && d->result.reason == REASON_INBOUND);
	else
		check_verdict(rs, d);
	if (rs == rulesets[0] && !is_counted && d->info.reason != REASON_NONE)
		CHECK(d->result.verdict == (VERDICT_DROP | VERDICT_MIRROR));
}

/* Among frames of the usual kinds, so that groups of them are mixed. */
static void
check_crowd(const struct ruleset *rs, const struct circumstances *c, struct rte_mbuf *single,
	const struct classify_result *want)
{
	static const uint8_t plain[][80] = {
		{ [12] = 8, 0, 0x45, [17] = 40, [23] = IPPROTO_TCP, [30] = 2 },
		{ [12] = 0x86, 0xdd, 0x60, [19] = 26, IPPROTO_UDP, [38] = 0x2a, 1 },
		{ [12] = 0x86, 0xdd, 0x60, [19] = 26, IPPROTO_NONE, [38] = 0x2a, 1 },
		{ [12] = 0x81, 0, [16] = 8, 0, 0x45, [21] = 40, [27] = IPPROTO_UDP, [34] = 2 },
	};
	struct rte_mbuf others[4], *pkts[N_CROWD];
	struct classify_result results[N_CROWD];
	unsigned int i;

	for (i = 0; i < 4; i++)
		mbuf_init(&others[i], plain[i], sizeof(plain[i]));
	for (i = 0; i < N_CROWD; i++)
		pkts[i] = c->segment[i % (N_SEGMENTS - 1)] >> (i & 7) & 1 ? &others[i & 3] : single;
	classify_burst(rs, c->direction, pkts, N_CROWD, results);
	for (i = 0; i < N_CROWD; i++)
		if (pkts[i] == single)
			check_same_result(&results[i], want);
	chain_fini(others, 4);
}

static void
check_burst(const struct ruleset *rs, const struct circumstances *c, struct rte_mbuf *single,
	struct rte_mbuf *chain, const struct classify_result *want)
{
	struct rte_mbuf *pkts[] = { single, chain, single };
	struct classify_result results[3];
	unsigned int i;

	classify_burst(rs, c->direction, pkts, 3, results);
	for (i = 0; i < 3; i++)
		check_same_result(&results[i], want);
	check_crowd(rs, c, single, want);
}

/* The frame as a port gives it: whole. */
static void
check_whole(const struct ruleset *rs, const struct circumstances *c, const uint8_t *frame,
	size_t size, struct classify_detail *d)
{
	struct rte_mbuf single, chain[N_SEGMENTS];
	struct classify_detail split;

	mbuf_init(&single, frame, size);
	single.ol_flags = c->flags;
	chain_init(chain, c, frame, size);
	classify_frame(rs, c->direction, &single, (uint32_t)size, c->link, d);
	check_info(&d->info, (uint32_t)size);
	check_detail(rs, c->direction, d);
	classify_frame(rs, c->direction, chain, (uint32_t)size, c->link, &split);
	check_same_info(&d->info, &split.info);
	check_same_result(&d->result, &split.result);
	if (c->link == PACKET_LINK_ETHERNET)
		check_burst(rs, c, &single, chain, &d->result);
	chain_fini(chain, N_SEGMENTS);
	chain_fini(&single, 1);
}

/* The frame as a capture may have it: cut. */
static void
check_cut(const struct ruleset *rs, const struct circumstances *c, const uint8_t *frame,
	size_t size, const struct classify_detail *whole)
{
	size_t kept = size * c->keep / 256;
	struct classify_detail d;
	struct rte_mbuf m;

	mbuf_init(&m, frame, kept);
	m.ol_flags = c->flags;
	classify_frame(rs, c->direction, &m, (uint32_t)size, c->link, &d);
	check_info(&d.info, (uint32_t)kept);
	check_detail(rs, c->direction, &d);
	if (d.info.reason != REASON_TRUNCATED)
		check_same_judged(&d.info, &whole->info);
	chain_fini(&m, 1);
}

/* The frame with zeros behind it. */
static void
check_padded(const struct ruleset *rs, const struct circumstances *c, const uint8_t *frame,
	size_t size, const struct classify_detail *whole)
{
	size_t n = size + c->keep % PADDING_MAX;
	uint8_t *padded = calloc(1, n + 1);
	struct classify_detail d;
	struct rte_mbuf m;

	CHECK(padded != NULL);
	memcpy(padded, frame, size);
	mbuf_init(&m, padded, n);
	m.ol_flags = c->flags;
	classify_frame(rs, c->direction, &m, (uint32_t)n, c->link, &d);
	check_info(&d.info, (uint32_t)n);
	check_same_judged(&d.info, &whole->info);
	chain_fini(&m, 1);
	free(padded);
}

static void
circumstances_take(struct circumstances *c, const uint8_t **data, size_t *size)
{
	uint8_t bytes[N_CIRCUMSTANCES];

	fuzz_take(data, size, bytes, sizeof(bytes));
	c->link = (enum packet_link)(bytes[0] % N_LINKS);
	c->direction = bytes[1] & 0x80 ? CLASSIFY_INBOUND : CLASSIFY_OUTBOUND;
	c->policy = (bytes[1] & 0x7f) % N_POLICIES;
	c->flags = (bytes[2] & 1 ? RTE_MBUF_F_RX_VLAN_STRIPPED : 0) |
		   (bytes[2] & 2 ? RTE_MBUF_F_RX_QINQ_STRIPPED : 0);
	c->keep = bytes[3];
	memcpy(c->segment, bytes + 4, sizeof(c->segment));
}

/* Make the length field of what may be an IP header right, or wrong by a byte or a few. */
static void
set_length(uint8_t *p, size_t left, unsigned int seed)
{
	size_t length = p[0] >> 4 == 4 ? left : left - 40;

	length -= seed % 4 == 0 ? seed / 4 % 16 : seed % 4 - 1;
	if (p[0] >> 4 == 4) {
		p[2] = (uint8_t)(length >> 8);
		p[3] = (uint8_t)length;
	} else {
		p[4] = (uint8_t)(length >> 8);
		p[5] = (uint8_t)length;
	}
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	size_t at, n;

	size = LLVMFuzzerMutate(data, size, max_size);
	if (seed % LENGTHS_ONE_IN != 0 || size < N_CIRCUMSTANCES + 60)
		return size;
	seed /= LENGTHS_ONE_IN;
	at = N_CIRCUMSTANCES + seed % (size - N_CIRCUMSTANCES);
	for (n = size - N_CIRCUMSTANCES; n > 0; n--, at++) {
		if (at + 40 > size)
			at = N_CIRCUMSTANCES;
		if (data[at] == 0x45 || data[at] == 0x60) {
			set_length(data + at, size - at, seed);
			break;
		}
	}
	return size;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct ruleset *rs;
	struct circumstances c;
	struct classify_detail whole;

	circumstances_take(&c, &data, &size);
	rs = rulesets[c.policy];
	check_whole(rs, &c, data, size, &whole);
	if (c.keep > 0)
		check_cut(rs, &c, data, size, &whole);
	if (whole.info.reason == REASON_NONE && whole.info.n_addresses > 0)
		check_padded(rs, &c, data, size, &whole);
	return 0;
}
