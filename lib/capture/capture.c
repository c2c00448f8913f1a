/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Capture reader: libpcap does the formats and their bounds; here are the errors that say which
 * packet and what to do, and the values a hostile file could bend: lengths and times.
 */
#include "capture/capture.h"
#include "capture_impl.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct capture {
	pcap_t *pcap;
	FILE *source; /* the file; closed with the stream */
	FILE *stream; /* what libpcap reads */
	char *path;
	uint64_t n_frames;
	uint64_t n_bytes; /* in frames */
	uint64_t size;    /* 0 = a pipe */
	bool is_damaged;
};

/* Numbers that differ between files (LINKTYPE_) and libpcap's API (DLT_). */
static const struct {
	int dlt, link_type;
} capture_links[] = {
	{ DLT_ATM_RFC1483, 100 },
	{ DLT_RAW, 101 },
	{ DLT_SLIP_BSDOS, 102 },
	{ DLT_PPP_BSDOS, 103 },
	{ DLT_ATM_CLIP, 106 },
};

/* What to do, by a part of libpcap's text. */
static const struct {
	const char *part, *advice;
} capture_advice[] = {
	{ "different from the type of the first interface",
		"split it: tshark -r FILE -Y 'frame.interface_id == 0' -F pcap -w OUT" },
	{ "truncated", "the file ends here; editcap FILE OUT keeps the whole packets" },
	{ "unknown file format",
		"unpack it if it is compressed, editcap FILE OUT converts others" },
	{ "unsupported", "editcap FILE OUT may convert it" },
	{ "archaic", "editcap FILE OUT may convert it" },
	{ "Is a directory", "name a file" },
};

static const char *
capture_advise(const char *reason)
{
	size_t i;

	for (i = 0; i < sizeof(capture_advice) / sizeof(capture_advice[0]); i++)
		if (strstr(reason, capture_advice[i].part) != NULL)
			return capture_advice[i].advice;
	return "the file is damaged here; editcap FILE OUT keeps what comes before";
}

static int
capture_open_stream(struct capture *c, const char *path, struct err *e)
{
	struct stat st;

	c->source = strcmp(path, "-") == 0 ? stdin : fopen(path, "rbe");
	if (c->source == NULL)
		return err_set_code(
			e, errno, path, 0, NULL, "cannot open the capture: %s", strerror(errno));
	if (fstat(fileno(c->source), &st) == 0 && S_ISREG(st.st_mode))
		c->size = (uint64_t)st.st_size;
	c->stream = capture_equalize(c->source);
	if (c->stream == NULL)
		return err_set_code(e, ENOMEM, path, 0, NULL, "no memory for the capture");
	return 0;
}

static int
capture_open_pcap(struct capture *c, struct err *e)
{
	char reason[PCAP_ERRBUF_SIZE] = "";

	c->pcap = pcap_fopen_offline_with_tstamp_precision(
		c->stream, PCAP_TSTAMP_PRECISION_NANO, reason);
	if (c->pcap == NULL)
		return err_set(e, c->path, 0, NULL, "not a capture that can be read: %s (%s)",
			reason, capture_advise(reason));
	return 0;
}

struct capture *
capture_open(const char *path, struct err *e)
{
	struct capture *c = calloc(1, sizeof(*c));
	int rc;

	if (c != NULL)
		c->path = strdup(path);
	if (c == NULL || c->path == NULL) {
		rc = err_set_code(e, ENOMEM, path, 0, NULL, "no memory for the capture");
		goto fail;
	}
	rc = capture_open_stream(c, path, e);
	if (rc == 0)
		rc = capture_open_pcap(c, e);
	if (rc == 0)
		return c;
fail:
	capture_close(c);
	errno = -rc;
	return NULL;
}

int
capture_link_type(const struct capture *c)
{
	int dlt = pcap_datalink(c->pcap);
	size_t i;

	for (i = 0; i < sizeof(capture_links) / sizeof(capture_links[0]); i++)
		if (capture_links[i].dlt == dlt)
			return capture_links[i].link_type;
	return dlt;
}

const char *
capture_link_name(const struct capture *c)
{
	const char *name = pcap_datalink_val_to_name(pcap_datalink(c->pcap));

	return name != NULL ? name : "unknown";
}

static uint64_t
capture_time(const struct timeval *ts)
{
	uint64_t ns = (uint64_t)ts->tv_usec;
	uint64_t seconds = (uint64_t)ts->tv_sec;

	if (ts->tv_sec < 0 || ts->tv_usec < 0)
		return 0;
	if (seconds > (UINT64_MAX - ns) / 1000000000u)
		return UINT64_MAX;
	return seconds * 1000000000u + ns;
}

static int
capture_damaged(struct capture *c, struct err *e)
{
	const char *reason = pcap_geterr(c->pcap);
	char key[40];

	c->is_damaged = true;
	snprintf(key, sizeof(key), "packet %llu", (unsigned long long)c->n_frames + 1);
	return err_set(e, c->path, 0, key, "%s (%s)", reason, capture_advise(reason));
}

int
capture_next(struct capture *c, struct capture_frame *out, struct err *e)
{
	struct pcap_pkthdr *header;
	const u_char *data;
	int rc;

	if (c->is_damaged)
		return capture_damaged(c, e);
	rc = pcap_next_ex(c->pcap, &header, &data);
	if (rc == PCAP_ERROR_BREAK)
		return 0;
	if (rc != 1)
		return capture_damaged(c, e);
	c->n_frames++;
	c->n_bytes += header->caplen;
	out->data = data;
	out->length = header->caplen;
	out->wire_length = header->len < header->caplen ? header->caplen : header->len;
	out->time_ns = capture_time(&header->ts);
	out->number = c->n_frames;
	return 1;
}

void
capture_progress(const struct capture *c, uint64_t *done, uint64_t *total)
{
	off_t offset = c->size != 0 ? ftello(c->source) : -1;

	*done = offset >= 0 ? (uint64_t)offset : c->n_bytes;
	*total = c->size;
}

void
capture_close(struct capture *c)
{
	if (c == NULL)
		return;
	if (c->pcap != NULL)
		pcap_close(c->pcap);
	else if (c->stream != NULL)
		fclose(c->stream);
	else if (c->source != NULL && c->source != stdin)
		fclose(c->source);
	free(c->path);
	free(c);
}
