/* SPDX-License-Identifier: BSD-3-Clause */
/* Defaults and names of the parser's limits. */
#include "base/limits.h"

#include <string.h>

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
