/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The messages: lines to JSON objects and back. Error texts may quote any byte of a file and may be
 * cut inside a character, JSON may not hold such text: what is not ASCII is replaced then.
 */
#include "control/control.h"
#include "control_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

json_t *
control_parse(const char *line, size_t size, struct err *e)
{
	json_error_t why;
	json_t *object;

	if (size > CONTROL_LINE_MAX) {
		err_set(e, NULL, 0, NULL, "the line has more than %u bytes", CONTROL_LINE_MAX);
		return NULL;
	}
	object = json_loadb(line, size, JSON_REJECT_DUPLICATES, &why);
	if (object == NULL) {
		err_set(e, NULL, 0, NULL, "no JSON object: %s, byte %d", why.text, why.position);
		return NULL;
	}
	if (!json_is_object(object)) {
		err_set(e, NULL, 0, NULL, "no JSON object: the line holds another value");
		json_decref(object);
		return NULL;
	}
	return object;
}

char *
control_dump(const json_t *object, size_t *size)
{
	char *text = json_dumps(object, JSON_COMPACT);
	size_t length;

	if (text == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	length = strlen(text);
	if (length > CONTROL_LINE_MAX) {
		free(text);
		errno = EMSGSIZE;
		return NULL;
	}
	text[length] = '\n'; /* in the place of the NUL */
	*size = length + 1;
	return text;
}

int
control_address(const char *path, struct sockaddr_un *out, struct err *e)
{
	size_t length = strlen(path);

	if (length == 0)
		return err_set(e, NULL, 0, NULL, "the path of the control socket is empty");
	if (length >= sizeof(out->sun_path))
		return err_set_code(e, ENAMETOOLONG, path, 0, NULL,
			"a socket path has at most %zu characters: choose a shorter one",
			sizeof(out->sun_path) - 1);
	memset(out, 0, sizeof(*out));
	out->sun_family = AF_UNIX;
	memcpy(out->sun_path, path, length);
	return 0;
}

json_t *
control_ok(json_t *result)
{
	if (result == NULL)
		result = json_object();
	return json_pack("{s:b, s:o}", "ok", 1, "result", result);
}

static json_t *
control_text(const char *text, size_t size)
{
	char ascii[sizeof(struct err)];
	size_t i, length = strnlen(text, size);
	json_t *string = json_stringn(text, length);

	if (string != NULL || length > sizeof(ascii))
		return string;
	for (i = 0; i < length; i++)
		ascii[i] = (text[i] & 0x80) != 0 ? '?' : text[i];
	return json_stringn(ascii, length);
}

json_t *
control_refuse(enum control_exit code, const struct err *errors, unsigned int n_errors)
{
	json_t *list = json_array();
	const struct err *e;
	unsigned int i;

	for (i = 0; i < n_errors; i++) {
		e = &errors[i];
		json_array_append_new(
			list, json_pack("{s:o, s:i, s:o, s:o}", "file",
				      control_text(e->file, sizeof(e->file)), "line", (int)e->line,
				      "key", control_text(e->key, sizeof(e->key)), "message",
				      control_text(e->message, sizeof(e->message))));
	}
	return json_pack("{s:b, s:i, s:o}", "ok", 0, "exit", (int)code, "errors", list);
}

static const char *
control_string(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static void
control_outcome_error(const json_t *item, struct err_list *errors)
{
	json_int_t line = json_integer_value(json_object_get(item, "line"));
	const char *message = control_string(item, "message");

	err_set(err_list_next(errors), control_string(item, "file"),
		line > 0 && line <= INT32_MAX ? (unsigned int)line : 0, control_string(item, "key"),
		"%s", message != NULL && message[0] != '\0' ? message : "an error without a text");
}

enum control_exit
control_outcome(const json_t *response, const json_t **result, struct err_list *errors)
{
	const json_t *found = json_object_get(response, "result");
	const json_t *list = json_object_get(response, "errors");
	json_int_t code = json_integer_value(json_object_get(response, "exit"));
	size_t i;

	if (json_is_true(json_object_get(response, "ok")) && json_is_object(found)) {
		*result = found;
		return CONTROL_DONE;
	}
	for (i = 0; i < json_array_size(list); i++)
		control_outcome_error(json_array_get(list, i), errors);
	if (i == 0)
		err_set(err_list_next(errors), NULL, 0, NULL,
			"the daemon's answer has neither a result nor errors");
	if (code < CONTROL_REFUSED || code > CONTROL_NOT_PERMITTED)
		return CONTROL_REFUSED;
	return (enum control_exit)code;
}
