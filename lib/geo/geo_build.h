/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * geo_build: collects (range -> country) and (range -> ASN) rows of any number of sources and
 * merges all their boundaries into one geo_table. Rows may overlap: the row that was added LAST
 * wins, per kind (country, ASN) and address, as in the publisher's own databases; overlay rows win
 * over all others of their kind. Linked by trefoil-geo and the tests only: the daemon never reads
 * foreign formats.
 *
 * Threads: one build belongs to one thread.
 */
#pragma once

#include "geo/geo.h"

struct geo_build;

enum geo_kind { GEO_COUNTRY, GEO_ASN };

/* Returns NULL and errno = ENOMEM. */
struct geo_build *geo_build_new(void);
void geo_build_free(struct geo_build *b);

/* Name a source ("geo-whois-asn-country 2.3.2026061719"); the same name gives the same number.
 * Returns its number (> 0), -EINVAL (empty, over 200 bytes, control characters), -ENOSPC, -ENOMEM.
 */
int geo_build_add_source(struct geo_build *b, const char *name);

/* One row. Returns 0, -EINVAL (first > last, bad country, ASN 0, bad version), -ENOMEM. `country`
 * two capital letters or digits-free code; "ZZ" and "??" mean unknown and hide earlier rows.
 * `as_name` NULL = unknown, else UTF-8. */
int geo_build_add_country(
	struct geo_build *b, const struct ip_range *range, const char country[2], int source);
int geo_build_add_asn(struct geo_build *b, const struct ip_range *range, uint32_t asn,
	const char *as_name, int source);

/* Note the date of an input; the table's built_at is the newest one, or the time of the sealing
 * when none was noted. */
void geo_build_note_time(struct geo_build *b, uint64_t seconds);

/* Turn the build into a table. CONSUMES `b` on success and on failure. Returns NULL and sets errno:
 * ENOMEM. */
struct geo_table *geo_build_seal(struct geo_build *b);
