/* SPDX-License-Identifier: BSD-3-Clause */
/* Findings grow in one array; each check adds at least one, also when all is well. */
#include "doctor/doctor.h"
#include "doctor_impl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static struct doctor_finding *
add(struct doctor *d)
{
	struct doctor_report *r = d->report;
	struct doctor_finding *items;

	if ((r->n & (r->n - 1)) == 0) {
		items = realloc(r->items, (r->n == 0 ? 1 : 2 * r->n) * sizeof(*items));
		if (items == NULL) {
			d->is_out_of_memory = true;
			return NULL;
		}
		r->items = items;
	}
	return &r->items[r->n++];
}

struct doctor_finding *
doctor_say(struct doctor *d, enum doctor_state state, const char *check, const char *subject,
	const char *why, const char *format, ...)
{
	struct doctor_finding *f = add(d);
	va_list args;

	if (f == NULL)
		return NULL;
	f->state = state;
	f->mend[0] = '\0';
	snprintf(f->check, sizeof(f->check), "%s", check);
	snprintf(f->subject, sizeof(f->subject), "%s", subject);
	snprintf(f->why, sizeof(f->why), "%s", why);
	va_start(args, format);
	vsnprintf(f->found, sizeof(f->found), format, args);
	va_end(args);
	return f;
}

void
doctor_mend(struct doctor_finding *f, const char *format, ...)
{
	va_list args;

	if (f == NULL)
		return;
	va_start(args, format);
	vsnprintf(f->mend, sizeof(f->mend), format, args);
	va_end(args);
}

int
doctor_examine(const struct doctor_options *options, struct doctor_report *out)
{
	struct doctor_report report = { .n = 0 };
	struct doctor d = { .options = options, .report = &report };

	doctor_quote(options->settings_path, d.file);
	doctor_check_hugepages(&d);
	doctor_check_cores(&d);
	doctor_check_iommu(&d);
	doctor_check_ports(&d);
	doctor_check_clock(&d);
	doctor_check_disk(&d);
	doctor_check_files(&d);
	doctor_check_people(&d);
	if (d.is_out_of_memory) {
		doctor_free(&report);
		return -ENOMEM;
	}
	*out = report;
	return 0;
}

void
doctor_free(struct doctor_report *report)
{
	free(report->items);
	report->items = NULL;
	report->n = 0;
}

const char *
doctor_state_name(enum doctor_state state)
{
	static const char *const names[] = { "ok", "unknown", "warn", "fail" };

	return names[state];
}

enum doctor_state
doctor_worst(const struct doctor_report *report)
{
	enum doctor_state worst = DOCTOR_OK;
	size_t i;

	for (i = 0; i < report->n; i++)
		if (report->items[i].state > worst)
			worst = report->items[i].state;
	return worst;
}
