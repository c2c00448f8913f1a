/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * doctor: does this machine have what the settings need? Looks at /sys, /proc and files, runs
 * nothing and changes nothing, but for a probe of the disk that leaves no name behind.
 *
 * Threads: one per report.
 * Units: MB are MiB.
 * Source: kernel documentation of sysfs (ABI/stable, ABI/testing), DPDK's Linux guide.
 */
#pragma once

#include "settings/settings.h"

#include <stddef.h>
#include <stdint.h>

/* From best to worst; what is not known is no better than what is bad for a while. */
enum doctor_state {
	DOCTOR_OK,
	DOCTOR_UNKNOWN, /* cannot be found out here */
	DOCTOR_WARN,    /* works, but slower, or less safe */
	DOCTOR_FAIL,    /* does not work, or is not safe */
};

struct doctor_finding {
	enum doctor_state state;
	char check[24];   /* "hugepages", "driver"...: a word that scripts may rely on */
	char subject[96]; /* port, cores, file; "" = the machine */
	char found[256];  /* what is so; foreign bytes in it are not escaped */
	char why[256];    /* why it matters */
	char mend[512];   /* the command that mends it, "" = nothing to do */
};

enum doctor_clock { DOCTOR_CLOCK_ASK, DOCTOR_CLOCK_SYNCED, DOCTOR_CLOCK_FREE };

struct doctor_options {
	const char *root; /* in front of every path; "" = this machine, else a copy for tests */
	const struct settings *settings;
	const char *settings_path;
	enum doctor_clock clock; /* ASK = the kernel */
	size_t probe_size;       /* bytes written to the evidence's disk; 0 = the default */
};

struct doctor_report {
	struct doctor_finding *items;
	size_t n;
};

/* Look at everything. Returns 0 or -ENOMEM. doctor_free() the report. */
int doctor_examine(const struct doctor_options *options, struct doctor_report *out);
void doctor_free(struct doctor_report *report);

/* "ok", "unknown", "warn", "fail" */
const char *doctor_state_name(enum doctor_state state);

/* The worst of all findings; DOCTOR_OK for none. */
enum doctor_state doctor_worst(const struct doctor_report *report);

/* Is `cpu` in a list of the kernel's such as "0-3,8"? What is no list holds nothing. */
bool doctor_list_has(const char *list, unsigned int cpu);
