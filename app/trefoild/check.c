/* SPDX-License-Identifier: BSD-3-Clause */
/* trefoild --check: the parsers of the daemon, and nothing that it would change. */
#include "check.h"

#include "daemon.h"
#include "generation.h"
#include "minimise.h"
#include "report.h"

#include "control/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void
print_object(json_t *object)
{
	json_dumpf(object, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(object);
}

static int
fail(const struct err_list *errors, int status, bool is_json)
{
	daemon_log_errors(errors);
	if (is_json)
		print_object(
			control_refuse(status == -EACCES ? CONTROL_NOT_PERMITTED : CONTROL_REFUSED,
				errors->items, errors->n));
	return status;
}

static void
succeed(const struct settings *settings, const struct policy *policy, const struct geo_table *geo,
	bool is_json)
{
	if (!is_json) {
		printf("settings, policy %s and geo table are good\n", policy->name);
		return;
	}
	print_object(json_pack("{s:b, s:s, s:{s:s, s:s, s:s}, s:{s:s, s:s, s:o, s:I}}", "ok", 1,
		"name", settings->name, "policy", "name", policy->name, "file", settings->policy,
		"sha256", policy->sha256, "geo", "file", settings->geo_table, "sha256", geo->sha256,
		"built_at", report_time((time_t)geo->built_at), "age_days",
		(json_int_t)geo_age_days(geo, time(NULL))));
}

/* All mistakes of all files, not only the first. */
static int
check_named(const struct settings *settings, bool is_json)
{
	struct err_list errors = { .n = 0 };
	struct policy *policy = policy_load(settings->policy, &errors);
	struct err e;
	struct geo_table *geo = geo_load(settings->geo_table, &e);
	int status = policy != NULL && geo != NULL ? 0 : -EINVAL;
	struct err *next;

	if (geo == NULL && (next = err_list_next(&errors)) != NULL)
		*next = e;
	if (minimise_check_filter(settings->mirror_filter, &e) != 0) {
		status = -EINVAL;
		if ((next = err_list_next(&errors)) != NULL)
			*next = e;
	}
	if (status != 0)
		status = fail(&errors, status, is_json);
	else
		succeed(settings, policy, geo, is_json);
	policy_free(policy);
	geo_free(geo);
	return status;
}

int
check_files(const char *path, bool is_json)
{
	struct err_list errors = { .n = 0 };
	struct settings *settings = settings_load(path, &errors);
	int status;

	if (settings == NULL)
		return fail(&errors, errno == EACCES ? -EACCES : -EINVAL, is_json);
	status = check_named(settings, is_json);
	free(settings);
	return status;
}
