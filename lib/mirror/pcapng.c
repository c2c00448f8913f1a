/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pcapng blocks, in the machine's byte order as the format allows: section header, interface
 * descriptions, enhanced packets, interface statistics. A block is type, total length, body padded
 * to 4 bytes, options, total length again. libpcap cannot write pcapng, hence this.
 */
#include "mirror/capture_file_impl.h"

#include <errno.h>
#include <string.h>

enum {
	BLOCK_INTERFACE = 1,
	BLOCK_STATISTICS = 5,
	BLOCK_PACKET = 6,
	BLOCK_SECTION = 0x0a0d0d0a,
};

enum {
	OPTION_END = 0,
	OPTION_COMMENT = 1,
	SHB_HARDWARE = 2,
	SHB_USERAPPL = 4,
	IF_NAME = 2,
	IF_DESCRIPTION = 3,
	IF_TSRESOL = 9,
	IF_FILTER = 11,
	EPB_FLAGS = 2,
	EPB_DROPCOUNT = 4,
	EPB_PACKETID = 5,
	EPB_QUEUE = 6,
	ISB_IFRECV = 4,
	ISB_IFDROP = 5,
};

#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define OPTION_HEADER    4u /* code and length; also the size of OPTION_END */

struct block {
	uint32_t type, size;
};

struct block_section {
	struct block block;
	uint32_t magic;
	uint16_t major, minor;
	int64_t length; /* -1: not given */
} __attribute__((packed));

struct block_interface {
	struct block block;
	uint16_t link_type, reserved;
	uint32_t snaplen;
};

struct block_packet {
	struct block block;
	uint32_t interface, time_high, time_low, length, wire_length;
};

/* The options of a packet that are numbers, each a code and a length before it. */
struct option_flags {
	uint16_t code, length;
	uint32_t flags;
};

struct option_origin {
	uint16_t drop_code, drop_length;
	uint64_t n_dropped;
	uint16_t id_code, id_length;
	uint64_t packet_id;
	uint16_t queue_code, queue_length;
	uint32_t queue;
} __attribute__((packed));

struct block_statistics {
	struct block block;
	uint32_t interface, time_high, time_low;
};

static size_t
pcapng_pad(size_t size)
{
	return (size + 3) & ~(size_t)3;
}

/* Bytes kept of a text of `length`: a cut never leaves half a UTF-8 character. */
static size_t
pcapng_cut(const char *text, size_t length)
{
	if (length <= CAPTURE_COMMENT_MAX)
		return length;
	length = CAPTURE_COMMENT_MAX;
	while (length > 0 && (text[length] & 0xc0) == 0x80)
		length--;
	return length;
}

static size_t
pcapng_text_length(const char *text)
{
	return text != NULL ? pcapng_cut(text, strlen(text)) : 0;
}

static size_t
pcapng_option_size(size_t length)
{
	return length == 0 ? 0 : OPTION_HEADER + pcapng_pad(length);
}

static size_t
pcapng_text_size(const char *text)
{
	return pcapng_option_size(pcapng_text_length(text));
}

static uint8_t *
pcapng_put_option(uint8_t *at, uint16_t code, const void *value, size_t length)
{
	uint16_t header[2] = { code, (uint16_t)length };
	size_t size = pcapng_pad(length);

	memcpy(at, header, sizeof(header));
	if (size != length)
		memset(at + OPTION_HEADER + size - 4, 0, 4);
	memcpy(at + OPTION_HEADER, value, length);
	return at + OPTION_HEADER + size;
}

static uint8_t *
pcapng_put_text(uint8_t *at, uint16_t code, const char *text)
{
	size_t length = pcapng_text_length(text);

	return length == 0 ? at : pcapng_put_option(at, code, text, length);
}

static uint8_t *
pcapng_put_end(uint8_t *at)
{
	memset(at, 0, OPTION_HEADER);
	return at + OPTION_HEADER;
}

/* The second total length; the block becomes part of the buffer. */
static void
pcapng_commit(struct capture_file *file, uint8_t *at, uint32_t size)
{
	memcpy(at, &size, sizeof(size));
	file->used += size;
}

