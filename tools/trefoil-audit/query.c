/* SPDX-License-Identifier: BSD-3-Clause */
/* What extract, flows and report do alike: take a directory and a selection, load the key, answer. */
#include "trefoil_audit.h"

const struct argp_child query_children[] = { { &options_argp, 0, NULL, 0 },
	{ &selection_argp, 0, "Which packets:", 1 }, { 0 } };

error_t
query_parse(int key, char *arg, struct argp_state *state)
{
	struct query *q = state->input;

	if (key != ARGP_KEY_INIT)
		return ARGP_ERR_UNKNOWN;
	state->child_inputs[0] = &q->options;
	state->child_inputs[1] = &q->selection;
	return 0;
}

int
query_run(const struct argp *argp, struct query *q, query_fn *answer, int argc, char **argv)
{
	int code;

	q->selection.asn = -1;
	argp_parse(argp, argc, argv, 0, NULL, q);
	code = options_load(&q->options);
	if (code == EXIT_DONE)
		code = answer(q);
	options_fini(&q->options);
	return code;
}
