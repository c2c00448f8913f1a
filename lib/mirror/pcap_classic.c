/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Classic pcap: libpcap makes the bytes, into a stdio stream whose other end is our buffer, so both
 * formats share one way to write and to fail. pcap_dump() returns nothing: the stream's error flag
 * and what arrived are checked instead.
 */
#include "mirror/capture_file_impl.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>

#define FILE_HEADER_SIZE   24u
#define PACKET_HEADER_SIZE 16u /* seconds, nanoseconds, length, wire length */
#define LINKTYPE_RAW       101 /* the common one that has another number as DLT_ */

static ssize_t
pcap_classic_append(void *cookie, const char *data, size_t size)
{
	struct capture_file *file = cookie;

	if (size > CAPTURE_BUFFER_SIZE - file->used)
		return 0;
	memcpy(file->buffer + file->used, data, size);
	file->used += size;
	return (ssize_t)size;
}

static int
pcap_classic_settings(const struct capture_section *section, int *dlt, int *snaplen, struct err *e)
{
	unsigned int i, link_type = section->interfaces[0].link_type;
	uint32_t longest = 0;

	for (i = 0; i < section->n_interfaces; i++) {
		const struct capture_interface *interface = &section->interfaces[i];

		if (interface->link_type != link_type)
			return err_set(e, NULL, 0, NULL,
				"classic pcap holds one link type, not both %u and %u: use pcapng",
				link_type, interface->link_type);
		if (interface->snaplen == 0 || interface->snaplen > CAPTURE_LENGTH_MAX)
			longest = CAPTURE_LENGTH_MAX;
		else if (interface->snaplen > longest)
			longest = interface->snaplen;
	}
	*dlt = link_type == LINKTYPE_RAW ? DLT_RAW : (int)link_type;
	*snaplen = (int)longest;
	return 0;
}

static int
pcap_classic_open(struct capture_file *file, struct err *e)
{
	static const cookie_io_functions_t functions = { .write = pcap_classic_append };
	FILE *stream = fopencookie(file, "w", functions);

	if (stream == NULL)
		return -errno;
	file->dumper = pcap_dump_fopen(file->pcap, stream);
	if (file->dumper == NULL) {
		fclose(stream);
		return err_set(e, NULL, 0, NULL, "%s: use pcapng", pcap_geterr(file->pcap));
	}
	return 0;
}

int
pcap_classic_begin(struct capture_file *file, const struct capture_section *section, struct err *e)
{
	int dlt = 0, snaplen = 0;
	int rc = pcap_classic_settings(section, &dlt, &snaplen, e);

	if (rc != 0)
		return rc;
	file->pcap = pcap_open_dead_with_tstamp_precision(dlt, snaplen, PCAP_TSTAMP_PRECISION_NANO);
	if (file->pcap == NULL)
		return -ENOMEM;
	rc = pcap_classic_open(file, e);
	if (rc != 0)
		return rc;
	if (pcap_dump_flush(file->dumper) != 0 || file->used != FILE_HEADER_SIZE)
		return -EIO;
	return 0;
}

int
pcap_classic_write(struct capture_file *file, const struct capture_packet *packet)
{
	struct pcap_pkthdr header = { .caplen = packet->length, .len = packet->wire_length };
	pcap_dumper_t *dumper = file->dumper;
	size_t size = PACKET_HEADER_SIZE + packet->length, before;
	uint8_t *at;
	int rc = capture_file_reserve(file, size, &at);

	if (rc != 0)
		return rc;
	before = file->used;
	header.ts.tv_sec = (time_t)(packet->time_ns / 1000000000u);
	header.ts.tv_usec = (suseconds_t)(packet->time_ns % 1000000000u);
	pcap_dump((u_char *)dumper, &header, packet->data);
	if (pcap_dump_flush(dumper) == 0 && !ferror(pcap_dump_file(dumper)) &&
		file->used == before + size)
		return 0;
	clearerr(pcap_dump_file(dumper));
	file->used = before;
	return -EIO;
}

size_t
pcap_classic_block_size(const struct capture_file *file, size_t offset, bool *is_packet)
{
	uint32_t header[PACKET_HEADER_SIZE / sizeof(uint32_t)];

	*is_packet = file->base + offset != 0;
	if (!*is_packet)
		return FILE_HEADER_SIZE;
	memcpy(header, file->buffer + offset, sizeof(header));
	return PACKET_HEADER_SIZE + header[2];
}

void
pcap_classic_fini(struct capture_file *file)
{
	if (file->dumper != NULL)
		pcap_dump_close(file->dumper);
	if (file->pcap != NULL)
		pcap_close(file->pcap);
}
