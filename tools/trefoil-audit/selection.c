/* SPDX-License-Identifier: BSD-3-Clause */
/* Which packets are meant, and the walk over all that are there. */
#include "trefoil_audit.h"

#include "base/reason.h"
#include "base/text.h"
#include "base/verdict.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATH_SIZE     4096
#define NS_PER_SECOND UINT64_C(1000000000)
#define LETTERS       "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

enum {
	KEY_FROM = 256,
	KEY_TO,
	KEY_COUNTRY,
	KEY_ASN,
	KEY_RULE,
	KEY_REASON,
	KEY_VERDICT,
	KEY_FLOW,
	KEY_SEGMENT
};

static const struct argp_option option_list[] = {
	{ "from", KEY_FROM, "TIME", 0, "Not before (2026-11-24T22:15:00Z or seconds)", 1 },
	{ "to", KEY_TO, "TIME", 0, "Before", 1 },
	{ "country", KEY_COUNTRY, "CC", 0, "Country of the deciding address (- = unknown)", 1 },
	{ "asn", KEY_ASN, "ASN", 0, "ASN of the deciding address", 1 },
	{ "rule", KEY_RULE, "TEXT", 0, "Text that the rule's annotation contains", 1 },
	{ "reason", KEY_REASON, "WORD", 0, "Reason of the verdict", 1 },
	{ "verdict", KEY_VERDICT, "WORD", 0, "mirror, drop+mirror", 1 },
	{ "flow", KEY_FLOW, "ADDR[,ADDR]", 0,
		"To or from the address (192.0.2.1, 192.0.2.1:53, [2001:db8::1]:53), or between "
		"the two",
		1 },
	{ "segment", KEY_SEGMENT, "NAME", 0, "Only in this segment", 1 },
	{ 0 },
};

/* Nanoseconds of what stands behind the point at `*at`, which is moved behind it. */
static uint64_t
parse_fraction(char **at)
{
	uint64_t ns = 0, weight = NS_PER_SECOND / 10;

	for ((*at)++; **at >= '0' && **at <= '9'; (*at)++, weight /= 10)
		ns += weight * (uint64_t)(**at - '0');
	return ns;
}

/* Returns 0 or -EINVAL. */
static int
parse_time(const char *text, uint64_t *out)
{
	struct tm utc = { .tm_isdst = 0 };
	char *end;
	unsigned long long seconds = strtoull(text, &end, 10);
	uint64_t ns = 0;

	if (*text >= '0' && *text <= '9' && *end == '\0') {
		*out = seconds * NS_PER_SECOND;
		return 0;
	}
	end = strptime(text, "%Y-%m-%dT%H:%M:%S", &utc);
	if (end != NULL && *end == '.')
		ns = parse_fraction(&end);
	if (end == NULL)
		end = strptime(text, "%Y-%m-%d", &utc);
	if (end == NULL || (strcmp(end, "Z") != 0 && *end != '\0'))
		return -EINVAL;
	*out = (uint64_t)timegm(&utc) * NS_PER_SECOND + ns;
	return 0;
}

/* Cut the port off `text` ("192.0.2.1:53", "[2001:db8::1]:53"): a pointer to it, "" = none. */
static const char *
cut_port(char *text)
{
	char *colon = strchr(text, ':'), *close = strchr(text, ']');

	if (text[0] == '[') {
		if (close == NULL)
			return NULL;
		*close = '\0';
		return close[1] == ':' ? close + 2 : close[1] == '\0' ? "" : NULL;
	}
	if (colon == NULL || strchr(colon + 1, ':') != NULL)
		return "";
	*colon = '\0';
	return colon + 1;
}

/* One end of a flow, as flow_key_format() writes it. Returns 0 or -EINVAL. */
static int
parse_end(const char *arg, char out[FLOW_ADDRESS_SIZE])
{
	char text[FLOW_ADDRESS_SIZE], address[INET6_ADDRSTRLEN], *end;
	uint8_t bytes[sizeof(struct in6_addr)];
	const char *port, *host;
	unsigned long number;
	int family;

	if (strlen(arg) >= sizeof(text))
		return -EINVAL;
	strcpy(text, arg);
	port = cut_port(text);
	host = text[0] == '[' ? text + 1 : text;
	family = strchr(host, ':') != NULL ? AF_INET6 : AF_INET;
	if (port == NULL || inet_pton(family, host, bytes) != 1)
		return -EINVAL;
	inet_ntop(family, bytes, address, sizeof(address));
	number = strtoul(port, &end, 10);
	if (*end != '\0' || number > UINT16_MAX)
		return -EINVAL;
	if (*port == '\0')
		snprintf(out, FLOW_ADDRESS_SIZE, "%s", address);
	else
		snprintf(out, FLOW_ADDRESS_SIZE, family == AF_INET ? "%s:%lu" : "[%s]:%lu", address,
			number);
	return 0;
}

