/* SPDX-License-Identifier: BSD-3-Clause */
/* geo: build, table file, lookup, and files that somebody damaged on purpose. */
#include "suite.h"

#include "geo/geo.h"
#include "geo/geo_build.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#define HEADER_SIZE 124
#define N_COLUMNS   19

static struct ip_range
range(const char *first, const char *last)
{
	struct ip_addr a, b;

	if (ip_parse(first, &a) != 0 || ip_parse(last, &b) != 0 || a.version != b.version)
		CU_FAIL_FATAL("a test has a bad address");
	return (struct ip_range){ a.value, b.value, a.version };
}

static void
add_country(struct geo_build *b, const char *first, const char *last, const char *code)
{
	struct ip_range r = range(first, last);

	CU_ASSERT_EQUAL(
		geo_build_add_country(b, &r, code, geo_build_add_source(b, "countries 1")), 0);
}

static void
add_asn(struct geo_build *b, const char *first, const char *last, uint32_t asn, const char *name)
{
	struct ip_range r = range(first, last);

	CU_ASSERT_EQUAL(geo_build_add_asn(b, &r, asn, name, geo_build_add_source(b, "asns 1")), 0);
}

static struct geo_build *
new_build(void)
{
	struct geo_build *b = geo_build_new();

	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	return b;
}

static struct geo_table *
seal(struct geo_build *b)
{
	struct geo_table *t = geo_build_seal(b);

	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	return t;
}

/* "CC ASN name first last" of an address. */
static const char *
answer(const struct geo_table *t, const char *address)
{
	static char text[400];
	char first[IP_TEXT_SIZE], last[IP_TEXT_SIZE];
	struct geo_answer a;
	struct ip_addr ip, from, to;

	CU_ASSERT_EQUAL_FATAL(ip_parse(address, &ip), 0);
	geo_lookup(t, &ip, &a);
	from = (struct ip_addr){ a.range.first, a.range.version };
	to = (struct ip_addr){ a.range.last, a.range.version };
	snprintf(text, sizeof(text), "%.2s %u %s %s %s", a.origin->country, a.origin->asn,
		a.origin->as_name, ip_format(&from, first), ip_format(&to, last));
	return text;
}

static const struct geo_origin *
origin4(const struct geo_table *t, uint32_t ip)
{
	struct ip_addr address = { .value = ip, .version = 4 };
	struct geo_answer answer;

	geo_lookup(t, &address, &answer);
	return answer.origin;
}

static void
expect(const struct geo_table *t, const char *address, const char *want)
{
	const char *got = answer(t, address);

	CU_ASSERT_STRING_EQUAL(got, want);
	if (strcmp(got, want) != 0)
		printf("\n    %s: got '%s', want '%s'\n", address, got, want);
}

static bool
dissents_are_sound(const struct geo_table *t, const struct geo_origin *o)
{
	size_t i;

	if ((size_t)o->dissents + o->n_dissents > t->n_dissents)
		return false;
	for (i = 0; i < o->n_dissents; i++) {
		const struct geo_dissent *d = &t->dissents[o->dissents + i];

		if (d->source == 0 || d->source >= t->n_sources ||
			memcmp(d->country, o->country, 2) == 0)
			return false;
	}
	return true;
}

/* What geo.h promises of every table. */
static bool
is_sound(const struct geo_table *t)
{
	size_t i;

	for (i = 0; i < t->n_origins; i++)
		if (!dissents_are_sound(t, &t->origins[i]))
			return false;

	if (t->n_origins == 0 || memcmp(t->origins[0].country, "ZZ", 2) != 0 ||
		t->origins[0].asn != 0 || t->origins[0].as_name[0] != '\0' || t->n_sources == 0 ||
		t->sources[0][0] != '\0')
		return false;
	for (i = 0; i < t->n_ranges4; i++)
		if (t->ranges4[i].first > t->ranges4[i].last ||
			(i > 0 && t->ranges4[i].first <= t->ranges4[i - 1].last) ||
			t->ranges4[i].origin == 0 || t->ranges4[i].origin >= t->n_origins)
			return false;
	for (i = 0; i < t->n_ranges6; i++)
		if (t->ranges6[i].first > t->ranges6[i].last ||
			(i > 0 && t->ranges6[i].first <= t->ranges6[i - 1].last) ||
			t->ranges6[i].origin == 0 || t->ranges6[i].origin >= t->n_origins)
			return false;
	for (i = 0; i < t->n_origins; i++)
		if (t->origins[i].country_source >= t->n_sources ||
			t->origins[i].asn_source >= t->n_sources ||
			strlen(t->origins[i].as_name) > 200)
			return false;
	return true;
}

