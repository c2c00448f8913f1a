/* SPDX-License-Identifier: BSD-3-Clause */
/* kept_head: what was kept is there again, of each directory its own; a file that is damaged is said
 * to be, and does not pass for one that is not there. */
#include "suite.h"

#include "kept_head.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static char state[] = "/tmp/trefoil-kept-head-XXXXXX";
static struct signing_key *key;

static void
set_up(void)
{
	char text[128];

	if (key == NULL) {
		CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(state));
		snprintf(text, sizeof(text), "%s/key.pem", state);
		key = signing_key_load(text, NULL, NULL);
		CU_ASSERT_PTR_NOT_NULL_FATAL(key);
	}
	snprintf(text, sizeof(text), "rm -rf %s/" KEPT_HEAD_FILE, state);
	CU_ASSERT_EQUAL_FATAL(system(text), 0);
}

static struct chain_head
head_of(uint64_t n_lines, char digit)
{
	struct chain_head head = { .n_lines = n_lines };

	memset(head.hash, digit, sizeof(head.hash) - 1);
	return head;
}

static void
keep(const char *directory, uint64_t n_lines, char digit)
{
	struct chain_head head = head_of(n_lines, digit);
	struct kept_head k;

	CU_ASSERT_EQUAL_FATAL(kept_head_load(&k, state, directory, NULL), 0);
	CU_ASSERT_EQUAL(kept_head_set(&k, &head, key, NULL), 0);
	kept_head_fini(&k);
}

static void
check_kept(const char *directory, uint64_t n_lines, char digit)
{
	struct chain_head head = head_of(n_lines, digit);
	struct kept_head k;

	CU_ASSERT_EQUAL(kept_head_load(&k, state, directory, NULL), 0);
	CU_ASSERT_EQUAL(k.head.n_lines, n_lines);
	if (n_lines != 0)
		CU_ASSERT_STRING_EQUAL(k.head.hash, head.hash);
	kept_head_fini(&k);
}

static void
test_each_directory_has_its_own(void)
{
	set_up();
	check_kept("/a", 0, '0');
	keep("/a", 3, 'a');
	keep("/b", 7, 'b');
	check_kept("/a", 3, 'a');
	keep("/a", 4, 'c');
	check_kept("/a", 4, 'c');
	check_kept("/b", 7, 'b');
	check_kept("/c", 0, '0');
}

static void
test_damage_is_told_and_mended(void)
{
	static const char *const texts[] = { "", "{", "[]", "null", "7", "{}x",
		"{\"/a\":{},\"/a\":{}}", "{\"/a\":null}", "{\"/a\":{\"lines\":3}}",
		"{\"/a\":{\"lines\":0,\"sha256\":\"" ZEROS "\"}}",
		"{\"/a\":{\"lines\":-1,\"sha256\":\"" ZEROS "\"}}",
		"{\"/a\":{\"lines\":3,\"sha256\":\"" ZEROS "0\"}}",
		"{\"/a\":{\"lines\":3,\"sha256\":\"\"}}", "{\"/a\":{\"lines\":3,\"sha256\":5}}" };
	char path[128];
	size_t i;
	FILE *f;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct chain_head head = head_of(9, '9');
		struct err e = { .message = "" };
		struct kept_head k;

		set_up();
		snprintf(path, sizeof(path), "%s/" KEPT_HEAD_FILE, state);
		f = fopen(path, "w");
		CU_ASSERT_PTR_NOT_NULL_FATAL(f);
		fputs(texts[i], f);
		fclose(f);
		if (kept_head_load(&k, state, "/a", &e) != -EBADMSG) {
			printf("%s\n", texts[i]);
			CU_FAIL("not told");
		}
		CU_ASSERT_STRING_EQUAL(e.file, path);
		CU_ASSERT_EQUAL(k.head.n_lines, 0);
		CU_ASSERT_EQUAL(kept_head_set(&k, &head, key, NULL), 0);
		kept_head_fini(&k);
		check_kept("/a", 9, '9');
	}
}

static void
test_failed_write_keeps_the_one_before(void)
{
	struct chain_head head = head_of(5, '5');
	struct err e = { .message = "" };
	struct kept_head k;

	set_up();
	keep("/a", 3, 'a');
	CU_ASSERT_EQUAL_FATAL(kept_head_load(&k, state, "/a", NULL), 0);
	k.state_dir = "/nonexistent";
	CU_ASSERT_EQUAL(kept_head_set(&k, &head, key, &e), -ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.message, "cannot be kept"));
	CU_ASSERT_EQUAL(k.head.n_lines, 3);
	kept_head_fini(&k);
	check_kept("/a", 3, 'a');
}

static void
test_tidies_up(void)
{
	char text[128];

	signing_key_free(key);
	key = NULL;
	snprintf(text, sizeof(text), "rm -r %s", state);
	CU_ASSERT_EQUAL(system(text), 0);
}

SUITE("kept_head", { "each directory has its own", test_each_directory_has_its_own },
	{ "damage is told and mended", test_damage_is_told_and_mended },
	{ "failed write keeps the one before", test_failed_write_keeps_the_one_before },
	{ "tidies up", test_tidies_up })
