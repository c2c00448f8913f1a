/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * geo_import: files of other publishers into a geo_build: MaxMind DB (MMDB) and range CSVs. What a
 * file is follows from its content, never from its name. Linked by trefoil-geo and tests only.
 *
 * Threads: one build belongs to one thread.
 * Source: MaxMind DB format 2.0; RFC 4180; the formats of MaxMind GeoLite2, DB-IP, IPinfo,
 * ip-location-db, iptoasn and Tor's geoip files.
 */
#pragma once

#include "geo/geo_build.h"

#include <stddef.h>

/*
 * Read a file whole and add its rows under a source number of geo_build_add_source(). A file with
 * country and ASN (iptoasn, an overlay, an MMDB with both) gives what `kind` asks for. Its date
 * (MMDB: build epoch, else the modification time) is noted in the build.
 * Returns 0, or -errno with `e` filled (file:line for text, an offset for MMDB): -EINVAL (not
 * understood, damaged, no row of this kind), -EFBIG (over 1 GiB), -ENOENT, -EACCES, -ENOMEM...
 * Rows before the fault are in the build then: free it.
 */
int geo_import_file(
	struct geo_build *b, const char *path, enum geo_kind kind, int source, struct err *e);

/* The same over bytes in memory; `name` stands for the file in errors. The fuzz target. */
int geo_import_bytes(struct geo_build *b, const void *bytes, size_t size, const char *name,
	enum geo_kind kind, int source, struct err *e);

/* Add an overlay: lines `start,end,CC[,ASN[,name]]` or `prefix,CC[,ASN[,name]]`; an empty CC or ASN
 * leaves what other files say. Added after all others it wins over them. Errors as above. */
int geo_import_overlay(struct geo_build *b, const char *path, int source, struct err *e);
int geo_import_overlay_bytes(struct geo_build *b, const void *bytes, size_t size, const char *name,
	int source, struct err *e);
