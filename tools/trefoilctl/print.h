/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * print: values for people: safe text, numbers with units, aligned tables.
 * Threads: none shared.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A copy of `text` that cannot drive a terminal: control characters, bidirectional overrides and
 * bytes that are no UTF-8 are written as \x1b or \u202e. For free(); exits when memory is out. */
char *print_safe(const char *text);

/* "1,234,567", "12.3 GB", "3 d 04:05:06": to `buf`, which is returned. */
const char *print_count(uint64_t n, char *buf, size_t size);
const char *print_bytes(uint64_t n, char *buf, size_t size);
const char *print_duration(uint64_t seconds, char *buf, size_t size);

struct table;

/* A table with these column heads; NULL ends them. They must outlive it. */
struct table *table_new(const char *const *heads);

/* Rows are printed by descending weight, equal ones as they came. */
void table_row(struct table *t, uint64_t weight);

/* The next cell of the last row; takes over `text`, NULL = "-". Numbers go to the right. */
void table_cell(struct table *t, char *text, bool is_number);

/* Print and free. A table without rows prints nothing. */
void table_end(struct table *t, FILE *out);
