/* SPDX-License-Identifier: BSD-3-Clause */
/* explain: an address, a 5-tuple, or a packet of a capture, whose bytes the daemon judges. */
#include "command.h"
#include "view.h"

#include "base/ip.h"
#include "capture/capture.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 15000

static enum control_exit
ask(const struct command_line *line, json_t *request)
{
	return command_ask_and_show(line, request, TIMEOUT_MS, view_explain);
}

/* Read up to packet `number`. Returns 0 or -errno and `e`. */
static int
find_packet(struct capture *c, const char *path, uint64_t number, struct capture_frame *frame,
	struct err *e)
{
	uint64_t n = 0;
	int status;

	while ((status = capture_next(c, frame, e)) == 1) {
		n = frame->number;
		if (n == number)
			return 0;
	}
	if (status != 0)
		return status;
	return err_set(e, path, 0, NULL, "has %llu packets: there is no packet %llu",
		(unsigned long long)n, (unsigned long long)number);
}

/* NULL = no memory. */
static json_t *
request_of(
	const struct command_line *line, const struct capture *c, const struct capture_frame *frame)
{
	char *text = malloc((size_t)frame->length / 3 * 4 + 5);
	json_t *request;

	if (text == NULL)
		return NULL;
	EVP_EncodeBlock((unsigned char *)text, frame->data, (int)frame->length);
	request = json_pack("{s:s, s:s, s:i, s:I, s:s*}", "command", "explain", "frame", text,
		"link_type", capture_link_type(c), "wire_length", (json_int_t)frame->wire_length,
		"direction", line->direction);
	free(text);
	return request;
}

static enum control_exit
explain_packet(const struct command_line *line)
{
	struct err_list errors = { .n = 0 };
	struct capture_frame frame;
	struct capture *c = capture_open(line->pcap, err_list_next(&errors));
	json_t *request = NULL;
	int status;

	if (c == NULL)
		return command_fail(line, CONTROL_REFUSED, &errors);
	status = find_packet(c, line->pcap, (uint64_t)line->packet, &frame, &errors.items[0]);
	if (status == 0)
		request = request_of(line, c, &frame);
	capture_close(c);
	if (status != 0)
		return command_fail(line, CONTROL_REFUSED, &errors);
	return ask(line, request);
}

static enum control_exit
explain_address(const struct command_line *line)
{
	json_t *request = json_pack("{s:s, s:s, s:s*, s:s*, s:s*}", "command", "explain", "address",
		line->argument, "source", line->source, "ip_protocol", line->protocol, "direction",
		line->direction);

	if (request != NULL && line->source_port >= 0)
		json_object_set_new(request, "source_port", json_integer(line->source_port));
	if (request != NULL && line->port >= 0)
		json_object_set_new(request, "port", json_integer(line->port));
	return ask(line, request);
}

enum control_exit
command_explain(const struct command_line *line)
{
	return line->pcap != NULL ? explain_packet(line) : explain_address(line);
}
