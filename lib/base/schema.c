/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One pass over the file by ini_read(); each key is found in the table, its value split and
 * checked by type, and handed on. What was not given follows as the table's default through the
 * same checks, so that the documented default and the real one cannot differ.
 */
#include "base/schema.h"

#include "base/text.h"
#include "base/verdict.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define WORDS_MAX 160

static const char *const action_words[] = { "pass", "approve", "mirror", "drop", "drop+mirror",
	NULL };
static const char *const switch_words[] = { "yes", "no", NULL };

static void __attribute__((format(printf, 4, 0))) fail_va(struct schema_reader *r,
	unsigned int line, const char *key, const char *format, va_list args)
{
	struct err *e = err_list_next(r->errors);
	char message[sizeof(e->message)];

	r->n_errors++;
	if (e == NULL)
		return;
	vsnprintf(message, sizeof(message), format, args);
	err_set(e, r->file, line, key, "%s", message);
}

int
schema_fail(struct schema_reader *r, const char *format, ...)
{
	char key[2 * INI_NAME_MAX + 8] = "";
	va_list args;

	if (r->key != NULL)
		snprintf(key, sizeof(key), "[%s] %s", r->header, r->key);
	else if (r->header[0] != '\0')
		snprintf(key, sizeof(key), "[%s]", r->header);
	va_start(args, format);
	fail_va(r, r->line, key, format, args);
	va_end(args);
	return 0;
}

int
schema_fail_at(struct schema_reader *r, unsigned int line, const char *key, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fail_va(r, line, key, format, args);
	va_end(args);
	return 0;
}

const char *
schema_hint(const struct schema_reader *r, char buf[SCHEMA_HINT_SIZE], const char *word,
	const char *const *words, size_t n_words)
{
	const char *near = NULL;

	buf[0] = '\0';
	if (r->errors != NULL && r->errors->n < ERR_LIST_MAX)
		near = text_nearest(word, words, n_words);
	if (near != NULL)
		snprintf(buf, SCHEMA_HINT_SIZE, " (did you mean '%s'?)", near);
	return buf;
}

/* Where the keys of a section begin in reader->seen. */
static unsigned int
seen_base(const struct schema *schema, const struct schema_section *section)
{
	const struct schema_section *s;
	size_t n = 0;

	for (s = schema->sections; s < section; s++)
		n += s->n_keys;
	assert(n + section->n_keys <= SCHEMA_KEYS_MAX);
	return (unsigned int)n;
}

static const struct schema_key *
find_key(const struct schema_section *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->n_keys; i++)
		if (strcmp(s->keys[i].name, name) == 0)
			return &s->keys[i];
	return NULL;
}

/* The section whose name is the first `length` bytes of `name`. */
static const struct schema_section *
find_section(const struct schema *schema, const char *name, size_t length)
{
	size_t i;

	for (i = 0; i < schema->n_sections; i++)
		if (strlen(schema->sections[i].name) == length &&
			memcmp(schema->sections[i].name, name, length) == 0)
			return &schema->sections[i];
	return NULL;
}

unsigned int
schema_line(const struct schema_reader *r, const char *section, const char *key)
{
	const struct schema_section *s = find_section(r->schema, section, strlen(section));
	const struct schema_key *k = s != NULL ? find_key(s, key) : NULL;

	return k != NULL ? r->seen[seen_base(r->schema, s) + (k - s->keys)] : 0;
}

/* Append the words of an array that ends with NULL. Returns the new count. */
static size_t
add_words(const char **words, size_t n, const char *const *more)
{
	for (; more != NULL && *more != NULL && n < WORDS_MAX; more++)
		words[n++] = *more;
	return n;
}

/* `own`: the words of the type itself. */
static int
fail_word(struct schema_reader *r, const struct schema_value *v, const char *const *own)
{
	const char *words[WORDS_MAX];
	char hint[SCHEMA_HINT_SIZE], values[256];
	size_t n = add_words(words, 0, own);

	n = add_words(words, n, v->key->words);
	schema_values_format(v->key, values, sizeof(values));
	schema_hint(r, hint, v->text, words, n);
	return schema_fail(r, "'%s' is not one of %s%s", v->text, values, hint);
}

