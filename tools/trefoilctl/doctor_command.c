/* SPDX-License-Identifier: BSD-3-Clause */
/* doctor: what this machine lacks for its settings. No daemon needed. */
#include "command.h"
#include "print.h"

#include "doctor/doctor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What the kernel, a file or a directory is called may be any bytes. */
static json_t *
safe_string(const char *text)
{
	char *safe = print_safe(text);
	json_t *string = json_string(safe);

	free(safe);
	return string;
}

static void
print_json(const struct doctor_report *report)
{
	json_t *findings = json_array();
	size_t i;

	for (i = 0; i < report->n; i++) {
		const struct doctor_finding *f = &report->items[i];

		json_array_append_new(findings,
			json_pack("{s:s, s:o, s:s, s:o, s:o, s:o}", "check", f->check, "subject",
				safe_string(f->subject), "state", doctor_state_name(f->state),
				"found", safe_string(f->found), "why", safe_string(f->why), "mend",
				f->mend[0] != '\0' ? safe_string(f->mend) : json_null()));
	}
	command_print_json(json_pack("{s:s, s:o}", "worst", doctor_state_name(doctor_worst(report)),
		"findings", findings));
}

static void
print_finding(const struct doctor_finding *f)
{
	char *subject = print_safe(f->subject), *found = print_safe(f->found),
	     *mend = print_safe(f->mend);

	printf("%-8s %-12s %s%s%s\n", doctor_state_name(f->state), f->check, subject,
		subject[0] != '\0' ? ": " : "", found);
	if (f->state > DOCTOR_OK)
		printf("%-21s why: %s\n", "", f->why);
	if (mend[0] != '\0')
		printf("%-21s mend: %s\n", "", mend);
	free(subject);
	free(found);
	free(mend);
}

static void
print_text(const struct doctor_report *report)
{
	unsigned int n[DOCTOR_FAIL + 1] = { 0 };
	size_t i;

	for (i = 0; i < report->n; i++) {
		print_finding(&report->items[i]);
		n[report->items[i].state]++;
	}
	printf("%u fail, %u warn, %u unknown, %u ok\n", n[DOCTOR_FAIL], n[DOCTOR_WARN],
		n[DOCTOR_UNKNOWN], n[DOCTOR_OK]);
}

static enum control_exit
examine(const struct command_line *line, const struct settings *settings, const char *path)
{
	struct doctor_options options = { .root = line->root != NULL ? line->root : "",
		.settings = settings,
		.settings_path = path };
	struct doctor_report report;
	struct err_list errors = { .n = 0 };
	enum doctor_state worst;

	if (doctor_examine(&options, &report) != 0) {
		err_set(err_list_next(&errors), NULL, 0, NULL, "out of memory");
		return command_fail(line, CONTROL_REFUSED, &errors);
	}
	if (line->json)
		print_json(&report);
	else
		print_text(&report);
	worst = doctor_worst(&report);
	doctor_free(&report);
	if (worst == DOCTOR_FAIL)
		return CONTROL_REFUSED;
	return worst == DOCTOR_WARN ? CONTROL_WARNED : CONTROL_DONE;
}

enum control_exit
command_doctor(const struct command_line *line)
{
	const char *path = line->config != NULL ? line->config : TREFOIL_SYSCONFDIR "/trefoild.ini";
	struct err_list errors = { .n = 0 };
	struct settings *settings = settings_load(path, &errors);
	enum control_exit code;

	if (settings == NULL)
		return command_fail(
			line, errno == EACCES ? CONTROL_NOT_PERMITTED : CONTROL_REFUSED, &errors);
	code = examine(line, settings, path);
	free(settings);
	return code;
}
