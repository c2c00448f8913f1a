/* SPDX-License-Identifier: BSD-3-Clause */
/* geo_import: every CSV form, MMDB files good and bad, and real samples against their own rows. */
#include "suite.h"

#include "geo/geo_import.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lookup_case {
	const char *address;
	const char *want; /* "CC ASN name" */
};

static const char *
answer(const struct geo_table *t, const char *address)
{
	static char text[300];
	struct geo_answer a;
	struct ip_addr ip;

	CU_ASSERT_EQUAL_FATAL(ip_parse(address, &ip), 0);
	geo_lookup(t, &ip, &a);
	snprintf(text, sizeof(text), "%.2s %u %s", a.origin->country, a.origin->asn,
		a.origin->as_name);
	return text;
}

static void
expect(const struct geo_table *t, const struct lookup_case *c)
{
	const char *got = answer(t, c->address);

	CU_ASSERT_STRING_EQUAL(got, c->want);
	if (strcmp(got, c->want) != 0)
		printf("\n    %s: got '%s', want '%s'\n", c->address, got, c->want);
}

/* Import as country, as ASN, or as overlay. */
enum as { AS_COUNTRY = GEO_COUNTRY, AS_ASN = GEO_ASN, AS_OVERLAY };

static int
import(struct geo_build *b, enum as as, const void *bytes, size_t size, struct err *e)
{
	int source = geo_build_add_source(b, "test 1");

	if (as == AS_OVERLAY)
		return geo_import_overlay_bytes(b, bytes, size, "test.csv", source, e);
	return geo_import_bytes(b, bytes, size, "test.csv", (enum geo_kind)as, source, e);
}

