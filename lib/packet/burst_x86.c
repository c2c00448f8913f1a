/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Plain frames, sixteen at a time: of what is at the same place in all of them a column is made, and what
 * burst_scalar.c asks of frames is asked of columns. That all frames of a group are alike is left to the
 * branch predictor, so that what follows need not wait for the answer. Only called where the CPU has
 * AVX-512: burst.c.
 */
#include "packet/burst_impl.h"

#include "base/isa.h"

#include <assert.h>
#include <netinet/in.h>
#include <rte_prefetch.h>

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX512        ISA_TARGET_AVX512
#define AVX512_INLINE AVX512 static inline __attribute__((always_inline))
#define LANES         16u
#define ALL_LANES     0xffffu

/* Frames to be asked, in whole groups: the last one is repeated. */
struct frames {
	unsigned int n;
	const uint8_t *ip[PACKET_KEYS_SIZE]; /* where the IP header begins */
	uint16_t room[PACKET_KEYS_SIZE];     /* bytes from there on */
	uint8_t at[PACKET_KEYS_SIZE];        /* position in the burst, of the rest only */
};

/* Four neighbouring words of sixteen frames: words[k] has word k of each. */
struct columns {
	__m512i words[4];
};

AVX512_INLINE __m512i
all(uint32_t value)
{
	return _mm512_set1_epi32((int)value);
}

AVX512_INLINE __m128i
load_row(const uint8_t *const *ip, int offset)
{
	return _mm_loadu_si128((const __m128i *)(const void *)(*ip + offset));
}

AVX512_INLINE __m512i
load_rows(const uint8_t *const *ip, int offset)
{
	__m512i rows = _mm512_castsi128_si512(load_row(ip, offset));

	rows = _mm512_inserti32x4(rows, load_row(ip + 4, offset), 1);
	rows = _mm512_inserti32x4(rows, load_row(ip + 8, offset), 2);
	return _mm512_inserti32x4(rows, load_row(ip + 12, offset), 3);
}

AVX512_INLINE struct columns
load_columns(const uint8_t *const ip[LANES], int offset)
{
	__m512i r0 = load_rows(ip, offset), r1 = load_rows(ip + 1, offset);
	__m512i r2 = load_rows(ip + 2, offset), r3 = load_rows(ip + 3, offset);
	__m512i low01 = _mm512_unpacklo_epi32(r0, r1), low23 = _mm512_unpacklo_epi32(r2, r3);
	__m512i high01 = _mm512_unpackhi_epi32(r0, r1), high23 = _mm512_unpackhi_epi32(r2, r3);

	return (struct columns){ {
		_mm512_unpacklo_epi64(low01, low23),
		_mm512_unpackhi_epi64(low01, low23),
		_mm512_unpacklo_epi64(high01, high23),
		_mm512_unpackhi_epi64(high01, high23),
	} };
}

AVX512_INLINE __m512i
load_rooms(const uint16_t room[LANES])
{
	return _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)room));
}

/* 16 bits of each lane, from `shift` on, that are in network order. */
AVX512_INLINE __m512i
get16(__m512i words, unsigned int shift)
{
	__m512i first = _mm512_srli_epi32(words, shift), last = _mm512_srli_epi32(words, shift + 8);

	return _mm512_or_si512(_mm512_slli_epi32(_mm512_and_si512(first, all(0xff)), 8),
		_mm512_and_si512(last, all(0xff)));
}

AVX512_INLINE __m512i
get32(__m512i words)
{
	return _mm512_shuffle_epi8(
		words, _mm512_set4_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203));
}

/* Lanes of which neither port is a tunnel's. */
AVX512_INLINE __mmask16
no_tunnels(const struct limits *limits, __m512i ports)
{
	__m512i slot = _mm512_srli_epi16(
		_mm512_mullo_epi16(ports, _mm512_set1_epi16((short)limits->slot_factor)),
		16 - LIMITS_SLOT_BITS);
	__m512i found = _mm512_permutex2var_epi16(
		_mm512_loadu_si512(limits->slots), slot, _mm512_loadu_si512(limits->slots + 32));
	__m512i differ = _mm512_xor_si512(ports, found);

	static_assert(LIMITS_SLOTS == 64, "two registers");
	differ = _mm512_min_epu16(differ, _mm512_set1_epi16(1));
	return _mm512_cmpeq_epi32_mask(differ, _mm512_set1_epi16(1));
}

