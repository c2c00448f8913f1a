/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * settings: what trefoild.ini says, parsed and checked across keys. Nothing here is looked up in
 * the system: whether ports, cores and unix groups exist is found out by who uses them.
 *
 * Threads: immutable once parsed; any number of readers.
 * Units: in the names.
 * Source: the format is trefoild.ini(5).
 */
#pragma once

#include "base/err.h"
#include "base/ini.h"
#include "base/ip.h"
#include "base/schema.h"
#include "mirror/capture_file.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SETTINGS_CORES_MAX 127 /* lcores of DPDK as Debian builds it, less the main one */
#define SETTINGS_CORE_MAX  1023
#define SETTINGS_WIRES_MAX 16
#define SETTINGS_VDEVS_MAX 32
#define SETTINGS_PORT_SIZE 64 /* RTE_ETH_NAME_MAX_LEN */

/* What a worker does while nothing arrives. */
enum settings_idle {
	SETTINGS_IDLE_POLL,
	SETTINGS_IDLE_PAUSE,
	SETTINGS_IDLE_SLEEP,
};

struct settings_wire {
	char name[INI_NAME_MAX + 1];
	char inside[SETTINGS_PORT_SIZE]; /* "0000:3b:00.0" in full, or the name of a vdev */
	char outside[SETTINGS_PORT_SIZE];
	unsigned int line; /* of its header */
	uint16_t queues;   /* per port and direction */
	uint16_t mtu;      /* bytes of a frame without Ethernet header and FCS */
	bool link_propagation;
	unsigned int link_hold_down_ms, link_settle_ms;
};

/* An address of which a new geo table must say this. */
struct settings_canary {
	struct ip_addr ip;
	uint32_t asn;    /* 0 = any */
	char country[3]; /* "" = any */
	unsigned int line;
};

#define SETTINGS_CANARIES_MAX 64

struct settings {
	/* [appliance] */
	char name[64];
	char user[33]; /* "" = stay who started it */
	char state_dir[INI_LINE_MAX + 1];
	char socket[108];
	char geo_table[INI_LINE_MAX + 1];
	char policy[INI_LINE_MAX + 1];
	unsigned int max_geo_age_days;
	/* [eal] */
	uint16_t cores[SETTINGS_CORES_MAX]; /* of the workers, as listed, none twice */
	unsigned int n_cores;
	unsigned int memory_mb;
	unsigned int buffers; /* at least so many, 0 = what the queues need */
	bool hugepages;
	char vdevs[SETTINGS_VDEVS_MAX][INI_LINE_MAX + 1]; /* "net_tap0,iface=in": EAL's arguments */
	unsigned int n_vdevs;
	enum settings_idle idle;
	unsigned int idle_after_us;
	/* [wire NAME], in the order of the file */
	struct settings_wire wires[SETTINGS_WIRES_MAX];
	unsigned int n_wires;
	/* [mirror] */
	char mirror_dir[INI_LINE_MAX + 1]; /* "" = no mirror */
	enum capture_format mirror_format;
	uint32_t mirror_snaplen; /* bytes, 0 = up to the end of the innermost header */
	unsigned int mirror_rotate_mb;
	unsigned int mirror_rotate_s;
	unsigned int mirror_retention_days;         /* 0 = forever */
	uint64_t mirror_max_bytes;                  /* 0 = as much as there is */
	char mirror_filter[INI_LINE_MAX + 1];       /* tcpdump's syntax, "" = all */
	unsigned int mirror_flow_packets;           /* first ones of each flow, 0 = all */
	char mirror_head_command[INI_LINE_MAX + 1]; /* "" = none */
	/* [geo]: what a new table must be */
	struct settings_canary canaries[SETTINGS_CANARIES_MAX];
	unsigned int n_canaries;
	unsigned int geo_min_ranges;
	unsigned int geo_max_space, geo_max_traffic; /* per cent, above which it needs approval */
	/* [metrics] */
	char metrics_listen[64]; /* ADDRESS:PORT, "" = off */
	unsigned int metrics_top_asns;
	bool telemetry;
	/* [access]: unix groups */
	char operators[33];
	char approvers[33]; /* "" = the operators */
	char auditors[33];
	char viewers[33];
	unsigned int approvals;
};

/* The table that trefoild.ini(5) is made of. */
extern const struct schema settings_schema;

/* Parse a whole text; `file` is how errors call it. Returns NULL and sets errno: EINVAL (errors
 * says what), EFBIG, ENOMEM. free() what it returns. */
struct settings *settings_parse(
	const char *text, size_t size, const char *file, struct err_list *errors);

/* Read a file (at most 4 MiB) and parse it. errno also ENOENT, EACCES, EISDIR..., each with an
 * error in `errors`. */
struct settings *settings_load(const char *path, struct err_list *errors);
