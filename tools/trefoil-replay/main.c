/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * trefoil-replay: what would the policy have done to this capture? The data plane's parser,
 * ruleset and capture writer, without EAL, root or NIC.
 */
#include "replay.h"

#include "control/control.h"
#include "mirror/capture_file.h"
#include "packet/offline.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PROGRESS_EVERY 4096

struct options {
	const char *table, *policy, *capture, *write_pass, *write_mirror;
	enum classify_direction direction;
	bool is_json, is_summary;
};

enum option_key { OPTION_DIRECTION = 256, OPTION_WRITE_PASS, OPTION_WRITE_MIRROR, OPTION_SUMMARY };

static const struct argp_option argp_options[] = {
	{ "geo", 'g', "TABLE", 0, "Geo table (default: the installed one)", 0 },
	{ "policy", 'p', "POLICY", 0, "Policy to judge by (default: the installed one)", 0 },
	{ "direction", OPTION_DIRECTION, "outbound|inbound", 0,
		"How the frames cross the border (default: outbound)", 0 },
	{ "write-pass", OPTION_WRITE_PASS, "FILE", 0,
		"Write the frames that would be forwarded (.pcap: classic, else pcapng)", 0 },
	{ "write-mirror", OPTION_WRITE_MIRROR, "FILE", 0,
		"Write the frames that would be mirrored, annotated (.pcap: classic, else pcapng)",
		0 },
	{ "summary", OPTION_SUMMARY, NULL, 0, "Print totals instead of a line per packet", 0 },
	{ "json", 'j', NULL, 0, "Print JSON, one object per line", 0 },
	{ 0 },
};

static error_t
parse_direction(const char *arg, enum classify_direction *out)
{
	if (strcmp(arg, "outbound") == 0)
		*out = CLASSIFY_OUTBOUND;
	else if (strcmp(arg, "inbound") == 0)
		*out = CLASSIFY_INBOUND;
	else
		return EINVAL;
	return 0;
}

static error_t
parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'g':
		o->table = arg;
		return 0;
	case 'p':
		o->policy = arg;
		return 0;
	case OPTION_DIRECTION:
		if (parse_direction(arg, &o->direction) != 0)
			argp_error(state, "--direction is outbound or inbound, not '%s'", arg);
		return 0;
	case OPTION_WRITE_PASS:
		o->write_pass = arg;
		return 0;
	case OPTION_WRITE_MIRROR:
		o->write_mirror = arg;
		return 0;
	case OPTION_SUMMARY:
		o->is_summary = true;
		return 0;
	case 'j':
		o->is_json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (o->capture != NULL)
			argp_error(state, "one CAPTURE at a time, '%s' is one too many", arg);
		o->capture = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which CAPTURE? ('-' is standard input)");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = argp_options,
	.parser = parse_option,
	.args_doc = "CAPTURE",
	.doc = "Judge the frames of a capture (pcap or pcapng) by a policy, offline.\v"
	       "Exit status: 0 done, 1 refused (bad policy, table or capture), 2 usage, 4 not "
	       "permitted.",
};

const char *argp_program_version = "trefoil-replay " TREFOIL_VERSION;

struct replay {
	const struct options *options;
	struct policy *policy;
	struct geo_table *geo;
	struct ruleset *ruleset;
	struct capture *capture;
	enum packet_link link;
	struct capture_file *pass, *mirror;
	struct replay_summary summary;
};

static int
print_error(const struct err *e)
{
	char text[1024];

	fprintf(stderr, "trefoil-replay: %s\n", err_format(e, text, sizeof(text)));
	return -1;
}

static int
refuse(const char *what, const char *why)
{
	struct err e;

	err_set(&e, what, 0, NULL, "%s", why);
	return print_error(&e);
}

static int
load_policy(struct replay *r)
{
	static struct err_list errors;
	unsigned int i;

	r->policy = policy_load(r->options->policy, &errors);
	for (i = 0; i < errors.n; i++)
		print_error(&errors.items[i]);
	return r->policy != NULL ? 0 : -1;
}

static int
load_ruleset(struct replay *r)
{
	struct err e;

	if (load_policy(r) != 0)
		return -1;
	r->geo = geo_load(r->options->table, &e);
	if (r->geo == NULL)
		return print_error(&e);
	r->ruleset = ruleset_compile(r->policy, r->geo, NULL);
	if (r->ruleset == NULL)
		return refuse("cannot compile the ruleset", strerror(errno));
	return 0;
}

static int
open_capture(struct replay *r)
{
	struct err e;

	r->capture = capture_open(r->options->capture, &e);
	if (r->capture == NULL)
		return print_error(&e);
	if (offline_link(capture_link_type(r->capture), &r->link) == 0)
		return 0;
	err_set(&e, r->options->capture, 0, NULL,
		"link type %d (%s) is not supported: Ethernet, raw IP, Linux cooked and loopback "
		"are",
		capture_link_type(r->capture), capture_link_name(r->capture));
	return print_error(&e);
}

