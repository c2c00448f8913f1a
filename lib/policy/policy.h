/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * policy: what the operator wrote, parsed and checked: rules by prefix, ASN and country, defaults,
 * limits. Knows nothing of addresses' origins; ruleset joins it with a geo table.
 *
 * Threads: a parsed policy is immutable; any number of readers.
 * Units: addresses in host order.
 * Source: the format is trefoil-policy(5).
 */
#pragma once

#include "base/err.h"
#include "base/ip.h"
#include "base/limits.h"
#include "base/schema.h"
#include "base/sha256.h"
#include "base/special.h"
#include "base/verdict.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum policy_mode { POLICY_ENFORCE, POLICY_SHADOW };
/* Which rule an address gets whose country the data's sources do not agree on. */
enum policy_conflict {
	POLICY_CONFLICT_FIRST,     /* that of the country that is believed */
	POLICY_CONFLICT_STRICTEST, /* of all countries named, the one that forwards least */
	POLICY_CONFLICT_UNKNOWN,   /* [policy] unknown */
};

enum policy_inbound { POLICY_INBOUND_PASS, POLICY_INBOUND_SOURCE, POLICY_INBOUND_DESTINATION };

/* An action of [policy] that may also be "do nothing of its own": opaque-tunnel = outer, stale =
 * keep. */
#define POLICY_ACTION_NONE ((verdict_t)0xff)

/* Where a verdict comes from; every verdict a policy can give has one. */
struct policy_rule {
	const char *section; /* "country", "asn", "prefix", "special", "non-ip", "policy" */
	const char *action;  /* as written: "approve", "drop+mirror"; for
				[policy]/[special]/[non-ip]: the key */
	const char *item;  /* as written: "CN", "EU", "AS64511", "192.0.2.0/24"; there: the value */
	unsigned int line; /* 0 = the built-in default */
	verdict_t verdict;
	bool keeps_payload; /* [evidence] payload names it */
	uint32_t rate_pps;  /* copies per second that [evidence] rate allows; 0 = all */
};

struct policy_country {
	char country[2];
	uint32_t rule; /* index into rules */
};

struct policy_asn {
	uint32_t asn;
	uint32_t rule;
};

struct policy_prefix {
	struct ip_range range;
	uint8_t length;
	uint32_t rule;
};

struct policy {
	char name[64];
	const char *file;              /* base name, as errors and rules show it */
	char sha256[SHA256_TEXT_SIZE]; /* of the text */
	enum policy_mode mode;
	enum policy_inbound inbound;
	enum policy_conflict conflict;

	struct policy_rule *rules;
	size_t n_rules;

	/* Rules, as indices, of what has exactly one. */
	uint32_t rule_default, rule_unknown, rule_unparsable;
	uint32_t rule_source_route;
	uint32_t rule_opaque; /* its verdict may be POLICY_ACTION_NONE: judge the outer address */
	uint32_t rule_stale;  /* its verdict may be POLICY_ACTION_NONE: keep judging by the old data
			       */
	uint32_t rule_special[SPECIAL_N];
	uint32_t rule_non_ip[NON_IP_N];

	struct policy_country *countries; /* sorted by code; groups already resolved */
	size_t n_countries;
	struct policy_asn *asns; /* sorted */
	size_t n_asns;
	struct policy_prefix
		*prefixes; /* sorted by version, first, length: holders before what they hold */
	size_t n_prefixes;

	uint64_t payload_reasons; /* bit per reason that [evidence] payload names */
	bool has_payload_rules;   /* a rule keeps it */
	bool has_rates;

	struct limits limits;
	void *strings; /* what the const char * point into */
};

/* The table of sections and keys that trefoil-policy(5) is made of. */
extern const struct schema policy_schema;

/* Parse a whole policy text. `name` is how errors call the file (its base name is kept for rules).
 * Groups beyond the policy's own are those of config/groups.ini, which is built in. All errors
 * found are added to `errors` (up to its room, NULL allowed), by line. Returns NULL and sets errno:
 * EINVAL (errors says what), EFBIG (over INI_SIZE_MAX, errors says so), ENOMEM, EIO (no digest). */
struct policy *policy_parse(
	const char *text, size_t size, const char *name, struct err_list *errors);

/* Read a file (at most 4 MiB) and parse it. errno also ENOENT, EACCES, EISDIR, EFBIG, each with an
 * error in `errors`. */
struct policy *policy_load(const char *path, struct err_list *errors);

/* NULL allowed. */
void policy_free(struct policy *p);

/* The rule for a country or ASN, or NULL: binary search. */
const struct policy_rule *policy_find_country(const struct policy *p, const char country[2]);
const struct policy_rule *policy_find_asn(const struct policy *p, uint32_t asn);

/* "first", "strictest", "unknown". */
const char *policy_conflict_name(enum policy_conflict conflict);

/* "policy.ini:12 [country] drop CN", "policy.ini:4 [policy] default drop+mirror", "default [policy]
 * unknown drop+mirror" for a built-in one. Cut to fit; returns `buf`. */
const char *policy_rule_format(const struct policy *p, uint32_t rule, char *buf, size_t size);
