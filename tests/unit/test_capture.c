/* SPDX-License-Identifier: BSD-3-Clause */
/* capture: what a reader of other people's files must survive, and what it must say. */
#include "suite.h"

#include "capture/capture.h"

#include <errno.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_MUTATIONS 20000

/* Three packets of 60, 42 and 5 bytes; the last claims 4 on the wire. */
static const uint32_t lengths[] = { 60, 42, 5 };
static const uint32_t wire_lengths[] = { 60, 1500, 4 };
#define N_PACKETS 3

struct bytes {
	uint8_t data[4096];
	size_t size;
	size_t start;          /* offset of the first packet */
	size_t end[N_PACKETS]; /* offset behind each packet */
};

static void
put(struct bytes *b, const void *data, size_t size)
{
	memcpy(b->data + b->size, data, size);
	b->size += size;
}

static void
put_frame(struct bytes *b, unsigned int i)
{
	uint8_t frame[64];

	memset(frame, 'a' + (int)i, sizeof(frame));
	put(b, frame, lengths[i]);
}

static struct bytes
make_pcap(void)
{
	static const uint32_t header[] = { 0xa1b23c4d, 2 | 4 << 16, 0, 0, 65535, 1 };
	struct bytes b = { .size = 0 };
	unsigned int i;

	put(&b, header, sizeof(header));
	b.start = b.size;
	for (i = 0; i < N_PACKETS; i++) {
		uint32_t packet[] = { 1700000000 + i, 999999999, lengths[i], wire_lengths[i] };

		put(&b, packet, sizeof(packet));
		put_frame(&b, i);
		b.end[i] = b.size;
	}
	return b;
}

static void
put_interface(struct bytes *b, uint16_t link_type, uint32_t snaplen)
{
	uint32_t block[] = { 1, 32, link_type, snaplen, 9 | 1 << 16, 9, 0, 32 };

	put(b, block, sizeof(block));
}

static void
put_packet_block(struct bytes *b, unsigned int interface, unsigned int i)
{
	static const uint8_t padding[4];
	uint64_t time_ns = (1700000000 + i) * UINT64_C(1000000000) + 999999999;
	uint32_t padded = (lengths[i] + 3) & ~3u, size = 32 + padded;
	uint32_t block[] = { 6, size, interface, (uint32_t)(time_ns >> 32), (uint32_t)time_ns,
		lengths[i], wire_lengths[i] };

	put(b, block, sizeof(block));
	put_frame(b, i);
	put(b, padding, padded - lengths[i]);
	put(b, &size, sizeof(size));
}

static struct bytes
make_pcapng(void)
{
	static const uint32_t section[] = { 0x0a0d0d0a, 28, 0x1a2b3c4d, 1, UINT32_MAX, UINT32_MAX,
		28 };
	struct bytes b = { .size = 0 };
	unsigned int i;

	put(&b, section, sizeof(section));
	put_interface(&b, 1, 0);
	b.start = b.size;
	for (i = 0; i < N_PACKETS; i++) {
		put_packet_block(&b, 0, i);
		b.end[i] = b.size;
	}
	return b;
}

/* The path of a scratch file with this content; the caller unlinks it. */
static const char *
save(const struct bytes *b, size_t size)
{
	static char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/tmp/trefoil-capture-%d", (int)getpid());
	f = fopen(path, "wb");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CU_ASSERT_EQUAL(fwrite(b->data, 1, size, f), size);
	CU_ASSERT_EQUAL(fclose(f), 0);
	return path;
}

static volatile uint8_t sum;

/* Frames until the end or an error; -errno of opening. Touches every byte. */
static long
read_all(const char *path, struct err *e, int *last)
{
	struct capture *c = capture_open(path, e);
	struct capture_frame frame;
	long n = 0;
	uint32_t i;

	if (c == NULL)
		return -errno;
	while ((*last = capture_next(c, &frame, e)) == 1) {
		n++;
		for (i = 0; i < frame.length; i++)
			sum = sum ^ frame.data[i];
		CU_ASSERT(frame.length <= frame.wire_length && frame.number == (uint64_t)n);
	}
	if (*last != 0)
		CU_ASSERT_EQUAL(capture_next(c, &frame, e), *last);
	capture_close(c);
	return n;
}

