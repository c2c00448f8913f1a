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
	json_t *root, *cells, *notes;
	unsigned long long stolen; /* ticks, before */
	double load;               /* of the machine, before */
	bool has_missed;
} report;

static error_t
parse_option(int key, char *arg, struct argp_state *state)
{
	if (key == 'j')
		report.path = arg;
	else
		return key == ARGP_KEY_ARG ? ARGP_ERR_UNKNOWN : 0;
	return 0;
}

static const struct argp_option options[] = {
	{ "json", 'j', "FILE", 0, "Write the figures to FILE too", 0 },
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
report_begin(int argc, char **argv, const char *name, const char *what)
{
	const struct argp argp = { .options = options, .parser = parse_option, .doc = what };

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
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
	printf("%s: %s\n%-44s %-10s %10s %10s %10s %4s  %s\n", name, what, "", "unit", "median",
		"min", "max", "n", "bar");
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

void
report_cell(const char *name, const char *unit, double *values, size_t n, enum report_bar kind,
	double bar)
{
	bool is_ok;
	double median;
	json_t *cell;

	qsort(values, n, sizeof(*values), compare);
	median = values[n / 2];
	is_ok = kind == REPORT_NO_BAR || (kind == REPORT_AT_LEAST ? median >= bar : median <= bar);
	report.has_missed |= !is_ok;
	printf("%-44s %-10s %10.3f %10.3f %10.3f %4zu", name, unit, median, values[0],
		values[n - 1], n);
	cell = json_pack("{s:s, s:s, s:f, s:f, s:f, s:I}", "name", name, "unit", unit, "median",
		median, "min", values[0], "max", values[n - 1], "n", (json_int_t)n);
	if (kind != REPORT_NO_BAR) {
		printf("  %s %g: %s", kind == REPORT_AT_LEAST ? ">=" : "<=", bar,
			is_ok ? "met" : "MISSED");
		json_object_set_new(
			cell, kind == REPORT_AT_LEAST ? "at_least" : "at_most", json_real(bar));
		json_object_set_new(cell, "met", json_boolean(is_ok));
	}
	putchar('\n');
	fflush(stdout);
	json_array_append_new(report.cells, cell);
}

void
report_value(const char *name, const char *unit, double value, enum report_bar kind, double bar)
{
	report_cell(name, unit, &value, 1, kind, bar);
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
	int status = report.has_missed ? EXIT_FAILURE : EXIT_SUCCESS;

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
