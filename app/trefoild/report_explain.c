/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The "explain" answer. The question becomes a frame, and classify_frame(), as in the data plane,
 * judges it; then everything behind the classes that it found.
 */
#include "report_explain.h"

#include "report.h"

#include "classify/classify.h"
#include "packet/offline.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define EXPLAIN_LAYERS_SIZE 1024

static void
add_rule(json_t *list, const struct policy *policy, const struct policy_rule *rule, uint32_t winner)
{
	uint32_t index;
	char text[256];

	if (rule == NULL)
		return;
	index = (uint32_t)(rule - policy->rules);
	if (index != winner)
		json_array_append_new(
			list, json_string(policy_rule_format(policy, index, text, sizeof(text))));
}

/* Rules that match the address too, but are less specific than the one that decides. */
static json_t *
shadowed_json(const struct ruleset *rs, const struct ip_addr *ip, const struct geo_origin *origin,
	uint32_t winner)
{
	const struct policy *policy = rs->policy;
	json_t *list = json_array();
	size_t i;

	for (i = policy->n_prefixes; i > 0; i--) {
		const struct policy_prefix *p = &policy->prefixes[i - 1];

		if (p->range.version == ip->version && p->range.first <= ip->value &&
			ip->value <= p->range.last)
			add_rule(list, policy, &policy->rules[p->rule], winner);
	}
	if (origin->asn != 0)
		add_rule(list, policy, policy_find_asn(policy, origin->asn), winner);
	add_rule(list, policy, policy_find_country(policy, origin->country), winner);
	add_rule(list, policy, &policy->rules[policy->rule_default], winner);
	return list;
}

static json_t *
sources_json(const struct geo_table *geo, const struct geo_origin *origin)
{
	json_t *list = json_array();

	if (origin->country_source != 0)
		json_array_append_new(list, json_string(geo->sources[origin->country_source]));
	if (origin->asn_source != 0 && origin->asn_source != origin->country_source)
		json_array_append_new(list, json_string(geo->sources[origin->asn_source]));
	return list;
}

/* Sources that name another country than the one that is believed. */
static json_t *
disagree_json(const struct geo_table *geo, const struct geo_origin *origin)
{
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; i < origin->n_dissents; i++) {
		const struct geo_dissent *d = &geo->dissents[origin->dissents + i];

		json_array_append_new(
			list, json_pack("{s:s, s:s%}", "source", geo->sources[d->source], "country",
				      d->country, (size_t)2));
	}
	return list;
}

/* How the policy decides where sources disagree; null where they do not. */
static json_t *
conflict_json(const struct policy *policy, const struct geo_origin *origin)
{
	return origin->n_dissents > 0 ? json_string(policy_conflict_name(policy->conflict))
				      : json_null();
}

static json_t *
country_json(const struct geo_origin *origin)
{
	if (memcmp(origin->country, GEO_UNKNOWN_COUNTRY, 2) == 0)
		return json_null();
	return json_stringn(origin->country, 2);
}

static void
set_range(json_t *o, const struct ruleset *rs, const struct ip_addr *ip)
{
	struct ip_range range;
	struct ip_addr first, last;
	char text[IP_TEXT_SIZE];

	ruleset_explain_range(rs, ip, &range);
	first = (struct ip_addr){ .value = range.first, .version = range.version };
	last = (struct ip_addr){ .value = range.last, .version = range.version };
	json_object_set_new(o, "first", json_string(ip_format(&first, text)));
	json_object_set_new(o, "last", json_string(ip_format(&last, text)));
}

static void
set_rule(json_t *o, const struct ruleset *rs, uint32_t rule)
{
	char text[256];

	if (rule == RULESET_RULE_NONE)
		json_object_set_new(o, "rule", json_null());
	else
		json_object_set_new(o, "rule",
			json_string(policy_rule_format(rs->policy, rule, text, sizeof(text))));
}

/* What is known of an address and what it gets by itself. */
static json_t *
address_json(const struct ruleset *rs, const struct ip_addr *ip, ruleset_class_t index)
{
	const struct ruleset_class *class = &rs->classes[index];
	const struct geo_origin *origin = &rs->geo->origins[class->origin];
	char text[IP_TEXT_SIZE];
	json_t *o = json_pack("{s:s, s:s?, s:o, s:I, s:s, s:o, s:o, s:s, s:s, s:b}", "address",
		ip_format(ip, text), "special", special_name(class->special), "country",
		country_json(origin), "asn", (json_int_t)origin->asn, "as_name", origin->as_name,
		"sources", sources_json(rs->geo, origin), "shadows",
		shadowed_json(rs, ip, origin, class->rule), "verdict",
		verdict_name(rs->verdict[index] & RULESET_VERDICT_MASK), "reason",
		reason_name(rs->reason[index]), "carrier",
		(int)(class->special == SPECIAL_EMBEDDED));

	if (o == NULL)
		return NULL;
	json_object_set_new(o, "disagree", disagree_json(rs->geo, origin));
	json_object_set_new(o, "conflict", conflict_json(rs->policy, origin));
	set_range(o, rs, ip);
	set_rule(o, rs, class->rule);
	return o;
}

