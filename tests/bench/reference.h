/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reference: the same classes in DPDK's own tables, rte_fib and rte_fib6, for comparison.
 * Threads: one.
 */
#pragma once

#include "ruleset/ruleset.h"

#include <rte_fib.h>
#include <rte_fib6.h>
#include <rte_version.h>
#if RTE_VERSION >= RTE_VERSION_NUM(24, 11, 0, 0)
#include <rte_ip6.h>
typedef struct rte_ipv6_addr reference_ip6_t;
#else
typedef struct {
	uint8_t a[16];
} reference_ip6_t;
#endif

#define REFERENCE_MEMORY_MB 2800 /* what both tables take of the EAL's memory */

struct reference {
	struct rte_fib *fib4;
	struct rte_fib6 *fib6;
};

/* Fill both with every prefix of the ruleset's ranges. Ends the program where it cannot be. */
void reference_init(struct reference *r, const struct ruleset *rs);

/* The look-up functions that this CPU has; select returns 0 or -errno. */
unsigned int reference_n_variants4(void);
const char *reference_name4(unsigned int variant);
int reference_select4(struct reference *r, unsigned int variant);
unsigned int reference_n_variants6(void);
const char *reference_name6(unsigned int variant);
int reference_select6(struct reference *r, unsigned int variant);

/* HOT */
static inline void
reference_lookup4(struct reference *r, uint32_t *ips, uint64_t *classes, unsigned int n)
{
	(void)rte_fib_lookup_bulk(r->fib4, ips, classes, (int)n);
}

static inline void
reference_lookup6(struct reference *r, reference_ip6_t *ips, uint64_t *classes, unsigned int n)
{
#if RTE_VERSION >= RTE_VERSION_NUM(24, 11, 0, 0)
	(void)rte_fib6_lookup_bulk(r->fib6, ips, classes, (int)n);
#else
	(void)rte_fib6_lookup_bulk(r->fib6, (uint8_t(*)[16])ips, classes, (int)n);
#endif
}
