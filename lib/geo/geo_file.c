/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table file, versions 1 and 2. All numbers are little-endian.
 *
 *     offset  bytes
 *          0      8  magic 89 'T' 'G' 'T' 0d 0a 1a 0a (as in PNG: text-mode copies break it)
 *          8      2  version: 2 when there are dissents, else 1
 *         10      2  number of columns, 19
 *         12      4  size of the payload before compression
 *         16      8  built_at, seconds since the epoch
 *         24      4  IPv4 ranges
 *         28      4  IPv6 ranges
 *         32      4  origins, with the unknown one
 *         36      4  sources, with the empty one
 *         40      4  ASes: distinct (ASN, name)
 *         44      4  size of the column of dissents; zero in version 1
 *         48     76  size of each column
 *        124      -  one zstd frame: the columns one after the other, that of dissents last
 *         -32    32  SHA-256 of everything before
 *
 * The columns, in the order of GEO_COLUMNS; a number is LEB128 in its shortest form:
 *
 *     sources, AS names          NUL-terminated UTF-8
 *     AS numbers                 a number each
 *     origin countries           two letters each
 *     origin ASes                0 none, 1 the next AS not used before, n the AS n - 1 before it
 *     origin country/ASN sources a number each
 *     origin dissents            how many sources name another country; source and two letters
 *                                for each, by source
 *     gap shifts                 a byte per range: 0 = it begins where the last one ended, else
 *                                1 + trailing zero bits of the gap
 *     gaps                       for the others: gap >> trailing zeros >> 1
 *     size shifts                a byte per range: trailing one bits of (size - 1)
 *     sizes                      (size - 1) >> trailing ones >> 1; absent for shifts over 126
 *     origins                    0 the next origin not used before, 1 its number is in the origin
 *                                numbers, n that of the range n - 1 before
 *
 * Reading: the checksum comes first, sizes are bounded before anything is allocated, and whatever
 * the bytes say the table that comes out keeps the invariants of geo.h or there is none.
 */
#include "geo/geo.h"

#include "base/huge.h"
#include "geo/geo_impl.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#define FILE_VERSION     1
#define FILE_VERSION_MAX 2                  /* with dissents */
#define N_COLUMN_SIZES   (GEO_COLUMN_N - 1) /* all but the last, which version 1 does not have */
#define FILE_SIZE_MAX    ((size_t)256 << 20)
#define PAYLOAD_SIZE_MAX ((uint32_t)512 << 20)
#define ZSTD_LEVEL       19

static const uint8_t magic[8] = { 0x89, 'T', 'G', 'T', '\r', '\n', 0x1a, '\n' };

/* As in the file, except for the byte order. No padding. */
struct header {
	uint8_t magic[8];
	uint16_t version, n_columns;
	uint32_t payload_size;
	uint64_t built_at;
	struct geo_counts counts;
	uint32_t dissent_size;
	uint32_t column_size[N_COLUMN_SIZES];
};

#define HEADER_SIZE (offsetof(struct header, column_size) + 4 * (size_t)N_COLUMN_SIZES)
_Static_assert(HEADER_SIZE == 124, "as described at the top");

/* Byte order of every field: its own inverse. */
static void
header_swap(struct header *h)
{
	struct geo_counts *c = &h->counts;
	unsigned int i;

	h->version = le16toh(h->version);
	h->n_columns = le16toh(h->n_columns);
	h->payload_size = le32toh(h->payload_size);
	h->built_at = le64toh(h->built_at);
	c->n_ranges4 = le32toh(c->n_ranges4);
	c->n_ranges6 = le32toh(c->n_ranges6);
	c->n_origins = le32toh(c->n_origins);
	c->n_sources = le32toh(c->n_sources);
	c->n_as = le32toh(c->n_as);
	h->dissent_size = le32toh(h->dissent_size);
	for (i = 0; i < N_COLUMN_SIZES; i++)
		h->column_size[i] = le32toh(h->column_size[i]);
}

static int
damaged(struct err *e, const char *name, size_t offset, const char *what)
{
	char key[40];

	snprintf(key, sizeof(key), "offset %zu", offset);
	return err_set(e, name, 0, key,
		"%s; this is no usable geo table: get it again or rebuild it with trefoil-geo "
		"build",
		what);
}

