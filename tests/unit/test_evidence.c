/* SPDX-License-Identifier: BSD-3-Clause */
/* evidence: what was kept verifies; whatever is changed afterwards is named; what a crash leaves is
 * told. The segments here are bytes: nothing of it knows captures. */
#include "suite.h"

#include "evidence/audit.h"
#include "evidence/evidence.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define N_FLIPS       10240u
#define SEGMENT_BYTES 3000u
#define FILE_MAX      (1 << 16)

static char directory[] = "/tmp/trefoil-evidence-XXXXXX";
static char place[64]; /* the evidence below it */
static struct signing_key *key;

/* Run in the evidence's directory. */
static void
shell(const char *command)
{
	char text[512];

	snprintf(text, sizeof(text), "cd %s && %s", place, command);
	CU_ASSERT_EQUAL_FATAL(system(text), 0);
}

static void
set_up(void)
{
	char path[160];

	if (key == NULL) {
		CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(directory));
		snprintf(place, sizeof(place), "%s/evidence", directory);
		snprintf(path, sizeof(path), "%s/key.pem", directory);
		key = signing_key_load(path, NULL, NULL);
		CU_ASSERT_PTR_NOT_NULL_FATAL(key);
	}
	snprintf(path, sizeof(path), "rm -rf %s && mkdir %s", place, place);
	CU_ASSERT_EQUAL_FATAL(system(path), 0);
}

/* `kept`: the head that was there when it stopped, NULL = not known. */
static struct evidence *
start_knowing(const struct chain_head *kept)
{
	struct evidence_options options = {
		.directory = place, .name = "unit", .version = "0", .key = key, .kept = kept
	};
	struct err e = { .message = "" };
	struct evidence *ev = evidence_open(&options, &e);

	if (ev == NULL)
		printf("%s\n", e.message);
	CU_ASSERT_PTR_NOT_NULL_FATAL(ev);
	return ev;
}

static struct evidence *
start(void)
{
	return start_knowing(NULL);
}

static FILE *
file_of(const char *name, const char *mode)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", place, name);
	f = fopen(path, mode);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	return f;
}

static void
put(struct evidence *ev, FILE *f, unsigned int n, int seed)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		unsigned char c = (unsigned char)(i * 7 + (unsigned int)seed);

		fputc(c, f);
		evidence_update(ev, &c, 1);
	}
	fflush(f);
}

/* A segment with three checkpoints; the third covers all when it is ended. */
static void
write_segment(struct evidence *ev, const char *name, int seed, bool is_ended)
{
	struct err e = { .message = "" };
	FILE *f;

	CU_ASSERT_EQUAL_FATAL(evidence_begin(ev, name, NULL, &e), 0);
	f = file_of(name, "w");
	put(ev, f, SEGMENT_BYTES / 3, seed);
	CU_ASSERT_EQUAL(evidence_checkpoint(ev, 10, NULL, true), 0);
	put(ev, f, SEGMENT_BYTES / 3, seed + 1);
	CU_ASSERT_EQUAL(evidence_checkpoint(ev, 20, NULL, false), 0);
	put(ev, f, SEGMENT_BYTES / 3, seed + 2);
	fclose(f);
	if (is_ended)
		CU_ASSERT_EQUAL(evidence_end(ev, 30, NULL, &e), 0);
}

static void
write_evidence(void)
{
	struct evidence *ev;

	set_up();
	ev = start();
	write_segment(ev, "a", 1, true);
	write_segment(ev, "b", 2, true);
	evidence_close(ev, true);
}

static char finding[1200]; /* the first broken one */

static void
on_found(void *context, const struct audit_finding *f)
{
	if (f->kind == AUDIT_BROKEN && finding[0] == '\0')
		snprintf(finding, sizeof(finding), "%s: %s", f->s != NULL ? f->s->claim.name : "-",
			f->text);
}

static int
audit(struct audit_result *out)
{
	struct audit_options options = { .key = key, .found = on_found };
	struct audit_result result;
	struct err e = { .message = "" };
	int rc;

	finding[0] = '\0';
	rc = audit_directory(place, &options, &result, &e);
	if (out != NULL)
		*out = result;
	return rc;
}