static int
pcapng_put_section(struct capture_file *file, const struct capture_section *section)
{
	struct block_section header = {
		.block.type = BLOCK_SECTION, .magic = BYTE_ORDER_MAGIC, .major = 1, .length = -1
	};
	size_t size = sizeof(header) + pcapng_text_size(section->comment) +
		      pcapng_text_size(section->hardware) + pcapng_text_size(section->application) +
		      OPTION_HEADER + sizeof(uint32_t);
	uint8_t *at;
	int rc = capture_file_reserve(file, size, &at);

	if (rc != 0)
		return rc;
	header.block.size = (uint32_t)size;
	memcpy(at, &header, sizeof(header));
	at = pcapng_put_text(at + sizeof(header), OPTION_COMMENT, section->comment);
	at = pcapng_put_text(at, SHB_HARDWARE, section->hardware);
	at = pcapng_put_text(at, SHB_USERAPPL, section->application);
	pcapng_commit(file, pcapng_put_end(at), header.block.size);
	return 0;
}

/* if_filter: a byte that says "text", and the text. */
static size_t
pcapng_filter_size(const char *filter)
{
	return filter == NULL ? 0 : OPTION_HEADER + pcapng_pad(pcapng_text_length(filter) + 1);
}

static uint8_t *
pcapng_put_filter(uint8_t *at, const char *filter)
{
	size_t length = filter == NULL ? 0 : pcapng_text_length(filter);
	uint16_t header[2] = { IF_FILTER, (uint16_t)(length + 1) };

	if (filter == NULL)
		return at;
	memcpy(at, header, sizeof(header));
	memset(at + OPTION_HEADER, 0, pcapng_pad(length + 1));
	memcpy(at + OPTION_HEADER + 1, filter, length);
	return at + pcapng_filter_size(filter);
}

static int
pcapng_put_interface(struct capture_file *file, const struct capture_interface *interface)
{
	static const uint8_t nanoseconds = 9;
	struct block_interface header = { .block.type = BLOCK_INTERFACE,
		.link_type = interface->link_type,
		.snaplen = interface->snaplen };
	size_t size = sizeof(header) + pcapng_text_size(interface->name) +
		      pcapng_text_size(interface->description) +
		      pcapng_filter_size(interface->filter) + 2 * OPTION_HEADER + OPTION_HEADER +
		      sizeof(uint32_t);
	uint8_t *at;
	int rc = capture_file_reserve(file, size, &at);

	if (rc != 0)
		return rc;
	header.block.size = (uint32_t)size;
	memcpy(at, &header, sizeof(header));
	at = pcapng_put_text(at + sizeof(header), IF_NAME, interface->name);
	at = pcapng_put_text(at, IF_DESCRIPTION, interface->description);
	at = pcapng_put_option(at, IF_TSRESOL, &nanoseconds, sizeof(nanoseconds));
	at = pcapng_put_filter(at, interface->filter);
	pcapng_commit(file, pcapng_put_end(at), header.block.size);
	return 0;
}

int
pcapng_begin(struct capture_file *file, const struct capture_section *section, struct err *e)
{
	unsigned int i;
	int rc = pcapng_put_section(file, section);

	for (i = 0; rc == 0 && i < section->n_interfaces; i++)
		rc = pcapng_put_interface(file, &section->interfaces[i]);
	return rc;
}

static uint8_t *
pcapng_put_flags(uint8_t *at, enum capture_direction direction)
{
	const struct option_flags option = { .code = EPB_FLAGS,
		.length = sizeof(option.flags),
		.flags = direction == CAPTURE_RECEIVED ? 1 : 2 };

	memcpy(at, &option, sizeof(option));
	return at + sizeof(option);
}

static uint8_t *
pcapng_put_origin(uint8_t *at, const struct capture_origin *origin)
{
	const struct option_origin option = { .drop_code = EPB_DROPCOUNT,
		.drop_length = sizeof(option.n_dropped),
		.n_dropped = origin->n_dropped,
		.id_code = EPB_PACKETID,
		.id_length = sizeof(option.packet_id),
		.packet_id = origin->packet_id,
		.queue_code = EPB_QUEUE,
		.queue_length = sizeof(option.queue),
		.queue = origin->queue };

	memcpy(at, &option, sizeof(option));
	return at + sizeof(option);
}

