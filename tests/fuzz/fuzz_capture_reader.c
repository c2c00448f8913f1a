/* SPDX-License-Identifier: BSD-3-Clause */
/* Segments of evidence, block by block: the input is a file. All that a block names lies inside it,
 * the blocks lie one behind the other, and what is no block is named by its place. */
#include "fuzz.h"

#include "mirror/capture_reader.h"
#include "mirror/flow_key.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

static int fd;
static char path[32];

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	fd = memfd_create("fuzz", MFD_CLOEXEC);
	CHECK(fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return 0;
}

static void
check_flow(const struct capture_block *b)
{
	uint8_t *frame = fuzz_copy(b->data, b->length);
	char text[FLOW_ADDRESS_SIZE];
	struct flow_key key;

	if (flow_key_parse(frame, b->length, &key))
		CHECK(key.version == 4 || key.version == 6);
	else
		CHECK(key.version == 0 && key.source_port == 0 && key.protocol == 0);
	CHECK(key.zero == 0);
	CHECK(strlen(flow_key_format(&key, true, text)) > 0);
	CHECK(strlen(flow_key_format(&key, false, text)) > 0);
	free(frame);
}

static void
check_packet(const struct capture_block *b, uint64_t number)
{
	const uint8_t *end = b->raw + b->size;
	const uint8_t *comment = (const uint8_t *)b->comment;

	CHECK(b->number == number);
	CHECK(b->data > b->raw && b->length <= (size_t)(end - b->data));
	CHECK(b->comment != NULL);
	if (b->comment_length != 0)
		CHECK(comment >= b->data + b->length && comment + b->comment_length <= end);
	check_flow(b);
}

static void
check_blocks(struct capture_reader *r, size_t size)
{
	uint64_t offset = 0, n_packets = 0;
	struct err e = { .message = "" };
	struct capture_block b;
	int rc;

	while ((rc = capture_reader_next(r, &b, &e)) == 1) {
		CHECK(b.offset == offset);
		offset += b.size;
		CHECK(offset <= size);
		if (b.kind == CAPTURE_BLOCK_PACKET)
			check_packet(&b, ++n_packets);
	}
	CHECK(rc == -EBADMSG || (rc == 0 && offset == size));
	if (rc != 0)
		fuzz_check_error(&e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = { .message = "" };
	struct capture_reader *r;

	CHECK(ftruncate(fd, 0) == 0);
	CHECK(pwrite(fd, data, size, 0) == (ssize_t)size);
	r = capture_reader_open(path, &e);
	if (r != NULL) {
		check_blocks(r, size);
	} else {
		CHECK(errno == EINVAL);
		fuzz_check_error(&e);
	}
	capture_reader_close(r);
	return 0;
}
