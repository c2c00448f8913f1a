/* SPDX-License-Identifier: BSD-3-Clause */
/* SHA-256 through libcrypto's EVP. */
#include "base/sha256.h"

#include <errno.h>
#include <openssl/evp.h>
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

void
sha256_format(const unsigned char digest[SHA256_SIZE], char out[SHA256_TEXT_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	unsigned int i;

	for (i = 0; i < SHA256_SIZE; i++) {
		out[2 * i] = digits[digest[i] >> 4];
		out[2 * i + 1] = digits[digest[i] & 0xf];
	}
	out[SHA256_TEXT_SIZE - 1] = '\0';
}

int
sha256_text(const void *data, size_t size, char out[SHA256_TEXT_SIZE])
{
	unsigned char digest[SHA256_SIZE];

	if (sha256_bytes(data, size, digest) != 0)
		return -EIO;
	sha256_format(digest, out);
	return 0;
}

bool
sha256_is_text(const char *text)
{
	return strlen(text) == SHA256_TEXT_SIZE - 1 &&
	       strspn(text, "0123456789abcdef") == SHA256_TEXT_SIZE - 1;
}
