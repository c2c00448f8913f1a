/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the checks of the doctor share: an examination, findings, and reading below its root.
 * Threads: one per examination.
 */
#pragma once

#include "doctor/doctor.h"

#include <stdbool.h>
#include <sys/stat.h>

#define DOCTOR_TEXT_SIZE 1024 /* of a file of /sys or /proc; what is longer is cut */
#define DOCTOR_PATH_SIZE 512
#define DOCTOR_LIST_SIZE 96 /* of a list of cores */

struct doctor {
	const struct doctor_options *options;
	struct doctor_report *report;
	char file[DOCTOR_PATH_SIZE]; /* of the settings, for a shell */
	bool is_out_of_memory;
};

/* Add a finding; "" as subject is the machine. `why` belongs to the check. Returns it for
 * doctor_mend(), or NULL (no memory), which that allows. */
struct doctor_finding *doctor_say(struct doctor *d, enum doctor_state state, const char *check,
	const char *subject, const char *why, const char *format, ...)
	__attribute__((format(printf, 6, 7)));
void doctor_mend(struct doctor_finding *f, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Paths below the root: "/sys/..." made by the format. */
bool doctor_exists(const struct doctor *d, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The first line without its newline; "" and false when there is none. */
bool doctor_text(const struct doctor *d, char text[DOCTOR_TEXT_SIZE], const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A decimal number on the first line and nothing else. */
bool doctor_number(const struct doctor *d, int64_t *out, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Last part of what a symbolic link says. */
bool doctor_link(const struct doctor *d, char text[DOCTOR_TEXT_SIZE], const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The NUMA node of a core, -1 = not known. */
int doctor_core_node(const struct doctor *d, unsigned int core);

/* The path of `path` below the root. */
const char *doctor_path(const struct doctor *d, const char *path, char out[DOCTOR_PATH_SIZE]);

/* Up to `n` cores of a list of the kernel's, as a list; core 0 is left to others if it can be.
 * Returns `out`. */
const char *doctor_pick_cores(const char *list, unsigned int n, char out[DOCTOR_LIST_SIZE]);

/* `text` as one word of a shell: in single quotes unless it needs none. Returns `out`. */
const char *doctor_quote(const char *text, char out[DOCTOR_PATH_SIZE]);

/* The kernel's interface of a vdev's arguments: to `name`, false = it has none. */
bool doctor_vdev_interface(const struct settings *settings, const char *port, char name[16]);

static inline bool
doctor_is_pci(const char *port)
{
	return __builtin_strchr(port, ':') != NULL;
}

/* The checks. */
void doctor_check_hugepages(struct doctor *d);
void doctor_check_cores(struct doctor *d);
void doctor_check_iommu(struct doctor *d);
void doctor_check_ports(struct doctor *d);
void doctor_check_clock(struct doctor *d);
void doctor_check_disk(struct doctor *d);
void doctor_check_files(struct doctor *d);
void doctor_check_people(struct doctor *d);
