/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Table files. The first byte says what the rest is:
 *
 *     bit 0 clear  a file; its checksum is made right, so that what is behind it is reached
 *     bit 0 set    a header and the columns as they are before compression; column sizes are cut to
 *                  what is there, the columns are compressed, the checksum is added
 *     bit 1 set    and the header's counts are made to agree with the column sizes
 */
#include "fuzz_geo.h"

#include "base/sha256.h"

#include <endian.h>
#include <errno.h>
#include <zstd.h>

#define HEADER_SIZE    124u
#define PAYLOAD_AT     12u
#define COUNTS_AT      24u /* IPv4 ranges, IPv6 ranges, origins */
#define DISSENTS_AT    44u /* size of the last column; the header tells it apart */
#define COLUMNS_AT     48u
#define N_COLUMNS      19u
#define COLUMN_COUNTRY 3u
#define COLUMN_GAPS4   7u
#define COLUMN_GAPS6   13u

static uint32_t
get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static void
put32(uint8_t *p, uint32_t v)
{
	v = htole32(v);
	memcpy(p, &v, sizeof(v));
}

static void
sign(uint8_t *file, size_t size)
{
	if (size >= SHA256_SIZE)
		CHECK(sha256_bytes(file, size - SHA256_SIZE, file + size - SHA256_SIZE) == 0);
}

/* Column sizes that add up to the payload. */
static void
fit_columns(uint8_t *header, uint32_t left)
{
	uint32_t dissents = get32(header + DISSENTS_AT);
	unsigned int i;

	put32(header + PAYLOAD_AT, left);
	dissents = dissents < left ? dissents : left;
	put32(header + DISSENTS_AT, dissents);
	left -= dissents;
	for (i = 0; i < N_COLUMNS; i++) {
		uint8_t *at = header + COLUMNS_AT + 4 * i;
		uint32_t size = get32(at);

		if (size > left || i == N_COLUMNS - 1)
			size = left;
		put32(at, size);
		left -= size;
	}
}

static void
fit_counts(uint8_t *header)
{
	const uint8_t *columns = header + COLUMNS_AT;

	put32(header + COUNTS_AT, get32(columns + 4 * COLUMN_GAPS4));
	put32(header + COUNTS_AT + 4, get32(columns + 4 * COLUMN_GAPS6));
	put32(header + COUNTS_AT + 8, get32(columns + 4 * COLUMN_COUNTRY) / 2 + 1);
}

/* A file around header and columns; NULL when there is no whole header. */
static uint8_t *
pack(const uint8_t *data, size_t size, int with_counts, size_t *packed)
{
	size_t bound = ZSTD_compressBound(size), n;
	uint8_t *file, *fitted;

	if (size < HEADER_SIZE)
		return NULL;
	file = malloc(HEADER_SIZE + bound + SHA256_SIZE);
	CHECK(file != NULL);
	memcpy(file, data, HEADER_SIZE);
	fit_columns(file, (uint32_t)(size - HEADER_SIZE));
	if (with_counts)
		fit_counts(file);
	n = ZSTD_compress(file + HEADER_SIZE, bound, data + HEADER_SIZE, size - HEADER_SIZE, 1);
	CHECK(!ZSTD_isError(n));
	*packed = HEADER_SIZE + n + SHA256_SIZE;
	fitted = fuzz_copy(file, *packed);
	free(file);
	return fitted;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct geo_table *t;
	struct err e = { 0 };
	uint8_t mode, *file;

	fuzz_take(&data, &size, &mode, 1);
	file = mode & 1 ? pack(data, size, mode & 2, &size) : fuzz_copy(data, size);
	if (file == NULL && size > 0)
		return -1;
	sign(file, size);
	t = geo_parse(file, size, "input.tgt", &e);
	free(file);
	if (t != NULL)
		fuzz_check_table(t);
	else if (errno != ENOMEM) {
		CHECK(errno == EINVAL);
		fuzz_check_error(&e);
	}
	geo_free(t);
	return 0;
}
