/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the two readers of foreign formats share.
 * Threads: none shared.
 */
#pragma once

#include "geo/geo_import.h"

#include <stdbool.h>

/* What to take from a file, and where it goes. */
struct geo_import {
	struct geo_build *build;
	const char *name; /* of the file, for errors */
	int source;
	bool country, asn; /* what is wanted */
	bool overlay;      /* the overlay's line forms */
	struct err *e;
};

int geo_csv_read(const struct geo_import *in, const char *text, size_t size);

bool geo_mmdb_is(const void *bytes, size_t size);
int geo_mmdb_read(const struct geo_import *in, const void *bytes, size_t size);

/* Country codes as the publishers write "unknown": "", "-", "??", "ZZ", "None". */
bool geo_import_is_no_country(const char *text);
