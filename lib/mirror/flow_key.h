/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flow_key: the outermost 5-tuple of an Ethernet frame, for records of flows and for keeping the
 * first packets of each. It decides nothing about a frame; the classifier does.
 *
 * Threads: pure functions.
 * Units: ports in host order; IPv4 addresses in the first 4 bytes, network order.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct flow_key {
	uint8_t source[16], destination[16];
	uint16_t source_port, destination_port; /* 0: none, or a fragment without */
	uint8_t version;                        /* 4, 6; 0 = no IP: nothing else is set */
	uint8_t protocol;
	uint16_t zero; /* so that memcmp() compares */
};

/* HOT for the writer: read `length` bytes of a frame, which may be cut. Returns false when there is
 * no IP header, `*out` zero then. */
bool flow_key_parse(const uint8_t *data, uint32_t length, struct flow_key *out);

/* "192.0.2.1:80", "[2001:db8::1]:80", without port when that is 0. Returns `buf`. */
#define FLOW_ADDRESS_SIZE 64
const char *flow_key_format(
	const struct flow_key *key, bool is_source, char buf[FLOW_ADDRESS_SIZE]);
