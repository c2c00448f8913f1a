/* SPDX-License-Identifier: BSD-3-Clause */
/* Ethernet, VLAN tags, IPv4 or IPv6 with extension headers, ports. Every read is inside `length`. */
#include "mirror/flow_key.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define TAGS_MAX    8u
#define HEADERS_MAX 16u

static uint16_t
read16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static bool
has_ports(uint8_t protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP ||
	       protocol == IPPROTO_UDPLITE || protocol == IPPROTO_DCCP;
}

static void
parse_ports(const uint8_t *data, uint32_t length, uint32_t at, struct flow_key *out)
{
	if (!has_ports(out->protocol) || at > length || length - at < 4)
		return;
	out->source_port = read16(data + at);
	out->destination_port = read16(data + at + 2);
}

static bool
parse4(const uint8_t *data, uint32_t length, uint32_t at, struct flow_key *out)
{
	const uint8_t *ip = data + at;

	if (at > length || length - at < 20 || ip[0] >> 4 != 4)
		return false;
	out->version = 4;
	out->protocol = ip[9];
	memcpy(out->source, ip + 12, 4);
	memcpy(out->destination, ip + 16, 4);
	if ((read16(ip + 6) & 0x1fff) == 0 && (ip[0] & 15u) >= 5)
		parse_ports(data, length, at + 4u * (ip[0] & 15u), out);
	return true;
}

/* Bytes of an extension header; 0 = it is none. */
static uint32_t
extension_size(uint8_t protocol, const uint8_t *header)
{
	switch (protocol) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
		return 8u * (header[1] + 1u);
	case IPPROTO_FRAGMENT:
		return 8;
	case IPPROTO_AH:
		return 4u * (header[1] + 2u);
	default:
		return 0;
	}
}

/* Behind the extension headers; a fragment that is not the first has no ports. */
static void
parse6_chain(const uint8_t *data, uint32_t length, uint32_t at, struct flow_key *out)
{
	unsigned int n;

	for (n = 0; n < HEADERS_MAX && at <= length && length - at >= 8; n++) {
		const uint8_t *header = data + at;
		uint32_t size = extension_size(out->protocol, header);

		if (size == 0)
			break;
		if (out->protocol == IPPROTO_FRAGMENT && (read16(header + 2) & 0xfff8) != 0)
			return;
		at += size;
		out->protocol = header[0];
	}
	parse_ports(data, length, at, out);
}

static bool
parse6(const uint8_t *data, uint32_t length, uint32_t at, struct flow_key *out)
{
	const uint8_t *ip = data + at;

	if (at > length || length - at < 40 || ip[0] >> 4 != 6)
		return false;
	out->version = 6;
	out->protocol = ip[6];
	memcpy(out->source, ip + 8, 16);
	memcpy(out->destination, ip + 24, 16);
	parse6_chain(data, length, at + 40, out);
	return true;
}

bool
flow_key_parse(const uint8_t *data, uint32_t length, struct flow_key *out)
{
	uint32_t at = 12;
	unsigned int n;
	uint16_t type;

	memset(out, 0, sizeof(*out));
	for (n = 0; n <= TAGS_MAX && length >= at + 2; n++) {
		type = read16(data + at);
		if (type == 0x0800)
			return parse4(data, length, at + 2, out);
		if (type == 0x86dd)
			return parse6(data, length, at + 2, out);
		if (type != 0x8100 && type != 0x88a8 && type != 0x9100 && type != 0x9200 &&
			type != 0x9300)
			return false;
		at += 4;
	}
	return false;
}

const char *
flow_key_format(const struct flow_key *key, bool is_source, char buf[FLOW_ADDRESS_SIZE])
{
	const uint8_t *bytes = is_source ? key->source : key->destination;
	unsigned int port = is_source ? key->source_port : key->destination_port;
	char address[INET6_ADDRSTRLEN] = "-";

	if (key->version != 0)
		inet_ntop(key->version == 4 ? AF_INET : AF_INET6, bytes, address, sizeof(address));
	if (port == 0)
		snprintf(buf, FLOW_ADDRESS_SIZE, "%s", address);
	else
		snprintf(buf, FLOW_ADDRESS_SIZE, key->version == 4 ? "%s:%u" : "[%s]:%u", address,
			port);
	return buf;
}