static void
test_every_csv_form_is_read(void)
{
	static const struct {
		const char *what;
		enum as as;
		const char *text;
		struct lookup_case lookups[4];
	} cases[] = {
		{ "country, text addresses", AS_COUNTRY,
			"1.0.0.0,1.0.0.255,AU\n2001:200::,2001:200:ffff::,JP\n",
			{ { "1.0.0.255", "AU 0 " }, { "1.0.1.0", "ZZ 0 " },
				{ "2001:200:ffff::", "JP 0 " } } },
		{ "country, IPv4 integers", AS_COUNTRY, "16777216,16777471,AU\n0,0,US\n",
			{ { "1.0.0.0", "AU 0 " }, { "0.0.0.0", "US 0 " } } },
		{ "country, IPv6 integers", AS_COUNTRY,
			"42540528726795050063891204319802818560,"
			"42540528806023212578155541913346768895,JP\n1,2,US\n",
			{ { "2001:200::", "JP 0 " }, { "::2", "US 0 " }, { "0.0.0.2", "ZZ 0 " } } },
		{ "highest IPv6 integer", AS_COUNTRY,
			"0,340282366920938463463374607431768211455,JP\n",
			{ { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "JP 0 " } } },
		{ "no final newline, CRLF, BOM, empty lines", AS_COUNTRY,
			"\xef\xbb\xbf\r\n1.0.0.0,1.0.0.255,AU\r\n\n2.0.0.0,2.0.0.1,FR",
			{ { "1.0.0.1", "AU 0 " }, { "2.0.0.1", "FR 0 " } } },
		{ "tor geoip", AS_COUNTRY,
			"# a comment, with a comma\n16777216,16777471,AU\n"
			"16777472,16777473,??\n",
			{ { "1.0.0.1", "AU 0 " }, { "1.0.1.0", "ZZ 0 " } } },
		{ "tor geoip6", AS_COUNTRY, "# x\n2001:2:0:ffff:ffff:ffff:ffff:ffff,2001:3::,JP\n",
			{ { "2001:3::", "JP 0 " } } },
		{ "IPv6 text that is not RFC 5952's", AS_COUNTRY,
			"2c0f:e9a0:2:0:0:0:2b::,2c0f:e9a0:2:0:0:0:2b:ffff,KE\n",
			{ { "2c0f:e9a0:2::2b:1", "KE 0 " } } },
		{ "prefixes", AS_COUNTRY, "192.0.2.0/24,DE\n2001:db8::/32,FR\n",
			{ { "192.0.2.255", "DE 0 " }, { "2001:db8::1", "FR 0 " } } },
		{ "codes that are no ISO ones", AS_COUNTRY,
			"1.0.0.0,1.0.0.0,XK\n1.0.0.1,1.0.0.1,AN\n",
			{ { "1.0.0.0", "XK 0 " }, { "1.0.0.1", "AN 0 " } } },
		{ "words for unknown", AS_COUNTRY,
			"1.0.0.0,1.0.0.9,AU\n1.0.0.1,1.0.0.1,\n1.0.0.2,1.0.0.2,-\n1.0.0.3,1.0.0.3,"
			"ZZ\n",
			{ { "1.0.0.0", "AU 0 " }, { "1.0.0.1", "ZZ 0 " }, { "1.0.0.2", "ZZ 0 " },
				{ "1.0.0.3", "ZZ 0 " } } },
		{ "quoted country", AS_COUNTRY, "\"1.0.0.0\",\"1.0.0.255\",\"AU\"\n",
			{ { "1.0.0.1", "AU 0 " } } },
		{ "ASN with names", AS_ASN,
			"1.0.0.0,1.0.0.255,13335,\"Cloudflare, Inc.\"\n"
			"1.0.1.0,1.0.1.255,4294967294,\"LLC \"\"SPUTNIK\"\"\"\n"
			"1.0.2.0,1.0.2.255,1,Telef\xc3\xb3nica\n1.0.3.0,1.0.3.255,2\n",
			{ { "1.0.0.1", "ZZ 13335 Cloudflare, Inc." },
				{ "1.0.1.1", "ZZ 4294967294 LLC \"SPUTNIK\"" },
				{ "1.0.2.1", "ZZ 1 Telef\xc3\xb3nica" }, { "1.0.3.1", "ZZ 2 " } } },
		{ "iptoasn as ASN", AS_ASN,
			"1.0.0.0\t1.0.0.255\t13335\tUS\tCLOUDFLARENET \"x\", y\n"
			"1.0.1.0\t1.0.3.255\t0\tNone\tNot routed\n",
			{ { "1.0.0.0", "ZZ 13335 CLOUDFLARENET \"x\", y" },
				{ "1.0.1.0", "ZZ 0 " } } },
		{ "iptoasn as country", AS_COUNTRY,
			"1.0.0.0\t1.0.0.255\t13335\tUS\tCLOUDFLARENET\n"
			"1.0.1.0\t1.0.3.255\t0\tNone\tNot routed\n",
			{ { "1.0.0.0", "US 0 " }, { "1.0.1.0", "ZZ 0 " } } },
		{ "iptoasn ip2country", AS_COUNTRY, "16777216\t16777471\tAU\n",
			{ { "1.0.0.0", "AU 0 " } } },
		{ "overlay, ranges", AS_OVERLAY,
			"# mine\n192.0.2.0,192.0.2.255,DE\n2001:db8::,2001:db8::ff,FR,64496,\"A, "
			"B\"\n"
			"192.0.2.9,192.0.2.9,,64497\n",
			{ { "192.0.2.1", "DE 0 " }, { "2001:db8::1", "FR 64496 A, B" },
				{ "192.0.2.9", "DE 64497 " } } },
		{ "overlay, prefixes", AS_OVERLAY,
			"192.0.2.0/24,DE,AS64496,Name\n198.51.100.0/24,US\n203.0.113.0/24,FR,,\n",
			{ { "192.0.2.1", "DE 64496 Name" }, { "198.51.100.7", "US 0 " },
				{ "203.0.113.1", "FR 0 " } } },
	};
	size_t i, j;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct geo_build *b = geo_build_new();
		struct err e = { 0 };
		char text[600];
		struct geo_table *t;
		int rc = import(b, cases[i].as, cases[i].text, strlen(cases[i].text), &e);

		CU_ASSERT_EQUAL(rc, 0);
		if (rc != 0)
			printf("\n    %s: %s\n", cases[i].what, err_format(&e, text, sizeof(text)));
		t = geo_build_seal(b);
		for (j = 0; j < 4 && cases[i].lookups[j].address != NULL; j++)
			expect(t, &cases[i].lookups[j]);
		geo_free(t);
	}
}

