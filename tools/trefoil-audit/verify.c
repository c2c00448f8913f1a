/* SPDX-License-Identifier: BSD-3-Clause */
/* trefoil-audit verify: is every byte as it was written? */
#include "trefoil_audit.h"

#include "evidence/command_log.h"

#include <inttypes.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

struct arguments {
	struct options options; /* first: the child gets it */
	const char *head;
	bool is_unsigned;
};

struct run {
	const struct arguments *a;
	uint64_t total, done;
};

enum { KEY_HEAD = 256, KEY_UNSIGNED };

static const struct argp_option option_list[] = {
	{ "head", KEY_HEAD, "SHA256", 0,
		"A head of the chain that was published (trefoilctl status, syslog): it must be in "
		"the manifest, so that a tail that was cut off is seen",
		0 },
	{ "unsigned", KEY_UNSIGNED, NULL, 0,
		"Check without a key: proves only that the directory fits itself", 0 },
	{ 0 },
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &a->options;
		return 0;
	case KEY_HEAD:
		a->head = arg;
		return 0;
	case KEY_UNSIGNED:
		a->is_unsigned = true;
		return 0;
	case ARGP_KEY_END:
		if (a->options.key_path == NULL && !a->is_unsigned)
			argp_error(state,
				"--key FILE is missing (or --unsigned: without one nothing "
				"proves who made the evidence)");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void
on_progress(void *context, uint64_t bytes)
{
	struct run *r = context;

	r->done += bytes;
	tool_progress("%3.0f %%  %" PRIu64 " of %" PRIu64 " MiB",
		r->total > 0 ? 100.0 * (double)r->done / (double)r->total : 100.0, r->done >> 20,
		r->total >> 20);
}

static void
on_found(void *context, const struct audit_finding *f)
{
	static const char *const words[] = { "good", "note", "BROKEN" };
	static const char *const kinds[] = { "good", "note", "broken" };
	const struct run *r = context;
	const char *name = f->s != NULL ? f->s->claim.name : INVENTORY_MANIFEST;

	tool_progress(NULL);
	if (r->a->options.json)
		tool_print_json(json_pack("{s:s, s:s, s:I, s:I, s:s}", "segment", name, "finding",
			kinds[f->kind], "bytes",
			(json_int_t)(f->found != NULL ? f->found->bytes : 0), "packets",
			(json_int_t)(f->found != NULL ? f->found->n_packets : 0), "text", f->text));
	else
		printf("%-6s  %s%s%s\n", words[f->kind], name, f->text[0] != '\0' ? ": " : "",
			f->text);
}

static void
print_sum(const struct arguments *a, const struct audit_result *r, bool is_good)
{
	if (a->options.json) {
		tool_print_json(json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:{s:I, s:s}, s:b}",
			"ok", (int)is_good, "segments", (json_int_t)r->n_segments, "removed",
			(json_int_t)r->n_removed, "broken", (json_int_t)r->n_broken, "notes",
			(json_int_t)r->n_notes, "bytes", (json_int_t)r->n_bytes, "packets",
			(json_int_t)r->n_packets, "head", "lines", (json_int_t)r->head.n_lines,
			"sha256", r->head.hash, "signed", (int)(a->options.key != NULL)));
		return;
	}
	printf("%s: %" PRIu64 " segments, %" PRIu64 " packets, %" PRIu64 " bytes, %" PRIu64
	       " removed on record; %" PRIu64 " broken, %" PRIu64 " notes\n",
		is_good ? "good" : "BROKEN", r->n_segments, r->n_packets, r->n_bytes, r->n_removed,
		r->n_broken, r->n_notes);
	printf("head of the chain: line %" PRIu64 ", sha256 %s\n", r->head.n_lines, r->head.hash);
	if (a->options.key == NULL)
		printf("no key was given: nothing proves who made this evidence\n");
	if (a->head == NULL)
		printf("compare the head with one that was published: a tail that was cut off "
		       "shows nowhere else (--head)\n");
}

static int
verify(struct arguments *a)
{
	struct run run = { .a = a, .total = audit_bytes(a->options.directory) };
	struct audit_options options = { .key = a->options.key,
		.head = a->head,
		.found = on_found,
		.progress = on_progress,
		.context = &run };
	struct audit_result result;
	struct err e = { .message = "" };
	int rc = audit_directory(a->options.directory, &options, &result, &e), code;

	tool_progress(NULL);
	if (rc != 0 && result.n_broken == 0)
		return tool_fail(&e, rc);
	print_sum(a, &result, rc == 0);
	code = tool_finish();
	return rc != 0 ? EXIT_REFUSED : code;
}

/* The audit log itself, or of a state directory. Returns its path in `path`, or NULL: evidence. */
static const char *
find_log(const char *where, char *path, size_t size)
{
	struct stat st;

	if (stat(where, &st) == 0 && !S_ISDIR(st.st_mode))
		return where;
	snprintf(path, size, "%s/" INVENTORY_MANIFEST, where);
	if (access(path, F_OK) == 0)
		return NULL;
	snprintf(path, size, "%s/" COMMAND_LOG_FILE, where);
	return access(path, F_OK) == 0 ? path : NULL;
}

int
command_verify(int argc, char **argv)
{
	static const struct argp_child children[] = { { &options_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = { option_list, parse, "DIRECTORY|FILE",
		"Check an evidence directory: the manifest's chain and signatures, every segment "
		"against its checkpoints and its digest, and that nothing else is there. Or an "
		"audit log (" COMMAND_LOG_FILE ", or the state directory that holds it): its "
		"chain, its signatures, and that each line says what such lines say.\v"
		"Exit status: 0 good, 1 broken: the first broken link is named.",
		children, NULL, NULL };
	struct arguments a = { .head = NULL };
	char path[PATH_MAX];
	const char *log;
	int code;

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	code = options_load(&a.options);
	log = find_log(a.options.directory, path, sizeof(path));
	if (code == EXIT_DONE)
		code = log != NULL ? verify_log(&a.options, log, a.head) : verify(&a);
	options_fini(&a.options);
	return code;
}
