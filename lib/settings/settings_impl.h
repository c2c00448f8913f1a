/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * settings_impl: what a key's value is for, in schema_key.id: a kind and an offset in the struct.
 * Threads: constants only.
 */
#pragma once

#include "settings/settings.h"

enum setting_kind {
	SETTING_TEXT,   /* char[], as long as key->max and its NUL */
	SETTING_UINT,   /* unsigned int */
	SETTING_SWITCH, /* bool */
	SETTING_CORES,
	SETTING_IDLE,
	SETTING_VDEV,
	SETTING_INSIDE, /* from here on: of the wire that was begun last */
	SETTING_OUTSIDE,
	SETTING_QUEUES,
	SETTING_MTU,
	SETTING_LINK_PROPAGATION,
	SETTING_LINK_HOLD_DOWN,
	SETTING_LINK_SETTLE,
	SETTING_FORMAT,
	SETTING_SNAPLEN,
	SETTING_UINT64,       /* uint64_t; a word is 0 */
	SETTING_UINT_OR_WORD, /* unsigned int; a word is 0 */
	SETTING_CANARY,
	SETTING_LISTEN, /* char[], an address and a port */
};

#define SETTING_ID(kind, field) ((size_t)SETTING_##kind << 24 | offsetof(struct settings, field))
#define SETTING_ID_KIND(id)     ((enum setting_kind)((id) >> 24))
#define SETTING_ID_INDEX(id)    ((id)&0xffffff)