static void
test_bad_lines_are_refused_with_their_number(void)
{
	static const struct {
		enum as as;
		unsigned int line;
		const char *word; /* in the message */
		const char *text;
	} cases[] = {
		{ AS_COUNTRY, 0, "no records", "" },
		{ AS_COUNTRY, 0, "no records", "# only\n\n" },
		{ AS_COUNTRY, 2, "two capital letters",
			"1.0.0.0,1.0.0.1,AU\n1.0.0.2,1.0.0.3,au\n" },
		{ AS_COUNTRY, 3, "two capital letters", "# c\n\n1.0.0.0,1.0.0.1,AUS\n" },
		{ AS_COUNTRY, 1, "'13335'", "1.0.0.0,1.0.0.1,13335\n" },
		{ AS_COUNTRY, 1, "start,end,CC", "1.0.0.0,1.0.0.1\n" },
		{ AS_COUNTRY, 1, "start,end,CC", "1.0.0.0,1.0.0.1,EU,DE,Berlin\n" },
		{ AS_COUNTRY, 1, "start and end", "AU\n" },
		{ AS_COUNTRY, 1, "neither", "start,end,country\n1.0.0.0,1.0.0.1,AU\n" },
		{ AS_COUNTRY, 1, "before it begins", "1.0.0.1,1.0.0.0,AU\n" },
		{ AS_COUNTRY, 1, "before it begins", "5,4,AU\n" },
		{ AS_COUNTRY, 1, "IP versions", "1.0.0.1,::1,AU\n" },
		{ AS_COUNTRY, 1, "not an IP address", "1.0.0.1,5,AU\n" },
		{ AS_COUNTRY, 1, "not an integer", "5,1.0.0.1,AU\n" },
		{ AS_COUNTRY, 1, "not an IP address", "1.0.0.0,1.0.0.256,AU\n" },
		{ AS_COUNTRY, 1, "neither", "-1,5,AU\n" },
		{ AS_COUNTRY, 1, "neither", " 1.0.0.0,1.0.0.1,AU\n" },
		{ AS_COUNTRY, 1, "neither", ",1.0.0.1,AU\n" },
		{ AS_COUNTRY, 1, "not an integer",
			"0,340282366920938463463374607431768211456,AU\n" },
		{ AS_COUNTRY, 2, "IPv4 integers", "1,2,AU\n3,4294967296,AU\n" },
		{ AS_COUNTRY, 1, "host bits", "1.0.0.1/24,AU\n" },
		{ AS_COUNTRY, 1, "not a prefix", "1.0.0.0/33,AU\n" },
		{ AS_COUNTRY, 1, "does not end", "\"1.0.0.0,1.0.0.1,AU\n" },
		{ AS_COUNTRY, 1, "after a quoted", "\"1.0.0.0\"x,1.0.0.1,AU\n" },
		{ AS_COUNTRY, 1, "too many fields", "1,2,3,4,5,6,7,8,9\n" },
		{ AS_ASN, 1, "AS number", "1.0.0.0,1.0.0.1,AU\n" },
		{ AS_ASN, 1, "AS number", "1.0.0.0,1.0.0.1,4294967296\n" },
		{ AS_ASN, 1, "AS number", "1.0.0.0,1.0.0.1,-1\n" },
		{ AS_ASN, 1, "AS number", "1.0.0.0,1.0.0.1,1.10\n" },
		{ AS_ASN, 1, "start,end,ASN", "1.0.0.0,1.0.0.1,1,a,b\n" },
		{ AS_ASN, 3, "AS number", "1.0.0.0,1.0.0.1,1,\"two\nlines\"\n1.0.0.0,1.0.0.1,x\n" },
		{ AS_OVERLAY, 1, "overlay", "1.0.0.0,1.0.0.1\n" },
		{ AS_OVERLAY, 1, "overlay", "1.0.0.0/24,DE,1,x,y\n" },
		{ AS_OVERLAY, 2, "AS number", "1.0.0.0/24,DE\n1.0.1.0/24,DE,x\n" },
		{ AS_COUNTRY, 0, "gunzip", "\x1f\x8b\x08 rest" },
		{ AS_COUNTRY, 0, "unzip", "PK\x03\x04 rest" },
		{ AS_COUNTRY, 0, "geo table already", "\x89TGT rest" },
		{ AS_OVERLAY, 0, "overlay is CSV", "\xab\xcd\xefMaxMind.com" },
		{ AS_COUNTRY, 0, "damaged", "\xab\xcd\xefMaxMind.com" },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct geo_build *b = geo_build_new();
		struct err e = { 0 };
		int rc = import(b, cases[i].as, cases[i].text, strlen(cases[i].text), &e);

		CU_ASSERT_EQUAL(rc, -EINVAL);
		CU_ASSERT_EQUAL(e.line, cases[i].line);
		CU_ASSERT_STRING_EQUAL(e.file, "test.csv");
		CU_ASSERT_PTR_NOT_NULL(strstr(e.message, cases[i].word));
		if (rc != -EINVAL || e.line != cases[i].line ||
			strstr(e.message, cases[i].word) == NULL)
			printf("\n    case %zu: %d, line %u: %s\n", i, rc, e.line, e.message);
		geo_build_free(b);
	}
}

