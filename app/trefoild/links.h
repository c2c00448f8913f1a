/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * links: watches the links and devices of all ports, passes a lost link on to the other port of its
 * wire (propagation.h), and takes devices out of use and into it again as they are unplugged and
 * plugged in (plug.h). Raises events of the kinds "link", "link-held", "link-released",
 * "port-gone", "port-back", and the alarm of links.
 *
 * Threads: control thread; DPDK's interrupt thread only wakes it.
 */
#pragma once

#include "daemon.h"

/* Begin to watch the started ports. Returns 0 or -ENOMEM and such. */
int links_start(struct daemon *d);

/* Stop watching; ports that were taken down are let go. */
void links_stop(struct daemon *d);
