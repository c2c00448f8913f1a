/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_packet_frame: frames written as text, and the checks that every one of them goes through:
 * the walk's answer, the same answer however the frame is cut into segments, no crash however it is
 * cut short or changed, and the burst path's answer where it has one.
 *
 * Text: hex digits, blanks ignored. "{N:" begins a length field of 2 bytes, "}" ends what it
 * counts: the bytes between, plus N.
 */
#pragma once

#include "packet/packet.h"

#include <stddef.h>

struct frame_case {
	const char *what;
	const char *frame;
	/* "reason layers addresses words": addresses in order with commas, * behind a carrier, "-"
	 * for none; words are opaque, source-route, a non-IP protocol. The reason is "none" for a
	 * frame that is understood. */
	const char *want;
	enum packet_judge judge;
	enum packet_link link;
	uint64_t flags;       /* ol_flags of the mbuf */
	uint32_t wire_length; /* 0 = the frame's */
};

/* Bytes of a frame's text. Returns the length; asserts when `size` is too small. */
uint32_t frame_build(const char *text, uint8_t *bytes, size_t size);

/* Check every case in every way. */
void frame_check(const struct limits *limits, const struct frame_case *cases, size_t n);

/* Change bytes of the cases at random, `n_rounds` times, and check what holds for any input. */
void frame_mutate(
	const struct limits *limits, const struct frame_case *cases, size_t n, size_t n_rounds);

/* The defaults. Static. */
const struct limits *frame_limits(void);

/* Headers. `next` and addresses are hex; `payload` is text and what the length counts. */
#define MACS                                     "0200 0000 0001 0200 0000 0002"
#define ETH(type)                                MACS type
#define TAG(type)                                "0064" type
#define D4                                       "cb007105" /* 203.0.113.5 */
#define D4B                                      "cb007106"
#define D4C                                      "cb007107"
#define S4                                       "c6336409" /* 198.51.100.9 */
#define D6                                       "20010db8 00000000 00000000 00000005"
#define D6B                                      "20010db8 00000000 00000000 00000006"
#define S6                                       "20010db8 00000000 00000000 00000009"
#define IP4H(next, fragment)                     "4500 {4: 0000" fragment "40" next "0000" S4
#define IPV4(next, dst, payload)                 IP4H(next, "0000") dst payload "}"
#define IPV4_FRAGMENT(field, next, dst, payload) IP4H(next, field) dst payload "}"
#define IPV6(next, dst, payload)                 "60000000 {-34:" next "40" S6 dst payload "}"
#define TCP                                      "1000 0050 00000001 00000002 5010 0100 0000 0000"
#define UDP(port, payload)                       "c000" port "{6: 0000" payload "}"
#define UDP_FROM(port, payload)                  port "c000 {6: 0000" payload "}"
#define DNS                                      UDP("0035", "01020304")
#define PLAIN4                                   IPV4("06", D4B, TCP)
#define PLAIN6                                   IPV6("06", D6B, TCP)