static void
test_binary_and_endless_lines_are_refused(void)
{
	struct geo_build *b = geo_build_new();
	static char line[1 << 16];
	struct err e = { 0 };

	CU_ASSERT_EQUAL(import(b, AS_COUNTRY, "1.0.0.0,1.0.0.1\0,AU\n", 20, &e), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.message, "NUL"));
	memset(line, 'x', sizeof(line));
	CU_ASSERT_EQUAL(import(b, AS_COUNTRY, line, sizeof(line), &e), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.message, "4096"));
	line[0] = '"';
	CU_ASSERT_EQUAL(import(b, AS_COUNTRY, line, sizeof(line), &e), -EINVAL);
	CU_ASSERT_EQUAL(geo_import_file(b, "/nonexistent", GEO_ASN, 1, &e), -ENOENT);
	CU_ASSERT_EQUAL(geo_import_file(b, "/tmp", GEO_ASN, 1, &e), -EISDIR);
	geo_build_free(b);
}

/* A whole file, which the caller frees. */
static char *
slurp(const char *path, size_t *size)
{
	FILE *f = fopen(path, "rb");
	char *bytes = malloc(4 << 20);

	CU_ASSERT_FATAL(f != NULL && bytes != NULL);
	*size = fread(bytes, 1, 4 << 20, f);
	fclose(f);
	return bytes;
}

static struct geo_table *
import_shared(const char *path, enum geo_kind kind)
{
	const char *full = suite_shared(path);
	struct geo_build *b;
	struct err e = { 0 };
	char text[600];
	int rc;

	if (full == NULL) {
		suite_skip("no ../shared/%s", path);
		return NULL;
	}
	b = geo_build_new();
	rc = geo_import_file(b, full, kind, geo_build_add_source(b, path), &e);
	CU_ASSERT_EQUAL(rc, 0);
	if (rc != 0)
		printf("\n    %s\n", err_format(&e, text, sizeof(text)));
	return geo_build_seal(b);
}

struct sample_row {
	struct ip_range range;
	char value[12]; /* country or ASN */
};

/* start,end,value[,...] of the samples, whose first three fields are never quoted. */
static bool
row_parse(char *line, struct sample_row *out)
{
	char *end = strchr(line, ','), *value = end != NULL ? strchr(end + 1, ',') : NULL;
	struct ip_addr first, last;

	if (value == NULL)
		return false;
	*end = '\0';
	*value = '\0';
	if (ip_parse(line, &first) != 0 || ip_parse(end + 1, &last) != 0)
		return false;
	out->range = (struct ip_range){ first.value, last.value, first.version };
	snprintf(out->value, sizeof(out->value), "%.*s", (int)strcspn(value + 1, ",\n"), value + 1);
	return true;
}

static size_t
rows_load(const char *path, struct sample_row *rows, size_t max)
{
	FILE *f = fopen(path, "r");
	char line[1000];
	size_t n = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	while (fgets(line, sizeof(line), f) != NULL && n < max)
		n += row_parse(line, &rows[n]);
	fclose(f);
	return n;
}

/* What the last row that holds `ip` says. Rows are sorted by start; overlaps reach back little. */
static const char *
last_row(const struct sample_row *rows, size_t n, size_t near, ip6_t ip)
{
	size_t low = near > 1000 ? near - 1000 : 0, high = near + 1000 < n ? near + 1000 : n;

	for (; high > low; high--)
		if (rows[high - 1].range.first <= ip && ip <= rows[high - 1].range.last)
			return rows[high - 1].value;
	return "none";
}

static void
check_address(const struct geo_table *t, ip6_t ip, uint8_t version, const char *want, bool asn)
{
	struct ip_addr addr = { ip, version };
	struct geo_answer a;
	char got[12];

	geo_lookup(t, &addr, &a);
	if (asn)
		snprintf(got, sizeof(got), "%u", a.origin->asn);
	else
		snprintf(got, sizeof(got), "%.2s", a.origin->country);
	CU_ASSERT_STRING_EQUAL(got, want);
}

