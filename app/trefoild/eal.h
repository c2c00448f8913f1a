/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * eal: starts DPDK's environment with what trefoild.ini says, and checks first what usually is wrong.
 * Threads: control thread, once.
 */
#pragma once

#include "base/err.h"
#include "settings/settings.h"

/* rte_eal_init(). The main lcore floats on the cores the process inherited; every core of
 * [eal] cores becomes one worker lcore. Returns 0 or -errno, `e` says what to do. */
int eal_start(const struct settings *settings, struct err *e);

/* Nothing to do where it did not start. */
void eal_stop(void);
