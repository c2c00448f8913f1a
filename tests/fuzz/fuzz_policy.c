/* SPDX-License-Identifier: BSD-3-Clause */
/* Policy texts: errors that say something, or a policy whose tables are sorted and whose rules all
 * exist and can be shown. */
#include "fuzz_policy.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_check_policy((const char *)data, size);
	return 0;
}