static void
test_last_row_wins_where_rows_overlap(void)
{
	struct geo_build *b = new_build();
	struct geo_table *t;

	add_country(b, "10.0.0.0", "10.0.0.255", "DE");
	add_country(b, "10.0.0.64", "10.0.0.127", "US"); /* nested */
	add_country(b, "10.0.0.192", "10.0.1.63", "FR"); /* partly */
	add_country(b, "10.0.2.0", "10.0.2.255", "NL");  /* exact duplicate */
	add_country(b, "10.0.2.0", "10.0.2.255", "BE");
	add_country(b, "10.0.3.10", "10.0.3.20", "IE"); /* a later row hides it */
	add_country(b, "10.0.3.0", "10.0.3.255", "GB");
	t = seal(b);
	CU_ASSERT(is_sound(t));
	expect(t, "9.255.255.255", "ZZ 0  0.0.0.0 9.255.255.255");
	expect(t, "10.0.0.63", "DE 0  10.0.0.0 10.0.0.63");
	expect(t, "10.0.0.64", "US 0  10.0.0.64 10.0.0.127");
	expect(t, "10.0.0.128", "DE 0  10.0.0.128 10.0.0.191");
	expect(t, "10.0.1.0", "FR 0  10.0.0.192 10.0.1.63");
	expect(t, "10.0.1.64", "ZZ 0  10.0.1.64 10.0.1.255");
	expect(t, "10.0.2.1", "BE 0  10.0.2.0 10.0.2.255");
	expect(t, "10.0.3.15", "GB 0  10.0.3.0 10.0.3.255");
	expect(t, "10.0.4.0", "ZZ 0  10.0.4.0 255.255.255.255");
	CU_ASSERT_EQUAL(t->n_ranges4, 6);
	geo_free(t);
}

static void
test_country_and_asn_are_cut_at_each_others_boundaries(void)
{
	struct geo_build *b = new_build();
	struct geo_table *t;

	add_country(b, "2001:db8::", "2001:db8:0:ffff:ffff:ffff:ffff:ffff", "DE");
	add_asn(b, "2001:db8:0:8000::", "2001:db8:1:ffff:ffff:ffff:ffff:ffff", 64496, "Example");
	t = seal(b);
	CU_ASSERT(is_sound(t));
	CU_ASSERT_EQUAL(t->n_ranges6, 3);
	CU_ASSERT_EQUAL(t->n_origins, 4);
	expect(t, "2001:db8::1", "DE 0  2001:db8:: 2001:db8:0:7fff:ffff:ffff:ffff:ffff");
	expect(t, "2001:db8:0:8000::",
		"DE 64496 Example 2001:db8:0:8000:: 2001:db8:0:ffff:ffff:ffff:ffff:ffff");
	expect(t, "2001:db8:1::",
		"ZZ 64496 Example 2001:db8:1:: 2001:db8:1:ffff:ffff:ffff:ffff:ffff");
	geo_free(t);
}

static void
test_neighbours_of_one_origin_are_joined(void)
{
	struct geo_build *b = new_build();
	struct geo_table *t;

	add_country(b, "10.0.0.0", "10.0.0.255", "DE");
	add_country(b, "10.0.1.0", "10.0.1.255", "DE");
	add_country(b, "10.0.3.0", "10.0.3.255", "DE");
	t = seal(b);
	CU_ASSERT_EQUAL(t->n_ranges4, 2);
	CU_ASSERT_EQUAL(t->n_origins, 2);
	expect(t, "10.0.1.0", "DE 0  10.0.0.0 10.0.1.255");
	geo_free(t);
}

static void
test_unknown_country_hides_earlier_rows(void)
{
	struct geo_build *b = new_build();
	struct geo_table *t;

	add_country(b, "10.0.0.0", "10.0.0.255", "DE");
	add_country(b, "10.0.0.16", "10.0.0.31", "??");
	add_country(b, "10.0.0.32", "10.0.0.47", "ZZ");
	t = seal(b);
	CU_ASSERT(is_sound(t));
	expect(t, "10.0.0.31", "ZZ 0  10.0.0.16 10.0.0.47");
	expect(t, "10.0.0.48", "DE 0  10.0.0.48 10.0.0.255");
	geo_free(t);
}

