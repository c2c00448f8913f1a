/* SPDX-License-Identifier: BSD-3-Clause */
/* Hot-plugging by EAL's own functions, by the name that the settings use. */
#include "plug.h"

#include "vdev.h"

#include <errno.h>
#include <rte_dev.h>
#include <string.h>
#include <unistd.h>

static const char *
bus_of(const struct port *port)
{
	return strchr(port->name, ':') != NULL ? "pci" : "vdev";
}

bool
plug_is_gone(const struct port *port)
{
	return port->id != PORT_ABSENT && port->if_index != 0 && !vdev_is_there(port->if_index);
}

static uint64_t
missed(const struct port *port)
{
	struct rte_eth_stats stats;

	return rte_eth_stats_get(port->id, &stats) == 0 ? stats.imissed : 0;
}

void
plug_take_out(struct port *port)
{
	port->n_missed_before += missed(port);
	(void)rte_eth_dev_stop(port->id);
	(void)rte_eth_dev_close(port->id);
	(void)rte_eal_hotplug_remove(bus_of(port), port->name);
	port->id = PORT_ABSENT;
	port->if_index = 0;
}

bool
plug_can_return(const struct port *port, const struct settings *settings)
{
	char path[128];

	if (strchr(port->name, ':') == NULL)
		return vdev_has_interface(settings, port->name);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", port->name);
	return access(path, F_OK) == 0;
}

static int
attach(struct port *port, const struct settings *settings, struct err *e)
{
	const char *arguments = vdev_find(settings, port->name);
	int status;

	arguments = arguments != NULL && *arguments == ',' ? arguments + 1 : "";
	status = rte_eal_hotplug_add(bus_of(port), port->name, arguments);
	if (status == 0)
		status = rte_eth_dev_get_port_by_name(port->name, &port->id);
	if (status == 0)
		return 0;
	port->id = PORT_ABSENT;
	return err_set_code(e, -status, NULL, 0, port->name, "cannot be plugged in again: %s",
		strerror(-status));
}

int
plug_bring_back(const struct wires *wires, struct port *port, const struct settings *settings,
	const struct settings_wire *wire, struct err *e)
{
	int status = attach(port, settings, e);

	if (status != 0)
		return status;
	status = wires_setup_port(wires, port, settings, wire, e);
	if (status == 0)
		status = wires_start_port(port, wire, e);
	if (status != 0)
		plug_take_out(port);
	return status;
}
