/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel has credentials per thread: setresuid() of the C library changes the user of all of
 * them, and only the control thread asked to keep capabilities over that, so the threads that EAL
 * made before lose theirs.
 */
#include "privilege.h"

#include "daemon.h"
#include "owner.h"
#include "vdev.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* What drivers do after their ports are set up: link state and promiscuous mode of kernel
 * interfaces, sockets of their own. Those of vfio-pci need nothing. */
static const struct {
	const char *driver; /* begins with */
	unsigned int capability;
} needs[] = {
	{ "net_af_packet", CAP_NET_ADMIN },
	{ "net_af_packet", CAP_NET_RAW },
	{ "net_af_xdp", CAP_NET_ADMIN },
	{ "net_af_xdp", CAP_NET_RAW },
	{ "net_af_xdp", CAP_BPF },
	{ "net_tap", CAP_NET_ADMIN },
	{ "net_virtio_user", CAP_NET_ADMIN },
	{ "mlx", CAP_NET_ADMIN },
	{ "mlx", CAP_NET_RAW },
};

void
privilege_begin(void)
{
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static bool has_dropped;

/* Rings of kernel interfaces are locked memory, which is made again when a device comes back. */
static bool
may_lock(void)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	return setrlimit(RLIMIT_MEMLOCK, &unlimited) == 0;
}

static void
keep_for_port(const struct port *port, bool needs_lock)
{
	struct rte_eth_dev_info info;
	size_t i;

	if (needs_lock && vdev_is_kernel(port->name))
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_IPC_LOCK);
	if (rte_eth_dev_info_get(port->id, &info) != 0)
		return;
	for (i = 0; i < N(needs); i++)
		if (strncmp(info.driver_name, needs[i].driver, strlen(needs[i].driver)) == 0)
			capng_update(
				CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, needs[i].capability);
}

static int
change_user(const struct passwd *user, const struct wires *wires, struct err *e)
{
	bool is_limited = !may_lock();
	bool has_lock = capng_get_caps_process() == 0 &&
			capng_have_capability(CAPNG_PERMITTED, CAP_IPC_LOCK) != 0;
	unsigned int i;
	int status;

	if (is_limited && !has_lock)
		daemon_log("memory that may be locked is limited: an interface of the kernel that "
			   "goes down may not be used again: LimitMEMLOCK=infinity");
	capng_clear(CAPNG_SELECT_ALL);
	for (i = 0; i < wires->n; i++) {
		keep_for_port(&wires->items[i].inside, is_limited && has_lock);
		keep_for_port(&wires->items[i].outside, is_limited && has_lock);
	}
	status = capng_change_id(
		(int)user->pw_uid, (int)user->pw_gid, CAPNG_INIT_SUPP_GRP | CAPNG_CLEAR_BOUNDING);
	if (status == 0 && setuid(0) != 0)
		return 0;
	return err_set_code(e, EPERM, NULL, 0, "[appliance] user",
		"cannot become %s (libcap-ng: %d): start as root with CAP_SETUID, CAP_SETGID and "
		"CAP_SETPCAP",
		user->pw_name, status);
}

/* Beside the socket that a killed daemon left there is what EAL makes, which goes into systemd's
 * RUNTIME_DIRECTORY where there is one. */
static int
give_directories(const struct settings *settings, const struct passwd *user, struct err *e)
{
	const struct owner owner = { user->pw_uid, user->pw_gid, user->pw_name };
	const char *ignored[] = { NULL, "dpdk", NULL };
	char directory[sizeof(settings->socket)], *slash;
	int status = owner_give(settings->state_dir, 0711, &owner, NULL, e);

	memcpy(directory, settings->socket, sizeof(directory));
	slash = strrchr(directory, '/');
	if (status == 0 && slash != NULL && slash != directory) {
		*slash = '\0';
		ignored[0] = slash + 1;
		status = owner_give(directory, 0755, &owner, ignored, e);
	}
	return status;
}

/* As the user, who can give rights to what is his. */
static void
share_evidence(const struct settings *settings)
{
	const struct group *auditors = getgrnam(settings->auditors);
	int status;

	if (settings->mirror_dir[0] == '\0')
		return;
	if (auditors == NULL) {
		daemon_log("%s: only root and %s may read it: there is no group '%s' for [access] "
			   "auditors: addgroup --system %s, and restart",
			settings->mirror_dir, settings->user, settings->auditors,
			settings->auditors);
		return;
	}
	status = owner_share(settings->mirror_dir, auditors->gr_gid);
	if (status == -EPERM || status == -EACCES)
		daemon_log("%s: is not %s's, which is to write there: chown -R %s: %s",
			settings->mirror_dir, settings->user, settings->user, settings->mirror_dir);
	else if (status != 0)
		daemon_log("%s: the group %s cannot be let in: %s", settings->mirror_dir,
			settings->auditors, strerror(-status));
}

static const struct passwd *
find_user(const char *name, struct err *e)
{
	const struct passwd *user = getpwnam(name);

	if (user != NULL && user->pw_uid != 0)
		return user;
	err_set_code(e, ENOENT, NULL, 0, "[appliance] user",
		user == NULL ? "there is no user '%s': adduser --system --group %s"
			     : "'%s' is root, whose privileges this key is to give up: name "
			       "another user than %s, or leave the key out",
		name, name);
	return NULL;
}

/* Started by somebody else than root there is nothing to give up. */
static int
stay(const struct settings *settings, const struct passwd *user, struct err *e)
{
	if (geteuid() != user->pw_uid)
		return err_set_code(e, EPERM, NULL, 0, "[appliance] user",
			"'%s', but the daemon was started as uid %u: start it as root or as %s",
			settings->user, geteuid(), settings->user);
	daemon_log("was started as user %s already, with what the ports need", settings->user);
	return 0;
}

static void
log_kept(const struct passwd *user)
{
	char *kept = NULL;

	if (capng_get_caps_process() == 0)
		kept = capng_print_caps_text(CAPNG_PRINT_BUFFER, CAPNG_PERMITTED);
	daemon_log("runs as user %s (uid %u) from here on; capabilities of the control thread: %s; "
		   "of the workers: none; no new privileges",
		user->pw_name, user->pw_uid, kept != NULL ? kept : "unknown");
	free(kept);
}

int
privilege_drop(const struct settings *settings, const struct wires *wires, struct err *e)
{
	const struct passwd *user;
	int status;

	if (settings->user[0] == '\0') {
		if (geteuid() == 0)
			daemon_log("keeps the privileges of root: [appliance] user = trefoil would "
				   "give them up");
		return 0;
	}
	user = find_user(settings->user, e);
	if (user == NULL)
		return -ENOENT;
	if (geteuid() != 0)
		return stay(settings, user, e);
	status = give_directories(settings, user, e);
	if (status == 0)
		status = change_user(user, wires, e);
	if (status == 0) {
		log_kept(user);
		share_evidence(settings);
	}
	has_dropped = status == 0;
	return status;
}

void
privilege_drop_thread(void)
{
	if (!has_dropped)
		return;
	capng_clear(CAPNG_SELECT_CAPS);
	if (capng_apply(CAPNG_SELECT_CAPS) != 0)
		daemon_log("a thread keeps the capabilities of the control thread");
}
