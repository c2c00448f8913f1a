/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which look-up runs. Chosen before main() by what the CPU says, and only changed while nobody looks
 * up, so readers need no synchronisation. One indirect call per chunk, not per address.
 */
#include "lookup_impl.h"

#include <errno.h>

struct isa {
	const char *name;
	lookup4_fn *lookup4;
	lookup6_fn *lookup6;
};

static const struct isa isas[RULESET_ISA_N] = {
	[RULESET_ISA_SCALAR] = { "scalar", lookup4_scalar, lookup6_scalar },
#if defined(__x86_64__)
	[RULESET_ISA_AVX2] = { "avx2", lookup4_avx2, lookup6_avx2 },
	[RULESET_ISA_AVX512] = { "avx512", lookup4_avx512, lookup6_avx512 },
#else
	[RULESET_ISA_AVX2] = { "avx2", NULL, NULL },
	[RULESET_ISA_AVX512] = { "avx512", NULL, NULL },
#endif
};

static enum ruleset_isa selected;

static bool
is_supported(enum ruleset_isa isa)
{
	if (isa >= RULESET_ISA_N || isas[isa].lookup4 == NULL)
		return false;
#if defined(__x86_64__)
	if (isa == RULESET_ISA_AVX2)
		return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") &&
		       __builtin_cpu_supports("popcnt");
	if (isa == RULESET_ISA_AVX512)
		return is_supported(RULESET_ISA_AVX2) && __builtin_cpu_supports("avx512f") &&
		       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
#endif
	return true;
}

int
ruleset_isa_select(enum ruleset_isa isa)
{
	if (!is_supported(isa))
		return -ENOTSUP;
	selected = isa;
	return 0;
}

enum ruleset_isa
ruleset_isa_selected(void)
{
	return selected;
}

const char *
ruleset_isa_name(enum ruleset_isa isa)
{
	return isa < RULESET_ISA_N ? isas[isa].name : NULL;
}

__attribute__((constructor)) static void
select_best(void)
{
	if (ruleset_isa_select(RULESET_ISA_AVX512) != 0)
		(void)ruleset_isa_select(RULESET_ISA_AVX2);
}

void
ruleset_answer4(
	const struct ruleset *rs, const uint32_t *ips, ruleset_answer_t *answers, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i += LOOKUP_CHUNK)
		isas[selected].lookup4(&rs->table4, ips + i, answers + i,
			n - i < LOOKUP_CHUNK ? n - i : LOOKUP_CHUNK);
}

void
ruleset_answer6(
	const struct ruleset *rs, const ip6_t *ips, ruleset_answer_t *answers, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i += LOOKUP_CHUNK)
		isas[selected].lookup6(&rs->table6, ips + i, answers + i,
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
