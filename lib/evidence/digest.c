/* SPDX-License-Identifier: BSD-3-Clause */
/* SHA-256 in pieces, through libcrypto's EVP: asking for the digest finishes a copy of the state. */
#include "evidence/segment_impl.h"

#include <errno.h>
#include <stdio.h>

int
digest_init(struct digest *d)
{
	d->running = EVP_MD_CTX_new();
	d->copy = EVP_MD_CTX_new();
	if (d->running != NULL && d->copy != NULL &&
		EVP_DigestInit_ex(d->running, EVP_sha256(), NULL) == 1)
		return 0;
	digest_fini(d);
	return -ENOMEM;
}

void
digest_fini(struct digest *d)
{
	EVP_MD_CTX_free(d->running);
	EVP_MD_CTX_free(d->copy);
	d->running = d->copy = NULL;
}

void
digest_update(struct digest *d, const void *data, size_t size)
{
	EVP_DigestUpdate(d->running, data, size);
}

int
digest_get(const struct digest *d, char out[SHA256_TEXT_SIZE])
{
	unsigned char bytes[SHA256_SIZE];

	if (EVP_MD_CTX_copy_ex(d->copy, d->running) != 1 ||
		EVP_DigestFinal_ex(d->copy, bytes, NULL) != 1)
		return -EIO;
	sha256_format(bytes, out);
	return 0;
}
