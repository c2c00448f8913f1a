/* SPDX-License-Identifier: BSD-3-Clause */
/* Manifests. The first byte says what the rest is: 0 = a manifest as somebody left it; else lines
 * of JSON, each made a line of a chain whose links are right, which a fuzzer cannot find alone.
 * What is read of it is within bounds, consistent, and the same as what was applied line by line. */
#include "fuzz.h"

#include "evidence/inventory.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/trefoil-fuzz-XXXXXX";
static char path[64];

static void
tidy_up(void)
{
	unlink(path);
	rmdir(directory);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	CHECK(mkdtemp(directory) != NULL);
	snprintf(path, sizeof(path), "%s/" INVENTORY_MANIFEST, directory);
	atexit(tidy_up);
	return 0;
}

static void
write_file(const uint8_t *data, size_t size)
{
	FILE *f = fopen(path, "wb");

	CHECK(f != NULL);
	CHECK(fwrite(data, 1, size, f) == size);
	CHECK(fclose(f) == 0);
}

static void
check_segment(struct inventory *inventory, struct inventory_segment *s)
{
	CHECK(segment_is_name(s->claim.name));
	CHECK(s->number <= inventory->number_max);
	CHECK(strlen(s->claim.start) == SHA256_TEXT_SIZE - 1);
	CHECK(s->opened != NULL);
	CHECK((s->closed != NULL) == s->claim.is_closed);
	if (s->is_removed)
		CHECK(s->claim.is_closed && !s->is_held);
	else
		CHECK(inventory_find(inventory, s->claim.name) == s);
	if (s->claim.is_closed && !s->is_missing)
		CHECK(strlen(s->claim.sha256) == SHA256_TEXT_SIZE - 1);
}

static void
check_inventory(struct inventory *inventory)
{
	size_t i;

	CHECK(strlen(inventory->head.hash) == SHA256_TEXT_SIZE - 1 || inventory->head.n_lines == 0);
	for (i = 0; i < inventory->n; i++)
		check_segment(inventory, &inventory->items[i]);
}

/* Both ways must come to the same. */
static void
check_equal(const struct inventory *a, const struct inventory *b)
{
	size_t i;

	CHECK(a->n == b->n && a->number_max == b->number_max && a->is_running == b->is_running);
	CHECK(a->head.n_lines == b->head.n_lines);
	CHECK(strcmp(a->head.hash, b->head.hash) == 0);
	for (i = 0; i < a->n; i++) {
		CHECK(strcmp(a->items[i].claim.name, b->items[i].claim.name) == 0);
		CHECK(strcmp(a->items[i].claim.sha256, b->items[i].claim.sha256) == 0);
		CHECK(a->items[i].claim.bytes == b->items[i].claim.bytes);
		CHECK(a->items[i].is_removed == b->items[i].is_removed);
		CHECK(a->items[i].is_held == b->items[i].is_held);
	}
}

static int
load(struct inventory *inventory, size_t size)
{
	struct chain_check check = { .allow_torn = true };
	struct err e = { .message = "" };
	int rc = inventory_load(directory, &check, true, inventory, &e);

	CHECK(rc == 0 || rc == -EBADMSG);
	if (rc != 0)
		fuzz_check_error(&e);
	CHECK(inventory->head.size + inventory->head.n_torn <= size);
	check_inventory(inventory);
	return rc;
}

/* Whoever knows the last line sees the same with less work. */
static void
check_trusted(const struct inventory *whole)
{
	struct chain_check check = { .head = whole->head.hash,
		.n_trusted = whole->head.n_lines,
		.skip = INVENTORY_COVERED };
	struct inventory inventory;

	CHECK(inventory_load(directory, &check, true, &inventory, NULL) == 0);
	check_equal(whole, &inventory);
	check_inventory(&inventory);
	inventory_fini(&inventory);
}

static void
check_foreign(const uint8_t *data, size_t size)
{
	struct inventory inventory;

	write_file(data, size);
	load(&inventory, size);
	inventory_fini(&inventory);
}

/* Returns 0, or why the line was not taken. */
static int
append(struct chain *chain, struct inventory *inventory, const char *line, size_t length)
{
	json_t *record = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
	struct err e = { .message = "" };
	int rc;

	if (record == NULL)
		return -EINVAL;
	rc = chain_append(chain, json_incref(record));
	chain_get_head(chain, &inventory->head);
	if (rc == 0)
		rc = inventory_apply(inventory, record, inventory->head.hash, &e);
	if (rc == -EBADMSG)
		CHECK(e.message[0] != '\0');
	json_decref(record);
	return rc;
}

static void
check_own(const uint8_t *data, size_t size)
{
	const struct chain_options options = { .sync = CHAIN_SYNC_NONE };
	struct inventory applied = { .keeps_lines = true }, read;
	const char *at = (const char *)data, *end = at + size, *next;
	struct chain *chain;
	int rc = 0;

	unlink(path);
	chain = chain_open(path, &options, NULL, NULL);
	CHECK(chain != NULL);
	chain_get_head(chain, &applied.head);
	for (; at < end && rc != -EBADMSG; at = next + 1) {
		next = memchr(at, '\n', (size_t)(end - at));
		next = next != NULL ? next : end;
		rc = append(chain, &applied, at, (size_t)(next - at));
	}
	chain_close(chain);
	CHECK(load(&read, SIZE_MAX) == (rc == -EBADMSG ? rc : 0));
	if (rc != -EBADMSG) {
		check_equal(&applied, &read);
		check_trusted(&read);
	}
	check_inventory(&applied);
	inventory_fini(&applied);
	inventory_fini(&read);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] == 0)
		check_foreign(data + 1, size - 1);
	else
		check_own(data + 1, size - 1);
	return 0;
}
