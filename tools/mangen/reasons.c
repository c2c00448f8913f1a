/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes trefoil-reasons(7) from the closed list of reasons. */
#include "base/reason.h"

#include <stdio.h>

struct group {
	const char *title, *text;
	reason_t first, last;
};

static const struct group groups[] = {
	{ "JUDGED",
		"The frame was understood. The first ones are of frames that pass, the others of "
		"frames that are dropped or mirrored; special, non-ip and inbound name what "
		"decided.",
		REASON_APPROVED_PREFIX, REASON_OPAQUE_TUNNEL },
	{ "UNPARSABLE",
		"The frame could not be understood and gets the action of [policy] unparsable.",
		REASON_TRUNCATED, REASON_UNKNOWN_ETHERTYPE },
	{ "APPLIANCE", "The frame was lost to the state of the appliance, whatever it held.",
		REASON_NO_POLICY, REASON_LINK_DOWN },
};

static void
put_name(const char *name)
{
	for (; *name != '\0'; name++) {
		if (*name == '-')
			putchar('\\');
		putchar(*name);
	}
}

static void
put_group(const struct group *group)
{
	unsigned int reason;

	printf(".SH %s\n%s\n", group->title, group->text);
	for (reason = group->first; reason <= group->last; reason++) {
		fputs(".TP\n.B ", stdout);
		put_name(reason_name((reason_t)reason));
		printf("\n%s\n", reason_text((reason_t)reason));
	}
}

int
main(void)
{
	size_t i;

	puts(".\\\" SPDX-License-Identifier: BSD-3-Clause\n"
	     ".TH TREFOIL-REASONS 7 \"\" \"Trefoil\" \"Trefoil manual\"\n"
	     ".SH NAME\n"
	     "trefoil-reasons \\- why a frame got its verdict\n"
	     ".SH DESCRIPTION\n"
	     "Every frame gets exactly one verdict with exactly one of these reasons. The names "
	     "are the\n"
	     "keys of the counters, the values in JSON and in the annotations of the mirror. Of "
	     "several\n"
	     "addresses in a frame the first one that carries the strictest verdict decides; a "
	     "frame\n"
	     "that cannot be understood is unparsable whatever its addresses are.");
	for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		put_group(&groups[i]);
	puts(".SH SEE ALSO\n.BR trefoil-policy (5),\n.BR trefoild (8),\n.BR trefoilctl (8),\n"
	     ".BR trefoil-replay (1)");
	return ferror(stdout) ? 1 : 0;
}
