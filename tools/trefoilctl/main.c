/* SPDX-License-Identifier: BSD-3-Clause */
/* trefoilctl: the command line. One table of sub-commands serves the parser, --help and the nearest
 * word for a mistyped one. */
#include "command.h"

#include "remote.h"
#include "view.h"

#include "base/ip.h"
#include "base/text.h"

#include <argp.h>
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BY       0x100
#define KEY_LIMIT    0x101
#define KEY_WITHIN   0x102
#define WITHIN_MAX_S 86400
enum explain_key {
	KEY_SOURCE = 0x110,
	KEY_PROTOCOL,
	KEY_SPORT,
	KEY_DPORT,
	KEY_DIRECTION,
	KEY_PCAP,
	KEY_PACKET,
	KEY_SINCE,
	KEY_COUNT,
	KEY_SHADOW,
	KEY_ROOT,
};
#define N(array) (sizeof(array) / sizeof((array)[0]))

struct command {
	const char *name;
	const char *argument; /* NULL = takes none */
	const char *what;
	const struct argp_option *options;
	command_fn *run;
	const char *const *words; /* that the argument may be, NULL = any */
	const char *second;       /* argument behind it, of some actions only; NULL = none */
	bool is_optional;         /* the argument may be missing */
};

struct parsing {
	struct command_line line;
	const struct command *command;
	int at; /* index of the command's name in argv */
};

const char *argp_program_version = "trefoilctl " TREFOIL_VERSION;

static const struct argp_option common_options[] = {
	{ "socket", 's', "PATH", 0,
		"control socket of the daemon (default: $TREFOIL_SOCKET or " CONTROL_SOCKET ")",
		0 },
	{ "host", 'H', "URL", 0,
		"the daemon of another host: ssh://[USER@]HOST[:PORT]; ssh runs trefoilctl there",
		0 },
	{ "json", 'j', NULL, 0, "print one JSON object on one line", 0 },
	{ 0 },
};

static const struct argp_option push_options[] = {
	{ "message", 'm', "TEXT", 0, "why: kept with the generation", 0 },
	{ "confirm-within", KEY_WITHIN, "TIME", 0,
		"roll back by itself unless `confirm' comes in time: 90s, 10m, 2h", 0 },
	{ "shadow", KEY_SHADOW, NULL, 0, "only judge it beside what runs, and count", 0 },
	{ 0 },
};

static const struct argp_option promote_options[] = {
	{ "message", 'm', "TEXT", 0, "why: kept with the generation", 0 },
	{ "confirm-within", KEY_WITHIN, "TIME", 0,
		"roll back by itself unless `confirm' comes in time: 90s, 10m, 2h", 0 },
	{ 0 },
};

static const struct argp_option message_options[] = {
	{ "message", 'm', "TEXT", 0, "why: kept with the generation", 0 },
	{ 0 },
};

static const struct argp_option counters_options[] = {
	{ "by", KEY_BY, "WHAT", 0, "one of reason, country, asn, rule, port, worker", 0 },
	{ 0 },
};

static const struct argp_option mirror_options[] = {
	{ "message", 'm', "TEXT", 0, "why a segment is held or released: goes on record", 0 },
	{ 0 },
};

static const char *const mirror_actions[] = { "hold", "list", "release", "rotate", "status", NULL };

static const struct argp_option diff_options[] = {
	{ "limit", KEY_LIMIT, "N", 0, "rows and ranges of each list, 0 to 1000 (default 20)", 0 },
	{ 0 },
};

static const struct argp_option explain_options[] = {
	{ "source", KEY_SOURCE, "ADDRESS", 0, "where the packet comes from", 0 },
	{ "protocol", KEY_PROTOCOL, "NAME", 0, "one of tcp (default), udp, sctp, icmp, esp", 0 },
	{ "sport", KEY_SPORT, "N", 0, "source port", 0 },
	{ "dport", KEY_DPORT, "N", 0, "destination port", 0 },
	{ "direction", KEY_DIRECTION, "WHICH", 0, "outbound (default) or inbound", 0 },
	{ "pcap", KEY_PCAP, "FILE", 0, "ask about a packet of a capture instead of ADDRESS", 0 },
	{ "packet", KEY_PACKET, "N", 0, "which one, from 1", 0 },
	{ 0 },
};

static const struct argp_option watch_options[] = {
	{ "since", KEY_SINCE, "N", 0, "begin behind event N; 0 = the oldest that is kept", 0 },
	{ "count", KEY_COUNT, "N", 0, "end after N events", 0 },
	{ 0 },
};

static const struct argp_option doctor_options[] = {
	{ "config", 'c', "FILE", 0,
		"settings of the daemon (default: " TREFOIL_SYSCONFDIR "/trefoild.ini)", 0 },
	{ "root", KEY_ROOT, "DIR", OPTION_HIDDEN, "look below DIR instead of /: for tests", 0 },
	{ 0 },
};

