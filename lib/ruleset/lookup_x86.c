/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Look-ups with AVX2 and AVX-512: a node's keys in one or two comparisons, whose mask is counted.
 * Only called where the CPU has them: lookup.c.
 */
#include "lookup_impl.h"

#include "base/isa.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2   ISA_TARGET_AVX2
#define AVX512 ISA_TARGET_AVX512

/* Unsigned numbers are compared by which is the greater of two. */
AVX2 LOOKUP_INLINE unsigned int
up_to6_avx2(const struct ruleset_node6 *node, uint32_t key)
{
	const __m256i *eight = (const __m256i *)(const void *)node->keys;
	__m256i wide = _mm256_set1_epi32((int)key);
	__m256i first = _mm256_cmpeq_epi32(_mm256_max_epu32(eight[0], wide), wide);
	__m256i last = _mm256_cmpeq_epi32(_mm256_max_epu32(eight[1], wide), wide);
	unsigned int mask = (unsigned int)_mm256_movemask_epi8(
		_mm256_packs_epi32(first, last)); /* twice each */

	return (unsigned int)_mm_popcnt_u32(mask) / 2;
}

AVX512 LOOKUP_INLINE unsigned int
up_to6_avx512(const struct ruleset_node6 *node, uint32_t key)
{
	__m512i keys = _mm512_load_si512(node->keys);

	return (unsigned int)_mm_popcnt_u32(
		_mm512_cmpge_epu32_mask(_mm512_set1_epi32((int)key), keys));
}

/* One address. Returns 1 where its entry is a node. */
LOOKUP_INLINE uint64_t
direct4(const struct ruleset_table4 *t, uint32_t ip, uint32_t *answer)
{
	*answer = t->direct[ip >> 8];
	return *answer >> 31;
}

/* Eight entries at once; the top bit of each says that it is a node. */
AVX2 void
lookup4_avx2(const struct ruleset_table4 *t, const uint32_t *ips, uint32_t *answers, unsigned int n)
{
	unsigned int i;
	uint64_t nodes = 0;
	__m256i ip, entry;

	for (i = 0; i + 8 <= n; i += 8) {
		ip = _mm256_loadu_si256((const __m256i *)(const void *)(ips + i));
		entry = _mm256_i32gather_epi32(
			(const int *)t->direct, _mm256_srli_epi32(ip, 8), sizeof(uint32_t));
		_mm256_storeu_si256((__m256i *)(void *)(answers + i), entry);
		nodes |= (uint64_t)(uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(entry)) << i;
	}
	for (; i < n; i++)
		nodes |= direct4(t, ips[i], &answers[i]) << i;
	lookup4_nodes(t, ips, answers, nodes);
}

AVX2 void
lookup6_avx2(const struct ruleset_table6 *t, const ip6_t *ips, uint32_t *answers, unsigned int n)
{
	lookup6_by(up_to6_avx2, t, ips, answers, n);
}

AVX512 void
lookup4_avx512(
	const struct ruleset_table4 *t, const uint32_t *ips, uint32_t *answers, unsigned int n)
{
	unsigned int i;
	uint64_t nodes = 0;
	__m512i ip, entry;

	for (i = 0; i + 16 <= n; i += 16) {
		ip = _mm512_loadu_si512(ips + i);
		entry = _mm512_i32gather_epi32(
			_mm512_srli_epi32(ip, 8), t->direct, sizeof(uint32_t));
		_mm512_storeu_si512(answers + i, entry);
		nodes |= (uint64_t)_mm512_cmplt_epi32_mask(entry, _mm512_setzero_si512()) << i;
	}
	for (; i < n; i++)
		nodes |= direct4(t, ips[i], &answers[i]) << i;
	lookup4_nodes(t, ips, answers, nodes);
}

AVX512 void
lookup6_avx512(const struct ruleset_table6 *t, const ip6_t *ips, uint32_t *answers, unsigned int n)
{
	lookup6_by(up_to6_avx512, t, ips, answers, n);
}
#endif
