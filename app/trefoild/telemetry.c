/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A thread of DPDK's telemetry puts its question into the one slot, wakes the event loop through an
 * eventfd and waits; the control thread answers with an object that then belongs to the asker. After
 * two seconds without an answer the question is withdrawn.
 * Readers, writers: `slot` under its lock; askers one after the other under `askers`.
 */
#include "telemetry.h"

#include "report.h"

#include <errno.h>
#include <pthread.h>
#include <rte_telemetry.h>
#include <rte_version.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define PATIENCE_S 2
#define NAME_SIZE  64

#if RTE_VERSION < RTE_VERSION_NUM(23, 3, 0, 0)
#define rte_tel_data_add_dict_uint rte_tel_data_add_dict_u64
#endif

static pthread_mutex_t askers = PTHREAD_MUTEX_INITIALIZER;

static struct {
	pthread_mutex_t lock;
	pthread_cond_t answered;
	struct daemon *d; /* NULL = nobody answers */
	int fd;
	struct event *event;
	const char *question; /* NULL = none waits */
	json_t *answer;
} slot = { .lock = PTHREAD_MUTEX_INITIALIZER, .answered = PTHREAD_COND_INITIALIZER, .fd = -1 };

/* The keys of an answer that are asked for, as a new object. */
static json_t *
pick(json_t *from, const char *const *keys)
{
	json_t *o = json_object();

	for (; o != NULL && from != NULL && *keys != NULL; keys++)
		json_object_set(o, *keys, json_object_get(from, *keys));
	json_decref(from);
	return o;
}

/* {"IE":{"packets":1,..}} -> {"IE":1}: hundreds of them have to fit. */
static json_t *
packets_of(json_t *from, const char *key)
{
	json_t *o = json_object(), *member;
	const char *name;

	json_object_foreach(json_object_get(from, key), name, member)
		json_object_set(o, name, json_object_get(member, "packets"));
	json_decref(from);
	return o;
}

static json_t *
take_member(json_t *from, const char *key)
{
	json_t *member = json_incref(json_object_get(from, key));

	json_decref(from);
	return member;
}

/* In the control thread. */
static json_t *
make_answer(struct daemon *d, const char *question)
{
	static const char *const status[] = { "name", "version", "mode", "state", "generation",
		"uptime_s", "alarms", NULL };
	static const char *const totals[] = { "rx", "forwarded", "dropped", "mirrored", NULL };

	if (strcmp(question, "/trefoil/status") == 0)
		return pick(report_status(d), status);
	if (strcmp(question, "/trefoil/counters") == 0)
		return pick(report_counters(d, NULL), totals);
	if (strcmp(question, "/trefoil/reasons") == 0)
		return take_member(report_counters(d, NULL), "reasons");
	if (strcmp(question, "/trefoil/countries") == 0)
		return packets_of(report_counters(d, NULL), "countries");
	if (strcmp(question, "/trefoil/mirror") == 0)
		return take_member(report_counters(d, NULL), "mirror");
	return take_member(report_counters(d, "worker"), "workers");
}

static void
on_question(evutil_socket_t fd, short what, void *arg)
{
	uint64_t n;

	if (read(fd, &n, sizeof(n)) < 0)
		return;
	pthread_mutex_lock(&slot.lock);
	if (slot.question != NULL) {
		slot.answer = make_answer(slot.d, slot.question);
		slot.question = NULL;
		pthread_cond_signal(&slot.answered);
	}
	pthread_mutex_unlock(&slot.lock);
}

/* In DPDK's thread. A new object, or NULL. */
static json_t *
ask(const char *question)
{
	const uint64_t one = 1;
	struct timespec until;
	json_t *answer = NULL;
	int status = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	pthread_mutex_lock(&slot.lock);
	if (slot.d != NULL && write(slot.fd, &one, sizeof(one)) == sizeof(one)) {
		slot.question = question;
		slot.answer = NULL;
		while (slot.question != NULL && status == 0)
			status = pthread_cond_timedwait(&slot.answered, &slot.lock, &until);
		slot.question = NULL;
		answer = slot.answer;
		slot.answer = NULL;
	}
	pthread_mutex_unlock(&slot.lock);
	return answer;
}

/* Telemetry takes letters, digits, '_' and '/'. */
static void
tame_name(char out[NAME_SIZE], const char *name)
{
	size_t i;

	for (i = 0; i < NAME_SIZE - 1 && name[i] != '\0'; i++)
		out[i] = strchr("-. :", name[i]) != NULL ? '_' : name[i];
	out[i] = '\0';
}