static const char *const protocol_words[] = { "esp", "icmp", "sctp", "tcp", "udp", NULL };
static const char *const direction_words[] = { "inbound", "outbound", NULL };
static const struct argp_option geo_options[] = {
	{ "limit", KEY_LIMIT, "N", 0, "of diff: rows and ranges of each list (default 20)", 0 },
	{ "message", 'm', "TEXT", 0, "of push, rollback: why, kept with the generation", 0 },
	{ 0 },
};

static const char *const geo_actions[] = { "diff", "push", "reload", "rollback", "status", NULL };
static const char *const shadow_actions[] = { "drop", "status", NULL };

static const struct command commands[] = {
	{ "check", "POLICY", "check a policy file without a daemon", NULL, command_check, NULL },
	{ "diff", "[POLICY]", "what a policy would change, of traffic too", diff_options,
		command_diff, NULL, NULL, true },
	{ "push", "POLICY", "check a policy and make it the running one", push_options,
		command_push, NULL },
	{ "shadow", "[status|drop]", "what `push --shadow' would change so far; drop it", NULL,
		command_shadow, shadow_actions, NULL, true },
	{ "promote", NULL, "make what `push --shadow' pushed the running one", promote_options,
		command_promote, NULL },
	{ "confirm", "[GENERATION]", "keep what was pushed with --confirm-within", NULL,
		command_confirm, NULL, NULL, true },
	{ "rollback", "[GENERATION]", "go back to the generation before, or to that one",
		message_options, command_rollback, NULL, NULL, true },
	{ "approve", "GENERATION", "agree to what somebody else pushed", NULL, command_approve,
		NULL },
	{ "history", NULL, "generations, newest first", NULL, command_history, NULL },
	{ "show", "[GENERATION]", "one generation and its policy", NULL, command_show, NULL, NULL,
		true },
	{ "status", NULL, "what runs: policy, data, wires, workers, mirror", NULL, command_status,
		NULL },
	{ "counters", NULL, "frames by reason and country; --by others", counters_options,
		command_counters, NULL },
	{ "doctor", NULL, "what this machine lacks, and what mends it", doctor_options,
		command_doctor, NULL },
	{ "explain", "[ADDRESS]", "what happens to a packet, and by which rule", explain_options,
		command_explain, NULL, NULL, true },
	{ "geo", "ACTION", "diff or push a TABLE; reload, rollback, status", geo_options,
		command_geo, geo_actions, "TABLE", false },
	{ "relay", NULL, "the far end of --host, over standard streams", NULL, command_relay,
		NULL },
	{ "mirror", "ACTION", "status, list, rotate; hold or release a SEGMENT", mirror_options,
		command_mirror, mirror_actions, "SEGMENT", false },
	{ "top", NULL, "live screen: by country, AS, reason, worker", NULL, command_top, NULL },
	{ "watch", NULL, "events as they happen: pushes, links, alarms", watch_options,
		command_watch, NULL },
};

/* Is `word` one of `words`, which NULL ends? Else a usage error with the nearest one. */
static void
check_word(const char *word, const char *const *words, const struct argp_state *state)
{
	char all[256] = "";
	const char *nearest;
	size_t n, length = 0;

	for (n = 0; words[n] != NULL; n++) {
		if (strcmp(words[n], word) == 0)
			return;
		length += (size_t)snprintf(
			all + length, sizeof(all) - length, "%s%s", n > 0 ? ", " : "", words[n]);
		assert(length < sizeof(all));
	}
	nearest = text_nearest(word, words, n);
	argp_error(state, "'%s' is none of %s%s%s%s", word, all,
		nearest != NULL ? " (did you mean '" : "", nearest != NULL ? nearest : "",
		nearest != NULL ? "'?)" : "");
}

static long
number_of(const char *text, long max, const char *option, const struct argp_state *state)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || value > max)
		argp_error(state, "%s: '%s' is not a number from 0 to %ld", option, text, max);
	return value;
}

/* "90s", "10m", "2h"; seconds without a unit. */
static long
seconds_of(const char *text, const struct argp_state *state)
{
	static const char units[] = "smh";
	static const long seconds[] = { 1, 60, 3600 };
	char *end;
	long value = strtol(text, &end, 10);
	const char *unit = *end != '\0' ? strchr(units, *end) : units;

	if (*text < '0' || *text > '9' || unit == NULL || (*end != '\0' && end[1] != '\0') ||
		value < 1 || value > WITHIN_MAX_S / seconds[unit - units])
		argp_error(state, "'%s' is not a time of up to a day such as 90s, 10m or 2h", text);
	return value * seconds[unit - units];
}

static bool
takes_generation(const struct command *c)
{
	return c->argument != NULL && strstr(c->argument, "GENERATION") != NULL;
}

