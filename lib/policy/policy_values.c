/* SPDX-License-Identifier: BSD-3-Clause */
/* One value of the policy after the other, as the schema hands them on: numbers and words go to
 * their place at once, rules are numbered in the order of the file. */
#include "policy_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Arrays double: they are full whenever their count is a power of two. */
int
policy_room(void *array, size_t n, size_t size)
{
	size_t room = n < 16 ? 16 : 2 * n;
	void *items;

	if (n != 0 && (n < 16 || (n & (n - 1)) != 0))
		return 0;
	memcpy(&items, array, sizeof(items));
	items = reallocarray(items, room, size);
	if (items == NULL)
		return -ENOMEM;
	memcpy(array, &items, sizeof(items));
	return 0;
}

/* A copy in p->strings, which has room for every item of the text: each is followed by a blank, the
 * end of its line or that of the text. NULL = no room all the same. */
const char *
policy_keep(struct policy_build *b, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = b->at;

	if (size > (size_t)(b->end - b->at))
		return NULL;
	memcpy(copy, text, size);
	b->at += size;
	return copy;
}

static int
add_rule(struct policy_build *b, const struct schema_value *v, verdict_t verdict)
{
	struct policy *p = b->p;
	const char *item = v->line == 0 ? v->text : policy_keep(b, v->text);

	if (item == NULL || policy_room(&p->rules, p->n_rules, sizeof(p->rules[0])) != 0)
		return -ENOMEM;
	p->rules[p->n_rules++] = (struct policy_rule){
		.section = v->section->name,
		.action = v->key->name,
		.item = item,
		.line = v->line,
		.verdict = verdict,
	};
	return 0;
}

/* The verdict that a key of a rule section is called by. */
static verdict_t
key_verdict(const struct schema_value *v)
{
	verdict_t verdict = VERDICT_DROP | VERDICT_MIRROR;

	verdict_parse(v->key->name, &verdict);
	return verdict;
}

static void *
field(struct policy_build *b, const struct schema_value *v)
{
	return (char *)b->p + KEY_ID_INDEX(v->key->id);
}

static int
take_name(struct policy_build *b, const struct schema_value *v)
{
	snprintf(b->p->name, sizeof(b->p->name), "%s", v->text);
	return 0;
}

static int
take_mode(struct policy_build *b, const struct schema_value *v)
{
	b->p->mode = v->word == 0 ? POLICY_ENFORCE : POLICY_SHADOW;
	return 0;
}

static int
take_inbound(struct policy_build *b, const struct schema_value *v)
{
	static const enum policy_inbound values[] = { POLICY_INBOUND_PASS, POLICY_INBOUND_SOURCE,
		POLICY_INBOUND_DESTINATION };

	b->p->inbound = values[v->word];
	return 0;
}

static int
take_conflict(struct policy_build *b, const struct schema_value *v)
{
	static const enum policy_conflict values[] = { POLICY_CONFLICT_FIRST,
		POLICY_CONFLICT_STRICTEST, POLICY_CONFLICT_UNKNOWN };

	b->p->conflict = values[v->word];
	return 0;
}

static int
take_single(struct policy_build *b, const struct schema_value *v)
{
	uint32_t rule = (uint32_t)b->p->n_rules;

	memcpy(field(b, v), &rule, sizeof(rule));
	return add_rule(b, v, v->word >= 0 ? POLICY_ACTION_NONE : (verdict_t)v->number);
}

static int
take_limit8(struct policy_build *b, const struct schema_value *v)
{
	*(uint8_t *)field(b, v) = (uint8_t)v->number;
	return 0;
}

static int
take_limit16(struct policy_build *b, const struct schema_value *v)
{
	uint16_t value = (uint16_t)v->number;

	memcpy(field(b, v), &value, sizeof(value));
	return 0;
}

static int
take_country(struct policy_build *b, const struct schema_value *v)
{
	struct mention *m;

	if (policy_room(&b->mentions, b->n_mentions, sizeof(*m)) != 0 ||
		add_rule(b, v, key_verdict(v)) != 0)
		return -ENOMEM;
	m = &b->mentions[b->n_mentions++];
	m->rule = (uint32_t)b->p->n_rules - 1;
	m->name = b->p->rules[m->rule].item;
	return 0;
}

