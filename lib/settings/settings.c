/* SPDX-License-Identifier: BSD-3-Clause */
/* Values go to their place as the schema hands them on; what spans several keys is checked at the
 * end of the file. */
#include "settings/settings.h"

#include "settings_impl.h"

#include "base/text.h"

#include <errno.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct build {
	struct schema_reader reader;
	struct settings *s;
	unsigned int inside_line[SETTINGS_WIRES_MAX];
	unsigned int outside_line[SETTINGS_WIRES_MAX];
};

/* "7" or "2-5" at `*at`, which ends up behind it. Returns 0 or -EINVAL. */
static int
parse_cores(const char **at, unsigned long *first, unsigned long *last)
{
	char *end;

	if (**at < '0' || **at > '9')
		return -EINVAL;
	*first = *last = strtoul(*at, &end, 10);
	if (*end == '-') {
		if (end[1] < '0' || end[1] > '9')
			return -EINVAL;
		*last = strtoul(end + 1, &end, 10);
	}
	*at = end;
	return *last <= SETTINGS_CORE_MAX && *first <= *last ? 0 : -EINVAL;
}

/* Returns 0, or -EINVAL when it was reported. */
static int
add_core(struct build *b, unsigned long core)
{
	struct settings *s = b->s;
	unsigned int i, n = s->n_cores;

	for (i = 0; i < n && s->cores[i] != core; i++)
		;
	if (i < n)
		schema_fail(&b->reader, "core %lu is listed twice", core);
	else if (i == SETTINGS_CORES_MAX)
		schema_fail(&b->reader, "more than %u cores", SETTINGS_CORES_MAX);
	else
		s->cores[s->n_cores++] = (uint16_t)core;
	return n == s->n_cores ? -EINVAL : 0;
}

static int
take_cores(struct build *b, const struct schema_value *v)
{
	const char *at = v->text;
	unsigned long first, last;

	for (;; at++) {
		if (parse_cores(&at, &first, &last) != 0 || (*at != ',' && *at != '\0'))
			return schema_fail(&b->reader,
				"'%s' is not a list of cores such as 2-5 or 2,4-6 (0..%u)", v->text,
				SETTINGS_CORE_MAX);
		for (; first <= last; first++)
			if (add_core(b, first) != 0)
				return 0;
		if (*at == '\0')
			return 0;
	}
}

/* Bytes of a vdev's name, in front of its arguments. */
static size_t
vdev_length(const char *vdev)
{
	return strcspn(vdev, ",");
}

static int
take_vdev(struct build *b, const struct schema_value *v)
{
	struct settings *s = b->s;
	size_t length = vdev_length(v->text);
	unsigned int i;

	if (length == 0 || length >= SETTINGS_PORT_SIZE || strcspn(v->text, " \t:") < length)
		return schema_fail(&b->reader,
			"'%s' does not begin with a device's name such as net_af_packet0", v->text);
	for (i = 0; i < s->n_vdevs; i++)
		if (vdev_length(s->vdevs[i]) == length && memcmp(s->vdevs[i], v->text, length) == 0)
			return schema_fail(&b->reader, "there is already a device '%.*s'",
				(int)length, v->text);
	if (s->n_vdevs == SETTINGS_VDEVS_MAX)
		return schema_fail(&b->reader, "more than %u devices", SETTINGS_VDEVS_MAX);
	snprintf(s->vdevs[s->n_vdevs++], sizeof(s->vdevs[0]), "%s", v->text);
	return 0;
}

