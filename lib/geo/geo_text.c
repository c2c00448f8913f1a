/* SPDX-License-Identifier: BSD-3-Clause */
/* Names come from foreign files and end on terminals and in JSON: only clean UTF-8 gets in. */
#include "geo/geo_impl.h"

#include <string.h>

/* Sequence length that a lead byte announces, 0 for none. C0, C1 and F5.. never occur (RFC 3629).
 */
static size_t
lead_length(uint8_t lead)
{
	if (lead >= 0x20 && lead < 0x7f)
		return 1;
	if (lead >= 0xc2 && lead < 0xe0)
		return 2;
	if (lead >= 0xe0 && lead < 0xf0)
		return 3;
	return lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
}

/* Overlong forms, surrogates, beyond U+10FFFF, and the control characters U+0080..U+009F. */
static bool
second_is_bad(uint8_t lead, uint8_t second)
{
	return (lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
	       (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f) ||
	       (lead == 0xc2 && second < 0xa0);
}

size_t
geo_text_step(const char *text, size_t length)
{
	const uint8_t *byte = (const uint8_t *)text;
	size_t i, n = length > 0 ? lead_length(byte[0]) : 0;

	if (n == 0 || n > length)
		return 0;
	for (i = 1; i < n; i++)
		if ((byte[i] & 0xc0) != 0x80)
			return 0;
	return n > 1 && second_is_bad(byte[0], byte[1]) ? 0 : n;
}

bool
geo_text_is_clean(const char *text, size_t length)
{
	size_t i, step;

	if (length > GEO_NAME_MAX)
		return false;
	for (i = 0; i < length; i += step) {
		step = geo_text_step(text + i, length - i);
		if (step == 0)
			return false;
	}
	return true;
}

size_t
geo_text_clean(const char *text, size_t length, char *out)
{
	size_t i = 0, n = 0, step;

	while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
		length--;
	while (i < length && (text[i] == ' ' || text[i] == '\t'))
		i++;
	for (; i<length; i += step> 0 ? step : 1) {
		step = geo_text_step(text + i, length - i);
		if (n + (step > 0 ? step : 1) > GEO_NAME_MAX)
			break;
		if (step == 0)
			out[n] = '?';
		else
			memcpy(out + n, text + i, step);
		n += step > 0 ? step : 1;
	}
	while (n > 0 && out[n - 1] == ' ')
		n--;
	out[n] = '\0';
	return n;
}

bool
geo_is_country(const char country[2])
{
	return country[0] >= 'A' && country[0] <= 'Z' && country[1] >= 'A' && country[1] <= 'Z';
}