/* Decimal without sign, blanks or leading zeros. Returns 0, -EINVAL, -ERANGE. */
static int
parse_number(const char *text, uint64_t *out)
{
	size_t length = strlen(text);

	if (length == 0 || strspn(text, "0123456789") != length || (text[0] == '0' && length > 1))
		return -EINVAL;
	errno = 0;
	*out = strtoull(text, NULL, 10);
	return errno != 0 ? -ERANGE : 0;
}

static bool
fits_number(struct schema_reader *r, struct schema_value *v)
{
	const struct schema_key *k = v->key;
	const char *unit = k->unit != NULL ? k->unit : "";
	char hint[SCHEMA_HINT_SIZE];
	size_t n_words = 0;
	int code = parse_number(v->text, &v->number);

	if (code == 0 && v->number >= k->min && v->number <= k->max)
		return true;
	while (k->words != NULL && k->words[n_words] != NULL)
		n_words++;
	if (code == -EINVAL)
		schema_fail(r, "'%s' is not a whole decimal number%s%s", v->text,
			n_words > 0 ? " nor a known word" : "",
			schema_hint(r, hint, v->text, k->words, n_words));
	else
		schema_fail(r, "'%s' is outside %" PRIu64 "..%" PRIu64 "%s%s", v->text, k->min,
			k->max, unit[0] != '\0' ? " " : "", unit);
	return false;
}

static bool
fits_text(struct schema_reader *r, const struct schema_value *v)
{
	const struct schema_key *k = v->key;
	size_t length = strlen(v->text);

	if (k->type == SCHEMA_PATH && v->text[0] != '/')
		schema_fail(r, "'%s' is not an absolute path", v->text);
	else if (length < k->min || length > k->max)
		schema_fail(r, "'%s' has %zu bytes, not %" PRIu64 "..%" PRIu64, v->text, length,
			k->min, k->max);
	else
		return true;
	return false;
}

static bool
fits_action(struct schema_reader *r, struct schema_value *v)
{
	verdict_t verdict;

	if (verdict_parse(v->text, &verdict) != 0) {
		fail_word(r, v, action_words);
		return false;
	}
	v->number = verdict;
	return true;
}

static bool
fits(struct schema_reader *r, struct schema_value *v)
{
	const struct schema_key *k = v->key;

	for (v->word = 0; k->words != NULL && k->words[v->word] != NULL; v->word++)
		if (strcmp(v->text, k->words[v->word]) == 0)
			return true;
	v->word = -1;
	if (k->type == SCHEMA_TEXT || k->type == SCHEMA_PATH)
		return fits_text(r, v);
	if (k->type == SCHEMA_NUMBER)
		return fits_number(r, v);
	if (k->type == SCHEMA_ACTION)
		return fits_action(r, v);
	v->number = strcmp(v->text, "yes") == 0;
	if (k->type == SCHEMA_SWITCH && (v->number == 1 || strcmp(v->text, "no") == 0))
		return true;
	fail_word(r, v, k->type == SCHEMA_SWITCH ? switch_words : NULL);
	return false;
}

static int
take_item(struct schema_reader *r, struct schema_value *v)
{
	if (v->key->many == SCHEMA_LIST && strchr(v->text, ',') != NULL)
		return schema_fail(r, "'%s': blanks separate the items, not commas", v->text);
	return fits(r, v) ? r->sink->value(r, v) : 0;
}

/* A default may have commas between its items, for it may come from a list of macro arguments. */
static int
take_list(struct schema_reader *r, struct schema_value *v, const char *text)
{
	const char *separators = v->line != 0 ? " \t" : " ,";
	char buf[INI_LINE_MAX + 1];
	char *save, *item;
	int code = 0;

	snprintf(buf, sizeof(buf), "%s", text);
	for (item = strtok_r(buf, separators, &save); item != NULL && code == 0;
		item = strtok_r(NULL, separators, &save)) {
		v->text = item;
		code = take_item(r, v);
	}
	return code;
}

