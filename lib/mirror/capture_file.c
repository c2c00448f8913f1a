/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Capture files: one buffer of whole blocks in front of write(2), whatever the format. A write that
 * fails half-way is taken back to the last whole block (ftruncate) and what the file has not stays
 * in the buffer, so a full disk costs the packets that come later, never those accepted before, and
 * a crash leaves a file that every reader opens.
 */
#include "mirror/capture_file.h"
#include "mirror/capture_file_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* So much is written at once: what write(2) and the tap read then is still in the second cache. */
#define FLUSH_SIZE (256u << 10)

/* Bytes in front of the first block that the kernel does not have entirely; counts the packets from
 * there on. */
static size_t
capture_file_whole(const struct capture_file *file, uint64_t *n_pending)
{
	size_t offset, size, whole = 0;
	bool is_packet;

	*n_pending = 0;
	for (offset = 0; offset < file->used; offset += size) {
		if (file->format == CAPTURE_PCAPNG)
			size = pcapng_block_size(file, offset, &is_packet);
		else
			size = pcap_classic_block_size(file, offset, &is_packet);
		if (offset + size <= file->start)
			whole = offset + size;
		else
			*n_pending += is_packet;
	}
	return whole;
}

/* Take half a block back from a regular file. A pipe keeps it: the rest follows with the next
 * flush. */
static void
capture_file_cut_back(struct capture_file *file)
{
	uint64_t n_pending;
	size_t whole;

	if (!file->is_regular)
		return;
	whole = capture_file_whole(file, &n_pending);
	if (ftruncate(file->fd, (off_t)(file->base + whole)) != 0)
		return;
	if (lseek(file->fd, (off_t)(file->base + whole), SEEK_SET) >= 0)
		file->start = whole;
}

static void
capture_file_tap(struct capture_file *file)
{
	if (file->tap != NULL && file->start > file->tapped)
		file->tap(
			file->tap_context, file->buffer + file->tapped, file->start - file->tapped);
	file->tapped = file->start;
}

int
capture_file_flush(struct capture_file *file)
{
	int error;

	while (file->start < file->used) {
		ssize_t n = write(file->fd, file->buffer + file->start, file->used - file->start);

		if (n > 0) {
			file->start += (size_t)n;
		} else if (n == 0 || errno != EINTR) {
			error = n == 0 ? EIO : errno;
			capture_file_cut_back(file);
			capture_file_tap(file);
			return -error;
		}
	}
	capture_file_tap(file);
	file->base += file->used;
	file->used = 0;
	file->start = 0;
	file->tapped = 0;
	file->flush_at = FLUSH_SIZE;
	return 0;
}

int
capture_file_sync(struct capture_file *file)
{
	if (!file->is_regular || fdatasync(file->fd) == 0)
		return 0;
	return -errno;
}

int
capture_file_reserve(struct capture_file *file, size_t size, uint8_t **out)
{
	int rc;

	if (size > CAPTURE_BUFFER_SIZE)
		return -EMSGSIZE;
	if (file->used >= file->flush_at && capture_file_flush(file) != 0)
		file->flush_at = file->used + FLUSH_SIZE; /* there is room to wait */
	if (size > CAPTURE_BUFFER_SIZE - file->used) {
		rc = capture_file_flush(file);
		if (rc != 0)
			return rc;
	}
	*out = file->buffer + file->used;
	return 0;
}

int
capture_file_write(struct capture_file *file, const struct capture_packet *packet)
{
	struct capture_packet kept = *packet;
	int rc;

	if (packet->interface >= file->n_interfaces || packet->length > packet->wire_length)
		return -EINVAL;
	if (packet->length > CAPTURE_LENGTH_MAX)
		return -EMSGSIZE;
	if (kept.length > file->snaplens[packet->interface])
		kept.length = file->snaplens[packet->interface];
	if (file->format == CAPTURE_PCAPNG)
		rc = pcapng_write(file, &kept);
	else
		rc = pcap_classic_write(file, &kept);
	if (rc == 0 && packet->time_ns > file->newest_ns)
		file->newest_ns = packet->time_ns;
	return rc;
}

