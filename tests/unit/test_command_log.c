/* SPDX-License-Identifier: BSD-3-Clause */
/* evidence/command_log: what the daemon writes verifies and is counted; each way to tamper with it is
 * named with its line. */
#include "suite.h"

#include "evidence/command_log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_LINES 6u

static char directory[] = "/tmp/trefoil-command-log-XXXXXX";
static char path[80];
static struct signing_key *key, *other_key;

static struct signing_key *
key_of(const char *name)
{
	struct err e = { 0 };
	struct signing_key *made;
	char file[80];

	snprintf(file, sizeof(file), "%s/%s", directory, name);
	made = signing_key_load(file, NULL, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(made);
	return made;
}

static void
set_up(void)
{
	if (key != NULL)
		return;
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/" COMMAND_LOG_FILE, directory);
	key = key_of("key.pem");
	other_key = key_of("other.pem");
}

static void
append(const struct signing_key *with, json_t *const *records, size_t n)
{
	struct chain_options options = { .key = with, .sync = CHAIN_SYNC_NONE };
	struct err e = { 0 };
	struct chain *c = chain_open(path, &options, NULL, &e);
	size_t i;

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	for (i = 0; i < n; i++)
		CU_ASSERT_EQUAL(chain_append(c, records[i]), 0);
	chain_close(c);
}

static json_t *
state(int generation)
{
	return json_pack("{s:i, s:s, s:s}", "generation", generation, "policy_sha256", "aa",
		"geo_sha256", "bb");
}

static json_t *
command(const char *name, const char *outcome)
{
	return json_pack("{s:s, s:s, s:i, s:s, s:{}, s:s, s:o, s:o}", "audit", "command", "who",
		"alice", "uid", 1000, "command", name, "arguments", "outcome", outcome, "before",
		state(1), "after", state(2));
}

static json_t *
event(void)
{
	return json_pack("{s:s, s:s, s:s, s:o}", "audit", "event", "event", "start", "text", "x",
		"after", state(1));
}

/* A log of every type of line. */
static void
fresh(const struct signing_key *with)
{
	json_t *records[N_LINES] = { event(), command("push", "done"), command("push", "refused"),
		command("approve", "not-permitted"),
		json_pack("{s:s, s:i}", "audit", "torn", "bytes", 17), command("confirm", "done") };

	set_up();
	unlink(path);
	json_object_set_new(records[4], "not_permitted_before", json_integer(40));
	json_object_set_new(records[5], "missing_before", json_integer(3));
	append(with, records, N_LINES);
}

struct notes {
	unsigned int n;
	uint64_t line[8];
	char text[8][128];
};

static void
on_note(void *context, uint64_t line, const char *text)
{
	struct notes *notes = context;

	CU_ASSERT_FATAL(notes->n < 8);
	notes->line[notes->n] = line;
	snprintf(notes->text[notes->n++], sizeof(notes->text[0]), "%s", text);
}

static int
verify(const char *head, struct notes *notes, struct command_log_sum *sum, struct err *e)
{
	struct chain_check check = { .key = key, .head = head };

	notes->n = 0;
	e->message[0] = '\0';
	return command_log_verify(path, &check, on_note, notes, sum, e);
}

static void
test_what_was_written_verifies_and_is_counted(void)
{
	struct command_log_sum sum;
	struct notes notes;
	struct err e;

	set_up();
	fresh(key);
	CU_ASSERT_EQUAL(verify(NULL, &notes, &sum, &e), 0);
	CU_ASSERT_EQUAL(sum.head.n_lines, N_LINES);
	CU_ASSERT_EQUAL(sum.n_commands, 4);
	CU_ASSERT_EQUAL(sum.n_refused, 1);
	CU_ASSERT_EQUAL(sum.n_not_permitted, 41);
	CU_ASSERT_EQUAL(sum.n_events, 1);
	CU_ASSERT_EQUAL(sum.n_torn, 1);
	CU_ASSERT_EQUAL(sum.n_missing, 3);
	CU_ASSERT_EQUAL(sum.n_backwards, 0);
	CU_ASSERT(strcmp(sum.first, sum.last) <= 0 && sum.first[0] == '2');
	CU_ASSERT_EQUAL_FATAL(notes.n, 3);
	CU_ASSERT_EQUAL(notes.line[0], 5);
	CU_ASSERT_PTR_NOT_NULL(strstr(notes.text[0], "40 commands"));
	CU_ASSERT_EQUAL(notes.line[1], 5);
	CU_ASSERT_PTR_NOT_NULL(strstr(notes.text[1], "17 bytes"));
	CU_ASSERT_EQUAL(notes.line[2], 6);
	CU_ASSERT_PTR_NOT_NULL(strstr(notes.text[2], "3 lines"));
}

static char *
read_all(size_t *size)
{
	FILE *f = fopen(path, "r");
	char *data = malloc(1 << 16);

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	*size = fread(data, 1, 1 << 16, f);
	fclose(f);
	return data;
}

static void
write_all(const char *data, size_t size)
{
	FILE *f = fopen(path, "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CU_ASSERT_EQUAL(fwrite(data, 1, size, f), size);
	fclose(f);
}

/* The begin of line `n`, from 1; of the one behind the last: the end. */
static size_t
offset_of(const char *data, size_t size, unsigned int n)
{
	const char *at = data;

	while (--n > 0)
		at = (const char *)memchr(at, '\n', size - (size_t)(at - data)) + 1;
	return (size_t)(at - data);
}

/* Put lines `order` (0 ends it) of the fresh log into the file. */
static void
rearrange(const unsigned int *order)
{
	size_t size, n = 0;
	char *data, *out;

	fresh(key);
	data = read_all(&size);
	out = malloc(2 * size);
	for (; *order != 0; order++) {
		size_t begin = offset_of(data, size, *order);
		size_t end = offset_of(data, size, *order + 1);

		memcpy(out + n, data + begin, end - begin);
		n += end - begin;
	}
	write_all(out, n);
	free(out);
	free(data);
}

static void
test_dropped_swapped_and_repeated_lines_are_named(void)
{
	static const struct {
		const char *what;
		unsigned int order[9], line;
	} cases[] = {
		{ "first dropped", { 2, 3, 4, 5, 6 }, 1 },
		{ "third dropped", { 1, 2, 4, 5, 6 }, 3 },
		{ "last but one dropped", { 1, 2, 3, 4, 6 }, 5 },
		{ "neighbours swapped", { 1, 3, 2, 4, 5, 6 }, 2 },
		{ "last two swapped", { 1, 2, 3, 4, 6, 5 }, 5 },
		{ "one repeated", { 1, 2, 2, 3, 4, 5, 6 }, 3 },
		{ "last repeated", { 1, 2, 3, 4, 5, 6, 6 }, 7 },
	};
	struct command_log_sum sum;
	struct notes notes;
	struct err e;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rearrange(cases[i].order);
		CU_ASSERT_EQUAL(verify(NULL, &notes, &sum, &e), -EBADMSG);
		if (e.line != cases[i].line || sum.head.n_lines != cases[i].line - 1) {
			printf("%s: line %u, %s ", cases[i].what, e.line, e.message);
			CU_FAIL("the line");
		}
	}
}

static void
test_cut_tails_are_seen(void)
{
	static const unsigned int all[] = { 1, 2, 3, 4, 5, 6, 0 }, most[] = { 1, 2, 3, 4, 5, 0 };
	struct command_log_sum sum;
	struct notes notes;
	struct err e;
	char head[SHA256_TEXT_SIZE];
	size_t size, kept, begin;
	char *data;

	rearrange(all);
	CU_ASSERT_EQUAL(verify(NULL, &notes, &sum, &e), 0);
	memcpy(head, sum.head.hash, sizeof(head));
	data = read_all(&size);
	begin = offset_of(data, size, N_LINES);
	for (kept = begin + 1; kept < size; kept++) { /* inside the last line: seen without help */
		write_all(data, kept);
		CU_ASSERT_EQUAL(verify(NULL, &notes, &sum, &e), -EBADMSG);
		CU_ASSERT_EQUAL(e.line, N_LINES);
	}
	write_all(data, begin); /* a whole line: only against a head */
	CU_ASSERT_EQUAL(verify(NULL, &notes, &sum, &e), 0);
	CU_ASSERT_EQUAL(verify(head, &notes, &sum, &e), -EBADMSG);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.message, "tail is missing"));
	free(data);
	rearrange(most);
	CU_ASSERT_EQUAL(sum.head.n_lines, N_LINES - 1);
}

