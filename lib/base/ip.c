/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses as numbers. Text goes through inet_pton/inet_ntop, whose IPv6 form is RFC 5952's. */
#include "base/ip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void
ip6_to_bytes(ip6_t ip, uint8_t bytes[16])
{
	uint64_t hi = __builtin_bswap64((uint64_t)(ip >> 64));
	uint64_t lo = __builtin_bswap64((uint64_t)ip);

	memcpy(bytes, &hi, 8);
	memcpy(bytes + 8, &lo, 8);
}

ip6_t
ip_max(uint8_t version)
{
	return version == 4 ? (ip6_t)UINT32_MAX : ~(ip6_t)0;
}

int
ip_parse(const char *text, struct ip_addr *out)
{
	uint8_t bytes[16];
	uint32_t ip4_be;

	if (inet_pton(AF_INET, text, &ip4_be) == 1) {
		*out = (struct ip_addr){ .value = ntohl(ip4_be), .version = 4 };
		return 0;
	}
	if (inet_pton(AF_INET6, text, bytes) == 1) {
		*out = (struct ip_addr){ .value = ip6_from_bytes(bytes), .version = 6 };
		return 0;
	}
	return -EINVAL;
}

/* Decimal 0..max without sign, blanks or leading zeros. */
static int
length_parse(const char *text, unsigned int max, unsigned int *out)
{
	char *end;
	unsigned long value;

	if (text[0] < '0' || text[0] > '9' || (text[0] == '0' && text[1] != '\0'))
		return -EINVAL;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (*end != '\0' || errno != 0 || value > max)
		return -EINVAL;
	*out = (unsigned int)value;
	return 0;
}

int
ip_parse_prefix(const char *text, struct ip_range *out)
{
	const char *slash = strchr(text, '/');
	unsigned int bits, length;
	char address[IP_TEXT_SIZE];
	struct ip_addr ip;
	ip6_t host;

	if (slash == NULL || (size_t)(slash - text) >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	if (ip_parse(address, &ip) != 0)
		return -EINVAL;
	bits = ip.version == 4 ? 32 : 128;
	if (length_parse(slash + 1, bits, &length) != 0)
		return -EINVAL;
	host = length == 0 ? ip_max(ip.version) : (((ip6_t)1 << (bits - length)) - 1);
	if (ip.value & host)
		return -EDOM;
	*out = (struct ip_range){
		.first = ip.value, .last = ip.value | host, .version = ip.version
	};
	return 0;
}

const char *
ip4_format(uint32_t ip, char *buf)
{
	uint32_t ip_be = htonl(ip);

	return inet_ntop(AF_INET, &ip_be, buf, IP_TEXT_SIZE);
}

const char *
ip6_format(ip6_t ip, char *buf)
{
	uint8_t bytes[16];

	ip6_to_bytes(ip, bytes);
	return inet_ntop(AF_INET6, bytes, buf, IP_TEXT_SIZE);
}

const char *
ip_format(const struct ip_addr *ip, char *buf)
{
	return ip->version == 4 ? ip4_format((uint32_t)ip->value, buf) : ip6_format(ip->value, buf);
}
