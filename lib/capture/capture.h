/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture: reads frames from a capture file (pcap, pcapng) through libpcap, nanoseconds kept.
 *
 * Threads: one reader belongs to one thread.
 * Units: times are nanoseconds since the epoch (before 1970 reads as 0); lengths are bytes.
 * Source: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng, as far as libpcap reads them.
 */
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct capture;

struct capture_frame {
	const uint8_t *data;  /* valid until the next call */
	uint32_t length;      /* bytes in data */
	uint32_t wire_length; /* >= length: a file that claims less is not believed */
	uint64_t time_ns;
	uint64_t number; /* from 1 */
};

/* "-" = standard input. Returns NULL and sets errno; `e` (NULL allowed) says why and what to do:
 * ENOENT, EACCES... of the system, EINVAL (not a capture that libpcap reads), ENOMEM. */
struct capture *capture_open(const char *path, struct err *e);

/* LINKTYPE_ number (1 = Ethernet) and its libpcap name ("EN10MB"; "unknown" if it has none). All
 * frames of a file have it: libpcap refuses the first interface that differs. */
int capture_link_type(const struct capture *c);
const char *capture_link_name(const struct capture *c);

/* 1 = *out is filled; 0 = end of file; -EINVAL = the file is damaged here: `e` (NULL allowed) names
 * the packet, why, and what to do. After -EINVAL every further call returns the same. */
int capture_next(struct capture *c, struct capture_frame *out, struct err *e);

/* Bytes read so far (of a pipe: bytes in frames) and size of the file (0 = not known, a pipe), for
 * progress. */
void capture_progress(const struct capture *c, uint64_t *done, uint64_t *total);

/* NULL allowed. */
void capture_close(struct capture *c);
