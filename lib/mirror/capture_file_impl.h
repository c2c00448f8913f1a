/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture_file_impl: the buffer that both formats write their blocks to.
 * Threads: as capture_file.
 */
#pragma once

#include "mirror/capture_file.h"

#include <stdbool.h>

struct pcap;
struct pcap_dumper;

struct capture_file {
	enum capture_format format;
	int fd;
	bool is_regular; /* can be cut back */
	unsigned int n_interfaces;
	uint32_t *snaplens; /* by interface, never 0 */
	uint64_t newest_ns; /* newest packet */
	uint64_t base;      /* offset in the file of buffer[0] */
	uint8_t *buffer;    /* whole blocks */
	size_t used;        /* bytes in it */
	size_t start;       /* bytes of it that the kernel has: more than 0 only after an error */
	size_t flush_at;    /* bytes in it with which the kernel is asked to take them */
	size_t tapped;      /* of those, bytes that the tap has */
	capture_tap_fn *tap;
	void *tap_context;
	struct pcap *pcap; /* classic pcap only */
	struct pcap_dumper *dumper;
};

/* Room for `size` bytes at the end of the buffer, which is flushed for it if need be. Returns 0,
 * -EMSGSIZE (never fits) or -errno of the write. The caller adds what it wrote to `used`. */
int capture_file_reserve(struct capture_file *file, size_t size, uint8_t **out);

/* What comes before the first packet. Returns 0 or -errno, `e` (NULL allowed) filled. */
int pcapng_begin(struct capture_file *file, const struct capture_section *section, struct err *e);
int pcap_classic_begin(
	struct capture_file *file, const struct capture_section *section, struct err *e);

/* One packet, checked and cut to the snaplen by the caller. Returns as capture_file_reserve(). */
int pcapng_write(struct capture_file *file, const struct capture_packet *packet);
int pcap_classic_write(struct capture_file *file, const struct capture_packet *packet);

int pcapng_write_statistics(
	struct capture_file *file, unsigned int interface, uint64_t received, uint64_t dropped);

/* Size of the block that begins at `offset` of the buffer, and whether it is a packet. */
size_t pcapng_block_size(const struct capture_file *file, size_t offset, bool *is_packet);
size_t pcap_classic_block_size(const struct capture_file *file, size_t offset, bool *is_packet);

void pcap_classic_fini(struct capture_file *file);
