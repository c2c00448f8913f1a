/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rules: both policies' rules sorted by section and by what they are about, then merged. A rule of a
 * list is about its item; one of [policy], [special] and [non-ip] about its key.
 */
#include "ruleset/diff.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const sections[] = { "policy", "special", "non-ip", "prefix", "asn", "country" };

#define N_KEYED  3u /* of them, the first, are made of keys */
#define N(array) (sizeof(array) / sizeof((array)[0]))

struct subject {
	unsigned int section;
	const char *about;
	uint32_t index;
	verdict_t verdict;
};

static struct subject
subject_of(const struct policy *p, uint32_t index)
{
	const struct policy_rule *rule = &p->rules[index];
	struct subject s = { .index = index, .verdict = rule->verdict };

	while (s.section < N(sections) && strcmp(sections[s.section], rule->section) != 0)
		s.section++;
	s.about = s.section < N_KEYED ? rule->action : rule->item;
	if (strcmp(rule->section, "asn") == 0 && strncmp(s.about, "AS", 2) == 0)
		s.about += 2;
	return s;
}

static int
subject_compare(const void *a, const void *b)
{
	const struct subject *x = a, *y = b;

	if (x->section != y->section)
		return x->section < y->section ? -1 : 1;
	return strcasecmp(x->about, y->about);
}

/* Sorted, the same subject once: a word may stand twice under one action. NULL = no memory. */
static struct subject *
subjects_of(const struct policy *p, size_t *n)
{
	struct subject *s = calloc(p->n_rules + 1, sizeof(*s));
	size_t i, kept = 0;

	for (i = 0; s != NULL && i < p->n_rules; i++)
		s[i] = subject_of(p, (uint32_t)i);
	if (s != NULL)
		qsort(s, p->n_rules, sizeof(*s), subject_compare);
	for (i = 0; s != NULL && i < p->n_rules; i++)
		if (kept == 0 || subject_compare(&s[kept - 1], &s[i]) != 0)
			s[kept++] = s[i];
	*n = kept;
	return s;
}

static size_t
merge(const struct subject *a, size_t n_a, const struct subject *b, size_t n_b,
	struct diff_rule *out)
{
	size_t i = 0, j = 0, n = 0;
	int order;

	while (i < n_a || j < n_b) {
		order = i == n_a ? 1 : j == n_b ? -1 : subject_compare(&a[i], &b[j]);
		if (order < 0)
			out[n++] = (struct diff_rule){ a[i++].index, RULESET_RULE_NONE };
		else if (order > 0)
			out[n++] = (struct diff_rule){ RULESET_RULE_NONE, b[j++].index };
		else if (a[i].verdict != b[j].verdict)
			out[n++] = (struct diff_rule){ a[i++].index, b[j++].index };
		else {
			i++;
			j++;
		}
	}
	return n;
}

int
diff_rules(const struct policy *before, const struct policy *after, struct diff_rule **rules,
	size_t *n)
{
	size_t n_a, n_b;
	struct subject *a = subjects_of(before, &n_a), *b = subjects_of(after, &n_b);
	struct diff_rule *out = calloc(n_a + n_b + 1, sizeof(*out));
	int status = a != NULL && b != NULL && out != NULL ? 0 : -ENOMEM;

	if (status == 0) {
		*n = merge(a, n_a, b, n_b, out);
		*rules = out;
	} else {
		free(out);
	}
	free(a);
	free(b);
	return status;
}
