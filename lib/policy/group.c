/* SPDX-License-Identifier: BSD-3-Clause */
/* Groups of countries: a flag for every pair of letters. */
#include "policy_impl.h"

#include "groups.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int
country_slot(const char *code)
{
	if (code[0] < 'A' || code[0] > 'Z' || code[1] < 'A' || code[1] > 'Z' || code[2] != '\0')
		return -1;
	return (code[0] - 'A') * 26 + code[1] - 'A';
}

void
group_begin(struct group_list *list, struct schema_reader *r, const char *name)
{
	const struct country *country = country_guess(name);
	struct group *group = &list->items[list->n];
	unsigned int i;

	for (i = 0; i < list->n_builtin; i++)
		if (strcasecmp(list->items[i].name, name) == 0)
			schema_fail(r, "'%s' is a built-in group and cannot be redefined",
				list->items[i].name);
	if (country != NULL && strcasecmp(country->code, name) == 0)
		schema_fail(r, "'%s' is a country code (%s), not a name for a group", country->code,
			country->name);
	memset(group, 0, sizeof(*group));
	snprintf(group->name, sizeof(group->name), "%s", name);
	group->rule = RULE_NONE;
	list->n++;
}

/* False when nobody reads the error: a hostile file may have a million of them. */
static bool
is_group(const struct group_list *list, const struct schema_reader *r, const char *name)
{
	unsigned int i;

	if (r->errors == NULL || r->errors->n == ERR_LIST_MAX)
		return false;
	for (i = 0; i < list->n; i++)
		if (strcmp(list->items[i].name, name) == 0)
			return true;
	return false;
}

void
group_add(struct group_list *list, struct schema_reader *r, const char *code)
{
	int slot = country_slot(code);
	char hint[SCHEMA_HINT_SIZE];

	if (slot >= 0 && country_find(code) != NULL)
		list->items[list->n - 1].has[slot] = true;
	else if (is_group(list, r, code))
		schema_fail(r, "'%s' is a group: groups do not nest, name its countries", code);
	else
		schema_fail(r, "'%s' is not an ISO 3166-1 alpha-2 code%s", code,
			group_hint(NULL, r, hint, code));
}

static int
compare_groups(const void *a, const void *b)
{
	return strcmp(((const struct group *)a)->name, ((const struct group *)b)->name);
}

void
group_list_sort(struct group_list *list)
{
	qsort(list->items, list->n, sizeof(list->items[0]), compare_groups);
	list->n_builtin = 0;
}

static int
compare_name(const void *name, const void *group)
{
	return strcmp(name, ((const struct group *)group)->name);
}

struct group *
group_find(struct group_list *list, const char *name)
{
	return bsearch(name, list->items, list->n, sizeof(list->items[0]), compare_name);
}

/* A group in other letters, then what people write for a country, then the nearest of all words. */
const char *
group_hint(const struct group_list *list, const struct schema_reader *r, char buf[SCHEMA_HINT_SIZE],
	const char *word)
{
	const char *words[GROUPS_MAX + 512];
	const struct country *guess, *all;
	size_t i, n = 0, n_countries;

	buf[0] = '\0';
	if (r->errors == NULL || r->errors->n == ERR_LIST_MAX)
		return buf;
	for (i = 0; list != NULL && i < list->n; i++)
		words[n++] = list->items[i].name;
	for (i = 0; i < n; i++)
		if (strcasecmp(words[i], word) == 0)
			return schema_hint(r, buf, word, &words[i], 1);
	guess = country_guess(word);
	if (guess != NULL) {
		snprintf(buf, SCHEMA_HINT_SIZE, " (did you mean '%s'?)", guess->code);
		return buf;
	}
	all = country_all(&n_countries);
	for (i = 0; i < n_countries; i++)
		words[n++] = all[i].code;
	return schema_hint(r, buf, word, words, n);
}

static int
begin_builtin(struct schema_reader *r, const struct schema_section *s, const char *name)
{
	(void)s;
	group_begin(r->context, r, name);
	return 0;
}

static int
take_builtin(struct schema_reader *r, const struct schema_value *v)
{
	group_add(r->context, r, v->text);
	return 0;
}

int
group_list_init(struct group_list *list, struct schema_reader *r, struct err_list *errors)
{
	static const struct schema_section section = {
		.name = "group", .named = true, .keys = group_keys, .n_keys = 1
	};
	static const struct schema schema = { &section, 1 };
	static const struct schema_sink sink = { begin_builtin, take_builtin };
	int code;

	list->n = 0;
	list->n_builtin = 0;
	code = schema_read(r, &schema, &sink, list, groups_text, sizeof(groups_text) - 1,
		"groups.ini", errors);
	list->n_builtin = list->n;
	return code;
}