static size_t
pcapng_comment_length(const struct capture_packet *packet)
{
	if (packet->comment == NULL || packet->comment_length == 0)
		return pcapng_text_length(packet->comment);
	return pcapng_cut(packet->comment, packet->comment_length);
}

static size_t
pcapng_packet_options_size(const struct capture_packet *packet, size_t comment_length)
{
	size_t size = pcapng_option_size(comment_length);

	if (packet->direction != CAPTURE_ANY_DIRECTION)
		size += sizeof(struct option_flags);
	if (packet->origin != NULL)
		size += sizeof(struct option_origin);
	return size == 0 ? 0 : size + OPTION_HEADER;
}

static uint8_t *
pcapng_put_packet_options(uint8_t *at, const struct capture_packet *packet, size_t comment_length)
{
	if (comment_length != 0)
		at = pcapng_put_option(at, OPTION_COMMENT, packet->comment, comment_length);
	if (packet->direction != CAPTURE_ANY_DIRECTION)
		at = pcapng_put_flags(at, packet->direction);
	if (packet->origin != NULL)
		at = pcapng_put_origin(at, packet->origin);
	return pcapng_put_end(at);
}

static uint8_t *
pcapng_put_data(uint8_t *at, const struct capture_packet *packet, size_t padded)
{
	if (padded != packet->length)
		memset(at + padded - 4, 0, 4);
	if (packet->length != 0)
		memcpy(at, packet->data, packet->length);
	return at + padded;
}

int
pcapng_write(struct capture_file *file, const struct capture_packet *packet)
{
	struct block_packet header = { .block.type = BLOCK_PACKET,
		.interface = packet->interface,
		.time_high = (uint32_t)(packet->time_ns >> 32),
		.time_low = (uint32_t)packet->time_ns,
		.length = packet->length,
		.wire_length = packet->wire_length };
	size_t data_size = pcapng_pad(packet->length);
	size_t comment_length = pcapng_comment_length(packet);
	size_t options_size = pcapng_packet_options_size(packet, comment_length);
	size_t size = sizeof(header) + data_size + options_size + sizeof(uint32_t);
	uint8_t *at;
	int rc = capture_file_reserve(file, size, &at);

	if (rc != 0)
		return rc;
	header.block.size = (uint32_t)size;
	memcpy(at, &header, sizeof(header));
	at = pcapng_put_data(at + sizeof(header), packet, data_size);
	if (options_size != 0)
		at = pcapng_put_packet_options(at, packet, comment_length);
	pcapng_commit(file, at, header.block.size);
	return 0;
}

int
pcapng_write_statistics(
	struct capture_file *file, unsigned int interface, uint64_t received, uint64_t dropped)
{
	struct block_statistics header = { .block.type = BLOCK_STATISTICS,
		.interface = interface,
		.time_high = (uint32_t)(file->newest_ns >> 32),
		.time_low = (uint32_t)file->newest_ns };
	size_t size = sizeof(header) + 2 * (OPTION_HEADER + sizeof(uint64_t)) + OPTION_HEADER +
		      sizeof(uint32_t);
	uint8_t *at;
	int rc = capture_file_reserve(file, size, &at);

	if (rc != 0)
		return rc;
	header.block.size = (uint32_t)size;
	memcpy(at, &header, sizeof(header));
	at = pcapng_put_option(at + sizeof(header), ISB_IFRECV, &received, sizeof(received));
	at = pcapng_put_option(at, ISB_IFDROP, &dropped, sizeof(dropped));
	pcapng_commit(file, pcapng_put_end(at), header.block.size);
	return 0;
}

size_t
pcapng_block_size(const struct capture_file *file, size_t offset, bool *is_packet)
{
	struct block header;

	memcpy(&header, file->buffer + offset, sizeof(header));
	*is_packet = header.type == BLOCK_PACKET;
	return header.size;
}
