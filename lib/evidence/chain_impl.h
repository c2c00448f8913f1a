/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chain_impl: what writing and verifying share.
 * Threads: pure functions.
 */
#pragma once

#include "evidence/chain.h"

#define CHAIN_START "0000000000000000000000000000000000000000000000000000000000000000"

/* The signature's place in a line (without line feed) of `length` bytes: its key begins at the
 * returned offset, its 88 characters 8 bytes further. 0 = the line has none at its end. */
size_t chain_find_signature(const char *line, size_t length);

#define CHAIN_SIGNATURE_KEY  ",\"sig\":\""
#define CHAIN_SIGNATURE_TAIL "\"}"
#define CHAIN_SIGNATURE_SIZE                                                                       \
	(sizeof(CHAIN_SIGNATURE_KEY) - 1 + SIGNATURE_TEXT_SIZE - 1 +                               \
		sizeof(CHAIN_SIGNATURE_TAIL) - 1)
