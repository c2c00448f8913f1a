/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * signing_key: the appliance's Ed25519 key, with which evidence is signed, and the public half that
 * an auditor has. Files are PEM (PKCS #8, SubjectPublicKeyInfo), as openssl(1) reads them.
 *
 * Threads: immutable once loaded; any number of threads may sign and verify.
 * Source: RFC 8032, RFC 8410.
 */
#pragma once

#include "base/err.h"
#include "base/sha256.h"

#include <stdbool.h>
#include <stddef.h>

#define SIGNATURE_SIZE      64
#define SIGNATURE_TEXT_SIZE 89 /* base64 and a NUL */

struct signing_key;

/* Load the private key of `path`, which only its owner may read; `*is_new` (NULL allowed) tells
 * that there was none, and that one was made (0600, durable before this returns). NULL + errno,
 * `e` says what to do: EPERM (others may read it), EINVAL (no Ed25519 key), EIO (libcrypto), that
 * of the system. */
struct signing_key *signing_key_load(const char *path, bool *is_new, struct err *e);

/* Load a public key. NULL + errno like above. It cannot sign. */
struct signing_key *signing_key_load_public(const char *path, struct err *e);

/* NULL allowed. */
void signing_key_free(struct signing_key *key);

/* Write the public half (0644, replaced in one step). Returns 0 or -errno, `e` filled. */
int signing_key_export(const struct signing_key *key, const char *path, struct err *e);

/* SHA-256 of the public key as DER, in hex: `openssl pkey -pubin -in F -outform DER | sha256sum`.
 * Lives as long as the key. */
const char *signing_key_id(const struct signing_key *key);

/* Sign `size` bytes; base64 to `out`. Returns 0, -EPERM (a public key) or -EIO (libcrypto). */
int signing_key_sign(const struct signing_key *key, const void *data, size_t size,
	char out[SIGNATURE_TEXT_SIZE]);

/* Is `signature` (base64, exactly as signing_key_sign() writes it) of `data` by this key? Returns
 * 0, -EBADMSG (it is not) or -EINVAL (no signature at all). */
int signing_key_verify(
	const struct signing_key *key, const void *data, size_t size, const char *signature);
