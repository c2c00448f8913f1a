/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ruleset: look-up tables on several NUMA nodes, with memory that is counted and refused. The memory of
 * the machine itself is tried on node 0, which every machine has.
 */
#include "suite.h"

#include "geo/geo_build.h"
#include "ruleset/ruleset.h"

#include <errno.h>
#include <linux/mempolicy.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define N_ARRAYS 6 /* of the tables */
#define N_IPS    4096

/* What the memory was asked for. */
static struct {
	unsigned int n_asked, n_held, refuse_at; /* the n-th is refused, 0 = none */
	int node;
	size_t size;
} asked;

static void *
counted_new(size_t size, int node)
{
	if (++asked.n_asked == asked.refuse_at)
		return NULL;
	asked.n_held++;
	asked.node = node;
	asked.size += size;
	return huge_new(size);
}

static void
counted_free(const void *memory, size_t size)
{
	if (memory == NULL)
		return;
	asked.n_held--;
	asked.size -= size;
	huge_free(memory, size);
}

static const struct huge_memory counted = { counted_new, counted_free };

struct fixture {
	struct policy *policy;
	struct geo_table *geo;
	struct ruleset *ruleset;
	uint32_t ip4[N_IPS];
	ip6_t ip6[N_IPS];
};

static const char text[] = "[country]\napprove = IE DE\nmirror = US\n[prefix]\n"
			   "drop = 2.0.0.77/32 2a00::7/128\n";

static struct geo_table *
make_geo(void)
{
	static const char *const countries[] = { "CN", "IE", "US", "DE" };
	struct geo_build *b = geo_build_new();
	int source = geo_build_add_source(b, "test");
	uint32_t i;

	for (i = 0; i < 64; i++) {
		struct ip_range r4 = { IP4(2, 0, 0, i * 4), IP4(2, 0, 0, i * 4 + i % 4), 4 };
		struct ip_range r6 = { IP6((UINT64_C(0x2a00) << 48) + i, i),
			IP6((UINT64_C(0x2a00) << 48) + i, UINT64_MAX), 6 };

		CU_ASSERT_EQUAL_FATAL(geo_build_add_country(b, &r4, countries[i % 4], source), 0);
		CU_ASSERT_EQUAL_FATAL(geo_build_add_country(b, &r6, countries[i % 4], source), 0);
	}
	return geo_build_seal(b);
}

static void
fixture_init(struct fixture *f)
{
	uint32_t i;

	memset(&asked, 0, sizeof(asked));
	f->geo = make_geo();
	f->policy = policy_parse(text, sizeof(text) - 1, "policy.ini", NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f->geo);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f->policy);
	f->ruleset = ruleset_compile(f->policy, f->geo, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f->ruleset);
	for (i = 0; i < N_IPS; i++) {
		f->ip4[i] = IP4(2, 0, 0, 0) - 16 + i % 512;
		f->ip6[i] = IP6((UINT64_C(0x2a00) << 48) + i / 64, i % 64) - 1;
	}
}

static void
fixture_fini(struct fixture *f)
{
	ruleset_free(f->ruleset);
	policy_free(f->policy);
	geo_free(f->geo);
}

struct answers {
	ruleset_answer_t of4[N_IPS], of6[N_IPS];
};

static void
ask(const struct fixture *f, const struct ruleset *rs, struct answers *out)
{
	ruleset_answer4(rs, f->ip4, out->of4, N_IPS);
	ruleset_answer6(rs, f->ip6, out->of6, N_IPS);
}

static void
test_copies_give_the_same_answers_from_memory_of_their_own(void)
{
	static struct answers want, got;
	struct ruleset *copy;
	struct fixture f;

	fixture_init(&f);
	ask(&f, f.ruleset, &want);
	CU_ASSERT_NOT_EQUAL(want.of4[16], want.of4[16 + 4]);
	copy = ruleset_copy(f.ruleset, &counted, 3);
	CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
	CU_ASSERT_EQUAL(asked.n_held, N_ARRAYS);
	CU_ASSERT_EQUAL(asked.node, 3);
	CU_ASSERT_PTR_NOT_EQUAL(copy->table4.direct, f.ruleset->table4.direct);
	CU_ASSERT_PTR_NOT_EQUAL(copy->table6.nodes, f.ruleset->table6.nodes);
	CU_ASSERT_EQUAL(ruleset_memory_size(copy), ruleset_memory_size(f.ruleset));
	ask(&f, copy, &got);
	CU_ASSERT_EQUAL(memcmp(&want, &got, sizeof(want)), 0);
	ruleset_free(copy);
	CU_ASSERT_EQUAL(asked.n_held, 0);
	CU_ASSERT_EQUAL(asked.size, 0);
	ask(&f, f.ruleset, &got);
	CU_ASSERT_EQUAL(memcmp(&want, &got, sizeof(want)), 0);
	fixture_fini(&f);
}

