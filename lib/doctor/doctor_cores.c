/* SPDX-License-Identifier: BSD-3-Clause */
/* The cores of the workers: there, isolated, at full speed, near the ports. */
#include "doctor_impl.h"

#include <stdio.h>
#include <string.h>

#define LIST_SIZE DOCTOR_LIST_SIZE

typedef bool core_is_fn(const struct doctor *d, unsigned int core);

/* "2,3": those of the workers' cores of which `is` says `wanted`. Returns how many. */
static unsigned int
list_cores(const struct doctor *d, core_is_fn *is, bool wanted, char list[LIST_SIZE])
{
	const struct settings *s = d->options->settings;
	unsigned int i, n = 0;
	size_t at = 0;

	list[0] = '\0';
	for (i = 0; i < s->n_cores; i++) {
		if (is(d, s->cores[i]) != wanted)
			continue;
		if (at < LIST_SIZE)
			at += (size_t)snprintf(
				list + at, LIST_SIZE - at, "%s%u", n > 0 ? "," : "", s->cores[i]);
		n++;
	}
	return n;
}

static bool
any_core(const struct doctor *d, unsigned int core)
{
	(void)d;
	(void)core;
	return true;
}

static bool
is_online(const struct doctor *d, unsigned int core)
{
	char list[DOCTOR_TEXT_SIZE];

	return doctor_text(d, list, "/sys/devices/system/cpu/online") &&
	       doctor_list_has(list, core);
}

static bool
is_isolated(const struct doctor *d, unsigned int core)
{
	char list[DOCTOR_TEXT_SIZE];

	return doctor_text(d, list, "/sys/devices/system/cpu/isolated") &&
	       doctor_list_has(list, core);
}

static bool
has_governor(const struct doctor *d, unsigned int core)
{
	char text[DOCTOR_TEXT_SIZE];

	return doctor_text(d, text, "/sys/devices/system/cpu/cpu%u/cpufreq/scaling_governor", core);
}

static bool
is_fast(const struct doctor *d, unsigned int core)
{
	char text[DOCTOR_TEXT_SIZE];

	return doctor_text(
		       d, text, "/sys/devices/system/cpu/cpu%u/cpufreq/scaling_governor", core) &&
	       strcmp(text, "performance") == 0;
}

static void
check_online(struct doctor *d, const char *all)
{
	static const char why[] =
		"a worker is bound to its core; the daemon does not start without";
	char missing[LIST_SIZE], picked[LIST_SIZE], text[DOCTOR_TEXT_SIZE];

	if (!doctor_text(d, text, "/sys/devices/system/cpu/online"))
		doctor_say(d, DOCTOR_UNKNOWN, "cores", all, why, "the kernel does not say");
	else if (list_cores(d, is_online, false, missing) == 0)
		doctor_say(d, DOCTOR_OK, "cores", all, why, "all are there");
	else
		doctor_mend(doctor_say(d, DOCTOR_FAIL, "cores", missing, why,
				    "not there: this machine has %.64s", text),
			"sed -i 's/^cores *=.*/cores = %s/' %s",
			doctor_pick_cores(text, d->options->settings->n_cores, picked), d->file);
}

static void
check_isolated(struct doctor *d, const char *all)
{
	static const char why[] =
		"whatever else the kernel runs on a worker's core makes frames wait, "
		"and be lost when the receive queue is full";
	char others[LIST_SIZE];

	if (!doctor_exists(d, "/sys/devices/system/cpu/isolated"))
		doctor_say(d, DOCTOR_UNKNOWN, "isolated", all, why, "the kernel does not say");
	else if (list_cores(d, is_isolated, false, others) == 0)
		doctor_say(d, DOCTOR_OK, "isolated", all, why, "kept free of other work");
	else
		doctor_mend(doctor_say(d, DOCTOR_WARN, "isolated", others, why,
				    "the kernel schedules other work there"),
			"sed -i 's/^GRUB_CMDLINE_LINUX=\"/&isolcpus=%s nohz_full=%s rcu_nocbs=%s "
			"/' /etc/default/grub && update-grub && reboot",
			all, all, all);
}

static void
check_governor(struct doctor *d, const char *all)
{
	static const char why[] =
		"a core that is clocked down when little happens is slow when much "
		"begins to";
	char slow[LIST_SIZE], known[LIST_SIZE];

	if (list_cores(d, has_governor, true, known) == 0)
		doctor_say(d, DOCTOR_UNKNOWN, "governor", all, why,
			"no frequency control is visible (usual in a virtual machine)");
	else if (list_cores(d, is_fast, false, slow) == 0)
		doctor_say(d, DOCTOR_OK, "governor", all, why, "performance");
	else
		doctor_mend(
			doctor_say(d, DOCTOR_WARN, "governor", slow, why, "not set to performance"),
			"cpupower -c %s frequency-set -g performance", slow);
}

void
doctor_check_cores(struct doctor *d)
{
	char all[LIST_SIZE];

	list_cores(d, any_core, true, all);
	check_online(d, all);
	check_isolated(d, all);
	check_governor(d, all);
}
