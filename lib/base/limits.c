/* SPDX-License-Identifier: BSD-3-Clause */
/* Defaults and names of the parser's limits. */
#include "base/limits.h"

#include <stdbool.h>
#include <string.h>

/* Factors are odd, so the highest bit alone stays where it is. */
#define NOT_IN_SLOT_0 0x8000u

/* With more no factor is found. */
#define PORTS_MAX (LIMITS_SLOTS / 2)

static const char *const non_ip_names[NON_IP_N] = {
#define X(id, name, pass) [NON_IP_##id] = name,
	NON_IPS(X)
#undef X
};

#define FIRST(first, ...) first
static const char *const tunnel_port_names[TUNNEL_PORT_N] = {
#define X(id, ...) [TUNNEL_PORT_##id] = FIRST(__VA_ARGS__, ),
	TUNNEL_PORTS(X)
#undef X
};

static void
set_ports(struct limits *limits, enum tunnel_port kind, const uint16_t *ports, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		limits_set_port(limits, ports[i], kind);
}

/* Port 0 is no tunnel's: 0 is a free slot everywhere but in slot 0, where 0 itself would be found. */
static bool
try_factor(struct limits *limits, const uint16_t *ports, size_t n, uint16_t factor)
{
	size_t i;

	memset(limits->slots, 0, sizeof(limits->slots));
	limits->slots[0] = NOT_IN_SLOT_0;
	for (i = 0; i < n; i++) {
		unsigned int slot = limits_slot(ports[i], factor);

		if (limits->slots[slot] != (slot == 0 ? NOT_IN_SLOT_0 : 0))
			return false;
		limits->slots[slot] = ports[i];
	}
	return true;
}

void
limits_fill_slots(struct limits *limits)
{
	uint16_t ports[PORTS_MAX];
	unsigned int port, factor;
	size_t n = 0;

	limits->slot_factor = 0;
	for (port = 0; port < 65536; port++) {
		if (limits->wire_port[port] == TUNNEL_PORT_NONE)
			continue;
		if (n == PORTS_MAX || port == 0)
			return;
		ports[n++] = (uint16_t)port;
	}
	for (factor = 1; factor < 65536; factor += 2)
		if (try_factor(limits, ports, n, (uint16_t)factor)) {
			limits->slot_factor = (uint16_t)factor;
			return;
		}
}

void
limits_init(struct limits *limits)
{
	memset(limits, 0, sizeof(*limits));
	limits->n_tags_max = 4;
	limits->n_labels_max = 16;
	limits->n_headers_max = 8;
	limits->headers_size_max = 1024;
	limits->n_tunnels_max = 4;
#define X(id, name, ...)                                                                           \
	set_ports(limits, TUNNEL_PORT_##id, (const uint16_t[]){ __VA_ARGS__ },                     \
		sizeof((const uint16_t[]){ __VA_ARGS__ }) / sizeof(uint16_t));
	TUNNEL_PORTS(X)
#undef X
	limits_fill_slots(limits);
}

const char *
non_ip_name(enum non_ip protocol)
{
	return protocol < NON_IP_N ? non_ip_names[protocol] : NULL;
}

const char *
tunnel_port_name(enum tunnel_port kind)
{
	return kind < TUNNEL_PORT_N ? tunnel_port_names[kind] : NULL;
}
