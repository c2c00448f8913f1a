/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * top: a live screen. Asks once a second for the counters, by AS less often where there are many,
 * and draws totals and four lists side by side: countries, AS, reasons, workers. Whatever a colour
 * says, a word says too.
 */
#include "command.h"
#include "print.h"
#include "rates.h"
#include "remote.h"

#include <ncurses.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TIMEOUT_MS    15000
#define PERIOD_MS     1000
#define ASNS_MANY     5000 /* more are asked for every ASNS_EVERY periods only */
#define ASNS_EVERY    5
#define HEAD_LINES    5
#define MIN_LINES     12
#define MIN_COLUMNS   60
#define BITS_WIDTH    11 /* of a rate */
#define PACKETS_WIDTH 9
#define N(array)      (sizeof(array) / sizeof((array)[0]))

enum pairs { PAIR_DROP = 1, PAIR_ALARM };

/* One of the daemon's answers and the one before. */
struct sample {
	json_t *now, *before; /* responses */
	double at, before_at; /* seconds */
};

struct top {
	const struct command_line *line;
	struct sample counters, asns, workers, status;
	char problem[128]; /* why there is no answer, "" = there is one */
	bool has_colours, is_paused;
	unsigned int n_periods;
};

static double
seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static const json_t *
result_of(const json_t *response)
{
	return json_object_get(response, "result");
}

/* Returns whether there is an answer. */
static bool
sample_take(struct top *top, struct sample *s, json_t *request)
{
	const json_t *result;
	struct err_list errors = { .n = 0 };
	json_t *response;
	struct err e;
	int status = remote_call(top->line, request, TIMEOUT_MS, &response, &e);

	json_decref(request);
	if (status != 0) {
		snprintf(top->problem, sizeof(top->problem), "%.120s", e.message);
		return false;
	}
	if (control_outcome(response, &result, &errors) != CONTROL_DONE) {
		snprintf(top->problem, sizeof(top->problem), "%.120s", errors.items[0].message);
		json_decref(response);
		return false;
	}
	json_decref(s->before);
	s->before = s->now;
	s->before_at = s->at;
	s->now = response;
	s->at = seconds_now();
	return true;
}

static json_t *
counters_by(const char *by)
{
	return json_pack("{s:s, s:s}", "command", "counters", "by", by);
}

static void
take_all(struct top *top)
{
	const json_t *asns = json_object_get(result_of(top->asns.now), "asns");
	bool is_due = json_object_size(asns) <= ASNS_MANY || top->n_periods % ASNS_EVERY == 0;

	top->problem[0] = '\0';
	top->n_periods++;
	if (!sample_take(top, &top->status, json_pack("{s:s}", "command", "status")))
		return;
	if (!sample_take(top, &top->counters, counters_by("country")) ||
		!sample_take(top, &top->workers, counters_by("worker")))
		return;
	if (is_due)
		sample_take(top, &top->asns, counters_by("asn"));
}

static double
elapsed(const struct sample *s)
{
	return s->before != NULL ? s->at - s->before_at : 0;
}

/* ASCII for any terminal, cut to `width`. */
static void
put(int y, int x, int width, const char *text)
{
	char *safe = print_safe(text), *at;

	for (at = safe; *at != '\0'; at++)
		*at = (*at & 0x80) != 0 ? '?' : *at;
	if (width > 0)
		mvaddnstr(y, x, safe, width);
	free(safe);
}

static void
put_right(int y, int end, const char *text)
{
	int length = (int)strlen(text);

	if (end - length >= 0)
		mvaddstr(y, end - length, text);
}

static void
colour(const struct top *top, int pair, bool is_on)
{
	if (!top->has_colours)
		return;
	if (is_on)
		attron(COLOR_PAIR(pair));
	else
		attroff(COLOR_PAIR(pair));
}