/* Every row is answered at both ends and in the middle as the last row that holds the address. */
static void
test_every_row_of_the_real_samples_is_answered(void)
{
	static const struct {
		const char *path;
		enum geo_kind kind;
	} files[] = {
		{ "geo/country-sample-ipv4.csv", GEO_COUNTRY },
		{ "geo/country-sample-ipv6.csv", GEO_COUNTRY },
		{ "geo/asn-sample-ipv4.csv", GEO_ASN },
		{ "geo/asn-sample-ipv6.csv", GEO_ASN },
	};
	static struct sample_row rows[60000];
	size_t i, j, n;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct geo_table *t = import_shared(files[i].path, files[i].kind);

		if (t == NULL)
			return;
		n = rows_load(suite_shared(files[i].path), rows, 60000);
		CU_ASSERT(n > 1000);
		for (j = 0; j < n; j++) {
			struct ip_range *r = &rows[j].range;
			ip6_t ips[] = { r->first, r->first + (r->last - r->first) / 2, r->last };
			size_t k;

			for (k = 0; k < 3; k++)
				check_address(t, ips[k], r->version, last_row(rows, n, j, ips[k]),
					files[i].kind == GEO_ASN);
		}
		geo_free(t);
	}
}

static bool
same_ranges(const struct geo_table *a, const struct geo_table *b)
{
	return a->n_ranges4 == b->n_ranges4 && a->n_ranges6 == b->n_ranges6 &&
	       memcmp(a->ranges4, b->ranges4, a->n_ranges4 * sizeof(*a->ranges4)) == 0;
}

static void
test_numeric_and_text_samples_give_one_table(void)
{
	static const char *const files[] = { "geo/country-sample-ipv4", "geo/country-sample-ipv6",
		"geo/asn-sample-ipv4", "geo/asn-sample-ipv6" };
	char numeric[80], text[80];
	size_t i, size;

	for (i = 0; i < 4; i++) {
		enum geo_kind kind = i < 2 ? GEO_COUNTRY : GEO_ASN;
		struct geo_build *b = geo_build_new();
		struct geo_table *t, *u;
		struct err e = { 0 };
		unsigned int n = 0;
		char *bytes, *at;

		snprintf(numeric, sizeof(numeric), "%s-num.csv", files[i]);
		snprintf(text, sizeof(text), "%s.csv", files[i]);
		t = import_shared(numeric, kind);
		if (t == NULL) {
			geo_build_free(b);
			return;
		}
		bytes = slurp(suite_shared(text), &size); /* its first 200 rows */
		for (at = bytes; n < 200; n++)
			at = strchr(at, '\n') + 1;
		CU_ASSERT_EQUAL(geo_import_bytes(b, bytes, (size_t)(at - bytes), "x", kind,
					geo_build_add_source(b, "x"), &e),
			0);
		u = geo_build_seal(b);
		CU_ASSERT(same_ranges(t, u));
		geo_free(t);
		geo_free(u);
		free(bytes);
	}
}

static void
test_tor_samples_are_read(void)
{
	struct geo_table *t = import_shared("geo/tor-geoip-sample", GEO_COUNTRY);
	struct geo_table *u = import_shared("geo/tor-geoip6-sample", GEO_COUNTRY);

	if (t != NULL && u != NULL) {
		CU_ASSERT(t->n_ranges4 > 500 && t->n_ranges6 == 0);
		CU_ASSERT(u->n_ranges6 > 50 && u->n_ranges4 == 0);
	}
	geo_free(t);
	geo_free(u);
}

/* The networks of a source file in its order: [{"net": {record}}, ...]. */
static json_t *
source_json(const char *path)
{
	const char *full = suite_shared(path);
	json_t *list = full != NULL ? json_load_file(full, 0, NULL) : NULL;

	CU_ASSERT(full == NULL || json_is_array(list));
	return list;
}

/* 4 when the network is IPv4 written as ::a.b.c.d/n. */
static bool
network_parse(const char *text, struct ip_range *out)
{
	if (ip_parse_prefix(text, out) != 0)
		return false;
	if (out->version == 6 && out->last <= ip_max(4))
		out->version = 4;
	return true;
}

static const char *
json_code(const json_t *record)
{
	const char *code =
		json_string_value(json_object_get(json_object_get(record, "country"), "iso_code"));

	if (code == NULL)
		code = json_string_value(
			json_object_get(json_object_get(record, "registered_country"), "iso_code"));
	return code != NULL ? code : "ZZ";
}

/* Networks in the file may hold others: only those that no later one touches are compared. */
static bool
is_touched(const json_t *list, size_t i, const struct ip_range *range)
{
	struct ip_range other;
	const char *network;
	json_t *item, *record;
	size_t j;

	json_array_foreach((json_t *)(uintptr_t)list, j, item) json_object_foreach(item, network,
		record) if (j != i && network_parse(network, &other) &&
			    other.version == range->version && other.first <= range->last &&
			    other.last >= range->first) return true;
	return false;
}

