/* SPDX-License-Identifier: BSD-3-Clause */
/* The two formats differ in the type line of counters and infos, and in the end. */
#include "metrics/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const suffixes[] = { "_total", "", "_info" };

const char *
metrics_content_type(enum metrics_format format)
{
	return format == METRICS_OPEN ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
				      : "text/plain; version=0.0.4; charset=utf-8";
}

enum metrics_format
metrics_choose_format(const char *accept)
{
	return accept != NULL && strstr(accept, "application/openmetrics-text") != NULL
		       ? METRICS_OPEN
		       : METRICS_TEXT;
}

int
metrics_begin(struct metrics *m, enum metrics_format format)
{
	memset(m, 0, sizeof(*m));
	m->format = format;
	m->out = open_memstream(&m->text, &m->size);
	return m->out != NULL ? 0 : -ENOMEM;
}

void
metrics_family(struct metrics *m, const struct metrics_family *f)
{
	static const char *const open_types[] = { "counter", "gauge", "info" };
	static const char *const text_types[] = { "counter", "gauge", "gauge" };
	bool is_open = m->format == METRICS_OPEN;
	const char *suffix = is_open ? "" : suffixes[f->type];

	m->family = f;
	fprintf(m->out, "# HELP %s%s %s\n# TYPE %s%s %s\n", f->name, suffix, f->help, f->name,
		suffix, (is_open ? open_types : text_types)[f->type]);
}

static void
write_escaped(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\n') {
			fputs("\\n", out);
			continue;
		}
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
}

static void
write_name(struct metrics *m, const struct metrics_label *labels, unsigned int n)
{
	unsigned int i;

	fprintf(m->out, "%s%s", m->family->name, suffixes[m->family->type]);
	for (i = 0; i < n; i++) {
		fprintf(m->out, "%c%s=\"", i == 0 ? '{' : ',', labels[i].name);
		write_escaped(m->out, labels[i].value);
		fputc('"', m->out);
	}
	fputs(n > 0 ? "} " : " ", m->out);
}

void
metrics_count(struct metrics *m, const struct metrics_label *labels, unsigned int n, uint64_t value)
{
	write_name(m, labels, n);
	fprintf(m->out, "%" PRIu64 "\n", value);
}

void
metrics_value(struct metrics *m, const struct metrics_label *labels, unsigned int n, double value)
{
	write_name(m, labels, n);
	if (isnan(value))
		fputs("NaN\n", m->out);
	else if (isinf(value))
		fputs(value > 0 ? "+Inf\n" : "-Inf\n", m->out);
	else
		fprintf(m->out, "%.15g\n", value);
}

char *
metrics_end(struct metrics *m, size_t *size)
{
	bool is_bad;

	if (m->format == METRICS_OPEN)
		fputs("# EOF\n", m->out);
	is_bad = ferror(m->out) != 0;
	if (fclose(m->out) != 0 || is_bad) {
		free(m->text);
		errno = ENOMEM;
		return NULL;
	}
	*size = m->size;
	return m->text;
}
