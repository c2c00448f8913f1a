/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * candidate: a policy file, read once: what is checked is what is sent.
 * Threads: one.
 */
#pragma once

#include "command.h"

#include "policy/policy.h"

struct candidate {
	char *text;
	size_t size;
	struct policy *policy;
};

/* Read and check line->argument; what is wrong is already reported when it returns another code
 * than DONE. */
enum control_exit candidate_init(struct candidate *c, const struct command_line *line);
void candidate_fini(struct candidate *c);

/* A whole file of at most `size_max` bytes, for free(). NULL and an error in `errors`. */
char *candidate_read(const char *path, size_t size_max, size_t *size, struct err_list *errors);

/* Of a path, for rules and errors. */
const char *candidate_base_name(const char *path);