static void
set_argument(struct parsing *p, const char *argument, const struct argp_state *state)
{
	struct ip_addr ip;

	if (p->command->second != NULL && p->line.argument != NULL && p->line.second == NULL) {
		p->line.second = argument;
		return;
	}
	if (p->command->argument == NULL || p->line.argument != NULL)
		argp_error(state, "'%s' is one argument too many", argument);
	if (*argument == '\0')
		argp_error(state, "%s is empty", p->command->argument);
	if (p->command->words != NULL)
		check_word(argument, p->command->words, state);
	if (p->command->run == command_explain && ip_parse(argument, &ip) != 0)
		argp_failure(
			state, CONTROL_REFUSED, 0, "'%s' is not an IPv4 or IPv6 address", argument);
	if (takes_generation(p->command) &&
		number_of(argument, UINT32_MAX, "GENERATION", state) == 0)
		argp_error(state, "GENERATION: they count from 1, see trefoilctl history");
	p->line.argument = argument;
}

/* Either an address or a packet of a capture. */
static void
check_explain(const struct command_line *line, const struct argp_state *state)
{
	bool has_tuple = line->source != NULL || line->protocol != NULL || line->source_port >= 0 ||
			 line->port >= 0;

	if (line->argument == NULL && line->pcap == NULL)
		argp_error(state, "ADDRESS, or --pcap and --packet, is missing");
	if (line->argument != NULL && line->pcap != NULL)
		argp_error(state, "ADDRESS and --pcap exclude each other");
	if (line->pcap != NULL && (has_tuple || line->packet == 0))
		argp_error(state, has_tuple ? "--pcap needs --packet alone"
					    : "--packet is missing: packets count from 1");
	if (line->pcap == NULL && line->packet != 0)
		argp_error(state, "--packet needs --pcap");
}

/* Actions that want something: a table, a segment. */
static bool
takes_second(const char *action)
{
	static const char *const those[] = { "diff", "hold", "push", "release" };
	size_t i;

	for (i = 0; i < N(those); i++)
		if (strcmp(action, those[i]) == 0)
			return true;
	return false;
}

static void
check_arguments(const struct parsing *p, const struct argp_state *state)
{
	const struct command *c = p->command;

	if (c->argument != NULL && p->line.argument == NULL && !c->is_optional)
		argp_error(state, "%s is missing", c->argument);
	if (c->second != NULL && p->line.second == NULL && takes_second(p->line.argument))
		argp_error(state, "%s is missing", c->second);
	if (p->line.second != NULL && !takes_second(p->line.argument))
		argp_error(state, "'%s' is one argument too many", p->line.second);
	if (c->run == command_doctor && p->line.host != NULL)
		argp_error(state,
			"doctor looks at the machine that it runs on, so --host is not for it: "
			"ssh %s trefoilctl doctor",
			p->line.host);
	if (p->line.is_shadow && (p->line.message != NULL || p->line.confirm_within_s > 0))
		argp_error(state, "--shadow stands alone: give these to promote");
	if (c->run == command_explain)
		check_explain(&p->line, state);
}

static error_t
parse_common(int key, char *value, struct argp_state *state)
{
	struct parsing *p = state->input;

	if (key == 's') {
		p->line.socket = value;
		p->line.socket_is_set = true;
	} else if (key == 'H') {
		if (!remote_is_url(value))
			argp_error(state, "'%s' is not ssh://[USER@]HOST[:PORT]", value);
		p->line.host = value;
	} else if (key == 'j')
		p->line.json = true;
	else
		return ARGP_ERR_UNKNOWN;
	return 0;
}

