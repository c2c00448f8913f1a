/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * country: the country codes a policy may name: ISO 3166-1 alpha-2, and two that data sources have
 * beside it: XK (Kosovo, by common use) and AN (Netherlands Antilles, withdrawn in 2010).
 * Threads: pure functions over a constant table.
 * Source: ISO 3166-1 as of 2026, names in common English.
 */
#pragma once

#include <stddef.h>

struct country {
	char code[3];   /* alpha-2 */
	char alpha3[4]; /* what people write instead; "" = none */
	const char *name;
};

/* All of them, sorted by code. */
const struct country *country_all(size_t *n);

/* The country of a code of two letters (`code` needs no NUL), or NULL. */
const struct country *country_find(const char code[2]);

/* The one that somebody meant by a word that is no code: an alpha-3 code, a name, "UK"; or NULL. */
const struct country *country_guess(const char *word);
