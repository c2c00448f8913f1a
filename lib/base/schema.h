/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * schema: which sections and keys an INI file may have, their types, ranges, defaults and help, as
 * one table. Reading a file, error texts and the manual's tables all come from it.
 *
 * Threads: a schema is constant; each struct schema_reader belongs to one thread.
 * Units: see schema_key.unit.
 */
#pragma once

#include "base/err.h"
#include "base/ini.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum schema_type {
	SCHEMA_TEXT,   /* printable UTF-8, min..max bytes */
	SCHEMA_PATH,   /* absolute path, at most max bytes */
	SCHEMA_NUMBER, /* decimal, min..max */
	SCHEMA_SWITCH, /* yes or no */
	SCHEMA_ACTION, /* pass, approve, mirror, drop, drop+mirror */
	SCHEMA_WORD,   /* one of `words` */
};

enum schema_many {
	SCHEMA_ONCE,   /* a second one is an error */
	SCHEMA_REPEAT, /* may repeat, one value each */
	SCHEMA_LIST,   /* may repeat, blanks separate the items, the lists add up */
};

struct schema_key {
	const char *name;
	enum schema_type type;
	enum schema_many many;
	bool required;
	uint64_t min, max;
	const char *const *words; /* ends with NULL; beside the type's own values; NULL = none */
	const char *fallback;     /* the default as text, NULL = none */
	const char *unit;         /* "bytes", NULL = none */
	const char *item;         /* what an item is called in the manual: "CODE|GROUP" */
	const char *help;
	size_t id; /* the consumer's own: an enum or an offset */
};

struct schema_section {
	const char *name; /* "policy"; "group" of [group NAME] */
	bool named;       /* [name NAME], any number of them */
	const char *help;
	const struct schema_key *keys;
	size_t n_keys;
};

struct schema {
	const struct schema_section *sections;
	size_t n_sections;
};

#define SCHEMA_KEYS_MAX  128 /* of all sections of a schema */
#define SCHEMA_NAMED_MAX 256 /* named sections of a file */

/* One value, or one item of a list, that fits its type. */
struct schema_value {
	const struct schema_section *section;
	const struct schema_key *key;
	const char *text;  /* as written */
	unsigned int line; /* 0 = the schema's default */
	int word;          /* index into key->words, -1 = none of them */
	uint64_t number;   /* of a number, a switch (0, 1), an action (verdict_t) */
};

struct schema_reader;

/* What the consumer does; 0 to go on (also after schema_fail) or -errno to stop. */
struct schema_sink {
	/* [kind NAME] begins. May set r->section to NULL to have its keys skipped. May be NULL when
	 * the schema has no named sections. */
	int (*section)(struct schema_reader *r, const struct schema_section *s, const char *name);
	int (*value)(struct schema_reader *r, const struct schema_value *v);
};

/* One reading. Fields are read-only for the consumer. */
struct schema_reader {
	const struct schema *schema;
	const struct schema_sink *sink;
	void *context;
	const char *file; /* as errors call it */
	struct err_list *errors;
	unsigned int n_errors;

	const struct schema_section *section; /* NULL = keys are skipped */
	char header[INI_NAME_MAX + 1];        /* "group nordics" */
	const char *key;                      /* NULL = none */
	unsigned int line, section_line;
	unsigned int seen[SCHEMA_KEYS_MAX]; /* line of the last one, 0 = not seen */
	char named[SCHEMA_NAMED_MAX][INI_NAME_MAX + 1];
	unsigned int n_named;
};

/* Read a text. Values come in the order of the file; keys that were not given come with line 0 and
 * the default's text: those of a named section when it ends, all others at the end of the file.
 * Initialises `r`, which may be used for schema_fail() afterwards. Returns 0, -EINVAL (errors say
 * what), -EFBIG, or what `sink` stopped with. */
int schema_read(struct schema_reader *r, const struct schema *schema,
	const struct schema_sink *sink, void *context, const char *text, size_t size,
	const char *file, struct err_list *errors);

/* Report an error of the value that is being read, or of any line and key. Always returns 0. */
int schema_fail(struct schema_reader *r, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
int schema_fail_at(struct schema_reader *r, unsigned int line, const char *key, const char *format,
	...) __attribute__((format(printf, 4, 5)));

/* " (did you mean 'X'?)", or "" when no word is near or nobody will read it. `words` is an array of
 * n; NULL entries are skipped. Returns `buf`. */
#define SCHEMA_HINT_SIZE 96
const char *schema_hint(const struct schema_reader *r, char buf[SCHEMA_HINT_SIZE], const char *word,
	const char *const *words, size_t n_words);

/* Line in which a key of a plain section was given (last), 0 = not given. */
unsigned int schema_line(const struct schema_reader *r, const char *section, const char *key);

/* What a value of the key looks like: "1..64", "yes|no", "outer|pass|mirror|drop|drop+mirror".
 * Returns `buf`. */
const char *schema_values_format(const struct schema_key *key, char *buf, size_t size);
