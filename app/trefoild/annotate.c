/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A direct-mapped cache of texts by generation, class, verdict and reason: formatting with names of
 * rules takes longer than copying a frame. A generation's number is never given twice in one run of
 * the daemon, its address may be.
 */
#include "annotate.h"

#include "classify/classify.h"
#include "generation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LAST_OF_FLOW " flow-ends-here=limit"

#define N_SLOTS   1024u
#define TEXT_SIZE 240u /* longer ones are made anew each time */

struct slot {
	uint32_t generation, class;
	uint8_t verdict, reason, non_ip, is_odd;
	uint16_t length; /* 0 = empty */
	char text[TEXT_SIZE];
};

struct annotator {
	char text[MIRROR_COMMENT_MAX];
	struct slot slots[N_SLOTS];
};

struct annotator *
annotator_new(void)
{
	return calloc(1, sizeof(struct annotator));
}

void
annotator_free(struct annotator *a)
{
	free(a);
}

/* Without what follows: room for that is left. */
static size_t
format_common(const struct mirror_note *note, char *buf)
{
	const struct generation *g = note->generation;
	struct classify_result result = {
		.class = note->class,
		.verdict = note->verdict,
		.reason = note->reason,
		.non_ip = note->non_ip,
		.is_odd = note->is_odd,
	};

	classify_annotate(g->ruleset, &result, g->number, buf, MIRROR_COMMENT_MAX - 192);
	return strlen(buf);
}

static struct slot *
slot_of(struct annotator *a, const struct mirror_note *note, uint32_t generation)
{
	uint32_t hash = note->class * 2654435761u ^ note->reason * 40503u ^ generation ^
			(uint32_t)note->verdict << 8;

	return &a->slots[(hash >> 7 ^ hash) & (N_SLOTS - 1)];
}

static bool
slot_is_of(const struct slot *s, const struct mirror_note *note, uint32_t generation)
{
	return s->length != 0 && s->generation == generation && s->class == note->class &&
	       s->verdict == note->verdict && s->reason == note->reason &&
	       s->non_ip == note->non_ip && s->is_odd == note->is_odd;
}

static void
slot_fill(struct slot *s, const struct mirror_note *note, uint32_t generation, const char *text,
	size_t length)
{
	if (length > TEXT_SIZE)
		return;
	s->generation = generation;
	s->class = note->class;
	s->verdict = note->verdict;
	s->reason = note->reason;
	s->non_ip = note->non_ip;
	s->is_odd = note->is_odd;
	s->length = (uint16_t)length;
	memcpy(s->text, text, length);
}

/* " key=123" at `at`; returns its end. */
static char *
put_number(char *at, const char *key, size_t key_length, uint64_t value)
{
	char digits[20];
	unsigned int n = 0;

	memcpy(at, key, key_length);
	at += key_length;
	do {
		digits[n++] = (char)('0' + value % 10);
		value /= 10;
	} while (value != 0);
	while (n > 0)
		*at++ = digits[--n];
	return at;
}

#define PUT_NUMBER(at, key, value) put_number(at, key, sizeof(key) - 1, value)

const char *
annotate(struct annotator *a, const struct mirror_note *note, const struct annotate_extra *extra,
	size_t *length)
{
	uint32_t generation = ((const struct generation *)note->generation)->number;
	struct slot *s = slot_of(a, note, generation);
	char *at = a->text;

	if (slot_is_of(s, note, generation)) {
		memcpy(at, s->text, s->length);
		at += s->length;
	} else {
		size_t common = format_common(note, at);

		slot_fill(s, note, generation, at, common);
		at += common;
	}
	at = PUT_NUMBER(at, " seq=", note->queue_id);
	if (extra->kept < note->wire_length)
		at = PUT_NUMBER(at, " cut=", note->wire_length - extra->kept);
	if (extra->n_left_out != 0)
		at = PUT_NUMBER(at, " left-out=", extra->n_left_out);
	if (extra->is_last_of_flow) {
		memcpy(at, LAST_OF_FLOW, sizeof(LAST_OF_FLOW) - 1);
		at += sizeof(LAST_OF_FLOW) - 1;
	}
	*at = '\0';
	*length = (size_t)(at - a->text);
	return a->text;
}
