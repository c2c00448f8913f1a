/* SPDX-License-Identifier: BSD-3-Clause */
/* Options that the sub-commands share. */
#include "trefoil_audit.h"

#include <errno.h>
#include <time.h>

#define NS_PER_SECOND UINT64_C(1000000000)

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'k':
		o->key_path = arg;
		return 0;
	case 'j':
		o->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (o->directory != NULL)
			argp_error(state, "more than one directory");
		o->directory = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "the directory of the evidence is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option option_list[] = {
	{ "key", 'k', "FILE", 0, "Public key of the appliance (PEM), got from a trusted source",
		0 },
	{ "json", 'j', NULL, 0, "Print JSON", 0 },
	{ 0 },
};

const struct argp options_argp = { option_list, parse, NULL, NULL, NULL, NULL, NULL };

int
options_load(struct options *o)
{
	struct err e = { .message = "" };

	if (o->key_path == NULL)
		return EXIT_DONE;
	o->key = signing_key_load_public(o->key_path, &e);
	return o->key != NULL ? EXIT_DONE : tool_fail(&e, -errno);
}

void
options_fini(struct options *o)
{
	signing_key_free(o->key);
}

const char *
time_format(uint64_t time_ns, char buf[TIME_SIZE])
{
	time_t seconds = (time_t)(time_ns / NS_PER_SECOND);
	struct tm utc;
	size_t n;

	gmtime_r(&seconds, &utc);
	n = strftime(buf, TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(buf + n, TIME_SIZE - n, ".%06uZ", (unsigned int)(time_ns % NS_PER_SECOND / 1000));
	return buf;
}