/* Of explain. */
static error_t
parse_explain(int key, char *value, struct command_line *line, const struct argp_state *state)
{
	switch (key) {
	case KEY_SOURCE:
		line->source = value;
		break;
	case KEY_PROTOCOL:
		check_word(value, protocol_words, state);
		line->protocol = value;
		break;
	case KEY_SPORT:
		line->source_port = number_of(value, UINT16_MAX, "--sport", state);
		break;
	case KEY_DPORT:
		line->port = number_of(value, UINT16_MAX, "--dport", state);
		break;
	case KEY_DIRECTION:
		check_word(value, direction_words, state);
		line->direction = value;
		break;
	case KEY_PCAP:
		line->pcap = value;
		break;
	case KEY_PACKET:
		line->packet = number_of(value, LONG_MAX, "--packet", state);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static error_t
parse_command(int key, char *value, struct argp_state *state)
{
	struct parsing *p = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = p;
		break;
	case 'm':
		p->line.message = value;
		break;
	case KEY_BY:
		check_word(value, view_counters_by, state);
		p->line.by = value;
		break;
	case ARGP_KEY_ARG:
		set_argument(p, value, state);
		break;
	case KEY_WITHIN:
		p->line.confirm_within_s = seconds_of(value, state);
		break;
	case KEY_LIMIT:
		p->line.limit = number_of(value, 1000, "--limit", state);
		break;
	case ARGP_KEY_END:
		check_arguments(p, state);
		break;
	case KEY_SHADOW:
		p->line.is_shadow = true;
		break;
	case 'c':
		p->line.config = value;
		break;
	case KEY_ROOT:
		p->line.root = value;
		break;
	case KEY_SINCE:
		p->line.since = number_of(value, LONG_MAX, "--since", state);
		break;
	case KEY_COUNT:
		p->line.count = number_of(value, LONG_MAX, "--count", state);
		break;
	default:
		return parse_explain(key, value, &p->line, state);
	}
	return 0;
}

static void
set_command(struct parsing *p, const char *name, struct argp_state *state)
{
	const char *words[N(commands)], *nearest;
	size_t i;

	for (i = 0; i < N(commands); i++) {
		words[i] = commands[i].name;
		if (strcmp(name, commands[i].name) == 0)
			p->command = &commands[i];
	}
	if (p->command == NULL) {
		nearest = text_nearest(name, words, N(words));
		argp_error(state, "'%s' is no command%s%s%s", name,
			nearest != NULL ? " (did you mean '" : "", nearest != NULL ? nearest : "",
			nearest != NULL ? "'?)" : "");
	}
	p->at = state->next - 1;
	state->next = state->argc; /* the rest is the command's */
}

static error_t
parse_program(int key, char *value, struct argp_state *state)
{
	struct parsing *p = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = p;
		break;
	case ARGP_KEY_ARG:
		set_command(p, value, state);
		break;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "a command is missing");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* What stands behind the command's name, for free(): "", "POLICY", "ACTION [TABLE]". NULL = no memory. */
static char *
describe_arguments(const struct command *c)
{
	char *text;

	if (asprintf(&text, "%s%s%s%s", c->argument != NULL ? c->argument : "",
		    c->second != NULL ? " [" : "", c->second != NULL ? c->second : "",
		    c->second != NULL ? "]" : "") < 0)
		return NULL;
	return text;
}

/* The list of commands for --help. */
static char *
help_program(int key, const char *text, void *input)
{
	char *help = NULL;
	size_t i, size;
	FILE *out;

	if (key != ARGP_KEY_HELP_POST_DOC)
		return (char *)(uintptr_t)text;
	out = open_memstream(&help, &size);
	if (out == NULL)
		return NULL;
	fprintf(out, "Commands:\n");
	for (i = 0; i < N(commands); i++) {
		char *arguments = describe_arguments(&commands[i]);

		fprintf(out, "  %-9s %-16s %s\n", commands[i].name,
			arguments != NULL ? arguments : "", commands[i].what);
		free(arguments);
	}
	fprintf(out, "\n`trefoilctl COMMAND --help' shows the options of a command. "
		     "Exit codes: 0 done, 1 refused, 2 usage, 3 daemon unreachable, "
		     "4 not permitted, 5 warnings of doctor.");
	fclose(out);
	return help;
}

static const struct argp common_argp = { common_options, parse_common };

static void
parse_line(struct parsing *p, int argc, char **argv)
{
	static const struct argp_child children[] = { { &common_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp program = { NULL, parse_program, "COMMAND [ARGUMENT]",
		"Operate Trefoil, the border filter.\v", children, help_program };
	struct argp command = { .parser = parse_command, .children = children };
	char *name, *arguments;

	argp_parse(&program, argc, argv, ARGP_IN_ORDER, NULL, p);
	command.options = p->command->options;
	arguments = describe_arguments(p->command);
	if (arguments == NULL)
		exit(CONTROL_REFUSED);
	command.args_doc = arguments;
	command.doc = p->command->what;
	if (asprintf(&name, "trefoilctl %s", p->command->name) < 0)
		exit(CONTROL_REFUSED);
	argv[p->at] = name;
	argp_parse(&command, argc - p->at, argv + p->at, 0, NULL, p);
	free(arguments);
	free(name);
}

int
main(int argc, char **argv)
{
	const char *socket = getenv("TREFOIL_SOCKET");
	struct parsing p = { .line = { .socket = socket != NULL && *socket != '\0' ? socket
										   : CONTROL_SOCKET,
				     .limit = -1,
				     .source_port = -1,
				     .port = -1,
				     .since = -1,
				     .count = -1 } };
	enum control_exit code;

	argp_err_exit_status = CONTROL_USAGE;
	parse_line(&p, argc, argv);
	code = p.command->run(&p.line);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "trefoilctl: cannot write the output: %s\n", strerror(errno));
		return code != CONTROL_DONE ? code : CONTROL_REFUSED;
	}
	return code;
}
