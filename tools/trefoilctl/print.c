/* SPDX-License-Identifier: BSD-3-Clause */
/* What a terminal shows. AS names and messages come from other people's files: nothing of them
 * reaches the terminal before print_safe(). Widths count characters, not bytes. */
#include "print.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define N_COLUMNS 12

struct row {
	uint64_t weight;
	size_t index;
	char *cells[N_COLUMNS];
};

struct table {
	const char *heads[N_COLUMNS];
	bool is_number[N_COLUMNS];
	size_t n_columns, n_cells, n_rows, room;
	struct row *rows;
};

static void *
need(void *memory)
{
	if (memory == NULL) {
		fputs("trefoilctl: out of memory\n", stderr);
		exit(EXIT_FAILURE);
	}
	return memory;
}

/* The code point at `s` and its length in bytes; 0 = no valid UTF-8 (RFC 3629). */
static size_t
utf8_next(const unsigned char *s, uint32_t *code)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length, i;

	if (s[0] < 0x80) {
		*code = s[0];
		return 1;
	}
	length = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	*code = s[0] & (0x7fu >> length);
	for (i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (s[i] & 0x3f);
	}
	if (*code < smallest[length] || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000))
		return 0;
	return length;
}

static bool
is_unsafe(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x61c || code == 0xfeff ||
	       (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2060 && code <= 0x206f);
}

char *
print_safe(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t length, size;
	uint32_t code;
	char *safe;
	FILE *out;

	out = need(open_memstream(&safe, &size));
	for (; *s != '\0'; s += length > 0 ? length : 1) {
		length = utf8_next(s, &code);
		if (length == 0)
			fprintf(out, "\\x%02x", *s);
		else if (is_unsafe(code))
			fprintf(out, code < 0x80 ? "\\x%02" PRIx32 : "\\u%04" PRIx32, code);
		else
			fwrite(s, 1, length, out);
	}
	if (fclose(out) != 0)
		need(NULL);
	return safe;
}

const char *
print_count(uint64_t n, char *buf, size_t size)
{
	char digits[24];
	size_t i, at = 0, length;

	length = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, n);
	for (i = 0; i < length && at + 2 < size; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			buf[at++] = ',';
		buf[at++] = digits[i];
	}
	buf[at] = '\0';
	return buf;
}

const char *
print_bytes(uint64_t n, char *buf, size_t size)
{
	static const char units[] = "kMGTPE";
	double value = (double)n / 1000;
	size_t i = 0;

	if (n < 1000) {
		snprintf(buf, size, "%" PRIu64 " B", n);
		return buf;
	}
	for (; value >= 999.95 && i + 2 < sizeof(units); i++)
		value /= 1000;
	snprintf(buf, size, "%.1f %cB", value, units[i]);
	return buf;
}

const char *
print_duration(uint64_t seconds, char *buf, size_t size)
{
	uint64_t days = seconds / 86400;
	unsigned int rest = (unsigned int)(seconds % 86400);

	if (days > 0)
		snprintf(buf, size, "%" PRIu64 " d %02u:%02u:%02u", days, rest / 3600,
			rest / 60 % 60, rest % 60);
	else
		snprintf(buf, size, "%02u:%02u:%02u", rest / 3600, rest / 60 % 60, rest % 60);
	return buf;
}

static size_t
width_of(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

struct table *
table_new(const char *const *heads)
{
	struct table *t = need(calloc(1, sizeof(*t)));

	while (t->n_columns < N_COLUMNS && heads[t->n_columns] != NULL) {
		t->heads[t->n_columns] = heads[t->n_columns];
		t->n_columns++;
	}
	return t;
}

void
table_row(struct table *t, uint64_t weight)
{
	if (t->n_rows == t->room) {
		t->room = t->room == 0 ? 64 : t->room * 2;
		t->rows = need(reallocarray(t->rows, t->room, sizeof(*t->rows)));
	}
	t->rows[t->n_rows] = (struct row){ .weight = weight, .index = t->n_rows };
	t->n_rows++;
	t->n_cells = 0;
}

void
table_cell(struct table *t, char *text, bool is_number)
{
	if (t->n_rows == 0 || t->n_cells == t->n_columns) {
		free(text);
		return;
	}
	t->is_number[t->n_cells] |= is_number;
	t->rows[t->n_rows - 1].cells[t->n_cells++] = text;
}

static int
row_compare(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->weight != y->weight)
		return x->weight < y->weight ? 1 : -1;
	return x->index < y->index ? -1 : 1;
}

static void
table_line(const struct table *t, const char *const *cells, const size_t *widths, FILE *out)
{
	const char *cell;
	int padding;
	size_t i;

	for (i = 0; i < t->n_columns; i++) {
		cell = cells[i] != NULL ? cells[i] : "-";
		padding = (int)(widths[i] - width_of(cell));
		if (t->is_number[i])
			fprintf(out, "%*s%s", padding, "", cell);
		else if (i + 1 < t->n_columns)
			fprintf(out, "%s%*s", cell, padding, "");
		else
			fputs(cell, out);
		fputs(i + 1 < t->n_columns ? "  " : "\n", out);
	}
}

void
table_end(struct table *t, FILE *out)
{
	size_t widths[N_COLUMNS], i, k, width;

	for (k = 0; k < t->n_columns; k++)
		widths[k] = width_of(t->heads[k]);
	for (i = 0; i < t->n_rows; i++)
		for (k = 0; k < t->n_columns; k++) {
			width = t->rows[i].cells[k] != NULL ? width_of(t->rows[i].cells[k]) : 1;
			widths[k] = width > widths[k] ? width : widths[k];
		}
	if (t->n_rows > 0) {
		qsort(t->rows, t->n_rows, sizeof(*t->rows), row_compare);
		table_line(t, t->heads, widths, out);
	}
	for (i = 0; i < t->n_rows; i++) {
		table_line(t, (const char *const *)t->rows[i].cells, widths, out);
		for (k = 0; k < t->n_columns; k++)
			free(t->rows[i].cells[k]);
	}
	free(t->rows);
	free(t);
}