/* Returns how many networks were compared. */
static unsigned int
compare_with_source(const struct geo_table *t, json_t *list, bool asn)
{
	struct ip_range range;
	unsigned int n = 0;
	const char *network;
	json_t *item, *record;
	char want[12];
	size_t i;

	json_array_foreach(list, i, item) json_object_foreach(item, network, record)
	{
		if (!network_parse(network, &range) || is_touched(list, i, &range))
			continue;
		if (asn)
			snprintf(want, sizeof(want), "%u",
				(uint32_t)json_integer_value(
					json_object_get(record, "autonomous_system_number")));
		else
			snprintf(want, sizeof(want), "%s", json_code(record));
		check_address(t, range.first, range.version, want, asn);
		check_address(t, range.last, range.version, want, asn);
		n++;
	}
	return n;
}

static void
test_mmdb_answers_are_those_of_their_source(void)
{
	static const struct {
		const char *mmdb, *source;
		enum geo_kind kind;
	} cases[] = {
		{ "geo/mmdb-test/valid/GeoLite2-Country-Test.mmdb",
			"geo/mmdb-test/source/GeoLite2-Country-Test.json", GEO_COUNTRY },
		{ "geo/mmdb-test/valid/GeoLite2-ASN-Test.mmdb",
			"geo/mmdb-test/source/GeoLite2-ASN-Test.json", GEO_ASN },
	};
	size_t i;

	for (i = 0; i < 2; i++) {
		struct geo_table *t = import_shared(cases[i].mmdb, cases[i].kind);
		json_t *list;

		if (t == NULL)
			return;
		list = source_json(cases[i].source);
		CU_ASSERT(t->n_ranges4 >= 10 && t->n_ranges6 >= 90);
		CU_ASSERT(compare_with_source(t, list, cases[i].kind == GEO_ASN) > 100);
		CU_ASSERT(t->built_at > 1500000000);
		json_decref(list);
		geo_free(t);
	}
}

/* Aliases of IPv4 in an IPv6 tree are no data. */
static void
test_mmdb_aliases_are_left_out(void)
{
	static const char *const aliases[] = { "::ffff:1.128.0.0", "2002:180::", "2001:0:180::" };
	struct geo_table *t = import_shared("geo/mmdb-test/valid/GeoLite2-ASN-Test.mmdb", GEO_ASN);
	size_t i;

	if (t == NULL)
		return;
	CU_ASSERT_STRING_EQUAL(answer(t, "1.128.0.0"), "ZZ 1221 Telstra Pty Ltd");
	for (i = 0; i < 3; i++)
		CU_ASSERT_STRING_EQUAL(answer(t, aliases[i]), "ZZ 0 ");
	for (i = 0; i < t->n_ranges6; i++)
		CU_ASSERT(t->ranges6[i].first > ip_max(4));
	geo_free(t);
}

/* Import every file of a folder under both kinds; returns how many were read without an error. */
static unsigned int
import_folder(const char *folder, unsigned int *n_files)
{
	const char *full = suite_shared(folder);
	DIR *dir = full != NULL ? opendir(full) : NULL;
	unsigned int n_read = 0;
	struct dirent *entry;
	char root[512], path[800];

	*n_files = 0;
	if (dir == NULL)
		return 0;
	snprintf(root, sizeof(root), "%s", full);
	while ((entry = readdir(dir)) != NULL) {
		unsigned int kind;

		if (strstr(entry->d_name, ".mmdb") == NULL)
			continue;
		snprintf(path, sizeof(path), "%s/%s", root, entry->d_name);
		for (kind = GEO_COUNTRY; kind <= GEO_ASN; kind++) {
			struct geo_build *b = geo_build_new();
			struct err e = { 0 };
			int rc = geo_import_file(b, path, kind, geo_build_add_source(b, "x"), &e);

			CU_ASSERT(rc == 0 || (rc == -EINVAL && e.message[0] != '\0'));
			n_read += rc == 0;
			++*n_files;
			geo_build_free(b);
		}
	}
	closedir(dir);
	return n_read;
}

static void
test_valid_mmdb_files_are_read_or_said_to_have_no_such_data(void)
{
	unsigned int n_files, n_read = import_folder("geo/mmdb-test/valid", &n_files);

	if (n_files == 0)
		suite_skip("no ../shared/geo/mmdb-test");
	else
		CU_ASSERT(n_files == 30 && n_read == 4); /* country: 3, ASN: 1 */
}

static void
test_bad_mmdb_files_are_refused(void)
{
	unsigned int n_files, n_read = import_folder("geo/mmdb-test/bad", &n_files);

	if (n_files == 0)
		suite_skip("no ../shared/geo/mmdb-test");
	else
		CU_ASSERT(n_files == 26 && n_read == 0);
}