static void
test_no_flipped_bit_verifies(void)
{
	struct command_log_sum sum;
	struct notes notes;
	struct err e;
	size_t size, i, line = 1, n_bad = 0, n_elsewhere = 0;
	char *data, bit;

	fresh(key);
	data = read_all(&size);
	for (i = 0; i < size; i++) {
		bit = (char)(1 << i % 8);
		data[i] ^= bit;
		write_all(data, size);
		n_bad += verify(NULL, &notes, &sum, &e) == -EBADMSG;
		n_elsewhere += e.line != line;
		data[i] ^= bit;
		line += data[i] == '\n';
	}
	CU_ASSERT_EQUAL(n_bad, size);
	CU_ASSERT_EQUAL(n_elsewhere, 0);
	free(data);
}

/* Whoever makes the whole log again needs the key. */
static void
test_logs_signed_again_are_refused(void)
{
	struct command_log_sum sum;
	struct notes notes;
	struct err e;
	json_t *more[] = { command("rollback", "done") };

	fresh(other_key);
	CU_ASSERT_EQUAL(verify(NULL, &notes, &sum, &e), -EBADMSG);
	CU_ASSERT_EQUAL(e.line, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.message, "signature"));
	fresh(key);
	append(other_key, more, 1); /* one line more by somebody else */
	CU_ASSERT_EQUAL(verify(NULL, &notes, &sum, &e), -EBADMSG);
	CU_ASSERT_EQUAL(e.line, N_LINES + 1);
	fresh(NULL);
	CU_ASSERT_EQUAL(verify(NULL, &notes, &sum, &e), -EBADMSG);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.message, "not signed"));
}

