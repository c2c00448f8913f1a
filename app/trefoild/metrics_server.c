/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libmicrohttpd without a thread and a listening socket of its own (0.9.75 with epoll accepts nothing
 * more after its limit of connections was reached): the event loop accepts, watches its epoll
 * descriptor, and a timer does what it wants to do later. Connections, their memory and their time are bounded, so that
 * whoever reaches the port can keep it busy, but nothing else.
 */
#include "metrics_server.h"

#include "metrics_page.h"

#include <errno.h>
#include <event2/listener.h>
#include <event2/util.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS_MAX  16
#define CONNECTION_BYTES 8192
#define TIMEOUT_S        10
#define HEALTH_SIZE      (ALARM_N * (ALARM_SIZE + 32))

struct metrics_server {
	struct daemon *d;
	struct MHD_Daemon *http;
	struct evconnlistener *listener;
	struct event *ready, *timer;
	struct metrics_top *asns;
};

static enum MHD_Result
answer(struct MHD_Connection *c, unsigned int status, const char *type, char *text, size_t size)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result result = MHD_NO;

	if (response == NULL) {
		free(text);
		return MHD_NO;
	}
	if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES &&
		MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") ==
			MHD_YES &&
		(status != MHD_HTTP_METHOD_NOT_ALLOWED ||
			MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD") ==
				MHD_YES))
		result = MHD_queue_response(c, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result
answer_line(struct MHD_Connection *c, unsigned int status, const char *line)
{
	char *text = strdup(line);

	if (text == NULL)
		return MHD_NO;
	return answer(c, status, "text/plain; charset=utf-8", text, strlen(text));
}

static enum MHD_Result
answer_metrics(struct metrics_server *s, struct MHD_Connection *c)
{
	enum metrics_format format = metrics_choose_format(
		MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT));
	size_t size;
	char *text = metrics_page(s->d, s->asns, format, &size);

	if (text == NULL)
		return answer_line(c, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory\n");
	return answer(c, MHD_HTTP_OK, metrics_content_type(format), text, size);
}

static enum MHD_Result
answer_health(struct metrics_server *s, struct MHD_Connection *c)
{
	char text[HEALTH_SIZE];
	bool is_well = metrics_health(s->d, text, sizeof(text));

	return answer_line(c, is_well ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, text);
}

/* Called when the headers are there, then for what comes after them. */
static enum MHD_Result
on_request(void *arg, struct MHD_Connection *c, const char *url, const char *method,
	const char *version, const char *body, size_t *body_size, void **state)
{
	static char has_headers;
	struct metrics_server *s = arg;

	if (*state == NULL) {
		*state = &has_headers;
		return MHD_YES;
	}
	if (*body_size > 0) {
		*body_size = 0; /* nobody wants it */
		return MHD_YES;
	}
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return answer_line(c, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
	if (strcmp(url, "/metrics") == 0)
		return answer_metrics(s, c);
	if (strcmp(url, "/healthz") == 0)
		return answer_health(s, c);
	return answer_line(c, MHD_HTTP_NOT_FOUND, "there are /metrics and /healthz\n");
}

/* Do what there is to do, and come again when more is due. */
static void
on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct metrics_server *s = arg;
	MHD_UNSIGNED_LONG_LONG ms = 0;
	struct timeval later;

	MHD_run(s->http);
	if (MHD_get_timeout(s->http, &ms) != MHD_YES) {
		event_del(s->timer);
		return;
	}
	later = (struct timeval){ .tv_sec = (time_t)(ms / 1000),
		.tv_usec = (suseconds_t)(ms % 1000 * 1000) };
	event_add(s->timer, &later);
}

/* libmicrohttpd closes what is too many. */
static void
on_connection(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *peer, int size,
	void *arg)
{
	struct metrics_server *s = arg;

	MHD_add_connection(s->http, fd, peer, (socklen_t)size);
	on_ready(-1, 0, s);
}

/* Paths are compared as they came: %00 ends none. */
static size_t
on_escape(void *arg, struct MHD_Connection *c, char *text)
{
	return strlen(text);
}

/* What libmicrohttpd has to say of strangers' bytes is not for the journal. */
static void on_log(void *arg, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

static void
on_log(void *arg, const char *format, va_list args)
{
}

static struct MHD_Daemon *
http_start(struct metrics_server *s)
{
	return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG, 0,
		NULL, NULL, on_request, s, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)TIMEOUT_S,
		MHD_OPTION_UNESCAPE_CALLBACK, on_escape, NULL, MHD_OPTION_END);
}

static int
watch_http(struct metrics_server *s, const struct sockaddr *address, int size)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->http, MHD_DAEMON_INFO_EPOLL_FD);

	if (info == NULL)
		return -ENOTSUP;
	s->ready = event_new(s->d->base, info->epoll_fd, EV_READ | EV_PERSIST, on_ready, s);
	s->timer = event_new(s->d->base, -1, 0, on_ready, s);
	if (s->ready == NULL || s->timer == NULL || event_add(s->ready, NULL) != 0)
		return -ENOMEM;
	s->listener = evconnlistener_new_bind(s->d->base, on_connection, s,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE, -1, address,
		size);
	return s->listener != NULL ? 0 : -errno;
}

int
metrics_server_start(struct daemon *d, struct metrics_server **out, struct err *e)
{
	const char *listen = d->settings->metrics_listen;
	struct metrics_server *s;
	struct sockaddr_storage address = { .ss_family = AF_UNSPEC };
	int size = sizeof(address), status;

	*out = NULL;
	if (listen[0] == '\0')
		return 0;
	if (evutil_parse_sockaddr_port(listen, (struct sockaddr *)&address, &size) != 0)
		return err_set(e, NULL, 0, "[metrics] listen", "'%s' is no address", listen);
	s = calloc(1, sizeof(*s));
	if (s == NULL || (s->asns = metrics_top_new(d->settings->metrics_top_asns)) == NULL) {
		free(s);
		return err_set_code(e, ENOMEM, NULL, 0, "[metrics]", "out of memory");
	}
	s->d = d;
	s->http = http_start(s);
	status = s->http == NULL ? -ENOMEM : watch_http(s, (const struct sockaddr *)&address, size);
	if (status != 0) {
		metrics_server_stop(s);
		return err_set_code(e, -status, NULL, 0, "[metrics] listen",
			"cannot listen on %s: %s (is it an address of this host, and free?)",
			listen, strerror(-status));
	}
	*out = s;
	return 0;
}

void
metrics_server_stop(struct metrics_server *s)
{
	if (s == NULL)
		return;
	if (s->listener != NULL)
		evconnlistener_free(s->listener);
	if (s->ready != NULL)
		event_free(s->ready);
	if (s->timer != NULL)
		event_free(s->timer);
	if (s->http != NULL)
		MHD_stop_daemon(s->http);
	metrics_top_free(s->asns);
	free(s);
}