static void
test_what_was_kept_verifies(void)
{
	struct audit_result r;

	write_evidence();
	CU_ASSERT_EQUAL(audit(&r), 0);
	CU_ASSERT_EQUAL(r.n_segments, 2);
	CU_ASSERT_EQUAL(r.n_bytes, 2 * SEGMENT_BYTES);
	CU_ASSERT_EQUAL(r.n_packets, 60);
	CU_ASSERT_EQUAL(r.n_notes, 0);
	CU_ASSERT_EQUAL(audit_bytes(place), 2 * SEGMENT_BYTES);
}

static size_t
load(const char *name, unsigned char *data)
{
	FILE *f = file_of(name, "r");
	size_t n = fread(data, 1, FILE_MAX, f);

	fclose(f);
	return n;
}

static void
store(const char *name, const unsigned char *data, size_t n)
{
	FILE *f = file_of(name, "w");

	CU_ASSERT_EQUAL(fwrite(data, 1, n, f), n);
	fclose(f);
}

/* Random bits over all files, each as likely as it is long. */
static void
test_no_flipped_bit_is_missed(void)
{
	static const char *const names[] = { "a", "b", "a.checkpoints.jsonl", "b.checkpoints.jsonl",
		"manifest.jsonl", "public.pem" };
	static unsigned char data[6][FILE_MAX];
	size_t size[6], total = 0, k, at;
	unsigned int i, n_missed = 0, n_unnamed = 0;

	write_evidence();
	for (k = 0; k < 6; k++)
		total += size[k] = load(names[k], data[k]);
	srandom(1);
	for (i = 0; i < N_FLIPS; i++) {
		unsigned char bit = (unsigned char)(1u << (random() & 7));

		at = (size_t)random() % total;
		for (k = 0; at >= size[k]; k++)
			at -= size[k];
		data[k][at] ^= bit;
		store(names[k], data[k], size[k]);
		if (audit(NULL) != -EBADMSG) {
			printf("missed: %s byte %zu bit %u\n", names[k], at, bit);
			n_missed++;
		}
		n_unnamed += finding[0] == '\0';
		data[k][at] ^= bit;
		store(names[k], data[k], size[k]);
	}
	CU_ASSERT_EQUAL(n_missed, 0);
	CU_ASSERT_EQUAL(n_unnamed, 0);
	CU_ASSERT_EQUAL(audit(NULL), 0);
	printf("(%u bits of %zu bytes flipped) ", i, total);
}

static void
test_each_way_to_tamper_is_named(void)
{
	static const struct {
		const char *what, *command, *named;
	} cases[] = {
		{ "segments swapped", "mv a x && mv b a && mv x b", "a: " },
		{ "segment renamed", "mv a c", "a: " },
		{ "segment added", "cp a c", "c is not in the manifest" },
		{ "segment removed", "rm b", "b: " },
		{ "segment cut short", "truncate -s 2500 b", "bytes 2000-3000, packets 21-30" },
		{ "segment longer", "echo >>b", "3001 bytes" },
		{ "bytes taken out", "(head -c 1500 b; tail -c 1400 b) >x && mv x b",
			"bytes 1000-2000, packets 11-20" },
		{ "checkpoints swapped",
			"mv a.checkpoints.jsonl x && mv b.checkpoints.jsonl "
			"a.checkpoints.jsonl && mv x b.checkpoints.jsonl",
			"a.checkpoints.jsonl:1" },
		{ "last checkpoint dropped", "sed -i '$d' b.checkpoints.jsonl",
			"b.checkpoints.jsonl" },
		{ "checkpoints removed", "rm a.checkpoints.jsonl", "a.checkpoints.jsonl" },
		{ "line of the manifest dropped", "sed -i 3d manifest.jsonl", "manifest.jsonl:3" },
		{ "lines of the manifest swapped", "sed -i '3{h;d};4{G}' manifest.jsonl",
			"manifest.jsonl:3" },
		{ "the last line feed changed",
			"truncate -s -1 manifest.jsonl && printf J >>manifest.jsonl",
			"manifest.jsonl:8" },
		{ "the first line dropped", "sed -i 1d manifest.jsonl", "manifest.jsonl:1" },
		{ "a copied line", "tail -n 1 manifest.jsonl >>manifest.jsonl",
			"manifest.jsonl:9" },
		{ "an end dropped with its segments", "sed -i '5,$d' manifest.jsonl && rm b",
			"b.checkpoints.jsonl is not in the manifest" },
		{ "another public key",
			"openssl genpkey -algorithm ed25519 2>/dev/null | "
			"openssl pkey -pubout -out public.pem",
			"public.pem" },
	};
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_evidence();
		shell(cases[i].command);
		if (audit(NULL) != -EBADMSG || strstr(finding, cases[i].named) == NULL) {
			printf("%s: %s\n", cases[i].what, finding);
			CU_FAIL(cases[i].what);
		}
	}
}

