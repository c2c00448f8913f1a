/* SPDX-License-Identifier: BSD-3-Clause */
/* DPDK 22.11's net_af_packet caps its frames at 1,518 bytes whatever framesz says, and reports each
 * link as up: the kernel is asked instead. */
#include "vdev.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define AF_PACKET_PREFIX   "net_af_packet"
#define AF_XDP_PREFIX      "net_af_xdp"
#define AF_PACKET_FRAMESZ  2048 /* the driver's defaults */
#define AF_PACKET_FRAMECNT 512

const char *
vdev_find(const struct settings *settings, const char *name)
{
	size_t length = strlen(name);
	unsigned int i;

	for (i = 0; i < settings->n_vdevs; i++) {
		const char *rest = settings->vdevs[i] + length;

		if (strncmp(settings->vdevs[i], name, length) == 0 &&
			(*rest == ',' || *rest == '\0'))
			return rest;
	}
	return NULL;
}

/* A number among the arguments of a net_af_packet vdev, 0 for other ports. */
static unsigned int
af_packet_number(const struct settings *settings, const char *name, const char *argument,
	unsigned int fallback)
{
	const char *arguments = vdev_find(settings, name), *found;

	if (arguments == NULL || strncmp(name, AF_PACKET_PREFIX, strlen(AF_PACKET_PREFIX)) != 0)
		return 0;
	found = strstr(arguments, argument);
	if (found == NULL)
		return fallback;
	return (unsigned int)strtoul(found + strlen(argument), NULL, 10);
}

unsigned int
vdev_framesz(const struct settings *settings, const char *name)
{
	return af_packet_number(settings, name, ",framesz=", AF_PACKET_FRAMESZ);
}

unsigned int
vdev_framecnt(const struct settings *settings, const char *name)
{
	return af_packet_number(settings, name, ",framecnt=", AF_PACKET_FRAMECNT);
}

bool
vdev_is_kernel(const char *name)
{
	return strncmp(name, AF_PACKET_PREFIX, strlen(AF_PACKET_PREFIX)) == 0 ||
	       strncmp(name, AF_XDP_PREFIX, strlen(AF_XDP_PREFIX)) == 0;
}

bool
vdev_has_interface(const struct settings *settings, const char *name)
{
	const char *arguments = vdev_find(settings, name), *found;
	char interface[IF_NAMESIZE] = "";

	if (arguments == NULL || !vdev_is_kernel(name))
		return true;
	found = strstr(arguments, ",iface=");
	if (found == NULL || sscanf(found, ",iface=%15[^,]", interface) != 1)
		return true;
	return if_nametoindex(interface) != 0;
}

/* EAL goes on without a vdev that it could not make. */
int
vdev_explain_missing(const char *name, struct err *e)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0 && errno == EPERM)
		return err_set_code(e, EPERM, NULL, 0, name,
			"no permission to open packet sockets: run trefoild as root, or give it "
			"CAP_NET_RAW and CAP_NET_ADMIN");
	if (fd >= 0)
		close(fd);
	return err_set_code(e, ENODEV, NULL, 0, name,
		"DPDK could not make this vdev (its own message is above): is the interface of "
		"its iface= there (ip link), are its other arguments right, may it lock enough "
		"memory (ulimit -l; LimitMEMLOCK= of the unit)?");
}

static int
ask_kernel(unsigned int if_index, unsigned long what, struct ifreq *request)
{
	int fd, status = 0;

	if (if_indextoname(if_index, request->ifr_name) == NULL)
		return -errno;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, what, request) != 0)
		status = -errno;
	close(fd);
	return status;
}

int
vdev_set_mtu(unsigned int if_index, uint16_t mtu)
{
	struct ifreq request = { .ifr_mtu = mtu };

	return ask_kernel(if_index, SIOCSIFMTU, &request);
}

int
vdev_switch_link(unsigned int if_index, bool is_on)
{
	struct ifreq request = { .ifr_flags = 0 };
	int status = ask_kernel(if_index, SIOCGIFFLAGS, &request);

	if (status != 0)
		return status;
	if (is_on)
		request.ifr_flags |= IFF_UP;
	else
		request.ifr_flags &= ~IFF_UP;
	return ask_kernel(if_index, SIOCSIFFLAGS, &request);
}

bool
vdev_is_there(unsigned int if_index)
{
	char name[IF_NAMESIZE];

	return if_indextoname(if_index, name) != NULL;
}

static bool
has_flags(unsigned int if_index, int wanted)
{
	struct ifreq request = { .ifr_flags = 0 };

	return ask_kernel(if_index, SIOCGIFFLAGS, &request) == 0 &&
	       (request.ifr_flags & wanted) == wanted;
}

bool
vdev_has_link(unsigned int if_index)
{
	return has_flags(if_index, IFF_UP | IFF_RUNNING);
}

bool
vdev_is_switched_on(unsigned int if_index)
{
	return has_flags(if_index, IFF_UP);
}
