/* SPDX-License-Identifier: BSD-3-Clause */
/* check. */
#include "candidate.h"
#include "command.h"
#include "print.h"

#include "policy/policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* The rule sections of a policy, as struct policy_rule has them. */
static const char *const sections[] = { "prefix", "asn", "country", "special", "non-ip", "policy" };

/* Rules that the file itself has; NULL = all. */
static size_t
count_rules(const struct policy *p, const char *section)
{
	size_t i, n = 0;

	for (i = 0; i < p->n_rules; i++)
		n += p->rules[i].line != 0 &&
		     (section == NULL || strcmp(p->rules[i].section, section) == 0);
	return n;
}

static const char *
mode_name(const struct policy *p)
{
	return p->mode == POLICY_SHADOW ? "shadow" : "enforce";
}

static void
print_object(const struct policy *p)
{
	json_t *by_section = json_object();
	size_t i;

	for (i = 0; i < N(sections); i++)
		json_object_set_new(by_section, sections[i],
			json_integer((json_int_t)count_rules(p, sections[i])));
	command_print_json(json_pack("{s:b, s:s, s:s, s:s, s:I, s:o}", "ok", 1, "name", p->name,
		"sha256", p->sha256, "mode", mode_name(p), "rules",
		(json_int_t)count_rules(p, NULL), "sections", by_section));
}

static void
print_default(const struct policy *p, uint32_t rule)
{
	char text[256], *safe;

	safe = print_safe(policy_rule_format(p, rule, text, sizeof(text)));
	printf("  %s\n", safe);
	free(safe);
}

static void
print_summary(const struct policy *p)
{
	static const char *const inbound[] = {
		[POLICY_INBOUND_PASS] = "pass",
		[POLICY_INBOUND_SOURCE] = "source",
		[POLICY_INBOUND_DESTINATION] = "destination",
	};
	char *file = print_safe(p->file), *name = print_safe(p->name);
	size_t i, n;

	printf("%s: valid\n", file);
	printf("%-10s %s\n", "policy", name);
	printf("%-10s %s, inbound %s\n", "mode", mode_name(p), inbound[p->inbound]);
	printf("%-10s %s\n", "sha256", p->sha256);
	printf("%-10s %zu", "rules", count_rules(p, NULL));
	for (i = 0; i < N(sections); i++) {
		n = count_rules(p, sections[i]);
		if (n > 0)
			printf(", [%s] %zu", sections[i], n);
	}
	printf("\ndefaults\n");
	print_default(p, p->rule_default);
	print_default(p, p->rule_unknown);
	print_default(p, p->rule_unparsable);
	free(file);
	free(name);
}

enum control_exit
command_check(const struct command_line *line)
{
	struct candidate c;
	enum control_exit code;

	code = candidate_init(&c, line);
	if (code != CONTROL_DONE)
		return code;
	if (line->json)
		print_object(c.policy);
	else
		print_summary(c.policy);
	candidate_fini(&c);
	return CONTROL_DONE;
}