static void
check_content(struct bytes b)
{
	const char *path = save(&b, b.size);
	struct err e;
	struct capture *c = capture_open(path, &e);
	struct capture_frame frame;
	uint64_t done, total;
	unsigned int i;

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	CU_ASSERT_EQUAL(capture_link_type(c), 1);
	CU_ASSERT_STRING_EQUAL(capture_link_name(c), "EN10MB");
	for (i = 0; i < N_PACKETS; i++) {
		CU_ASSERT_EQUAL_FATAL(capture_next(c, &frame, &e), 1);
		CU_ASSERT_EQUAL(frame.length, lengths[i]);
		CU_ASSERT_EQUAL(frame.data[lengths[i] - 1], 'a' + i);
		CU_ASSERT_EQUAL(frame.number, i + 1);
		CU_ASSERT_EQUAL(frame.time_ns, (1700000000 + i) * UINT64_C(1000000000) + 999999999);
	}
	CU_ASSERT_EQUAL(frame.wire_length, 5);
	CU_ASSERT_EQUAL(capture_next(c, &frame, &e), 0);
	capture_progress(c, &done, &total);
	CU_ASSERT(done == b.size && total == b.size);
	capture_close(c);
	unlink(path);
}

static void
test_frames_lengths_and_nanoseconds_are_read(void)
{
	check_content(make_pcap());
	check_content(make_pcapng());
}

static void
check_truncation_error(const struct err *e, int rc, long number)
{
	char key[32];

	snprintf(key, sizeof(key), "packet %ld", number);
	CU_ASSERT_EQUAL(rc, -EINVAL);
	CU_ASSERT_STRING_EQUAL(e->key, key);
	CU_ASSERT_PTR_NOT_NULL(strstr(e->message, "truncated"));
}

static void
check_truncations(struct bytes b)
{
	struct err e;
	size_t size;

	for (size = 0; size < b.size; size++) {
		const char *path = save(&b, size);
		long n_whole = 0, n;
		int last = 0;

		while (n_whole < N_PACKETS && b.end[n_whole] <= size)
			n_whole++;
		n = read_all(path, &e, &last);
		unlink(path);
		if (size < b.start) {
			CU_ASSERT_EQUAL(n, -EINVAL);
			continue;
		}
		CU_ASSERT_EQUAL(n, n_whole);
		if (size == b.start || (n_whole > 0 && size == b.end[n_whole - 1]))
			CU_ASSERT_EQUAL(last, 0)
		else
			check_truncation_error(&e, last, n + 1);
	}
}

static void
test_a_file_cut_anywhere_gives_its_whole_frames_and_then_the_packet(void)
{
	check_truncations(make_pcap());
	check_truncations(make_pcapng());
}

static void
check_mutations(struct bytes original, unsigned int seed)
{
	struct err e;
	unsigned int i;
	int last;

	srandom(seed);
	for (i = 0; i < N_MUTATIONS / 2; i++) {
		struct bytes b = original;
		unsigned int n = 1 + (unsigned int)random() % 4;
		const char *path;

		while (n-- > 0)
			b.data[(size_t)random() % b.size] = (uint8_t)random();
		path = save(&b, b.size);
		CU_ASSERT(read_all(path, &e, &last) >= -EINVAL);
		unlink(path);
	}
}

static void
test_random_damage_is_survived(void)
{
	check_mutations(make_pcap(), 1);
	check_mutations(make_pcapng(), 2);
}

static void
test_a_second_interface_of_another_link_type_is_named(void)
{
	struct bytes b = make_pcapng();
	struct err e;
	const char *path;
	int last = 0;

	put_interface(&b, 101, 0);
	put_packet_block(&b, 1, 0);
	path = save(&b, b.size);
	CU_ASSERT_EQUAL(read_all(path, &e, &last), N_PACKETS);
	CU_ASSERT_EQUAL(last, -EINVAL);
	CU_ASSERT_STRING_EQUAL(e.file, path);
	CU_ASSERT_STRING_EQUAL(e.key, "packet 4");
	CU_ASSERT_PTR_NOT_NULL(strstr(e.message, "frame.interface_id == 0"));
	unlink(path);
}

/* libpcap alone refuses these; a smaller and a larger one, and one that says nothing. */
static void
test_interfaces_may_have_other_snapshot_lengths(void)
{
	static const uint32_t snaplens[] = { 100, 0, 96 };
	struct bytes b = make_pcapng();
	struct err e;
	const char *path;
	unsigned int i;
	int last = 0;

	for (i = 0; i < sizeof(snaplens) / sizeof(snaplens[0]); i++) {
		put_interface(&b, 1, snaplens[i]);
		put_packet_block(&b, 1 + i, 0);
	}
	path = save(&b, b.size);
	CU_ASSERT_EQUAL(read_all(path, &e, &last), N_PACKETS + 3);
	CU_ASSERT_EQUAL(last, 0);
	unlink(path);
}

