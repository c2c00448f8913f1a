/* SPDX-License-Identifier: BSD-3-Clause */
/* ini and schema: what inih would cut, join or guess is refused with its line. */
#include "suite.h"

#include "base/ini.h"
#include "base/schema.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* Everything a sink is told, as "2[a]3k=v" */
struct log {
	char text[4096];
	size_t at;
	int stop_at; /* line, 0 = never */
};

/* Cut when the log is full. */
static void __attribute__((format(printf, 2, 3))) log_add(struct log *log, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (log->at < sizeof(log->text))
		log->at += (size_t)vsnprintf(
			log->text + log->at, sizeof(log->text) - log->at, format, args);
	va_end(args);
}

static int
log_section(void *context, unsigned int line, const char *name)
{
	struct log *log = context;

	log_add(log, "%u[%s]", line, name != NULL ? name : "?");
	return 0;
}

static int
log_entry(void *context, unsigned int line, const char *key, const char *value)
{
	struct log *log = context;

	log_add(log, "%u%s=%s|", line, key, value);
	return (int)line == log->stop_at ? -ENOMEM : 0;
}

static int
read_text(const char *text, size_t size, struct log *log, struct err_list *errors)
{
	struct ini_sink sink = { log_section, log_entry, log };

	log->at = 0;
	log->text[0] = '\0';
	memset(errors, 0, sizeof(*errors));
	return ini_read(text, size, "f.ini", &sink, errors);
}

static void
test_clean_lines_arrive_with_their_numbers(void)
{
	static const struct {
		const char *what, *text, *want;
	} cases[] = {
		{ "nothing", "", "" },
		{ "no last line end", "[a]\nk = v", "1[a]2k=v|" },
		{ "CRLF", "[a]\r\nk = v\r\n\r\nl=w\r\n", "1[a]2k=v|4l=w|" },
		{ "BOM", "\xef\xbb\xbf[a]\nk=v\n", "1[a]2k=v|" },
		{ "comments", "; x\n# y\n[a] ; z\nk = v ; w = x ; y\n   ; z\n", "3[a]4k=v|" },
		{ "blank lines", "\n  \t\n[a]\n\nk=v\n", "3[a]5k=v|" },
		{ "blanks around", "[a]\nk\t =\t v  w \t\n", "1[a]2k=v  w|" },
		{ "colons in the value", "[a]\nk = 2001:db8::/32 ::1\n",
			"1[a]2k=2001:db8::/32 ::1|" },
		{ "equals in the value", "[a]\nk = a=b\n", "1[a]2k=a=b|" },
		{ "plus in the key", "[a]\ndrop+mirror = x\n", "1[a]2drop+mirror=x|" },
		{ "hash inside a word", "[a]\nk = a#b\n", "1[a]2k=a#b|" },
		{ "UTF-8", "[a]\nk = Malm\xc3\xb6 \xe2\x82\xac \xf0\x9f\x98\x80\n",
			"1[a]2k=Malm\xc3\xb6 \xe2\x82\xac \xf0\x9f\x98\x80|" },
		{ "empty sections", "[a]\n[b c]\n[a]\n", "1[a]2[b c]3[a]" },
	};
	struct err_list errors;
	struct log log = { .stop_at = 0 };
	size_t i;

	for (i = 0; i < N(cases); i++) {
		CU_ASSERT_EQUAL(read_text(cases[i].text, strlen(cases[i].text), &log, &errors), 0);
		if (strcmp(log.text, cases[i].want) != 0)
			printf("%s: '%s'\n", cases[i].what, log.text);
		CU_ASSERT_STRING_EQUAL(log.text, cases[i].want);
		CU_ASSERT_EQUAL(errors.n, 0);
	}
}