static void
take_flow(struct selection *s, char *arg, const struct argp_state *state)
{
	unsigned int i;

	for (i = 0; i < 2 && arg != NULL; i++) {
		const char *part = strsep(&arg, ",");

		if (parse_end(part, s->ends[i]) != 0)
			argp_error(state, "'%s' is not an address, with or without a port", part);
		s->flow[i] = s->ends[i];
	}
	if (arg != NULL)
		argp_error(state, "a flow has two ends: '%s' is too much", arg);
}

/* A word that never occurs would select nothing, and that would look like an answer. */
static void
take_reason(struct selection *s, const char *arg, const struct argp_state *state)
{
	const char *names[REASON_N] = { NULL }, *nearest;
	unsigned int i;

	for (i = REASON_NONE + 1; i < REASON_N; i++) {
		names[i] = reason_name((reason_t)i);
		if (strcmp(names[i], arg) == 0)
			s->reason = arg;
	}
	if (s->reason == arg)
		return;
	nearest = text_nearest(arg, names, REASON_N);
	argp_error(state, "'%s' is not a reason%s%s%s: see trefoil-reasons(7)", arg,
		nearest != NULL ? " (did you mean '" : "", nearest != NULL ? nearest : "",
		nearest != NULL ? "'?)" : "");
}

static void
take_word(struct selection *s, int key, const char *arg, const struct argp_state *state)
{
	verdict_t verdict;

	if (key == KEY_VERDICT) {
		if (verdict_parse(arg, &verdict) != 0)
			argp_error(state, "'%s' is not a verdict: mirror, drop+mirror", arg);
		s->verdict = arg;
		return;
	}
	if (strcmp(arg, "-") != 0 && (strlen(arg) != 2 || strspn(arg, LETTERS) != 2))
		argp_error(state, "'%s' is not a country code such as IE, nor - for unknown", arg);
	s->country = arg;
}

