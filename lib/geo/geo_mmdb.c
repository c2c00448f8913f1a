/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * MaxMind DB files through libmaxminddb: an iterative walk of the whole search tree.
 *
 * IPv4 lives at ::/96 of an IPv6 tree. Other places of the tree that point to the same subtree
 * (::ffff:0:0/96, 2001::/32, 2002::/16) are aliases for readers and not data: they are left out.
 * Damaged trees end: no path is longer than an address and no tree has many more visits than nodes.
 * Damaged data ends: each record, and each country map, is decoded once however many leaves lead to
 * it.
 */
#include "geo/geo_import_impl.h"
#include "geo/geo_impl.h"

#include <errno.h>
#include <maxminddb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MARKER            "\xab\xcd\xefMaxMind.com"
#define MARKER_SIZE       (sizeof(MARKER) - 1)
#define METADATA_SIZE_MAX ((size_t)128 << 10)
#define VISITS_PER_NODE   4
#define DEPTH_MAX         128
#define NO_NODE           UINT32_MAX

/* What one data record says; a record without the wanted data is empty. */
struct record {
	const char *name; /* in the file, not terminated */
	uint32_t name_length;
	uint32_t asn;
	char country[2]; /* NUL, NUL = none */
};

struct mmdb {
	const struct geo_import *in;
	MMDB_s db;
	unsigned int bits;            /* of an address of the tree */
	uint32_t ipv4_node;           /* the root of ::/96 in an IPv6 tree, or NO_NODE */
	struct geo_intern seen, maps; /* offsets of records and of country maps */
	struct geo_bytes records;     /* struct record by number in seen */
	struct geo_bytes codes;       /* 2 characters by number in maps */
	struct ip_range pending;      /* neighbours with one record become one row */
	uint32_t pending_record;      /* NO_NODE = nothing pending */
	uint64_t n_visits, n_rows;
};

/* One side of a node. */
struct edge {
	ip6_t ip;
	size_t from; /* offset of its node in the file */
	uint32_t node;
	uint32_t data_offset;
	unsigned int depth; /* bits of ip that are set */
	uint8_t type;
};

static int
bad(const struct mmdb *m, size_t offset, const char *what)
{
	char key[40];

	snprintf(key, sizeof(key), "offset %zu", offset);
	return err_set(
		m->in->e, m->in->name, 0, key, "%s: the MMDB file is damaged, get it again", what);
}

static int
bad_data(const struct mmdb *m, uint32_t offset, const char *what)
{
	return bad(m, (size_t)(m->db.data_section - m->db.file_content) + offset, what);
}

static int
no_memory(const struct mmdb *m)
{
	return err_set_code(m->in->e, ENOMEM, m->in->name, 0, NULL, "out of memory");
}

/* The value of a key of a map. Returns 1, 0 when there is none, -EINVAL for damaged data. */
static int
get(struct mmdb *m, uint32_t offset, const char *key, MMDB_entry_data_s *out)
{
	MMDB_entry_s entry = { .mmdb = &m->db, .offset = offset };
	const char *const path[] = { key, NULL };
	int status = MMDB_aget_value(&entry, out, path);

	if (status == MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR)
		return 0;
	if (status != MMDB_SUCCESS)
		return bad_data(m, offset, MMDB_strerror(status));
	return out->has_data;
}

static int
get_string(struct mmdb *m, uint32_t offset, const char *const *keys, MMDB_entry_data_s *out)
{
	int rc = 0;

	for (; *keys != NULL && rc == 0; keys++) {
		rc = get(m, offset, *keys, out);
		if (rc == 1 && out->type != MMDB_DATA_TYPE_UTF8_STRING)
			rc = 0;
	}
	return rc;
}

/* A code from text: two capital letters, or one of the words for none. */
static int
set_code(struct mmdb *m, const MMDB_entry_data_s *text, char code[2])
{
	char word[8] = "";

	if (text->data_size < sizeof(word))
		memcpy(word, text->utf8_string, text->data_size);
	if (text->data_size == 2 && geo_is_country(word))
		memcpy(code, word, 2);
	else if (text->data_size >= sizeof(word) || !geo_import_is_no_country(word))
		return bad_data(m, text->offset, "a country that is not two capital letters");
	return 0;
}

