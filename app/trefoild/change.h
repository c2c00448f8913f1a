/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * change: the life of a generation: proposed, approved, judging, confirmed or rolled back. Every
 * step is on disk before it takes effect. What protects the border (a rollback, old data) takes
 * effect even where the disk refuses, with an alarm.
 *
 * Threads: control thread.
 * Units: seconds.
 */
#pragma once

#include "daemon.h"
#include "enact.h"

#define CHANGE_WITHIN_MAX_S 86400

/* What somebody wants to judge from now on. */
struct change {
	const char *kind;        /* "push", "geo" */
	struct store_person who; /* uid STORE_NOBODY = the daemon itself */
	struct enact_text text;  /* .text NULL = that of the running generation */
	struct geo_ref *geo;     /* NULL = the loaded table; borrowed */
	const char *message;
	uint32_t confirm_within_s; /* 0 = for good */
	uint32_t n_approvals;      /* that it needs */
	bool is_urgent;            /* judges also when the disk does not take it */
};

/* Somebody of the control socket, or the daemon itself, now. */
struct store_person change_person(uint32_t uid, const char *name);

/* All return 0 or -errno, then nothing changed and `errors` says why. -EPERM: not this person.
 * `*number` is the generation that was made or changed. */

/* Let it judge, or keep it until it is approved: then `*is_waiting`. */
int change_propose(struct daemon *d, const struct change *change, uint32_t *number,
	bool *is_waiting, struct err_list *errors);

/* One more approval; with the last one it judges. */
int change_approve(struct daemon *d, const struct store_person *who, uint32_t number,
	bool *is_waiting, struct err_list *errors);

/* Keep the running generation for good. `number` 0 = whichever waits for it. */
int change_confirm(
	struct daemon *d, const struct store_person *who, uint32_t number, struct err_list *errors);

/* Make a new generation of an older one; of `change`, its text and table are not used. `target` 0 =
 * change_find_target(), for which no approval is needed; one that waits for approvals is withdrawn,
 * and its number is `*number`. */
int change_rollback(struct daemon *d, const struct change *change, uint32_t target,
	uint32_t *number, bool *is_waiting, struct err_list *errors);

/* The newest confirmed generation before the running one: of those that are not the same policy and
 * table, nor the same as one that was rolled back after them; when the running one is unconfirmed, of
 * all; `is_geo`: of those with another table. NULL = none. */
const struct store_record *change_find_target(const struct daemon *d, bool is_geo);

/* The bytes of a stored generation. Returns 0 or -errno; the caller frees text->text and drops
 * *geo. */
int change_read(struct daemon *d, const struct store_record *record, struct enact_text *text,
	struct geo_ref **geo, struct err_list *errors);

/* The loaded data became too old, or is not too old any more: compile again. */
void change_age(struct daemon *d);

/* Seconds until the running generation is rolled back, 0 = it is confirmed. */
uint32_t change_left_s(const struct daemon *d);

/* Arm the timer of an unconfirmed running generation that has `left_s` seconds left. */
void change_arm(struct daemon *d, uint32_t left_s);

/* Note when the time for a confirmation is over, `within_s` from now; and how much is left of it,
 * 0 = over. After a boot, or when the clock cannot be right, the wall clock decides, for "over". */
void change_set_deadline(struct store_record *record, uint32_t within_s);
uint32_t change_deadline_left(const struct store_record *record);

/* At the start: open the store and let judge what it says, or the policy file when it says nothing
 * yet. What is wrong is logged and raised as an alarm: closed then. Again by SIGHUP while nothing
 * judges. */
void change_start(struct daemon *d);