static int
check_checksum(const uint8_t *bytes, size_t size, const char *name, struct err *e)
{
	unsigned char digest[SHA256_SIZE];

	if (sha256_bytes(bytes, size - SHA256_SIZE, digest) != 0)
		return err_set_code(e, EIO, name, 0, NULL, "libcrypto cannot compute SHA-256");
	if (memcmp(digest, bytes + size - SHA256_SIZE, SHA256_SIZE) != 0)
		return damaged(e, name, size - SHA256_SIZE, "checksum mismatch");
	return 0;
}

/* Before the checksum: is it a table of this version at all? */
static int
check_magic(const uint8_t *bytes, size_t size, const char *name, struct err *e)
{
	uint16_t version;

	if (size < sizeof(magic) || memcmp(bytes, magic, sizeof(magic)) != 0)
		return damaged(e, name, 0, "the file does not begin like a geo table");
	if (size < HEADER_SIZE + SHA256_SIZE)
		return damaged(e, name, size, "the file is cut off");
	memcpy(&version, bytes + offsetof(struct header, version), sizeof(version));
	if (le16toh(version) < FILE_VERSION || le16toh(version) > FILE_VERSION_MAX)
		return err_set(e, name, 0, "offset 8",
			"table format version %u, but this program reads %u to %u: rebuild it "
			"with the trefoil-geo of this release",
			le16toh(version), FILE_VERSION, FILE_VERSION_MAX);
	return 0;
}

static int
check_header(const struct header *h, const char *name, struct err *e)
{
	uint64_t sum = h->dissent_size;
	unsigned int i;

	for (i = 0; i < N_COLUMN_SIZES; i++)
		sum += h->column_size[i];
	if (h->n_columns != N_COLUMN_SIZES)
		return damaged(e, name, 10, "impossible number of columns");
	if (h->payload_size > PAYLOAD_SIZE_MAX || sum != h->payload_size)
		return damaged(e, name, 12, "impossible payload size");
	if (h->counts.n_ranges4 > GEO_COUNT_MAX || h->counts.n_ranges6 > GEO_COUNT_MAX ||
		h->counts.n_origins > GEO_COUNT_MAX || h->counts.n_as > GEO_COUNT_MAX)
		return damaged(e, name, 24, "impossible number of ranges, origins or ASes");
	if ((h->dissent_size != 0) != (h->version == FILE_VERSION_MAX))
		return damaged(e, name, 44, "version and size of the dissents do not agree");
	return 0;
}

/* The payload, or NULL and errno. */
static uint8_t *
decompress(
	const uint8_t *frame, size_t size, uint32_t payload_size, const char *name, struct err *e)
{
	uint8_t *payload;
	size_t got;

	if (ZSTD_getFrameContentSize(frame, size) != payload_size) {
		errno = -damaged(e, name, HEADER_SIZE, "no zstd frame of the announced size");
		return NULL;
	}
	payload = malloc((size_t)payload_size + 1);
	if (payload == NULL) {
		err_set_code(e, ENOMEM, name, 0, NULL, "out of memory");
		errno = ENOMEM;
		return NULL;
	}
	huge_wish(payload, (size_t)payload_size);
	got = ZSTD_decompress(payload, payload_size, frame, size);
	if (got != payload_size) {
		free(payload);
		errno = -damaged(e, name, HEADER_SIZE, "the zstd frame is damaged");
		return NULL;
	}
	return payload;
}

static int
decode(const struct header *h, const uint8_t *payload, const char *name, struct geo_table *t,
	struct err *e)
{
	const uint8_t *column[GEO_COLUMN_N];
	uint32_t size[GEO_COLUMN_N];
	struct geo_column_fault fault = { 0 };
	char what[120];
	unsigned int i;
	int rc;

