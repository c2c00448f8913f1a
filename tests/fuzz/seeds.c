/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_seeds: makes seeds and dictionaries out of what there is.
 *
 *     fuzz_seeds frames DIRECTORY CAPTURE...   a frame for each path of layers and reason
 *     fuzz_seeds columns DIRECTORY TABLE...    geo tables, unpacked, for fuzz_geo_file
 *     fuzz_seeds segment DIRECTORY             a capture with annotations and statistics
 *     fuzz_seeds words policy|settings         a dictionary of sections, keys and words
 */
#include "capture/capture.h"
#include "mirror/capture_file.h"
#include "packet/packet.h"
#include "policy/policy.h"
#include "settings/settings.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define N_CIRCUMSTANCES 8 /* in front of a frame: see fuzz_frame.c */
#define FRAME_MAX       2048
#define FILE_MAX        ((size_t)8 << 20)
#define HEADER_SIZE     124u /* of a table file: see geo_file.c */
#define DIGEST_SIZE     32u

static unsigned int n_seeds;

static int
write_seed(const char *directory, const void *head, size_t head_size, const void *body, size_t size)
{
	char path[4096];
	FILE *f;
	int bad;

	snprintf(path, sizeof(path), "%s/%05u", directory, n_seeds++);
	f = fopen(path, "wb");
	if (f == NULL) {
		perror(path);
		return -1;
	}
	fwrite(head, 1, head_size, f);
	fwrite(body, 1, size, f);
	bad = ferror(f);
	return fclose(f) != 0 || bad ? -1 : 0;
}

/* -1 for link types that the parser does not walk. */
static int
link_of(int type)
{
	switch (type) {
	case 1:
		return PACKET_LINK_ETHERNET;
	case 101:
	case 228:
	case 229:
		return PACKET_LINK_IP;
	case 113:
		return PACKET_LINK_SLL;
	case 276:
		return PACKET_LINK_SLL2;
	case 0:
	case 108:
		return PACKET_LINK_NULL;
	default:
		return -1;
	}
}

static int
compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Is this the first frame that is walked in this way? */
static int
is_new(const struct rte_mbuf *m, int link, const struct limits *limits)
{
	static void *seen;
	struct packet_info info;
	char layers[512], key[640], *kept;
	char **found;

	packet_parse(m, m->pkt_len, (enum packet_link)link, limits, PACKET_DESTINATIONS, &info);
	snprintf(key, sizeof(key), "%d %s %u %u %u %u", link,
		packet_layers_format(&info, layers, sizeof(layers)), info.reason, info.non_ip,
		info.has_source_route, info.n_addresses);
	kept = strdup(key);
	found = kept != NULL ? tsearch(kept, &seen, compare) : NULL;
	return found != NULL && *found == kept;
}

static int
add_frame(const char *directory, const struct capture_frame *frame, int link,
	const struct limits *limits)
{
	static const uint8_t zeros[N_CIRCUMSTANCES];
	uint8_t bytes[FRAME_MAX], head[N_CIRCUMSTANCES];
	struct rte_mbuf m = { .buf_addr = bytes, .nb_segs = 1 };

	if (frame->length > FRAME_MAX)
		return 0;
	memcpy(bytes, frame->data, frame->length);
	m.data_len = (uint16_t)frame->length;
	m.pkt_len = frame->length;
	if (!is_new(&m, link, limits))
		return 0;
	memcpy(head, zeros, sizeof(head));
	head[0] = (uint8_t)link;
	head[1] = (uint8_t)(n_seeds % 3 | (n_seeds % 5 == 0 ? 0x80 : 0));
	if (n_seeds % 2) {
		head[3] = (uint8_t)(n_seeds * 7);
		head[4] = (uint8_t)(n_seeds % 64);
	}
	return write_seed(directory, head, sizeof(head), bytes, frame->length);
}

/* Damaged captures count up to the damage. */
static int
add_capture(const char *directory, const char *path, const struct limits *limits)
{
	struct capture *c = capture_open(path, NULL);
	struct capture_frame frame;
	int link, status = 0;

	if (c == NULL)
		return 0;
	link = link_of(capture_link_type(c));
	while (status == 0 && link >= 0 && capture_next(c, &frame, NULL) == 1)
		status = add_frame(directory, &frame, link, limits);
	capture_close(c);
	return status;
}

