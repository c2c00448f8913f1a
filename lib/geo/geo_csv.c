/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Range CSVs. One record is read at a time into a fixed buffer; what its fields mean follows from
 * how many there are after the addresses and from the separator:
 *
 *     start,end,CC            country: ip-location-db, DB-IP, Tor, iptoasn's ip2country (tabs)
 *     start,end,ASN[,name]    ASN: ip-location-db, DB-IP
 *     start,end,ASN,CC,name   with tabs: iptoasn's ip2asn, either kind
 *     start,end,CC[,ASN[,name]]  overlay
 *
 * `prefix` may stand for `start,end` everywhere. Addresses are RFC 4291 text or decimal integers;
 * integers do not say their family, so the first record with integers decides it for the file: IPv6
 * if its end is over 2^32 - 1.
 */
#include "geo/geo_import_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RECORD_SIZE_MAX 4096
#define FIELDS_MAX      8

struct csv {
	const struct geo_import *in;
	const char *at, *end;
	unsigned int line;       /* of the record in hand */
	unsigned int next_line;  /* where `at` stands */
	char separator;          /* ',' or a tab */
	uint8_t integer_version; /* 0 = no integers seen yet */
	size_t n_rows;
	unsigned int n_fields;
	char *field[FIELDS_MAX];
	char text[RECORD_SIZE_MAX]; /* what field points into */
	size_t n_text;
};

static int
refuse(const struct csv *c, const char *what, const char *text)
{
	char shown[64];
	size_t i;

	snprintf(shown, sizeof(shown), "%s", text);
	for (i = 0; shown[i] != '\0'; i++)
		if ((unsigned char)shown[i] < 0x20 || (unsigned char)shown[i] >= 0x7f)
			shown[i] = '?';
	return err_set(c->in->e, c->in->name, c->line, NULL, "%s: '%s'", what, shown);
}

static int
put_char(struct csv *c, char ch)
{
	if (c->n_text == sizeof(c->text))
		return err_set(c->in->e, c->in->name, c->line, NULL,
			"record over %d bytes: this is no range CSV", RECORD_SIZE_MAX);
	c->text[c->n_text++] = ch;
	return 0;
}

/* After the opening quote up to the closing one; "" is a quote (RFC 4180). */
static int
read_quoted(struct csv *c)
{
	for (; c->at < c->end; c->at++) {
		if (*c->at == '"' && (c->at + 1 == c->end || c->at[1] != '"')) {
			c->at++;
			return 0;
		}
		if (*c->at == '"')
			c->at++;
		c->next_line += *c->at == '\n';
		if (*c->at == '\0' || put_char(c, *c->at) != 0)
			return *c->at == '\0' ? refuse(c, "NUL byte", "") : -EINVAL;
	}
	return refuse(c, "the quoted field does not end", "");
}

static bool
at_end_of_field(const struct csv *c)
{
	return c->at == c->end || *c->at == c->separator || *c->at == '\n' ||
	       (*c->at == '\r' && (c->at + 1 == c->end || c->at[1] == '\n'));
}

static int
read_field(struct csv *c)
{
	bool quoted = c->separator == ',' && c->at < c->end && *c->at == '"';

	if (c->n_fields == FIELDS_MAX)
		return refuse(c, "too many fields", "");
	c->field[c->n_fields++] = c->text + c->n_text;
	if (quoted) {
		c->at++;
		if (read_quoted(c) != 0)
			return -EINVAL;
		if (!at_end_of_field(c))
			return refuse(c, "text after a quoted field", c->field[c->n_fields - 1]);
	}
	for (; !at_end_of_field(c); c->at++)
		if (*c->at == '\0' || put_char(c, *c->at) != 0)
			return *c->at == '\0' ? refuse(c, "NUL byte", "") : -EINVAL;
	return put_char(c, '\0');
}

static int
read_record(struct csv *c)
{
	c->line = c->next_line;
	c->n_fields = 0;
	c->n_text = 0;
	for (;;) {
		if (read_field(c) != 0)
			return -EINVAL;
		if (c->at == c->end || *c->at != c->separator)
			break;
		c->at++;
	}
	if (c->at < c->end && *c->at == '\r')
		c->at++;
	if (c->at < c->end)
		c->at++;
	c->next_line++;
	return 0;
}

/* Decimal, at most `max`, nothing else. */
static int
parse_integer(const char *text, ip6_t max, ip6_t *out)
{
	ip6_t value = 0;

	if (text[0] == '\0')
		return -EINVAL;
	for (; *text != '\0'; text++) {
		unsigned int digit = (unsigned int)(*text - '0');

		if (*text < '0' || *text > '9' || value > (max - digit) / 10)
			return -EINVAL;
		value = value * 10 + digit;
	}
	*out = value;
	return 0;
}

static int
parse_integers(struct csv *c, struct ip_range *out)
{
	uint8_t version = c->integer_version;
	ip6_t first, last;

	if (parse_integer(c->field[0], ip_max(6), &first) != 0)
		return refuse(c, "neither an IP address nor a prefix nor an integer", c->field[0]);
	if (parse_integer(c->field[1], ip_max(6), &last) != 0)
		return refuse(c, "not an integer address like the first", c->field[1]);
	if (version == 0)
		version = last > ip_max(4) ? 6 : 4;
	if (first > ip_max(version) || last > ip_max(version))
		return refuse(c, "over 4294967295 in a file that began with IPv4 integers",
			c->field[last > ip_max(version)]);
	c->integer_version = version;
	*out = (struct ip_range){ first, last, version };
	return 0;
}