static void add_object(struct rte_tel_data *data, json_t *object, bool is_nested);

static void
add_strings(struct rte_tel_data *data, const char *name, const json_t *array)
{
	struct rte_tel_data *list = rte_tel_data_alloc();
	const json_t *item;
	size_t i;

	if (list == NULL)
		return;
	rte_tel_data_start_array(list, RTE_TEL_STRING_VAL);
	json_array_foreach(array, i, item)
		rte_tel_data_add_array_string(list, json_string_value(item));
	if (rte_tel_data_add_dict_container(data, name, list, 0) != 0)
		rte_tel_data_free(list);
}

static void
add_nested(struct rte_tel_data *data, const char *name, json_t *object)
{
	struct rte_tel_data *inner = rte_tel_data_alloc();

	if (inner == NULL)
		return;
	rte_tel_data_start_dict(inner);
	add_object(inner, object, true);
	if (rte_tel_data_add_dict_container(data, name, inner, 0) != 0)
		rte_tel_data_free(inner);
}

/* One level of objects and arrays of strings; null and what lies deeper is left out. */
static void
add_object(struct rte_tel_data *data, json_t *object, bool is_nested)
{
	char tame[NAME_SIZE];
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value)
	{
		tame_name(tame, name);
		if (json_is_string(value))
			rte_tel_data_add_dict_string(data, tame, json_string_value(value));
		else if (json_is_boolean(value))
			rte_tel_data_add_dict_int(data, tame, json_is_true(value));
		else if (json_is_integer(value))
			rte_tel_data_add_dict_uint(data, tame, (uint64_t)json_integer_value(value));
		else if (json_is_real(value))
			rte_tel_data_add_dict_uint(data, tame, (uint64_t)json_number_value(value));
		else if (json_is_array(value) && !is_nested)
			add_strings(data, tame, value);
		else if (json_is_object(value) && !is_nested)
			add_nested(data, tame, value);
	}
}

static int
on_command(const char *command, const char *parameters, struct rte_tel_data *data)
{
	json_t *answer;

	pthread_mutex_lock(&askers);
	answer = ask(command);
	pthread_mutex_unlock(&askers);
	if (answer == NULL)
		return -EAGAIN;
	rte_tel_data_start_dict(data);
	add_object(data, answer, false);
	json_decref(answer);
	return 0;
}

static int
register_commands(void)
{
	static const struct {
		const char *name, *help;
	} all[] = {
		{ "/trefoil/status", "Name, mode, generation and alarms. Takes no parameters." },
		{ "/trefoil/counters", "Totals since the start. Takes no parameters." },
		{ "/trefoil/reasons", "Frames by reason. Takes no parameters." },
		{ "/trefoil/countries", "Judged frames by country. Takes no parameters." },
		{ "/trefoil/mirror", "Copies written and lost. Takes no parameters." },
		{ "/trefoil/workers", "What each worker did. Takes no parameters." },
	};
	int status = 0;
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]) && status == 0; i++)
		status = rte_telemetry_register_cmd(all[i].name, on_command, all[i].help);
	return status;
}

int
telemetry_start(struct daemon *d, struct err *e)
{
	int status;

	if (!d->settings->telemetry)
		return 0;
	slot.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (slot.fd < 0)
		return err_set_code(e, errno, NULL, 0, "[metrics] telemetry", "no eventfd");
	slot.event = event_new(d->base, slot.fd, EV_READ | EV_PERSIST, on_question, NULL);
	if (slot.event == NULL || event_add(slot.event, NULL) != 0)
		return err_set_code(e, ENOMEM, NULL, 0, "[metrics] telemetry", "out of memory");
	status = register_commands();
	if (status != 0)
		return err_set_code(e, -status, NULL, 0, "[metrics] telemetry",
			"DPDK takes no commands: %s", strerror(-status));
	pthread_mutex_lock(&slot.lock);
	slot.d = d;
	pthread_mutex_unlock(&slot.lock);
	return 0;
}

/* The descriptor stays: a thread of DPDK may be about to write to it. */
void
telemetry_stop(void)
{
	pthread_mutex_lock(&slot.lock);
	slot.d = NULL;
	slot.question = NULL;
	pthread_cond_broadcast(&slot.answered);
	pthread_mutex_unlock(&slot.lock);
	if (slot.event != NULL)
		event_free(slot.event);
	slot.event = NULL;
}
