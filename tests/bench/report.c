/* SPDX-License-Identifier: BSD-3-Clause */
#include "report.h"

#include <argp.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
	const char *name, *path;
	unsigned int n_rounds;
	bool is_strict, has_missed;
	json_t *root, *cells, *notes;
	unsigned long long stolen; /* ticks, before */
	double load;               /* of the machine, before */
} report;

static error_t
parse_option(int key, char *arg, struct argp_state *state)
{
	long n;

	switch (key) {
	case 'r':
		n = strtol(arg, NULL, 10);
		if (n < 1 || n > REPORT_ROUNDS_MAX)
			argp_error(state, "rounds: 1 to %d", REPORT_ROUNDS_MAX);
		report.n_rounds = (unsigned int)n;
		return 0;
	case 'j':
		report.path = arg;
		return 0;
	case 's':
		report.is_strict = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "rounds", 'r', "N", 0, "Rounds, in which what is compared takes turns", 0 },
	{ "json", 'j', "FILE", 0, "Write the figures to FILE too", 0 },
	{ "strict", 's', NULL, 0, "Exit with 1 when a bar is missed", 0 },
	{ 0 },
};

/* Ticks that the host gave to others, from the first line of /proc/stat. */
static unsigned long long
stolen_ticks(void)
{
	FILE *f = fopen("/proc/stat", "re");
	unsigned long long steal = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "cpu %*u %*u %*u %*u %*u %*u %*u %llu", &steal) != 1)
		steal = 0;
	fclose(f);
	return steal;
}

/* What `command` prints, without its newline. Static buffer. */
static const char *
output_of(const char *command)
{
	static char line[256];
	FILE *f = popen(command, "re");

	line[0] = '\0';
	if (f == NULL)
		return line;
	if (fgets(line, sizeof(line), f) == NULL)
		line[0] = '\0';
	pclose(f);
	line[strcspn(line, "\n")] = '\0';
	return line;
}

void
report_begin(int argc, char **argv, const char *name, const char *what, unsigned int n_rounds)
{
	const struct argp argp = { .options = options, .parser = parse_option, .doc = what };

	report.n_rounds = n_rounds;
	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	report.name = name;
	report.cells = json_array();
	report.notes = json_array();
	report.root = json_pack("{s:s, s:s, s:O, s:O}", "bench", name, "what", what, "cells",
		report.cells, "notes", report.notes);
	json_object_set_new(report.root, "commit",
		json_string(output_of("git -C '" TREFOIL_SOURCE_ROOT
				      "' describe --always --dirty --abbrev=12 2>/dev/null")));
	json_object_set_new(report.root, "machine",
		json_string(output_of("sed -n 's/^model name[^:]*: //p' /proc/cpuinfo")));
	json_object_set_new(report.root, "n_cpus", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
	report.stolen = stolen_ticks();
	if (getloadavg(&report.load, 1) != 1)
		report.load = 0;
	printf("%s: %s\n%-52s %-9s %9s %9s %9s %4s  %s\n", name, what, "", "unit", "median", "min",
		"max", "n", "bar");
}

unsigned int
report_rounds(void)
{
	return report.n_rounds;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
quantile(const struct report_series *s, double q)
{
	double sorted[REPORT_ROUNDS_MAX];

	if (s->n == 0)
		return NAN;
	memcpy(sorted, s->values, s->n * sizeof(*sorted));
	qsort(sorted, s->n, sizeof(*sorted), compare);
	return sorted[(size_t)(q * (s->n - 1) + 0.5)];
}

double
report_median(const struct report_series *s)
{
	return quantile(s, 0.5);
}

static void
judge(json_t *cell, double median, enum report_better better, double bar)
{
	bool is_met = better == REPORT_LOWER ? median <= bar : median >= bar;
	bool has_bar = !isnan(bar);

	report.has_missed |= has_bar && !is_met;
	if (has_bar)
		printf("  %s %g: %s", better == REPORT_LOWER ? "<=" : ">=", bar,
			is_met ? "met" : "NOT MET");
	json_object_set_new(
		cell, "better", json_string(better == REPORT_LOWER ? "lower" : "higher"));
	json_object_set_new(cell, "bar", has_bar ? json_real(bar) : json_null());
	json_object_set_new(cell, "met", has_bar ? json_boolean(is_met) : json_null());
}

/* JSON knows neither NAN nor infinity. */
static json_t *
number(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static json_t *
add_cell(const char *name, const char *unit, const struct report_series *s,
	enum report_better better, double bar)
{
	double median = report_median(s), min = quantile(s, 0), max = quantile(s, 1);
	json_t *cell = json_pack("{s:s, s:s, s:o, s:o, s:o, s:i}", "name", name, "unit", unit,
		"median", number(median), "min", number(min), "max", number(max), "n", (int)s->n);

	printf("%-52s %-9s %9.3f %9.3f %9.3f %4u", name, unit, median, min, max, s->n);
	judge(cell, median, better, bar);
	putchar('\n');
	json_array_append_new(report.cells, cell);
	return cell;
}

void
report_cell(const char *name, const char *unit, const struct report_series *s,
	enum report_better better, double bar)
{
	add_cell(name, unit, s, better, bar);
}

void
report_ratio(const char *name, const struct report_series *a, const struct report_series *b,
	enum report_better better, double bar)
{
	struct report_series ratios = { .n = 0 };
	json_t *cell;
	unsigned int i;

	for (i = 0; i < a->n && i < b->n; i++)
		report_add(&ratios, a->values[i] / b->values[i]);
	cell = add_cell(name, "ratio", &ratios, better, bar);
	json_object_set_new(cell, "of_best", number(quantile(a, 0) / quantile(b, 0)));
}

void
report_value(
	const char *name, const char *unit, double value, enum report_better better, double bar)
{
	struct report_series s = { .n = 0 };

	report_add(&s, value);
	report_cell(name, unit, &s, better, bar);
}

void
report_note(const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	printf("  %s\n", text);
	json_array_append_new(report.notes, json_string(text));
}

static void
note_sharing(void)
{
	unsigned long long stolen = stolen_ticks() - report.stolen;

	if (report.load > 0.3 || stolen > 0)
		report_note("the machine was shared: load %.1f when it began, %llu ticks stolen "
			    "while it ran",
			report.load, stolen);
	else
		report_note("the machine was quiet: load %.1f when it began", report.load);
}

int
report_end(void)
{
	int status = report.is_strict && report.has_missed ? EXIT_FAILURE : EXIT_SUCCESS;

	note_sharing();
	printf("  %s, %s\n", json_string_value(json_object_get(report.root, "machine")),
		json_string_value(json_object_get(report.root, "commit")));
	if (report.path != NULL && json_dump_file(report.root, report.path, JSON_INDENT(1)) != 0) {
		fprintf(stderr, "%s: cannot write %s\n", report.name, report.path);
		status = EXIT_FAILURE;
	}
	json_decref(report.cells);
	json_decref(report.notes);
	json_decref(report.root);
	return status;
}
