/* SPDX-License-Identifier: BSD-3-Clause */
/* offline: what a 5-tuple becomes is what the walker understands; captures' link types and long
 * frames. */
#include "packet/offline.h"

#include "suite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define N(array) (sizeof(array) / sizeof((array)[0]))

static struct ip_addr
address(const char *text)
{
	struct ip_addr ip = { .version = 0 };

	CU_ASSERT_EQUAL_FATAL(ip_parse(text, &ip), 0);
	return ip;
}

static void
parse(const uint8_t *data, uint32_t length, struct packet_info *info)
{
	struct rte_mbuf segments[OFFLINE_SEGMENTS_MAX];
	static struct limits limits;

	limits_init(&limits);
	offline_wrap(data, length, segments);
	CU_ASSERT_EQUAL(segments[0].pkt_len, length);
	packet_parse(segments, length, PACKET_LINK_ETHERNET, &limits, PACKET_DESTINATIONS, info);
}

static void
test_tuples_are_understood(void)
{
	static const struct {
		const char *protocol, *source, *destination, *layers;
		uint16_t port;
		reason_t reason;
	} cases[] = {
		{ "tcp", "192.0.2.1", "20.1.0.1", "eth/ipv4/tcp", 443, REASON_NONE },
		{ "udp", "192.0.2.1", "20.1.0.1", "eth/ipv4/udp", 53, REASON_NONE },
		{ "sctp", "192.0.2.1", "20.1.0.1", "eth/ipv4/sctp", 9, REASON_NONE },
		{ "icmp", "192.0.2.1", "20.1.0.1", "eth/ipv4/icmp", 0, REASON_NONE },
		{ "esp", "192.0.2.1", "20.1.0.1", "eth/ipv4/esp", 0, REASON_NONE },
		{ "tcp", "2001:db8::1", "2a01::1", "eth/ipv6/tcp", 443, REASON_NONE },
		{ "udp", "2001:db8::1", "2a01::1", "eth/ipv6/udp", 53, REASON_NONE },
		{ "icmp", "2001:db8::1", "2a01::1", "eth/ipv6/icmpv6", 0, REASON_NONE },
		{ "udp", "192.0.2.1", "20.1.0.1", "eth/ipv4/udp/opaque", 51820, REASON_NONE },
		{ "tcp", "2001:db8::1", "::ffff:20.1.0.1", "eth/ipv6", 9, REASON_MAPPED_ADDRESS },
	};
	uint8_t frame[OFFLINE_TUPLE_MAX];
	struct packet_info info;
	char layers[256];
	size_t i;

	for (i = 0; i < N(cases); i++) {
		struct offline_tuple t = { address(cases[i].source), address(cases[i].destination),
			0, 40000, cases[i].port };
		int length;

		CU_ASSERT_EQUAL_FATAL(
			offline_protocol(cases[i].protocol, t.source.version, &t.protocol), 0);
		length = offline_frame(&t, frame);
		CU_ASSERT_TRUE_FATAL(length > 0 && length <= OFFLINE_TUPLE_MAX);
		parse(frame, (uint32_t)length, &info);
		CU_ASSERT_EQUAL(info.reason, cases[i].reason);
		CU_ASSERT_STRING_EQUAL(
			packet_layers_format(&info, layers, sizeof(layers)), cases[i].layers);
		CU_ASSERT_TRUE(info.outer_source.value == t.source.value);
		if (info.reason == REASON_NONE) {
			CU_ASSERT_EQUAL_FATAL(info.n_addresses, 1);
			CU_ASSERT_TRUE(info.addresses[0].value == t.destination.value);
		}
	}
}

static void
test_impossible_tuples_are_refused(void)
{
	uint8_t frame[OFFLINE_TUPLE_MAX], protocol = 99;
	struct offline_tuple t = { address("192.0.2.1"), address("2a01::1"), 6, 1, 2 };

	CU_ASSERT_EQUAL(offline_frame(&t, frame), -EINVAL);
	t.source = address("2001:db8::1");
	t.protocol = 47;
	CU_ASSERT_EQUAL(offline_frame(&t, frame), -EINVAL);
	CU_ASSERT_EQUAL(offline_protocol("gre", 4, &protocol), -EINVAL);
	CU_ASSERT_EQUAL(offline_protocol("", 4, &protocol), -EINVAL);
	CU_ASSERT_EQUAL(protocol, 99);
}

static void
test_link_types(void)
{
	enum packet_link link = PACKET_LINK_SLL;

	CU_ASSERT_EQUAL(offline_link(1, &link), 0);
	CU_ASSERT_EQUAL(link, PACKET_LINK_ETHERNET);
	CU_ASSERT_EQUAL(offline_link(276, &link), 0);
	CU_ASSERT_EQUAL(link, PACKET_LINK_SLL2);
	CU_ASSERT_EQUAL(offline_link(147, &link), -EINVAL);
	CU_ASSERT_EQUAL(link, PACKET_LINK_SLL2);
}

static void
test_long_frames_are_whole(void)
{
	static const uint32_t lengths[] = { 0, 1, UINT16_MAX, UINT16_MAX + 1u, OFFLINE_LENGTH_MAX };
	uint8_t *data = calloc(1, OFFLINE_LENGTH_MAX);
	struct rte_mbuf segments[OFFLINE_SEGMENTS_MAX];
	const struct rte_mbuf *m;
	uint32_t sum;
	size_t i;

	CU_ASSERT_PTR_NOT_NULL_FATAL(data);
	for (i = 0; i < N(lengths); i++) {
		offline_wrap(data, lengths[i], segments);
		CU_ASSERT_EQUAL(segments[0].pkt_len, lengths[i]);
		for (m = segments, sum = 0; m != NULL; m = m->next) {
			CU_ASSERT_PTR_EQUAL(m->buf_addr, data + sum);
			sum += m->data_len;
		}
		CU_ASSERT_EQUAL(sum, lengths[i]);
	}
	free(data);
}

SUITE("packet_offline", { "tuples are understood", test_tuples_are_understood },
	{ "impossible tuples are refused", test_impossible_tuples_are_refused },
	{ "link types", test_link_types }, { "long frames are whole", test_long_frames_are_whole })
