/* SPDX-License-Identifier: BSD-3-Clause */
/* Text and JSON of judged packets. JSON keys are a contract: trefoil-replay(1). */
#include "replay.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#define RULE_SIZE   256
#define LAYERS_SIZE 1024

/* The country of a class, or NULL: unknown or special. */
static const char *
country_of(const struct ruleset *rs, ruleset_class_t class, char buf[3])
{
	const struct geo_origin *origin;

	if (class == CLASSIFY_NO_CLASS)
		return NULL;
	origin = &rs->geo->origins[rs->classes[class].origin];
	if (memcmp(origin->country, GEO_UNKNOWN_COUNTRY, 2) == 0)
		return NULL;
	memcpy(buf, origin->country, 2);
	buf[2] = '\0';
	return buf;
}

static uint32_t
asn_of(const struct ruleset *rs, ruleset_class_t class)
{
	if (class == CLASSIFY_NO_CLASS)
		return 0;
	return rs->geo->origins[rs->classes[class].origin].asn;
}

static const char *
special_of(const struct ruleset *rs, ruleset_class_t class)
{
	return class == CLASSIFY_NO_CLASS ? NULL : special_name(rs->classes[class].special);
}

static const char *
address_text(const struct packet_address *address, char buf[IP_TEXT_SIZE])
{
	struct ip_addr ip = { .value = address->value, .version = address->version };

	return ip_format(&ip, buf);
}

static const char *
rule_text(const struct ruleset *rs, uint32_t rule, char buf[RULE_SIZE])
{
	if (rule == RULESET_RULE_NONE)
		return NULL;
	return policy_rule_format(rs->policy, rule, buf, RULE_SIZE);
}

/* The address that decided, or NULL. */
static const struct packet_address *
deciding(const struct classify_detail *d)
{
	return d->deciding < 0 ? NULL : &d->info.addresses[d->deciding];
}

void
replay_print_text(FILE *out, const struct ruleset *rs, const struct capture_frame *frame,
	const struct classify_detail *d)
{
	char country[3], address[IP_TEXT_SIZE], rule[RULE_SIZE], layers[LAYERS_SIZE];
	const struct packet_address *decided = deciding(d);
	const char *special = special_of(rs, d->result.class);
	const char *where = country_of(rs, d->result.class, country);

	fprintf(out, "%6llu  %-11s  %-17s  ", (unsigned long long)frame->number,
		verdict_name(d->result.verdict), reason_name(d->result.reason));
	fprintf(out, "%-39s  ", decided != NULL ? address_text(decided, address) : "-");
	fprintf(out, "%-13s  ", where != NULL ? where : special != NULL ? special : "-");
	fprintf(out, "AS%-10u  %s", asn_of(rs, d->result.class),
		packet_layers_format(&d->info, layers, sizeof(layers)));
	if (rule_text(rs, d->rule, rule) != NULL)
		fprintf(out, "  %s", rule);
	fputc('\n', out);
}

static json_t *
string_or_null(const char *text)
{
	return text != NULL ? json_string(text) : json_null();
}

static json_t *
destination_json(
	const struct ruleset *rs, const struct classify_detail *d, unsigned int i, bool is_judged)
{
	char address[IP_TEXT_SIZE], country[3];
	ruleset_class_t class = d->answer[i] & RULESET_CLASS_MASK;
	verdict_t verdict = is_judged ? rs->verdict[class] & RULESET_VERDICT_MASK : VERDICT_PASS;
	json_t *o = json_pack("{s:s, s:o, s:I, s:s}", "address",
		address_text(&d->info.addresses[i], address), "country",
		string_or_null(country_of(rs, class, country)), "asn",
		(json_int_t)asn_of(rs, class), "verdict", verdict_name(verdict));

	if (special_of(rs, class) != NULL)
		json_object_set_new(o, "special", json_string(special_of(rs, class)));
	if (d->info.addresses[i].carrier)
		json_object_set_new(o, "carrier", json_true());
	return o;
}

static json_t *
destinations_json(const struct ruleset *rs, const struct classify_detail *d)
{
	bool is_judged = d->result.reason != REASON_INBOUND;
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; i < d->info.n_addresses; i++)
		json_array_append_new(list, destination_json(rs, d, i, is_judged));
	return list;
}