int
capture_file_add_statistics(
	struct capture_file *file, unsigned int interface, uint64_t received, uint64_t dropped)
{
	if (interface >= file->n_interfaces)
		return -EINVAL;
	if (file->format != CAPTURE_PCAPNG)
		return 0;
	return pcapng_write_statistics(file, interface, received, dropped);
}

uint64_t
capture_file_size(const struct capture_file *file)
{
	return file->base + file->used;
}

uint64_t
capture_file_pending(const struct capture_file *file)
{
	uint64_t n_pending;

	capture_file_whole(file, &n_pending);
	return n_pending;
}

static void
capture_file_free(struct capture_file *file)
{
	pcap_classic_fini(file);
	free(file->snaplens);
	free(file->buffer);
	free(file);
}

int
capture_file_close(struct capture_file *file)
{
	int rc;

	if (file == NULL)
		return 0;
	rc = capture_file_flush(file);
	if (close(file->fd) != 0 && rc == 0)
		rc = -errno;
	capture_file_free(file);
	return rc;
}

static struct capture_file *
capture_file_new(enum capture_format format, const struct capture_section *section)
{
	struct capture_file *file = calloc(1, sizeof(*file));
	unsigned int i;

	if (file == NULL)
		return NULL;
	file->format = format;
	file->flush_at = FLUSH_SIZE;
	file->n_interfaces = section->n_interfaces;
	file->tap = section->tap;
	file->tap_context = section->tap_context;
	file->buffer = aligned_alloc(4096, CAPTURE_BUFFER_SIZE);
	file->snaplens = calloc(section->n_interfaces, sizeof(*file->snaplens));
	if (file->buffer == NULL || file->snaplens == NULL) {
		capture_file_free(file);
		errno = ENOMEM;
		return NULL;
	}
	for (i = 0; i < section->n_interfaces; i++) {
		file->snaplens[i] = section->interfaces[i].snaplen;
		if (file->snaplens[i] == 0)
			file->snaplens[i] = CAPTURE_LENGTH_MAX;
	}
	return file;
}

static const char *
capture_file_advice(int error)
{
	switch (error) {
	case EEXIST:
		return ": captures are never overwritten, move it away or choose another name";
	case ENOENT:
	case ENOTDIR:
		return ": create its directory first";
	case EACCES:
	case EPERM:
		return ": give this user write permission on its directory";
	case EROFS:
		return ": remount the file system for writing or choose another directory";
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return ": make room or choose another directory";
	default:
		return "";
	}
}

static int
capture_file_open(struct capture_file *file, const char *path, int overwrite)
{
	int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (overwrite ? O_TRUNC : O_EXCL);
	struct stat st;

	file->fd = open(path, flags, 0640);
	if (file->fd < 0)
		return -errno;
	file->is_regular = fstat(file->fd, &st) == 0 && S_ISREG(st.st_mode);
	return 0;
}

static int
capture_file_begin(struct capture_file *file, const struct capture_section *section, struct err *e)
{
	int rc;

	if (file->format == CAPTURE_PCAPNG)
		rc = pcapng_begin(file, section, e);
	else
		rc = pcap_classic_begin(file, section, e);
	return rc != 0 ? rc : capture_file_flush(file);
}

struct capture_file *
capture_file_create(const char *path, enum capture_format format,
	const struct capture_section *section, int overwrite, struct err *e)
{
	struct capture_file *file;
	struct err why = { .message = "" };
	int rc = -EINVAL;

	if (section->n_interfaces == 0) {
		err_set(e, path, 0, NULL, "a capture file needs an interface");
		goto fail;
	}
	file = capture_file_new(format, section);
	if (file == NULL) {
		rc = err_set_code(e, ENOMEM, path, 0, NULL, "no memory for the write buffer");
		goto fail;
	}
	rc = capture_file_open(file, path, overwrite);
	if (rc != 0)
		goto fail_free;
	rc = capture_file_begin(file, section, &why);
	if (rc == 0)
		return file;
	close(file->fd);
	if (!overwrite)
		unlink(path);
fail_free:
	capture_file_free(file);
	if (why.message[0] != '\0')
		err_set(e, path, 0, NULL, "%s", why.message);
	else
		err_set(e, path, 0, NULL, "cannot write the capture file: %s%s", strerror(-rc),
			capture_file_advice(-rc));
fail:
	errno = -rc;
	return NULL;
}