/* Lanes whose `size` bytes of transport begin with a whole header that is no tunnel's. */
AVX512_INLINE __mmask16
are_transports(const struct limits *limits, __mmask16 lanes, __m512i protocol, unsigned int icmp,
	__m512i size, __m512i ports)
{
	__mmask16 udp = _mm512_mask_cmpeq_epi32_mask(lanes, protocol, all(IPPROTO_UDP));
	__mmask16 tcp = _mm512_mask_cmpeq_epi32_mask(lanes, protocol, all(IPPROTO_TCP));

	static_assert(PACKET_ICMP_MIN == PACKET_UDP_MIN, "asked together");

	lanes = udp | _mm512_mask_cmpeq_epi32_mask(lanes, protocol, all(icmp));
	lanes = _mm512_mask_cmpge_epi32_mask(lanes, size, all(PACKET_UDP_MIN)) |
		_mm512_mask_cmpge_epi32_mask(tcp, size, all(PACKET_TCP_MIN));
	if (udp != 0)
		lanes &= (__mmask16)~udp | no_tunnels(limits, ports);
	return lanes;
}

AVX512_INLINE __mmask16
are_plain4(const struct packet_pick *p, const uint8_t *const ip[LANES], int skip, __mmask16 lanes,
	const struct columns *head, __m512i room, __m512i *judged)
{
	struct columns tail = load_columns(ip, skip + 8);
	__m512i total = get16(head->words[1], 0);

	lanes = _mm512_mask_testn_epi32_mask(lanes, head->words[2], all(PACKET_FRAGMENT));
	lanes = _mm512_mask_cmple_epi32_mask(lanes, total, room);
	*judged = get32(p->at4 == 12 ? tail.words[1] : tail.words[2]);
	return are_transports(p->limits, lanes, _mm512_srli_epi32(head->words[2], 24), IPPROTO_ICMP,
		_mm512_sub_epi32(total, all(PACKET_IP4_SIZE)), tail.words[3]);
}

AVX512_INLINE __mmask16
kind_is(const struct columns *head, uint32_t mask, uint32_t kind)
{
	return _mm512_cmpeq_epi32_mask(_mm512_and_si512(head->words[0], all(mask)), all(kind));
}

/* IP headers behind a tag begin later. */
AVX512_INLINE void
skip_tags(struct frames *f, unsigned int i, __mmask16 tagged)
{
	const __m512i size = _mm512_set1_epi64(PACKET_VLAN_SIZE);
	__m512i low = _mm512_loadu_si512(f->ip + i), high = _mm512_loadu_si512(f->ip + i + 8);
	__m256i *room = (__m256i *)(void *)(f->room + i);

	_mm512_storeu_si512(f->ip + i, _mm512_mask_add_epi64(low, (__mmask8)tagged, low, size));
	_mm512_storeu_si512(
		f->ip + i + 8, _mm512_mask_add_epi64(high, (__mmask8)(tagged >> 8), high, size));
	_mm256_storeu_si256(room, _mm256_sub_epi16(_mm256_loadu_si256(room),
					  _mm256_maskz_set1_epi16(tagged, PACKET_VLAN_SIZE)));
}

/* Positions of some lanes. */
AVX512_INLINE void
put_at(uint8_t *to, __m128i at, __mmask16 lanes)
{
	__m512i wide = _mm512_cvtepu8_epi32(at);

	_mm_storeu_si128((__m128i *)(void *)to,
		_mm512_cvtepi32_epi8(_mm512_maskz_compress_epi32(lanes, wide)));
}

