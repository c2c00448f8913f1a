/* SPDX-License-Identifier: BSD-3-Clause */
/* The "diff" command: makes the candidate, compares it, frees it. */
#include "report_diff.h"

#include "room.h"

#include "control/control.h"

#include "base/text.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_DEFAULT 20

static json_t *
refuse(const char *key, const char *message)
{
	struct err e;

	err_set(&e, NULL, 0, key, "%s", message);
	return control_refuse(CONTROL_REFUSED, &e, 1);
}

/* Takes `candidate`. */
static json_t *
compare(struct daemon *d, struct generation *candidate, size_t limit)
{
	struct comparison c;
	json_t *result = NULL;

	if (comparison_init(&c, d, publisher_get(d->publisher), candidate) == 0) {
		result = report_diff(&c, limit);
		comparison_fini(&c);
	}
	generation_free(candidate);
	return result != NULL ? control_ok(result) : refuse(NULL, "out of memory");
}

#define RULE_LENGTH 20u /* of a long one, in bytes of text */

/* Takes `policy`, adds a user to `geo`. */
static json_t *
compile_and_compare(struct daemon *d, struct policy *policy, struct geo_ref *geo, size_t limit)
{
	bool is_stale = geo_age_days(geo->table, time(NULL)) > d->settings->max_geo_age_days;
	struct generation *candidate;
	struct err e;

	if (room_check(d, geo->table, policy->n_rules * RULE_LENGTH, &e) != 0) {
		policy_free(policy);
		return control_refuse(CONTROL_REFUSED, &e, 1);
	}
	candidate = generation_new(0, policy, geo, is_stale, 0);
	if (candidate == NULL)
		return refuse(NULL, errno == ENOMEM ? "no memory to compile the candidate"
						    : "the candidate has too many classes");
	return compare(d, candidate, limit);
}

static json_t *
diff_policy(struct daemon *d, const json_t *request, size_t limit)
{
	const json_t *text = json_object_get(request, "text");
	const char *name = json_string_value(json_object_get(request, "name"));
	struct err_list errors = { .n = 0 };
	struct policy *policy;

	if (text != NULL && !json_is_string(text))
		return refuse("text", "a diff needs the text of a policy");
	if (name != NULL && text_has_control(name))
		return refuse("name", "there is a control character in the policy's file name");
	if (text == NULL)
		policy = policy_load(d->settings->policy, &errors);
	else
		policy = policy_parse(json_string_value(text), json_string_length(text),
			name != NULL ? name : "candidate", &errors);
	if (policy == NULL)
		return control_refuse(CONTROL_REFUSED, errors.items, errors.n);
	return compile_and_compare(d, policy, d->geo, limit);
}

/* Bytes of base64 text, for free(); NULL = it is none, or no memory. */
static uint8_t *
decode(const char *text, size_t length, size_t *size)
{
	uint8_t *bytes = malloc(length / 4 * 3 + 1);
	int n = bytes != NULL ? EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)length)
			      : -1;

	if (n < 0 || length == 0 || length % 4 != 0) {
		free(bytes);
		return NULL;
	}
	*size = (size_t)n - (text[length - 1] == '=') - (text[length - 2] == '=');
	return bytes;
}

struct geo_ref *
diff_parse_table(const json_t *table, const char *name, struct err *e)
{
	struct geo_ref *ref = NULL;
	uint8_t *bytes;
	size_t size = 0;

	if (room_check_table(json_string_length(table), e) != 0)
		return NULL;
	if (json_string_length(table) == 0) {
		err_set(e, name, 0, NULL, "is empty: make a table with trefoil-geo build");
		return NULL;
	}
	bytes = decode(json_string_value(table), json_string_length(table), &size);
	if (bytes == NULL)
		err_set(e, name, 0, "table", "is not base64");
	else
		ref = geo_ref_parse(bytes, size, name, e);
	free(bytes);
	return ref;
}

/* The running policy over another table. */
static json_t *
diff_table(struct daemon *d, const json_t *request, size_t limit)
{
	const json_t *table = json_object_get(request, "table");
	const char *name = json_string_value(json_object_get(request, "name"));
	struct err_list errors = { .n = 0 };
	struct policy *policy;
	struct geo_ref *geo;
	json_t *answer;
	struct err e;

	if (!json_is_string(table))
		return refuse("table", "a diff of data needs the bytes of a table in base64");
	geo = diff_parse_table(table, name != NULL ? name : "candidate", &e);
	if (geo == NULL)
		return control_refuse(CONTROL_REFUSED, &e, 1);
	policy = policy_parse(
		d->policy_text, d->policy_size, publisher_get(d->publisher)->policy->file, &errors);
	answer = policy != NULL ? compile_and_compare(d, policy, geo, limit)
				: control_refuse(CONTROL_REFUSED, errors.items, errors.n);
	geo_ref_drop(geo);
	return answer;
}

json_t *
diff_answer(struct daemon *d, const json_t *request)
{
	const json_t *limit = json_object_get(request, "limit");
	json_int_t n = limit != NULL ? json_integer_value(limit) : LIMIT_DEFAULT;

	if (n < 0 || n > DIFF_CHANGES_MAX || (limit != NULL && !json_is_integer(limit)))
		return refuse("limit", "is not a number from 0 to 1000");
	if (publisher_get(d->publisher) == NULL || d->policy_text == NULL)
		return refuse(NULL, "no policy is running: there is nothing to compare with");
	if (json_object_get(request, "table") != NULL)
		return diff_table(d, request, (size_t)n);
	return diff_policy(d, request, (size_t)n);
}
