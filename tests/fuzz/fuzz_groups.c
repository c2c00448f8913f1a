/* SPDX-License-Identifier: BSD-3-Clause */
/* Groups: the input is the value of a group's list and whatever it makes of the lines behind it;
 * rules name that group and built-in ones. */
#include "fuzz_policy.h"

#define HEAD                                                                                       \
	"[country]\napprove = own EU\nmirror = EEA\ndrop = adequacy US\n"                          \
	"[group own]\ncountries = "

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t head = sizeof(HEAD) - 1;
	char *text = malloc(head + size);

	CHECK(text != NULL);
	memcpy(text, HEAD, head);
	memcpy(text + head, data, size);
	fuzz_check_policy(text, head + size);
	free(text);
	return 0;
}
