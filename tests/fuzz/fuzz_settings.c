/* SPDX-License-Identifier: BSD-3-Clause */
/* trefoild.ini: errors that say something, or settings within the bounds that they have. */
#include "fuzz.h"

#include "settings/settings.h"

#include <errno.h>

#define CHECK_TEXT(text) CHECK(memchr((text), '\0', sizeof(text)) != NULL)

static void
check_eal(const struct settings *s)
{
	unsigned int i, j;

	CHECK(s->n_cores > 0 && s->n_cores <= SETTINGS_CORES_MAX);
	for (i = 0; i < s->n_cores; i++) {
		CHECK(s->cores[i] <= SETTINGS_CORE_MAX);
		for (j = 0; j < i; j++)
			CHECK(s->cores[i] != s->cores[j]);
	}
	CHECK(s->memory_mb >= 64 && s->memory_mb <= 1048576);
	CHECK(s->buffers <= 16777216);
	CHECK(s->n_vdevs <= SETTINGS_VDEVS_MAX);
	for (i = 0; i < s->n_vdevs; i++) {
		CHECK_TEXT(s->vdevs[i]);
		CHECK(s->vdevs[i][0] != '\0');
	}
}

static void
check_wires(const struct settings *s)
{
	unsigned int i;

	CHECK(s->n_wires > 0 && s->n_wires <= SETTINGS_WIRES_MAX);
	for (i = 0; i < s->n_wires; i++) {
		const struct settings_wire *w = &s->wires[i];

		CHECK_TEXT(w->name);
		CHECK_TEXT(w->inside);
		CHECK_TEXT(w->outside);
		CHECK(w->name[0] != '\0' && w->inside[0] != '\0' && w->outside[0] != '\0');
		CHECK(strcmp(w->inside, w->outside) != 0);
		CHECK(w->queues >= 1 && w->queues <= 64);
		CHECK(w->mtu >= 64 && w->mtu <= 9702);
		CHECK(w->line > 0);
	}
}

static void
check_settings(const struct settings *s)
{
	CHECK_TEXT(s->name);
	CHECK_TEXT(s->state_dir);
	CHECK_TEXT(s->socket);
	CHECK_TEXT(s->geo_table);
	CHECK_TEXT(s->policy);
	CHECK_TEXT(s->mirror_dir);
	CHECK_TEXT(s->operators);
	CHECK_TEXT(s->auditors);
	CHECK_TEXT(s->approvers);
	CHECK_TEXT(s->viewers);
	CHECK(s->state_dir[0] == '/' && s->socket[0] == '/' && s->policy[0] == '/');
	CHECK(s->mirror_dir[0] == '/' || s->mirror_dir[0] == '\0');
	CHECK(s->max_geo_age_days >= 1);
	CHECK(s->mirror_format == CAPTURE_PCAPNG || s->mirror_format == CAPTURE_PCAP);
	CHECK(s->mirror_snaplen <= CAPTURE_LENGTH_MAX);
	CHECK(s->approvals <= 8);
	check_eal(s);
	check_wires(s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_copy(data, size);
	struct err_list errors = { 0 };
	struct settings *s = settings_parse(text, size, "input.ini", &errors);

	if (s == NULL) {
		CHECK(errno == EINVAL);
		fuzz_check_errors(&errors);
	} else {
		CHECK(errors.n_found == 0);
		check_settings(s);
	}
	free(s);
	free(text);
	return 0;
}