/* Decimal digits only, up to 32 bits and no leading zero; 0 for anything else. */
static uint64_t
parse_digits(const char *text, size_t length)
{
	uint64_t value = 0;
	size_t i;

	if (length == 0 || length > 10 || (text[0] == '0' && length > 1))
		return 0;
	for (i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return 0;
		value = 10 * value + (uint64_t)(text[i] - '0');
	}
	return value;
}

static int
fail_asn(struct schema_reader *r, const char *text)
{
	const char *digits = text + (strncasecmp(text, "AS", 2) == 0 ? 2 : 0);
	size_t length = strlen(digits), high = strcspn(digits, ".");
	uint64_t value = parse_digits(digits, high);

	if (digits[high] == '.' && value <= UINT16_MAX && length > high + 1)
		return schema_fail(r,
			"'%s' is asdot: write the number (did you mean 'AS%" PRIu64 "'?)", text,
			value << 16 | parse_digits(digits + high + 1, length - high - 1));
	if (length > 0 && strspn(digits, "0123456789") == length && digits[0] != '0' &&
		value <= UINT32_MAX && value > 0)
		return schema_fail(
			r, "'%s' is not an ASN (did you mean 'AS%" PRIu64 "'?)", text, value);
	if (length > 0 && strspn(digits, "0123456789") == length)
		return schema_fail(r, "'%s' is outside 1..4294967295", text);
	return schema_fail(r, "'%s' is not an ASN: 64496 or AS64496, 1 to 4294967295", text);
}

static int
take_asn(struct policy_build *b, const struct schema_value *v)
{
	const char *digits = v->text + (strncmp(v->text, "AS", 2) == 0 ? 2 : 0);
	uint64_t asn = parse_digits(digits, strlen(digits));
	struct policy *p = b->p;

	if (asn == 0 || asn > UINT32_MAX)
		return fail_asn(&b->reader, v->text);
	if (policy_room(&p->asns, p->n_asns, sizeof(p->asns[0])) != 0 ||
		add_rule(b, v, key_verdict(v)) != 0)
		return -ENOMEM;
	p->asns[p->n_asns++] =
		(struct policy_asn){ .asn = (uint32_t)asn, .rule = (uint32_t)p->n_rules - 1 };
	return 0;
}

/* The prefix that somebody meant by an address without length or with host bits. */
static int
fail_prefix(struct schema_reader *r, const char *text)
{
	const char *slash = strchr(text, '/');
	char address[IP_TEXT_SIZE], meant[IP_TEXT_SIZE];
	struct ip_addr ip;
	unsigned int bits, length;

	snprintf(address, sizeof(address), "%.*s", (int)strcspn(text, "/"), text);
	if (ip_parse(address, &ip) != 0)
		return schema_fail(r, "'%s' is not an IPv4 or IPv6 prefix", text);
	bits = ip.version == 4 ? 32 : 128;
	if (slash == NULL)
		return schema_fail(
			r, "'%s' has no length (did you mean '%s/%u'?)", text, text, bits);
	length = (unsigned int)parse_digits(slash + 1, strlen(slash + 1));
	if (length > bits || (length == 0 && strcmp(slash, "/0") != 0))
		return schema_fail(r, "'%s': the length is not 0..%u", text, bits);
	ip.value &= length == 0 ? 0 : ~(((ip6_t)1 << (bits - length)) - 1);
	ip_format(&ip, meant);
	return schema_fail(
		r, "'%s' has host bits set (did you mean '%s/%u'?)", text, meant, length);
}

static unsigned int
prefix_length(const char *text)
{
	return (unsigned int)strtoul(strchr(text, '/') + 1, NULL, 10);
}

static int
take_prefix(struct policy_build *b, const struct schema_value *v)
{
	struct policy *p = b->p;
	struct ip_range range;

	if (ip_parse_prefix(v->text, &range) != 0)
		return fail_prefix(&b->reader, v->text);
	if (policy_room(&p->prefixes, p->n_prefixes, sizeof(p->prefixes[0])) != 0 ||
		add_rule(b, v, key_verdict(v)) != 0)
		return -ENOMEM;
	p->prefixes[p->n_prefixes++] = (struct policy_prefix){
		.range = range,
		.length = (uint8_t)prefix_length(v->text),
		.rule = (uint32_t)p->n_rules - 1,
	};
	return 0;
}

