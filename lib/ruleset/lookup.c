/* SPDX-License-Identifier: BSD-3-Clause */
/* Which look-up runs: one indirect call per chunk, not per address. */
#include "lookup_impl.h"

#include "base/isa.h"

static const struct {
	lookup4_fn *lookup4;
	lookup6_fn *lookup6;
} by_isa[ISA_N] = {
	[ISA_SCALAR] = { lookup4_scalar, lookup6_scalar },
#if defined(__x86_64__)
	[ISA_AVX2] = { lookup4_avx2, lookup6_avx2 },
	[ISA_AVX512] = { lookup4_avx512, lookup6_avx512 },
#endif
};

void
ruleset_answer4(
	const struct ruleset *rs, const uint32_t *ips, ruleset_answer_t *answers, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i += LOOKUP_CHUNK)
		by_isa[isa_selected].lookup4(&rs->table4, ips + i, answers + i,
			n - i < LOOKUP_CHUNK ? n - i : LOOKUP_CHUNK);
}

void
ruleset_answer6(
	const struct ruleset *rs, const ip6_t *ips, ruleset_answer_t *answers, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i += LOOKUP_CHUNK)
		by_isa[isa_selected].lookup6(&rs->table6, ips + i, answers + i,
			n - i < LOOKUP_CHUNK ? n - i : LOOKUP_CHUNK);
}

void
ruleset_lookup4(
	const struct ruleset *rs, const uint32_t *ips, ruleset_class_t *classes, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		ruleset_prefetch4(rs, ips[i]);
	ruleset_answer4(rs, ips, classes, n);
	for (i = 0; i < n; i++)
		classes[i] &= RULESET_CLASS_MASK;
}

void
ruleset_lookup6(
	const struct ruleset *rs, const ip6_t *ips, ruleset_class_t *classes, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		ruleset_prefetch6(rs, ips[i]);
	ruleset_answer6(rs, ips, classes, n);
	for (i = 0; i < n; i++)
		classes[i] &= RULESET_CLASS_MASK;
}