/* Reading goes on behind each refused line, which the sink never sees. */
static void
test_what_inih_would_bend_is_refused(void)
{
	static const struct {
		const char *what, *line, *error, *seen;
	} cases[] = {
		{ "indented", " k = v", "indented", "" },
		{ "indented by tab", "\tv", "indented", "" },
		{ "indented hash", "  # x", "indented", "" },
		{ "indented section", " [b]", "indented", "" },
		{ "text behind ]", "[b] x", "behind ']'", "2[?]" },
		{ "comment glued to ]", "[b];x", "behind ']'", "2[?]" },
		{ "second bracket", "[b]]", "behind ']'", "2[?]" },
		{ "no ]", "[b", "missing", "2[?]" },
		{ "comment in the brackets", "[b ;c]", "is written", "2[?]" },
		{ "blank in the brackets", "[ b]", "is written", "2[?]" },
		{ "nested brackets", "[[b]", "is written", "2[?]" },
		{ "empty section", "[]", "1 to 49", "2[?]" },
		{ "section of 50 bytes", "[12345678901234567890123456789012345678901234567890]",
			"1 to 49", "2[?]" },
		{ "key of 50 bytes", "12345678901234567890123456789012345678901234567890 = v",
			"1 to 49", "" },
		{ "no =", "word", "expected 'key = value'", "" },
		{ "no = but :", "k: v", "expected 'key = value'", "" },
		{ ": in front of =", "k: v = w", "':' does not separate", "" },
		{ "IPv6 first", "2001:db8::/32", "expected 'key = value'", "" },
		{ "IPv6 as key", "2001:db8::/32 = drop", "':' does not separate", "" },
		{ "no key", "= v", "1 to 49", "" },
		{ "two words as key", "k l = v", "cannot be a key", "" },
		{ "no value", "k =", "no value", "" },
		{ "value is a comment", "k = ; v", "no value", "" },
		{ "; without a blank", "k = v;w", "begins with ' ;'", "" },
		{ "; behind =", "k =;w", "begins with ' ;'", "" },
		{ "# in the line", "k = v # w", "begins with ' ;'", "" },
		{ "# first in the value", "k = # w", "begins with ' ;'", "" },
		{ "; in the key", "k;l = v", "cannot be a key", "" },
		{ "lone CR", "k = v\rl = w", "control character 0x0d in column 6", "" },
		{ "vertical tab", "k\v= v", "control character 0x0b", "" },
		{ "escape", "k = \x1b[1m", "control character 0x1b", "" },
		{ "DEL", "k = \x7f", "control character 0x7f", "" },
		{ "C1", "k = \xc2\x9b", "control character 0x9b", "" },
		{ "lone lead byte", "k = \xc3", "invalid UTF-8: byte 0xc3 in column 5", "" },
		{ "lone trail byte", "k = \x80", "invalid UTF-8", "" },
		{ "overlong", "k = \xc0\xaf", "invalid UTF-8", "" },
		{ "overlong of 3", "k = \xe0\x80\xaf", "invalid UTF-8", "" },
		{ "surrogate", "k = \xed\xa0\x80", "invalid UTF-8", "" },
		{ "beyond Unicode", "k = \xf4\x90\x80\x80", "invalid UTF-8", "" },
		{ "second BOM", "\xef\xbb\xbfk = v", "cannot be a key", "" },
	};
	char text[512], want[64];
	struct err_list errors;
	struct log log = { .stop_at = 0 };
	size_t i;

	for (i = 0; i < N(cases); i++) {
		snprintf(text, sizeof(text), "[a]\n%s\nz = y\n", cases[i].line);
		snprintf(want, sizeof(want), "1[a]%s3z=y|", cases[i].seen);
		CU_ASSERT_EQUAL(read_text(text, strlen(text), &log, &errors), -EINVAL);
		CU_ASSERT_STRING_EQUAL(log.text, want);
		CU_ASSERT_EQUAL_FATAL(errors.n, 1);
		CU_ASSERT_EQUAL(errors.items[0].line, 2);
		CU_ASSERT_STRING_EQUAL(errors.items[0].file, "f.ini");
		if (strstr(errors.items[0].message, cases[i].error) == NULL)
			printf("%s: %s\n", cases[i].what, errors.items[0].message);
		CU_ASSERT_PTR_NOT_NULL(strstr(errors.items[0].message, cases[i].error));
	}
}

