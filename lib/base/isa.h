/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * isa: which instruction set the hot path uses: the best that the CPU has, unless told otherwise. All
 * give the same answers.
 *
 * Threads: chosen before main(). isa_select() is for start-up, tests and benches: not while anybody
 * classifies.
 */
#pragma once

/* Of functions that are only called where isa_selected allows it. */
#define ISA_TARGET_AVX2 __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt")))
#define ISA_TARGET_AVX512                                                                          \
	__attribute__((target("avx512f,avx512bw,avx512vl,avx2,bmi,bmi2,lzcnt,popcnt")))

enum isa { ISA_SCALAR, ISA_AVX2, ISA_AVX512, ISA_N };

/* HOT: to be read, not to be set. */
extern enum isa isa_selected;

/* Returns 0 or -ENOTSUP: the CPU lacks it. */
int isa_select(enum isa isa);

/* "scalar", "avx2", "avx512"; NULL for anything else. */
const char *isa_name(enum isa isa);