/* The key signs evidence too: its lines are no audit log, nor is anything else that is signed. */
static void
test_signed_lines_of_other_kinds_are_refused(void)
{
	static const char *const cases[] = { "{\"type\":\"start\"}", "{\"audit\":7}",
		"{\"audit\":\"commands\"}", "{\"audit\":\"command\"}",
		"{\"audit\":\"command\",\"who\":\"a\",\"command\":\"push\",\"outcome\":\"done\"}",
		"{\"audit\":\"command\",\"who\":\"a\",\"command\":\"push\",\"outcome\":\"good\","
		"\"before\":{\"generation\":1,\"policy_sha256\":\"\",\"geo_sha256\":\"\"},"
		"\"after\":{\"generation\":1,\"policy_sha256\":\"\",\"geo_sha256\":\"\"}}",
		"{\"audit\":\"event\",\"event\":\"push\"}", "{\"audit\":\"torn\",\"bytes\":0}",
		"{\"audit\":\"torn\",\"bytes\":1,\"missing_before\":-1}",
		"{\"audit\":\"torn\",\"bytes\":1,\"not_permitted_before\":0}",
		"{\"audit\":\"torn\",\"bytes\":1,\"missing_before\":\"1\"}",
		"{\"audit\":\"torn\",\"bytes\":1,\"time\":5}" };
	struct command_log_sum sum;
	struct notes notes;
	struct err e;
	json_t *record;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fresh(key);
		record = json_loads(cases[i], 0, NULL);
		CU_ASSERT_PTR_NOT_NULL_FATAL(record);
		append(key, &record, 1);
		if (verify(NULL, &notes, &sum, &e) != -EBADMSG || e.line != N_LINES + 1 ||
			strstr(e.message, "no line of an audit log") == NULL) {
			printf("%s: %s ", cases[i], e.message);
			CU_FAIL("refused");
		}
	}
}

static void
test_a_clock_that_was_set_back_is_noted(void)
{
	struct command_log_sum sum;
	struct notes notes;
	struct err e;
	json_t *record = event();

	fresh(key);
	json_object_set_new(record, "time", json_string("2001-01-01T00:00:00.000000000Z"));
	append(key, &record, 1);
	CU_ASSERT_EQUAL(verify(NULL, &notes, &sum, &e), 0);
	CU_ASSERT_EQUAL(sum.n_backwards, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(notes.text[notes.n - 1], "older than line 6"));
}

static void
test_tidies_up(void)
{
	char line[128];

	signing_key_free(key);
	signing_key_free(other_key);
	key = other_key = NULL;
	snprintf(line, sizeof(line), "rm -r %s", directory);
	CU_ASSERT_EQUAL(system(line), 0);
}

SUITE("command_log",
	{ "what was written verifies and is counted",
		test_what_was_written_verifies_and_is_counted },
	{ "dropped, swapped and repeated lines are named",
		test_dropped_swapped_and_repeated_lines_are_named },
	{ "cut tails are seen", test_cut_tails_are_seen },
	{ "no flipped bit verifies", test_no_flipped_bit_verifies },
	{ "logs signed again are refused", test_logs_signed_again_are_refused },
	{ "signed lines of other kinds are refused", test_signed_lines_of_other_kinds_are_refused },
	{ "a clock that was set back is noted", test_a_clock_that_was_set_back_is_noted },
	{ "tidies up", test_tidies_up })