static void
test_lines_of_199_bytes_are_whole_and_longer_ones_refused(void)
{
	char text[256];
	struct err_list errors;
	struct log log = { .stop_at = 0 };
	size_t length;

	for (length = 190; length < 210; length++) {
		memset(text, 'v', sizeof(text));
		memcpy(text, "k=", 2);
		CU_ASSERT_EQUAL(
			read_text(text, length, &log, &errors), length <= 199 ? 0 : -EINVAL);
		CU_ASSERT_EQUAL(log.at, length <= 199 ? length + 2 : 0);
		memcpy(text + length, "\r\n", 2);
		CU_ASSERT_EQUAL(
			read_text(text, length + 2, &log, &errors), length <= 199 ? 0 : -EINVAL);
		memset(text, ';', length);
		CU_ASSERT_EQUAL(
			read_text(text, length, &log, &errors), length <= 199 ? 0 : -EINVAL);
		text[0] = '[';
		CU_ASSERT_EQUAL(read_text(text, length, &log, &errors), -EINVAL);
		CU_ASSERT_STRING_EQUAL(log.text, "1[?]");
	}
}

static void
test_nul_bytes_are_refused_wherever_they_stand(void)
{
	static const char text[] = "[a]\nk = v\nl = w\n";
	char copy[sizeof(text)];
	struct err_list errors;
	struct log log = { .stop_at = 0 };
	size_t i;

	for (i = 0; i < sizeof(text) - 1; i++) {
		memcpy(copy, text, sizeof(text));
		copy[i] = '\0';
		CU_ASSERT_EQUAL(read_text(copy, sizeof(text) - 1, &log, &errors), -EINVAL);
		CU_ASSERT_PTR_NOT_NULL(strstr(errors.items[0].message, "NUL byte"));
	}
}

static void
test_a_sink_stops_the_reading(void)
{
	static const char text[] = "[a]\nk = v\nl = w\nbad\n";
	struct err_list errors;
	struct log log = { .stop_at = 2 };

	CU_ASSERT_EQUAL(read_text(text, strlen(text), &log, &errors), -ENOMEM);
	CU_ASSERT_STRING_EQUAL(log.text, "1[a]2k=v|");
	CU_ASSERT_EQUAL(errors.n, 0);
}

static void
test_four_mebibytes_are_read_and_no_more(void)
{
	char *text = malloc(INI_SIZE_MAX + 1);
	struct err_list errors;
	struct log log = { .stop_at = 0 };

	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	memset(text, '\n', INI_SIZE_MAX + 1);
	CU_ASSERT_EQUAL(read_text(text, INI_SIZE_MAX, &log, &errors), 0);
	CU_ASSERT_EQUAL(read_text(text, INI_SIZE_MAX + 1, &log, &errors), -EFBIG);
	CU_ASSERT_EQUAL(errors.n, 1);
	free(text);
}