static json_t *
judged_json(const struct ruleset *rs, const struct classify_detail *d, unsigned int i)
{
	struct ip_addr ip = { d->info.addresses[i].value, d->info.addresses[i].version };

	return address_json(rs, &ip, d->answer[i] & RULESET_CLASS_MASK);
}

static json_t *
destinations_json(const struct ruleset *rs, const struct classify_detail *d)
{
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; i < d->info.n_addresses; i++)
		json_array_append_new(list, judged_json(rs, d, i));
	return list;
}

/* What decided: the address, or NULL for the frame itself. NEW. */
static json_t *
deciding_json(const struct ruleset *rs, const struct classify_detail *d)
{
	if (d->deciding >= 0)
		return judged_json(rs, d, (unsigned int)d->deciding);
	return json_pack("{s:n, s:n, s:I, s:s, s:[], s:[], s:[], s:n}", "special", "country", "asn",
		(json_int_t)0, "as_name", "", "sources", "shadows", "disagree", "conflict");
}

json_t *
report_explain(const struct generation *g, const struct explain_question *q)
{
	const struct ruleset *rs = g->ruleset;
	struct rte_mbuf segments[OFFLINE_SEGMENTS_MAX];
	char layers[EXPLAIN_LAYERS_SIZE], address[IP_TEXT_SIZE];
	struct classify_detail d;
	json_t *o, *verdict;

	offline_wrap(q->frame, q->length, segments);
	classify_frame(rs, q->direction, segments, q->wire_length, q->link, &d);
	o = deciding_json(rs, &d);
	verdict = json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:s?, s:I, s:b, s:o, s:s}", "direction",
		q->direction == CLASSIFY_INBOUND ? "inbound" : "outbound", "layers",
		packet_layers_format(&d.info, layers, sizeof(layers)), "verdict",
		verdict_name(d.result.verdict), "reason", reason_name(d.result.reason),
		"destinations", destinations_json(rs, &d), "deciding",
		d.deciding >= 0 ? json_incref(json_object_get(o, "address")) : json_null(),
		"protocol", non_ip_name(d.result.non_ip), "generation", (json_int_t)g->number,
		"shadow", g->policy->mode == POLICY_SHADOW, "geo_built_at",
		report_time((time_t)rs->geo->built_at), "geo_file", g->geo->path);
	if (o == NULL || verdict == NULL || json_object_update(o, verdict) != 0) {
		json_decref(o);
		json_decref(verdict);
		return NULL;
	}
	json_decref(verdict);
	set_rule(o, rs, d.rule);
	if (q->asked.version != 0)
		json_object_set_new(o, "address", json_string(ip_format(&q->asked, address)));
	return o;
}

static int
refuse(struct err *e, const char *key, const char *message)
{
	return err_set(e, NULL, 0, key, "%s", message);
}

static int
parse_port(const json_t *request, const char *key, uint16_t *out, struct err *e)
{
	const json_t *value = json_object_get(request, key);
	json_int_t n = json_integer_value(value);

	if (value != NULL && (!json_is_integer(value) || n < 0 || n > UINT16_MAX))
		return refuse(e, key, "is not a port from 0 to 65535");
	*out = (uint16_t)n;
	return 0;
}

/* Whom a question about an address alone comes from. An inbound frame may be judged by either end,
 * so the address stands for both then. */
static struct ip_addr
source_of(const struct ip_addr *address, enum classify_direction direction)
{
	struct ip_addr source = { IP4(192, 0, 2, 1), 4 };

	if (direction == CLASSIFY_INBOUND)
		return *address;
	if (address->version == 6)
		source = (struct ip_addr){ IP6(UINT64_C(0x20010db800000000), 1), 6 };
	return source;
}