static int
parse_texts(const struct csv *c, const struct ip_addr *first, struct ip_range *out)
{
	struct ip_addr last;

	if (ip_parse(c->field[1], &last) != 0)
		return refuse(c, "not an IP address", c->field[1]);
	if (last.version != first->version)
		return refuse(c, "start and end are of different IP versions", c->field[1]);
	*out = (struct ip_range){ first->value, last.value, first->version };
	return 0;
}

static int
parse_prefix(const struct csv *c, struct ip_range *out)
{
	int rc = ip_parse_prefix(c->field[0], out);

	if (rc == -EDOM)
		return refuse(c, "the prefix has host bits set", c->field[0]);
	return rc != 0 ? refuse(c, "not a prefix", c->field[0]) : 0;
}

/* The addresses of a record; `*n` fields were theirs. */
static int
parse_range(struct csv *c, struct ip_range *out, unsigned int *n)
{
	struct ip_addr first;
	int rc;

	*n = strchr(c->field[0], '/') != NULL ? 1 : 2;
	if (*n == 1)
		return parse_prefix(c, out);
	if (c->n_fields < 2)
		return refuse(c, "a record needs start and end, or a prefix", c->field[0]);
	if (ip_parse(c->field[0], &first) == 0)
		rc = parse_texts(c, &first, out);
	else
		rc = parse_integers(c, out);
	if (rc == 0 && out->first > out->last)
		return refuse(c, "the range ends before it begins", c->field[1]);
	return rc;
}

static int
added(const struct csv *c, int rc)
{
	if (rc == -ENOMEM)
		return err_set_code(c->in->e, ENOMEM, c->in->name, c->line, NULL, "out of memory");
	return rc != 0 ? refuse(c, "the record was refused", c->field[0]) : 0;
}

static int
add_country(struct csv *c, const struct ip_range *range, const char *code)
{
	if (geo_import_is_no_country(code))
		code = GEO_UNKNOWN_COUNTRY;
	else if (strlen(code) != 2 || code[0] < 'A' || code[0] > 'Z' || code[1] < 'A' ||
		 code[1] > 'Z')
		return refuse(
			c, "not an ISO 3166-1 alpha-2 country code (two capital letters)", code);
	c->n_rows++;
	return added(c, geo_build_add_country(c->in->build, range, code, c->in->source));
}

/* "64496" or "AS64496"; 0 = not routed: no row. */
static int
add_asn(struct csv *c, const struct ip_range *range, const char *number, const char *name)
{
	ip6_t asn;

	if (parse_integer(number[0] == 'A' && number[1] == 'S' ? number + 2 : number, UINT32_MAX,
		    &asn) != 0)
		return refuse(c, "not an AS number (0 to 4294967295)", number);
	c->n_rows++;
	if (asn == 0)
		return 0;
	return added(c, geo_build_add_asn(c->in->build, range, (uint32_t)asn, name, c->in->source));
}

static int
add_overlay(struct csv *c, const struct ip_range *range, char *const *field, unsigned int n)
{
	int rc = 0;

	if (n < 1 || n > 3)
		return refuse(c,
			"an overlay line is start,end,CC[,ASN[,name]] or prefix,CC[,ASN[,name]]",
			c->field[0]);
	c->n_rows++;
	if (field[0][0] != '\0')
		rc = add_country(c, range, field[0]);
	if (rc != 0 || n < 2 || field[1][0] == '\0')
		return rc;
	return add_asn(c, range, field[1], n == 3 ? field[2] : NULL);
}

/* The fields after the addresses. */
static int
add_record(struct csv *c, const struct ip_range *range, char *const *field, unsigned int n)
{
	bool iptoasn = c->separator == '\t' && n == 3;

	if (c->in->overlay)
		return add_overlay(c, range, field, n);
	if (c->in->country) {
		if (n != 1 && !iptoasn)
			return refuse(c, "a country record is start,end,CC", c->field[0]);
		return add_country(c, range, field[iptoasn ? 1 : 0]);
	}
	if (n != 1 && n != 2 && !iptoasn)
		return refuse(c, "an ASN record is start,end,ASN[,name]", c->field[0]);
	return add_asn(c, range, field[0], n > 1 ? field[n - 1] : NULL);
}

static int
read_line(struct csv *c)
{
	struct ip_range range;
	unsigned int n;

	if (read_record(c) != 0 || parse_range(c, &range, &n) != 0)
		return -EINVAL;
	return add_record(c, &range, c->field + n, c->n_fields - n);
}

/* Comments and empty lines. */
static bool
skip_line(struct csv *c)
{
	const char *newline;

	if (*c->at != '#' && *c->at != '\n' && *c->at != '\r')
		return false;
	newline = memchr(c->at, '\n', (size_t)(c->end - c->at));
	c->at = newline != NULL ? newline + 1 : c->end;
	c->next_line++;
	return true;
}

/* Tabs if the first record has one. */
static char
find_separator(const struct csv *c)
{
	const char *newline = memchr(c->at, '\n', (size_t)(c->end - c->at));
	size_t length = (size_t)((newline != NULL ? newline : c->end) - c->at);

	return memchr(c->at, '\t', length) != NULL ? '\t' : ',';
}

int
geo_csv_read(const struct geo_import *in, const char *text, size_t size)
{
	struct csv c = { .in = in, .at = text, .end = text + size, .next_line = 1 };
	int rc;

	if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		c.at += 3;
	while (c.at < c.end) {
		if (skip_line(&c))
			continue;
		if (c.separator == '\0')
			c.separator = find_separator(&c);
		rc = read_line(&c);
		if (rc != 0)
			return rc;
	}
	if (c.n_rows == 0)
		return err_set(in->e, in->name, 0, NULL, "the file has no records");
	return 0;
}
