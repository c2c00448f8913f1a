/* SPDX-License-Identifier: BSD-3-Clause */
/* SHA-256 through libcrypto's EVP. */
#include "base/sha256.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

int
sha256_bytes(const void *data, size_t size, unsigned char out[SHA256_SIZE])
{
	unsigned char digest[EVP_MAX_MD_SIZE];

	if (EVP_Digest(data, size, digest, NULL, EVP_sha256(), NULL) != 1)
		return -EIO;
	memcpy(out, digest, SHA256_SIZE);
	return 0;
}

int
sha256_text(const void *data, size_t size, char out[SHA256_TEXT_SIZE])
{
	unsigned char digest[SHA256_SIZE];
	unsigned int i;

	if (sha256_bytes(data, size, digest) != 0)
		return -EIO;
	for (i = 0; i < SHA256_SIZE; i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
	return 0;
}

bool
sha256_is_text(const char *text)
{
	return strlen(text) == SHA256_TEXT_SIZE - 1 &&
	       strspn(text, "0123456789abcdef") == SHA256_TEXT_SIZE - 1;
}