static int
parse_tuple(const json_t *request, struct explain_question *q, struct err *e)
{
	const char *address = json_string_value(json_object_get(request, "address"));
	const json_t *source = json_object_get(request, "source");
	const json_t *protocol = json_object_get(request, "ip_protocol");
	struct offline_tuple t = { .protocol = 0 };
	const char *name;
	int length;

	if (address == NULL || ip_parse(address, &t.destination) != 0)
		return refuse(e, "address", "not an IPv4 or IPv6 address");
	t.source = source_of(&t.destination, q->direction);
	if (source != NULL &&
		(!json_is_string(source) || ip_parse(json_string_value(source), &t.source) != 0))
		return refuse(e, "source", "not an IPv4 or IPv6 address");
	if (t.source.version != t.destination.version)
		return refuse(e, "source", "and the address must be of one IP version");
	if (parse_port(request, "source_port", &t.source_port, e) != 0 ||
		parse_port(request, "port", &t.destination_port, e) != 0)
		return -EINVAL;
	name = protocol != NULL ? json_string_value(protocol) : "tcp";
	if (name == NULL || offline_protocol(name, t.destination.version, &t.protocol) != 0)
		return refuse(e, "ip_protocol", "is none of tcp, udp, sctp, icmp, esp");
	length = offline_frame(&t, q->tuple);
	if (length < 0)
		return refuse(e, "address", "cannot be asked about");
	q->asked = t.destination;
	q->frame = q->tuple;
	q->length = q->wire_length = (uint32_t)length;
	q->link = PACKET_LINK_ETHERNET;
	return 0;
}

/* Decode base64 to q->bytes. */
static int
parse_bytes(const char *text, size_t length, struct explain_question *q, struct err *e)
{
	int n;

	if (length == 0 || length % 4 != 0 || length > OFFLINE_LENGTH_MAX / 3 * 4 + 4)
		return refuse(e, "frame", "is not base64 of 1 to 262144 bytes");
	q->bytes = malloc(length / 4 * 3);
	if (q->bytes == NULL)
		return err_set_code(e, ENOMEM, NULL, 0, NULL, "out of memory");
	n = EVP_DecodeBlock(q->bytes, (const unsigned char *)text, (int)length);
	n -= (text[length - 1] == '=') + (text[length - 2] == '=');
	if (n <= 0 || (uint32_t)n > OFFLINE_LENGTH_MAX)
		return refuse(e, "frame", "is not base64 of 1 to 262144 bytes");
	q->frame = q->bytes;
	q->length = (uint32_t)n;
	return 0;
}

static int
parse_frame(const json_t *request, struct explain_question *q, struct err *e)
{
	const json_t *frame = json_object_get(request, "frame");
	const json_t *link = json_object_get(request, "link_type");
	const json_t *wire = json_object_get(request, "wire_length");
	json_int_t wire_length = json_integer_value(wire);

	if (!json_is_string(frame))
		return refuse(e, "frame", "is not base64 of 1 to 262144 bytes");
	if (link != NULL && (!json_is_integer(link) || json_integer_value(link) < 0 ||
				    json_integer_value(link) > UINT16_MAX))
		return refuse(e, "link_type", "is no number of a link type");
	if (offline_link(link != NULL ? (int)json_integer_value(link) : 1, &q->link) != 0)
		return err_set(e, NULL, 0, "link_type",
			"%d is not supported: Ethernet, raw IP, Linux cooked and loopback are",
			(int)json_integer_value(link));
	if (parse_bytes(json_string_value(frame), json_string_length(frame), q, e) != 0)
		return -EINVAL;
	q->wire_length = q->length;
	if (wire != NULL &&
		(!json_is_integer(wire) || wire_length < q->length || wire_length > UINT32_MAX))
		return refuse(e, "wire_length", "is shorter than the frame");
	if (wire != NULL)
		q->wire_length = (uint32_t)wire_length;
	return 0;
}

int
explain_question_parse(const json_t *request, struct explain_question *q, struct err *e)
{
	const json_t *direction = json_object_get(request, "direction");
	const char *word = json_string_value(direction);
	int status;

	q->bytes = NULL;
	q->asked.version = 0;
	q->direction = CLASSIFY_OUTBOUND;
	if (word != NULL && strcmp(word, "inbound") == 0)
		q->direction = CLASSIFY_INBOUND;
	else if (direction != NULL && (word == NULL || strcmp(word, "outbound") != 0))
		return refuse(e, "direction", "is outbound or inbound");
	if (json_object_get(request, "frame") != NULL)
		status = parse_frame(request, q, e);
	else
		status = parse_tuple(request, q, e);
	if (status != 0)
		explain_question_fini(q);
	return status;
}

void
explain_question_fini(struct explain_question *q)
{
	free(q->bytes);
	q->bytes = NULL;
}
