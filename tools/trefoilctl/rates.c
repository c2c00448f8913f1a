/* SPDX-License-Identifier: BSD-3-Clause */
/* Rates. A counter that went back (another daemon answers) is no rate. */
#include "rates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double
delta(const json_t *now, const json_t *before, const char *key)
{
	double a = json_number_value(json_object_get(now, key));
	double b = json_number_value(json_object_get(before, key));

	return a > b ? a - b : 0;
}

struct rate
rate_of(const json_t *now, const json_t *before, double seconds)
{
	struct rate r = { .name = "", .what = "" };

	if (!(seconds > 0))
		return r;
	r.bits = 8 * delta(now, before, "bytes") / seconds;
	r.packets = delta(now, before, "packets") / seconds;
	r.dropped = delta(now, before, "dropped") / seconds;
	return r;
}

static int
rate_compare(const void *a, const void *b)
{
	const struct rate *x = a, *y = b;

	if (x->bits != y->bits)
		return x->bits > y->bits ? -1 : 1;
	return strcmp(x->name, y->name);
}

size_t
rates_of(json_t *now, const json_t *before, double seconds, const char *part, struct rate **rows)
{
	const char *key, *what;
	json_t *value;
	const json_t *old;
	size_t n = 0;

	*rows = calloc(json_object_size(now) + 1, sizeof(**rows));
	if (*rows == NULL) {
		return 0;
	}
	json_object_foreach(now, key, value)
	{
		old = json_object_get(before, key);
		what = json_string_value(json_object_get(value, "name"));
		if (part != NULL) {
			value = json_object_get(value, part);
			old = json_object_get(old, part);
		}
		(*rows)[n] = rate_of(value, old, seconds);
		(*rows)[n].name = key;
		(*rows)[n].what = what != NULL ? what : "";
		n += (*rows)[n].packets > 0;
	}
	qsort(*rows, n, sizeof(**rows), rate_compare);
	return n;
}

/* Three digits and a unit. */
static const char *
scale(double value, const char *unit, char *buf, size_t size)
{
	static const char prefixes[] = " kMGTP";
	size_t i = 0;

	while (value >= 999.5 && i + 2 < sizeof(prefixes)) {
		value /= 1000;
		i++;
	}
	if (i == 0)
		snprintf(buf, size, "%.0f %s", value, unit);
	else
		snprintf(buf, size, "%.*f %c%s", value < 99.95, value, prefixes[i], unit);
	return buf;
}

const char *
rate_bits(double bits, char *buf, size_t size)
{
	return scale(bits, "bit/s", buf, size);
}

const char *
rate_packets(double packets, char *buf, size_t size)
{
	return scale(packets, "p/s", buf, size);
}
