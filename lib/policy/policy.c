/* SPDX-License-Identifier: BSD-3-Clause */
/* From a text to a policy and its way back: the steps of parsing, look-ups, rule texts. */
#include "policy/policy.h"

#include "policy_impl.h"

#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* p->strings holds the file's base name and room for the items of `size` bytes of text. */
static int
build_init(struct policy_build *b, size_t size, const char *name)
{
	const char *base = base_name(name);
	size_t n_base = strlen(base) + 1;
	char *strings = malloc(n_base + size + 2);

	if (strings == NULL)
		return -ENOMEM;
	memcpy(strings, base, n_base);
	b->at = strings + n_base;
	b->end = b->at + size + 2;
	b->p->strings = strings;
	b->p->file = strings;
	text_copy(b->p->name, sizeof(b->p->name), base);
	if (n_base > 5 && n_base <= sizeof(b->p->name) && strcmp(base + n_base - 5, ".ini") == 0)
		b->p->name[n_base - 5] = '\0';
	return 0;
}

/* Errors of the text are found in all steps before any of them makes it fail. */
static int
build_parse(struct policy_build *b, const char *text, size_t size, const char *name,
	struct err_list *errors)
{
	int code = group_list_init(&b->groups, &b->reader, errors);

	if (code == 0)
		code = build_init(b, size, name);
	if (code == 0)
		code = sha256_text(text, size, b->p->sha256);
	if (code != 0)
		return code;
	code = schema_read(&b->reader, &policy_schema, &policy_values, b, text, size, name, errors);
	if (code != 0 && code != -EINVAL)
		return code;
	if (policy_resolve(b) != 0)
		return -ENOMEM;
	limits_fill_slots(&b->p->limits);
	return b->reader.n_errors > 0 ? -EINVAL : 0;
}

/* A text that is too large is left to ini_read(), which says so: nothing is allocated for it. */
struct policy *
policy_parse(const char *text, size_t size, const char *name, struct err_list *errors)
{
	unsigned int first = errors != NULL ? errors->n : 0;
	struct policy_build *b = calloc(1, sizeof(*b));
	struct policy *p = calloc(1, sizeof(*p));
	int code = -ENOMEM;

	if (b != NULL && p != NULL) {
		b->p = p;
		code = size <= INI_SIZE_MAX ? build_parse(b, text, size, name, errors)
					    : ini_read(text, size, name, NULL, errors);
		ini_sort_errors(errors, first);
		free(b->mentions);
		free(b->evidence);
	}
	free(b);
	if (code != 0) {
		policy_free(p);
		errno = -code;
		return NULL;
	}
	return p;
}

struct policy *
policy_load(const char *path, struct err_list *errors)
{
	size_t size;
	char *text = ini_load(path, &size, errors);
	struct policy *p;
	int code;

	if (text == NULL)
		return NULL;
	p = policy_parse(text, size, path, errors);
	code = errno;
	free(text);
	errno = code;
	return p;
}

void
policy_free(struct policy *p)
{
	if (p == NULL)
		return;
	free(p->rules);
	free(p->countries);
	free(p->asns);
	free(p->prefixes);
	free(p->strings);
	free(p);
}

static int
compare_country(const void *key, const void *entry)
{
	return memcmp(key, ((const struct policy_country *)entry)->country, 2);
}

const struct policy_rule *
policy_find_country(const struct policy *p, const char country[2])
{
	const struct policy_country *found =
		bsearch(country, p->countries, p->n_countries, sizeof(*found), compare_country);

	return found != NULL ? &p->rules[found->rule] : NULL;
}

static int
compare_asn(const void *key, const void *entry)
{
	uint32_t asn = *(const uint32_t *)key;
	uint32_t other = ((const struct policy_asn *)entry)->asn;

	return asn < other ? -1 : asn > other;
}

const struct policy_rule *
policy_find_asn(const struct policy *p, uint32_t asn)
{
	const struct policy_asn *found =
		p->n_asns > 0 ? bsearch(&asn, p->asns, p->n_asns, sizeof(*found), compare_asn)
			      : NULL;

	return found != NULL ? &p->rules[found->rule] : NULL;
}

const char *
policy_conflict_name(enum policy_conflict conflict)
{
	static const char *const names[] = {
		[POLICY_CONFLICT_FIRST] = "first",
		[POLICY_CONFLICT_STRICTEST] = "strictest",
		[POLICY_CONFLICT_UNKNOWN] = "unknown",
	};

	return names[conflict];
}

const char *
policy_rule_format(const struct policy *p, uint32_t rule, char *buf, size_t size)
{
	const struct policy_rule *r = &p->rules[rule];

	assert(rule < p->n_rules);
	if (r->line == 0)
		snprintf(buf, size, "default [%s] %s %s", r->section, r->action, r->item);
	else
		snprintf(buf, size, "%s:%u [%s] %s %s", p->file, r->line, r->section, r->action,
			r->item);
	return buf;
}
