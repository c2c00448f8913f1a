/* SPDX-License-Identifier: BSD-3-Clause */
/* settings: what trefoild.ini may say, and what does not fit together. */
#include "suite.h"

#include "settings/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N(array) (sizeof(array) / sizeof((array)[0]))
#define WIRE     "[wire a]\ninside = 0000:01:00.0\noutside = 0000:01:00.1\n"

#define DIGITS_10  "1234567890"
#define DIGITS_50  DIGITS_10 DIGITS_10 DIGITS_10 DIGITS_10 DIGITS_10
#define DIGITS_107 DIGITS_50 DIGITS_50 "1234567"

static struct err_list errors;

static struct settings *
parse(const char *text)
{
	memset(&errors, 0, sizeof(errors));
	return settings_parse(text, strlen(text), "t.ini", &errors);
}

static struct settings *
parse_good(const char *text)
{
	struct settings *s = parse(text);
	char message[1024];
	unsigned int i;

	for (i = 0; i < errors.n; i++)
		printf("    %s\n", err_format(&errors.items[i], message, sizeof(message)));
	CU_ASSERT_EQUAL(errors.n, 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	return s;
}

static void
test_one_wire_is_enough_and_the_rest_has_defaults(void)
{
	struct settings *s = parse_good(WIRE);

	CU_ASSERT_NOT_EQUAL(s->name[0], '\0');
	CU_ASSERT_STRING_EQUAL(s->state_dir, "/var/lib/trefoil");
	CU_ASSERT_STRING_EQUAL(s->socket, "/run/trefoil/control.sock");
	CU_ASSERT_STRING_EQUAL(s->geo_table, TREFOIL_DATADIR "/internet.tgt");
	CU_ASSERT_STRING_EQUAL(s->policy, TREFOIL_SYSCONFDIR "/policy.ini");
	CU_ASSERT_EQUAL(s->max_geo_age_days, 45);
	CU_ASSERT_EQUAL(s->n_cores, 1);
	CU_ASSERT_EQUAL(s->cores[0], 1);
	CU_ASSERT_EQUAL(s->memory_mb, 1024);
	CU_ASSERT_EQUAL(s->buffers, 0);
	CU_ASSERT_EQUAL(s->hugepages, true);
	CU_ASSERT_EQUAL(s->n_vdevs, 0);
	CU_ASSERT_EQUAL(s->idle, SETTINGS_IDLE_POLL);
	CU_ASSERT_EQUAL(s->idle_after_us, 100);
	CU_ASSERT_EQUAL(s->n_wires, 1);
	CU_ASSERT_STRING_EQUAL(s->wires[0].name, "a");
	CU_ASSERT_EQUAL(s->wires[0].queues, 1);
	CU_ASSERT_EQUAL(s->wires[0].mtu, 9000);
	CU_ASSERT_EQUAL(s->wires[0].link_propagation, true);
	CU_ASSERT_EQUAL(s->wires[0].link_hold_down_ms, 2000);
	CU_ASSERT_EQUAL(s->wires[0].link_settle_ms, 10000);
	CU_ASSERT_STRING_EQUAL(s->mirror_dir, "");
	CU_ASSERT_EQUAL(s->mirror_format, CAPTURE_PCAPNG);
	CU_ASSERT_EQUAL(s->mirror_snaplen, 0);
	CU_ASSERT_EQUAL(s->mirror_rotate_mb, 1024);
	CU_ASSERT_EQUAL(s->mirror_rotate_s, 3600);
	CU_ASSERT_STRING_EQUAL(s->operators, "trefoil-operators");
	CU_ASSERT_STRING_EQUAL(s->auditors, "trefoil-auditors");
	CU_ASSERT_STRING_EQUAL(s->approvers, "");
	CU_ASSERT_STRING_EQUAL(s->viewers, "trefoil-viewers");
	CU_ASSERT_EQUAL(s->approvals, 0);
	CU_ASSERT_STRING_EQUAL(s->metrics_listen, "");
	CU_ASSERT_EQUAL(s->metrics_top_asns, 50);
	CU_ASSERT_EQUAL(s->telemetry, false);
	free(s);
}

static void
test_a_name_that_is_no_file_name_is_refused(void)
{
	CU_ASSERT_PTR_NULL(parse("[appliance]\nname = ../../x\n" WIRE));
	CU_ASSERT_EQUAL(errors.n, 1);
	CU_ASSERT_EQUAL(errors.items[0].line, 2);
	CU_ASSERT_PTR_NOT_NULL(strstr(errors.items[0].message, "../../x"));
}

static void
test_every_key_reaches_its_field(void)
{
	struct settings *s = parse_good(
		"[appliance]\nname = x\nstate_dir = /s\nsocket = /c\ngeo_table = /g\n"
		"policy = /p\nmax_geo_age_days = 7\n"
		"[eal]\ncores = 2,4-6\nmemory_mb = 64\nbuffers = 131072\nhugepages = no\n"
		"vdev = net_af_packet0,iface=eth1\nvdev = net_null1\n"
		"idle = sleep\nidle_after_us = 20\n"
		"[wire w1]\ninside = net_af_packet0\noutside = net_null1\nqueues = 64\n"
		"mtu = 1500\nlink_propagation = no\nlink_hold_down_ms = 5\nlink_settle_ms = 6\n"
		"[wire w2]\ninside = 3B:00.0\noutside = 10000:3b:1f.7\n"
		"[mirror]\ndir = /e\nformat = pcap\nsnaplen = 96\nrotate_mb = 1\nrotate_s = 2\n"
		"[access]\noperators = o\napprovers = p\nauditors = a\nviewers = v\n"
		"approvals = 2\n"
		"[metrics]\nlisten = [::1]:9433\ntop_asns = 7\ntelemetry = yes\n");

	CU_ASSERT_STRING_EQUAL(s->name, "x");
	CU_ASSERT_STRING_EQUAL(s->state_dir, "/s");
	CU_ASSERT_STRING_EQUAL(s->socket, "/c");
	CU_ASSERT_STRING_EQUAL(s->geo_table, "/g");
	CU_ASSERT_STRING_EQUAL(s->policy, "/p");
	CU_ASSERT_EQUAL(s->max_geo_age_days, 7);
	CU_ASSERT_EQUAL(s->n_cores, 4);
	CU_ASSERT(s->cores[0] == 2 && s->cores[1] == 4 && s->cores[3] == 6);
	CU_ASSERT_EQUAL(s->memory_mb, 64);
	CU_ASSERT_EQUAL(s->buffers, 131072);
	CU_ASSERT_EQUAL(s->hugepages, false);
	CU_ASSERT_EQUAL(s->n_vdevs, 2);
	CU_ASSERT_STRING_EQUAL(s->vdevs[0], "net_af_packet0,iface=eth1");
	CU_ASSERT_EQUAL(s->idle, SETTINGS_IDLE_SLEEP);
	CU_ASSERT_EQUAL(s->idle_after_us, 20);
	CU_ASSERT_EQUAL_FATAL(s->n_wires, 2);
	CU_ASSERT_STRING_EQUAL(s->wires[0].outside, "net_null1");
	CU_ASSERT_EQUAL(s->wires[0].queues, 64);
	CU_ASSERT_EQUAL(s->wires[0].mtu, 1500);
	CU_ASSERT_EQUAL(s->wires[0].link_propagation, false);
	CU_ASSERT_EQUAL(s->wires[0].link_hold_down_ms, 5);
	CU_ASSERT_EQUAL(s->wires[0].link_settle_ms, 6);
	CU_ASSERT_STRING_EQUAL(s->wires[1].inside, "0000:3b:00.0");
	CU_ASSERT_STRING_EQUAL(s->wires[1].outside, "10000:3b:1f.7");
	CU_ASSERT_EQUAL(s->wires[1].line, 25);
	CU_ASSERT_STRING_EQUAL(s->mirror_dir, "/e");
	CU_ASSERT_EQUAL(s->mirror_format, CAPTURE_PCAP);
	CU_ASSERT_EQUAL(s->mirror_snaplen, 96);
	CU_ASSERT_EQUAL(s->mirror_rotate_mb, 1);
	CU_ASSERT_EQUAL(s->mirror_rotate_s, 2);
	CU_ASSERT_STRING_EQUAL(s->operators, "o");
	CU_ASSERT_STRING_EQUAL(s->auditors, "a");
	CU_ASSERT_STRING_EQUAL(s->approvers, "p");
	CU_ASSERT_STRING_EQUAL(s->viewers, "v");
	CU_ASSERT_EQUAL(s->approvals, 2);
	CU_ASSERT_STRING_EQUAL(s->metrics_listen, "[::1]:9433");
	CU_ASSERT_EQUAL(s->metrics_top_asns, 7);
	CU_ASSERT_EQUAL(s->telemetry, true);
	free(s);
}

static void
test_mistakes_are_told_with_their_place(void)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "t.ini: there is no wire: add a [wire NAME] with inside and outside" },
		{ "[wire a]\ninside = 01:00.0\n", "t.ini:1: [wire a]: 'outside' is missing" },
		{ "[wire]\ninside = 01:00.0\n" WIRE, "t.ini:1: [wire]: [wire] needs a name: [wire "
						     "NAME]" },
		{ "[wire a]\ninside = 01:00.0\noutside = 0000:01:00.0\n",
			"t.ini:3: [wire a] outside: '0000:01:00.0' is already the inside of [wire "
			"a] "
			"in line 2" },
		{ WIRE "[wire b]\ninside = 0000:01:00.1\noutside = 0000:02:00.0\n",
			"t.ini:5: [wire b] inside: '0000:01:00.1' is already the outside of [wire "
			"a] "
			"in line 3" },
		{ WIRE "[wire b]\ninside = 0000:02:00.0\noutside = 0000:01:00.0\n",
			"t.ini:6: [wire b] outside: '0000:01:00.0' is already the inside of [wire "
			"a] "
			"in line 2" },
		{ WIRE WIRE, "t.ini:4: [wire a]: there is already a [wire a]" },
		{ "[wire a]\ninside = 01:20.0\noutside = 01:00.1\n",
			"t.ini:2: [wire a] inside: '01:20.0' is not a PCI address such as "
			"0000:3b:00.0" },
		{ "[wire a]\ninside = 01:00.8\noutside = 01:00.1\n",
			"t.ini:2: [wire a] inside: '01:00.8' is not a PCI address such as "
			"0000:3b:00.0" },
		{ "[wire a]\ninside = 0:0:01:00.0\noutside = 01:00.1\n",
			"t.ini:2: [wire a] inside: '0:0:01:00.0' is not a PCI address such as "
			"0000:3b:00.0" },
		{ "[eal]\nvdev = net_tap0,iface=x\n[wire a]\ninside = net_tap\noutside = 01:00.1\n",
			"t.ini:4: [wire a] inside: 'net_tap' is neither a PCI address nor a vdev "
			"of "
			"[eal] (did you mean 'net_tap0'?)" },
		{ WIRE "[eal]\nvdev = net_tap0\nvdev = net_tap0,iface=x\n",
			"t.ini:6: [eal] vdev: there is already a device 'net_tap0'" },
		{ WIRE "[eal]\nvdev = ,iface=x\n", "t.ini:5: [eal] vdev: ',iface=x' does not begin "
						   "with a device's name such as net_af_packet0" },
		{ WIRE "[eal]\ncores = 5-2\n", "t.ini:5: [eal] cores: '5-2' is not a list of cores "
					       "such as 2-5 or 2,4-6 (0..1023)" },
		{ WIRE "[eal]\ncores = 2,\n", "t.ini:5: [eal] cores: '2,' is not a list of cores "
					      "such as 2-5 or 2,4-6 (0..1023)" },
		{ WIRE "[eal]\ncores = 2 3\n", "t.ini:5: [eal] cores: '2 3' is not a list of cores "
					       "such as 2-5 or 2,4-6 (0..1023)" },
		{ WIRE "[eal]\ncores = 1024\n",
			"t.ini:5: [eal] cores: '1024' is not a list of cores "
			"such as 2-5 or 2,4-6 (0..1023)" },
		{ WIRE "[eal]\ncores = 99999999999999999999\n",
			"t.ini:5: [eal] cores: '99999999999999999999' is not a list of cores such "
			"as "
			"2-5 or 2,4-6 (0..1023)" },
		{ WIRE "[eal]\ncores = 1-3,2\n", "t.ini:5: [eal] cores: core 2 is listed twice" },
		{ WIRE "[eal]\ncores = 0-127\n", "t.ini:5: [eal] cores: more than 127 cores" },
		{ WIRE "[eal]\nmemory_mb = 2G\n",
			"t.ini:5: [eal] memory_mb: '2G' is not a whole decimal number" },
		{ WIRE "[eal]\nhugepages = on\n",
			"t.ini:5: [eal] hugepages: 'on' is not one of yes|no" },
		{ WIRE "[eal]\nidle = nap\n",
			"t.ini:5: [eal] idle: 'nap' is not one of poll|pause|sleep" },
		{ WIRE "[eal]\nidle_after_us = 0\n",
			"t.ini:5: [eal] idle_after_us: '0' is outside 1..1000000 microseconds" },
		{ WIRE "mtu = 9703\n", "t.ini:4: [wire a] mtu: '9703' is outside 64..9702 bytes" },
		{ WIRE "queues = 0\n", "t.ini:4: [wire a] queues: '0' is outside 1..64" },
		{ WIRE "[mirror]\nsnaplen = 96\n",
			"t.ini:5: [mirror] snaplen: there is no mirror without [mirror] dir" },
		{ WIRE "[mirror]\ndir = /e\nsnaplen = header\n",
			"t.ini:6: [mirror] snaplen: 'header' is not a whole decimal number nor a "
			"known "
			"word (did you mean 'headers'?)" },
		{ WIRE "[mirror]\ndir = /e\nformat = pcapn\n",
			"t.ini:6: [mirror] format: 'pcapn' is not one of pcapng|pcap (did you mean "
			"'pcapng'?)" },
		{ WIRE "[mirror]\ndir = evidence\n",
			"t.ini:5: [mirror] dir: 'evidence' is not an absolute path" },
		{ WIRE "[appliance]\nsocket = /" DIGITS_107 "\n",
			"t.ini:5: [appliance] socket: '/" DIGITS_107
			"' has 108 bytes, not 0..107" },
		{ WIRE "[appliance]\nname = x\nname = y\n",
			"t.ini:6: [appliance] name: 'name' was already given in line 5" },
		{ WIRE "[metrics]\nlisten = 9433\n",
			"t.ini:5: [metrics] listen: '9433' is not an address and a port such as "
			"127.0.0.1:9433 or [::1]:9433" },
		{ WIRE "[metrics]\nlisten = 127.0.0.1:65536\n",
			"t.ini:5: [metrics] listen: '127.0.0.1:65536' is not an address and a port "
			"such as 127.0.0.1:9433 or [::1]:9433" },
		{ WIRE "[metrics]\nlisten = ::1\n",
			"t.ini:5: [metrics] listen: '::1' is not an address and a port such as "
			"127.0.0.1:9433 or [::1]:9433" },
		{ WIRE "[metrics]\ntop_asns = 1001\n",
			"t.ini:5: [metrics] top_asns: '1001' is outside 0..1000" },
		{ WIRE "[acces]\n", "t.ini:4: [acces]: 'acces' is not a section (did you mean "
				    "'access'?)" },
	};
	char text[1024];
	size_t i;

	for (i = 0; i < N(cases); i++) {
		CU_ASSERT_PTR_NULL(parse(cases[i].text));
		CU_ASSERT_EQUAL(errno, EINVAL);
		CU_ASSERT_FATAL(errors.n >= 1);
		err_format(&errors.items[0], text, sizeof(text));
		if (errors.n != 1 || strcmp(text, cases[i].want) != 0)
			printf("\ngot  %u %s\nwant %s\n", errors.n, text, cases[i].want);
		CU_ASSERT_EQUAL(errors.n, 1);
		CU_ASSERT_STRING_EQUAL(text, cases[i].want);
	}
}

