/* SPDX-License-Identifier: BSD-3-Clause */
/* Foreign tables: the first byte chooses country, ASN or overlay, the rest is a CSV or MMDB file. */
#include "fuzz_geo.h"

#include "geo/geo_import.h"

#include <errno.h>

/* MMDB_open() of libmaxminddb before 1.12 leaks when it refuses metadata (its pull request 356). */
const char *__lsan_default_suppressions(void);
const char *
__lsan_default_suppressions(void)
{
	return "leak:libmaxminddb.so\n";
}

static int
import(struct geo_build *b, uint8_t mode, const void *bytes, size_t size, struct err *e)
{
	int source = geo_build_add_source(b, "fuzz");

	CHECK(source > 0);
	if (mode % 3 == 2)
		return geo_import_overlay_bytes(b, bytes, size, "input", source, e);
	return geo_import_bytes(
		b, bytes, size, "input", mode % 3 == 0 ? GEO_COUNTRY : GEO_ASN, source, e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct geo_build *b = geo_build_new();
	struct geo_table *t;
	struct err e = { 0 };
	uint8_t mode;
	void *bytes;
	int rc;

	CHECK(b != NULL);
	fuzz_take(&data, &size, &mode, 1);
	bytes = fuzz_copy(data, size);
	rc = import(b, mode, bytes, size, &e);
	free(bytes); /* nothing of it may be needed below */
	if (rc != 0) {
		CHECK(rc == -EINVAL || rc == -EFBIG);
		fuzz_check_error(&e);
		geo_build_free(b);
		return 0;
	}
	t = geo_build_seal(b);
	CHECK(t != NULL);
	fuzz_check_table(t);
	geo_free(t);
	return 0;
}
