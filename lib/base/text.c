/* SPDX-License-Identifier: BSD-3-Clause */
/* Edit distances are Levenshtein's, over two rows; words longer than the row are not compared. */
#include "base/text.h"

#include <string.h>
#include <strings.h>

#define LENGTH_MAX 63

static unsigned int
min3(unsigned int a, unsigned int b, unsigned int c)
{
	unsigned int m = a < b ? a : b;

	return m < c ? m : c;
}

static unsigned int
distance(const char *a, const char *b)
{
	size_t i, j, n_a = strlen(a), n_b = strlen(b);
	unsigned int row[LENGTH_MAX + 1], diagonal, above;

	if (n_a > LENGTH_MAX || n_b > LENGTH_MAX)
		return LENGTH_MAX;
	if (strcasecmp(a, b) == 0)
		return 0;
	for (j = 0; j <= n_b; j++)
		row[j] = (unsigned int)j;
	for (i = 1; i <= n_a; i++) {
		diagonal = row[0];
		row[0] = (unsigned int)i;
		for (j = 1; j <= n_b; j++) {
			above = row[j];
			row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[n_b];
}

const char *
text_nearest(const char *word, const char *const *words, size_t n_words)
{
	size_t i, limit = strlen(word) / 2;
	unsigned int d, best = LENGTH_MAX;
	const char *found = NULL;

	if (limit == 0)
		limit = 1;
	for (i = 0; i < n_words; i++) {
		if (words[i] == NULL)
			continue;
		d = distance(word, words[i]);
		if (d <= limit && d < best) {
			best = d;
			found = words[i];
		}
	}
	return found;
}

void
text_copy(char *out, size_t size, const char *text)
{
	size_t n = strnlen(text, size);

	if (n == size)
		for (n--; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80; n--)
			;
	memcpy(out, text, n);
	out[n] = '\0';
}

bool
text_has_control(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	return false;
}
