/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sha256: digest of a buffer as lower-case hex text, through libcrypto.
 * Threads: pure function.
 * Source: FIPS 180-4.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define SHA256_SIZE      32
#define SHA256_TEXT_SIZE 65 /* 64 hex digits and a NUL */

/* Write the digest of `data` to `out`. Returns 0 or -EIO (libcrypto failed), `out` untouched then.
 */
int sha256_bytes(const void *data, size_t size, unsigned char out[SHA256_SIZE]);
int sha256_text(const void *data, size_t size, char out[SHA256_TEXT_SIZE]);

/* The text of a digest. */
void sha256_format(const unsigned char digest[SHA256_SIZE], char out[SHA256_TEXT_SIZE]);

/* Is it such a text: 64 lower-case hex digits, no more? */
bool sha256_is_text(const char *text);