static void
test_first_and_last_addresses_are_ordinary(void)
{
	struct geo_build *b = new_build();
	struct geo_table *t;

	add_country(b, "0.0.0.0", "255.255.255.255", "DE");
	add_country(b, "0.0.0.0", "0.0.0.0", "US");
	add_country(b, "255.255.255.255", "255.255.255.255", "FR");
	add_country(b, "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "NL");
	add_asn(b, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 4294967294, NULL);
	add_asn(b, "::", "::", 1, "");
	t = seal(b);
	CU_ASSERT(is_sound(t));
	expect(t, "0.0.0.0", "US 0  0.0.0.0 0.0.0.0");
	expect(t, "0.0.0.1", "DE 0  0.0.0.1 255.255.255.254");
	expect(t, "255.255.255.255", "FR 0  255.255.255.255 255.255.255.255");
	expect(t, "::", "NL 1  :: ::");
	expect(t, "::1", "NL 0  ::1 ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe");
	expect(t, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"NL 4294967294  ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	geo_free(t);
}

static void
test_an_empty_build_is_a_table_that_knows_nothing(void)
{
	struct geo_table *t = seal(new_build());

	CU_ASSERT(is_sound(t));
	expect(t, "1.1.1.1", "ZZ 0  0.0.0.0 255.255.255.255");
	expect(t, "::1", "ZZ 0  :: ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	geo_free(t);
}

static void
test_bad_rows_and_sources_are_refused(void)
{
	struct geo_build *b = new_build();
	int source = geo_build_add_source(b, "x 1");
	struct ip_range good = range("10.0.0.0", "10.0.0.255");
	struct ip_range backwards = { 2, 1, 4 }, beyond = { 0, (ip6_t)1 << 32, 4 };
	struct ip_range other = { 0, 1, 5 };
	char longest[202];

	CU_ASSERT(source > 0);
	CU_ASSERT_EQUAL(geo_build_add_source(b, "x 1"), source);
	CU_ASSERT_EQUAL(geo_build_add_source(b, ""), -EINVAL);
	CU_ASSERT_EQUAL(geo_build_add_source(b, "a\033[31m"), -EINVAL);
	CU_ASSERT_EQUAL(geo_build_add_source(b, "\xff"), -EINVAL);
	memset(longest, 'x', sizeof(longest));
	longest[201] = '\0';
	CU_ASSERT_EQUAL(geo_build_add_source(b, longest), -EINVAL);
	longest[200] = '\0';
	CU_ASSERT(geo_build_add_source(b, longest) > 0);
	CU_ASSERT_EQUAL(geo_build_add_country(b, &backwards, "DE", source), -EINVAL);
	CU_ASSERT_EQUAL(geo_build_add_country(b, &beyond, "DE", source), -EINVAL);
	CU_ASSERT_EQUAL(geo_build_add_country(b, &other, "DE", source), -EINVAL);
	CU_ASSERT_EQUAL(geo_build_add_country(b, &good, "de", source), -EINVAL);
	CU_ASSERT_EQUAL(geo_build_add_country(b, &good, "D1", source), -EINVAL);
	CU_ASSERT_EQUAL(geo_build_add_country(b, &good, "DE", 1000), -EINVAL);
	CU_ASSERT_EQUAL(geo_build_add_asn(b, &good, 0, NULL, source), -EINVAL);
	CU_ASSERT_EQUAL(geo_build_add_asn(b, &good, 1, NULL, -1), -EINVAL);
	geo_build_free(b);
	geo_build_free(NULL);
	geo_free(NULL);
}

static void
test_names_are_cleaned(void)
{
	static const struct {
		const char *name, *want;
	} cases[] = {
		{ "Plain", "Plain" }, { " blanks ", "blanks" },
		{ "Telef\xc3\xb3nica", "Telef\xc3\xb3nica" }, { "Telef\xf3nica", "Telef?nica" },
		{ "a\033[31mb", "a?[31mb" }, { "a\nb", "a?b" },
		{ "\xc2\x9b"
		  "31m",
			"??31m" },              /* C1 control */
		{ "\xc0\xaf", "??" },           /* overlong */
		{ "\xed\xa0\x80", "???" },      /* surrogate */
		{ "\xf4\x90\x80\x80", "????" }, /* beyond U+10FFFF */
		{ "\xf0\x9f\x8d\x80", "\xf0\x9f\x8d\x80" }, { "\xe2\x82", "??" }, /* cut off */
	};
	struct geo_build *b = new_build();
	struct geo_table *t;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ip_range r = { i, i, 4 };

		CU_ASSERT_EQUAL(geo_build_add_asn(b, &r, (uint32_t)i + 1, cases[i].name,
					geo_build_add_source(b, "x")),
			0);
	}
	t = seal(b);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CU_ASSERT_STRING_EQUAL(origin4(t, (uint32_t)i)->as_name, cases[i].want);
	geo_free(t);
}

/* Slow and obviously right: the value of the last row that holds the address. */
static void
test_random_rows_agree_with_a_linear_search(void)
{
	enum { N_ROWS = 300, SPAN = 2000 };
	static struct {
		uint32_t first, last, value;
	} rows[2][N_ROWS];
	struct geo_build *b = new_build();
	struct geo_table *t;
	uint32_t ip, i, kind;
	int source = geo_build_add_source(b, "random");

	srandom(1);
	for (i = 0; i < 2 * N_ROWS; i++) {
		uint32_t first = (uint32_t)random() % SPAN, size = (uint32_t)random() % 60;
		uint32_t value = (uint32_t)random() % 5;
		struct ip_range r = { first, first + size, 4 };
		char code[2] = { 'A', (char)('A' + value) };

		rows[i % 2][i / 2].first = first;
		rows[i % 2][i / 2].last = first + size;
		rows[i % 2][i / 2].value = value + 1;
		CU_ASSERT_EQUAL(i % 2 == 0 ? geo_build_add_country(b, &r, code, source)
					   : geo_build_add_asn(b, &r, value + 1, "", source),
			0);
	}
	t = seal(b);
	CU_ASSERT(is_sound(t));
	for (ip = 0; ip < SPAN + 100; ip++) {
		const struct geo_origin *o = origin4(t, ip);
		uint32_t want[2] = { 0, 0 };

		for (kind = 0; kind < 2; kind++)
			for (i = 0; i < N_ROWS; i++)
				if (rows[kind][i].first <= ip && ip <= rows[kind][i].last)
					want[kind] = rows[kind][i].value;
		CU_ASSERT_EQUAL(
			o->country[0] == 'Z' ? 0 : (uint32_t)(o->country[1] - 'A' + 1), want[0]);
		CU_ASSERT_EQUAL(o->asn, want[1]);
	}
	geo_free(t);
}

/* A table with everything in it, small enough to damage each of its bytes. */
static struct geo_table *
sample(void)
{
	struct geo_build *b = new_build();

	add_country(b, "1.0.0.0", "1.255.255.255", "AU");
	add_country(b, "2.0.0.0", "2.15.255.255", "FR");
	add_country(b, "2.0.0.77", "2.0.0.78", "XK");
	add_country(b, "250.0.0.0", "255.255.255.255", "AU");
	add_asn(b, "1.1.1.0", "1.1.1.255", 13335, "Cloudflare, Inc.");
	add_asn(b, "2.0.0.0", "2.3.255.255", 3215, "Orange");
	add_asn(b, "2.8.0.0", "2.8.0.255", 13335, "Cloudflare, Inc.");
	add_asn(b, "::", "::ffff", 4294967294, NULL);
	add_country(b, "2a00::", "2a0f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "DE");
	add_asn(b, "2a01::", "2a01:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 3215, "Orange");
	add_asn(b, "2a02::1", "2a02::1", 3216, "One");
	add_country(b, "ffff::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "US");
	geo_build_note_time(b, 1780000000);
	return seal(b);
}

static void
add_from(struct geo_build *b, const char *source, const char *first, const char *last,
	const char *code)
{
	struct ip_range r = range(first, last);

	CU_ASSERT_EQUAL(geo_build_add_country(b, &r, code, geo_build_add_source(b, source)), 0);
}

/* Three sources that agree here and there. */
static struct geo_table *
disputed(void)
{
	struct geo_build *b = new_build();

	add_from(b, "first", "1.0.0.0", "1.255.255.255", "AU");
	add_from(b, "first", "2.0.0.0", "2.0.255.255", "FR");
	add_from(b, "first", "2a00::", "2a00::ffff", "FR");
	add_from(b, "second", "1.5.0.0", "1.5.255.255", "CN");
	add_from(b, "second", "2.0.0.0", "2.0.255.255", "FR");
	add_from(b, "second", "2.0.7.0", "2.0.7.255", "DE"); /* of one source: no dispute */
	add_from(b, "third", "1.5.5.0", "1.5.5.255", "JP");
	add_from(b, "third", "2.0.9.0", "2.0.9.255", "ZZ");
	add_from(b, "third", "2a00::7", "2a00::7", "IE");
	add_asn(b, "1.5.4.0", "1.5.6.255", 64500, "Split");
	return seal(b);
}

/* "CC" of an address, then "source CC" of those that say something else. */
static const char *
dispute(const struct geo_table *t, const char *address)
{
	static char text[400];
	struct geo_answer a;
	struct ip_addr ip;
	size_t n, i;

	CU_ASSERT_EQUAL_FATAL(ip_parse(address, &ip), 0);
	geo_lookup(t, &ip, &a);
	n = (size_t)snprintf(text, sizeof(text), "%.2s", a.origin->country);
	for (i = 0; i < a.origin->n_dissents; i++) {
		const struct geo_dissent *d = &t->dissents[a.origin->dissents + i];

		n += (size_t)snprintf(
			text + n, sizeof(text) - n, ", %s %.2s", t->sources[d->source], d->country);
	}
	return text;
}

static void
fix_checksum(uint8_t *bytes, size_t size)
{
	CU_ASSERT_EQUAL(sha256_bytes(bytes, size - SHA256_SIZE, bytes + size - SHA256_SIZE), 0);
}

/* Write to a temporary file and read it back as bytes, which the caller frees. */
static uint8_t *
saved(struct geo_table *t, size_t *size)
{
	char path[] = "/tmp/trefoil-test-XXXXXX";
	int fd = mkstemp(path);
	struct err e = { 0 };
	uint8_t *bytes = malloc(1 << 16);
	FILE *f;

	CU_ASSERT_FATAL(fd >= 0 && bytes != NULL);
	close(fd);
	CU_ASSERT_EQUAL(geo_save(t, path, &e), 0);
	f = fopen(path, "rb");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	*size = fread(bytes, 1, 1 << 16, f);
	fclose(f);
	unlink(path);
	return bytes;
}

static bool
same_tables(const struct geo_table *a, const struct geo_table *b)
{
	size_t i;

	if (a->n_ranges4 != b->n_ranges4 || a->n_ranges6 != b->n_ranges6 ||
		a->n_sources != b->n_sources || a->built_at != b->built_at)
		return false;
	for (i = 0; i < a->n_ranges4 + a->n_ranges6; i++) {
		size_t j = i - a->n_ranges4;
		bool v4 = i < a->n_ranges4;
		const struct geo_origin *x =
			&a->origins[v4 ? a->ranges4[i].origin : a->ranges6[j].origin];
		const struct geo_origin *y =
			&b->origins[v4 ? b->ranges4[i].origin : b->ranges6[j].origin];

		if (x->asn != y->asn || memcmp(x->country, y->country, 2) != 0 ||
			strcmp(x->as_name, y->as_name) != 0 ||
			x->country_source != y->country_source || x->asn_source != y->asn_source)
			return false;
		if (v4 ? a->ranges4[i].first != b->ranges4[i].first ||
					a->ranges4[i].last != b->ranges4[i].last
		       : a->ranges6[j].first != b->ranges6[j].first ||
					a->ranges6[j].last != b->ranges6[j].last)
			return false;
	}
	for (i = 0; i < a->n_sources; i++)
		if (strcmp(a->sources[i], b->sources[i]) != 0)
			return false;
	return true;
}

static void
test_a_saved_table_comes_back_the_same(void)
{
	struct geo_table *tables[3], *back;
	struct err e = { 0 };
	uint8_t *bytes, *again;
	size_t i, size, size_again;

	tables[0] = sample();
	tables[1] = seal(new_build());
	tables[2] = disputed();
	for (i = 0; i < 3; i++) {
		bytes = saved(tables[i], &size);
		back = geo_parse(bytes, size, "sample", &e);
		CU_ASSERT_PTR_NOT_NULL_FATAL(back);
		CU_ASSERT(is_sound(back));
		CU_ASSERT(same_tables(tables[i], back));
		CU_ASSERT_STRING_EQUAL(tables[i]->sha256, back->sha256);
		again = saved(back, &size_again);
		CU_ASSERT(size == size_again && memcmp(bytes, again, size) == 0);
		geo_free(back);
		geo_free(tables[i]);
		free(again);
		free(bytes);
	}
}

static void
expect_disputes(const struct geo_table *t)
{
	static const char *const cases[][2] = {
		{ "1.4.0.1", "AU" },
		{ "1.5.0.1", "CN, first AU" },
		{ "1.5.4.1", "CN, first AU" },
		{ "1.5.5.1", "JP, first AU, second CN" },
		{ "1.6.0.1", "AU" },
		{ "2.0.0.1", "FR" },
		{ "2.0.7.1", "DE, first FR" },
		{ "2.0.9.1", "ZZ" },
		{ "2a00::6", "FR" },
		{ "2a00::7", "IE, first FR" },
		{ "9.9.9.9", "ZZ" },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *got = dispute(t, cases[i][0]);

		CU_ASSERT_STRING_EQUAL(got, cases[i][1]);
		if (strcmp(got, cases[i][1]) != 0)
			printf("\n    %s: got '%s', want '%s'\n", cases[i][0], got, cases[i][1]);
	}
}

static void
test_sources_that_disagree_are_remembered(void)
{
	struct geo_table *t = disputed(), *back;
	struct err e = { 0 };
	uint8_t *bytes;
	size_t size;

	expect_disputes(t);
	bytes = saved(t, &size);
	CU_ASSERT_EQUAL(bytes[8], 2); /* version */
	back = geo_parse(bytes, size, "disputed", &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(back);
	expect_disputes(back);
	geo_free(back);
	bytes[8] = 1;
	fix_checksum(bytes, size);
	CU_ASSERT_PTR_NULL(geo_parse(bytes, size, "version 1", &e));
	t->dissents[0].source = 0;
	CU_ASSERT_EQUAL(geo_save(t, "/tmp/trefoil-test-never", &e), -EINVAL);
	free(bytes);
	geo_free(t);
}

/* Every address of a small space: the dissent is what each source alone would say. */
static void
test_random_disputes_agree_with_a_linear_search(void)
{
	enum { SPACE = 256, N_SOURCES = 4, N_ROUNDS = 60, N_ROWS = 24 };
	static const char *const names[] = { "a", "b", "c", "d" };
	static const char *const codes[] = { "AU", "CN", "DE" };
	unsigned int seed = 11, round, i, k;

	for (round = 0; round < N_ROUNDS; round++) {
		const char *says[N_SOURCES][SPACE] = { { NULL } }, *last[SPACE] = { NULL };
		struct geo_build *b = new_build();
		struct geo_table *t;

		for (i = 0; i < N_ROWS; i++) {
			unsigned int source = (unsigned int)rand_r(&seed) % N_SOURCES;
			unsigned int first = (unsigned int)rand_r(&seed) % SPACE;
			unsigned int end = first + (unsigned int)rand_r(&seed) % (SPACE - first);
			struct ip_range r = { first, end, 4 };
			const char *code = codes[rand_r(&seed) % 3];

			CU_ASSERT_EQUAL(geo_build_add_country(b, &r, code,
						geo_build_add_source(b, names[source])),
				0);
			for (k = first; k <= end; k++)
				says[source][k] = last[k] = code;
		}
		t = seal(b);
		for (k = 0; k < SPACE; k++) {
			char want[64], address[IP_TEXT_SIZE];
			struct ip_addr ip = { k, 4 };
			size_t n, source;

			n = (size_t)snprintf(want, sizeof(want), "%s", last[k] ? last[k] : "ZZ");
			for (source = 1; source < t->n_sources; source++) {
				const char *other = says[t->sources[source][0] - 'a'][k];

				if (other != NULL && strcmp(other, last[k]) != 0)
					n += (size_t)snprintf(want + n, sizeof(want) - n, ", %s %s",
						t->sources[source], other);
			}
			CU_ASSERT_STRING_EQUAL(dispute(t, ip_format(&ip, address)), want);
		}
		geo_free(t);
	}
}

static void
test_a_table_that_breaks_an_invariant_is_not_written(void)
{
	struct geo_table *t = sample();
	struct err e = { 0 };
	uint32_t first = t->ranges4[1].first;

	t->ranges4[1].first = t->ranges4[0].last;
	CU_ASSERT_EQUAL(geo_save(t, "/tmp/trefoil-test-never", &e), -EINVAL);
	CU_ASSERT_NOT_EQUAL(access("/tmp/trefoil-test-never", F_OK), 0);
	t->ranges4[1].first = first;
	t->ranges4[1].origin = 0;
	CU_ASSERT_EQUAL(geo_save(t, "/tmp/trefoil-test-never", &e), -EINVAL);
	geo_free(t);
}

static void
test_files_that_cannot_be_read_say_so(void)
{
	struct err e = { 0 };

	errno = 0;
	CU_ASSERT_PTR_NULL(geo_load("/nonexistent/table", &e));
	CU_ASSERT_EQUAL(errno, ENOENT);
	CU_ASSERT_STRING_EQUAL(e.file, "/nonexistent/table");
	CU_ASSERT_PTR_NULL(geo_load("/dev/zero", &e));
	CU_ASSERT_EQUAL(errno, EINVAL);
	CU_ASSERT_PTR_NULL(geo_load("/tmp", NULL));
}

static void
test_every_truncation_is_refused(void)
{
	struct geo_table *t = sample(), *got;
	uint8_t *bytes, *cut;
	struct err e;
	size_t size, i;

	bytes = saved(t, &size);
	for (i = 0; i < size; i++) {
		cut = malloc(i + 1);
		CU_ASSERT_PTR_NOT_NULL_FATAL(cut);
		memcpy(cut, bytes, i);
		e = (struct err){ 0 };
		errno = 0;
		got = geo_parse(cut, i, "cut", &e);
		CU_ASSERT_PTR_NULL(got);
		CU_ASSERT_EQUAL(errno, EINVAL);
		CU_ASSERT_PTR_NOT_NULL(strstr(e.key, "offset"));
		geo_free(got);
		free(cut);
	}
	free(bytes);
	geo_free(t);
}

static void
test_every_flipped_bit_is_noticed(void)
{
	struct geo_table *t = sample(), *got;
	uint8_t *bytes;
	size_t size, i;

	bytes = saved(t, &size);
	for (i = 0; i < 8 * size; i++) {
		bytes[i / 8] ^= (uint8_t)(1 << i % 8);
		got = geo_parse(bytes, size, "flipped", NULL);
		CU_ASSERT_PTR_NULL(got);
		geo_free(got);
		bytes[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	free(bytes);
	geo_free(t);
}

static void
test_flipped_bits_with_a_right_checksum_break_no_invariant(void)
{
	struct geo_table *t = sample(), *got;
	uint8_t *bytes;
	size_t size, i, n_accepted = 0;

	bytes = saved(t, &size);
	for (i = 0; i < 8 * (size - SHA256_SIZE); i++) {
		bytes[i / 8] ^= (uint8_t)(1 << i % 8);
		fix_checksum(bytes, size);
		got = geo_parse(bytes, size, "flipped", NULL);
		if (got != NULL) {
			n_accepted++;
			CU_ASSERT(is_sound(got));
		}
		geo_free(got);
		bytes[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	CU_ASSERT(n_accepted > 0); /* built_at, an ASN: the checks behind the checksum ran */
	free(bytes);
	geo_free(t);
}

/* A file with the header of `bytes` and another payload. Returns its size. */
static size_t
with_payload(const uint8_t *bytes, const uint8_t *payload, size_t payload_size, uint8_t *out)
{
	size_t n = ZSTD_compress(out + HEADER_SIZE, 1 << 15, payload, payload_size, 1);

	CU_ASSERT_FATAL(!ZSTD_isError(n));
	memcpy(out, bytes, HEADER_SIZE);
	fix_checksum(out, HEADER_SIZE + n + SHA256_SIZE);
	return HEADER_SIZE + n + SHA256_SIZE;
}

static size_t
payload_of(const uint8_t *bytes, size_t size, uint8_t *out, size_t room)
{
	size_t n =
		ZSTD_decompress(out, room, bytes + HEADER_SIZE, size - HEADER_SIZE - SHA256_SIZE);

	CU_ASSERT_FATAL(!ZSTD_isError(n));
	return n;
}

/* Every byte of every column takes on a choice of values. */
static void
damage_columns(struct geo_table *t)
{
	static const uint8_t values[] = { 0, 1, 2, 3, 31, 32, 33, 64, 127, 128, 129, 200, 255 };
	static uint8_t payload[1 << 12], out[1 << 16];
	struct geo_table *got;
	size_t size, n, i, j, n_refused = 0, n_accepted = 0;
	uint8_t *bytes = saved(t, &size), before;

	n = payload_of(bytes, size, payload, sizeof(payload));
	for (i = 0; i < n; i++) {
		before = payload[i];
		for (j = 0; j < sizeof(values); j++) {
			payload[i] = values[j];
			got = geo_parse(out, with_payload(bytes, payload, n, out), "damaged", NULL);
			n_accepted += got != NULL;
			n_refused += got == NULL;
			CU_ASSERT(got == NULL || is_sound(got));
			geo_free(got);
		}
		payload[i] = before;
	}
	CU_ASSERT(n_accepted > 0 && n_refused > 0);
	free(bytes);
	geo_free(t);
}

static void
test_damaged_columns_break_no_invariant(void)
{
	damage_columns(sample());
	damage_columns(disputed());
}

/* Header fields that lie; all with a right checksum. */
static void
test_impossible_headers_are_refused(void)
{
	static const struct {
		const char *what;
		size_t offset, size;
		uint8_t value[4];
	} cases[] = {
		{ "magic", 0, 1, { 'X' } },
		{ "version 2", 8, 1, { 2 } },
		{ "one column less", 10, 1, { N_COLUMNS - 1 } },
		{ "payload of 4 GiB", 12, 4, { 255, 255, 255, 255 } },
		{ "4 G IPv4 ranges", 24, 4, { 255, 255, 255, 255 } },
		{ "4 G IPv6 ranges", 28, 4, { 255, 255, 255, 255 } },
		{ "no origins", 32, 4, { 0 } },
		{ "4 G origins", 32, 4, { 255, 255, 255, 255 } },
		{ "no sources", 36, 4, { 0 } },
		{ "too many sources", 36, 4, { 0, 0, 1, 0 } },
		{ "4 G ASes", 40, 4, { 255, 255, 255, 255 } },
		{ "64 M ASes", 40, 4, { 0, 0, 0, 4 } },
		{ "reserved", 44, 1, { 1 } },
		{ "column size", 48, 4, { 255, 255, 255, 255 } },
		{ "zstd magic", HEADER_SIZE, 1, { 0 } },
	};
	struct geo_table *t = sample(), *got;
	size_t size, i;
	uint8_t *bytes = saved(t, &size), *copy = malloc(size);
	struct err e;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memcpy(copy, bytes, size);
		memcpy(copy + cases[i].offset, cases[i].value, cases[i].size);
		fix_checksum(copy, size);
		e = (struct err){ 0 };
		got = geo_parse(copy, size, "lies", &e);
		CU_ASSERT_PTR_NULL(got);
		CU_ASSERT_NOT_EQUAL(e.message[0], '\0');
		if (got != NULL)
			printf("\n    accepted: %s\n", cases[i].what);
		geo_free(got);
	}
	free(copy);
	free(bytes);
	geo_free(t);
}

static void
test_ranges_split_into_prefixes(void)
{
	static const struct {
		const char *first, *last, *want; /* last address of the first prefix */
	} cases[] = {
		{ "0.0.0.0", "255.255.255.255", "255.255.255.255" },
		{ "10.0.0.0", "10.0.0.255", "10.0.0.255" },
		{ "10.0.0.0", "10.0.1.254", "10.0.0.255" },
		{ "10.0.0.1", "10.0.0.255", "10.0.0.1" },
		{ "10.0.0.2", "10.0.0.255", "10.0.0.3" },
		{ "255.255.255.255", "255.255.255.255", "255.255.255.255" },
		{ "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
			"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
		{ "2001:db8::", "2001:db8::1:ffff", "2001:db8::1:ffff" },
		{ "::1", "::2", "::1" },
		{ "0.0.0.0", "127.255.255.254", "63.255.255.255" },
		{ "8000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
			"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
		{ "0:0:0:1::", "0:0:0:3::", "0:0:0:1:ffff:ffff:ffff:ffff" },
		{ "0:0:0:2::", "0:0:0:3:ffff:ffff:ffff:ffff", "0:0:0:3:ffff:ffff:ffff:ffff" },
		{ "2001:db8::", "2001:db8::", "2001:db8::" },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ip_range r = range(cases[i].first, cases[i].last);
		struct ip_range want = range(cases[i].first, cases[i].want);
		struct ip_range got = geo_range_prefix(&r);

		CU_ASSERT(got.first == want.first && got.last == want.last);
	}
}

static void
test_the_shipped_table_is_sound_and_knows_the_internet(void)
{
	struct err e = { 0 };
	struct geo_table *t = geo_load(TREFOIL_SOURCE_ROOT "/config/geo/internet.tgt", &e);
	size_t i, n_named = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT(is_sound(t));
	CU_ASSERT(t->n_ranges4 > 400000 && t->n_ranges6 > 200000 && t->n_origins > 100000);
	CU_ASSERT_EQUAL(t->n_sources, 3);
	for (i = 0; i < t->n_origins; i++)
		n_named += t->origins[i].as_name[0] != '\0';
	CU_ASSERT(n_named > 80000);
	CU_ASSERT_PTR_NOT_NULL(strstr(answer(t, "1.1.1.1"), " 13335 "));
	CU_ASSERT_PTR_NOT_NULL(strstr(answer(t, "8.8.8.8"), "US 15169 "));
	CU_ASSERT_PTR_NOT_NULL(strstr(answer(t, "2606:4700::1111"), " 13335 "));
	geo_free(t);
}

SUITE("geo", { "last row wins where rows overlap", test_last_row_wins_where_rows_overlap },
	{ "country and ASN are cut at each other's boundaries",
		test_country_and_asn_are_cut_at_each_others_boundaries },
	{ "neighbours of one origin are joined", test_neighbours_of_one_origin_are_joined },
	{ "unknown country hides earlier rows", test_unknown_country_hides_earlier_rows },
	{ "first and last addresses are ordinary", test_first_and_last_addresses_are_ordinary },
	{ "an empty build is a table that knows nothing",
		test_an_empty_build_is_a_table_that_knows_nothing },
	{ "bad rows and sources are refused", test_bad_rows_and_sources_are_refused },
	{ "names are cleaned", test_names_are_cleaned },
	{ "random rows agree with a linear search", test_random_rows_agree_with_a_linear_search },
	{ "a saved table comes back the same", test_a_saved_table_comes_back_the_same },
	{ "sources that disagree are remembered", test_sources_that_disagree_are_remembered },
	{ "random disputes agree with a linear search",
		test_random_disputes_agree_with_a_linear_search },
	{ "a table that breaks an invariant is not written",
		test_a_table_that_breaks_an_invariant_is_not_written },
	{ "files that cannot be read say so", test_files_that_cannot_be_read_say_so },
	{ "every truncation is refused", test_every_truncation_is_refused },
	{ "every flipped bit is noticed", test_every_flipped_bit_is_noticed },
	{ "flipped bits with a right checksum break no invariant",
		test_flipped_bits_with_a_right_checksum_break_no_invariant },
	{ "damaged columns break no invariant", test_damaged_columns_break_no_invariant },
	{ "impossible headers are refused", test_impossible_headers_are_refused },
	{ "ranges split into prefixes", test_ranges_split_into_prefixes },
	{ "the shipped table is sound and knows the internet",
		test_the_shipped_table_is_sound_and_knows_the_internet })
