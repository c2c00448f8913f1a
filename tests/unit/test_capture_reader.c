/* SPDX-License-Identifier: BSD-3-Clause */
/* capture_reader: reads back what capture_file wrote, and names the byte where that ends. */
#include "suite.h"

#include "mirror/capture_file.h"
#include "mirror/capture_reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_PACKETS 5u
#define FILE_SIZE 4096u

static char path[] = "/tmp/trefoil-reader-XXXXXX";
static uint8_t whole[FILE_SIZE];
static size_t size; /* of it */
static const uint8_t frame[64] = { 1, 2, 3, 4 };

static void
write_bytes(const void *data, size_t n)
{
	FILE *f = fopen(path, "wb");

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CU_ASSERT_EQUAL(fwrite(data, 1, n, f), n);
	CU_ASSERT_EQUAL(fclose(f), 0);
}

static void
make_file(void)
{
	static const struct capture_interface interface = { "a", NULL, 1, 0, NULL };
	static const struct capture_section section = { .interfaces = &interface,
		.n_interfaces = 1 };
	struct capture_packet p = { .wire_length = 1500, .data = frame, .comment = "seq=1" };
	struct capture_file *file;
	unsigned int i;
	FILE *f;

	if (size == 0)
		CU_ASSERT_FATAL(close(mkstemp(path)) == 0);
	file = capture_file_create(path, CAPTURE_PCAPNG, &section, 1, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	for (i = 0; i < N_PACKETS; i++) {
		p.time_ns = 1700000000000000001u + i;
		p.length = 60 + i;
		CU_ASSERT_EQUAL(capture_file_write(file, &p), 0);
	}
	CU_ASSERT_EQUAL(capture_file_add_statistics(file, 0, 5, 0), 0);
	CU_ASSERT_EQUAL(capture_file_close(file), 0);
	f = fopen(path, "rb");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	size = fread(whole, 1, sizeof(whole), f);
	fclose(f);
}

/* Reads all; returns what ended it, the blocks and packets before it in `*n`, `*n_packets`. */
static int
read_all(unsigned int *n, unsigned int *n_packets, struct err *e)
{
	struct capture_reader *r = capture_reader_open(path, e);
	struct capture_block b;
	int rc;

	*n = *n_packets = 0;
	if (r == NULL)
		return -errno;
	while ((rc = capture_reader_next(r, &b, e)) == 1) {
		*n += 1;
		*n_packets += b.kind == CAPTURE_BLOCK_PACKET;
	}
	capture_reader_close(r);
	return rc;
}

static void
check_packet(const struct capture_block *b, unsigned int i)
{
	CU_ASSERT_EQUAL(b->number, i + 1);
	CU_ASSERT_EQUAL(b->time_ns, 1700000000000000001u + i);
	CU_ASSERT(b->length == 60 + i && b->wire_length == 1500 && b->interface == 0);
	CU_ASSERT_EQUAL(memcmp(b->data, frame, b->length), 0);
	CU_ASSERT(b->comment_length == 5 && memcmp(b->comment, "seq=1", 5) == 0);
}

static void
test_what_was_written_is_read(void)
{
	static const enum capture_block_kind kinds[] = { CAPTURE_BLOCK_SECTION,
		CAPTURE_BLOCK_INTERFACE, CAPTURE_BLOCK_PACKET, CAPTURE_BLOCK_PACKET,
		CAPTURE_BLOCK_PACKET, CAPTURE_BLOCK_PACKET, CAPTURE_BLOCK_PACKET,
		CAPTURE_BLOCK_STATISTICS };
	struct capture_reader *r;
	struct capture_block b;
	uint64_t offset = 0;
	unsigned int i;

	make_file();
	r = capture_reader_open(path, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(r);
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		CU_ASSERT_EQUAL_FATAL(capture_reader_next(r, &b, NULL), 1);
		CU_ASSERT_EQUAL(b.kind, kinds[i]);
		CU_ASSERT_EQUAL(b.offset, offset);
		CU_ASSERT_EQUAL(memcmp(b.raw, whole + offset, b.size), 0);
		offset += b.size;
		if (b.kind == CAPTURE_BLOCK_PACKET)
			check_packet(&b, i - 2);
	}
	CU_ASSERT_EQUAL(capture_reader_next(r, &b, NULL), 0);
	CU_ASSERT_EQUAL(offset, size);
	capture_reader_close(r);
}

static void
test_cut_anywhere_the_byte_is_named(void)
{
	struct err e = { .message = "" };
	unsigned int n, n_packets, n_whole = 0;
	size_t cut;

	make_file();
	for (cut = 12; cut < size; cut++) {
		int rc;

		write_bytes(whole, cut);
		rc = read_all(&n, &n_packets, &e);
		if (rc == 0) {
			n_whole++; /* the cut is between two blocks */
			continue;
		}
		CU_ASSERT_EQUAL(rc, -EBADMSG);
		CU_ASSERT_PTR_NOT_NULL(strstr(e.message, "is cut off"));
		CU_ASSERT(strstr(e.message, "byte ") != NULL && n_packets <= N_PACKETS);
	}
	CU_ASSERT_EQUAL(n_whole, 7); /* behind each block but the last */
}

/* Offsets below are those of the first packet's block. */
static void
test_lengths_that_lie_are_refused(void)
{
	static const struct {
		size_t at;
		uint32_t value;
	} lies[] = {
		{ 4, 8 },           /* not even a header */
		{ 4, 0x7fffffff },  /* more than there may be */
		{ 4, 33 },          /* no multiple of 4 */
		{ 4, 12 },          /* not as at its end */
		{ 20, 0xffffffff }, /* the packet's own */
		{ 20, 0xfffffffd },
		{ 20, 81 },
		{ 20, 79 },
		{ 28 + 60, 0xffff0001 },
	};
	uint8_t bytes[FILE_SIZE];
	struct capture_reader *r;
	struct capture_block b;
	size_t i, first = 0;

	make_file();
	r = capture_reader_open(path, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(r);
	while (capture_reader_next(r, &b, NULL) == 1 && b.kind != CAPTURE_BLOCK_PACKET)
		first = b.offset + b.size;
	capture_reader_close(r);
	for (i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct err e = { .message = "" };
		unsigned int n, n_packets;
		int rc;

		memcpy(bytes, whole, size);
		memcpy(bytes + first + lies[i].at, &lies[i].value, 4);
		write_bytes(bytes, size);
		rc = read_all(&n, &n_packets, &e);
		if (rc != -EBADMSG || n_packets != 0)
			printf("lie %zu: %d %u %s\n", i, rc, n_packets, e.message);
		CU_ASSERT(rc == -EBADMSG && n_packets == 0);
	}
}

static void
test_what_is_no_pcapng_is_refused(void)
{
	struct err e = { .message = "" };
	uint8_t bytes[FILE_SIZE];
	unsigned int n, n_packets;

	make_file();
	CU_ASSERT_EQUAL(capture_reader_open("/nowhere/at/all", &e), NULL);
	CU_ASSERT_EQUAL(errno, ENOENT);
	write_bytes("\xd4\xc3\xb2\xa1 classic pcap", 17);
	CU_ASSERT_EQUAL(read_all(&n, &n_packets, &e), -EINVAL);
	write_bytes("", 0);
	CU_ASSERT_EQUAL(read_all(&n, &n_packets, &e), -EINVAL);
	memcpy(bytes, whole, size); /* the other byte order */
	memcpy(bytes + 8, "\x1a\x2b\x3c\x4d", 4);
	write_bytes(bytes, size);
	CU_ASSERT_EQUAL(read_all(&n, &n_packets, &e), -EINVAL);
	unlink(path);
}

SUITE("capture_reader", { "what was written is read", test_what_was_written_is_read },
	{ "cut anywhere the byte is named", test_cut_anywhere_the_byte_is_named },
	{ "lengths that lie are refused", test_lengths_that_lie_are_refused },
	{ "what is no pcapng is refused", test_what_is_no_pcapng_is_refused })