static void
write_file(const char *path, const void *bytes, size_t size)
{
	FILE *f = fopen(path, "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CU_ASSERT_EQUAL(fwrite(bytes, 1, size, f), size);
	CU_ASSERT_EQUAL(fclose(f), 0);
}

static void
test_files_are_loaded_whole_or_not_at_all(void)
{
	char directory[] = "/tmp/trefoil-ini-XXXXXX", path[64], *text;
	static char big[INI_SIZE_MAX + 1];
	static struct err_list errors;
	size_t size = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/f", directory);
	CU_ASSERT_PTR_NULL(ini_load(path, &size, &errors));
	CU_ASSERT_EQUAL(errno, ENOENT);
	CU_ASSERT_PTR_NULL(ini_load(directory, &size, &errors));
	CU_ASSERT_EQUAL(errno, EISDIR);
	write_file(path, big, sizeof(big));
	CU_ASSERT_PTR_NULL(ini_load(path, &size, &errors));
	CU_ASSERT_EQUAL(errno, EFBIG);
	CU_ASSERT_EQUAL(errors.n, 3);
	CU_ASSERT_STRING_EQUAL(errors.items[0].file, path);
	write_file(path, "[a]\n", 4);
	text = ini_load(path, &size, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	CU_ASSERT_EQUAL(size, 4);
	CU_ASSERT_STRING_EQUAL(text, "[a]\n");
	free(text);
	unlink(path);
	rmdir(directory);
}

static void
test_errors_are_sorted_by_line_and_stay_in_order(void)
{
	static const unsigned int lines[] = { 7, 9, 3, 0, 3, 1 };
	static const char want[] = "acefbd"; /* the first stays where it is */
	static struct err_list errors;
	size_t i;

	for (i = 0; i < N(lines); i++)
		err_set(err_list_next(&errors), "f", lines[i], NULL, "%c", (int)('a' + i));
	ini_sort_errors(&errors, 1);
	CU_ASSERT_EQUAL(errors.items[0].message[0], 'a');
	CU_ASSERT_EQUAL(errors.items[1].message[0], 'f');
	CU_ASSERT_EQUAL(errors.items[2].message[0], 'c');
	CU_ASSERT_EQUAL(errors.items[3].message[0], 'e');
	CU_ASSERT_EQUAL(errors.items[4].message[0], 'b');
	CU_ASSERT_EQUAL(errors.items[5].message[0], 'd');
	CU_ASSERT_EQUAL(sizeof(want) - 1, N(lines));
	ini_sort_errors(NULL, 0);
}

/* A schema with one key of each type. */
static const char *const colours[] = { "red", "green", NULL };
static const struct schema_key plain_keys[] = {
	{ .name = "text", .type = SCHEMA_TEXT, .min = 2, .max = 5, .fallback = "abc" },
	{ .name = "path", .type = SCHEMA_PATH, .max = 10 },
	{ .name = "number",
		.type = SCHEMA_NUMBER,
		.min = 1,
		.max = 64,
		.unit = "bytes",
		.words = colours },
	{ .name = "switch", .type = SCHEMA_SWITCH },
	{ .name = "action", .type = SCHEMA_ACTION, .words = colours },
	{ .name = "word", .type = SCHEMA_WORD, .words = colours, .fallback = "green" },
	{ .name = "list",
		.type = SCHEMA_NUMBER,
		.many = SCHEMA_LIST,
		.max = 9,
		.fallback = "1, 2" },
	{ .name = "lines", .type = SCHEMA_TEXT, .many = SCHEMA_REPEAT, .max = 99 },
};
static const struct schema_key named_keys[] = {
	{ .name = "must", .type = SCHEMA_TEXT, .max = 9, .required = true },
	{ .name = "may", .type = SCHEMA_NUMBER, .max = 9, .fallback = "5" },
};
static const struct schema_section sections[] = {
	{ .name = "plain", .keys = plain_keys, .n_keys = N(plain_keys) },
	{ .name = "thing", .named = true, .keys = named_keys, .n_keys = N(named_keys) },
};
static const struct schema schema = { sections, N(sections) };

static int
note_section(struct schema_reader *r, const struct schema_section *s, const char *name)
{
	struct log *log = r->context;

	log_add(log, "%s:%s ", s->name, name);
	return 0;
}

static int
note_value(struct schema_reader *r, const struct schema_value *v)
{
	struct log *log = r->context;

	log_add(log, "%u%s=%s,%d,%d ", v->line, v->key->name, v->text, v->word, (int)v->number);
	return 0;
}

static int
read_schema(const char *text, struct log *log, struct err_list *errors)
{
	static const struct schema_sink sink = { note_section, note_value };
	static struct schema_reader r;

	memset(log, 0, sizeof(*log));
	memset(errors, 0, sizeof(*errors));
	return schema_read(&r, &schema, &sink, log, text, strlen(text), "f.ini", errors);
}

static void
test_values_are_typed_and_defaults_follow(void)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "0text=abc,-1,0 0word=green,1,0 0list=1,-1,1 0list=2,-1,2 " },
		{ "[plain]\ntext = ab\nword=red\nlist=9\t0\nlist = 3\n",
			"2text=ab,-1,0 3word=red,0,0 4list=9,-1,9 4list=0,-1,0 5list=3,-1,3 " },
		{ "[plain]\ntext=xx\nword=red\nlist=1\nnumber=64\n[plain]\nswitch=yes\npath=/a\n",
			"2text=xx,-1,0 3word=red,0,0 4list=1,-1,1 5number=64,-1,64 "
			"7switch=yes,-1,1 8path=/a,-1,0 " },
		{ "[plain]\ntext=xx\nword=red\nlist=1\nnumber=green\naction=drop\nlines=a, b\n"
		  "lines=c\n",
			"2text=xx,-1,0 3word=red,0,0 4list=1,-1,1 5number=green,1,0 "
			"6action=drop,-1,2 7lines=a, b,-1,0 8lines=c,-1,0 " },
		{ "[thing a]\nmust=x\n[thing "
		  "b]\nmust=y\nmay=6\n[plain]\ntext=xx\nword=red\nlist=1\n",
			"thing:a 2must=x,-1,0 0may=5,-1,5 thing:b 4must=y,-1,0 5may=6,-1,6 "
			"7text=xx,-1,0 8word=red,0,0 9list=1,-1,1 " },
	};
	struct err_list errors;
	struct log log;
	size_t i;

	for (i = 0; i < N(cases); i++) {
		CU_ASSERT_EQUAL(read_schema(cases[i].text, &log, &errors), 0);
		CU_ASSERT_STRING_EQUAL(log.text, cases[i].want);
	}
}

