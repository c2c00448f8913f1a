/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture_file: writes frames to a capture file: pcapng with a comment per packet, or classic pcap
 * through libpcap. Nanosecond timestamps, original length kept. On disk the file always ends with
 * a whole block, whatever failed.
 *
 * Threads: one file belongs to one thread.
 * Units: times are nanoseconds since the epoch; lengths are bytes.
 * Source: draft-ietf-opsawg-pcapng; pcap by draft-ietf-opsawg-pcap.
 */
#pragma once

#include "base/err.h"

#include <stdint.h>
#include <stddef.h>

enum capture_format { CAPTURE_PCAPNG, CAPTURE_PCAP };

/* As seen from the interface (epb_flags): received by it, sent by it. */
enum capture_direction { CAPTURE_ANY_DIRECTION, CAPTURE_RECEIVED, CAPTURE_SENT };

#define CAPTURE_LENGTH_MAX  262144u    /* bytes of one packet: what libpcap reads */
#define CAPTURE_BUFFER_SIZE (1u << 20) /* bytes: no block is larger */
#define CAPTURE_COMMENT_MAX 65532u /* bytes of one text; longer ones are cut, never inside UTF-8 */

/* One interface of the section; classic pcap forgets all but link_type. libpcap reads a pcapng file
 * only when all its interfaces have the same link_type and the same snaplen. */
struct capture_interface {
	const char *name;        /* "border/inside" */
	const char *description; /* NULL = none */
	uint16_t link_type;      /* LINKTYPE_..., 1 = Ethernet; classic pcap needs all alike */
	uint32_t snaplen;        /* 0 = unlimited */
	const char *filter;      /* what was copied (if_filter, as text); NULL = all */
};

/* What the file has got for good: bytes in the order of the file. */
typedef void capture_tap_fn(void *context, const void *data, size_t size);

struct capture_section {
	const char *hardware;    /* NULL = none */
	const char *application; /* "trefoild 0.1.0" */
	const char *comment;     /* NULL = none */
	const struct capture_interface *interfaces;
	unsigned int n_interfaces;
	capture_tap_fn *tap; /* called for everything that the kernel took; NULL = none */
	void *tap_context;
};

struct capture_file;

/* Where a copy comes from: pcapng's epb_packetid, epb_queue and epb_dropcount. */
struct capture_origin {
	uint64_t packet_id;
	uint64_t n_dropped; /* of this interface since its packet before */
	uint32_t queue;
};

struct capture_packet {
	uint64_t time_ns;
	uint32_t wire_length;
	uint32_t length; /* bytes in data, <= wire_length; those beyond the snaplen are not kept */
	unsigned int interface;
	const char *comment;   /* NULL or "" = none; not kept by classic pcap */
	size_t comment_length; /* bytes of it, if they are known already; 0 = up to its NUL */
	const void *data;
	enum capture_direction direction;    /* not kept by classic pcap */
	const struct capture_origin *origin; /* NULL = none; not kept by classic pcap */
};

/* Create `path` (0640, must not exist yet unless `overwrite`) and write what comes before the first
 * packet; `section` is not needed afterwards. Returns NULL and sets errno, `e` (NULL allowed) says
 * what to do: EEXIST, EACCES, ENOSPC... of the system; EINVAL (no interface; classic pcap with
 * several link types or one that it has not); ENOMEM. */
struct capture_file *capture_file_create(const char *path, enum capture_format format,
	const struct capture_section *section, int overwrite, struct err *e);

/* Append one packet (buffered). Returns 0: it is kept, in the buffer or in the file; -EINVAL (no
 * such interface, length > wire_length); -EMSGSIZE (over CAPTURE_LENGTH_MAX); -errno of the write
 * (ENOSPC...): this packet is not kept, those before it are, the file is cut back to its last whole
 * block, and later calls may succeed again. The process ignores SIGXFSZ and SIGPIPE. */
int capture_file_write(struct capture_file *file, const struct capture_packet *packet);

/* Append the counters of an interface (pcapng interface statistics block, dated with the newest
 * packet so far; classic pcap has none and ignores them). Returns like capture_file_write(). */
int capture_file_add_statistics(
	struct capture_file *file, unsigned int interface, uint64_t received, uint64_t dropped);

/* Hand everything buffered to the kernel. Returns 0 or -errno; what could not be written stays
 * buffered. */
int capture_file_flush(struct capture_file *file);

/* Everything that the kernel has is on the disk when it returns 0; else -errno. */
int capture_file_sync(struct capture_file *file);

/* Bytes so far, buffered ones included. */
uint64_t capture_file_size(const struct capture_file *file);

/* Packets kept that the kernel does not have yet. After a failed flush: what a close now would
 * lose. Walks the buffer. */
uint64_t capture_file_pending(const struct capture_file *file);

/* Flush, close, free. Returns 0 or -errno (the packets still pending are lost then): NULL allowed.
 */
int capture_file_close(struct capture_file *file);
