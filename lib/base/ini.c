/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * inih cuts long lines, joins indented ones, splits at ':', drops what follows ']' and counts no
 * lines for its handler. So every line is judged here first, in the reader that inih calls for it;
 * inih gets a clean line without its comment, or an empty one in place of a refused one. inih asks
 * for a line only after it has handled the one before, so `line` is right in its handler too.
 */
#include "base/ini.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct feed {
	const char *at, *end;
	const char *name;
	const struct ini_sink *sink;
	struct err_list *errors;
	unsigned int line;
	unsigned int n_refused;
	int code; /* what a function of the sink stopped with */
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct err *
refuse(struct feed *f)
{
	f->n_refused++;
	return err_list_next(f->errors);
}

/* Length of the UTF-8 sequence at `s` (RFC 3629), 0 = none: overlong, surrogate, cut. */
static size_t
utf8_length(const uint8_t *s, size_t n)
{
	size_t i, length = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if ((s[0] >= 0x80 && s[0] < 0xc2) || s[0] > 0xf4 || length > n)
		return 0;
	for (i = 1; i < length; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
		(s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return length;
}

/* C0 except the tab, DEL, and C1: terminals obey them. */
static bool
is_control(const uint8_t *s)
{
	return (s[0] < 0x20 && s[0] != '\t') || s[0] == 0x7f || (s[0] == 0xc2 && s[1] < 0xa0);
}

static int
check_bytes(struct feed *f, const char *line, size_t n)
{
	const uint8_t *s = (const uint8_t *)line;
	size_t i, length;

	if (n > INI_LINE_MAX)
		return err_set(refuse(f), f->name, f->line, NULL,
			"the line has %zu bytes; at most %u are read: use several keys or lines", n,
			INI_LINE_MAX);
	for (i = 0; i < n; i += length) {
		length = utf8_length(s + i, n - i);
		if (length == 0)
			return err_set(refuse(f), f->name, f->line, NULL,
				"invalid UTF-8: byte 0x%02x in column %zu", s[i], i + 1);
		if (is_control(s + i))
			return err_set(refuse(f), f->name, f->line, NULL, "%s 0x%02x in column %zu",
				s[i] == 0 ? "NUL byte" : "control character", s[i + length - 1],
				i + 1);
	}
	return 0;
}

/* `[name]`, then nothing but a comment. `s` is NUL-terminated; cut behind the bracket. */
static int
check_section(struct feed *f, char *s)
{
	size_t length = strcspn(s + 1, "]");
	char *rest = s + 1 + length;

	if (*rest != ']')
		return err_set(refuse(f), f->name, f->line, NULL,
			"'%s': the ']' of the section is missing", s);
	rest++;
	if (*rest != '\0' && !(is_blank(*rest) && rest[strspn(rest, " \t")] == ';'))
		return err_set(refuse(f), f->name, f->line, NULL,
			"'%s': text behind ']' (a comment begins with ' ;')", rest);
	*rest = '\0';
	if (length == 0 || length > INI_NAME_MAX)
		return err_set(refuse(f), f->name, f->line, NULL,
			"'%s': a section's name has 1 to %u bytes", s, INI_NAME_MAX);
	if (is_blank(s[1]) || is_blank(s[length]) || strpbrk(s + 1, "[;#=") != NULL)
		return err_set(refuse(f), f->name, f->line, NULL,
			"'%s': a section is written [name] or [kind name]", s);
	return 0;
}

static int
check_key(struct feed *f, const char *s, size_t length)
{
	static const char valid[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789+-_.";

	while (length > 0 && is_blank(s[length - 1]))
		length--;
	if (length == 0 || length > INI_NAME_MAX)
		return err_set(refuse(f), f->name, f->line, NULL,
			"'%s': a key has 1 to %u bytes in front of '='", s, INI_NAME_MAX);
	if (strspn(s, valid) < length)
		return err_set(refuse(f), f->name, f->line, NULL,
			"'%.*s' cannot be a key: expected 'key = value' (':' does not separate "
			"them)",
			(int)length, s);
	return 0;
}

/* Cut the comment and the blanks at the end; something must remain. */
static int
check_value(struct feed *f, const char *s, char *value)
{
	size_t i;

	for (i = 0; value[i] != '\0'; i++) {
		if (value[i] == ';' && i > 0 && is_blank(value[i - 1]))
			break;
		if (value[i] == ';' || (value[i] == '#' && (i == 0 || is_blank(value[i - 1]))))
			return err_set(refuse(f), f->name, f->line, NULL,
				"'%s': a comment inside a line begins with ' ;'", value + i);
	}
	while (i > 0 && is_blank(value[i - 1]))
		i--;
	value[i] = '\0';
	if (i == 0)
		return err_set(refuse(f), f->name, f->line, NULL, "'%s' has no value", s);
	return 0;
}

static int
check_entry(struct feed *f, char *s)
{
	char *equals = strchr(s, '=');

	if (equals == NULL)
		return err_set(
			refuse(f), f->name, f->line, NULL, "'%s': expected 'key = value'", s);
	if (check_key(f, s, (size_t)(equals - s)) != 0)
		return -EINVAL;
	return check_value(f, s, equals + 1);
}

/* Judge one line in place. It is empty afterwards when inih shall see nothing of it. */
static void
check_line(struct feed *f, char *s)
{
	size_t n_blanks = strspn(s, " \t");
	int code;

	if (s[n_blanks] == '\0' || s[n_blanks] == ';' || s[0] == '#') {
		s[0] = '\0';
		return;
	}
	if (n_blanks > 0)
		code = err_set(refuse(f), f->name, f->line, NULL,
			"'%s' is indented: lines do not continue, repeat the key instead",
			s + n_blanks);
	else if (s[0] == '[')
		code = check_section(f, s);
	else
		code = check_entry(f, s);
	if (s[0] == '[') {
		s[strcspn(s, "]")] = '\0';
		f->code = f->sink->section(f->sink->context, f->line, code == 0 ? s + 1 : NULL);
	}
	if (s[0] == '[' || code != 0)
		s[0] = '\0';
}

/* The next line without its end; sets its length. */
static const char *
next_line(struct feed *f, size_t *length)
{
	const char *line = f->at;
	const char *end = memchr(line, '\n', (size_t)(f->end - line));

	f->line++;
	f->at = end != NULL ? end + 1 : f->end;
	if (end == NULL)
		end = f->end;
	else if (end > line && end[-1] == '\r')
		end--;
	*length = (size_t)(end - line);
	return line;
}

/* inih's ini_reader: like fgets. */
static char *
feed_line(char *buf, int size, void *stream)
{
	struct feed *f = stream;
	const char *line;
	size_t length;

	if (f->code != 0 || f->at == f->end)
		return NULL;
	line = next_line(f, &length);
	buf[0] = '\0';
	if (check_bytes(f, line, length) != 0 || length >= (size_t)size) {
		if (line[0] == '[')
			f->code = f->sink->section(f->sink->context, f->line, NULL);
		return buf;
	}
	memcpy(buf, line, length);
	buf[length] = '\0';
	check_line(f, buf);
	return buf;
}

/* inih's ini_handler. Sections were already told by feed_line(), which also sees empty ones. */
static int
take_entry(void *user, const char *section, const char *key, const char *value)
{
	struct feed *f = user;

	(void)section;
	if (f->code == 0)
		f->code = f->sink->entry(f->sink->context, f->line, key, value);
	return 1;
}

int
ini_read(const char *text, size_t size, const char *name, const struct ini_sink *sink,
	struct err_list *errors)
{
	struct feed f = {
		.at = text, .end = text + size, .name = name, .sink = sink, .errors = errors
	};
	int line;

	if (size > INI_SIZE_MAX)
		return err_set_code(err_list_next(errors), EFBIG, name, 0, NULL,
			"%zu bytes; at most %u are read", size, INI_SIZE_MAX);
	if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		f.at += 3;
	line = ini_parse_stream(feed_line, &f, take_entry, &f);
	if (f.code != 0)
		return f.code;
	if (line < 0)
		return -ENOMEM;
	if (line > 0)
		return err_set(err_list_next(errors), name, (unsigned int)line, NULL,
			"inih cannot read this line");
	return f.n_refused > 0 ? -EINVAL : 0;
}

/* Read up to `room` bytes. Returns how many, or -errno. */
static ssize_t
read_all(int fd, char *buf, size_t room)
{
	size_t n = 0;
	ssize_t got;

	while (n < room) {
		got = read(fd, buf + n, room - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

/* A file that is being read may grow, and a pipe has no size: so one byte more than is allowed is
 * asked for. */
static ssize_t
load(const char *path, char *buf)
{
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	n = read_all(fd, buf, INI_SIZE_MAX + 1);
	close(fd);
	return n > (ssize_t)INI_SIZE_MAX ? -EFBIG : n;
}

char *
ini_load(const char *path, size_t *size, struct err_list *errors)
{
	char *text, *buf = malloc(INI_SIZE_MAX + 1);
	ssize_t n = buf != NULL ? load(path, buf) : -ENOMEM;

	if (n < 0) {
		err_set(err_list_next(errors), path, 0, NULL,
			n == -EFBIG ? "larger than 4 MiB" : "cannot be read: %s",
			strerror((int)-n));
		free(buf);
		errno = (int)-n;
		return NULL;
	}
	buf[n] = '\0';
	text = realloc(buf, (size_t)n + 1);
	*size = (size_t)n;
	return text != NULL ? text : buf;
}

static unsigned int
sort_key(const struct err *e)
{
	return e->line != 0 ? e->line : UINT32_MAX;
}

void
ini_sort_errors(struct err_list *errors, unsigned int first)
{
	unsigned int i, j;
	struct err e;

	for (i = first + 1; errors != NULL && i < errors->n; i++) {
		e = errors->items[i];
		for (j = i; j > first && sort_key(&errors->items[j - 1]) > sort_key(&e); j--)
			errors->items[j] = errors->items[j - 1];
		errors->items[j] = e;
	}
}
