/* SPDX-License-Identifier: BSD-3-Clause */
/* capture_file: every byte of the blocks, and what happens when the disk does not want them. */
#include "suite.h"

#include "capture/capture.h"
#include "mirror/capture_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define TIME_NS UINT64_C(1700000000123456789)

static const struct capture_interface interfaces[] = {
	{ "border/inside", "port 0, outbound", 1, 200 },
	{ "border/outside", NULL, 1, 200 },
};

static const struct capture_section section = {
	.hardware = "dub1-border-a",
	.application = "trefoild 0.1.0",
	.comment = "policy 1234",
	.interfaces = interfaces,
	.n_interfaces = 2,
};

static const enum capture_format formats[] = { CAPTURE_PCAPNG, CAPTURE_PCAP };

static uint8_t content[CAPTURE_LENGTH_MAX + 1];

static const char *
scratch(void)
{
	static char path[64];
	size_t i;

	for (i = 0; i < sizeof(content); i++)
		content[i] = (uint8_t)(i * 7 + (i >> 8) + 1);
	snprintf(path, sizeof(path), "/tmp/trefoil-capture-file-%d", (int)getpid());
	unlink(path);
	return path;
}

static struct capture_file *
create(const char *path, enum capture_format format)
{
	struct err e = { .message = "" };
	struct capture_file *file = capture_file_create(path, format, &section, 0, &e);

	if (file == NULL)
		printf("%s: %s\n", e.file, e.message);
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	return file;
}

static struct capture_packet
packet(uint32_t n, uint32_t length)
{
	struct capture_packet p = { .time_ns = TIME_NS + n,
		.wire_length = length,
		.length = length,
		.data = content + n % 100 };

	return p;
}

struct bytes {
	uint8_t *data;
	size_t size;
};