	for (i = 0; i < GEO_COLUMN_N; i++) {
		size[i] = i < N_COLUMN_SIZES ? h->column_size[i] : h->dissent_size;
		column[i] = payload;
		payload += size[i];
	}
	rc = geo_columns_decode(column, size, &h->counts, t, &fault);
	if (rc == -ENOMEM)
		return err_set_code(e, ENOMEM, name, 0, NULL, "out of memory");
	if (rc == 0)
		return 0;
	snprintf(what, sizeof(what), "byte %zu of the column of %s: %s", fault.offset,
		geo_column_name(fault.column), fault.what);
	return damaged(e, name, HEADER_SIZE, what);
}

static int
parse(const uint8_t *bytes, size_t size, const char *name, struct geo_table *t, struct err *e)
{
	struct header h;
	uint8_t *payload;
	int rc;

	if (check_magic(bytes, size, name, e) != 0)
		return -EINVAL;
	rc = check_checksum(bytes, size, name, e);
	if (rc != 0)
		return rc;
	memset(&h, 0, sizeof(h));
	memcpy(&h, bytes, HEADER_SIZE);
	header_swap(&h);
	if (check_header(&h, name, e) != 0)
		return -EINVAL;
	payload = decompress(
		bytes + HEADER_SIZE, size - HEADER_SIZE - SHA256_SIZE, h.payload_size, name, e);
	if (payload == NULL)
		return -errno;
	rc = decode(&h, payload, name, t, e);
	free(payload);
	t->built_at = h.built_at;
	return rc;
}

struct geo_table *
geo_parse(const void *bytes, size_t size, const char *name, struct err *e)
{
	struct geo_table *t = calloc(1, sizeof(*t));
	int rc = t != NULL ? 0 : err_set_code(e, ENOMEM, name, 0, NULL, "out of memory");

	if (rc == 0)
		rc = parse(bytes, size, name, t, e);
	if (rc == 0 && sha256_text(bytes, size, t->sha256) != 0)
		rc = err_set_code(e, EIO, name, 0, NULL, "libcrypto cannot compute SHA-256");
	if (rc != 0) {
		geo_free(t);
		errno = -rc;
		return NULL;
	}
	return t;
}

static int
read_failed(struct err *e, const char *path, int code)
{
	return err_set_code(e, code, path, 0, NULL, "cannot read: %s", strerror(code));
}

static int
read_all(int fd, uint8_t *to, size_t size)
{
	size_t got = 0;
	ssize_t n;

	while (got < size) {
		n = read(fd, to + got, size - got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		got += (size_t)n;
	}
	return 0;
}

/* A regular file of bounded size as a whole. Returns 0 or -errno. */
static int
read_file(const char *path, uint8_t **out, size_t *size, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	uint8_t *bytes = NULL;
	int rc = 0;

	if (fd < 0)
		return read_failed(e, path, errno);
	if (fstat(fd, &st) != 0)
		rc = read_failed(e, path, errno);
	else if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > FILE_SIZE_MAX)
		rc = err_set(e, path, 0, NULL, "not a regular file of at most %zu MiB",
			FILE_SIZE_MAX >> 20);
	if (rc == 0) {
		bytes = malloc((size_t)st.st_size + 1);
		rc = bytes != NULL ? read_all(fd, bytes, (size_t)st.st_size) : -ENOMEM;
		if (rc != 0)
			read_failed(e, path, -rc);
	}
	close(fd);
	if (rc != 0) {
		free(bytes);
		return rc;
	}
	*out = bytes;
	*size = (size_t)st.st_size;
	return 0;
}

struct geo_table *
geo_load(const char *path, struct err *e)
{
	struct geo_table *t;
	uint8_t *bytes = NULL;
	size_t size = 0;
	int rc = read_file(path, &bytes, &size, e);

	if (rc != 0) {
		errno = -rc;
		return NULL;
	}
	t = geo_parse(bytes, size, path, e);
	rc = errno;
	free(bytes);
	errno = rc;
	return t;
}