static int
add_table(const char *directory, const char *path, const struct limits *limits)
{
	uint8_t *file = malloc(FILE_MAX), *payload = malloc(FILE_MAX),
		head[1 + HEADER_SIZE] = { 1 };
	FILE *f = fopen(path, "rb");
	size_t size = 0, n;
	int status = -1;

	(void)limits;
	if (f != NULL && file != NULL && payload != NULL)
		size = fread(file, 1, FILE_MAX, f);
	if (size > HEADER_SIZE + DIGEST_SIZE) {
		n = ZSTD_decompress(
			payload, FILE_MAX, file + HEADER_SIZE, size - HEADER_SIZE - DIGEST_SIZE);
		memcpy(head + 1, file, HEADER_SIZE);
		if (!ZSTD_isError(n))
			status = write_seed(directory, head, sizeof(head), payload, n);
	}
	if (f != NULL)
		fclose(f);
	free(file);
	free(payload);
	return status;
}

static int
write_packets(struct capture_file *file)
{
	static const uint8_t frame[64] = { [12] = 0x08, [14] = 0x45, [23] = 17 };
	static const struct capture_origin origin = { .packet_id = 1, .n_dropped = 2, .queue = 3 };
	struct capture_packet packet = { .time_ns = UINT64_C(1700000000000000000),
		.wire_length = 1500,
		.comment = "verdict=drop reason=country seq=1",
		.direction = CAPTURE_RECEIVED,
		.origin = &origin,
		.data = frame };
	uint32_t length;
	int rc = 0;

	for (length = 13; rc == 0 && length <= sizeof(frame); length += 17) {
		packet.length = length;
		rc = capture_file_write(file, &packet);
	}
	return rc == 0 ? capture_file_add_statistics(file, 0, 9, 1) : rc;
}

static int
write_segment(const char *directory)
{
	static const struct capture_interface interface = {
		.name = "a", .description = "b", .link_type = 1, .filter = "ip"
	};
	static const struct capture_section section = { .application = "fuzz",
		.comment = "appliance=a",
		.interfaces = &interface,
		.n_interfaces = 1 };
	char path[4096];
	struct capture_file *file;
	int rc;

	snprintf(path, sizeof(path), "%s/segment", directory);
	file = capture_file_create(path, CAPTURE_PCAPNG, &section, 1, NULL);
	if (file == NULL)
		return 1;
	rc = write_packets(file);
	return capture_file_close(file) == 0 && rc == 0 ? 0 : 1;
}

static void
print_key(const struct schema_key *key)
{
	const char *const *word;

	printf("\"%s = \"\n", key->name);
	for (word = key->words; word != NULL && *word != NULL; word++)
		printf("\"%s\"\n", *word);
}

static int
print_words(const struct schema *schema)
{
	size_t i, k;

	for (i = 0; i < schema->n_sections; i++) {
		const struct schema_section *s = &schema->sections[i];

		printf("\"\\x0a[%s%s]\\x0a\"\n", s->name, s->named ? " a" : "");
		for (k = 0; k < s->n_keys; k++)
			print_key(&s->keys[k]);
	}
	return 0;
}

static int
usage(void)
{
	fprintf(stderr, "usage: fuzz_seeds frames|columns DIRECTORY FILE...\n"
			"       fuzz_seeds segment DIRECTORY\n"
			"       fuzz_seeds words policy|settings\n");
	return 2;
}

int
main(int argc, char **argv)
{
	static struct limits limits;
	int (*add)(const char *, const char *, const struct limits *);
	int i, status = 0;

	if (argc < 3)
		return usage();
	if (strcmp(argv[1], "words") == 0)
		return print_words(
			strcmp(argv[2], "policy") == 0 ? &policy_schema : &settings_schema);
	if (strcmp(argv[1], "segment") == 0)
		return write_segment(argv[2]);
	add = strcmp(argv[1], "frames") == 0 ? add_capture : add_table;
	limits_init(&limits);
	for (i = 3; i < argc && status == 0; i++)
		status = add(argv[2], argv[i], &limits);
	return status == 0 ? 0 : 1;
}