static bool
is_same_file(const char *a, const char *b)
{
	struct stat x, y;

	return a != NULL && b != NULL && stat(a, &x) == 0 && stat(b, &y) == 0 &&
	       S_ISREG(x.st_mode) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* What is read must not be overwritten, and two writers spoil one file. */
static int
check_output(const struct replay *r, const char *path)
{
	const struct options *o = r->options;
	const char *capture = strcmp(o->capture, "-") == 0 ? "/dev/stdin" : o->capture;

	if (is_same_file(path, capture) || is_same_file(path, o->policy) ||
		is_same_file(path, o->table))
		return refuse(path, "is read by this very run: write to another file");
	if (path == o->write_mirror && r->pass != NULL && is_same_file(path, o->write_pass))
		return refuse(path, "is also what --write-pass writes: write to another file");
	return 0;
}

static int
open_output(const struct replay *r, const char *path, struct capture_file **out)
{
	const struct capture_interface interface = {
		.name = "replay",
		.link_type = (uint16_t)capture_link_type(r->capture),
	};
	const struct capture_section section = {
		.application = "trefoil-replay " TREFOIL_VERSION,
		.interfaces = &interface,
		.n_interfaces = 1,
	};
	const char *dot;
	struct err e;

	if (path == NULL)
		return 0;
	if (check_output(r, path) != 0)
		return -1;
	dot = strrchr(path, '.');
	*out = capture_file_create(path,
		dot != NULL && strcmp(dot, ".pcap") == 0 ? CAPTURE_PCAP : CAPTURE_PCAPNG, &section,
		1, &e);
	return *out != NULL ? 0 : print_error(&e);
}

static int
write_frame(struct capture_file *file, const char *path, const struct capture_frame *frame,
	const char *comment)
{
	const struct capture_packet packet = {
		.time_ns = frame->time_ns,
		.wire_length = frame->wire_length,
		.length = frame->length,
		.comment = comment,
		.data = frame->data,
	};
	int status;

	if (file == NULL)
		return 0;
	status = capture_file_write(file, &packet);
	return status == 0 ? 0 : refuse(path, strerror(-status));
}

static int
write_outputs(
	const struct replay *r, const struct capture_frame *frame, const struct classify_detail *d)
{
	bool is_shadow = r->policy->mode == POLICY_SHADOW;
	char comment[512];
	int status = 0;

	if (!(d->result.verdict & VERDICT_DROP) || is_shadow)
		status = write_frame(r->pass, r->options->write_pass, frame, NULL);
	if (status == 0 && (d->result.verdict & VERDICT_MIRROR) && r->mirror != NULL)
		status = write_frame(r->mirror, r->options->write_mirror, frame,
			classify_annotate(r->ruleset, &d->result, 0, comment, sizeof(comment)));
	return status;
}

static int
replay_frame(struct replay *r, const struct capture_frame *frame)
{
	struct rte_mbuf segments[OFFLINE_SEGMENTS_MAX];
	struct classify_detail detail;
	int status = 0;

	offline_wrap(frame->data, frame->length, segments);
	classify_frame(
		r->ruleset, r->options->direction, segments, frame->wire_length, r->link, &detail);
	replay_count(&r->summary, r->ruleset, frame, &detail);
	if (!r->options->is_summary && r->options->is_json)
		status = replay_print_json(
			stdout, r->ruleset, r->options->direction, frame, &detail);
	else if (!r->options->is_summary)
		replay_print_text(stdout, r->ruleset, frame, &detail);
	return status != 0 ? refuse("output", strerror(-status)) : write_outputs(r, frame, &detail);
}

static void
show_progress(const struct replay *r, uint64_t number)
{
	uint64_t done, total;

	if (number % PROGRESS_EVERY != 0 || !isatty(STDERR_FILENO) || isatty(STDOUT_FILENO))
		return;
	capture_progress(r->capture, &done, &total);
	if (total > 0)
		fprintf(stderr, "\r%3.0f %%", 100.0 * (double)done / (double)total);
}

static double
seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A damaged file: what came before the damage is judged and counted, the exit status says 1. */
static int
replay_all(struct replay *r)
{
	double begin = seconds_now();
	struct capture_frame frame;
	struct err e;
	int status;

	while ((status = capture_next(r->capture, &frame, &e)) == 1) {
		if (replay_frame(r, &frame) != 0)
			return -1;
		show_progress(r, frame.number);
	}
	r->summary.seconds = seconds_now() - begin;
	fflush(stdout);
	return status == 0 ? 0 : print_error(&e);
}

static int
close_output(struct capture_file *file, const char *path)
{
	int status = capture_file_close(file);

	return status == 0 ? 0 : refuse(path, strerror(-status));
}

static int
replay(struct replay *r)
{
	bool is_shadow;
	int status;

	if (load_ruleset(r) != 0 || open_capture(r) != 0 ||
		open_output(r, r->options->write_pass, &r->pass) != 0 ||
		open_output(r, r->options->write_mirror, &r->mirror) != 0)
		return -1;
	is_shadow = r->policy->mode == POLICY_SHADOW;
	status = replay_all(r);
	if (r->options->is_summary && r->options->is_json)
		status |= replay_print_summary_json(stdout, &r->summary, is_shadow);
	else if (r->options->is_summary)
		replay_print_summary_text(stdout, &r->summary, is_shadow);
	return status;
}

/* Returns an exit status. */
static int
finish(struct replay *r, int status)
{
	int saved = errno;

	status |= close_output(r->pass, r->options->write_pass);
	status |= close_output(r->mirror, r->options->write_mirror);
	capture_close(r->capture);
	ruleset_free(r->ruleset);
	geo_free(r->geo);
	policy_free(r->policy);
	if (fflush(stdout) != 0 || ferror(stdout))
		status = refuse("standard output", strerror(errno));
	if (status == 0)
		return CONTROL_DONE;
	return saved == EACCES || saved == EPERM ? CONTROL_NOT_PERMITTED : CONTROL_REFUSED;
}

int
main(int argc, char **argv)
{
	struct options options = { .table = geo_default_path(),
		.policy = TREFOIL_SYSCONFDIR "/policy.ini" };
	static struct replay r;

	argp_err_exit_status = CONTROL_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &options);
	r.options = &options;
	errno = 0;
	return finish(&r, replay(&r));
}