static void
test_wrong_values_say_what_would_be_right(void)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "k = v\n", "f.ini:1: 'k' stands in front of the first [section]" },
		{ "[plian]\nk = v\n", "f.ini:1: [plian]: 'plian' is not a section (did you mean "
				      "'plain'?)" },
		{ "[plain x]\n", "f.ini:1: [plain x]: [plain] takes no name" },
		{ "[thing]\n", "f.ini:1: [thing]: [thing] needs a name: [thing NAME]" },
		{ "[thing -x]\nmust=a\n", "f.ini:1: [thing -x]: '-x' is not a name: letters, "
					  "digits, '-', '_' and '.'" },
		{ "[thing x y]\nmust=a\n", "f.ini:1: [thing x y]: 'x y' is not a name: letters, "
					   "digits, '-', '_' and '.'" },
		{ "[thing x]\nmust=a\n[thing  X]\nmust=a\nmust=a\n",
			"f.ini:3: [thing X]: there is already a [thing x]" },
		{ "[thing x]\nmay=1\n", "f.ini:1: [thing x]: 'must' is missing" },
		{ "[plain]\nnumbr = 1\n", "f.ini:2: [plain] numbr: 'numbr' is not a key of [plain] "
					  "(did you mean 'number'?)" },
		{ "[thing x]\nmust=a\nzzzz=1\n", "f.ini:3: [thing x] zzzz: 'zzzz' is not a key of "
						 "[thing], which has: must, may" },
		{ "[plain]\nword=red\n[thing a]\nmust=b\n[plain]\nword=red\n",
			"f.ini:6: [plain] word: 'word' was already given in line 2" },
		{ "[plain]\nnumber = 0\n", "f.ini:2: [plain] number: '0' is outside 1..64 bytes" },
		{ "[plain]\nnumber = 65\n",
			"f.ini:2: [plain] number: '65' is outside 1..64 bytes" },
		{ "[plain]\nnumber = 18446744073709551616\n",
			"f.ini:2: [plain] number: '18446744073709551616' is outside 1..64 bytes" },
		{ "[plain]\nnumber = 07\n", "f.ini:2: [plain] number: '07' is not a whole decimal "
					    "number nor a known word" },
		{ "[plain]\nnumber = gren\n",
			"f.ini:2: [plain] number: 'gren' is not a whole decimal number nor a known "
			"word (did you mean 'green'?)" },
		{ "[plain]\nlist = +1\n",
			"f.ini:2: [plain] list: '+1' is not a whole decimal number" },
		{ "[plain]\nlist = 1, 2\n",
			"f.ini:2: [plain] list: '1,': blanks separate the items, not commas" },
		{ "[plain]\nswitch = true\n", "f.ini:2: [plain] switch: 'true' is not one of "
					      "yes|no" },
		{ "[plain]\naction = Drop\n",
			"f.ini:2: [plain] action: 'Drop' is not one of "
			"red|green|pass|approve|mirror|drop|drop+mirror (did you mean 'drop'?)" },
		{ "[plain]\nword = yellow\n", "f.ini:2: [plain] word: 'yellow' is not one of "
					      "red|green" },
		{ "[plain]\npath = a/b\n", "f.ini:2: [plain] path: 'a/b' is not an absolute path" },
		{ "[plain]\npath = /3456789012\n",
			"f.ini:2: [plain] path: '/3456789012' has 11 bytes, not 0..10" },
		{ "[plain]\ntext = a\n", "f.ini:2: [plain] text: 'a' has 1 bytes, not 2..5" },
	};
	struct err_list errors;
	struct log log;
	char text[1024];
	size_t i;

	for (i = 0; i < N(cases); i++) {
		CU_ASSERT_EQUAL(read_schema(cases[i].text, &log, &errors), -EINVAL);
		CU_ASSERT_EQUAL_FATAL(errors.n, 1);
		err_format(&errors.items[0], text, sizeof(text));
		if (strcmp(text, cases[i].want) != 0)
			printf("got  %s\nwant %s\n", text, cases[i].want);
		CU_ASSERT_STRING_EQUAL(text, cases[i].want);
	}
}

