/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * report_explain: what the running generation does to an address, a 5-tuple or a frame, and why.
 * Threads: control thread.
 * Units: bytes.
 */
#pragma once

#include "generation.h"

#include "classify/classify.h"
#include "packet/offline.h"

#include <jansson.h>

/* A question as a frame. */
struct explain_question {
	enum classify_direction direction;
	enum packet_link link;
	const uint8_t *frame;
	uint32_t length, wire_length;
	uint8_t tuple[OFFLINE_TUPLE_MAX];
	struct ip_addr asked; /* version 0 = a frame was asked about, not an address */
	uint8_t *bytes;       /* of a decoded frame */
};

/* Read a request: "address" with "source", "ip_protocol", "source_port" and "port" if they matter, or
 * "frame" (base64) with "link_type" and "wire_length"; "direction". Returns 0, or -EINVAL or -ENOMEM
 * and `e` says what is wrong; then there is nothing to free. The question must not be moved. */
int explain_question_parse(const json_t *request, struct explain_question *q, struct err *e);
void explain_question_fini(struct explain_question *q);

/* NEW; NULL = out of memory. */
json_t *report_explain(const struct generation *g, const struct explain_question *q);
