/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tally: class counters summed up by what people ask for: country, ASN, special key. Outlives the
 * rulesets whose classes it was filled from.
 *
 * Threads: one tally belongs to one thread; the class counters it reads may be written meanwhile.
 */
#pragma once

#include "base/special.h"
#include "stats/stats.h"

struct tally_count {
	struct stats_pair all, dropped, mirrored;
};

struct tally_asn {
	uint32_t asn;
	struct tally_count count;
};

#define TALLY_COUNTRIES (26 * 26)

struct tally {
	struct tally_count unknown;                    /* no country known, not special */
	struct tally_count countries[TALLY_COUNTRIES]; /* AA, AB, ... ZZ */
	struct tally_count specials[SPECIAL_N];
	struct tally_count inbound_unknown; /* inbound = pass, by source; only `all` is used */
	struct tally_count inbound_countries[TALLY_COUNTRIES];
	struct tally_asn *asns; /* sorted by ASN; judged frames only */
	size_t n_asns;
};

/* What one class is, for the tally. */
struct tally_key {
	uint32_t asn;
	char country[2]; /* "ZZ" = unknown */
	uint8_t special; /* enum special */
	verdict_t verdict;
};

/* Zero-initialise before the first use. */
void tally_fini(struct tally *t);

/* Add one worker's class counters; keys[i] describes class i. Returns 0 or -ENOMEM, then nothing
 * was added. */
int tally_add(struct tally *t, const struct stats_class *counters, const struct tally_key *keys);

/* `*t` += `*other`. Returns 0 or -ENOMEM, then nothing was added. */
int tally_merge(struct tally *t, const struct tally *other);

/* Two letters of countries[index]. */
void tally_country(unsigned int index, char out[3]);