static void
test_damaged_mmdb_files_end(void)
{
	const char *path = suite_shared("geo/mmdb-test/valid/GeoLite2-ASN-Test.mmdb");
	size_t size, i;
	char *bytes;

	if (path == NULL) {
		suite_skip("no ../shared/geo/mmdb-test");
		return;
	}
	bytes = slurp(path, &size);
	for (i = 0; i < size; i += 7) {
		struct geo_build *b = geo_build_new();
		struct err e = { 0 };
		int rc;

		bytes[i] ^= (char)(i % 255 + 1);
		rc = geo_import_bytes(
			b, bytes, size, "x", GEO_ASN, geo_build_add_source(b, "x"), &e);
		CU_ASSERT(rc == 0 || e.message[0] != '\0');
		bytes[i] ^= (char)(i % 255 + 1);
		rc = geo_import_bytes(b, bytes, i, "x", GEO_ASN, 1, &e);
		CU_ASSERT(rc != 0);
		geo_build_free(b);
	}
	free(bytes);
}

/* An MMDB of one's own: a tree of 24-bit records and a data section, as bytes. */
struct image {
	uint8_t bytes[8192];
	size_t n;
};

static void
put(struct image *im, const void *bytes, size_t size)
{
	CU_ASSERT_FATAL(im->n + size <= sizeof(im->bytes));
	memcpy(im->bytes + im->n, bytes, size);
	im->n += size;
}

static void
put_node(struct image *im, uint32_t left, uint32_t right)
{
	uint8_t node[] = { (uint8_t)(left >> 16), (uint8_t)(left >> 8), (uint8_t)left,
		(uint8_t)(right >> 16), (uint8_t)(right >> 8), (uint8_t)right };

	put(im, node, sizeof(node));
}

static void
put_string(struct image *im, const char *text)
{
	uint8_t control = (uint8_t)(0x40 | strlen(text));

	CU_ASSERT_FATAL(strlen(text) < 29);
	put(im, &control, 1);
	put(im, text, strlen(text));
}