/* iso_code of a country map, remembered by its offset. */
static int
code_of_map(struct mmdb *m, uint32_t offset, char code[2])
{
	static const char *const keys[] = { "iso_code", NULL };
	uint32_t number, n_before = (uint32_t)m->maps.n;
	MMDB_entry_data_s text;
	int rc;

	number = geo_intern_add(&m->maps, &offset, sizeof(offset));
	if (number == GEO_INTERN_FAILED)
		return no_memory(m);
	if (number == n_before) {
		rc = get_string(m, offset, keys, &text);
		if (rc == 1)
			rc = set_code(m, &text, code);
		if (rc < 0)
			return rc;
		geo_bytes_add(&m->codes, code, 2);
		if (m->codes.failed)
			return no_memory(m);
	}
	memcpy(code, m->codes.data + 2 * (size_t)number, 2);
	return 0;
}

/* country_code, country as text, country.iso_code, registered_country.iso_code. */
static int
read_country(struct mmdb *m, uint32_t offset, struct record *out)
{
	static const char *const keys[] = { "country_code", "country", "registered_country" };
	MMDB_entry_data_s value;
	size_t i;
	int rc;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]) && out->country[0] == '\0'; i++) {
		rc = get(m, offset, keys[i], &value);
		if (rc == 1 && value.type == MMDB_DATA_TYPE_MAP)
			rc = code_of_map(m, value.offset, out->country);
		else if (rc == 1 && value.type == MMDB_DATA_TYPE_UTF8_STRING)
			rc = set_code(m, &value, out->country);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* "AS13335" or "13335". */
static int
asn_of_text(struct mmdb *m, const MMDB_entry_data_s *text, uint32_t *out)
{
	const char *at = text->utf8_string, *end = at + text->data_size;
	uint64_t value = 0;

	if (end - at > 2 && at[0] == 'A' && at[1] == 'S')
		at += 2;
	for (; at < end && *at >= '0' && *at <= '9' && value <= UINT32_MAX; at++)
		value = value * 10 + (uint64_t)(*at - '0');
	if (at != end || value > UINT32_MAX)
		return bad_data(m, text->offset, "an ASN that is no AS number");
	*out = (uint32_t)value;
	return 0;
}

static int
asn_of_value(struct mmdb *m, const MMDB_entry_data_s *value, uint32_t *out)
{
	switch (value->type) {
	case MMDB_DATA_TYPE_UINT16:
		*out = value->uint16;
		return 0;
	case MMDB_DATA_TYPE_UINT32:
		*out = value->uint32;
		return 0;
	case MMDB_DATA_TYPE_UTF8_STRING:
		return asn_of_text(m, value, out);
	default:
		return bad_data(m, value->offset, "an ASN that is no AS number");
	}
}

static int
read_asn(struct mmdb *m, uint32_t offset, struct record *out)
{
	static const char *const names[] = { "autonomous_system_organization", "as_name", "name",
		"as_organization", NULL };
	MMDB_entry_data_s value;
	int rc = get(m, offset, "autonomous_system_number", &value);

	if (rc == 0)
		rc = get(m, offset, "asn", &value);
	if (rc == 1)
		rc = asn_of_value(m, &value, &out->asn);
	if (rc < 0 || out->asn == 0)
		return rc;
	rc = get_string(m, offset, names, &value);
	if (rc == 1) {
		out->name = value.utf8_string;
		out->name_length = value.data_size;
	}
	return rc < 0 ? rc : 0;
}

/* Number of the record at an offset, decoded the first time. Negative: an error. */
static int64_t
read_record(struct mmdb *m, uint32_t offset)
{
	uint32_t number, n_before = (uint32_t)m->seen.n;
	struct record r = { 0 };
	int rc;

	number = geo_intern_add(&m->seen, &offset, sizeof(offset));
	if (number == GEO_INTERN_FAILED)
		return no_memory(m);
	if (number < n_before)
		return number;
	rc = m->in->country ? read_country(m, offset, &r) : read_asn(m, offset, &r);
	if (rc != 0)
		return rc;
	geo_bytes_add(&m->records, &r, sizeof(r));
	return m->records.failed ? no_memory(m) : (int64_t)number;
}

static int
add_row(struct mmdb *m, const struct ip_range *range, const struct record *r)
{
	char name[GEO_NAME_MAX + 1] = "";
	int rc;

	m->n_rows++;
	if (m->in->country) {
		rc = geo_build_add_country(m->in->build, range, r->country, m->in->source);
	} else {
		if (r->name != NULL)
			geo_text_clean(r->name, r->name_length, name);
		rc = geo_build_add_asn(m->in->build, range, r->asn, name, m->in->source);
	}
	return rc == 0 ? 0 : no_memory(m);
}

/* The pending rows of the tree's address space, as IPv4 and IPv6 ones. */
static int
flush(struct mmdb *m)
{
	struct ip_range range = m->pending;
	struct record r;
	int rc = 0;

	if (m->pending_record == NO_NODE)
		return 0;
	memcpy(&r, m->records.data + m->pending_record * sizeof(r), sizeof(r));
	m->pending_record = NO_NODE;
	if (r.country[0] == '\0' && r.asn == 0)
		return 0;
	if (m->bits == 32 || range.first <= ip_max(4)) {
		range.version = 4;
		range.last = range.last < ip_max(4) ? range.last : ip_max(4);
		rc = add_row(m, &range, &r);
		range.first = ip_max(4) + 1;
	}
	if (m->bits == 32 || m->pending.last <= ip_max(4) || rc != 0)
		return rc;
	range.last = m->pending.last;
	range.version = 6;
	return add_row(m, &range, &r);
}

static int
add_leaf(struct mmdb *m, ip6_t first, unsigned int depth, uint32_t offset)
{
	ip6_t host = depth == 0 ? ip_max(6) : ((ip6_t)1 << (m->bits - depth)) - 1;
	int64_t number = read_record(m, offset);
	int rc;

	if (number < 0)
		return (int)number;
	if (m->pending_record == number && m->pending.last + 1 == first) {
		m->pending.last = first | host;
		return 0;
	}
	rc = flush(m);
	m->pending = (struct ip_range){ first, first | host, 6 };
	m->pending_record = (uint32_t)number;
	return rc;
}

/* What a side of a node leads to. */
static int
follow(struct mmdb *m, const struct edge *edge)
{
	switch (edge->type) {
	case MMDB_RECORD_TYPE_EMPTY:
		return 0;
	case MMDB_RECORD_TYPE_DATA:
		if (edge->data_offset >= m->db.data_section_size)
			return bad(m, edge->from, "the search tree points outside of the data");
		return add_leaf(m, edge->ip, edge->depth, edge->data_offset);
	case MMDB_RECORD_TYPE_SEARCH_NODE:
		return 0;
	default:
		return bad(m, edge->from, "the search tree points outside of the file");
	}
}

/* True for what must be walked further: a node, and no alias of IPv4. */
static bool
is_open(const struct mmdb *m, const struct edge *edge)
{
	return edge->type == MMDB_RECORD_TYPE_SEARCH_NODE &&
	       (edge->node != m->ipv4_node || (edge->depth == 96 && edge->ip == 0));
}

/* Replace a node on top of the stack by its two sides, the left one on top. */
static int
expand(struct mmdb *m, const struct edge *at, struct edge *stack, unsigned int *n)
{
	size_t from = (size_t)at->node * m->db.full_record_byte_size;
	MMDB_search_node_s node;
	ip6_t bit;

	if (at->depth == m->bits || at->node >= m->db.metadata.node_count)
		return bad(m, from, "the search tree is deeper than an address");
	if (++m->n_visits > (uint64_t)m->db.metadata.node_count * VISITS_PER_NODE)
		return bad(m, from, "the search tree is no tree");
	if (MMDB_read_node(&m->db, at->node, &node) != MMDB_SUCCESS)
		return bad(m, from, "the search tree has no such node");
	bit = (ip6_t)1 << (m->bits - at->depth - 1);
	stack[(*n)++] = (struct edge){ at->ip | bit, from, (uint32_t)node.right_record,
		node.right_record_entry.offset, at->depth + 1, node.right_record_type };
	stack[(*n)++] = (struct edge){ at->ip, from, (uint32_t)node.left_record,
		node.left_record_entry.offset, at->depth + 1, node.left_record_type };
	return 0;
}

static int
walk(struct mmdb *m)
{
	struct edge stack[DEPTH_MAX + 2];
	unsigned int n = 1;
	int rc = 0;

	stack[0] = (struct edge){ .type = MMDB_RECORD_TYPE_SEARCH_NODE };
	while (n > 0 && rc == 0) {
		struct edge edge = stack[--n];

		rc = is_open(m, &edge) ? expand(m, &edge, stack, &n) : follow(m, &edge);
	}
	return rc == 0 ? flush(m) : rc;
}

/* The node of ::/96, or NO_NODE when a leaf lies above it. */
static uint32_t
find_ipv4_node(const struct mmdb *m)
{
	MMDB_search_node_s node;
	uint32_t at = 0;
	unsigned int depth;

	for (depth = 0; m->bits == 128 && depth < 96; depth++) {
		if (at >= m->db.metadata.node_count ||
			MMDB_read_node(&m->db, at, &node) != MMDB_SUCCESS ||
			node.left_record_type != MMDB_RECORD_TYPE_SEARCH_NODE)
			return NO_NODE;
		at = (uint32_t)node.left_record;
	}
	return m->bits == 128 ? at : NO_NODE;
}

static int
read_database(struct mmdb *m)
{
	const MMDB_metadata_s *metadata = &m->db.metadata;
	const char *what = m->in->country ? "country" : "ASN";
	int rc;

	if (metadata->ip_version != 4 && metadata->ip_version != 6)
		return bad(m, 0, "impossible ip_version in the metadata");
	if (metadata->node_count == 0)
		return bad(m, 0, "the search tree is empty");
	m->bits = metadata->ip_version == 4 ? 32 : 128;
	m->ipv4_node = find_ipv4_node(m);
	rc = walk(m);
	if (rc == 0 && m->n_rows == 0)
		return err_set(m->in->e, m->in->name, 0, NULL,
			"the database (type '%.60s') has no %s data", metadata->database_type,
			what);
	return rc;
}

/* The build epoch, unless it lies in the future: then it is no date. */
static void
note_epoch(const struct mmdb *m)
{
	uint64_t epoch = m->db.metadata.build_epoch;

	if (epoch <= (uint64_t)time(NULL))
		geo_build_note_time(m->in->build, epoch);
}

/* The metadata begin at a marker near the end. */
static const char *
find_marker(const void *bytes, size_t size)
{
	size_t skip = size > METADATA_SIZE_MAX ? size - METADATA_SIZE_MAX : 0;

	return memmem((const char *)bytes + skip, size - skip, MARKER, MARKER_SIZE);
}

/* libmaxminddb opens names only: the bytes, which nobody else can change, get one in memory. */
static int
bytes_to_fd(const void *bytes, size_t size)
{
	int fd = memfd_create("mmdb", MFD_CLOEXEC);
	size_t done = 0;
	ssize_t n;

	while (fd >= 0 && done < size) {
		n = write(fd, (const char *)bytes + done, size - done);
		if (n <= 0) {
			close(fd);
			return -1;
		}
		done += (size_t)n;
	}
	return fd;
}

static int
open_bytes(struct mmdb *m, const void *bytes, size_t size)
{
	int status, fd = bytes_to_fd(bytes, size);
	char path[40];

	if (fd < 0)
		return no_memory(m);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	status = MMDB_open(path, MMDB_MODE_MMAP, &m->db);
	close(fd);
	if (status == MMDB_SUCCESS)
		return 0;
	return bad(
		m, (size_t)(find_marker(bytes, size) - (const char *)bytes), MMDB_strerror(status));
}

bool
geo_mmdb_is(const void *bytes, size_t size)
{
	return size > 0 && find_marker(bytes, size) != NULL;
}

int
geo_mmdb_read(const struct geo_import *in, const void *bytes, size_t size)
{
	struct mmdb m = { .in = in, .pending_record = NO_NODE };
	int rc = open_bytes(&m, bytes, size);

	if (rc != 0)
		return rc;
	rc = read_database(&m);
	if (rc == 0)
		note_epoch(&m);
	MMDB_close(&m.db);
	geo_intern_fini(&m.seen);
	geo_intern_fini(&m.maps);
	geo_bytes_fini(&m.records);
	geo_bytes_fini(&m.codes);
	return rc;
}
