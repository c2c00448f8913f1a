/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * segment_impl: a SHA-256 that can be asked in between.
 * Threads: each belongs to one thread.
 */
#pragma once

#include "base/sha256.h"

#include <openssl/evp.h>

struct digest {
	EVP_MD_CTX *running, *copy;
};

/* 0 or -ENOMEM. */
int digest_init(struct digest *d);
void digest_fini(struct digest *d);

void digest_update(struct digest *d, const void *data, size_t size);

/* Of all bytes so far; more may follow. 0 or -EIO. */
int digest_get(const struct digest *d, char out[SHA256_TEXT_SIZE]);
