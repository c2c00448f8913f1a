/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture_impl: a stream filter in front of libpcap.
 * Threads: as the stream's user.
 */
#pragma once

#include <stdio.h>

/* A read-only stream of what `source` holds, in which every interface of a pcapng file after the
 * first claims the snapshot length of the first: libpcap refuses files whose interfaces differ in
 * it, although it has no use for those of the later ones. Other formats pass as they are. Closing
 * it closes `source`, unless that is stdin; on failure `source` is untouched. NULL + errno. */
FILE *capture_equalize(FILE *source);