static int
take(struct schema_reader *r, const struct schema_section *s, const struct schema_key *k,
	const char *text, unsigned int line)
{
	struct schema_value v = { .section = s, .key = k, .text = text, .line = line };

	r->key = k->name;
	r->line = line;
	return k->many == SCHEMA_LIST ? take_list(r, &v, text) : take_item(r, &v);
}

/* Defaults of one section, and what it lacks. */
static int
finish_section(struct schema_reader *r, const struct schema_section *s)
{
	unsigned int *seen = r->seen + seen_base(r->schema, s);
	const struct schema_key *k;
	size_t i;
	int code = 0;

	for (i = 0; i < s->n_keys && code == 0; i++) {
		k = &s->keys[i];
		if (seen[i] == 0 && k->fallback != NULL)
			code = take(r, s, k, k->fallback, 0);
		if (seen[i] == 0 && k->required) {
			r->key = NULL;
			r->line = r->section_line;
			schema_fail(r, "'%s' is missing", k->name);
		}
	}
	return code;
}

static int
finish_named(struct schema_reader *r)
{
	const struct schema_section *s = r->section;

	return s != NULL && s->named ? finish_section(r, s) : 0;
}

static int
finish_plain(struct schema_reader *r)
{
	const struct schema_section *s = r->schema->sections;
	size_t i;
	int code = 0;

	for (i = 0; i < r->schema->n_sections && code == 0; i++) {
		snprintf(r->header, sizeof(r->header), "%s", s[i].name);
		if (!s[i].named)
			code = finish_section(r, &s[i]);
	}
	return code;
}

static int
fail_section(struct schema_reader *r, const char *name)
{
	const char *words[WORDS_MAX];
	char hint[SCHEMA_HINT_SIZE];
	size_t i, n = r->schema->n_sections;

	for (i = 0; i < n; i++)
		words[i] = r->schema->sections[i].name;
	return schema_fail(
		r, "'%s' is not a section%s", name, schema_hint(r, hint, name, words, n));
}

/* Letters, digits, '-', '_' and '.'; once only in any case, for people confuse them. */
static bool
name_fits(struct schema_reader *r, const char *name)
{
	unsigned int i;

	if (name[0] == '\0' || strchr("-_.", name[0]) != NULL ||
		name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				  "-_.")] != '\0') {
		schema_fail(r, "'%s' is not a name: letters, digits, '-', '_' and '.'", name);
		return false;
	}
	for (i = 0; i < r->n_named; i++)
		if (strcasecmp(r->named[i], r->header) == 0) {
			schema_fail(r, "there is already a [%s]", r->named[i]);
			return false;
		}
	return true;
}

static int
begin_named(struct schema_reader *r, const struct schema_section *s, const char *name)
{
	if (r->n_named == SCHEMA_NAMED_MAX)
		return schema_fail(r, "more than %u named sections", SCHEMA_NAMED_MAX);
	if (!name_fits(r, name))
		return 0;
	snprintf(r->named[r->n_named++], sizeof(r->named[0]), "%s", r->header);
	memset(r->seen + seen_base(r->schema, s), 0, s->n_keys * sizeof(r->seen[0]));
	r->section = s;
	return r->sink->section(r, s, name);
}

static int
begin_section(void *context, unsigned int line, const char *name)
{
	struct schema_reader *r = context;
	const struct schema_section *s;
	size_t length;
	int code = finish_named(r);

	r->section = NULL;
	r->key = NULL;
	r->line = r->section_line = line;
	if (code != 0 || name == NULL)
		return code;
	length = strcspn(name, " \t");
	snprintf(r->header, sizeof(r->header), "%s", name);
	s = find_section(r->schema, name, length);
	if (s == NULL)
		return fail_section(r, name);
	if (s->named && name[length] != '\0') {
		name += length + strspn(name + length, " \t");
		snprintf(r->header, sizeof(r->header), "%s %s", s->name, name);
		return begin_named(r, s, name);
	}
	if (s->named)
		return schema_fail(r, "[%s] needs a name: [%s NAME]", s->name, s->name);
	if (name[length] != '\0')
		return schema_fail(r, "[%s] takes no name", s->name);
	r->section = s;
	return 0;
}

