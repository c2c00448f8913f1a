/* SPDX-License-Identifier: BSD-3-Clause */
/* The doctor on machines made of files: good, bad and hostile ones. */
#include "doctor/doctor.h"
#include "suite.h"

#include <errno.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PCI0 "0000:3b:00.0"
#define PCI1 "0000:3b:00.1"

static char root[64];
static struct settings settings;

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static void
machine_down(void)
{
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The directories of root/path. */
static void
make_parents(const char *path)
{
	char full[512], *at;

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (at = full + strlen(root) + 1; (at = strchr(at, '/')) != NULL; at++) {
		*at = '\0';
		mkdir(full, 0755);
		*at = '/';
	}
}

static void
put_bytes(const char *path, const char *bytes, size_t size, mode_t mode)
{
	char full[512];
	FILE *f;

	make_parents(path);
	snprintf(full, sizeof(full), "%s%s", root, path);
	unlink(full);
	f = fopen(full, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	fwrite(bytes, 1, size, f);
	fclose(f);
	chmod(full, mode);
}

static void
put(const char *path, const char *text)
{
	put_bytes(path, text, strlen(text), 0644);
}

static void
put_link(const char *path, const char *target)
{
	char full[512];

	make_parents(path);
	snprintf(full, sizeof(full), "%s%s", root, path);
	unlink(full);
	CU_ASSERT_EQUAL_FATAL(symlink(target, full), 0);
}

static void
put_directory(const char *path, mode_t mode)
{
	char full[512];

	make_parents(path);
	snprintf(full, sizeof(full), "%s%s", root, path);
	mkdir(full, mode);
	chmod(full, mode);
}

static void
take(const char *path)
{
	char full[512];

	snprintf(full, sizeof(full), "%s%s", root, path);
	nftw(full, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void
put_port(const char *pci)
{
	char path[256];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/numa_node", pci);
	put(path, "0\n");
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vendor", pci);
	put(path, "0x8086\n");
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", pci);
	put_link(path, "../../../bus/pci/drivers/vfio-pci");
}

static void
put_files(void)
{
	char passwd[96];

	put("/etc/trefoil/trefoild.ini", "x");
	put("/etc/trefoil/policy.ini", "x");
	put("/usr/share/trefoil/internet.tgt", "x");
	put_directory("/var/lib/trefoil", 0711);
	put_bytes("/var/lib/trefoil/evidence.key", "x", 1, 0600);
	put_directory("/var/lib/trefoil/evidence", 0750);
	put_bytes("/run/trefoil/control.sock", "", 0, 0660);
	snprintf(passwd, sizeof(passwd), "root:x:0:0::/:/bin/sh\ntrefoil:x:%u:500::/:/bin/false\n",
		getuid());
	put("/etc/passwd", passwd);
	put("/etc/group", "operators:x:501:\nauditors:x:502:\nviewers:x:503:\n");
}

/* Two ports of a NIC at node 0, cores 2 and 3 of it: all is well. */
static void
machine_up(void)
{
	strcpy(root, "/tmp/trefoil-doctor.XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(root));
	settings = (struct settings){ .n_cores = 2,
		.cores = { 2, 3 },
		.memory_mb = 2048,
		.hugepages = true,
		.n_wires = 1,
		.mirror_rotate_mb = 1,
		.user = "trefoil",
		.state_dir = "/var/lib/trefoil",
		.socket = "/run/trefoil/control.sock",
		.policy = "/etc/trefoil/policy.ini",
		.mirror_dir = "/var/lib/trefoil/evidence",
		.geo_table = "/usr/share/trefoil/internet.tgt",
		.operators = "operators",
		.auditors = "auditors",
		.viewers = "viewers" };
	settings.wires[0] = (struct settings_wire){
		.name = "border", .inside = PCI0, .outside = PCI1, .queues = 2, .mtu = 9000
	};
	put("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "2048\n");
	put("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "2048\n");
	put("/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages", "2048\n");
	put("/sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages", "2048\n");
	put("/sys/devices/system/node/node0/cpulist", "0-7\n");
	put("/sys/devices/system/node/node1/cpulist", "8-15\n");
	put("/sys/devices/system/cpu/online", "0-15\n");
	put("/sys/devices/system/cpu/isolated", "2-5\n");
	put("/sys/devices/system/cpu/cpu2/cpufreq/scaling_governor", "performance\n");
	put("/sys/devices/system/cpu/cpu3/cpufreq/scaling_governor", "performance\n");
	put("/sys/class/iommu/dmar0", "");
	put("/sys/module/vfio_pci/x", "");
	put_port(PCI0);
	put_port(PCI1);
	put_files();
}

static struct doctor_report
examine(void)
{
	const struct doctor_options options = { .root = root,
		.settings = &settings,
		.settings_path = "/etc/trefoil/trefoild.ini",
		.clock = DOCTOR_CLOCK_SYNCED,
		.probe_size = 65536 };
	struct doctor_report report = { .n = 0 };

	CU_ASSERT_EQUAL_FATAL(doctor_examine(&options, &report), 0);
	return report;
}

/* The worst finding of a check. */
static const struct doctor_finding *
find(const struct doctor_report *r, const char *check)
{
	const struct doctor_finding *worst = NULL;
	size_t i;

	for (i = 0; i < r->n; i++)
		if (strcmp(r->items[i].check, check) == 0 &&
			(worst == NULL || r->items[i].state > worst->state))
			worst = &r->items[i];
	return worst;
}

/* That check says `state`, and a command with `mend` in it ("" = none); shown when it does not. */
static void
expect(const char *what, const char *check, enum doctor_state state, const char *mend)
{
	struct doctor_report r = examine();
	const struct doctor_finding *f = find(&r, check);
	bool is_good = f != NULL && f->state == state && strstr(f->mend, mend) != NULL &&
		       (mend[0] != '\0' || f->mend[0] == '\0');

	if (!is_good)
		fprintf(stderr, "%s: %s says %s: %s; mend: %s\n", what, check,
			f != NULL ? doctor_state_name(f->state) : "nothing",
			f != NULL ? f->found : "", f != NULL ? f->mend : "");
	CU_ASSERT_TRUE(is_good);
	doctor_free(&r);
}

static void
test_a_good_machine(void)
{
	static const char *const checks[] = { "hugepages", "numa-memory", "cores", "isolated",
		"governor", "iommu", "vfio", "driver", "numa", "rss", "clock", "disk-space",
		"config", "policy", "geo-table", "state", "key", "evidence", "socket", "user",
		"group" };
	struct doctor_report r;
	size_t i;

	machine_up();
	for (i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		expect("a good machine", checks[i], DOCTOR_OK, "");
	r = examine();
	for (i = 0; i < r.n; i++) {
		CU_ASSERT_TRUE(r.items[i].why[0] != '\0');
		CU_ASSERT_TRUE(r.items[i].state < DOCTOR_WARN ||
			       strcmp(r.items[i].check, "disk-speed") == 0);
	}
	doctor_free(&r);
	machine_down();
}

struct damage {
	const char *what;
	const char *path, *text; /* text NULL = take it away, "->x" = a link to x */
	mode_t mode;             /* 0 = as it is */
	const char *check;
	enum doctor_state state;
	const char *mend;
};

static const struct damage damages[] = {
	{ "too few pages", "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "4\n", 0,
		"hugepages", DOCTOR_FAIL, "vm.nr_hugepages=1024" },
	{ "pages in use", "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "4\n", 0,
		"hugepages", DOCTOR_WARN, "vm.nr_hugepages=" },
	{ "no pages at all", "/sys/kernel/mm/hugepages", NULL, 0, "hugepages", DOCTOR_FAIL,
		"vm.nr_hugepages=1024" },
	{ "none on the node",
		"/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages", "0\n", 0,
		"numa-memory", DOCTOR_UNKNOWN, "" }, /* more free than there are: no number */
	{ "core offline", "/sys/devices/system/cpu/online", "0-2\n", 0, "cores", DOCTOR_FAIL,
		"cores = 1,2/" },
	{ "not isolated", "/sys/devices/system/cpu/isolated", "2\n", 0, "isolated", DOCTOR_WARN,
		"isolcpus=2,3" },
	{ "nothing isolated", "/sys/devices/system/cpu/isolated", "\n", 0, "isolated", DOCTOR_WARN,
		"isolcpus=2,3" },
	{ "slow core", "/sys/devices/system/cpu/cpu3/cpufreq/scaling_governor", "powersave\n", 0,
		"governor", DOCTOR_WARN, "cpupower -c 3 frequency-set -g performance" },
	{ "no iommu", "/sys/class/iommu/dmar0", NULL, 0, "iommu", DOCTOR_FAIL, "intel_iommu=on" },
	{ "unsafe vfio", "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n", 0,
		"iommu", DOCTOR_WARN, "echo 0 >" },
	{ "no vfio-pci", "/sys/module/vfio_pci", NULL, 0, "vfio", DOCTOR_WARN,
		"modprobe vfio-pci" },
	{ "kernel driver", "/sys/bus/pci/devices/" PCI1 "/driver", "->../drivers/ice", 0, "driver",
		DOCTOR_FAIL, "dpdk-devbind.py --bind=vfio-pci " PCI1 },
	{ "uio", "/sys/bus/pci/devices/" PCI1 "/driver", "->../drivers/uio_pci_generic", 0,
		"driver", DOCTOR_WARN, "--bind=vfio-pci" },
	{ "no driver", "/sys/bus/pci/devices/" PCI0 "/driver", NULL, 0, "driver", DOCTOR_FAIL,
		"--bind=vfio-pci " PCI0 },
	{ "no device", "/sys/bus/pci/devices/" PCI0, NULL, 0, "driver", DOCTOR_FAIL, "lspci" },
	{ "mlx5", "/sys/bus/pci/devices/" PCI0 "/driver", "->../drivers/mlx5_core", 0, "driver",
		DOCTOR_OK, "" },
	{ "far port", "/sys/bus/pci/devices/" PCI1 "/numa_node", "1\n", 0, "numa", DOCTOR_WARN,
		"cores = 8,9/" },
	{ "node unknown", "/sys/bus/pci/devices/" PCI1 "/numa_node", "-1\n", 0, "numa",
		DOCTOR_UNKNOWN, "" },
	{ "other vendor", "/sys/bus/pci/devices/" PCI1 "/vendor", "0x1af4\n", 0, "rss",
		DOCTOR_UNKNOWN, "queues = 1" },
	{ "open settings", "/etc/trefoil/trefoild.ini", "x", 0666, "config", DOCTOR_FAIL,
		"chmod 0644 /etc/trefoil/trefoild.ini" },
	{ "no policy", "/etc/trefoil/policy.ini", NULL, 0, "policy", DOCTOR_FAIL,
		"cp /usr/share/doc/trefoil/examples/policy.ini /etc/trefoil/policy.ini" },
	{ "no table", "/usr/share/trefoil/internet.tgt", NULL, 0, "geo-table", DOCTOR_FAIL,
		"apt-get install --reinstall trefoil" },
	{ "open table", "/usr/share/trefoil/internet.tgt", "x", 0664, "geo-table", DOCTOR_FAIL,
		"chmod 0644" },
	{ "open key", "/var/lib/trefoil/evidence.key", "x", 0640, "key", DOCTOR_FAIL,
		"chmod 0600 /var/lib/trefoil/evidence.key" },
	{ "key not made yet", "/var/lib/trefoil/evidence.key", NULL, 0, "key", DOCTOR_OK, "" },
	{ "open socket", "/run/trefoil/control.sock", "", 0666, "socket", DOCTOR_FAIL,
		"chmod 0660" },
	{ "no user", "/etc/passwd", "root:x:0:0::/:/bin/sh\n", 0, "user", DOCTOR_FAIL,
		"adduser --system --group --home /var/lib/trefoil --no-create-home trefoil" },
	{ "no group", "/etc/group", "auditors:x:502:\nviewers:x:503:\n", 0, "group", DOCTOR_WARN,
		"addgroup --system operators" },
};

static void
damage(const struct damage *d)
{
	if (d->text == NULL)
		take(d->path);
	else if (strncmp(d->text, "->", 2) == 0)
		put_link(d->path, d->text + 2);
	else
		put_bytes(d->path, d->text, strlen(d->text), d->mode != 0 ? d->mode : 0644);
}

static void
test_what_is_wrong_is_named_with_its_command(void)
{
	size_t i;

	for (i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		machine_up();
		damage(&damages[i]);
		expect(damages[i].what, damages[i].check, damages[i].state, damages[i].mend);
		machine_down();
	}
}

static void
test_settings_are_looked_at(void)
{
	struct doctor_report r;

	machine_up();
	put_directory("/var/lib/trefoil/evidence", 0755);
	expect("evidence for all", "evidence", DOCTOR_FAIL, "chmod 0750");
	settings.hugepages = false;
	expect("no hugepages", "hugepages", DOCTOR_WARN, "hugepages = yes");
	settings.user[0] = '\0';
	expect("no user", "user", DOCTOR_WARN, "user = trefoil");
	settings.mirror_rotate_mb = 1048576;
	expect("small disk", "disk-space", DOCTOR_FAIL, "retention_days");
	settings.mirror_dir[0] = '\0';
	expect("no mirror", "disk-space", DOCTOR_OK, "");
	settings.wires[0].queues = 1;
	expect("one queue", "rss", DOCTOR_OK, "");
	r = examine();
	CU_ASSERT_EQUAL(doctor_worst(&r), DOCTOR_WARN);
	doctor_free(&r);
	machine_down();
}

static void
use_vdevs(const char *first)
{
	snprintf(settings.vdevs[0], sizeof(settings.vdevs[0]), "%s", first);
	snprintf(settings.vdevs[1], sizeof(settings.vdevs[1]), "net_af_packet1,iface=eth2");
	settings.n_vdevs = 2;
	strcpy(settings.wires[0].inside, "net_af_packet0");
	strcpy(settings.wires[0].outside, "net_af_packet1");
}

static void
test_kernel_interfaces(void)
{
	machine_up();
	use_vdevs("net_af_packet0,iface=eth1,qpairs=2");
	put("/sys/class/net/eth1/mtu", "1500\n");
	put("/sys/class/net/eth2/mtu", "9000\n");
	expect("small mtu", "mtu", DOCTOR_WARN, "ip link set dev eth1 mtu 9000");
	expect("fanout", "rss", DOCTOR_OK, "");
	expect("no iommu needed", "iommu", DOCTOR_OK, "");
	put("/sys/class/net/eth1/mtu", "9000\n");
	expect("large mtu", "mtu", DOCTOR_OK, "");
	take("/sys/class/net/eth2");
	expect("no interface", "interface", DOCTOR_FAIL, "ip -br link");
	use_vdevs("net_af_packet0,iface=../../../etc,qpairs=2");
	expect("no name of an interface", "mtu", DOCTOR_UNKNOWN, "");
	machine_down();
}

static void
test_the_clock(void)
{
	struct doctor_options options = { .root = root,
		.settings = &settings,
		.settings_path = "/etc/trefoil/trefoild.ini",
		.clock = DOCTOR_CLOCK_FREE,
		.probe_size = 4096 };
	struct doctor_report r;

	machine_up();
	CU_ASSERT_EQUAL_FATAL(doctor_examine(&options, &r), 0);
	CU_ASSERT_EQUAL(find(&r, "clock")->state, DOCTOR_WARN);
	CU_ASSERT_PTR_NOT_NULL(strstr(find(&r, "clock")->mend, "chrony"));
	doctor_free(&r);
	machine_down();
}

/* Whatever stands where numbers, lists and names should: nothing is believed, nothing is read out of
 * bounds, and the report is complete. */
static void
test_hostile_contents(void)
{
	static const char *const paths[] = {
		"/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages",
		"/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages",
		"/sys/devices/system/node/node0/cpulist",
		"/sys/devices/system/cpu/online",
		"/sys/devices/system/cpu/isolated",
		"/sys/devices/system/cpu/cpu2/cpufreq/scaling_governor",
		"/sys/bus/pci/devices/" PCI0 "/numa_node",
		"/sys/bus/pci/devices/" PCI0 "/vendor",
		"/sys/module/vfio/parameters/enable_unsafe_noiommu_mode",
		"/etc/passwd",
		"/etc/group",
	};
	static const char *const texts[] = { "", "\n", "-", ",", "0-", "-0", "99999999999999999999",
		"-99999999999999999999", "0-99999999999999999999", "1e9", "0x10", "2147483648",
		"2-3-4", "performance\1\33[2J", "%s%n%s%n", "\xff\xfe", ":::::::::", "trefoil",
		"trefoil:", "3,2,1,0,", "5-2", " 7", "7 " };
	static char large[100000];
	struct doctor_report r;
	size_t i, k, n_before;

	memset(large, '9', sizeof(large));
	machine_up();
	r = examine();
	n_before = r.n;
	doctor_free(&r);
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		for (k = 0; k <= sizeof(texts) / sizeof(texts[0]); k++) {
			if (k < sizeof(texts) / sizeof(texts[0]))
				put(paths[i], texts[k]);
			else
				put_bytes(paths[i], large, sizeof(large), 0644);
			r = examine();
			CU_ASSERT_TRUE(r.n + 1 >= n_before);
			doctor_free(&r);
		}
		take(paths[i]);
		put_directory(paths[i], 0755); /* a directory in its place */
		r = examine();
		doctor_free(&r);
		machine_down();
		machine_up();
	}
	put("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "99999999999999999999");
	expect("no number", "hugepages", DOCTOR_FAIL, "vm.nr_hugepages=1024");
	machine_down();
}

/* Everything is the test's, and so is nobody else's. */
static void
test_what_the_daemon_writes_is_its_users(void)
{
	machine_up();
	put("/etc/passwd", "root:x:0:0::/:/bin/sh\ntrefoil:x:54321:500::/:/bin/false\n");
	expect("state of another", "state", DOCTOR_FAIL, "chown -R trefoil: /var/lib/trefoil");
	expect("key of another", "key", DOCTOR_FAIL,
		"chown -R trefoil: /var/lib/trefoil/evidence.key");
	expect("evidence of another", "evidence", DOCTOR_FAIL,
		"chown -R trefoil: /var/lib/trefoil/evidence");
	expect("the policy may be anybody's", "policy", DOCTOR_OK, "");
	take("/var/lib/trefoil");
	put_directory("/var/lib/trefoil", 0711);
	expect("empty, handed over if it is root's", "state",
		getuid() == 0 ? DOCTOR_OK : DOCTOR_FAIL, getuid() == 0 ? "" : "chown");
	settings.user[0] = '\0';
	expect("stays who it is", "state", DOCTOR_OK, "");
	machine_down();
}

/* What a command holds of the settings is one word of it. */
static void
test_commands_are_quoted(void)
{
	machine_up();
	strcpy(settings.mirror_dir, "/var/lib/a b;'$(reboot)");
	put_directory("/var/lib/a b;'$(reboot)", 0777);
	expect("odd name", "evidence", DOCTOR_FAIL, "chmod 0750 '/var/lib/a b;'\\''$(reboot)'");
	machine_down();
}

static void
test_lists_of_cores(void)
{
	static const struct {
		const char *list;
		unsigned int cpu;
		bool has;
	} cases[] = { { "0-3", 0, true }, { "0-3", 3, true }, { "0-3", 4, false }, { "7", 7, true },
		{ "0,2,4-6", 5, true }, { "0,2,4-6", 3, false }, { "", 0, false },
		{ "a", 0, false }, { "1-", 1, false }, { "-1", 1, false }, { "5-2", 3, false },
		{ "0-18446744073709551616", 1000, true }, { "1;2", 2, false } };
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CU_ASSERT_EQUAL(doctor_list_has(cases[i].list, cases[i].cpu), cases[i].has);
}

SUITE("doctor", { "a good machine", test_a_good_machine },
	{ "what is wrong is named with its command", test_what_is_wrong_is_named_with_its_command },
	{ "settings are looked at", test_settings_are_looked_at },
	{ "kernel interfaces", test_kernel_interfaces }, { "the clock", test_the_clock },
	{ "hostile contents", test_hostile_contents },
	{ "what the daemon writes is its user's", test_what_the_daemon_writes_is_its_users },
	{ "commands are quoted", test_commands_are_quoted },
	{ "lists of cores", test_lists_of_cores })