static void
test_a_moved_ruleset_answers_from_the_new_memory_only(void)
{
	static struct answers want, got;
	const uint32_t *before;
	struct fixture f;

	fixture_init(&f);
	ask(&f, f.ruleset, &want);
	before = f.ruleset->table4.direct;
	CU_ASSERT_EQUAL_FATAL(ruleset_move(f.ruleset, &counted, 2), 0);
	CU_ASSERT_EQUAL(asked.n_held, N_ARRAYS);
	CU_ASSERT_EQUAL(asked.node, 2);
	CU_ASSERT_PTR_NOT_EQUAL(f.ruleset->table4.direct, before);
	ask(&f, f.ruleset, &got);
	CU_ASSERT_EQUAL(memcmp(&want, &got, sizeof(want)), 0);
	CU_ASSERT_EQUAL_FATAL(ruleset_move(f.ruleset, &counted, 1), 0); /* and again */
	CU_ASSERT_EQUAL(asked.n_held, N_ARRAYS);
	ask(&f, f.ruleset, &got);
	CU_ASSERT_EQUAL(memcmp(&want, &got, sizeof(want)), 0);
	fixture_fini(&f);
	CU_ASSERT_EQUAL(asked.n_held, 0);
}

static void
test_without_memory_nothing_changes(void)
{
	static struct answers want, got;
	struct fixture f;
	unsigned int i;

	fixture_init(&f);
	ask(&f, f.ruleset, &want);
	for (i = 1; i <= N_ARRAYS; i++) {
		memset(&asked, 0, sizeof(asked));
		asked.refuse_at = i;
		errno = 0;
		CU_ASSERT_PTR_NULL(ruleset_copy(f.ruleset, &counted, 0));
		CU_ASSERT_EQUAL(errno, ENOMEM);
		CU_ASSERT_EQUAL(asked.n_held, 0);
		memset(&asked, 0, sizeof(asked));
		asked.refuse_at = i;
		CU_ASSERT_EQUAL(ruleset_move(f.ruleset, &counted, 0), -ENOMEM);
		CU_ASSERT_EQUAL(asked.n_held, 0);
		ask(&f, f.ruleset, &got);
		CU_ASSERT_EQUAL(memcmp(&want, &got, sizeof(want)), 0);
	}
	fixture_fini(&f);
}

/* A kernel without NUMA, or a container, may refuse to say or to bind. */
static void
test_memory_of_a_node_is_zeroed_and_bound_to_it(void)
{
	static const size_t sizes[] = { 4096, 3u << 20 };
	unsigned long mask[16];
	size_t i, k, n_set;
	int mode;

	for (i = 0; i < 2; i++) {
		uint8_t *memory = huge_memory_on_nodes.new_on(sizes[i], 0);

		CU_ASSERT_PTR_NOT_NULL_FATAL(memory);
		memset(mask, 0, sizeof(mask));
		if (syscall(SYS_get_mempolicy, &mode, mask, 8 * sizeof(mask), memory,
			    MPOL_F_ADDR) != 0) {
			huge_memory_on_nodes.free(memory, sizes[i]);
			suite_skip("get_mempolicy: %s", strerror(errno));
			return;
		}
		CU_ASSERT_EQUAL(mode, MPOL_PREFERRED);
		CU_ASSERT_EQUAL(mask[0], 1);
		for (n_set = 0, k = 0; k < sizes[i]; k++)
			n_set += memory[k] != 0;
		CU_ASSERT_EQUAL(n_set, 0);
		huge_memory_on_nodes.free(memory, sizes[i]);
	}
	huge_memory_on_nodes.free(NULL, 1);
}

SUITE("ruleset_copy",
	{ "copies give the same answers from memory of their own",
		test_copies_give_the_same_answers_from_memory_of_their_own },
	{ "a moved ruleset answers from the new memory only",
		test_a_moved_ruleset_answers_from_the_new_memory_only },
	{ "without memory nothing changes", test_without_memory_nothing_changes },
	{ "memory of a node is zeroed and bound to it",
		test_memory_of_a_node_is_zeroed_and_bound_to_it })
