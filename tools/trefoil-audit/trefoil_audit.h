/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * trefoil-audit: what its sub-commands share: options, walking over the evidence.
 * Threads: one.
 */
#pragma once

#include "evidence/audit.h"
#include "mirror/capture_reader.h"
#include "mirror/flow_key.h"
#include "tool.h"

#include <stdbool.h>
#include <stdio.h>

/* What several sub-commands take, as an argp child; its input is a struct options. */
struct options {
	const char *directory;
	const char *key_path; /* NULL = signatures are not looked at */
	bool json;
	struct signing_key *key; /* of key_path, once options_load() was called */
};
extern const struct argp options_argp;

/* Load the key. Returns EXIT_DONE, or an exit code after printing why. */
int options_load(struct options *o);
void options_fini(struct options *o);

/* Which packets, as an argp child; its input is a struct selection. */
struct selection {
	uint64_t from_ns, to_ns; /* to_ns 0 = no end */
	const char *country, *reason, *rule, *verdict, *segment;
	const char *flow[2]; /* addresses, with or without port; NULL = any */
	char ends[2][FLOW_ADDRESS_SIZE];
	int64_t asn; /* -1 = any */
};
extern const struct argp selection_argp;

/* A sub-command over packets: its arguments begin with a struct query, which is the input of its argp.
 * That has query_children, and query_parse() as its parser or called by it for what it does not know. */
struct query {
	struct options options;
	struct selection selection;
};
extern const struct argp_child query_children[];
error_t query_parse(int key, char *arg, struct argp_state *state);

/* Parse, load the key, answer. Returns an exit code. `q` zeroed. */
typedef int query_fn(struct query *q);
int query_run(const struct argp *argp, struct query *q, query_fn *answer, int argc, char **argv);

/* The annotation of a packet. Texts are not NUL-terminated. */
struct text {
	const char *at;
	size_t length;
};
struct annotation {
	struct text verdict, reason, rule, country;
	uint32_t asn;
};
void annotation_parse(const char *comment, size_t length, struct annotation *out);
bool text_is(const struct text *text, const char *value);

struct packet {
	const struct inventory_segment *segment;
	const struct capture_block *block;
	struct annotation annotation;
	struct flow_key flow;
};

/* Called for the blocks of each segment: all that are no packets, and the packets selected.
 * `p->block->kind` tells. Not 0 (negative errno, `e` filled) ends the walk. */
typedef int packet_fn(void *context, const struct packet *p, struct err *e);

/* Walk over all segments that are there. One that cannot be read to its end does not end the walk.
 * Returns 0 or -errno, `e` filled: the first error. */
int walk(const struct options *o, const struct selection *s, packet_fn *fn, void *context,
	struct err *e);

/* Check the audit log of commands `path`; `head` must be in it, NULL = none. Returns an exit code. */
int verify_log(const struct options *o, const char *path, const char *head);

tool_command_fn command_list, command_verify, command_extract, command_flows, command_report;

/* "2026-11-24T22:15:00.123456Z" to `buf`. Returns `buf`. */
#define TIME_SIZE 40
const char *time_format(uint64_t time_ns, char buf[TIME_SIZE]);
