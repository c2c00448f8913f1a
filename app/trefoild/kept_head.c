/* SPDX-License-Identifier: BSD-3-Clause */
/* Heads by directory, because an operator who takes another directory and comes back has not cut
 * anything. */
#include "kept_head.h"

#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SIZE 512

/* The entry of the directory, if there is one. */
static int
take_entry(struct kept_head *k)
{
	const json_t *entry = json_object_get(k->all, k->directory);
	const char *hash = json_string_value(json_object_get(entry, "sha256"));
	json_int_t n_lines = json_integer_value(json_object_get(entry, "lines"));

	if (!json_is_object(k->all))
		return -EBADMSG;
	if (entry == NULL)
		return 0;
	if (n_lines <= 0 || hash == NULL || !sha256_is_text(hash))
		return -EBADMSG;
	k->head.n_lines = (uint64_t)n_lines;
	memcpy(k->head.hash, hash, SHA256_TEXT_SIZE);
	return 0;
}

static int
read_file(struct kept_head *k, const char *path)
{
	size_t size = 0;
	char *bytes = store_read(path, &size);

	if (bytes == NULL && errno != ENOENT)
		return -errno;
	k->all = bytes != NULL ? json_loadb(bytes, size, JSON_REJECT_DUPLICATES, NULL)
			       : json_object();
	free(bytes);
	return take_entry(k);
}

int
kept_head_load(struct kept_head *k, const char *state_dir, const char *directory, struct err *e)
{
	char path[PATH_SIZE];
	int rc;

	*k = (struct kept_head){ .state_dir = state_dir, .directory = directory };
	snprintf(path, sizeof(path), "%s/" KEPT_HEAD_FILE, state_dir);
	rc = read_file(k, path);
	if (rc == 0)
		return 0;
	kept_head_fini(k);
	k->all = json_object();
	if (k->all == NULL || rc == -ENOMEM)
		return err_set_code(e, ENOMEM, path, 0, NULL, "out of memory");
	return err_set_code(e, -rc, path, 0, NULL,
		"the head of the evidence that was kept cannot be read: %s; compare the evidence "
		"with one that was published (trefoil-audit verify --head)",
		rc == -EBADMSG ? "it is damaged" : strerror(-rc));
}

static int
write_file(const struct kept_head *k)
{
	char *text = json_dumps(k->all, JSON_INDENT(1) | JSON_SORT_KEYS);
	int rc = -ENOMEM;

	if (text != NULL)
		rc = store_replace(NULL, k->state_dir, KEPT_HEAD_FILE, text, strlen(text));
	free(text);
	return rc;
}

int
kept_head_set(struct kept_head *k, const struct chain_head *head, const struct signing_key *key,
	struct err *e)
{
	int rc;

	if (head->n_lines == k->head.n_lines && strcmp(head->hash, k->head.hash) == 0)
		return 0;
	rc = json_object_set_new(k->all, k->directory,
		     json_pack("{s:I, s:s, s:s}", "lines", (json_int_t)head->n_lines, "sha256",
			     head->hash, "key", signing_key_id(key))) == 0
		     ? write_file(k)
		     : -ENOMEM;
	if (rc != 0)
		return err_set_code(e, -rc, k->state_dir, 0, KEPT_HEAD_FILE,
			"the head of the evidence cannot be kept: %s", strerror(-rc));
	k->head = *head;
	return 0;
}

void
kept_head_fini(struct kept_head *k)
{
	json_decref(k->all);
	k->all = NULL;
}
