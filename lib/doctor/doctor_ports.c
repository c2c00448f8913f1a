/* SPDX-License-Identifier: BSD-3-Clause */
/* IOMMU, and of each port: device, driver, NUMA node, MTU, hash. */
#include "doctor_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>

static bool
has_pci(const struct settings *s)
{
	unsigned int i;

	for (i = 0; i < s->n_wires; i++)
		if (doctor_is_pci(s->wires[i].inside) || doctor_is_pci(s->wires[i].outside))
			return true;
	return false;
}

/* Is anything in a directory below the root? */
static bool
has_entries(const struct doctor *d, const char *path)
{
	char full[DOCTOR_PATH_SIZE];
	DIR *directory = opendir(doctor_path(d, path, full));
	const struct dirent *entry;
	bool has = false;

	while (directory != NULL && !has && (entry = readdir(directory)) != NULL)
		has = entry->d_name[0] != '.';
	if (directory != NULL)
		closedir(directory);
	return has;
}

void
doctor_check_iommu(struct doctor *d)
{
	static const char why[] =
		"the IOMMU keeps a NIC, and whoever takes over the daemon, out of the "
		"rest of the memory; vfio-pci needs it";
	char text[DOCTOR_TEXT_SIZE];

	if (!has_pci(d->options->settings)) {
		doctor_say(d, DOCTOR_OK, "iommu", "", why, "no port is a PCI device");
		return;
	}
	if (doctor_text(d, text, "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode") &&
		strcmp(text, "Y") == 0)
		doctor_mend(doctor_say(d, DOCTOR_WARN, "iommu", "", why,
				    "vfio is told to do without (enable_unsafe_noiommu_mode)"),
			"echo 0 >/sys/module/vfio/parameters/enable_unsafe_noiommu_mode");
	else if (!has_entries(d, "/sys/class/iommu"))
		doctor_mend(
			doctor_say(d, DOCTOR_FAIL, "iommu", "", why,
				"the kernel uses none: off in the firmware or on the command line"),
			"sed -i 's/^GRUB_CMDLINE_LINUX=\"/&intel_iommu=on iommu=pt /' "
			"/etc/default/grub && update-grub && reboot   # and VT-d or AMD-Vi on in "
			"the firmware");
	else
		doctor_say(d, DOCTOR_OK, "iommu", "", why, "in use");
	if (doctor_exists(d, "/sys/module/vfio_pci"))
		doctor_say(d, DOCTOR_OK, "vfio", "", why, "vfio-pci is loaded");
	else
		doctor_mend(doctor_say(d, DOCTOR_WARN, "vfio", "", why, "vfio-pci is not loaded"),
			"modprobe vfio-pci && echo vfio-pci >/etc/modules-load.d/trefoil.conf");
}

struct driver {
	const char *name;
	enum doctor_state state;
	const char *what;
};

static const struct driver drivers[] = {
	{ "vfio-pci", DOCTOR_OK, "bound to vfio-pci" },
	{ "mlx5_core", DOCTOR_OK, "mlx5_core, which DPDK shares with the kernel" },
	{ "mlx4_core", DOCTOR_OK, "mlx4_core, which DPDK shares with the kernel" },
	{ "mana", DOCTOR_OK, "mana, which DPDK shares with the kernel" },
	{ "uio_pci_generic", DOCTOR_WARN, "bound to uio_pci_generic: no IOMMU bounds it" },
	{ "igb_uio", DOCTOR_WARN, "bound to igb_uio: no IOMMU bounds it" },
};

