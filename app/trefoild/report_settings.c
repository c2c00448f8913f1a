/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is no rule of a policy but decides all the same, as text by its key: modes, what the parser
 * takes, what evidence keeps. Two policies are compared key by key.
 */
#include "report_diff.h"

#include "base/reason.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORT_N 65536u

/* A list in the making: words with blanks between them. */
struct words {
	char *text;
	size_t size;
	FILE *out;
};

static void
words_begin(struct words *w)
{
	*w = (struct words){ .text = NULL };
	w->out = open_memstream(&w->text, &w->size);
}

static void __attribute__((format(printf, 2, 3)))
words_add(struct words *w, const char *format, ...)
{
	va_list arguments;

	if (w->out == NULL)
		return;
	if (ftell(w->out) > 0)
		fputc(' ', w->out);
	va_start(arguments, format);
	vfprintf(w->out, format, arguments);
	va_end(arguments);
}

/* Takes what was added; nothing is null. */
static void
words_end(struct words *w, json_t *settings, const char *key)
{
	if (w->out != NULL)
		fclose(w->out);
	json_object_set_new(settings, key,
		w->text != NULL && w->text[0] != '\0' ? json_string(w->text) : json_null());
	free(w->text);
}

static void
add_modes(json_t *settings, const struct policy *p)
{
	static const char *const modes[] = { "enforce", "shadow" };
	static const char *const inbound[] = { "pass", "source", "destination" };

	json_object_set_new(settings, "[policy] mode", json_string(modes[p->mode]));
	json_object_set_new(settings, "[direction] inbound", json_string(inbound[p->inbound]));
	json_object_set_new(
		settings, "[policy] conflict", json_string(policy_conflict_name(p->conflict)));
}

static void
add_limits(json_t *settings, const struct limits *l)
{
	const struct {
		const char *key;
		unsigned int max;
	} all[] = {
		{ "[limits] tags", l->n_tags_max },
		{ "[limits] labels", l->n_labels_max },
		{ "[limits] headers", l->n_headers_max },
		{ "[limits] header-bytes", l->headers_size_max },
		{ "[limits] depth", l->n_tunnels_max },
	};
	struct words w;
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		words_begin(&w);
		words_add(&w, "%u", all[i].max);
		words_end(&w, settings, all[i].key);
	}
}

static void
add_ports(json_t *settings, const struct limits *l)
{
	unsigned int kind, port;
	char key[64];
	struct words w;

	for (kind = 1; kind < TUNNEL_PORT_N; kind++) {
		words_begin(&w);
		for (port = 0; port < PORT_N; port++)
			if (limits_port(l, (uint16_t)port) == kind)
				words_add(&w, "%u", port);
		snprintf(key, sizeof(key), "[ports] %s", tunnel_port_name((enum tunnel_port)kind));
		words_end(&w, settings, key);
	}
}

static void
add_nat64(json_t *settings, const struct limits *l)
{
	char text[IP_TEXT_SIZE];
	struct words w;
	unsigned int i;

	words_begin(&w);
	for (i = 0; i < l->n_nat64; i++)
		words_add(&w, "%s/%u", ip6_format(l->nat64[i].prefix, text), l->nat64[i].length);
	words_end(&w, settings, "[nat64] prefix");
}

/* What [evidence] calls a rule. */
static const char *
name_of(const struct policy_rule *rule)
{
	bool is_key = strcmp(rule->section, "policy") == 0 ||
		      strcmp(rule->section, "special") == 0 || strcmp(rule->section, "non-ip") == 0;

	return is_key ? rule->action : rule->item;
}

static void
add_evidence(json_t *settings, const struct policy *p)
{
	struct words payload, rate;
	size_t i;

	words_begin(&payload);
	words_begin(&rate);
	for (i = 0; i < p->n_rules; i++) {
		if (p->rules[i].keeps_payload)
			words_add(&payload, "%s", name_of(&p->rules[i]));
		if (p->rules[i].rate_pps > 0)
			words_add(
				&rate, "%s@%" PRIu32, name_of(&p->rules[i]), p->rules[i].rate_pps);
	}
	for (i = 0; i < REASON_N; i++)
		if ((p->payload_reasons >> i & 1) != 0)
			words_add(&payload, "%s", reason_name((reason_t)i));
	words_end(&payload, settings, "[evidence] payload");
	words_end(&rate, settings, "[evidence] rate");
}

static json_t *
settings_of(const struct policy *p)
{
	json_t *settings = json_object();

	add_modes(settings, p);
	add_limits(settings, &p->limits);
	add_ports(settings, &p->limits);
	add_nat64(settings, &p->limits);
	add_evidence(settings, p);
	return settings;
}

json_t *
report_settings(const struct policy *before, const struct policy *after)
{
	json_t *from = settings_of(before), *to = settings_of(after), *list = json_array(), *was;
	const char *key;

	json_object_foreach(from, key, was)
	{
		json_t *is = json_object_get(to, key);

		if (!json_equal(was, is))
			json_array_append_new(list, json_pack("{s:s, s:O, s:O}", "key", key,
							    "before", was, "after", is));
	}
	json_decref(from);
	json_decref(to);
	return list;
}