static void
take_number(struct selection *s, const char *arg, const struct argp_state *state)
{
	char *end;

	s->asn = (int64_t)strtoul(strncmp(arg, "AS", 2) == 0 ? arg + 2 : arg, &end, 10);
	if (*end != '\0' || end == arg || s->asn > UINT32_MAX)
		argp_error(state, "'%s' is not an ASN", arg);
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct selection *s = state->input;

	switch (key) {
	case KEY_FROM:
	case KEY_TO:
		if (parse_time(arg, key == KEY_FROM ? &s->from_ns : &s->to_ns) != 0)
			argp_error(state, "'%s' is not a time such as 2026-11-24T22:15:00Z", arg);
		return 0;
	case KEY_COUNTRY:
	case KEY_VERDICT:
		take_word(s, key, arg, state);
		return 0;
	case KEY_ASN:
		take_number(s, arg, state);
		return 0;
	case KEY_RULE:
		s->rule = arg;
		return 0;
	case KEY_REASON:
		take_reason(s, arg, state);
		return 0;
	case KEY_FLOW:
		take_flow(s, arg, state);
		return 0;
	case KEY_SEGMENT:
		s->segment = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp selection_argp = { option_list, parse, NULL, NULL, NULL, NULL, NULL };

bool
text_is(const struct text *text, const char *value)
{
	return strlen(value) == text->length && memcmp(text->at, value, text->length) == 0;
}

static uint32_t
text_number(const struct text *text)
{
	uint32_t n = 0;
	size_t i;

	for (i = 0; i < text->length && text->at[i] >= '0' && text->at[i] <= '9'; i++)
		n = 10 * n + (uint32_t)(text->at[i] - '0');
	return n;
}

static void
annotation_take(struct annotation *out, const struct text *key, const struct text *value)
{
	if (text_is(key, "verdict"))
		out->verdict = *value;
	else if (text_is(key, "reason"))
		out->reason = *value;
	else if (text_is(key, "rule"))
		out->rule = *value;
	else if (text_is(key, "country"))
		out->country = *value;
	else if (text_is(key, "asn"))
		out->asn = text_number(value);
}

/* key=value or key="value with blanks", with blanks between. */
void
annotation_parse(const char *at, size_t length, struct annotation *out)
{
	const char *end = at + length;

	*out = (struct annotation){ { "", 0 }, { "", 0 }, { "", 0 }, { "", 0 }, 0 };
	while (at < end) {
		const char *equals = memchr(at, '=', (size_t)(end - at)), *stop;
		struct text key, value;
		char mark;

		if (equals == NULL)
			return;
		key = (struct text){ at, (size_t)(equals - at) };
		at = equals + 1;
		mark = at < end && *at == '"' ? '"' : ' ';
		at += mark == '"';
		stop = memchr(at, mark, (size_t)(end - at));
		stop = stop != NULL ? stop : end;
		value = (struct text){ at, (size_t)(stop - at) };
		annotation_take(out, &key, &value);
		at = stop;
		while (at < end && (*at == ' ' || *at == '"'))
			at++;
	}
}

/* Is it one end of the flow? */
static bool
is_end(const struct flow_key *flow, const char *wanted, bool is_source)
{
	struct flow_key bare = *flow;
	char with_port[FLOW_ADDRESS_SIZE], without[FLOW_ADDRESS_SIZE];

	bare.source_port = bare.destination_port = 0;
	return strcmp(flow_key_format(flow, is_source, with_port), wanted) == 0 ||
	       strcmp(flow_key_format(&bare, is_source, without), wanted) == 0;
}

static bool
is_flow(const struct selection *s, const struct flow_key *flow)
{
	if (s->flow[0] == NULL)
		return true;
	if (s->flow[1] == NULL)
		return is_end(flow, s->flow[0], true) || is_end(flow, s->flow[0], false);
	return (is_end(flow, s->flow[0], true) && is_end(flow, s->flow[1], false)) ||
	       (is_end(flow, s->flow[1], true) && is_end(flow, s->flow[0], false));
}

static bool
is_selected(const struct selection *s, const struct packet *p)
{
	const struct annotation *a = &p->annotation;

	if (p->block->time_ns < s->from_ns || (s->to_ns != 0 && p->block->time_ns >= s->to_ns))
		return false;
	return (s->country == NULL || text_is(&a->country, s->country)) &&
	       (s->asn < 0 || s->asn == (int64_t)a->asn) &&
	       (s->reason == NULL || text_is(&a->reason, s->reason)) &&
	       (s->verdict == NULL || text_is(&a->verdict, s->verdict)) &&
	       (s->rule == NULL ||
		       memmem(a->rule.at, a->rule.length, s->rule, strlen(s->rule)) != NULL) &&
	       is_flow(s, &p->flow);
}

static int
walk_block(const struct selection *s, struct packet *p, packet_fn *fn, void *context, struct err *e)
{
	const struct capture_block *b = p->block;

	if (b->kind != CAPTURE_BLOCK_PACKET)
		return fn(context, p, e);
	annotation_parse(b->comment, b->comment_length, &p->annotation);
	flow_key_parse(b->data, b->length, &p->flow);
	return is_selected(s, p) ? fn(context, p, e) : 0;
}

static int
walk_segment(const char *directory, const struct inventory_segment *segment,
	const struct selection *s, packet_fn *fn, void *context, struct err *e)
{
	struct capture_block block;
	struct packet p = { .segment = segment, .block = &block };
	struct capture_reader *reader;
	char path[PATH_SIZE];
	int rc;

	snprintf(path, sizeof(path), "%s/%s", directory, segment->claim.name);
	reader = capture_reader_open(path, e);
	if (reader == NULL)
		return -errno;
	while ((rc = capture_reader_next(reader, &block, e)) == 1) {
		rc = walk_block(s, &p, fn, context, e);
		if (rc != 0)
			break;
	}
	capture_reader_close(reader);
	/* the end of what is being written, or of what a crash left, may be cut off */
	if (rc == -EBADMSG && (!segment->claim.is_closed || segment->is_recovered))
		rc = 0;
	return rc;
}

/* A segment that a copy left out, or cut off, keeps nobody from the others: the first error is kept,
 * more are printed. */
static bool
goes_on(int rc, const struct err *now, int *status, struct err *e)
{
	if (*status != 0)
		tool_fail(now, rc);
	else {
		*status = rc;
		*e = *now;
	}
	return rc == -EBADMSG || rc == -ENOENT;
}

int
walk(const struct options *o, const struct selection *s, packet_fn *fn, void *context,
	struct err *e)
{
	struct chain_check check = { .key = o->key, .allow_torn = true };
	struct inventory inventory;
	struct err now = { .message = "" };
	size_t i;
	int status = inventory_load(o->directory, &check, false, &inventory, e), rc = status;

	for (i = 0; rc == 0 && i < inventory.n; i++) {
		const struct inventory_segment *segment = &inventory.items[i];

		if (segment->is_removed || segment->is_missing ||
			(s->segment != NULL && strcmp(s->segment, segment->claim.name) != 0))
			continue;
		tool_progress("%s", segment->claim.name);
		rc = walk_segment(o->directory, segment, s, fn, context, &now);
		if (rc != 0 && goes_on(rc, &now, &status, e))
			rc = 0;
	}
	tool_progress(NULL);
	inventory_fini(&inventory);
	return status;
}
