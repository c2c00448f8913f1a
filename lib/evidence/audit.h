/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * audit: does an evidence directory hold what its manifest says, byte for byte? Needs nothing but
 * the directory and the public key.
 *
 * Threads: an audit belongs to one thread.
 */
#pragma once

#include "evidence/inventory.h"

enum audit_kind {
	AUDIT_GOOD,
	AUDIT_NOTE,   /* good as far as it goes: open, recovered after a crash, not closed */
	AUDIT_BROKEN, /* changed, missing, not of the manifest */
};

/* What was found of one segment, or of the directory (`s` NULL). */
struct audit_finding {
	enum audit_kind kind;
	const struct inventory_segment *s;
	const struct segment_finding *found; /* NULL = nothing was read */
	const char *text;
};

struct audit_options {
	const struct signing_key *key; /* NULL = signatures are not looked at */
	const char *head;              /* hash that must be in the manifest, NULL = none */
	void (*found)(void *context, const struct audit_finding *finding);
	segment_progress_fn *progress; /* NULL = none */
	void *context;
};

struct audit_result {
	uint64_t n_segments; /* that are there, by the manifest */
	uint64_t n_removed;  /* that were, and whose removal is on record */
	uint64_t n_broken, n_notes, n_bytes, n_packets;
	struct chain_head head;
};

/* Bytes that audit_directory() will read, for a progress bar. 0 when there is no manifest. */
uint64_t audit_bytes(const char *directory);

/* Check everything and tell each finding. Returns 0 (nothing broken), -EBADMSG, -ENOMEM or -errno
 * (the directory cannot be read at all: `e` says why). */
int audit_directory(const char *directory, const struct audit_options *options,
	struct audit_result *result, struct err *e);