static void
put_uint(struct image *im, const char *key, uint8_t type, uint32_t value)
{
	uint8_t control[] = { (uint8_t)(type << 5 | 4), (uint8_t)(value >> 24),
		(uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value };

	put_string(im, key);
	if (type == 5) { /* uint16 has two bytes */
		control[2] = (uint8_t)(type << 5 | 2);
		put(im, control + 2, 3);
	} else {
		put(im, control, 5);
	}
}

/* After the data: the metadata of a tree with `n_nodes` nodes. */
static void
put_metadata(struct image *im, uint32_t n_nodes, uint32_t ip_version)
{
	put(im, "\xab\xcd\xefMaxMind.com\xe9", 15);
	put_uint(im, "node_count", 6, n_nodes);
	put_uint(im, "record_size", 5, 24);
	put_uint(im, "ip_version", 5, ip_version);
	put_string(im, "database_type");
	put_string(im, "Test");
	put_string(im, "languages");
	put(im, "\x00\x04", 2);
	put_uint(im, "binary_format_major_version", 5, 2);
	put_uint(im, "binary_format_minor_version", 5, 0);
	put_string(im, "build_epoch");
	put(im, "\x04\x02\x60\x00\x00\x00", 6);
	put_string(im, "description");
	put(im, "\xe0", 1);
}

static void
put_map(struct image *im, const char *const *words)
{
	uint8_t control = 0xe0;
	size_t n = 0;

	while (words[n] != NULL)
		n++;
	control |= (uint8_t)(n / 2);
	put(im, &control, 1);
	for (n = 0; words[n] != NULL; n++)
		put_string(im, words[n]);
}

/* 0.0.0.0/1 has the record, the rest nothing. */
static void
image_of_record(struct image *im, const char *const *words)
{
	im->n = 0;
	put_node(im, 1 + 16, 1);
	put(im, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	put_map(im, words);
	put_metadata(im, 1, 4);
}

static void
test_the_key_layouts_of_all_publishers_are_known(void)
{
	static const struct {
		enum as as;
		const char *words[9];
		const char *want; /* NULL = refused */
	} cases[] = {
		{ AS_COUNTRY, { "country_code", "DE" }, "DE 0 " },
		{ AS_COUNTRY, { "country", "DE" }, "DE 0 " },
		{ AS_COUNTRY, { "country", "Germany", "country_code", "DE" }, "DE 0 " },
		{ AS_COUNTRY, { "country_code", "", "country", "FR" }, "FR 0 " },
		{ AS_COUNTRY, { "country", "Germany" }, NULL },
		{ AS_COUNTRY, { "country_code", "de" }, NULL },
		{ AS_COUNTRY, { "asn", "AS1" }, NULL },
		{ AS_ASN, { "asn", "AS13335", "as_name", "Cloudflare" }, "ZZ 13335 Cloudflare" },
		{ AS_ASN, { "asn", "AS13335", "name", "Cloudflare", "country", "US" },
			"ZZ 13335 Cloudflare" },
		{ AS_ASN, { "asn", "4294967294" }, "ZZ 4294967294 " },
		{ AS_ASN, { "asn", "AS4294967296" }, NULL },
		{ AS_ASN, { "asn", "ASx" }, NULL },
		{ AS_ASN, { "asn", "", "name", "x" }, NULL },
		{ AS_ASN, { "country_code", "DE" }, NULL },
	};
	static struct image im;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct geo_build *b = geo_build_new();
		struct geo_table *t;
		struct err e = { 0 };
		int rc;

		image_of_record(&im, cases[i].words);
		rc = import(b, cases[i].as, im.bytes, im.n, &e);
		CU_ASSERT_EQUAL(rc, cases[i].want != NULL ? 0 : -EINVAL);
		t = geo_build_seal(b);
		if (cases[i].want != NULL) {
			expect(t, &(struct lookup_case){ "1.2.3.4", cases[i].want });
			expect(t, &(struct lookup_case){ "128.0.0.0", "ZZ 0 " });
		}
		geo_free(t);
	}
}

/* Cycles, self references and trees deeper than an address come to an end. */
static void
test_cyclic_trees_are_refused(void)
{
	static const struct {
		const char *what;
		uint32_t n_nodes, nodes[3][2], ip_version;
	} cases[] = {
		{ "points to itself, left", 1, { { 0, 1 } }, 4 },
		{ "points to itself, both", 1, { { 0, 0 } }, 6 },
		{ "two in a circle", 2, { { 1, 1 }, { 0, 0 } }, 6 },
		{ "three, all ways", 3, { { 1, 2 }, { 2, 0 }, { 0, 1 } }, 6 },
		{ "record outside of the file", 1, { { 5000, 1 } }, 4 },
		{ "record in the separator", 1, { { 2, 1 } }, 4 },
		{ "impossible IP version", 1, { { 1, 1 } }, 5 },
		{ "no nodes", 0, { { 0, 0 } }, 4 },
	};
	static const char *const words[] = { "asn", "1", NULL };
	static struct image im;
	uint32_t i, j;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct geo_build *b = geo_build_new();
		struct err e = { 0 };
		int rc;

		im.n = 0;
		for (j = 0; j < cases[i].n_nodes; j++)
			put_node(&im, cases[i].nodes[j][0], cases[i].nodes[j][1]);
		put(&im, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
		put_map(&im, words);
		put_metadata(&im, cases[i].n_nodes, cases[i].ip_version);
		rc = import(b, AS_ASN, im.bytes, im.n, &e);
		CU_ASSERT_EQUAL(rc, -EINVAL);
		CU_ASSERT_NOT_EQUAL(e.message[0], '\0');
		if (rc != -EINVAL)
			printf("\n    %s: %d\n", cases[i].what, rc);
		geo_build_free(b);
	}
}

SUITE("geo_import", { "every CSV form is read", test_every_csv_form_is_read },
	{ "bad lines are refused with their number", test_bad_lines_are_refused_with_their_number },
	{ "binary and endless lines are refused", test_binary_and_endless_lines_are_refused },
	{ "every row of the real samples is answered",
		test_every_row_of_the_real_samples_is_answered },
	{ "numeric and text samples give one table", test_numeric_and_text_samples_give_one_table },
	{ "tor samples are read", test_tor_samples_are_read },
	{ "MMDB answers are those of their source", test_mmdb_answers_are_those_of_their_source },
	{ "MMDB aliases are left out", test_mmdb_aliases_are_left_out },
	{ "valid MMDB files are read or said to have no such data",
		test_valid_mmdb_files_are_read_or_said_to_have_no_such_data },
	{ "bad MMDB files are refused", test_bad_mmdb_files_are_refused },
	{ "damaged MMDB files end", test_damaged_mmdb_files_end },
	{ "the key layouts of all publishers are known",
		test_the_key_layouts_of_all_publishers_are_known },
	{ "cyclic trees are refused", test_cyclic_trees_are_refused })
