/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kept_head: where the chain of an evidence directory ended, kept outside it, so that one that is
 * emptied, cut or replaced while the daemon is down does not look whole at the next start. The file
 * STATE_DIR/evidence.heads holds one object: {"DIRECTORY":{"lines":..,"sha256":"..","key":".."}}.
 *
 * Threads: one at a time.
 */
#pragma once

#include "evidence/chain.h"

#include <jansson.h>

#define KEPT_HEAD_FILE "evidence.heads"

struct kept_head {
	const char *state_dir, *directory;
	struct chain_head head; /* n_lines 0 = none is known */
	json_t *all;            /* of other directories too */
};

/* Read what is kept of `directory`; both strings are BORROWED. No file: nothing is known. Returns 0,
 * -ENOMEM, -EBADMSG (damaged) or -errno, `e` filled: after these two kept_head_set() writes it anew. */
int kept_head_load(
	struct kept_head *k, const char *state_dir, const char *directory, struct err *e);

/* Keep `head`, made with `key`, if it is another one; on the disk when it returns 0. Else -errno, `e`
 * filled, and the one before is still kept. */
int kept_head_set(struct kept_head *k, const struct chain_head *head, const struct signing_key *key,
	struct err *e);

void kept_head_fini(struct kept_head *k);