static void
check_driver(struct doctor *d, const char *port)
{
	static const char why[] =
		"a port that the kernel has is none for the daemon, which does not "
		"start then";
	char text[DOCTOR_TEXT_SIZE];
	struct doctor_finding *f;
	size_t i;

	if (!doctor_exists(d, "/sys/bus/pci/devices/%s", port)) {
		doctor_mend(
			doctor_say(d, DOCTOR_FAIL, "driver", port, why, "there is no such device"),
			"lspci -D | grep -i ethernet   # and name one of these in [wire]");
		return;
	}
	if (!doctor_link(d, text, "/sys/bus/pci/devices/%s/driver", port))
		snprintf(text, sizeof(text), "no driver");
	for (i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		if (strcmp(text, drivers[i].name) == 0)
			break;
	if (i < sizeof(drivers) / sizeof(drivers[0]))
		f = doctor_say(d, drivers[i].state, "driver", port, why, "%s", drivers[i].what);
	else
		f = doctor_say(d, DOCTOR_FAIL, "driver", port, why, "bound to %.64s", text);
	if (f != NULL && f->state != DOCTOR_OK)
		doctor_mend(f, "dpdk-devbind.py --bind=vfio-pci %s", port);
}

static void
check_numa(struct doctor *d, const char *port)
{
	static const char why[] =
		"a worker on another socket than the port pays for each frame with a "
		"way between them";
	const struct settings *s = d->options->settings;
	char list[DOCTOR_TEXT_SIZE], picked[DOCTOR_LIST_SIZE];
	unsigned int i, n_far = 0;
	int64_t node;

	if (!doctor_number(d, &node, "/sys/bus/pci/devices/%s/numa_node", port) || node < 0) {
		doctor_say(d, DOCTOR_UNKNOWN, "numa", port, why,
			"the firmware does not say which node it is at (one socket: no matter)");
		return;
	}
	for (i = 0; i < s->n_cores; i++)
		n_far += doctor_core_node(d, s->cores[i]) != node;
	if (n_far == 0) {
		doctor_say(
			d, DOCTOR_OK, "numa", port, why, "on node %d, as all cores are", (int)node);
		return;
	}
	(void)doctor_text(d, list, "/sys/devices/system/node/node%d/cpulist", (int)node);
	doctor_mend(doctor_say(d, DOCTOR_WARN, "numa", port, why,
			    "on node %d, but %u of %u cores are not", (int)node, n_far, s->n_cores),
		"sed -i 's/^cores *=.*/cores = %s/' %s",
		doctor_pick_cores(list, s->n_cores, picked), d->file);
}

/* Vendors whose NICs are known to take the daemon's symmetric key. */
static bool
takes_key(const struct doctor *d, const char *port)
{
	char vendor[DOCTOR_TEXT_SIZE];

	return doctor_text(d, vendor, "/sys/bus/pci/devices/%s/vendor", port) &&
	       (strcmp(vendor, "0x8086") == 0 || strcmp(vendor, "0x15b3") == 0);
}

static void
check_rss(struct doctor *d, const char *port, const struct settings_wire *wire)
{
	static const char why[] =
		"both directions of a flow come to one worker only if the port hashes "
		"them alike; only accounting and order across queues suffer";
	char name[16];

	if (wire->queues == 1)
		doctor_say(d, DOCTOR_OK, "rss", port, why, "one queue: nothing is hashed");
	else if (doctor_is_pci(port) && takes_key(d, port))
		doctor_say(d, DOCTOR_OK, "rss", port, why,
			"a NIC that takes the symmetric key which the daemon sets");
	else if (!doctor_is_pci(port) && doctor_vdev_interface(d->options->settings, port, name) &&
		 strncmp(port, "net_af_packet", 13) == 0)
		doctor_say(d, DOCTOR_OK, "rss", port, why, "the kernel's fanout hash is symmetric");
	else
		doctor_mend(doctor_say(d, DOCTOR_UNKNOWN, "rss", port, why,
				    "%u queues, and this device may keep a key of its own",
				    wire->queues),
			"sed -i 's/^queues *=.*/queues = 1/' %s", d->file);
}

static void
check_mtu(struct doctor *d, const char *port, const struct settings_wire *wire)
{
	static const char why[] = "larger frames than the port takes are lost there";
	char name[16], word[DOCTOR_PATH_SIZE];
	int64_t mtu;

	if (!doctor_vdev_interface(d->options->settings, port, name)) {
		doctor_say(d, DOCTOR_UNKNOWN, "mtu", port, why,
			"the daemon sets %u and says at its start if the port does not take it",
			wire->mtu);
		return;
	}
	if (!doctor_exists(d, "/sys/class/net/%s", name)) {
		doctor_mend(doctor_say(d, DOCTOR_FAIL, "interface", port,
				    "the daemon does not start without its ports",
				    "there is no interface %s", name),
			"ip -br link   # and name one of these as iface= of the vdev");
		return;
	}
	if (!doctor_number(d, &mtu, "/sys/class/net/%s/mtu", name)) {
		doctor_say(d, DOCTOR_UNKNOWN, "mtu", port, why, "the kernel does not say");
		return;
	}
	if (mtu >= wire->mtu)
		doctor_say(d, DOCTOR_OK, "mtu", port, why, "%s takes %lld", name, (long long)mtu);
	else
		doctor_mend(doctor_say(d, DOCTOR_WARN, "mtu", port, why,
				    "%s takes %lld now, mtu = %u", name, (long long)mtu, wire->mtu),
			"ip link set dev %s mtu %u", doctor_quote(name, word), wire->mtu);
}

void
doctor_check_ports(struct doctor *d)
{
	const struct settings *s = d->options->settings;
	unsigned int i;

	for (i = 0; i < 2 * s->n_wires; i++) {
		const struct settings_wire *w = &s->wires[i / 2];
		const char *port = i % 2 == 0 ? w->inside : w->outside;

		if (doctor_is_pci(port)) {
			check_driver(d, port);
			check_numa(d, port);
		}
		check_rss(d, port, w);
		check_mtu(d, port, w);
	}
}
