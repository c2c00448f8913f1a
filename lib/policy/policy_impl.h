/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * policy_impl: a policy while it is being parsed: values as they come (policy_values.c), groups
 * (group.c), and what can be checked only when all is known (policy_resolve.c).
 * Threads: each build belongs to one thread.
 */
#pragma once

#include "base/schema.h"
#include "policy/country.h"
#include "policy/policy.h"

#define GROUPS_MAX    (SCHEMA_NAMED_MAX + 8) /* the policy's own and the built-in ones */
#define COUNTRY_SLOTS (26 * 26)              /* every pair of letters */
#define RULE_NONE     UINT32_MAX

/* What a key's value is for, in schema_key.id: KEY_ID(kind, offset in struct policy or number). */
enum key_kind {
	KEY_NAME,
	KEY_MODE,
	KEY_INBOUND,
	KEY_CONFLICT,
	KEY_SINGLE,  /* one rule; index: offset of its number in struct policy */
	KEY_LIMIT8,  /* index: offset of a uint8_t */
	KEY_LIMIT16, /* index: offset of a uint16_t */
	KEY_COUNTRY,
	KEY_ASN,
	KEY_PREFIX,
	KEY_PORT, /* index: enum tunnel_port */
	KEY_NAT64,
	KEY_GROUP,
	KEY_PAYLOAD,
	KEY_RATE,
};
#define KEY_ID(kind, index) ((size_t)(kind) << 24 | (size_t)(index))
#define KEY_ID_KIND(id)     ((enum key_kind)((id) >> 24))
#define KEY_ID_INDEX(id)    ((id)&0xffffff)

struct group {
	char name[INI_NAME_MAX + 1];
	uint32_t rule; /* the first that names it, RULE_NONE = not named */
	bool has[COUNTRY_SLOTS];
};

struct group_list {
	struct group items[GROUPS_MAX];
	unsigned int n;
	unsigned int n_builtin; /* the first ones */
};

/* A code or group in [country], to be looked up when all groups are known. */
struct mention {
	const char *name;
	uint32_t rule;
};

/* What [evidence] says of a rule or reason, to be looked up when all rules are known. */
struct evidence_mention {
	const char *name;
	unsigned int line;
	uint32_t rate_pps; /* 0 = payload */
};

struct policy_build {
	struct schema_reader reader;
	struct policy *p;
	struct group_list groups;
	struct mention *mentions;
	size_t n_mentions;
	struct evidence_mention *evidence;
	size_t n_evidence;
	char *at, *end;                /* free part of p->strings */
	unsigned int port_line[65536]; /* 0 = by default */
};

/* Index of two capital letters in an array of COUNTRY_SLOTS, -1 = not two capital letters. */
int country_slot(const char *code);

/* The [group NAME] section, which policies and config/groups.ini share. */
extern const struct schema_key group_keys[1];

/* Fill `list` with the built-in groups. `r` is scratch. Returns 0, -ENOMEM, -EINVAL (config/
 * groups.ini is wrong: `errors` says how). */
int group_list_init(struct group_list *list, struct schema_reader *r, struct err_list *errors);

/* [group NAME] begins: append it. Reports names that are taken to `r`. */
void group_begin(struct group_list *list, struct schema_reader *r, const char *name);

/* One code of the group that was appended last. Reports to `r`. */
void group_add(struct group_list *list, struct schema_reader *r, const char *code);

/* Sort by name, so that group_find() works. Loses what is built-in. */
void group_list_sort(struct group_list *list);
struct group *group_find(struct group_list *list, const char *name);

/* " (did you mean 'X'?)" for a word that is neither a code nor a group. */
const char *group_hint(const struct group_list *list, const struct schema_reader *r,
	char buf[SCHEMA_HINT_SIZE], const char *word);

/* Schema sink over struct policy_build. */
extern const struct schema_sink policy_values;

/* Make room for one more element behind `n` in the array that `*array` (a pointer to a pointer)
 * is. Returns 0 or -ENOMEM. */
int policy_room(void *array, size_t n, size_t size);

/* [evidence]: one item of payload, or NAME@RATE; then what they name. */
int evidence_take_payload(struct policy_build *b, const struct schema_value *v);
int evidence_take_rate(struct policy_build *b, const struct schema_value *v);
void evidence_resolve(struct policy_build *b);

/* A copy of `text` that lives as long as the policy, or NULL: no room. */
const char *policy_keep(struct policy_build *b, const char *text);

/* Everything that needs the whole file; errors go to the reader. Returns 0 or -ENOMEM. */
int policy_resolve(struct policy_build *b);
