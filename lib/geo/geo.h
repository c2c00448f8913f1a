/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * geo: the table that says where addresses belong: sorted ranges -> origin (country, ASN, AS name,
 * sources). A table comes from a verified table file or from a build (geo_build.h) and never
 * changes afterwards.
 *
 * Threads: a finished table may be read by any number of threads; freeing is its owner's job.
 * Units: addresses in host order, ranges inclusive at both ends.
 */
#pragma once

#include "base/err.h"
#include "base/ip.h"
#include "base/sha256.h"

#include <stddef.h>
#include <stdint.h>

#define GEO_UNKNOWN_COUNTRY "ZZ"

struct geo_origin {
	uint32_t asn;            /* 0 = unknown */
	char country[2];         /* ISO 3166-1 alpha-2 or XK, "ZZ" = unknown; no NUL */
	uint16_t country_source; /* index into sources, 0 = none */
	uint16_t asn_source;     /* index into sources, 0 = none */
	uint16_t n_dissents;     /* sources that name another country */
	uint32_t dissents;       /* index of the first into dissents */
	const char *as_name;     /* UTF-8, "" = unknown; belongs to the table */
};

/* What a source says that was not believed. */
struct geo_dissent {
	uint16_t source; /* index into sources */
	char country[2];
};

struct geo_range4 {
	uint32_t first, last;
	uint32_t origin; /* index into origins */
};

struct geo_range6 {
	ip6_t first, last;
	uint32_t origin;
};

struct geo_table {
	struct geo_range4 *ranges4; /* sorted, no overlap, gaps = unknown */
	size_t n_ranges4;
	struct geo_range6 *ranges6;
	size_t n_ranges6;
	struct geo_origin *origins; /* [0] is the unknown origin: "ZZ", 0, "" */
	size_t n_origins;
	const char **sources; /* [0] is "" ; e.g. "geo-whois-asn-country 2.3.2026061719" */
	size_t n_sources;
	struct geo_dissent *dissents; /* by origin, then by source; NULL = none */
	size_t n_dissents;
	uint64_t built_at;             /* seconds since the epoch */
	char sha256[SHA256_TEXT_SIZE]; /* of the table file; "" for a build that was not saved */
	void *strings;                 /* what as_name and sources point into */
};

/* Open a table file: reads it whole, verifies magic, version, sizes, checksum and every invariant
 * above before any of it is used. Returns NULL and sets errno: EINVAL (not a table, damaged: `e`
 * has the offset), ENOENT, EACCES, ENOMEM... */
struct geo_table *geo_load(const char *path, struct err *e);

/* The same over bytes in memory; `name` stands for the file in errors. The fuzz target. */
struct geo_table *geo_parse(const void *bytes, size_t size, const char *name, struct err *e);

/* Write a table file at `path` by temporary file, fsync and rename; sets t->sha256. Returns 0 or
 * -errno. */
int geo_save(struct geo_table *t, const char *path, struct err *e);

/* NULL allowed. */
void geo_free(struct geo_table *t);

/* What is known of one address, with the range it stands in (for an unknown one: the gap between
 * ranges). Binary search: for tools, tests and explanations, not for packets. */
struct geo_answer {
	const struct geo_origin *origin; /* never NULL: origins[0] when unknown */
	struct ip_range range;
};
void geo_lookup(const struct geo_table *t, const struct ip_addr *ip, struct geo_answer *out);

/* The largest prefix that begins where `range` begins and does not leave it, as a range. */
struct ip_range geo_range_prefix(const struct ip_range *range);

/* The table programs use when none is named: the installed one, else that of the source tree the
 * program was built from. Static text. */
const char *geo_default_path(void);
