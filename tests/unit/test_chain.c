/* SPDX-License-Identifier: BSD-3-Clause */
/* evidence/chain and its keys: what was appended verifies, and no change of one byte does. */
#include "suite.h"

#include "evidence/chain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>

#define N_LINES 6u

static char directory[] = "/tmp/trefoil-chain-XXXXXX";
static char path[64], key_path[64], public_path[64];
static struct signing_key *key;

static void
set_up(void)
{
	struct err e = { 0 };
	bool is_new = false;

	if (key != NULL)
		return;
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/chain.jsonl", directory);
	snprintf(key_path, sizeof(key_path), "%s/key.pem", directory);
	snprintf(public_path, sizeof(public_path), "%s/public.pem", directory);
	key = signing_key_load(key_path, &is_new, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(key);
	CU_ASSERT_TRUE(is_new);
	CU_ASSERT_EQUAL(signing_key_export(key, public_path, &e), 0);
}

static char *
read_all(const char *from, size_t *size)
{
	FILE *f = fopen(from, "r");
	char *data = malloc(1 << 20);

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	*size = fread(data, 1, 1 << 20, f);
	fclose(f);
	return data;
}

static void
write_all(const char *to, const char *data, size_t size)
{
	FILE *f = fopen(to, "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CU_ASSERT_EQUAL(fwrite(data, 1, size, f), size);
	fclose(f);
}

/* A chain of `n` more lines at the end of `path`. */
static void
append_lines(const struct signing_key *with, unsigned int n, struct chain_head *head)
{
	struct chain_options options = { .key = with };
	struct err e = { 0 };
	struct chain *c = chain_open(path, &options, NULL, &e);
	unsigned int i;

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	for (i = 0; i < n; i++)
		CU_ASSERT_EQUAL(chain_append(c, json_pack("{s:s, s:i, s:s}", "type", "test", "i",
							(int)i, "text", "Grüße \"\\ \n")),
			0);
	chain_get_head(c, head);
	chain_close(c);
}

static void
fresh(const struct signing_key *with, struct chain_head *head)
{
	set_up();
	unlink(path);
	append_lines(with, N_LINES, head);
}

static int
verify(const struct signing_key *with, struct chain_head *head, struct err *e)
{
	struct chain_check check = { .key = with };

	return chain_verify(path, &check, NULL, NULL, head, e);
}

static void
test_appended_lines_verify(void)
{
	struct chain_head head, found;
	struct err e = { 0 };

	set_up();
	fresh(key, &head);
	CU_ASSERT_EQUAL(verify(key, &found, &e), 0);
	CU_ASSERT_EQUAL(found.n_lines, N_LINES);
	CU_ASSERT_STRING_EQUAL(found.hash, head.hash);
	append_lines(key, 2, &head);
	CU_ASSERT_EQUAL(verify(key, &found, &e), 0);
	CU_ASSERT_EQUAL(found.n_lines, N_LINES + 2);
	CU_ASSERT_STRING_EQUAL(found.hash, head.hash);
	CU_ASSERT_EQUAL(found.size, head.size);
}

static void
test_public_key_alone_verifies(void)
{
	struct chain_head head;
	struct err e = { 0 };
	struct signing_key *public;
	char signature[SIGNATURE_TEXT_SIZE];

	fresh(key, &head);
	public = signing_key_load_public(public_path, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(public);
	CU_ASSERT_STRING_EQUAL(signing_key_id(public), signing_key_id(key));
	CU_ASSERT_EQUAL(verify(public, &head, &e), 0);
	CU_ASSERT_EQUAL(signing_key_sign(public, "x", 1, signature), -EPERM);
	signing_key_free(public);
}

/* Every bit of the file, the last line and its signature too. */
static void
test_no_flipped_bit_verifies(void)
{
	struct chain_head head;
	struct err e = { 0 };
	size_t size, i, n_missed = 0;
	char *data;
	int bit;

	fresh(key, &head);
	data = read_all(path, &size);
	for (i = 0; i < size; i += 1 + i % 3) {
		bit = (int)(i % 8);
		data[i] ^= (char)(1 << bit);
		write_all(path, data, size);
		n_missed += verify(key, NULL, &e) != -EBADMSG || e.line == 0;
		data[i] ^= (char)(1 << bit);
	}
	for (bit = 0; bit < 8; bit++) { /* the whole last signature */
		for (i = size - 100; i < size; i++) {
			data[i] ^= (char)(1 << bit);
			write_all(path, data, size);
			n_missed += verify(key, NULL, &e) != -EBADMSG;
			data[i] ^= (char)(1 << bit);
		}
	}
	CU_ASSERT_EQUAL(n_missed, 0);
	free(data);
}

/* The second line of `data`, and how long it is; the third is as long. */
static char *
second_line(char *data, size_t *length)
{
	char *second = strchr(data, '\n') + 1, *third = strchr(second, '\n') + 1;

	*length = (size_t)(third - second);
	CU_ASSERT_EQUAL_FATAL(strchr(third, '\n') + 1 - third, third - second);
	return second;
}

static void
test_dropped_and_swapped_lines_are_named(void)
{
	struct chain_head head;
	struct err e = { 0 };
	size_t size, length;
	char *data, *second, line[4096];

	fresh(key, &head);
	data = read_all(path, &size);
	second = second_line(data, &length);
	memcpy(line, second, length);
	memcpy(second, second + length, length);
	memcpy(second + length, line, length);
	write_all(path, data, size);
	CU_ASSERT_EQUAL(verify(key, &head, &e), -EBADMSG);
	CU_ASSERT_EQUAL(e.line, 2);
	memmove(second, second + length, size - (size_t)(second + length - data));
	write_all(path, data, size - length); /* 1, 2, 4: the third is missing */
	CU_ASSERT_EQUAL(verify(key, &head, &e), -EBADMSG);
	CU_ASSERT_EQUAL(e.line, 3);
	CU_ASSERT_EQUAL(head.n_lines, 2);
	free(data);
}

static void
test_dropped_tail_is_seen_against_the_head(void)
{
	struct chain_head head;
	struct chain_check check = { .key = NULL };
	struct err e = { 0 };
	size_t size;
	char *data;

	fresh(key, &head);
	data = read_all(path, &size);
	check.key = key;
	check.head = head.hash;
	CU_ASSERT_EQUAL(chain_verify(path, &check, NULL, NULL, NULL, &e), 0);
	size = (size_t)((char *)memrchr(data, '\n', size - 1) - data) + 1;
	write_all(path, data, size);
	CU_ASSERT_EQUAL(verify(key, NULL, &e), 0);
	CU_ASSERT_EQUAL(chain_verify(path, &check, NULL, NULL, NULL, &e), -EBADMSG);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.message, "tail"));
	free(data);
}

static int
count_lines(void *context, const struct chain_line *line, struct err *e)
{
	unsigned int *n = context;

	CU_ASSERT_PTR_NOT_NULL(line->record);
	++*n;
	return 0;
}

/* The head that is known holds what is in front of it, whoever signed that, and nothing else does. */
static void
test_known_head_stands_for_signatures(void)
{
	struct chain_head head, end;
	struct chain_check check = { .head = head.hash };
	struct err e = { 0 };
	unsigned int n_seen, i;
	size_t size, at;
	char *data;

	fresh(NULL, &head);
	append_lines(key, 1, &end);
	check.key = key;
	CU_ASSERT_EQUAL(chain_verify(path, &check, NULL, NULL, NULL, &e), -EBADMSG);
	for (i = 0; i < 2; i++) {
		check.n_trusted = head.n_lines;
		check.skip = i == 0 ? NULL : "\"type\":\"test\"";
		n_seen = 0;
		CU_ASSERT_EQUAL(chain_verify(path, &check, count_lines, &n_seen, NULL, &e), 0);
		CU_ASSERT_EQUAL(n_seen, i == 0 ? N_LINES + 1 : 1); /* the last one is not trusted */
		check.n_trusted = head.n_lines + 1;
		CU_ASSERT_EQUAL(chain_verify(path, &check, NULL, NULL, NULL, &e), -EBADMSG);
		check.n_trusted = head.n_lines - 1;
		CU_ASSERT_EQUAL(chain_verify(path, &check, NULL, NULL, NULL, &e), -EBADMSG);
		check.n_trusted = head.n_lines;
		data = read_all(path, &size);
		for (at = 0; at < head.size; at += 31) {
			data[at] ^= 1;
			write_all(path, data, size);
			CU_ASSERT_EQUAL(chain_verify(path, &check, NULL, NULL, NULL, &e), -EBADMSG);
			data[at] ^= 1;
		}
		write_all(path, data, size);
		free(data);
	}
}

static void
test_another_key_is_refused(void)
{
	struct chain_head head;
	struct err e = { 0 };
	struct signing_key *other;
	char other_path[80];

	fresh(NULL, &head);
	CU_ASSERT_EQUAL(verify(NULL, NULL, &e), 0);
	CU_ASSERT_EQUAL(verify(key, NULL, &e), -EBADMSG); /* not signed at all */
	snprintf(other_path, sizeof(other_path), "%s/other.pem", directory);
	other = signing_key_load(other_path, NULL, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(other);
	fresh(other, &head);
	CU_ASSERT_EQUAL(verify(other, NULL, &e), 0);
	CU_ASSERT_EQUAL(verify(key, NULL, &e), -EBADMSG);
	CU_ASSERT_EQUAL(e.line, 1);
	signing_key_free(other);
	unlink(other_path);
}

/* A crash at any byte of the last line. */
static void
test_torn_line_is_cut_off_and_told(void)
{
	struct chain_options options = { .key = key };
	struct chain_head head, found;
	struct err e = { 0 };
	size_t size, last, i;
	uint64_t n_torn;
	char *data;

	fresh(key, &head);
	data = read_all(path, &size);
	last = (size_t)((char *)memrchr(data, '\n', size - 1) - data) + 1;
	options.key = key;
	for (i = last; i < size; i++) {
		struct chain_check check = { .key = key, .allow_torn = true };
		struct chain *c;

		write_all(path, data, i);
		CU_ASSERT_EQUAL(chain_verify(path, &check, NULL, NULL, &found, &e), 0);
		CU_ASSERT_EQUAL(found.n_torn, i - last);
		CU_ASSERT_EQUAL(verify(key, NULL, &e), i == last ? 0 : -EBADMSG);
		c = chain_open(path, &options, &n_torn, &e);
		CU_ASSERT_PTR_NOT_NULL_FATAL(c);
		CU_ASSERT_EQUAL(n_torn, i - last);
		CU_ASSERT_EQUAL(chain_append(c, json_pack("{s:I}", "torn", (json_int_t)n_torn)), 0);
		chain_close(c);
		CU_ASSERT_EQUAL(verify(key, &found, &e), 0);
		CU_ASSERT_EQUAL(found.n_lines, N_LINES);
	}
	free(data);
}

static void
test_failed_write_leaves_the_chain_whole(void)
{
	struct chain_options options = { .key = NULL };
	struct rlimit old, small;
	struct chain_head head, found;
	struct err e = { 0 };
	struct chain *c;

	fresh(NULL, &head);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	c = chain_open(path, &options, NULL, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	small = (struct rlimit){ head.size + 20, old.rlim_max };
	setrlimit(RLIMIT_FSIZE, &small);
	CU_ASSERT(chain_append(c, json_pack("{s:s}", "type", "long")) < 0);
	CU_ASSERT_EQUAL(verify(NULL, &found, &e), 0);
	CU_ASSERT_EQUAL(found.n_lines, N_LINES);
	setrlimit(RLIMIT_FSIZE, &old);
	CU_ASSERT_EQUAL(chain_append(c, json_pack("{s:s}", "type", "again")), 0);
	CU_ASSERT_EQUAL(verify(NULL, &found, &e), 0);
	CU_ASSERT_EQUAL(found.n_lines, N_LINES + 1);
	chain_close(c);
}

static void
test_bad_files_are_refused(void)
{
	static const struct {
		const char *what, *text;
		int want;
	} cases[] = {
		{ "no JSON", "hello\n", -EBADMSG },
		{ "no chain", "{\"seq\":1}\n", -EBADMSG },
		{ "an array", "[1]\n", -EBADMSG },
		{ "a key twice", "{\"seq\":1,\"seq\":1,\"prev\":\"\"}\n", -EBADMSG },
		{ "an empty line", "\n", -EBADMSG },
		{ "prev is a number", "{\"seq\":1,\"prev\":0}\n", -EBADMSG },
		{ "a NUL", "{\"seq\":1,\"prev\":\"0\",\"a\":\"\\u0000\"}\n", -EBADMSG },
	};
	struct chain_options options = { .key = NULL };
	struct err e = { 0 };
	char *longest = calloc(1, CHAIN_LINE_MAX + 2);
	unsigned int i;

	set_up();
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_all(path, cases[i].text, strlen(cases[i].text));
		if (verify(NULL, NULL, &e) != cases[i].want || e.line != 1)
			CU_FAIL(cases[i].what);
	}
	write_all(path, "hello\n", 6);
	CU_ASSERT_PTR_NULL(chain_open(path, &options, NULL, &e));
	CU_ASSERT_EQUAL(errno, EBADMSG);
	memset(longest, ' ', CHAIN_LINE_MAX + 1);
	write_all(path, longest, CHAIN_LINE_MAX + 1);
	CU_ASSERT_EQUAL(verify(NULL, NULL, &e), -EBADMSG);
	free(longest);
	unlink(path);
	CU_ASSERT_EQUAL(verify(NULL, NULL, &e), -ENOENT);
}

static void
test_one_writer_at_a_time(void)
{
	struct chain_options options = { .sync = CHAIN_SYNC_NONE };
	struct err e = { 0 };
	struct chain *c, *other;
	struct chain_head head;

	fresh(NULL, &head);
	c = chain_open(path, &options, NULL, &e);
	other = chain_open(path, &options, NULL, &e);
	CU_ASSERT_PTR_NULL(other);
	CU_ASSERT_EQUAL(errno, EBUSY);
	CU_ASSERT_EQUAL(chain_append(c, json_pack("{s:i}", "seq", 1)), -EINVAL);
	CU_ASSERT_EQUAL(chain_append(c, json_integer(1)), -EINVAL);
	CU_ASSERT_EQUAL(chain_append(c, NULL), -ENOMEM);
	CU_ASSERT_EQUAL(chain_append(c, json_pack("{s:s}", "type", "ok")), 0);
	CU_ASSERT_EQUAL(chain_sync(c), 0);
	chain_close(c);
	chain_close(NULL);
}

static void
test_private_key_is_for_its_owner_only(void)
{
	struct err e = { 0 };
	struct stat st;
	struct signing_key *again;
	bool is_new = true;

	set_up();
	CU_ASSERT_EQUAL(stat(key_path, &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 07777, 0600);
	again = signing_key_load(key_path, &is_new, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(again);
	CU_ASSERT_FALSE(is_new);
	CU_ASSERT_STRING_EQUAL(signing_key_id(again), signing_key_id(key));
	signing_key_free(again);
	chmod(key_path, 0640);
	CU_ASSERT_PTR_NULL(signing_key_load(key_path, NULL, &e));
	CU_ASSERT_EQUAL(errno, EPERM);
	chmod(key_path, 0600);
	CU_ASSERT_PTR_NULL(signing_key_load_public(key_path, &e));
	CU_ASSERT_EQUAL(errno, EINVAL);
	CU_ASSERT_PTR_NULL(signing_key_load("/nowhere/key.pem", NULL, &e));
}

static void
test_no_other_file_is_written(void)
{
	struct chain_options options = { .key = NULL };
	char other[300], buf[8] = "";
	struct chain_head head;
	struct err e = { 0 };
	FILE *f;

	fresh(key, &head);
	options.key = key;
	snprintf(other, sizeof(other), "%s/other", directory);
	write_all(other, "victim", 6);
	unlink(path);
	CU_ASSERT_EQUAL_FATAL(symlink(other, path), 0);
	CU_ASSERT_PTR_NULL(chain_open(path, &options, NULL, &e));
	CU_ASSERT_EQUAL(errno, ELOOP);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.message, "symbolic link"));
	f = fopen(other, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CU_ASSERT_EQUAL(fread(buf, 1, sizeof(buf), f), 6);
	fclose(f);
	unlink(path);
}

static void
test_tidies_up(void)
{
	char command[128];

	signing_key_free(key);
	key = NULL;
	snprintf(command, sizeof(command), "rm -r %s", directory);
	CU_ASSERT_EQUAL(system(command), 0);
}

SUITE("chain", { "appended lines verify", test_appended_lines_verify },
	{ "public key alone verifies", test_public_key_alone_verifies },
	{ "no flipped bit verifies", test_no_flipped_bit_verifies },
	{ "dropped and swapped lines are named", test_dropped_and_swapped_lines_are_named },
	{ "dropped tail is seen against the head", test_dropped_tail_is_seen_against_the_head },
	{ "known head stands for signatures", test_known_head_stands_for_signatures },
	{ "another key is refused", test_another_key_is_refused },
	{ "torn line is cut off and told", test_torn_line_is_cut_off_and_told },
	{ "failed write leaves the chain whole", test_failed_write_leaves_the_chain_whole },
	{ "bad files are refused", test_bad_files_are_refused },
	{ "one writer at a time", test_one_writer_at_a_time },
	{ "private key is for its owner only", test_private_key_is_for_its_owner_only },
	{ "no other file is written", test_no_other_file_is_written },
	{ "tidies up", test_tidies_up })
