/* SPDX-License-Identifier: BSD-3-Clause */
/* trefoil-audit verify of an audit log: is every line of it as it was written? */
#include "trefoil_audit.h"

#include "evidence/command_log.h"

#include <errno.h>
#include <inttypes.h>

struct run {
	const struct options *o;
	const char *path, *head;
};

static void
print_finding(const struct run *r, uint64_t line, bool is_broken, const char *text)
{
	if (r->o->json)
		tool_print_json(json_pack("{s:s, s:I, s:s, s:s}", "file", r->path, "line",
			(json_int_t)line, "finding", is_broken ? "broken" : "note", "text", text));
	else
		printf("%-6s  %s:%" PRIu64 ": %s\n", is_broken ? "BROKEN" : "note", r->path, line,
			text);
}

static void
on_note(void *context, uint64_t line, const char *text)
{
	print_finding(context, line, false, text);
}

static void
print_object(const struct run *r, const struct command_log_sum *s, bool is_good)
{
	tool_print_json(json_pack(
		"{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:s, s:{s:I, s:s}, s:b}", "ok",
		(int)is_good, "commands", (json_int_t)s->n_commands, "refused",
		(json_int_t)s->n_refused, "not_permitted", (json_int_t)s->n_not_permitted, "events",
		(json_int_t)s->n_events, "torn", (json_int_t)s->n_torn, "missing",
		(json_int_t)s->n_missing, "clock_set_back", (json_int_t)s->n_backwards, "first",
		s->first, "last", s->last, "head", "lines", (json_int_t)s->head.n_lines, "sha256",
		s->head.hash, "signed", (int)(r->o->key != NULL)));
}

static void
print_sum(const struct run *r, const struct command_log_sum *s, bool is_good)
{
	if (r->o->json) {
		print_object(r, s, is_good);
		return;
	}
	printf("%s: %" PRIu64 " lines%s, %" PRIu64 " commands (%" PRIu64 " refused, %" PRIu64
	       " not permitted), %" PRIu64 " events; %" PRIu64 " lines missing on record\n",
		is_good ? "good" : "BROKEN", s->head.n_lines, is_good ? "" : " are good",
		s->n_commands, s->n_refused, s->n_not_permitted, s->n_events,
		s->n_missing + s->n_torn);
	if (s->head.n_lines > 0)
		printf("from %s to %s\n", s->first, s->last);
	printf("head of the chain: line %" PRIu64 ", sha256 %s\n", s->head.n_lines, s->head.hash);
	if (r->o->key == NULL)
		printf("no key was given: nothing proves who wrote this\n");
	if (r->head == NULL)
		printf("compare the head with one that was published: a tail that was cut off "
		       "shows nowhere else (--head)\n");
}

int
verify_log(const struct options *o, const char *path, const char *head)
{
	struct run run = { .o = o, .path = path, .head = head };
	struct chain_check check = { .key = o->key, .head = head };
	struct command_log_sum sum;
	struct err e = { .message = "" };
	int rc = command_log_verify(path, &check, on_note, &run, &sum, &e), code;

	if (rc != 0 && rc != -EBADMSG)
		return tool_fail(&e, rc);
	if (rc != 0)
		print_finding(&run, e.line, true, e.message);
	print_sum(&run, &sum, rc == 0);
	code = tool_finish();
	return rc != 0 ? EXIT_REFUSED : code;
}