/* Somebody with the directory and a key of his own makes it all anew. */
static void
test_evidence_signed_by_another_key_is_refused(void)
{
	struct signing_key *own = key;
	char path[80];

	set_up();
	snprintf(path, sizeof(path), "%s/other.pem", directory);
	key = signing_key_load(path, NULL, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(key);
	write_evidence();
	CU_ASSERT_EQUAL(audit(NULL), 0);
	signing_key_free(key);
	key = own;
	CU_ASSERT_EQUAL(audit(NULL), -EBADMSG);
	CU_ASSERT_PTR_NOT_NULL(strstr(finding, "manifest.jsonl:1"));
}

static void
test_tail_cut_off_is_seen_against_a_published_head(void)
{
	struct audit_options options = { .key = key };
	struct audit_result r;
	struct err e;
	char head[SHA256_TEXT_SIZE];

	write_evidence();
	CU_ASSERT_EQUAL(audit(&r), 0);
	memcpy(head, r.head.hash, sizeof(head));
	options.key = key;
	options.head = head;
	CU_ASSERT_EQUAL(audit_directory(place, &options, &r, &e), 0);
	shell("sed -i '5,$d' manifest.jsonl && rm b b.checkpoints.jsonl");
	CU_ASSERT_EQUAL(audit(NULL), 0); /* alone it looks whole */
	CU_ASSERT_EQUAL(audit_directory(place, &options, &r, &e), -EBADMSG);
}

/* The daemon dies with a segment open; power may go at any byte behind the last checkpoint. */
static void
test_crash_at_any_byte_is_recovered_and_told(void)
{
	const struct inventory_segment *s;
	struct audit_result r;
	struct evidence *ev;
	unsigned int size;
	char command[64];

	for (size = 2000; size <= SEGMENT_BYTES; size += 1 + size % 7) {
		set_up();
		ev = start();
		write_segment(ev, "a", 1, false);
		evidence_close(ev, false); /* closes files, ends nothing */
		snprintf(command, sizeof(command), "truncate -s %u a", size);
		shell(command);
		CU_ASSERT_EQUAL(audit(&r), 0);
		CU_ASSERT_EQUAL(r.n_notes, 1);
		ev = start();
		s = &evidence_inventory(ev)->items[0];
		CU_ASSERT(s->is_recovered && !s->is_damaged);
		CU_ASSERT_EQUAL(s->covered, 2000);
		CU_ASSERT_EQUAL(s->claim.bytes, size);
		CU_ASSERT_EQUAL(s->n_packets, 20);
		evidence_close(ev, true);
		CU_ASSERT_EQUAL(audit(&r), 0);
		CU_ASSERT_EQUAL(r.n_notes, 1);
	}
}

/* Bytes that a checkpoint covers are gone: the crash took them, and it stays visible. */
static void
test_crash_that_lost_covered_bytes_stays_named(void)
{
	struct evidence *ev;

	set_up();
	ev = start();
	write_segment(ev, "a", 1, false);
	evidence_close(ev, false);
	shell("truncate -s 1500 a");
	ev = start();
	CU_ASSERT(evidence_inventory(ev)->items[0].is_damaged);
	evidence_close(ev, true);
	CU_ASSERT_EQUAL(audit(NULL), -EBADMSG);
	CU_ASSERT_PTR_NOT_NULL(strstr(finding, "bytes 1000-2000"));
}

/* Between the line that opens a segment and its file; but not when the file is taken away, with what
 * lies beside it or without. */
static void
test_crash_before_the_file_is_a_note(void)
{
	struct audit_result r;
	struct evidence *ev;
	struct err e;
	int i;

	for (i = 0; i < 3; i++) {
		set_up();
		ev = start();
		if (i == 0) {
			CU_ASSERT_EQUAL(evidence_begin(ev, "a", NULL, &e), 0);
		} else {
			write_segment(ev, "a", 1, false);
		}
		evidence_close(ev, false);
		shell(i == 2 ? "rm -f a a.checkpoints.jsonl" : "rm -f a");
		CU_ASSERT_EQUAL(audit(&r), i == 0 ? 0 : -EBADMSG);
		ev = start();
		evidence_close(ev, true);
		CU_ASSERT_EQUAL(audit(&r), i == 0 ? 0 : -EBADMSG);
		CU_ASSERT_EQUAL(r.n_notes, i == 0);
	}
}

/* Cut to nothing at all, checkpoints too: the manifest knows that there was more. */
static void
test_open_segment_cut_to_an_earlier_checkpoint_is_named(void)
{
	struct evidence *ev;
	int i;

	for (i = 0; i < 2; i++) {
		set_up();
		ev = start();
		write_segment(ev, "a", 1, false);
		evidence_close(ev, false);
		shell("truncate -s 0 a && truncate -s 0 a.checkpoints.jsonl");
		if (i == 1) /* before the next start, or after it was recovered */
			evidence_close(start(), true);
		CU_ASSERT_EQUAL(audit(NULL), -EBADMSG);
		CU_ASSERT_PTR_NOT_NULL(strstr(finding, "first 1000 bytes"));
	}
}

static void
test_torn_checkpoint_is_told(void)
{
	const struct inventory_segment *s;
	struct audit_result r;
	struct evidence *ev;

	set_up();
	ev = start();
	write_segment(ev, "a", 1, false);
	evidence_close(ev, false);
	shell("truncate -s -5 a.checkpoints.jsonl");
	ev = start();
	s = &evidence_inventory(ev)->items[0];
	CU_ASSERT_EQUAL(s->covered, 1000);
	CU_ASSERT(s->claim.n_torn > 100);
	evidence_close(ev, true);
	CU_ASSERT_EQUAL(audit(&r), 0);
	shell("truncate -s -1 a.checkpoints.jsonl");
	CU_ASSERT_EQUAL(audit(&r), -EBADMSG);
}

static void
test_broken_manifest_is_set_aside_not_continued(void)
{
	struct evidence *ev;

	write_evidence();
	shell("sed -i 2d manifest.jsonl");
	ev = start();
	CU_ASSERT_PTR_NOT_NULL_FATAL(evidence_break(ev));
	CU_ASSERT_PTR_NOT_NULL(strstr(evidence_break(ev), "manifest.jsonl.broken-1"));
	CU_ASSERT_EQUAL(evidence_inventory(ev)->n, 0);
	CU_ASSERT_EQUAL(evidence_expire(ev, INT64_MAX, NULL), 0); /* touches nothing old */
	evidence_close(ev, true);
	shell("test -s manifest.jsonl.broken-1 -a -s a");
	CU_ASSERT_EQUAL(audit(NULL), -EBADMSG);
}

/* A chain that verifies by itself, but is not the one that was there: the next start says so, in the
 * chain for good; the one after it has nothing more to say. */
static void
test_chain_without_the_kept_head_is_told(void)
{
	static const struct {
		const char *what, *command;
		bool is_told;
	} cases[] = {
		{ "as it was", "true", false },
		{ "torn line behind it", "printf '{' >>manifest.jsonl", false },
		{ "all taken away", "rm -r ../evidence && mkdir ../evidence", true },
		{ "manifest taken away", "rm manifest.jsonl a b *.checkpoints.jsonl", true },
		{ "manifest emptied", ">manifest.jsonl; rm a b *.checkpoints.jsonl", true },
		{ "tail cut off", "sed -i '5,$d' manifest.jsonl && rm b b.checkpoints.jsonl",
			true },
		{ "last line cut off", "sed -i '$d' manifest.jsonl", true },
		{ "line in the middle taken out", "sed -i 2d manifest.jsonl", true },
		{ "older copy put back", "cp ../old.jsonl manifest.jsonl", true },
	};
	struct chain_head kept;
	struct evidence *ev;
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_evidence();
		shell("cp manifest.jsonl ../old.jsonl");
		ev = start();
		CU_ASSERT_EQUAL(evidence_get_durable_head(ev, &kept), 0);
		evidence_close(ev, false);
		shell(cases[i].command);
		ev = start_knowing(&kept);
		CU_ASSERT_EQUAL((evidence_break(ev) != NULL), cases[i].is_told);
		kept = evidence_inventory(ev)->head;
		evidence_close(ev, true);
		if (cases[i].is_told)
			shell("grep -q '\"kept\":{\"lines\":9,' manifest.jsonl");
		ev = start_knowing(&kept);
		CU_ASSERT_PTR_NULL(evidence_break(ev));
		evidence_close(ev, true);
		if ((audit(NULL) == -EBADMSG) != cases[i].is_told ||
			(cases[i].is_told && strstr(finding, "a break") == NULL)) {
			printf("%s: %s\n", cases[i].what, finding);
			CU_FAIL(cases[i].what);
		}
	}
}

