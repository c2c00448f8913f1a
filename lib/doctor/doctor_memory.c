/* SPDX-License-Identifier: BSD-3-Clause */
/* Hugepages: of the machine, and of the NUMA nodes where ports are. */
#include "doctor_impl.h"

#include <stdio.h>

static const unsigned int sizes_kb[] = { 2048, 1048576, 64, 32768, 524288, 16384 };

struct pages {
	uint64_t total_mb, free_mb;
	bool is_known;
};

/* `where` is a directory with hugepages-NkB below it. */
static struct pages
count_pages(const struct doctor *d, const char *where)
{
	struct pages p = { .is_known = false };
	int64_t total, unused;
	size_t i;

	for (i = 0; i < sizeof(sizes_kb) / sizeof(sizes_kb[0]); i++) {
		if (!doctor_number(
			    d, &total, "%s/hugepages-%ukB/nr_hugepages", where, sizes_kb[i]) ||
			!doctor_number(d, &unused, "%s/hugepages-%ukB/free_hugepages", where,
				sizes_kb[i]) ||
			total < 0 || unused < 0 || total > INT32_MAX || unused > total)
			continue;
		p.is_known = true;
		p.total_mb += (uint64_t)total * sizes_kb[i] / 1024;
		p.free_mb += (uint64_t)unused * sizes_kb[i] / 1024;
	}
	return p;
}

static void
mend_pages(struct doctor_finding *f, uint64_t wanted_mb)
{
	doctor_mend(f,
		"echo vm.nr_hugepages=%llu >/etc/sysctl.d/90-trefoil.conf && sysctl --system",
		(unsigned long long)(wanted_mb + 1) / 2);
}

/* The memory of a port's frames lies on its node. */
static void
check_node(struct doctor *d, int node)
{
	static const char why[] = "frames lie in memory of the port's NUMA node; memory of another "
				  "one costs each frame a way between the sockets";
	const struct settings *s = d->options->settings;
	char where[96], subject[32];
	struct doctor_finding *f;
	struct pages p;

	snprintf(where, sizeof(where), "/sys/devices/system/node/node%d/hugepages", node);
	snprintf(subject, sizeof(subject), "NUMA node %d", node);
	p = count_pages(d, where);
	if (!p.is_known) {
		doctor_say(d, DOCTOR_UNKNOWN, "numa-memory", subject, why,
			"the kernel does not say how many hugepages it has");
		return;
	}
	f = doctor_say(d, p.free_mb > 0 || p.total_mb >= s->memory_mb ? DOCTOR_OK : DOCTOR_FAIL,
		"numa-memory", subject, why, "%llu MB of hugepages, %llu MB free",
		(unsigned long long)p.total_mb, (unsigned long long)p.free_mb);
	if (f != NULL && f->state == DOCTOR_FAIL)
		doctor_mend(f,
			"echo %u >/sys/devices/system/node/node%d/hugepages/"
			"hugepages-2048kB/nr_hugepages",
			(s->memory_mb + 1) / 2, node);
}

static void
check_nodes(struct doctor *d)
{
	const struct settings *s = d->options->settings;
	uint64_t seen = 0;
	unsigned int i;

	for (i = 0; i < 2 * s->n_wires; i++) {
		const char *port = i % 2 == 0 ? s->wires[i / 2].inside : s->wires[i / 2].outside;
		int64_t node;

		if (!doctor_is_pci(port) ||
			!doctor_number(d, &node, "/sys/bus/pci/devices/%s/numa_node", port) ||
			node < 0 || node > 63 || (seen >> node & 1) != 0)
			continue;
		seen |= UINT64_C(1) << node;
		check_node(d, (int)node);
	}
}

void
doctor_check_hugepages(struct doctor *d)
{
	static const char why[] =
		"without them each frame costs more misses of the TLB, and ports on "
		"real NICs do not start";
	const struct settings *s = d->options->settings;
	struct pages p = count_pages(d, "/sys/kernel/mm/hugepages");
	enum doctor_state state = DOCTOR_OK;

	if (!s->hugepages) {
		doctor_mend(doctor_say(d, DOCTOR_WARN, "hugepages", "", why,
				    "trefoild.ini does without them: hugepages = no"),
			"sed -i 's/^hugepages *=.*/hugepages = yes/' %s", d->file);
		return;
	}
	if (!p.is_known) {
		mend_pages(doctor_say(d, DOCTOR_FAIL, "hugepages", "", why,
				   "the kernel has none: /sys/kernel/mm/hugepages shows no number"),
			s->memory_mb);
		return;
	}
	if (p.free_mb < s->memory_mb)
		state = p.total_mb < s->memory_mb ? DOCTOR_FAIL : DOCTOR_WARN;
	mend_pages(
		doctor_say(d, state, "hugepages", "", why,
			"%llu MB, %llu MB free; memory_mb = %u%s", (unsigned long long)p.total_mb,
			(unsigned long long)p.free_mb, s->memory_mb,
			state == DOCTOR_WARN ? " (a running daemon has the rest)" : ""),
		s->memory_mb);
	if (state == DOCTOR_OK && d->report->n > 0)
		d->report->items[d->report->n - 1].mend[0] = '\0';
	check_nodes(d);
}
