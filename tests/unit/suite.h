/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * suite: one CUnit suite per test binary, with an exit code that tells the truth.
 *
 *     SUITE("geo", { "rejects host bits", test_rejects_host_bits }, ...);
 *
 * Exit 0 only when at least one test ran and every assertion held; 77 when every test was skipped.
 */
#pragma once

#include <CUnit/CUnit.h>
#include <stddef.h>

struct suite_test {
	const char *name;
	void (*run)(void);
};

int suite_run(
	const char *name, const struct suite_test *tests, size_t n_tests, int argc, char **argv);

/* Say why the running test did nothing: it counts as skipped, not as passed. */
void suite_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A path below ../shared (real data that a user's clone does not have), or NULL when it is absent.
 * Static buffer. */
const char *suite_shared(const char *path);

#define SUITE(name, ...)                                                                           \
	int main(int argc, char **argv)                                                            \
	{                                                                                          \
		static const struct suite_test tests[] = { __VA_ARGS__ };                          \
                                                                                                   \
		return suite_run(name, tests, sizeof(tests) / sizeof(tests[0]), argc, argv);       \
	}