static int
fail_key(struct schema_reader *r, const char *name)
{
	const struct schema_section *s = r->section;
	const char *words[WORDS_MAX];
	char hint[SCHEMA_HINT_SIZE], valid[256];
	size_t i, at = 0;

	for (i = 0; i < s->n_keys && at < sizeof(valid); i++) {
		words[i] = s->keys[i].name;
		at += (size_t)snprintf(
			valid + at, sizeof(valid) - at, "%s%s", i > 0 ? ", " : "", words[i]);
	}
	schema_hint(r, hint, name, words, i);
	r->key = name;
	if (hint[0] != '\0')
		schema_fail(r, "'%s' is not a key of [%s]%s", name, s->name, hint);
	else
		schema_fail(r, "'%s' is not a key of [%s], which has: %s", name, s->name, valid);
	r->key = NULL;
	return 0;
}

static int
take_entry(void *context, unsigned int line, const char *name, const char *value)
{
	struct schema_reader *r = context;
	const struct schema_key *k;
	unsigned int *seen;

	r->line = line;
	r->key = NULL;
	if (r->section == NULL)
		return r->section_line == 0
			       ? schema_fail(r, "'%s' stands in front of the first [section]", name)
			       : 0;
	k = find_key(r->section, name);
	if (k == NULL)
		return fail_key(r, name);
	seen = &r->seen[seen_base(r->schema, r->section) + (k - r->section->keys)];
	r->key = k->name;
	if (*seen != 0 && k->many == SCHEMA_ONCE)
		return schema_fail(r, "'%s' was already given in line %u", name, *seen);
	*seen = line;
	return take(r, r->section, k, value, line);
}

int
schema_read(struct schema_reader *r, const struct schema *schema, const struct schema_sink *sink,
	void *context, const char *text, size_t size, const char *file, struct err_list *errors)
{
	const struct ini_sink ini = { .section = begin_section, .entry = take_entry, .context = r };
	int code;

	memset(r, 0, sizeof(*r));
	r->schema = schema;
	r->sink = sink;
	r->context = context;
	r->file = file;
	r->errors = errors;
	code = ini_read(text, size, file, &ini, errors);
	r->n_errors += code == -EINVAL;
	if (code == 0 || code == -EINVAL)
		code = finish_named(r);
	r->section = NULL;
	if (code == 0)
		code = finish_plain(r);
	if (code == 0 && r->n_errors > 0)
		code = -EINVAL;
	return code;
}

static size_t
append(char *buf, size_t size, size_t at, const char *word)
{
	if (at < size)
		at += (size_t)snprintf(buf + at, size - at, "%s%s", at > 0 ? "|" : "", word);
	return at;
}

const char *
schema_values_format(const struct schema_key *key, char *buf, size_t size)
{
	const char *const *words = key->words;
	char range[48];
	size_t at = 0;

	buf[0] = '\0';
	for (; words != NULL && *words != NULL; words++)
		at = append(buf, size, at, *words);
	if (key->type == SCHEMA_ACTION || key->type == SCHEMA_SWITCH)
		for (words = key->type == SCHEMA_ACTION ? action_words : switch_words;
			*words != NULL; words++)
			at = append(buf, size, at, *words);
	if (key->type == SCHEMA_NUMBER) {
		snprintf(range, sizeof(range), "%" PRIu64 "..%" PRIu64, key->min, key->max);
		at = append(buf, size, at, range);
	}
	if (key->type == SCHEMA_TEXT || key->type == SCHEMA_PATH)
		append(buf, size, at,
			key->item != NULL          ? key->item
			: key->type == SCHEMA_PATH ? "PATH"
						   : "TEXT");
	return buf;
}
