/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs one CUnit suite. CU_basic_run_tests() reports framework errors only, so failures and empty
 * runs are counted here. */
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_SKIPPED 77

static unsigned int n_skipped;

void
suite_skip(const char *format, ...)
{
	va_list args;

	n_skipped++;
	printf("SKIP: ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf(" ");
}

const char *
suite_shared(const char *path)
{
	static char full[1024];
	const char *root = getenv("TREFOIL_SHARED");

	if (root != NULL)
		snprintf(full, sizeof(full), "%s/%s", root, path);
	else
		snprintf(full, sizeof(full), "%s/../shared/%s", TREFOIL_SOURCE_ROOT, path);
	return access(full, R_OK) == 0 ? full : NULL;
}

static int
suite_verdict(unsigned int n_tests)
{
	unsigned int n_failed = CU_get_number_of_tests_failed();
	unsigned int n_run = CU_get_number_of_tests_run();

	if (CU_get_number_of_failures() > 0 || CU_get_number_of_suites_failed() > 0)
		n_failed = n_failed > 0 ? n_failed : 1;
	printf("%u passed, %u failed, %u skipped\n", n_run - n_failed - n_skipped, n_failed,
		n_skipped);
	if (n_failed > 0 || n_run == 0 || n_run != n_tests)
		return EXIT_FAILURE;
	return n_skipped == n_run ? EXIT_SKIPPED : EXIT_SUCCESS;
}

/* With an argument: only the tests whose name contains it. */
int
suite_run(const char *name, const struct suite_test *tests, size_t n_tests, int argc, char **argv)
{
	CU_pSuite suite;
	unsigned int n_added = 0;
	size_t i;
	int verdict;

	setvbuf(stdout, NULL, _IONBF, 0);
	if (CU_initialize_registry() != CUE_SUCCESS)
		return EXIT_FAILURE;
	suite = CU_add_suite(name, NULL, NULL);
	for (i = 0; suite != NULL && i < n_tests; i++) {
		if (argc > 1 && strstr(tests[i].name, argv[1]) == NULL)
			continue;
		if (CU_add_test(suite, tests[i].name, tests[i].run) == NULL)
			return EXIT_FAILURE;
		n_added++;
	}
	CU_basic_set_mode(CU_BRM_VERBOSE);
	if (CU_basic_run_tests() != CUE_SUCCESS)
		return EXIT_FAILURE;
	verdict = suite_verdict(n_added);
	CU_cleanup_registry();
	return verdict;
}