AVX512_INLINE __m128i
positions(unsigned int first)
{
	return _mm_add_epi8(_mm_set1_epi8((char)first),
		_mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}

/* Adds some lanes of group `i` of `f` to `to`. */
AVX512_INLINE void
put_frames(struct frames *to, const struct frames *f, unsigned int i, __mmask16 lanes)
{
	__mmask8 low = (__mmask8)lanes, high = (__mmask8)(lanes >> 8);
	const uint8_t **ip = to->ip + to->n;

	_mm512_storeu_si512(ip, _mm512_maskz_compress_epi64(low, _mm512_loadu_si512(f->ip + i)));
	_mm512_storeu_si512(ip + __builtin_popcount(low),
		_mm512_maskz_compress_epi64(high, _mm512_loadu_si512(f->ip + i + 8)));
	_mm256_storeu_si256((__m256i *)(void *)(to->room + to->n),
		_mm512_cvtepi32_epi16(_mm512_maskz_compress_epi32(lanes, load_rooms(f->room + i))));
	put_at(to->at + to->n, positions(i), lanes);
	to->n += (unsigned int)__builtin_popcount(lanes);
}

/* The rest of the last group. */
AVX512_INLINE void
pad(struct frames *f)
{
	unsigned int k;

	for (k = f->n; k % LANES != 0; k++) {
		f->ip[k] = f->ip[f->n - 1];
		f->room[k] = f->room[f->n - 1];
	}
}

AVX512_INLINE __mmask16
lanes_of(const struct frames *f, unsigned int i)
{
	return f->n - i >= LANES ? ALL_LANES : (__mmask16)((1u << (f->n - i)) - 1);
}

AVX512_INLINE __m128i
load_at(const struct frames *f, unsigned int i)
{
	return _mm_loadu_si128((const __m128i *)(const void *)(f->at + i));
}

/* What is no IPv6, or too short for its header and ports, is not to be read further. */
AVX512_INLINE void
hide(struct frames *f, unsigned int i, __mmask16 lanes)
{
	static const uint8_t nothing[PACKET_ROOM6_MIN + 16];

	for (; lanes != 0; lanes &= (__mmask16)(lanes - 1))
		f->ip[i + (unsigned int)__builtin_ctz(lanes)] = nothing;
}

AVX512_INLINE __mmask16
are_plain6(const struct packet_pick *p, const uint8_t *const ip[LANES], __mmask16 lanes,
	const struct columns *head, __m512i room)
{
	struct columns judged = load_columns(ip, (int)p->at6), tail = load_columns(ip, 28);
	__m512i first = _mm512_or_si512(judged.words[0], judged.words[1]);
	__m512i size = get16(head->words[1], 16);

	lanes = _mm512_mask_test_epi32_mask(lanes, first, first);
	lanes = _mm512_mask_cmple_epi32_mask(
		lanes, size, _mm512_sub_epi32(room, all(PACKET_IP6_SIZE)));
	return are_transports(p->limits, lanes, _mm512_and_si512(head->words[2], all(0xff)),
		IPPROTO_ICMPV6, size, tail.words[3]);
}

/* The judged addresses of some lanes. */
AVX512_INLINE void
put_keys6(ip6_t *to, const struct packet_pick *p, const struct frames *f, unsigned int i,
	unsigned int lanes)
{
	const __m128i order = _mm_set_epi32(0x00010203, 0x04050607, 0x08090a0b, 0x0c0d0e0f);
	unsigned int k;

	for (k = 0; k < LANES; k++) {
		_mm_store_si128((__m128i *)(void *)to,
			_mm_shuffle_epi8(load_row(f->ip + i + k, (int)p->at6), order));
		to += lanes >> k & 1;
	}
}

/* Of group `i` of `f`: lists plain IPv6, and all others for the walker. `at` are their positions. */
AVX512_INLINE void
group6(const struct packet_pick *p, struct frames *f, unsigned int i, const struct columns *head,
	__m128i at, struct packet_keys *keys)
{
	__mmask16 lanes = lanes_of(f, i), plain;
	__m512i room = load_rooms(f->room + i);

	plain = kind_is(head, PACKET_KIND6_MASK, PACKET_KIND6);
	plain = _mm512_mask_cmpge_epi32_mask(plain, room, all(PACKET_ROOM6_MIN));
	if (plain != ALL_LANES)
		hide(f, i, (__mmask16)~plain);
	plain = are_plain6(p, f->ip + i, plain & lanes, head, room);
	if (plain == lanes) {
		put_keys6(keys->ip6 + keys->n6, p, f, i, ALL_LANES);
		_mm_storeu_si128((__m128i *)(void *)(keys->at6 + keys->n6), at);
		keys->n6 += RTE_MIN(f->n - i, LANES);
		return;
	}
	put_keys6(keys->ip6 + keys->n6, p, f, i, plain);
	put_at(keys->at6 + keys->n6, at, plain);
	keys->n6 += (unsigned int)__builtin_popcount(plain);
	lanes &= (__mmask16)~plain;
	put_at(keys->slow + keys->n_slow, at, lanes);
	keys->n_slow += (unsigned int)__builtin_popcount(lanes);
}

AVX512_INLINE void
pick6(const struct packet_pick *p, struct frames *f, struct packet_keys *keys)
{
	struct columns head;
	unsigned int i;

	for (i = 0; i < f->n; i += LANES) {
		head = load_columns(f->ip + i, -2);
		group6(p, f, i, &head, load_at(f, i), keys);
	}
}

/* Lists plain IPv4, and all others: in `rest`, or a group without any IPv4 at once. */
AVX512_INLINE void
pick4(const struct packet_pick *p, struct frames *f, struct packet_keys *keys, struct frames *rest)
{
	__mmask16 lanes, plain, tagged;
	struct columns head;
	__m512i judged = _mm512_setzero_si512(), room;
	unsigned int i;
	int skip;

	for (i = 0; i < f->n; i += LANES) {
		lanes = lanes_of(f, i);
		head = load_columns(f->ip + i, -2);
		tagged = kind_is(&head, 0xffff, p->vlan);
		skip = tagged == ALL_LANES ? (int)PACKET_VLAN_SIZE : 0;
		if (tagged != 0) {
			if (skip == 0)
				skip_tags(f, i, tagged);
			head = load_columns(f->ip + i, skip - 2);
		}
		plain = lanes & kind_is(&head, PACKET_KIND4_MASK, PACKET_KIND4);
		room = _mm512_sub_epi32(load_rooms(f->room + i), all((uint32_t)skip));
		if (plain != 0)
			plain = are_plain4(p, f->ip + i, skip, plain, &head, room, &judged);
		if (plain == lanes) {
			_mm512_storeu_si512(keys->ip4 + keys->n4, judged);
			_mm_storeu_si128((__m128i *)(void *)(keys->at4 + keys->n4), positions(i));
			keys->n4 += RTE_MIN(f->n - i, LANES);
			continue;
		}
		if (skip != 0)
			skip_tags(f, i, tagged);
		if (plain == 0) {
			group6(p, f, i, &head, positions(i), keys);
			continue;
		}
		_mm512_storeu_si512(
			keys->ip4 + keys->n4, _mm512_maskz_compress_epi32(plain, judged));
		put_at(keys->at4 + keys->n4, positions(i), plain);
		keys->n4 += (unsigned int)__builtin_popcount(plain);
		put_frames(rest, f, i, lanes & (__mmask16)~plain);
	}
}

/* Fetches all frames. Returns whether they can be read here: of one segment, long enough, with nothing
 * taken off. */
static inline bool
begin(const struct packet_pick *p, struct frames *f)
{
	uint32_t is_chained = 0, is_short = 0;
	uint64_t flags = 0;
	unsigned int i;

	for (i = 0; i < p->n; i++) {
		const struct rte_mbuf *m = p->pkts[i];
		const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);

		rte_prefetch0(frame);
		f->ip[i] = frame + PACKET_ETHER_SIZE;
		f->room[i] = (uint16_t)(m->data_len - PACKET_ETHER_SIZE);
		is_short |= (m->data_len - PACKET_PLAIN_MIN) >> 31;
		is_chained |= m->nb_segs ^ 1u;
		flags |= m->ol_flags;
	}
	f->n = i;
	return is_chained == 0 && is_short == 0 && (flags & PACKET_STRIPPED_TAGS) == 0;
}

AVX512 void
packet_pick_avx512(const struct packet_pick *p, struct packet_keys *keys)
{
	struct frames frames, rest;

	if (!begin(p, &frames)) {
		packet_pick_scalar(p, keys);
		return;
	}
	rest.n = 0;
	pad(&frames);
	pick4(p, &frames, keys, &rest);
	pad(&rest);
	pick6(p, &rest, keys);
}
#endif
