/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What ThreadSanitizer must not report of these tests: frames that a test's make_frame() fills and
 * hands over through a ring in one of DPDK's libraries. They are not instrumented, so the hand-over
 * is not seen. Everything between publisher, workers, writer and counters is.
 */
const char *__tsan_default_suppressions(void);
const char *
__tsan_default_suppressions(void)
{
	return "race:make_frame\n";
}
