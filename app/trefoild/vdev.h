/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vdev: virtual ports of [eal] vdev, and what the kernel knows of the interface behind a
 * net_af_packet one while the driver of DPDK 22.11 does not say or do it.
 *
 * Threads: control thread.
 */
#pragma once

#include "base/err.h"
#include "settings/settings.h"

#include <stdbool.h>
#include <stdint.h>

#define VDEV_FRAMESZ_HEADER 128 /* more than net_af_packet's ring keeps in front of a frame */

/* The arguments behind the name of a configured vdev (",iface=eth1..." or ""), NULL = none has it. */
const char *vdev_find(const struct settings *settings, const char *name);

/* The slot size in bytes of a net_af_packet vdev's ring, 0 for other ports. */
unsigned int vdev_framesz(const struct settings *settings, const char *name);

/* The slots of a net_af_packet vdev's ring, whatever number of descriptors it is asked for; 0 for
 * other ports. */
unsigned int vdev_framecnt(const struct settings *settings, const char *name);

/* Why a configured vdev is not there: fills `e` and returns -EPERM or -ENODEV. */
int vdev_explain_missing(const char *name, struct err *e);

/* Is this the name of a vdev on an interface that the kernel keeps: net_af_packet, net_af_xdp? */
bool vdev_is_kernel(const char *name);

/* Can a configured vdev be made: is the interface of its iface= there? True for those without one. */
bool vdev_has_interface(const struct settings *settings, const char *name);

/* Of the kernel's interface behind such a vdev. Returns 0 or -errno. */
int vdev_set_mtu(unsigned int if_index, uint16_t mtu);
int vdev_switch_link(unsigned int if_index, bool is_on);
bool vdev_has_link(unsigned int if_index);
bool vdev_is_switched_on(unsigned int if_index);
bool vdev_is_there(unsigned int if_index);
