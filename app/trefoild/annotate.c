/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A cache of texts by generation, class, verdict and reason, N_WAYS places for each: formatting with
 * names of rules takes longer than copying a frame. A generation's number is never given twice in
 * one run of the daemon, its address may be; one that is compiled anew because its data grew old keeps
 * its number and its classes, with other verdicts and reasons.
 */
#include "annotate.h"

#include "classify/classify.h"
#include "generation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LAST_OF_FLOW " flow-ends-here=limit"

#define N_SETS    256u
#define N_WAYS    4u
#define TEXT_SIZE 240u /* longer ones are made anew each time */

struct key {
	uint32_t generation, class;
	uint8_t verdict, reason, non_ip, is_odd;
	uint32_t length; /* of the text; 0 = empty */
};

/* The keys of a set share a cache line. */
struct set {
	struct key keys[N_WAYS];
	char texts[N_WAYS][TEXT_SIZE];
};

struct annotator {
	char text[MIRROR_COMMENT_MAX];
	unsigned int next; /* way that is taken by what comes new */
	struct set sets[N_SETS];
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

struct classify_result
annotate_result(const struct mirror_note *note)
{
	return (struct classify_result){
		.class = note->class,
		.verdict = note->verdict,
		.reason = note->reason,
		.non_ip = note->non_ip,
		.is_odd = note->is_odd,
	};
}

/* Without what follows: room for that is left. */
static size_t
format_common(const struct mirror_note *note, char *buf)
{
	const struct generation *g = note->generation;
	struct classify_result result = annotate_result(note);

	classify_annotate(g->ruleset, &result, g->number, buf, MIRROR_COMMENT_MAX - 192);
	return strlen(buf);
}

static struct set *
set_of(struct annotator *a, const struct key *key)
{
	uint32_t hash = key->class ^ (uint32_t)key->reason << 20 ^ (uint32_t)key->verdict << 28 ^
			key->generation << 12;

	return &a->sets[hash * 2654435761u >> 24];
}

static bool
key_equals(const struct key *a, const struct key *b)
{
	return a->class == b->class && a->generation == b->generation && a->reason == b->reason &&
	       a->verdict == b->verdict && a->non_ip == b->non_ip && a->is_odd == b->is_odd;
}

/* Copy what is known of the key to a->text; 0 = nothing is. */
static size_t
recall(struct annotator *a, const struct set *set, const struct key *key)
{
	unsigned int i;

	for (i = 0; i < N_WAYS; i++) {
		if (!key_equals(&set->keys[i], key))
			continue;
		memcpy(a->text, set->texts[i], set->keys[i].length);
		return set->keys[i].length;
	}
	return 0;
}

static void
remember(struct annotator *a, struct set *set, const struct key *key, size_t length)
{
	unsigned int way = a->next++ % N_WAYS;

	if (length > TEXT_SIZE)
		return;
	set->keys[way] = *key;
	set->keys[way].length = (uint32_t)length;
	memcpy(set->texts[way], a->text, length);
}

/* The text without what is the copy's own, to a->text. Returns its length. */
static size_t
put_common(struct annotator *a, const struct mirror_note *note)
{
	const struct key key = { .generation =
					 ((const struct generation *)note->generation)->number,
		.class = note->class,
		.verdict = note->verdict,
		.reason = note->reason,
		.non_ip = note->non_ip,
		.is_odd = note->is_odd };
	struct set *set = set_of(a, &key);
	size_t length = recall(a, set, &key);

	if (length != 0)
		return length;
	length = format_common(note, a->text);
	remember(a, set, &key, length);
	return length;
}

/* Two digits at a time: half the divisions. */
static const char pairs[] = "00010203040506070809101112131415161718192021222324"
			    "25262728293031323334353637383940414243444546474849"
			    "50515253545556575859606162636465666768697071727374"
			    "75767778798081828384858687888990919293949596979899";

/* " key=123" at `at`; returns its end. */
static char *
put_number(char *at, const char *key, size_t key_length, uint64_t value)
{
	char digits[20], *first = digits + sizeof(digits);

	memcpy(at, key, key_length);
	at += key_length;
	for (; value >= 100; value /= 100)
		first = memcpy(first - 2, pairs + 2 * (value % 100), 2);
	first = memcpy(first - 2, pairs + 2 * value, 2);
	first += value < 10;
	memcpy(at, first, (size_t)(digits + sizeof(digits) - first));
	return at + (digits + sizeof(digits) - first);
}

#define PUT_NUMBER(at, key, value) put_number(at, key, sizeof(key) - 1, value)

const char *
annotate(struct annotator *a, const struct mirror_note *note, const struct annotate_extra *extra,
	size_t *length)
{
	char *at = a->text + put_common(a, note);

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