static void
test_named_sections_are_bounded(void)
{
	static char text[64 * (SCHEMA_NAMED_MAX + 2)];
	struct err_list errors;
	struct log log;
	unsigned int i;
	size_t at = 0;

	for (i = 0; i <= SCHEMA_NAMED_MAX; i++) {
		CU_ASSERT_EQUAL(read_schema(text, &log, &errors), 0);
		at += (size_t)snprintf(text + at, sizeof(text) - at, "[thing x%u]\nmust=a\n", i);
	}
	CU_ASSERT_EQUAL(read_schema(text, &log, &errors), -EINVAL);
	CU_ASSERT_STRING_EQUAL(errors.items[0].message, "more than 256 named sections");
}

SUITE("ini",
	{ "clean lines arrive with their numbers", test_clean_lines_arrive_with_their_numbers },
	{ "what inih would bend is refused", test_what_inih_would_bend_is_refused },
	{ "lines of 199 bytes are whole and longer ones refused",
		test_lines_of_199_bytes_are_whole_and_longer_ones_refused },
	{ "NUL bytes are refused wherever they stand",
		test_nul_bytes_are_refused_wherever_they_stand },
	{ "a sink stops the reading", test_a_sink_stops_the_reading },
	{ "four mebibytes are read and no more", test_four_mebibytes_are_read_and_no_more },
	{ "files are loaded whole or not at all", test_files_are_loaded_whole_or_not_at_all },
	{ "errors are sorted by line and stay in order",
		test_errors_are_sorted_by_line_and_stay_in_order },
	{ "values are typed and defaults follow", test_values_are_typed_and_defaults_follow },
	{ "wrong values say what would be right", test_wrong_values_say_what_would_be_right },
	{ "named sections are bounded", test_named_sections_are_bounded })