static void
draw_row(const struct top *top, int y, int x, int width, const struct rate *r)
{
	int name_width = width - BITS_WIDTH - PACKETS_WIDTH - 2;
	char bits[32], packets[32], name[128];
	bool has_drops = r->dropped > 0;

	snprintf(name, sizeof(name), "%s%s%s", r->name, *r->what != '\0' ? " " : "", r->what);
	put(y, x, name_width, name);
	colour(top, PAIR_DROP, has_drops);
	if (has_drops)
		mvaddstr(y, x + name_width, "!");
	colour(top, PAIR_DROP, false);
	put_right(y, x + width - PACKETS_WIDTH - 1, rate_bits(r->bits, bits, sizeof(bits)));
	put_right(y, x + width, rate_packets(r->packets, packets, sizeof(packets)));
}

struct box {
	const char *title, *key, *part;
	const struct sample *sample;
};

static void
draw_box(const struct top *top, const struct box *b, int y, int x, int height, int width)
{
	json_t *now = json_object_get(result_of(b->sample->now), b->key);
	const json_t *before = json_object_get(result_of(b->sample->before), b->key);
	double seconds = elapsed(b->sample);
	struct rate *rows = NULL;
	size_t i, n = 0;

	attron(A_BOLD | A_UNDERLINE);
	mvprintw(y, x, "%-*.*s", width, width, b->title);
	attroff(A_BOLD | A_UNDERLINE);
	if (seconds > 0)
		n = rates_of(now, before, seconds, b->part, &rows);
	for (i = 0; i < n && (int)i + 1 < height; i++)
		draw_row(top, y + 1 + (int)i, x, width, &rows[i]);
	if (n == 0 && height > 1)
		mvaddstr(y + 1, x, seconds > 0 ? "no traffic" : "...");
	free(rows);
}

static void
draw_boxes(const struct top *top)
{
	const struct box boxes[] = {
		{ "COUNTRY", "countries", NULL, &top->counters },
		{ "REASON", "reasons", NULL, &top->counters },
		{ "AS", "asns", NULL, &top->asns },
		{ "WORKER", "workers", "rx", &top->workers },
	};
	int width = COLS / 2 - 1, height = (LINES - HEAD_LINES - 1) / 2;
	size_t i;

	for (i = 0; i < N(boxes); i++)
		draw_box(top, &boxes[i], HEAD_LINES + (int)(i / 2) * height,
			(int)(i % 2) * (COLS - width), height, width);
}

static const char *
text_at(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text != NULL ? text : "-";
}

static void
draw_first_line(const struct top *top)
{
	const json_t *status = result_of(top->status.now);
	char text[256], up[48];

	snprintf(text, sizeof(text), "trefoil %.40s  generation %lld  %.12s  policy %.40s  up %s",
		text_at(status, "name"),
		(long long)json_integer_value(json_object_get(status, "generation")),
		text_at(status, "mode"), text_at(json_object_get(status, "policy"), "name"),
		print_duration((uint64_t)json_integer_value(json_object_get(status, "uptime_s")),
			up, sizeof(up)));
	attron(A_REVERSE);
	mvprintw(0, 0, "%-*s", COLS, "");
	put(0, 0, COLS, text);
	attroff(A_REVERSE);
}

static void
draw_totals(const struct top *top)
{
	static const char *const keys[] = { "rx", "forwarded", "dropped", "mirrored" };
	int width = COLS / (int)N(keys);
	char bits[32], packets[32];
	struct rate r;
	size_t i;

	for (i = 0; i < N(keys); i++) {
		r = rate_of(json_object_get(result_of(top->counters.now), keys[i]),
			json_object_get(result_of(top->counters.before), keys[i]),
			elapsed(&top->counters));
		attron(A_BOLD);
		put(1, (int)i * width, width - 1, i == 0 ? "received" : keys[i]);
		attroff(A_BOLD);
		colour(top, PAIR_DROP, i == 2 && r.packets > 0);
		put(2, (int)i * width, width - 1, rate_bits(r.bits, bits, sizeof(bits)));
		put(3, (int)i * width, width - 1,
			rate_packets(r.packets, packets, sizeof(packets)));
		colour(top, PAIR_DROP, false);
	}
}

