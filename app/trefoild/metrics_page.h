/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * metrics_page: what monitoring sees of the daemon, made of the same answers that trefoilctl gets.
 * Threads: control thread.
 */
#pragma once

#include "daemon.h"
#include "metrics/metrics.h"
#include "metrics/metrics_top.h"

/* All metrics, to be freed by the caller. `asns` remembers which ASNs have series of their own.
 * NULL + ENOMEM. */
char *metrics_page(
	struct daemon *d, struct metrics_top *asns, enum metrics_format format, size_t *size);

/* Does a ruleset judge, and does every worker move? `text` gets a line that says so, and a line per
 * alarm. */
bool metrics_health(const struct daemon *d, char *text, size_t size);