/* "3b:00.0" and "0000:3B:00.0" become "0000:3b:00.0". Returns 0 or -EINVAL. */
static int
pci_parse(const char *text, char out[SETTINGS_PORT_SIZE])
{
	unsigned int domain = 0, bus, device, function;
	const char *bdf = text;
	int n = 0;

	if (text[strspn(text, "0123456789abcdefABCDEF:.")] != '\0')
		return -EINVAL;
	if (strchr(text, ':') != strrchr(text, ':')) {
		if (sscanf(text, "%8x:%n", &domain, &n) != 1 || n == 0)
			return -EINVAL;
		bdf = text + n;
	}
	n = 0;
	if (sscanf(bdf, "%2x:%2x.%1x%n", &bus, &device, &function, &n) != 3 || bdf[n] != '\0' ||
		device > 0x1f || function > 7)
		return -EINVAL;
	snprintf(out, SETTINGS_PORT_SIZE, "%04x:%02x:%02x.%x", domain, bus, device, function);
	return 0;
}

/* Whether a vdev of that name exists is known at the end only. */
static int
take_port(struct build *b, const struct schema_value *v, char port[SETTINGS_PORT_SIZE],
	unsigned int *line)
{
	*line = v->line;
	if (strchr(v->text, ':') == NULL)
		snprintf(port, SETTINGS_PORT_SIZE, "%s", v->text);
	else if (pci_parse(v->text, port) != 0)
		return schema_fail(
			&b->reader, "'%s' is not a PCI address such as 0000:3b:00.0", v->text);
	return 0;
}

static int
take_wire(struct build *b, const struct schema_value *v)
{
	unsigned int i = b->s->n_wires - 1;
	struct settings_wire *wire = &b->s->wires[i];

	switch (SETTING_ID_KIND(v->key->id)) {
	case SETTING_INSIDE:
		return take_port(b, v, wire->inside, &b->inside_line[i]);
	case SETTING_OUTSIDE:
		return take_port(b, v, wire->outside, &b->outside_line[i]);
	case SETTING_QUEUES:
		wire->queues = (uint16_t)v->number;
		return 0;
	case SETTING_MTU:
		wire->mtu = (uint16_t)v->number;
		return 0;
	case SETTING_LINK_HOLD_DOWN:
		wire->link_hold_down_ms = (unsigned int)v->number;
		return 0;
	case SETTING_LINK_SETTLE:
		wire->link_settle_ms = (unsigned int)v->number;
		return 0;
	default:
		wire->link_propagation = v->number != 0;
		return 0;
	}
}