static void
test_removal_waits_for_retention_and_hold(void)
{
	struct err e = { .message = "" };
	struct audit_result r;
	struct evidence *ev;

	set_up();
	ev = start();
	write_segment(ev, "a", 1, true);
	write_segment(ev, "b", 2, true);
	CU_ASSERT_EQUAL(evidence_expire(ev, 0, &e), 0);
	CU_ASSERT_EQUAL(evidence_hold(ev, "a", true, "me", "case 7", &e), 0);
	CU_ASSERT_EQUAL(evidence_hold(ev, "a", true, "me", "again", &e), -EALREADY);
	CU_ASSERT_EQUAL(evidence_hold(ev, "x", true, "me", "none", &e), -ENOENT);
	CU_ASSERT_EQUAL(evidence_inventory(ev)->n, 2);
	CU_ASSERT_EQUAL(evidence_expire(ev, INT64_MAX, &e), 1); /* b */
	CU_ASSERT_EQUAL_FATAL(evidence_inventory(ev)->n, 1);    /* who runs for years forgets it */
	CU_ASSERT_STRING_EQUAL(evidence_inventory(ev)->items[0].claim.name, "a");
	CU_ASSERT_PTR_NULL(evidence_inventory(ev)->items[0].closed);
	evidence_close(ev, true);
	shell("test -f a -a ! -e b");
	CU_ASSERT_EQUAL(audit(&r), 0);
	CU_ASSERT_EQUAL(r.n_removed, 1);
	ev = start(); /* a hold outlives the daemon */
	CU_ASSERT_EQUAL(evidence_expire(ev, INT64_MAX, &e), 0);
	CU_ASSERT_EQUAL(evidence_hold(ev, "a", false, "me", "closed", &e), 0);
	CU_ASSERT_EQUAL(evidence_expire(ev, INT64_MAX, &e), 1);
	evidence_close(ev, true);
	shell("test ! -e a -a ! -e a.checkpoints.jsonl");
	CU_ASSERT_EQUAL(audit(&r), 0);
	CU_ASSERT_EQUAL(r.n_removed, 2);
}

