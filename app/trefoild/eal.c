/* SPDX-License-Identifier: BSD-3-Clause */
/* EAL arguments. The main lcore is number 0 of the map, workers follow in the order of `cores`. */
#include "eal.h"

#include <errno.h>
#include <glob.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdbool.h>
#include <string.h>
#include <sys/sysinfo.h>

#define ARGS_MAX    128
#define VIRTIO_USER "net_virtio_user"

static bool is_started;

struct args {
	unsigned int n;
	char *items[ARGS_MAX];
};

static void args_add(struct args *args, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void
args_add(struct args *args, const char *format, ...)
{
	va_list list;

	if (args->n == ARGS_MAX - 1)
		return;
	va_start(list, format);
	if (vasprintf(&args->items[args->n], format, list) >= 0)
		args->n++;
	va_end(list);
}

/* Free huge pages of any size, summed over /sys. */
static unsigned long
free_hugepages(void)
{
	unsigned long n, total = 0;
	glob_t found;
	size_t i;

	if (glob("/sys/kernel/mm/hugepages/hugepages-*/free_hugepages", 0, NULL, &found) != 0)
		return 0;
	for (i = 0; i < found.gl_pathc; i++) {
		FILE *f = fopen(found.gl_pathv[i], "re");

		if (f == NULL)
			continue;
		if (fscanf(f, "%lu", &n) == 1)
			total += n;
		fclose(f);
	}
	globfree(&found);
	return total;
}

/* "0@(0,1,3),1@2,2@4": lcore 0 floats on what the process inherited, the rest are pinned. */
static int
lcore_map(const struct settings *settings, char *buf, size_t size, struct err *e)
{
	unsigned int i, n_cpus = 0;
	size_t at;
	cpu_set_t inherited;

	if (sched_getaffinity(0, sizeof(inherited), &inherited) != 0)
		return err_set_code(e, errno, NULL, 0, "[eal] cores", "cannot read the CPU set");
	at = (size_t)snprintf(buf, size, "0@(");
	for (i = 0; i < CPU_SETSIZE && at < size; i++)
		if (CPU_ISSET(i, &inherited))
			at += (size_t)snprintf(buf + at, size - at, "%s%u", n_cpus++ ? "," : "", i);
	at += (size_t)snprintf(buf + at, size - at, ")");
	for (i = 0; i < settings->n_cores && at < size; i++) {
		if (settings->cores[i] >= CPU_SETSIZE || !CPU_ISSET(settings->cores[i], &inherited))
			return err_set(e, NULL, 0, "[eal] cores",
				"core %u is not there (or not allowed: see taskset -p)",
				settings->cores[i]);
		at += (size_t)snprintf(buf + at, size - at, ",%u@%u", i + 1, settings->cores[i]);
	}
	return at < size ? 0 : err_set(e, NULL, 0, "[eal] cores", "too many cores");
}

static bool
has_pci_port(const struct settings *settings)
{
	unsigned int i;

	for (i = 0; i < settings->n_wires; i++)
		if (strchr(settings->wires[i].inside, ':') != NULL ||
			strchr(settings->wires[i].outside, ':') != NULL)
			return true;
	return false;
}

/* virtio-user shows its memory to the other side as at most eight files. */
static bool
has_virtio_user(const struct settings *settings)
{
	unsigned int i;

	for (i = 0; i < settings->n_vdevs; i++)
		if (strncmp(settings->vdevs[i], VIRTIO_USER, strlen(VIRTIO_USER)) == 0)
			return true;
	return false;
}

static void
add_memory(struct args *args, const struct settings *settings)
{
	args_add(args, "-m");
	args_add(args, "%u", settings->memory_mb);
	if (settings->hugepages) {
		args_add(args, "--in-memory");
		if (has_virtio_user(settings))
			args_add(args, "--single-file-segments");
		return;
	}
	args_add(args, "--no-huge");
	args_add(args, "--no-shconf");
}

static void
add_devices(struct args *args, const struct settings *settings)
{
	unsigned int i;

	if (!has_pci_port(settings))
		args_add(args, "--no-pci");
	for (i = 0; i < settings->n_wires; i++) {
		if (strchr(settings->wires[i].inside, ':') != NULL)
			args_add(args, "--allow=%s", settings->wires[i].inside);
		if (strchr(settings->wires[i].outside, ':') != NULL)
			args_add(args, "--allow=%s", settings->wires[i].outside);
	}
	for (i = 0; i < settings->n_vdevs; i++)
		args_add(args, "--vdev=%s", settings->vdevs[i]);
}

/* EAL would try to get it, page by page, until the kernel kills it. */
static int
check_memory(const struct settings *settings, struct err *e)
{
	struct sysinfo info;
	uint64_t mb;

	if (sysinfo(&info) != 0)
		return 0;
	mb = ((uint64_t)info.totalram * info.mem_unit) >> 20;
	if (settings->memory_mb < mb)
		return 0;
	return err_set(e, NULL, 0, "[eal] memory_mb", "%u, but this machine has only %llu MB",
		settings->memory_mb, (unsigned long long)mb);
}

int
eal_start(const struct settings *settings, struct err *e)
{
	static struct args args; /* lives as long as the process: EAL keeps pointers to its items */
	char *argv[ARGS_MAX];    /* and reorders this */
	char map[4096];

	if (settings->hugepages && free_hugepages() == 0)
		return err_set_code(e, ENOMEM, NULL, 0, "[eal] hugepages",
			"no free huge pages: sysctl vm.nr_hugepages=%u, or set hugepages = no",
			settings->memory_mb / 2);
	if (check_memory(settings, e) != 0)
		return -EINVAL;
	if (lcore_map(settings, map, sizeof(map), e) != 0)
		return -EINVAL;
	args_add(&args, "trefoild");
	args_add(&args, "--lcores=%s", map);
	args_add(&args, "--main-lcore=0");
	if (settings->telemetry)
		args_add(&args, "--file-prefix=trefoil");
	else
		args_add(&args, "--no-telemetry");
	args_add(&args, "--log-level=*:warning");
	add_memory(&args, settings);
	add_devices(&args, settings);
	memcpy(argv, args.items, sizeof(argv));
	is_started = rte_eal_init((int)args.n, argv) >= 0;
	if (is_started)
		return 0;
	return err_set_code(e, rte_errno, NULL, 0, "[eal]", "DPDK did not start: %s%s",
		strerror(rte_errno),
		rte_errno == EACCES || rte_errno == EPERM ? " (run as root, or give it the "
							    "capabilities that its ports need)"
							  : " (its own messages are above)");
}

void
eal_stop(void)
{
	if (is_started)
		rte_eal_cleanup();
}
