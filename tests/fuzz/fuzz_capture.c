/* SPDX-License-Identifier: BSD-3-Clause */
/* Capture files: the input is a file. Every frame's bytes are there and are walked; a file that is
 * damaged says so, and goes on saying so. */
#include "fuzz.h"

#include "capture/capture.h"
#include "packet/packet.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

static struct limits limits;
static int fd;
static char path[32];

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	limits_init(&limits);
	fd = memfd_create("fuzz", MFD_CLOEXEC);
	CHECK(fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return 0;
}

static void
check_frame(const struct capture_frame *f, uint64_t number)
{
	struct rte_mbuf m = { .nb_segs = 1 };
	struct packet_info info;
	uint16_t length = (uint16_t)(f->length < UINT16_MAX ? f->length : UINT16_MAX);

	CHECK(f->number == number);
	CHECK(f->wire_length >= f->length);
	m.buf_addr = fuzz_copy(f->data, f->length);
	m.data_len = length;
	m.pkt_len = length;
	packet_parse(&m, f->wire_length, PACKET_LINK_ETHERNET, &limits, PACKET_DESTINATIONS, &info);
	CHECK(info.headers_length <= length);
	free(m.buf_addr);
}

static void
check_capture(struct capture *c, size_t size)
{
	struct capture_frame frame;
	uint64_t done, total, number = 0;
	struct err e = { 0 };
	int rc;

	CHECK(capture_link_name(c) != NULL);
	capture_link_type(c);
	while ((rc = capture_next(c, &frame, &e)) == 1)
		check_frame(&frame, ++number);
	CHECK(rc == 0 || rc == -EINVAL);
	if (rc != 0) {
		fuzz_check_error(&e);
		CHECK(capture_next(c, &frame, NULL) == -EINVAL);
	}
	capture_progress(c, &done, &total);
	CHECK(total == size && done <= total);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct capture *c;
	struct err e = { 0 };

	CHECK(ftruncate(fd, 0) == 0);
	CHECK(pwrite(fd, data, size, 0) == (ssize_t)size);
	c = capture_open(path, &e);
	if (c != NULL) {
		check_capture(c, size);
	} else {
		CHECK(errno == EINVAL);
		fuzz_check_error(&e);
	}
	capture_close(c);
	return 0;
}