static void
test_wires_and_devices_are_bounded(void)
{
	static char text[65536];
	unsigned int i, n;
	size_t at;

	for (n = SETTINGS_WIRES_MAX; n <= SETTINGS_WIRES_MAX + 1; n++) {
		for (i = 0, at = 0; i < n; i++)
			at += (size_t)snprintf(text + at, sizeof(text) - at,
				"[wire w%u]\ninside = %02x:00.0\noutside = %02x:00.1\n", i, i, i);
		if (n == SETTINGS_WIRES_MAX) {
			free(parse_good(text));
			continue;
		}
		CU_ASSERT_PTR_NULL(parse(text));
		CU_ASSERT_STRING_EQUAL(errors.items[0].message, "more than 16 wires");
	}
	at = (size_t)snprintf(text, sizeof(text), WIRE "[eal]\n");
	for (i = 0; i <= SETTINGS_VDEVS_MAX; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "vdev = net_null%u\n", i);
	CU_ASSERT_PTR_NULL(parse(text));
	CU_ASSERT_STRING_EQUAL(errors.items[0].message, "more than 32 devices");
}

static void
test_the_shipped_settings_are_right(void)
{
	struct settings *s;

	memset(&errors, 0, sizeof(errors));
	s = settings_load(TREFOIL_SOURCE_ROOT "/config/trefoild.ini", &errors);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_STRING_EQUAL(s->name, "dub1-border-a");
	CU_ASSERT_STRING_EQUAL(s->wires[0].name, "border");
	CU_ASSERT_EQUAL(s->n_cores, 4);
	free(s);
	CU_ASSERT_PTR_NULL(settings_load("/nonexistent/trefoild.ini", &errors));
	CU_ASSERT_EQUAL(errno, ENOENT);
	CU_ASSERT_EQUAL(errors.n, 1);
}