/* Header, frame and checksum appended to `out`. */
static int
compress(const struct header *h, const struct geo_bytes *payload, struct geo_bytes *out)
{
	size_t bound = ZSTD_compressBound(payload->n), n;
	unsigned char digest[SHA256_SIZE];
	uint8_t *frame = malloc(bound);

	if (frame == NULL)
		return -ENOMEM;
	n = ZSTD_compress(frame, bound, payload->data, payload->n, ZSTD_LEVEL);
	geo_bytes_add(out, h, HEADER_SIZE);
	if (!ZSTD_isError(n))
		geo_bytes_add(out, frame, n);
	free(frame);
	if (ZSTD_isError(n) || out->failed)
		return -ENOMEM;
	if (sha256_bytes(out->data, out->n, digest) != 0)
		return -EIO;
	geo_bytes_add(out, digest, sizeof(digest));
	return out->failed ? -ENOMEM : 0;
}

static int
encode_columns(const struct geo_table *t, struct geo_bytes *columns, struct geo_bytes *out)
{
	struct header h = { .version = FILE_VERSION, .n_columns = N_COLUMN_SIZES };
	struct geo_bytes payload = { 0 };
	unsigned int i;
	int rc = geo_columns_encode(t, columns, &h.counts);

	for (i = 0; i < GEO_COLUMN_N && rc == 0; i++) {
		if (columns[i].n > PAYLOAD_SIZE_MAX - payload.n)
			return -EFBIG;
		geo_bytes_add(&payload, columns[i].data, columns[i].n);
		*(i < N_COLUMN_SIZES ? &h.column_size[i] : &h.dissent_size) =
			(uint32_t)columns[i].n;
	}
	if (rc == 0 && payload.failed)
		rc = -ENOMEM;
	if (rc == 0) {
		memcpy(h.magic, magic, sizeof(magic));
		if (h.dissent_size > 0)
			h.version = FILE_VERSION_MAX;
		h.payload_size = (uint32_t)payload.n;
		h.built_at = t->built_at;
		header_swap(&h);
		rc = compress(&h, &payload, out);
	}
	geo_bytes_fini(&payload);
	return rc;
}

/* The bytes of a table file. */
static int
encode(const struct geo_table *t, struct geo_bytes *out)
{
	struct geo_bytes columns[GEO_COLUMN_N] = { 0 };
	unsigned int i;
	int rc = encode_columns(t, columns, out);

	for (i = 0; i < GEO_COLUMN_N; i++)
		geo_bytes_fini(&columns[i]);
	return rc;
}

static int
write_all(int fd, const struct geo_bytes *bytes)
{
	size_t done = 0;
	ssize_t n;

	while (done < bytes->n) {
		n = write(fd, bytes->data + done, bytes->n - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return fchmod(fd, 0644) != 0 || fsync(fd) != 0 ? -errno : 0;
}

/* Make the rename itself survive a power cut. */
static int
sync_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char directory[PATH_MAX] = ".";
	int fd, rc;

	if (slash != NULL)
		snprintf(directory, sizeof(directory), "%.*s", (int)(slash - path + 1), path);
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = fsync(fd) != 0 && errno != EINVAL ? -errno : 0;
	close(fd);
	return rc;
}

static int
replace_file(const char *path, const struct geo_bytes *bytes)
{
	char temporary[PATH_MAX];
	int fd, rc;

	if (snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path) >= (int)sizeof(temporary))
		return -ENAMETOOLONG;
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = write_all(fd, bytes);
	if (close(fd) != 0 && rc == 0)
		rc = -errno;
	if (rc == 0 && rename(temporary, path) != 0)
		rc = -errno;
	if (rc != 0) {
		unlink(temporary);
		return rc;
	}
	return sync_directory(path);
}

int
geo_save(struct geo_table *t, const char *path, struct err *e)
{
	struct geo_bytes bytes = { 0 };
	int rc = encode(t, &bytes);

	if (rc == -EINVAL)
		err_set(e, path, 0, NULL, "the table breaks an invariant and was not written");
	if (rc == 0)
		rc = replace_file(path, &bytes);
	if (rc == 0 && sha256_text(bytes.data, bytes.n, t->sha256) != 0)
		rc = -EIO;
	if (rc != 0 && rc != -EINVAL)
		err_set_code(e, -rc, path, 0, NULL, "cannot write: %s", strerror(-rc));
	geo_bytes_fini(&bytes);
	return rc;
}
