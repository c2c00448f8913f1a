/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads over the segments of a frame. A header within one segment is read in place, one that
 * straddles segments is copied to the walk's scratch. Reads go forward, so the segment of the last
 * one is where the search starts; nothing outside a segment's data_len is touched.
 */
#include "packet_impl.h"

/* Make w->segment the one that holds `offset`. Returns false when there is none. */
static bool
seek(struct packet_walk *w, uint32_t offset)
{
	if (offset < w->segment_start) {
		w->segment = w->m;
		w->segment_start = 0;
	}
	while (offset - w->segment_start >= w->segment->data_len) {
		if (w->segment->next == NULL)
			return false;
		w->segment_start += w->segment->data_len;
		w->segment = w->segment->next;
	}
	return true;
}

static const uint8_t *
copy(struct packet_walk *w, uint32_t offset, uint32_t size)
{
	const struct rte_mbuf *segment = w->segment;
	uint32_t at = offset - w->segment_start, n_copied = 0;

	while (n_copied < size && segment != NULL) {
		uint32_t n = segment->data_len - at;

		n = n < size - n_copied ? n : size - n_copied;
		memcpy(w->scratch + n_copied, rte_pktmbuf_mtod_offset(segment, const uint8_t *, at),
			n);
		n_copied += n;
		at = 0;
		segment = segment->next;
	}
	return n_copied == size ? w->scratch : NULL;
}

const uint8_t *
packet_read(struct packet_walk *w, uint32_t offset, uint32_t size)
{
	if (offset > w->n_captured || size > w->n_captured - offset || !seek(w, offset))
		return NULL;
	if (size <= w->segment->data_len - (offset - w->segment_start))
		return rte_pktmbuf_mtod_offset(
			w->segment, const uint8_t *, offset - w->segment_start);
	return copy(w, offset, size);
}

static bool
is_in_room(const struct packet_walk *w, uint32_t skip, uint32_t size)
{
	return skip <= packet_room(w) && size <= packet_room(w) - skip;
}

__rte_noinline const uint8_t *
packet_guess_slowly(struct packet_walk *w, uint32_t skip, uint32_t size)
{
	const uint8_t *p;

	if (!is_in_room(w, skip, size)) {
		if (w->is_cut)
			packet_fail_cut(w);
		return NULL;
	}
	p = packet_read(w, w->offset + skip, size);
	if (p == NULL)
		packet_fail(w, REASON_TRUNCATED);
	return p;
}

__rte_noinline const uint8_t *
packet_need_slowly(struct packet_walk *w, uint32_t skip, uint32_t size)
{
	const uint8_t *p = packet_guess_slowly(w, skip, size);

	if (p == NULL)
		packet_fail(w, REASON_TRUNCATED);
	return p;
}