/* Copies wait for a removal: only some go at once. What is left is found by its name. */
static void
test_removals_go_in_bounded_steps(void)
{
	struct err e = { .message = "" };
	struct evidence *ev;
	char name[8];
	int i;

	set_up();
	ev = start();
	for (i = 0; i < EVIDENCE_EXPIRE_MAX + 3; i++) {
		snprintf(name, sizeof(name), "s%02d", i);
		write_segment(ev, name, i, true);
	}
	CU_ASSERT_EQUAL(evidence_expire(ev, INT64_MAX, &e), EVIDENCE_EXPIRE_MAX);
	CU_ASSERT_EQUAL(evidence_inventory(ev)->n, 3);
	CU_ASSERT_EQUAL(evidence_hold(ev, "s00", true, "me", "gone", &e), -ENOENT);
	CU_ASSERT_EQUAL(evidence_hold(ev, "s17", true, "me", "case", &e), 0);
	CU_ASSERT(evidence_inventory(ev)->items[1].is_held);
	CU_ASSERT_EQUAL(evidence_expire(ev, INT64_MAX, &e), 2);
	CU_ASSERT_EQUAL_FATAL(evidence_inventory(ev)->n, 1);
	CU_ASSERT_STRING_EQUAL(evidence_inventory(ev)->items[0].claim.name, "s17");
	CU_ASSERT_EQUAL(evidence_hold(ev, "s17", false, "me", "over", &e), 0);
	evidence_close(ev, true);
	CU_ASSERT_EQUAL(audit(NULL), 0);
}

