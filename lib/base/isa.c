/* SPDX-License-Identifier: BSD-3-Clause */
/* What the CPU has. AVX-512 means what all of its CPUs since 2017 have: F, BW and VL. */
#include "base/isa.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

enum isa isa_selected;

static bool
is_supported(enum isa isa)
{
#if defined(__x86_64__)
	if (isa == ISA_AVX2)
		return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
		       __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
	if (isa == ISA_AVX512)
		return is_supported(ISA_AVX2) && __builtin_cpu_supports("avx512f") &&
		       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
#endif
	return isa == ISA_SCALAR;
}

int
isa_select(enum isa isa)
{
	if (!is_supported(isa))
		return -ENOTSUP;
	isa_selected = isa;
	return 0;
}

const char *
isa_name(enum isa isa)
{
	static const char *const names[ISA_N] = { "scalar", "avx2", "avx512" };

	return isa < ISA_N ? names[isa] : NULL;
}

__attribute__((constructor)) static void
select_best(void)
{
	if (isa_select(ISA_AVX512) != 0)
		(void)isa_select(ISA_AVX2);
}
