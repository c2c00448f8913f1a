/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rates: two answers of the daemon's counters, some time apart, as rates.
 * Threads: none shared.
 * Units: bits and packets per second.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

struct rate {
	const char *name; /* of the newer answer, unescaped */
	const char *what; /* more about it, "" = nothing */
	double bits, packets, dropped;
};

/* `*rows` (for free()) with a row for each member of `now`, an object of {packets, bytes, dropped},
 * that counted something, the busiest first. `before` NULL or without the member = 0. `part` NULL =
 * the members themselves, else the one in each that counts. Returns the number of rows; 0 also
 * without memory, `*rows` is NULL then. */
size_t rates_of(
	json_t *now, const json_t *before, double seconds, const char *part, struct rate **rows);

/* Of one {packets, bytes}. */
struct rate rate_of(const json_t *now, const json_t *before, double seconds);

/* "12.3 Mbit/s", "1.2 kp/s": 11 and 9 characters at most. Return `buf`. */
const char *rate_bits(double bits, char *buf, size_t size);
const char *rate_packets(double packets, char *buf, size_t size);
