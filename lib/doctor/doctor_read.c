/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading what the kernel shows, or what somebody put in its place: bounded, and no number is taken
 * from what is not one. */
#include "doctor_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool format_path(const struct doctor *d, char out[DOCTOR_PATH_SIZE], const char *format,
	va_list args) __attribute__((format(printf, 3, 0)));

static bool
format_path(const struct doctor *d, char out[DOCTOR_PATH_SIZE], const char *format, va_list args)
{
	int n = snprintf(out, DOCTOR_PATH_SIZE, "%s", d->options->root), m;

	if (n < 0 || n >= DOCTOR_PATH_SIZE)
		return false;
	m = vsnprintf(out + n, (size_t)(DOCTOR_PATH_SIZE - n), format, args);
	return m >= 0 && m < DOCTOR_PATH_SIZE - n;
}

const char *
doctor_path(const struct doctor *d, const char *path, char out[DOCTOR_PATH_SIZE])
{
	snprintf(out, DOCTOR_PATH_SIZE, "%s%s", d->options->root, path);
	return out;
}

const char *
doctor_quote(const char *text, char out[DOCTOR_PATH_SIZE])
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_-+=./:@%,";
	size_t at = 0;

	if (text[0] != '\0' && text[strspn(text, plain)] == '\0') {
		snprintf(out, DOCTOR_PATH_SIZE, "%s", text);
		return out;
	}
	out[at++] = '\'';
	for (; *text != '\0' && at < DOCTOR_PATH_SIZE - 6; text++)
		if (*text != '\'')
			out[at++] = *text;
		else
			at += (size_t)snprintf(out + at, DOCTOR_PATH_SIZE - at, "'\\''");
	out[at++] = '\'';
	out[at] = '\0';
	return out;
}

bool
doctor_exists(const struct doctor *d, const char *format, ...)
{
	char path[DOCTOR_PATH_SIZE];
	va_list args;
	bool is_path;

	va_start(args, format);
	is_path = format_path(d, path, format, args);
	va_end(args);
	return is_path && access(path, F_OK) == 0;
}

/* The first line of a file that cannot make us wait. */
static bool
read_line(const char *path, char text[DOCTOR_TEXT_SIZE])
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, DOCTOR_TEXT_SIZE - 1) : -1;

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return n > 0;
}

bool
doctor_text(const struct doctor *d, char text[DOCTOR_TEXT_SIZE], const char *format, ...)
{
	char path[DOCTOR_PATH_SIZE];
	va_list args;
	bool is_path;

	text[0] = '\0';
	va_start(args, format);
	is_path = format_path(d, path, format, args);
	va_end(args);
	return is_path && read_line(path, text);
}

bool
doctor_number(const struct doctor *d, int64_t *out, const char *format, ...)
{
	char path[DOCTOR_PATH_SIZE], text[DOCTOR_TEXT_SIZE], *end;
	va_list args;
	bool is_path;
	long long value;

	va_start(args, format);
	is_path = format_path(d, path, format, args);
	va_end(args);
	if (!is_path || !read_line(path, text))
		return false;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (end == text || *end != '\0' || errno != 0)
		return false;
	*out = value;
	return true;
}

bool
doctor_link(const struct doctor *d, char text[DOCTOR_TEXT_SIZE], const char *format, ...)
{
	char path[DOCTOR_PATH_SIZE], *slash;
	va_list args;
	ssize_t n = -1;

	va_start(args, format);
	if (format_path(d, path, format, args))
		n = readlink(path, text, DOCTOR_TEXT_SIZE - 1);
	va_end(args);
	text[n > 0 ? n : 0] = '\0';
	slash = strrchr(text, '/');
	if (slash != NULL)
		memmove(text, slash + 1, strlen(slash));
	return text[0] != '\0';
}

bool
doctor_list_has(const char *list, unsigned int cpu)
{
	const char *at = list;
	unsigned long first, last;
	char *end;

	while (*at >= '0' && *at <= '9') {
		first = last = strtoul(at, &end, 10);
		if (*end == '-') {
			at = end + 1;
			if (*at < '0' || *at > '9')
				return false;
			last = strtoul(at, &end, 10);
		}
		if (cpu >= first && cpu <= last)
			return true;
		at = *end == ',' ? end + 1 : "";
	}
	return false;
}

int
doctor_core_node(const struct doctor *d, unsigned int core)
{
	char list[DOCTOR_TEXT_SIZE];
	int node;

	for (node = 0; node < 64; node++)
		if (doctor_text(d, list, "/sys/devices/system/node/node%d/cpulist", node) &&
			doctor_list_has(list, core))
			return node;
	return -1;
}

const char *
doctor_pick_cores(const char *list, unsigned int n, char out[DOCTOR_LIST_SIZE])
{
	unsigned int core, n_picked = 0;
	size_t at = 0;

	for (core = 1; core <= SETTINGS_CORE_MAX && n_picked < n && at < DOCTOR_LIST_SIZE - 8;
		core++)
		if (doctor_list_has(list, core))
			at += (size_t)snprintf(out + at, DOCTOR_LIST_SIZE - at, "%s%u",
				n_picked++ > 0 ? "," : "", core);
	if (n_picked == 0)
		snprintf(out, DOCTOR_LIST_SIZE, "0");
	return out;
}

/* "net_af_packet0,iface=eth1,..." */
bool
doctor_vdev_interface(const struct settings *settings, const char *port, char name[16])
{
	size_t length = strlen(port), n;
	const char *at;
	unsigned int i;

	for (i = 0; i < settings->n_vdevs; i++) {
		if (strncmp(settings->vdevs[i], port, length) != 0 ||
			settings->vdevs[i][length] != ',')
			continue;
		at = strstr(settings->vdevs[i], ",iface=");
		if (at == NULL)
			return false;
		at += strlen(",iface=");
		n = strcspn(at, ",");
		if (n == 0 || n > 15 || memchr(at, '/', n) != NULL || at[0] == '.')
			return false;
		memcpy(name, at, n);
		name[n] = '\0';
		return true;
	}
	return false;
}