/* A crash, or a disk that refuses, between the line and its deed. */
static void
test_files_left_behind_a_removal_are_a_note_and_go_at_the_next_start(void)
{
	struct err e = { .message = "" };
	struct audit_result r;
	struct evidence *ev;

	set_up();
	ev = start();
	write_segment(ev, "a", 1, true);
	shell("cp a a.kept && cp a.checkpoints.jsonl c.kept");
	CU_ASSERT_EQUAL(evidence_expire(ev, INT64_MAX, &e), 1);
	evidence_close(ev, true);
	shell("mv a.kept a && mv c.kept a.checkpoints.jsonl");
	CU_ASSERT_EQUAL(audit(&r), 0);
	CU_ASSERT_EQUAL(r.n_notes, 2);
	ev = start();
	shell("test ! -e a -a ! -e a.checkpoints.jsonl");
	evidence_close(ev, true);
	CU_ASSERT_EQUAL(audit(&r), 0);
	CU_ASSERT_EQUAL(r.n_notes, 0);
}

static void
test_hostile_names_are_refused(void)
{
	static const char *const bad[] = { "", ".", "../x", "a/b", ".x", "a\nb", "/etc/passwd" };
	char longest[SEGMENT_NAME_MAX + 2];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_FALSE(segment_is_name(bad[i]));
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	CU_ASSERT_FALSE(segment_is_name(longest));
	CU_ASSERT_TRUE(segment_is_name(longest + 1));
	CU_ASSERT_FALSE(segment_is_name(NULL));
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

SUITE("evidence", { "what was kept verifies", test_what_was_kept_verifies },
	{ "no flipped bit is missed", test_no_flipped_bit_is_missed },
	{ "each way to tamper is named", test_each_way_to_tamper_is_named },
	{ "evidence signed by another key is refused",
		test_evidence_signed_by_another_key_is_refused },
	{ "tail cut off is seen against a published head",
		test_tail_cut_off_is_seen_against_a_published_head },
	{ "crash at any byte is recovered and told", test_crash_at_any_byte_is_recovered_and_told },
	{ "crash that lost covered bytes stays named",
		test_crash_that_lost_covered_bytes_stays_named },
	{ "crash before the file is a note", test_crash_before_the_file_is_a_note },
	{ "open segment cut to an earlier checkpoint is named",
		test_open_segment_cut_to_an_earlier_checkpoint_is_named },
	{ "torn checkpoint is told", test_torn_checkpoint_is_told },
	{ "broken manifest is set aside, not continued",
		test_broken_manifest_is_set_aside_not_continued },
	{ "chain without the kept head is told", test_chain_without_the_kept_head_is_told },
	{ "removal waits for retention and hold", test_removal_waits_for_retention_and_hold },
	{ "removals go in bounded steps", test_removals_go_in_bounded_steps },
	{ "files left behind a removal are a note",
		test_files_left_behind_a_removal_are_a_note_and_go_at_the_next_start },
	{ "hostile names are refused", test_hostile_names_are_refused },
	{ "tidies up", test_tidies_up })