/* "1.1.1.1 AU", "1.1.1.1 AS13335": to `out`. Returns 0 or -EINVAL. */
static int
parse_canary(const char *text, struct settings_canary *out)
{
	size_t length = strcspn(text, " \t");
	const char *rest = text + length + strspn(text + length, " \t");
	char address[IP_TEXT_SIZE], *end = NULL;
	unsigned long asn;

	if (length >= sizeof(address))
		return -EINVAL;
	snprintf(address, sizeof(address), "%.*s", (int)length, text);
	if (ip_parse(address, &out->ip) != 0)
		return -EINVAL;
	if (strlen(rest) == 2 && strspn(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 2) {
		memcpy(out->country, rest, 3);
		return 0;
	}
	if (strncmp(rest, "AS", 2) != 0 || rest[2] < '1' || rest[2] > '9')
		return -EINVAL;
	asn = strtoul(rest + 2, &end, 10);
	out->asn = (uint32_t)asn;
	return *end == '\0' && asn <= UINT32_MAX ? 0 : -EINVAL;
}

static int
take_canary(struct build *b, const struct schema_value *v)
{
	struct settings_canary canary = { .line = v->line };

	if (parse_canary(v->text, &canary) != 0)
		return schema_fail(&b->reader,
			"'%s' is not an address and what it must be, as in 1.1.1.1 AU or 1.1.1.1 "
			"AS13335",
			v->text);
	if (b->s->n_canaries == SETTINGS_CANARIES_MAX)
		return schema_fail(&b->reader, "more than %u canaries", SETTINGS_CANARIES_MAX);
	b->s->canaries[b->s->n_canaries++] = canary;
	return 0;
}

/* Only the operator says who may connect, so no port without an address. */
static int
take_listen(struct build *b, const struct schema_value *v)
{
	struct sockaddr_in6 address = { .sin6_port = 0 }; /* its port is where IPv4 has it */
	int size = sizeof(address);

	if (evutil_parse_sockaddr_port(v->text, (struct sockaddr *)&address, &size) != 0 ||
		address.sin6_port == 0)
		return schema_fail(&b->reader,
			"'%s' is not an address and a port such as 127.0.0.1:9433 or [::1]:9433",
			v->text);
	snprintf(b->s->metrics_listen, sizeof(b->s->metrics_listen), "%s", v->text);
	return 0;
}

static int
take_value(struct schema_reader *r, const struct schema_value *v)
{
	struct build *b = r->context;
	void *field = (char *)b->s + SETTING_ID_INDEX(v->key->id);
	unsigned int number = (unsigned int)v->number;

	switch (SETTING_ID_KIND(v->key->id)) {
	case SETTING_TEXT:
		snprintf(field, v->key->max + 1, "%s", v->text);
		return 0;
	case SETTING_UINT:
		memcpy(field, &number, sizeof(number));
		return 0;
	case SETTING_SWITCH:
		*(bool *)field = v->number != 0;
		return 0;
	case SETTING_CORES:
		return take_cores(b, v);
	case SETTING_VDEV:
		return take_vdev(b, v);
	case SETTING_IDLE:
		b->s->idle = (enum settings_idle)v->word;
		return 0;
	case SETTING_FORMAT:
		b->s->mirror_format = v->word == 0 ? CAPTURE_PCAPNG : CAPTURE_PCAP;
		return 0;
	case SETTING_UINT64:
		*(uint64_t *)field = v->word >= 0 ? 0 : v->number;
		return 0;
	case SETTING_UINT_OR_WORD:
		*(unsigned int *)field = v->word >= 0 ? 0 : number;
		return 0;
	case SETTING_CANARY:
		return take_canary(b, v);
	case SETTING_LISTEN:
		return take_listen(b, v);
	case SETTING_SNAPLEN:
		b->s->mirror_snaplen = v->word == 0 ? 0 : number;
		return 0;
	default:
		return take_wire(b, v);
	}
}

static int
begin_wire(struct schema_reader *r, const struct schema_section *section, const char *name)
{
	struct build *b = r->context;
	struct settings *s = b->s;

	(void)section;
	if (s->n_wires == SETTINGS_WIRES_MAX) {
		r->section = NULL;
		return schema_fail(r, "more than %u wires", SETTINGS_WIRES_MAX);
	}
	snprintf(s->wires[s->n_wires].name, sizeof(s->wires[0].name), "%s", name);
	s->wires[s->n_wires++].line = r->line;
	return 0;
}

/* The nearest device's name goes to `hint`. */
static bool
has_vdev(const struct build *b, const char *name, char hint[SCHEMA_HINT_SIZE])
{
	char names[SETTINGS_VDEVS_MAX][SETTINGS_PORT_SIZE];
	const char *words[SETTINGS_VDEVS_MAX];
	const struct settings *s = b->s;
	unsigned int i;

	for (i = 0; i < s->n_vdevs; i++) {
		snprintf(names[i], sizeof(names[i]), "%.*s", (int)vdev_length(s->vdevs[i]),
			s->vdevs[i]);
		words[i] = names[i];
		if (strcmp(names[i], name) == 0)
			return true;
	}
	schema_hint(&b->reader, hint, name, words, s->n_vdevs);
	return false;
}

/* A port is there and in no other place before this one. */
static void
check_port(struct build *b, unsigned int i, bool is_outside)
{
	const struct settings_wire *wires = b->s->wires;
	const char *port = is_outside ? wires[i].outside : wires[i].inside;
	unsigned int j, line = is_outside ? b->outside_line[i] : b->inside_line[i];
	char hint[SCHEMA_HINT_SIZE], key[80];

	if (port[0] == '\0')
		return;
	snprintf(
		key, sizeof(key), "[wire %s] %s", wires[i].name, is_outside ? "outside" : "inside");
	if (strchr(port, ':') == NULL && !has_vdev(b, port, hint))
		schema_fail_at(&b->reader, line, key,
			"'%s' is neither a PCI address nor a vdev of [eal]%s", port, hint);
	for (j = 0; j <= i; j++) {
		if ((j < i || is_outside) && strcmp(port, wires[j].inside) == 0)
			schema_fail_at(&b->reader, line, key,
				"'%s' is already the inside of [wire %s] in line %u", port,
				wires[j].name, b->inside_line[j]);
		if (j < i && strcmp(port, wires[j].outside) == 0)
			schema_fail_at(&b->reader, line, key,
				"'%s' is already the outside of [wire %s] in line %u", port,
				wires[j].name, b->outside_line[j]);
	}
}

static void
check_wires(struct build *b)
{
	unsigned int i;

	if (b->s->n_wires == 0 && b->reader.n_named == 0)
		schema_fail_at(&b->reader, 0, NULL,
			"there is no wire: add a [wire NAME] with inside and outside");
	for (i = 0; i < b->s->n_wires; i++) {
		check_port(b, i, false);
		check_port(b, i, true);
	}
}

/* It begins the names of the mirror's files. */
static void
check_name(struct build *b)
{
	if (strchr(b->s->name, '/') != NULL || text_has_control(b->s->name))
		schema_fail_at(&b->reader, schema_line(&b->reader, "appliance", "name"),
			"[appliance] name", "'%s' has a '/' or a control character", b->s->name);
}

/* A key of [mirror] that nothing would come of is a mistake. */
static void
check_mirror(struct build *b)
{
	static const char *const keys[] = { "format", "snaplen", "rotate_mb", "rotate_s",
		"retention_days", "max_bytes", "head_command", "filter", "flow_packets" };
	char key[32];
	unsigned int line;
	size_t i;

	for (i = 0; b->s->mirror_dir[0] == '\0' && i < sizeof(keys) / sizeof(keys[0]); i++) {
		line = schema_line(&b->reader, "mirror", keys[i]);
		if (line == 0 || schema_line(&b->reader, "mirror", "dir") != 0)
			continue;
		snprintf(key, sizeof(key), "[mirror] %s", keys[i]);
		schema_fail_at(&b->reader, line, key, "there is no mirror without [mirror] dir");
	}
}

static int
parse(struct build *b, const char *text, size_t size, const char *file, struct err_list *errors)
{
	static const struct schema_sink sink = { begin_wire, take_value };
	int code = schema_read(&b->reader, &settings_schema, &sink, b, text, size, file, errors);

	if (code != 0 && code != -EINVAL)
		return code;
	if (schema_line(&b->reader, "appliance", "name") == 0 &&
		(gethostname(b->s->name, sizeof(b->s->name) - 1) != 0 || b->s->name[0] == '\0'))
		snprintf(b->s->name, sizeof(b->s->name), "trefoil");
	check_name(b);
	check_wires(b);
	check_mirror(b);
	return b->reader.n_errors > 0 ? -EINVAL : 0;
}

struct settings *
settings_parse(const char *text, size_t size, const char *file, struct err_list *errors)
{
	unsigned int first = errors != NULL ? errors->n : 0;
	struct build *b = calloc(1, sizeof(*b));
	struct settings *s = calloc(1, sizeof(*s));
	int code = -ENOMEM;

	if (b != NULL && s != NULL) {
		b->s = s;
		code = parse(b, text, size, file, errors);
		ini_sort_errors(errors, first);
	}
	free(b);
	if (code != 0) {
		free(s);
		errno = -code;
		return NULL;
	}
	return s;
}

struct settings *
settings_load(const char *path, struct err_list *errors)
{
	size_t size;
	char *text = ini_load(path, &size, errors);
	struct settings *s;
	int code;

	if (text == NULL)
		return NULL;
	s = settings_parse(text, size, path, errors);
	code = errno;
	free(text);
	errno = code;
	return s;
}