/* Defaults come last, so a port of a default list can only meet one that was written. */
static int
take_port(struct policy_build *b, const struct schema_value *v)
{
	enum tunnel_port kind = (enum tunnel_port)KEY_ID_INDEX(v->key->id);
	uint16_t port = (uint16_t)v->number;
	enum tunnel_port other = limits_port(&b->p->limits, port);
	unsigned int line = b->port_line[port];
	char key[64];

	if (other != TUNNEL_PORT_NONE && other != kind && v->line != 0)
		return schema_fail(&b->reader, "%s is already a port of %s in line %u", v->text,
			tunnel_port_name(other), line);
	if (other != TUNNEL_PORT_NONE && other != kind) {
		snprintf(key, sizeof(key), "[ports] %s", tunnel_port_name(other));
		return schema_fail_at(&b->reader, line, key,
			"%s is a default port of %s: give %s a list of its own", v->text,
			v->key->name, v->key->name);
	}
	limits_set_port(&b->p->limits, port, kind);
	b->port_line[port] = line != 0 ? line : v->line;
	return 0;
}

static bool
is_nat64(const struct ip_range *range, unsigned int length)
{
	bool fits = length == 96 || (length >= 32 && length <= 64 && length % 8 == 0);

	return range->version == 6 && fits && ((range->first >> 56) & 0xff) == 0;
}

static int
take_nat64(struct policy_build *b, const struct schema_value *v)
{
	struct limits *limits = &b->p->limits;
	struct ip_range range;
	unsigned int i, length, shorter;

	if (ip_parse_prefix(v->text, &range) != 0)
		return fail_prefix(&b->reader, v->text);
	length = prefix_length(v->text);
	if (!is_nat64(&range, length))
		return schema_fail(&b->reader,
			"'%s': an IPv6 prefix of length 32, 40, 48, 56, 64 or 96 is expected, with "
			"bits "
			"64 to 71 zero (RFC 6052)",
			v->text);
	for (i = 0; i < limits->n_nat64; i++) {
		shorter = length < limits->nat64[i].length ? length : limits->nat64[i].length;
		if (((range.first ^ limits->nat64[i].prefix) >> (128 - shorter)) == 0)
			return schema_fail(&b->reader,
				"'%s' overlaps a prefix listed before: which addresses are "
				"embedded "
				"would be ambiguous",
				v->text);
	}
	if (i == LIMITS_NAT64_MAX)
		return schema_fail(&b->reader, "more than %u prefixes", LIMITS_NAT64_MAX);
	limits->nat64[i].prefix = range.first;
	limits->nat64[i].length = (uint8_t)length;
	limits->n_nat64++;
	return 0;
}

static int
take_group(struct policy_build *b, const struct schema_value *v)
{
	group_add(&b->groups, &b->reader, v->text);
	return 0;
}

static int
begin_group(struct schema_reader *r, const struct schema_section *s, const char *name)
{
	struct policy_build *b = r->context;

	(void)s;
	group_begin(&b->groups, r, name);
	return 0;
}

static int
take_value(struct schema_reader *r, const struct schema_value *v)
{
	static int (*const takers[])(struct policy_build *, const struct schema_value *) = {
		[KEY_NAME] = take_name,
		[KEY_MODE] = take_mode,
		[KEY_INBOUND] = take_inbound,
		[KEY_CONFLICT] = take_conflict,
		[KEY_SINGLE] = take_single,
		[KEY_LIMIT8] = take_limit8,
		[KEY_LIMIT16] = take_limit16,
		[KEY_COUNTRY] = take_country,
		[KEY_ASN] = take_asn,
		[KEY_PREFIX] = take_prefix,
		[KEY_PORT] = take_port,
		[KEY_NAT64] = take_nat64,
		[KEY_GROUP] = take_group,
		[KEY_PAYLOAD] = evidence_take_payload,
		[KEY_RATE] = evidence_take_rate,
	};

	return takers[KEY_ID_KIND(v->key->id)](r->context, v);
}

const struct schema_sink policy_values = { begin_group, take_value };
