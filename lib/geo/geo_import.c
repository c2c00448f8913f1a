/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads a file whole (so that it cannot change under the reader) and hands it to the reader of its
 * format. */
#include "geo/geo_import.h"

#include "geo/geo_import_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_SIZE_MAX ((size_t)1 << 30)
#define READ_SIZE_MIN ((size_t)64 << 10)

struct buffer {
	char *data;
	size_t n, capacity;
	uint64_t modified_at;
};

/* Formats that are not read, with what to do instead. */
static const struct {
	const char *magic;
	size_t size;
	const char *advice;
} foreign[] = {
	{ "\x1f\x8b", 2, "compressed with gzip: unpack it first (gunzip)" },
	{ "\x28\xb5\x2f\xfd", 4, "compressed with zstd: unpack it first (unzstd)" },
	{ "\xfd"
	  "7zXZ",
		5, "compressed with xz: unpack it first (unxz)" },
	{ "BZh", 3, "compressed with bzip2: unpack it first (bunzip2)" },
	{ "PK\x03\x04", 4, "a zip archive: unpack it first (unzip)" },
	{ "\x89TGT", 4, "a geo table already: trefoil-geo export makes CSV of it" },
};

bool
geo_import_is_no_country(const char *text)
{
	return text[0] == '\0' || strcmp(text, "-") == 0 || strcmp(text, "??") == 0 ||
	       strcmp(text, GEO_UNKNOWN_COUNTRY) == 0 || strcmp(text, "None") == 0;
}

static int
import_any(const struct geo_import *in, const char *bytes, size_t size)
{
	size_t i;

	if (geo_mmdb_is(bytes, size)) {
		if (in->overlay)
			return err_set(in->e, in->name, 0, NULL,
				"an overlay is CSV, this is an MMDB file: use --country or --asn");
		return geo_mmdb_read(in, bytes, size);
	}
	for (i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		if (size >= foreign[i].size &&
			memcmp(bytes, foreign[i].magic, foreign[i].size) == 0)
			return err_set(in->e, in->name, 0, "offset 0", "%s", foreign[i].advice);
	return geo_csv_read(in, bytes, size);
}

static int
buffer_grow(struct buffer *b)
{
	size_t capacity = b->capacity > 0 ? b->capacity * 2 : READ_SIZE_MIN;
	char *bigger;

	if (capacity > 2 * FILE_SIZE_MAX)
		return -EFBIG;
	bigger = realloc(b->data, capacity);
	if (bigger == NULL)
		return -ENOMEM;
	b->data = bigger;
	b->capacity = capacity;
	return 0;
}

/* Until the end, so that pipes work. */
static int
buffer_read(struct buffer *b, int fd)
{
	ssize_t n;
	int rc;

	for (;;) {
		if (b->n == b->capacity) {
			rc = buffer_grow(b);
			if (rc != 0)
				return rc;
		}
		n = read(fd, b->data + b->n, b->capacity - b->n);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return 0;
		b->n += n > 0 ? (size_t)n : 0;
		if (b->n > FILE_SIZE_MAX)
			return -EFBIG;
	}
}

static int
buffer_load(struct buffer *b, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int rc;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) != 0)
		rc = -errno;
	else
		rc = buffer_read(b, fd);
	if (rc == 0 && st.st_mtim.tv_sec > 0)
		b->modified_at = (uint64_t)st.st_mtim.tv_sec;
	close(fd);
	return rc;
}

static int
import_file(const struct geo_import *in)
{
	struct buffer b = { 0 };
	int rc = buffer_load(&b, in->name);

	if (rc == -EFBIG)
		err_set_code(in->e, EFBIG, in->name, 0, NULL, "over %zu MiB", FILE_SIZE_MAX >> 20);
	else if (rc != 0)
		err_set_code(in->e, -rc, in->name, 0, NULL, "cannot read: %s", strerror(-rc));
	if (rc == 0) {
		if (!geo_mmdb_is(b.data, b.n))
			geo_build_note_time(in->build, b.modified_at);
		rc = import_any(in, b.data, b.n);
	}
	free(b.data);
	return rc;
}

int
geo_import_file(
	struct geo_build *b, const char *path, enum geo_kind kind, int source, struct err *e)
{
	struct geo_import in = { b, path, source, kind == GEO_COUNTRY, kind == GEO_ASN, false, e };

	return import_file(&in);
}

int
geo_import_bytes(struct geo_build *b, const void *bytes, size_t size, const char *name,
	enum geo_kind kind, int source, struct err *e)
{
	struct geo_import in = { b, name, source, kind == GEO_COUNTRY, kind == GEO_ASN, false, e };

	return import_any(&in, bytes, size);
}

int
geo_import_overlay(struct geo_build *b, const char *path, int source, struct err *e)
{
	struct geo_import in = { b, path, source, true, true, true, e };

	return import_file(&in);
}

int
geo_import_overlay_bytes(struct geo_build *b, const void *bytes, size_t size, const char *name,
	int source, struct err *e)
{
	struct geo_import in = { b, name, source, true, true, true, e };

	return import_any(&in, bytes, size);
}