static struct bytes
load(const char *path)
{
	struct bytes b = { .size = 0 };
	struct stat st;
	FILE *f = fopen(path, "rb");

	CU_ASSERT_FATAL(f != NULL && fstat(fileno(f), &st) == 0);
	b.data = malloc((size_t)st.st_size + 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(b.data);
	b.size = fread(b.data, 1, (size_t)st.st_size, f);
	fclose(f);
	return b;
}

static uint32_t
word(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/* A block as the draft describes it: both lengths agree, a multiple of 4, inside the file. */
struct block {
	const uint8_t *body;
	uint32_t type, size; /* of the whole block */
};

static bool
next_block(const struct bytes *b, size_t *offset, struct block *out)
{
	if (*offset == b->size)
		return false;
	CU_ASSERT_FATAL(b->size - *offset >= 12);
	out->type = word(b->data + *offset);
	out->size = word(b->data + *offset + 4);
	out->body = b->data + *offset + 8;
	CU_ASSERT_FATAL(out->size >= 12 && out->size % 4 == 0 && out->size <= b->size - *offset);
	CU_ASSERT_EQUAL(word(b->data + *offset + out->size - 4), out->size);
	*offset += out->size;
	return true;
}

/* Compares the options from `offset` of the body with "code=text;code=text;", checks the padding
 * and that they end with the block. Values that are not text are written in hex after a #. */
static void
check_options(const struct block *block, size_t offset, const char *want)
{
	const uint8_t *at = block->body + offset, *end = block->body + block->size - 12;
	char text[1024] = "";
	size_t n = 0;

	while (at < end) {
		uint16_t code = (uint16_t)word(at), length = (uint16_t)(word(at) >> 16), i;
		bool is_text = length > 8;

		if (code == 0)
			break;
		n += (size_t)snprintf(text + n, sizeof(text) - n, is_text ? "%u=" : "%u=#", code);
		for (i = 0; i < length; i++)
			n += (size_t)snprintf(
				text + n, sizeof(text) - n, is_text ? "%c" : "%02x", at[4 + i]);
		n += (size_t)snprintf(text + n, sizeof(text) - n, ";");
		for (; i % 4 != 0; i++)
			CU_ASSERT_EQUAL(at[4 + i], 0);
		at += 4 + i;
	}
	CU_ASSERT_STRING_EQUAL(text, want);
	CU_ASSERT(at == end || (word(at) == 0 && at + 4 == end));
}

static void
write_one_of_each(const char *path)
{
	struct capture_file *file = create(path, CAPTURE_PCAPNG);
	struct capture_packet p = packet(0, 61);

	p.wire_length = 1500;
	p.comment = "verdict=drop";
	p.direction = CAPTURE_SENT;
	CU_ASSERT_EQUAL(capture_file_write(file, &p), 0);
	p = packet(1, 60);
	p.interface = 1;
	p.comment = "";
	CU_ASSERT_EQUAL(capture_file_write(file, &p), 0);
	CU_ASSERT_EQUAL(capture_file_add_statistics(file, 1, 0x1122, 0x33), 0);
	CU_ASSERT_EQUAL(capture_file_add_statistics(file, 2, 1, 1), -EINVAL);
	CU_ASSERT_EQUAL(capture_file_pending(file), 2);
	CU_ASSERT_EQUAL(capture_file_flush(file), 0);
	CU_ASSERT_EQUAL(capture_file_pending(file), 0);
	CU_ASSERT_EQUAL(capture_file_close(file), 0);
}

static void
check_head(const struct bytes *b, size_t *offset)
{
	struct block block;

	CU_ASSERT(next_block(b, offset, &block) && block.type == 0x0a0d0d0a);
	CU_ASSERT_EQUAL(word(block.body), 0x1a2b3c4d);
	CU_ASSERT_EQUAL(word(block.body + 4), 1);
	check_options(&block, 16, "1=policy 1234;2=dub1-border-a;4=trefoild 0.1.0;");
	CU_ASSERT(next_block(b, offset, &block) && block.type == 1);
	CU_ASSERT(word(block.body) == 1 && word(block.body + 4) == 200);
	check_options(&block, 8, "2=border/inside;3=port 0, outbound;9=#09;");
	CU_ASSERT(next_block(b, offset, &block) && block.type == 1);
	check_options(&block, 8, "2=border/outside;9=#09;");
}

static void
check_packet_block(const struct block *block, uint32_t interface, uint64_t time_ns, uint32_t length,
	uint32_t wire_length)
{
	CU_ASSERT_EQUAL(block->type, 6);
	CU_ASSERT_EQUAL(word(block->body), interface);
	CU_ASSERT_EQUAL((uint64_t)word(block->body + 4) << 32 | word(block->body + 8), time_ns);
	CU_ASSERT_EQUAL(word(block->body + 12), length);
	CU_ASSERT_EQUAL(word(block->body + 16), wire_length);
}

static void
test_pcapng_blocks_are_what_the_draft_says(void)
{
	const char *path = scratch();
	struct block block;
	struct bytes b;
	size_t offset = 0;

	write_one_of_each(path);
	b = load(path);
	check_head(&b, &offset);
	CU_ASSERT(next_block(&b, &offset, &block));
	check_packet_block(&block, 0, TIME_NS, 61, 1500);
	CU_ASSERT_EQUAL(memcmp(block.body + 20, content, 61), 0);
	CU_ASSERT_EQUAL(memcmp(block.body + 20 + 61, "\0\0\0", 3), 0);
	check_options(&block, 20 + 64, "1=verdict=drop;2=#02000000;");
	CU_ASSERT(next_block(&b, &offset, &block));
	check_packet_block(&block, 1, TIME_NS + 1, 60, 60);
	CU_ASSERT_EQUAL(block.size, 32 + 60);
	CU_ASSERT(next_block(&b, &offset, &block) && block.type == 5);
	CU_ASSERT_EQUAL(word(block.body), 1);
	CU_ASSERT_EQUAL((uint64_t)word(block.body + 4) << 32 | word(block.body + 8), TIME_NS + 1);
	check_options(&block, 12, "4=#2211000000000000;5=#3300000000000000;");
	CU_ASSERT_FALSE(next_block(&b, &offset, &block));
	free(b.data);
	unlink(path);
}

/* Reads the file back with libpcap: packets 0.. with this length each. */
static unsigned int
read_back(const char *path, uint32_t (*length)(uint32_t n))
{
	struct err e = { .message = "" };
	struct capture *c = capture_open(path, &e);
	struct capture_frame frame;
	unsigned int n = 0;
	int rc;

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	CU_ASSERT_EQUAL(capture_link_type(c), 1);
	while ((rc = capture_next(c, &frame, &e)) == 1) {
		uint32_t kept = length(n) < 200 ? length(n) : 200;

		if (frame.length != kept || frame.wire_length != length(n) ||
			memcmp(frame.data, content + n % 100, kept) != 0 ||
			frame.time_ns != TIME_NS + n)
			break;
		n++;
	}
	CU_ASSERT_EQUAL(rc, 0);
	if (rc != 0)
		printf("%s: %s\n", e.key, e.message);
	capture_close(c);
	return n;
}

static uint32_t
mixed_length(uint32_t n)
{
	return n * 37 % 1501;
}

static void
test_libpcap_reads_both_formats_back(void)
{
	char comment[32];
	uint32_t n;
	size_t i;

	for (i = 0; i < 2; i++) {
		const char *path = scratch();
		struct capture_file *file = create(path, formats[i]);
		struct stat st;

		for (n = 0; n < 30000; n++) {
			struct capture_packet p = packet(n, mixed_length(n));

			snprintf(comment, sizeof(comment), "%.*s", (int)(n % 20),
				"seq=12345678901234567890");
			p.comment = comment;
			CU_ASSERT_EQUAL_FATAL(capture_file_write(file, &p), 0);
		}
		CU_ASSERT_EQUAL(capture_file_add_statistics(file, 0, 30000, 0), 0);
		n = (uint32_t)capture_file_size(file);
		CU_ASSERT_EQUAL(capture_file_close(file), 0);
		CU_ASSERT(stat(path, &st) == 0 && st.st_size == n);
		CU_ASSERT_EQUAL(st.st_mode & 0137, 0);
		CU_ASSERT_EQUAL(read_back(path, mixed_length), 30000);
		unlink(path);
	}
}

/* `given` bytes are said to be in it; 0 = it is measured. */
static size_t
kept_comment_of(const char *comment, size_t given)
{
	const char *path = scratch();
	struct capture_file *file = create(path, CAPTURE_PCAPNG);
	struct capture_packet p = packet(0, 60);
	struct block block = { .size = 0 };
	struct bytes b;
	size_t offset = 0, length;

	p.comment = comment;
	p.comment_length = given;
	CU_ASSERT_EQUAL(capture_file_write(file, &p), 0);
	CU_ASSERT_EQUAL(capture_file_close(file), 0);
	b = load(path);
	while (next_block(&b, &offset, &block) && block.type != 6)
		;
	CU_ASSERT_EQUAL_FATAL(word(block.body + 20 + 60) & 0xffff, 1);
	length = word(block.body + 20 + 60) >> 16;
	CU_ASSERT_EQUAL(memcmp(block.body + 20 + 60 + 4, comment, length), 0);
	CU_ASSERT_EQUAL(block.size, 32 + 60 + 4 + (length + 3) / 4 * 4 + 4);
	free(b.data);
	unlink(path);
	return length;
}

static size_t
kept_comment(const char *comment)
{
	return kept_comment_of(comment, 0);
}

static void
test_comments_of_any_length_are_padded_and_bounded(void)
{
	static char comment[80000];
	size_t i;

	memset(comment, 'x', sizeof(comment) - 1);
	for (i = 1; i <= 9; i++)
		CU_ASSERT_EQUAL(kept_comment(comment + sizeof(comment) - 1 - i), i);
	for (i = CAPTURE_COMMENT_MAX - 5; i <= CAPTURE_COMMENT_MAX; i++)
		CU_ASSERT_EQUAL(kept_comment(comment + sizeof(comment) - 1 - i), i);
	CU_ASSERT_EQUAL(kept_comment(comment), CAPTURE_COMMENT_MAX);
	for (i = 1; i <= 9; i++)
		CU_ASSERT_EQUAL(kept_comment_of(comment, i), i);
	CU_ASSERT_EQUAL(kept_comment_of(comment, sizeof(comment) - 1), CAPTURE_COMMENT_MAX);
	memcpy(comment + CAPTURE_COMMENT_MAX - 2, "\xe2\x82\xac", 3);
	CU_ASSERT_EQUAL(kept_comment(comment), CAPTURE_COMMENT_MAX - 2);
	memcpy(comment + CAPTURE_COMMENT_MAX - 3, "\xe2\x82\xacx", 4);
	CU_ASSERT_EQUAL(kept_comment(comment), CAPTURE_COMMENT_MAX);
}

static void
test_packets_that_make_no_sense_are_refused_alone(void)
{
	size_t i;

	for (i = 0; i < 2; i++) {
		const char *path = scratch();
		struct capture_file *file = create(path, formats[i]);
		uint64_t size = capture_file_size(file);
		struct capture_packet p = packet(0, 60);

		p.interface = 2;
		CU_ASSERT_EQUAL(capture_file_write(file, &p), -EINVAL);
		p = packet(0, 60);
		p.wire_length = 59;
		CU_ASSERT_EQUAL(capture_file_write(file, &p), -EINVAL);
		p = packet(0, CAPTURE_LENGTH_MAX + 1);
		CU_ASSERT_EQUAL(capture_file_write(file, &p), -EMSGSIZE);
		CU_ASSERT_EQUAL(capture_file_size(file), size);
		p = packet(0, 0);
		p.data = NULL;
		CU_ASSERT_EQUAL(capture_file_write(file, &p), 0);
		CU_ASSERT_EQUAL(capture_file_close(file), 0);
		CU_ASSERT_EQUAL(read_back(path, mixed_length), 1);
		unlink(path);
	}
}

static void
test_the_longest_packet_with_the_longest_comment_fits(void)
{
	static char comment[80000];
	static const struct capture_interface unlimited = { "a", NULL, 1, 0 };
	static const struct capture_section one = { .interfaces = &unlimited, .n_interfaces = 1 };
	struct capture_packet p = packet(0, CAPTURE_LENGTH_MAX);
	const char *path = scratch();
	struct capture_frame frame;
	struct capture_file *file;
	struct capture *c;
	unsigned int i;

	memset(comment, 'x', sizeof(comment) - 1);
	p.comment = comment;
	p.direction = CAPTURE_RECEIVED;
	file = capture_file_create(path, CAPTURE_PCAPNG, &one, 0, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	for (i = 0; i < 20; i++)
		CU_ASSERT_EQUAL(capture_file_write(file, &p), 0);
	CU_ASSERT_EQUAL(capture_file_close(file), 0);
	c = capture_open(path, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	for (i = 0; capture_next(c, &frame, NULL) == 1; i++)
		CU_ASSERT_EQUAL(frame.length, CAPTURE_LENGTH_MAX);
	CU_ASSERT_EQUAL(i, 20);
	capture_close(c);
	unlink(path);
}

static void
limit_files(rlim_t size)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = size == RLIM_INFINITY ? limit.rlim_max : size;
	CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static uint32_t
short_length(uint32_t n)
{
	return 40 + n % 61;
}

/* Appends packets n.. until one is refused or `end` is reached; returns the next number. */
static uint32_t
write_until(struct capture_file *file, uint32_t n, uint32_t end, int *rc)
{
	for (*rc = 0; n < end; n++) {
		struct capture_packet p = packet(n, short_length(n));

		p.comment = "full";
		*rc = capture_file_write(file, &p);
		if (*rc != 0)
			break;
	}
	return n;
}

static void
check_full_disk(enum capture_format format, rlim_t limit)
{
	const char *path = scratch();
	struct capture_file *file = create(path, format);
	uint32_t n, n_more;
	int rc;

	limit_files(limit);
	n = write_until(file, 0, 1000000, &rc);
	CU_ASSERT_EQUAL(rc, -EFBIG);
	CU_ASSERT_EQUAL(write_until(file, n, n + 1, &rc), n);
	CU_ASSERT_EQUAL(capture_file_flush(file), -EFBIG);
	CU_ASSERT_EQUAL(read_back(path, short_length) + capture_file_pending(file), n);
	limit_files(RLIM_INFINITY);
	n_more = write_until(file, n, n + 1000, &rc);
	CU_ASSERT(rc == 0 && n_more == n + 1000);
	CU_ASSERT_EQUAL(capture_file_close(file), 0);
	CU_ASSERT_EQUAL(read_back(path, short_length), n_more);
	unlink(path);
}

static void
test_a_full_disk_cuts_at_a_block_and_goes_on_when_there_is_room(void)
{
	rlim_t limit;

	for (limit = 1500000; limit < 1500090; limit += 7) {
		check_full_disk(CAPTURE_PCAPNG, limit);
		check_full_disk(CAPTURE_PCAP, limit);
	}
}

static void
test_closing_on_a_full_disk_keeps_whole_blocks_and_says_so(void)
{
	size_t i;

	for (i = 0; i < 2; i++) {
		const char *path = scratch();
		struct capture_file *file = create(path, formats[i]);
		uint64_t n_pending;
		int rc;

		write_until(file, 0, 100, &rc);
		limit_files(5000);
		CU_ASSERT_EQUAL(capture_file_flush(file), -EFBIG);
		n_pending = capture_file_pending(file);
		CU_ASSERT(n_pending > 0 && n_pending < 100);
		CU_ASSERT_EQUAL(capture_file_close(file), -EFBIG);
		limit_files(RLIM_INFINITY);
		CU_ASSERT_EQUAL(read_back(path, short_length), 100 - n_pending);
		unlink(path);
	}
}

/* Moves what is in the pipe to the file. */
static void
empty_pipe(int from, int to)
{
	static char chunk[65536];
	ssize_t n;

	while ((n = read(from, chunk, sizeof(chunk))) > 0)
		CU_ASSERT_EQUAL(write(to, chunk, (size_t)n), n);
}

/* The newest descriptor of the process that is open for writing on this pipe. */
static int
writers_end(int reader)
{
	struct stat pipe_st, st;
	int fd;

	CU_ASSERT_EQUAL(fstat(reader, &pipe_st), 0);
	for (fd = reader + 1; fd < reader + 10; fd++)
		if (fstat(fd, &st) == 0 && st.st_ino == pipe_st.st_ino)
			return fd;
	return -1;
}

/* A pipe cannot be cut back: half a block stays in it and the rest follows. */
static void
test_a_pipe_that_is_full_gets_the_rest_later(void)
{
	const char *path = scratch();
	struct capture_file *file;
	uint32_t n = 0;
	int end, copy, rc;

	CU_ASSERT_EQUAL_FATAL(mkfifo(path, 0600), 0);
	end = open(path, O_RDONLY | O_NONBLOCK);
	file = capture_file_create(path, CAPTURE_PCAPNG, &section, 1, NULL);
	CU_ASSERT_FATAL(end >= 0 && file != NULL);
	CU_ASSERT_EQUAL(fcntl(writers_end(end), F_SETFL, O_NONBLOCK), 0);
	unlink(path);
	copy = open(path, O_WRONLY | O_CREAT, 0600);
	n = write_until(file, 0, 1000000, &rc);
	CU_ASSERT(rc == -EAGAIN && n > 5000);
	while (capture_file_flush(file) == -EAGAIN)
		empty_pipe(end, copy);
	CU_ASSERT_EQUAL(capture_file_close(file), 0);
	empty_pipe(end, copy);
	close(end);
	close(copy);
	CU_ASSERT_EQUAL(read_back(path, short_length), n);
	unlink(path);
}

static void
test_what_cannot_be_created_says_what_to_do(void)
{
	static const struct {
		const char *path, *message;
		int overwrite, want;
	} cases[] = {
		{ "/nonexistent/a.pcapng", "create its directory", 0, ENOENT },
		{ "/dev/null/a.pcapng", "create its directory", 0, ENOTDIR },
		{ "/etc/passwd", "never overwritten", 0, EEXIST },
		{ "/", "cannot write the capture file", 1, EISDIR },
		{ "/dev/full", "make room", 1, ENOSPC },
	};
	struct err e;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CU_ASSERT_PTR_NULL(capture_file_create(
			cases[i].path, CAPTURE_PCAPNG, &section, cases[i].overwrite, &e));
		CU_ASSERT_EQUAL(errno, cases[i].want);
		CU_ASSERT_STRING_EQUAL(e.file, cases[i].path);
		CU_ASSERT_PTR_NOT_NULL(strstr(e.message, cases[i].message));
		CU_ASSERT_PTR_NULL(capture_file_create(
			cases[i].path, CAPTURE_PCAP, &section, cases[i].overwrite, NULL));
	}
	CU_ASSERT_EQUAL(capture_file_close(NULL), 0);
}

static void
check_refused_section(
	const struct capture_section *s, enum capture_format format, const char *message, int code)
{
	const char *path = scratch();
	struct err e = { .message = "" };

	CU_ASSERT_PTR_NULL(capture_file_create(path, format, s, 0, &e));
	CU_ASSERT_EQUAL(errno, code);
	CU_ASSERT_STRING_EQUAL(e.file, path);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.message, message));
	CU_ASSERT_NOT_EQUAL(access(path, F_OK), 0);
}

static void
test_sections_that_the_format_cannot_hold_are_refused(void)
{
	static const struct capture_interface mixed[] = { { "a", NULL, 1, 0 },
		{ "b", NULL, 101, 0 } };
	static const struct capture_interface odd = { "a", NULL, 100, 0 };
	struct capture_interface *many = calloc(30, sizeof(*many));
	struct capture_section s = { .interfaces = mixed, .n_interfaces = 0 };
	static char name[70000];
	unsigned int i;

	check_refused_section(&s, CAPTURE_PCAPNG, "needs an interface", EINVAL);
	s.n_interfaces = 2;
	check_refused_section(&s, CAPTURE_PCAP, "use pcapng", EINVAL);
	s.interfaces = &odd;
	s.n_interfaces = 1;
	check_refused_section(&s, CAPTURE_PCAP, "use pcapng", EINVAL);
	memset(name, 'x', sizeof(name) - 1);
	for (i = 0; i < 30; i++)
		many[i].name = name;
	s.interfaces = many;
	s.n_interfaces = 30;
	CU_ASSERT_EQUAL(
		capture_file_close(capture_file_create(scratch(), CAPTURE_PCAPNG, &s, 0, NULL)), 0);
	unlink(scratch());
	free(many);
}

SUITE("capture_file", { "pcapng blocks", test_pcapng_blocks_are_what_the_draft_says },
	{ "libpcap reads both formats", test_libpcap_reads_both_formats_back },
	{ "comments of any length", test_comments_of_any_length_are_padded_and_bounded },
	{ "packets that make no sense", test_packets_that_make_no_sense_are_refused_alone },
	{ "the longest packet", test_the_longest_packet_with_the_longest_comment_fits },
	{ "a full disk", test_a_full_disk_cuts_at_a_block_and_goes_on_when_there_is_room },
	{ "closing on a full disk", test_closing_on_a_full_disk_keeps_whole_blocks_and_says_so },
	{ "a pipe", test_a_pipe_that_is_full_gets_the_rest_later },
	{ "cannot be created", test_what_cannot_be_created_says_what_to_do },
	{ "refused sections", test_sections_that_the_format_cannot_hold_are_refused })