/* A copy of its own, so that the sanitizer sees every byte read beyond it. */
static void
parse_hostile(const char *text, size_t size)
{
	char *copy = malloc(size > 0 ? size : 1);
	struct settings *s;

	CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
	memcpy(copy, text, size);
	memset(&errors, 0, sizeof(errors));
	s = settings_parse(copy, size, "t.ini", &errors);
	CU_ASSERT((s == NULL) == (errors.n > 0));
	free(copy);
	free(s);
}

static void
test_truncations_and_mutations_are_survived(void)
{
	static const char bytes[] = "\n=[];:,- 09az.\xff";
	uint32_t state = 2026;
	size_t i, size;
	char was, *text = ini_load(TREFOIL_SOURCE_ROOT "/config/trefoild.ini", &size, NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	for (i = 0; i <= size; i++)
		parse_hostile(text, i);
	for (i = 0; i < size; i++) {
		state = state * 1664525u + 1013904223u;
		was = text[i];
		text[i] = bytes[(state >> 8) % (sizeof(bytes) - 1)];
		parse_hostile(text, size);
		text[i] = was;
	}
	free(text);
}

SUITE("settings",
	{ "a name that is no file name is refused", test_a_name_that_is_no_file_name_is_refused },
	{ "one wire is enough and the rest has defaults",
		test_one_wire_is_enough_and_the_rest_has_defaults },
	{ "every key reaches its field", test_every_key_reaches_its_field },
	{ "mistakes are told with their place", test_mistakes_are_told_with_their_place },
	{ "wires and devices are bounded", test_wires_and_devices_are_bounded },
	{ "the shipped settings are right", test_the_shipped_settings_are_right },
	{ "truncations and mutations are survived", test_truncations_and_mutations_are_survived })