/* The first alarm, or why nothing is shown. */
static void
draw_alarm(const struct top *top)
{
	const json_t *alarms = json_object_get(result_of(top->status.now), "alarms");
	const char *alarm = json_string_value(json_array_get(alarms, 0));
	char text[256];

	if (top->problem[0] != '\0')
		snprintf(text, sizeof(text), "NO ANSWER: %s", top->problem);
	else if (alarm != NULL)
		snprintf(text, sizeof(text), "ALARM (%zu): %.200s", json_array_size(alarms), alarm);
	else
		return;
	colour(top, PAIR_ALARM, true);
	attron(A_BOLD);
	put(4, 0, COLS, text);
	attroff(A_BOLD);
	colour(top, PAIR_ALARM, false);
}

static void
draw(const struct top *top)
{
	erase();
	if (LINES < MIN_LINES || COLS < MIN_COLUMNS) {
		put(0, 0, COLS, "too small: top needs 60 x 12");
	} else {
		draw_first_line(top);
		draw_totals(top);
		draw_alarm(top);
		draw_boxes(top);
		put(LINES - 1, 0, COLS - 1,
			top->is_paused ? "PAUSED: any key goes on   q quits"
				       : "q quits   p pauses   ! = some of it is dropped");
	}
	refresh();
}

/* Wait for a key until the next period. Returns false to end. */
static bool
wait_key(struct top *top, double until)
{
	int key, left_ms;

	for (;;) {
		left_ms = (int)((until - seconds_now()) * 1000);
		timeout(top->is_paused ? -1 : left_ms > 0 ? left_ms : 0);
		key = getch();
		if (key == 'q' || key == 'Q')
			return false;
		if (key == ERR && !top->is_paused)
			return true;
		if (key == ERR) /* the terminal is gone */
			return false;
		if (key != KEY_RESIZE)
			top->is_paused = !top->is_paused && (key == 'p' || key == ' ');
		draw(top);
	}
}

static bool
screen_init(struct top *top)
{
	const char *no_colour = getenv("NO_COLOR");
	SCREEN *screen = newterm(NULL, stdout, stdin);

	if (screen == NULL)
		return false;
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	curs_set(0);
	top->has_colours = has_colors() && (no_colour == NULL || *no_colour == '\0');
	if (top->has_colours) {
		start_color();
		use_default_colors();
		init_pair(PAIR_DROP, COLOR_RED, -1);
		init_pair(PAIR_ALARM, COLOR_YELLOW, -1);
	}
	return true;
}

static void
sample_fini(struct sample *s)
{
	json_decref(s->now);
	json_decref(s->before);
}

static enum control_exit
refuse(const struct command_line *line, const char *message)
{
	struct err_list errors = { .n = 0 };

	err_set(err_list_next(&errors), NULL, 0, NULL, "%s", message);
	return command_fail(line, CONTROL_REFUSED, &errors);
}

enum control_exit
command_top(const struct command_line *line)
{
	struct top top = { .line = line };
	double next;

	if (line->json || !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO))
		return refuse(line, "top needs a terminal: scripts ask counters --json");
	take_all(&top);
	if (top.problem[0] != '\0') {
		refuse(line, top.problem);
		return CONTROL_UNREACHABLE;
	}
	if (!screen_init(&top))
		return refuse(line, "cannot drive this terminal: is TERM right?");
	do {
		next = seconds_now() + PERIOD_MS / 1000.0;
		draw(&top);
		if (!wait_key(&top, next))
			break;
		take_all(&top);
	} while (true);
	endwin();
	sample_fini(&top.counters);
	sample_fini(&top.asns);
	sample_fini(&top.workers);
	sample_fini(&top.status);
	return CONTROL_DONE;
}
