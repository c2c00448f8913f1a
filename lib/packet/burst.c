/* SPDX-License-Identifier: BSD-3-Clause */
/* Who sorts a burst: sixteen frames at a time need the instructions, and enough frames. */
#include "packet/burst_impl.h"

#include "base/isa.h"

#define FEW 8u /* fewer are faster one by one */

static packet_pick_fn *
picker(unsigned int n, const struct limits *limits)
{
#if defined(__x86_64__)
	if (isa_selected == ISA_AVX512 && n >= FEW && limits->slot_factor != 0)
		return packet_pick_avx512;
#endif
	return packet_pick_scalar;
}

void
packet_burst_keys(struct rte_mbuf *const *pkts, unsigned int n, const struct limits *limits,
	enum packet_judge judge, struct packet_keys *keys)
{
	const struct packet_pick pick = { pkts, n, limits,
		.vlan = limits->n_tags_max > 0 ? RTE_BE16(0x8100) : 0x10000,
		.at4 = judge == PACKET_SOURCES ? 12 : 16, .at6 = judge == PACKET_SOURCES ? 8 : 24 };

	keys->n4 = keys->n6 = keys->n_slow = 0;
	picker(n, limits)(&pick, keys);
}
