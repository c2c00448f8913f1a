/* SPDX-License-Identifier: BSD-3-Clause */
/* Origins as text and JSON. */
#include "trefoil_geo.h"

#include <stdio.h>
#include <string.h>

static bool
country_is_known(const struct geo_origin *o)
{
	return memcmp(o->country, GEO_UNKNOWN_COUNTRY, 2) != 0;
}

void
print_origin(const struct geo_origin *o)
{
	printf("%.*s", country_is_known(o) ? 2 : 1, country_is_known(o) ? o->country : "-");
	if (o->asn == 0)
		printf(" -");
	else
		printf(" AS%u%s%s", o->asn, o->as_name[0] != '\0' ? " " : "", o->as_name);
}

void
json_set_origin(json_t *object, const struct geo_origin *o)
{
	json_object_set_new(
		object, "country", country_is_known(o) ? json_stringn(o->country, 2) : json_null());
	json_object_set_new(object, "asn", json_integer(o->asn));
	json_object_set_new(object, "as_name", json_string(o->as_name));
}
