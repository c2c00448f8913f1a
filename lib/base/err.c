/* SPDX-License-Identifier: BSD-3-Clause */
/* Error texts: bounded copies into one struct. */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>

static void err_fill(struct err *e, const char *file, unsigned int line, const char *key,
	const char *format, va_list args) __attribute__((format(printf, 5, 0)));

static void
err_fill(struct err *e, const char *file, unsigned int line, const char *key, const char *format,
	va_list args)
{
	if (e == NULL)
		return;
	snprintf(e->file, sizeof(e->file), "%s", file != NULL ? file : "");
	snprintf(e->key, sizeof(e->key), "%s", key != NULL ? key : "");
	e->line = line;
	vsnprintf(e->message, sizeof(e->message), format, args);
}

int
err_set(struct err *e, const char *file, unsigned int line, const char *key, const char *format,
	...)
{
	va_list args;

	va_start(args, format);
	err_fill(e, file, line, key, format, args);
	va_end(args);
	return -EINVAL;
}

int
err_set_code(struct err *e, int code, const char *file, unsigned int line, const char *key,
	const char *format, ...)
{
	va_list args;

	va_start(args, format);
	err_fill(e, file, line, key, format, args);
	va_end(args);
	return -code;
}

const char *
err_format(const struct err *e, char *buf, size_t size)
{
	char place[sizeof(e->file) + 16] = "";

	if (e->file[0] != '\0' && e->line != 0)
		snprintf(place, sizeof(place), "%s:%u: ", e->file, e->line);
	else if (e->file[0] != '\0')
		snprintf(place, sizeof(place), "%s: ", e->file);
	snprintf(buf, size, "%s%s%s%s", place, e->key, e->key[0] != '\0' ? ": " : "", e->message);
	return buf;
}

struct err *
err_list_next(struct err_list *list)
{
	if (list == NULL)
		return NULL;
	list->n_found++;
	if (list->n == ERR_LIST_MAX)
		return NULL;
	return &list->items[list->n++];
}