static json_t *
packet_json(const struct ruleset *rs, enum classify_direction direction,
	const struct capture_frame *frame, const struct classify_detail *d)
{
	char country[3], address[IP_TEXT_SIZE], rule[RULE_SIZE], layers[LAYERS_SIZE];
	const struct packet_address *decided = deciding(d);
	json_t *o = json_pack("{s:I, s:s, s:s, s:s, s:o, s:o, s:o, s:I, s:o, s:s}", "packet",
		(json_int_t)frame->number, "direction",
		direction == CLASSIFY_INBOUND ? "inbound" : "outbound", "verdict",
		verdict_name(d->result.verdict), "reason", reason_name(d->result.reason), "rule",
		string_or_null(rule_text(rs, d->rule, rule)), "deciding",
		string_or_null(decided != NULL ? address_text(decided, address) : NULL), "country",
		string_or_null(country_of(rs, d->result.class, country)), "asn",
		(json_int_t)asn_of(rs, d->result.class), "destinations", destinations_json(rs, d),
		"layers", packet_layers_format(&d->info, layers, sizeof(layers)));

	if (o != NULL && special_of(rs, d->result.class) != NULL)
		json_object_set_new(o, "special", json_string(special_of(rs, d->result.class)));
	if (o != NULL && d->result.non_ip != NON_IP_NONE)
		json_object_set_new(o, "protocol", json_string(non_ip_name(d->result.non_ip)));
	if (o != NULL && rs->policy->mode == POLICY_SHADOW)
		json_object_set_new(o, "shadow", json_true());
	return o;
}

static int
print_json(FILE *out, json_t *o)
{
	int status = o == NULL ? -ENOMEM : 0;

	if (status == 0 && json_dumpf(o, out, JSON_COMPACT) != 0)
		status = ferror(out) ? -EIO : -ENOMEM;
	json_decref(o);
	if (status == 0)
		fputc('\n', out);
	return status;
}

int
replay_print_json(FILE *out, const struct ruleset *rs, enum classify_direction direction,
	const struct capture_frame *frame, const struct classify_detail *d)
{
	return print_json(out, packet_json(rs, direction, frame, d));
}

static void
count_one(struct replay_count *count, const struct capture_frame *frame)
{
	count->packets++;
	count->bytes += frame->wire_length;
}

void
replay_count(struct replay_summary *s, const struct ruleset *rs, const struct capture_frame *frame,
	const struct classify_detail *d)
{
	char country[3];

	count_one(&s->all, frame);
	count_one(&s->verdicts[d->result.verdict], frame);
	count_one(&s->reasons[d->result.reason], frame);
	if (country_of(rs, d->result.class, country) != NULL)
		count_one(&s->countries[(country[0] - 'A') * 26 + (country[1] - 'A')], frame);
	else
		count_one(&s->no_country, frame);
}

static void
print_count(FILE *out, const char *name, const struct replay_count *count)
{
	if (count->packets > 0)
		fprintf(out, "  %-20s %12llu packets %15llu bytes\n", name,
			(unsigned long long)count->packets, (unsigned long long)count->bytes);
}

void
replay_print_summary_text(FILE *out, const struct replay_summary *s, bool is_shadow)
{
	unsigned int i;

	fprintf(out, "%llu packets, %llu bytes", (unsigned long long)s->all.packets,
		(unsigned long long)s->all.bytes);
	if (s->seconds > 0)
		fprintf(out, ", read and judged in %.3f s: %.0f packets/s", s->seconds,
			(double)s->all.packets / s->seconds);
	fprintf(out, "\nverdicts%s\n",
		is_shadow ? " (shadow mode: what they would have been)" : "");
	for (i = 0; i < 4; i++)
		print_count(out, verdict_name((verdict_t)i), &s->verdicts[i]);
	fputs("reasons\n", out);
	for (i = 0; i < REASON_N; i++)
		print_count(out, reason_name((reason_t)i), &s->reasons[i]);
	fputs("countries of the deciding addresses\n", out);
	for (i = 0; i < 26 * 26; i++) {
		char country[3] = { (char)('A' + i / 26), (char)('A' + i % 26), '\0' };

		print_count(out, country, &s->countries[i]);
	}
	print_count(out, "none", &s->no_country);
}

static void
set_count(json_t *o, const char *name, const struct replay_count *count)
{
	if (count->packets > 0)
		json_object_set_new(o, name, json_integer((json_int_t)count->packets));
}

int
replay_print_summary_json(FILE *out, const struct replay_summary *s, bool is_shadow)
{
	json_t *verdicts = json_object(), *reasons = json_object(), *countries = json_object(), *o;
	unsigned int i;

	for (i = 0; i < 4; i++)
		set_count(verdicts, verdict_name((verdict_t)i), &s->verdicts[i]);
	for (i = 0; i < REASON_N; i++)
		set_count(reasons, reason_name((reason_t)i), &s->reasons[i]);
	for (i = 0; i < 26 * 26; i++) {
		char country[3] = { (char)('A' + i / 26), (char)('A' + i % 26), '\0' };

		set_count(countries, country, &s->countries[i]);
	}
	o = json_pack("{s:I, s:I, s:o, s:o, s:o, s:f}", "packets", (json_int_t)s->all.packets,
		"bytes", (json_int_t)s->all.bytes, "verdicts", verdicts, "reasons", reasons,
		"countries", countries, "seconds", s->seconds);
	if (o != NULL && is_shadow)
		json_object_set_new(o, "shadow", json_true());
	return print_json(out, o);
}
