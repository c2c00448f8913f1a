/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading files that commands send. */
#include "candidate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLICY_SIZE_MAX (4u << 20)

const char *
candidate_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}

char *
candidate_read(const char *path, size_t size_max, size_t *size, struct err_list *errors)
{
	char *text = malloc(size_max + 1);
	FILE *file = fopen(path, "re");
	int code = file == NULL || text == NULL ? errno : 0;
	size_t n = 0;

	if (code == 0) {
		n = fread(text, 1, size_max + 1, file);
		if (ferror(file))
			code = errno;
		else if (n > size_max)
			code = EFBIG;
	}
	if (file != NULL)
		fclose(file);
	if (code != 0) {
		free(text);
		err_set_code(err_list_next(errors), code, path, 0, NULL, "cannot read: %s",
			strerror(code));
		return NULL;
	}
	*size = n;
	return text;
}

void
candidate_fini(struct candidate *c)
{
	policy_free(c->policy);
	free(c->text);
}

enum control_exit
candidate_init(struct candidate *c, const struct command_line *line)
{
	struct err_list errors = { .n = 0 };

	*c = (struct candidate){ .text = NULL };
	c->text = candidate_read(line->argument, POLICY_SIZE_MAX, &c->size, &errors);
	if (c->text != NULL)
		c->policy = policy_parse(c->text, c->size, line->argument, &errors);
	if (c->policy != NULL)
		return CONTROL_DONE;
	if (errors.n == 0)
		err_set(err_list_next(&errors), line->argument, 0, NULL, "%s", strerror(errno));
	free(c->text);
	return command_fail(line, CONTROL_REFUSED, &errors);
}