static void
test_what_cannot_be_opened_says_what_to_do(void)
{
	static const struct {
		const char *path, *message;
		int want;
	} cases[] = {
		{ "/nonexistent/x.pcap", "No such file", ENOENT },
		{ "/", "name a file", EINVAL },
		{ "/dev/null", "truncated", EINVAL },
		{ "/proc/self/cmdline", "unpack it", EINVAL },
	};
	struct err e;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CU_ASSERT_PTR_NULL(capture_open(cases[i].path, &e));
		CU_ASSERT_EQUAL(errno, cases[i].want);
		CU_ASSERT_STRING_EQUAL(e.file, cases[i].path);
		CU_ASSERT_PTR_NOT_NULL(strstr(e.message, cases[i].message));
		CU_ASSERT_PTR_NULL(capture_open(cases[i].path, NULL));
	}
	capture_close(NULL);
}

static void
test_standard_input_is_read_and_has_no_size(void)
{
	struct bytes b = make_pcap();
	struct capture_frame frame;
	uint64_t done, total;
	struct capture *c;
	int ends[2], saved = dup(STDIN_FILENO);

	CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
	CU_ASSERT_EQUAL(write(ends[1], b.data, b.size), (ssize_t)b.size);
	close(ends[1]);
	dup2(ends[0], STDIN_FILENO);
	c = capture_open("-", NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	while (capture_next(c, &frame, NULL) == 1)
		;
	CU_ASSERT_EQUAL(frame.number, N_PACKETS);
	capture_progress(c, &done, &total);
	CU_ASSERT(done == 60 + 42 + 5 && total == 0);
	capture_close(c);
	dup2(saved, STDIN_FILENO);
	close(saved);
	close(ends[0]);
}

/* Times beyond what fits: seconds near 2^64 need not be exact, only harmless. */
static void
test_absurd_times_are_clamped(void)
{
	struct bytes b = make_pcapng();
	struct capture_frame frame = { .time_ns = 0 };
	struct capture *c;
	const char *path;

	memset(b.data + 28 + 32 + 12, 0xff, 8);
	b.data[28 + 16 + 4] = 0; /* if_tsresol: seconds */
	path = save(&b, b.size);
	c = capture_open(path, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	CU_ASSERT_EQUAL(capture_next(c, &frame, NULL), 1);
	CU_ASSERT(frame.time_ns == 0 || frame.time_ns == UINT64_MAX);
	capture_close(c);
	unlink(path);
}

/* The manifest's packet count of a file below pcaps/, or -1. */
static long
manifest_count(const char *manifest, const char *name)
{
	char line[2048];
	FILE *f = fopen(manifest, "r");
	size_t length = strlen(name);
	long n = -1;

	while (f != NULL && n < 0 && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, name, length) == 0 && line[length] == '\t')
			n = strtol(line + length + 1, NULL, 10);
	if (f != NULL)
		fclose(f);
	return n;
}

static void
check_real(const char *root, const char *path)
{
	char manifest[1100];
	struct err e = { .message = "" };
	long n, want;
	int last = 0;

	snprintf(manifest, sizeof(manifest), "%s/MANIFEST.tsv", root);
	want = manifest_count(manifest, path + strlen(root) + 1);
	n = read_all(path, &e, &last);
	if (n < 0 || last != 0) {
		CU_ASSERT(e.message[0] != '\0');
		return;
	}
	if (n != want)
		printf("%s: %ld packets, MANIFEST.tsv has %ld\n", path, n, want);
	CU_ASSERT_EQUAL(n, want);
}

static void
test_real_captures_have_the_packets_of_the_manifest(void)
{
	const char *shared = suite_shared("pcaps");
	char root[1024], pattern[1100];
	glob_t found;
	size_t i;

	if (shared == NULL) {
		suite_skip("../shared/pcaps is not here");
		return;
	}
	snprintf(root, sizeof(root), "%s", shared);
	snprintf(pattern, sizeof(pattern), "%s/[a-z]*/*__*", root);
	CU_ASSERT_EQUAL_FATAL(glob(pattern, 0, NULL, &found), 0);
	CU_ASSERT(found.gl_pathc > 600);
	for (i = 0; i < found.gl_pathc; i++)
		check_real(root, found.gl_pathv[i]);
	globfree(&found);
}

SUITE("capture",
	{ "reads frames, lengths, nanoseconds", test_frames_lengths_and_nanoseconds_are_read },
	{ "cut anywhere", test_a_file_cut_anywhere_gives_its_whole_frames_and_then_the_packet },
	{ "random damage", test_random_damage_is_survived },
	{ "a second interface of another link type",
		test_a_second_interface_of_another_link_type_is_named },
	{ "other snapshot lengths", test_interfaces_may_have_other_snapshot_lengths },
	{ "cannot be opened", test_what_cannot_be_opened_says_what_to_do },
	{ "standard input", test_standard_input_is_read_and_has_no_size },
	{ "absurd times", test_absurd_times_are_clamped },
	{ "real captures", test_real_captures_have_the_packets_of_the_manifest })
