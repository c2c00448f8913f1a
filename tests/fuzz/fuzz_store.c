/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Records of the store (generation.json). The first byte chooses:
 *
 *     0  the rest as it is
 *     1  the rest as an object, which is given the digest that it must have: what is behind the digest
 *     2  the rest as an object that replaces parts of a good record, with the digest that it must have
 *
 * A record that is taken is within its bounds, is the same once it was written and read again, and
 * can be shown. One that is not leaves what the caller had, and an error.
 */
#include "fuzz.h"

#include "store/store.h"

#include "base/sha256.h"

#define CHECK_TEXT(text) CHECK(memchr((text), '\0', sizeof(text)) != NULL)

static void
check_person(const struct store_person *p)
{
	CHECK_TEXT(p->name);
	CHECK(p->at != 0 || (p->name[0] == '\0' && p->uid == STORE_NOBODY));
}

static void
check_record(const struct store_record *r)
{
	unsigned int i;

	CHECK(r->state < STORE_DAMAGED);
	CHECK_TEXT(r->kind);
	CHECK_TEXT(r->policy_name);
	CHECK_TEXT(r->policy_file);
	CHECK_TEXT(r->geo_file);
	CHECK_TEXT(r->message);
	CHECK_TEXT(r->note);
	CHECK_TEXT(r->boot_id);
	CHECK(strlen(r->policy_sha256) == SHA256_TEXT_SIZE - 1);
	CHECK(strlen(r->geo_sha256) == SHA256_TEXT_SIZE - 1);
	check_person(&r->pushed);
	check_person(&r->confirmed);
	CHECK(r->n_needed <= STORE_APPROVALS_MAX && r->n_approvals <= STORE_APPROVALS_MAX);
	for (i = 0; i < r->n_approvals; i++) {
		check_person(&r->approvals[i]);
		CHECK(r->approvals[i].at != 0); /* an approval is somebody's */
	}
}

/* Written and read again it is the same to the last byte. */
static void
check_again(const struct store_record *r)
{
	struct store_record again;
	struct err e = { .line = 0 };
	size_t size = 0, size_again = 0;
	char *text = store_record_dump(r, &size), *text_again;

	CHECK(text != NULL);
	memset(&again, 0x55, sizeof(again));
	CHECK(store_record_parse(text, size, "again", &again, &e) == 0);
	text_again = store_record_dump(&again, &size_again);
	CHECK(text_again != NULL && size == size_again && memcmp(text, text_again, size) == 0);
	CHECK(again.n_approvals == r->n_approvals && again.state == r->state);
	CHECK(again.confirm_within_s == r->confirm_within_s && again.deadline == r->deadline);
	CHECK(strcmp(again.pushed.name, r->pushed.name) == 0 && again.pushed.uid == r->pushed.uid);
	free(text);
	free(text_again);
}

static void
parse(const char *text, size_t size)
{
	struct store_record record, before;
	struct err e = { .line = 0 };
	int status;

	memset(&record, 0x55, sizeof(record));
	before = record;
	status = store_record_parse(text, size, "record", &record, &e);
	if (status != 0) {
		CHECK(memcmp(&record, &before, sizeof(record)) == 0);
		fuzz_check_error(&e);
		return;
	}
	check_record(&record);
	check_again(&record);
}

static json_t *
good_record(void)
{
	static const char digits[] =
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	static const struct store_person person = { 1000, "alice", 1764034588 };
	struct store_record r = { .number = 2,
		.parent = 1,
		.state = STORE_UNCONFIRMED,
		.kind = "push",
		.policy_name = "p",
		.policy_file = "p.ini",
		.geo_file = "internet.tgt",
		.pushed = person,
		.confirmed = person,
		.n_needed = 2,
		.n_approvals = 1,
		.approvals = { person },
		.confirm_within_s = 600,
		.deadline = 1764035188,
		.deadline_boot = 12345,
		.boot_id = "b-1" };

	memcpy(r.policy_sha256, digits, sizeof(digits));
	memcpy(r.geo_sha256, digits, sizeof(digits));
	return store_record_json(&r);
}

/* The object with the digest of itself. TAKES it. */
static char *
with_digest(json_t *object)
{
	char sha256[SHA256_TEXT_SIZE], *text;

	json_object_del(object, "record_sha256");
	text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
	CHECK(text != NULL && sha256_text(text, strlen(text), sha256) == 0);
	free(text);
	json_object_set_new(object, "record_sha256", json_string(sha256));
	text = json_dumps(object, JSON_COMPACT);
	CHECK(text != NULL);
	json_decref(object);
	return text;
}

/* The input as a record that nobody has damaged. NULL = it is no object. */
static char *
make_whole(const uint8_t *data, size_t size, bool is_patch)
{
	json_t *object = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	json_t *record = is_patch ? good_record() : json_object();
	char *text = NULL;

	CHECK(record != NULL);
	if (json_is_object(object) && json_object_update_recursive(record, object) == 0)
		text = with_digest(record);
	else
		json_decref(record);
	json_decref(object);
	return text;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t how;
	char *text;

	fuzz_take(&data, &size, &how, 1);
	if (how % 3 != 0) {
		text = make_whole(data, size, how % 3 == 2);
		if (text != NULL)
			parse(text, strlen(text));
	} else {
		text = fuzz_copy(data, size);
		parse(text, size);
	}
	free(text);
	return 0;
}
