/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of the geo module share: growing byte buffers, interned keys, clean text, and the
 * columns that a table file is made of.
 * Threads: none shared.
 */
#pragma once

#include "geo/geo.h"

#include <stdbool.h>

/* Bounds that hold for every table, whoever made it. */
#define GEO_NAME_MAX    200 /* bytes of an AS or source name */
#define GEO_SOURCES_MAX 1000
#define GEO_COUNT_MAX   (1U << 26) /* ranges of a family, origins, ASes */

/* A growing buffer. After the first failed allocation it only remembers that it failed. */
struct geo_bytes {
	uint8_t *data;
	size_t n, capacity;
	bool failed;
};

void geo_bytes_add(struct geo_bytes *b, const void *data, size_t size);
void geo_bytes_fini(struct geo_bytes *b);

/* Distinct byte strings, numbered from 0 in the order they came. Zero-initialise. */
struct geo_intern {
	struct geo_bytes keys;
	size_t *offset; /* of key i in keys; [n] is the end */
	uint32_t *slot; /* hash table of number + 1 */
	size_t n, n_slots;
};

#define GEO_INTERN_FAILED UINT32_MAX

/* The number of a key, which is new when it equals the old count. GEO_INTERN_FAILED: no memory or
 * GEO_COUNT_MAX keys. */
uint32_t geo_intern_add(struct geo_intern *in, const void *key, size_t size);
const void *geo_intern_key(const struct geo_intern *in, uint32_t number);
void geo_intern_fini(struct geo_intern *in);

/* Length of the UTF-8 sequence at `text` if it is valid, canonical and no control character, else
 * 0. NUL is a control character. */
size_t geo_text_step(const char *text, size_t length);

/* True for 0..GEO_NAME_MAX bytes of valid UTF-8 without control characters. */
bool geo_text_is_clean(const char *text, size_t length);

/* Copy with everything unclean replaced by '?', surrounding blanks dropped and the end cut at a
 * character; `out` holds GEO_NAME_MAX + 1 bytes. Returns the length. */
size_t geo_text_clean(const char *text, size_t length, char *out);

bool geo_is_country(const char country[2]); /* two capital letters */

/* X(identifier, name in errors and in `trefoil-geo info`), in the order of the file */
#define GEO_COLUMNS(X)                                                                             \
	X(SOURCES, "sources")                                                                      \
	X(AS_NUMBER, "AS numbers")                                                                 \
	X(AS_NAME, "AS names")                                                                     \
	X(ORIGIN_COUNTRY, "origin countries")                                                      \
	X(ORIGIN_AS, "origin ASes")                                                                \
	X(ORIGIN_COUNTRY_SOURCE, "origin country sources")                                         \
	X(ORIGIN_ASN_SOURCE, "origin ASN sources")                                                 \
	X(GAP_SHIFT4, "IPv4 gap shifts")                                                           \
	X(GAP4, "IPv4 gaps")                                                                       \
	X(SIZE_SHIFT4, "IPv4 size shifts")                                                         \
	X(SIZE4, "IPv4 sizes")                                                                     \
	X(ORIGIN4, "IPv4 origins")                                                                 \
	X(ORIGIN_NUMBER4, "IPv4 origin numbers")                                                   \
	X(GAP_SHIFT6, "IPv6 gap shifts")                                                           \
	X(GAP6, "IPv6 gaps")                                                                       \
	X(SIZE_SHIFT6, "IPv6 size shifts")                                                         \
	X(SIZE6, "IPv6 sizes")                                                                     \
	X(ORIGIN6, "IPv6 origins")                                                                 \
	X(ORIGIN_NUMBER6, "IPv6 origin numbers")                                                   \
	X(ORIGIN_DISSENT, "origin dissents")

enum geo_column {
#define X(id, name) GEO_COLUMN_##id,
	GEO_COLUMNS(X)
#undef X
		GEO_COLUMN_N
};

struct geo_counts {
	uint32_t n_ranges4, n_ranges6;
	uint32_t n_origins; /* with the unknown one */
	uint32_t n_sources; /* with the empty one */
	uint32_t n_as;      /* distinct (ASN, name), without the unknown one */
};

/* Write a table as columns. Returns 0, -ENOMEM, or -EINVAL when the table breaks an invariant. The
 * caller frees every column, also after an error. */
int geo_columns_encode(const struct geo_table *t, struct geo_bytes columns[GEO_COLUMN_N],
	struct geo_counts *counts);

/* Where a column that cannot be decoded is wrong. */
struct geo_column_fault {
	enum geo_column column;
	size_t offset; /* in the column */
	const char *what;
};

/* Read columns back into `t`, which is zeroed; checks every invariant of geo.h. Returns 0, -EINVAL
 * (`fault` is filled) or -ENOMEM; `t` then holds what geo_free() frees. */
int geo_columns_decode(const uint8_t *const column[GEO_COLUMN_N], const uint32_t size[GEO_COLUMN_N],
	const struct geo_counts *counts, struct geo_table *t, struct geo_column_fault *fault);
const char *geo_column_name(enum geo_column column);
