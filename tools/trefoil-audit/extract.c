/* SPDX-License-Identifier: BSD-3-Clause */
/* trefoil-audit extract: the blocks of the packets that were asked for, bit for bit as they are in
 * the segments, behind their section and interfaces. Several segments give several sections. */
#include "trefoil_audit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct arguments {
	struct query query; /* first: it is handed around */
	const char *output;
};

struct extraction {
	FILE *out;
	const struct inventory_segment *segment; /* whose head was kept */
	uint8_t *head;                           /* section and interfaces not yet written */
	size_t head_size;
	uint64_t n_packets, n_segments;
};

static const struct argp_option option_list[] = {
	{ "output", 'o', "FILE", 0, "Where to (default: standard output)", 0 },
	{ 0 },
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 'o':
		a->output = arg;
		return 0;
	case ARGP_KEY_END:
		if (a->query.options.json && a->output == NULL)
			argp_error(
				state, "--json needs --output: the packets are on standard output");
		return 0;
	default:
		return query_parse(key, arg, state);
	}
}

static int
put(struct extraction *x, const void *data, size_t size, struct err *e)
{
	if (fwrite(data, 1, size, x->out) == size)
		return 0;
	return err_set_code(e, errno, "output", 0, NULL, "%s", strerror(errno));
}

static int
keep_head(struct extraction *x, const struct packet *p, struct err *e)
{
	uint8_t *head;

	if (x->segment != p->segment || p->block->kind == CAPTURE_BLOCK_SECTION)
		x->head_size = 0;
	x->segment = p->segment;
	head = realloc(x->head, x->head_size + p->block->size);
	if (head == NULL)
		return err_set_code(e, ENOMEM, NULL, 0, NULL, "out of memory");
	memcpy(head + x->head_size, p->block->raw, p->block->size);
	x->head = head;
	x->head_size += p->block->size;
	return 0;
}

static int
on_block(void *context, const struct packet *p, struct err *e)
{
	struct extraction *x = context;
	int rc = 0;

	switch (p->block->kind) {
	case CAPTURE_BLOCK_SECTION:
	case CAPTURE_BLOCK_INTERFACE:
		return keep_head(x, p, e);
	case CAPTURE_BLOCK_PACKET:
		if (x->head_size != 0) {
			rc = put(x, x->head, x->head_size, e);
			x->n_segments++;
		}
		x->head_size = 0;
		x->n_packets++;
		return rc != 0 ? rc : put(x, p->block->raw, p->block->size, e);
	default:
		return 0;
	}
}

/* What was written before an error, too. */
static void
say_extracted(const struct arguments *a, const struct extraction *x, int rc)
{
	if (a->query.options.json)
		tool_print_json(json_pack("{s:b, s:s, s:I, s:I}", "ok", rc == 0, "file", a->output,
			"packets", (json_int_t)x->n_packets, "segments",
			(json_int_t)x->n_segments));
	else
		fprintf(stderr, "%" PRIu64 " packets of %" PRIu64 " segments\n", x->n_packets,
			x->n_segments);
}

static int
extract(struct query *q)
{
	const struct arguments *a = (const struct arguments *)q;
	struct extraction x = { .out = stdout };
	struct err e = { .message = "" };
	int rc;

	if (a->output != NULL)
		x.out = fopen(a->output, "wex");
	if (x.out == NULL) {
		rc = -errno;
		err_set(&e, a->output, 0, NULL, "cannot be written: %s%s", strerror(-rc),
			rc == -EEXIST ? ": nothing is overwritten, name another file" : "");
		return tool_fail(&e, rc);
	}
	rc = walk(&q->options, &q->selection, on_block, &x, &e);
	if (fflush(x.out) != 0 && rc == 0)
		rc = err_set_code(&e, errno, "output", 0, NULL, "%s", strerror(errno));
	if (x.out != stdout)
		fclose(x.out);
	free(x.head);
	say_extracted(a, &x, rc);
	return rc != 0 ? tool_fail(&e, rc) : tool_finish();
}

int
command_extract(int argc, char **argv)
{
	static const struct argp argp = { option_list, parse, "DIRECTORY",
		"Write mirrored packets as pcapng, with their annotations. Run verify first.",
		query_children, NULL, NULL };
	struct arguments a = { .query.options.json = false };

	return query_run(&argp, &a.query, extract, argc, argv);
}
