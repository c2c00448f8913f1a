/* SPDX-License-Identifier: BSD-3-Clause */
/* Ed25519 and PEM through libcrypto's EVP. */
#include "evidence/signing_key.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 4096

struct signing_key {
	EVP_PKEY *pkey;
	bool is_private;
	char id[SHA256_TEXT_SIZE];
};

static int
signing_key_identify(struct signing_key *key)
{
	unsigned char *der = NULL;
	int length = i2d_PUBKEY(key->pkey, &der), rc;

	if (length <= 0)
		return -EIO;
	rc = sha256_text(der, (size_t)length, key->id);
	OPENSSL_free(der);
	return rc;
}

/* Takes `pkey`. NULL + errno. */
static struct signing_key *
signing_key_new(EVP_PKEY *pkey, bool is_private)
{
	struct signing_key *key = calloc(1, sizeof(*key));

	if (key == NULL) {
		EVP_PKEY_free(pkey);
		errno = ENOMEM;
		return NULL;
	}
	key->pkey = pkey;
	key->is_private = is_private;
	if (signing_key_identify(key) == 0)
		return key;
	signing_key_free(key);
	errno = EIO;
	return NULL;
}

void
signing_key_free(struct signing_key *key)
{
	if (key == NULL)
		return;
	EVP_PKEY_free(key->pkey);
	free(key);
}

/* Opens a temporary file beside `path`, whose name goes to `name`. */
static FILE *
signing_key_begin_file(const char *path, mode_t mode, char name[PATH_SIZE])
{
	FILE *file;
	int fd;

	if (snprintf(name, PATH_SIZE, "%s.new", path) >= PATH_SIZE) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	unlink(name);
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return NULL;
	fchmod(fd, mode);
	file = fdopen(fd, "w");
	if (file == NULL)
		close(fd);
	return file;
}

static int
sync_directory_of(const char *path)
{
	char directory[PATH_SIZE];
	const char *slash = strrchr(path, '/');
	int fd, rc;

	snprintf(directory, sizeof(directory), "%.*s", slash == NULL ? 1 : (int)(slash - path + 1),
		slash == NULL ? "." : path);
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = fsync(fd) == 0 ? 0 : -errno;
	close(fd);
	return rc;
}

/* Write a whole PEM file that is there at once, durably, or not at all. */
static int
signing_key_write(const EVP_PKEY *pkey, const char *path, bool is_private, struct err *e)
{
	char name[PATH_SIZE];
	FILE *file = signing_key_begin_file(path, is_private ? 0600 : 0644, name);
	int ok, rc = 0;

	if (file == NULL) {
		rc = -errno;
		return err_set_code(
			e, -rc, path, 0, NULL, "cannot write the key: %s", strerror(-rc));
	}
	ok = is_private ? PEM_write_PKCS8PrivateKey(file, pkey, NULL, NULL, 0, NULL, NULL)
			: PEM_write_PUBKEY(file, pkey);
	if (ok != 1)
		rc = -EIO;
	if (rc == 0 && (fflush(file) != 0 || fsync(fileno(file)) != 0))
		rc = -errno;
	if (fclose(file) != 0 && rc == 0)
		rc = -errno;
	if (rc == 0 && rename(name, path) != 0)
		rc = -errno;
	if (rc == 0)
		rc = sync_directory_of(path);
	if (rc == 0)
		return 0;
	unlink(name);
	return err_set_code(e, -rc, path, 0, NULL, "cannot write the key: %s", strerror(-rc));
}

static struct signing_key *
signing_key_create(const char *path, struct err *e)
{
	EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	int rc;

	if (pkey == NULL) {
		errno = -err_set_code(e, EIO, path, 0, NULL, "libcrypto made no Ed25519 key");
		return NULL;
	}
	rc = signing_key_write(pkey, path, true, e);
	if (rc == 0)
		return signing_key_new(pkey, true);
	EVP_PKEY_free(pkey);
	errno = -rc;
	return NULL;
}

/* Nobody is asked for a passphrase. */
static int
no_passphrase(char *buf, int size, int rwflag, void *context)
{
	return -1;
}

static struct signing_key *
signing_key_read(FILE *file, const char *path, bool is_private, struct err *e)
{
	EVP_PKEY *pkey = is_private ? PEM_read_PrivateKey(file, NULL, no_passphrase, NULL)
				    : PEM_read_PUBKEY(file, NULL, no_passphrase, NULL);

	if (pkey != NULL && EVP_PKEY_is_a(pkey, "ED25519"))
		return signing_key_new(pkey, is_private);
	EVP_PKEY_free(pkey);
	errno = -err_set_code(e, EINVAL, path, 0, NULL, "is not an Ed25519 %s key in PEM",
		is_private ? "private" : "public");
	return NULL;
}

static int
signing_key_check_mode(FILE *file, const char *path, struct err *e)
{
	struct stat st;

	if (fstat(fileno(file), &st) != 0)
		return err_set_code(e, errno, path, 0, NULL, "%s", strerror(errno));
	if ((st.st_mode & 077) != 0)
		return err_set_code(e, EPERM, path, 0, NULL,
			"others may read the private key (mode %04o), so its signatures prove "
			"nothing: move it away, a new one is made at the next start",
			(unsigned int)(st.st_mode & 07777));
	return 0;
}

struct signing_key *
signing_key_load(const char *path, bool *is_new, struct err *e)
{
	FILE *file = fopen(path, "re");
	struct signing_key *key = NULL;
	int rc;

	if (is_new != NULL)
		*is_new = file == NULL;
	if (file == NULL && errno == ENOENT)
		return signing_key_create(path, e);
	if (file == NULL) {
		errno = -err_set_code(e, errno, path, 0, NULL, "cannot read the private key: %s",
			strerror(errno));
		return NULL;
	}
	rc = signing_key_check_mode(file, path, e);
	if (rc == 0)
		key = signing_key_read(file, path, true, e);
	else
		errno = -rc;
	rc = errno;
	fclose(file);
	errno = rc;
	return key;
}

struct signing_key *
signing_key_load_public(const char *path, struct err *e)
{
	FILE *file = fopen(path, "re");
	struct signing_key *key;
	int saved;

	if (file == NULL) {
		errno = -err_set_code(
			e, errno, path, 0, NULL, "cannot read the public key: %s", strerror(errno));
		return NULL;
	}
	key = signing_key_read(file, path, false, e);
	saved = errno;
	fclose(file);
	errno = saved;
	return key;
}

int
signing_key_export(const struct signing_key *key, const char *path, struct err *e)
{
	return signing_key_write(key->pkey, path, false, e);
}

const char *
signing_key_id(const struct signing_key *key)
{
	return key->id;
}

int
signing_key_sign(
	const struct signing_key *key, const void *data, size_t size, char out[SIGNATURE_TEXT_SIZE])
{
	unsigned char signature[SIGNATURE_SIZE];
	size_t length = sizeof(signature);
	EVP_MD_CTX *context;
	int ok;

	if (!key->is_private)
		return -EPERM;
	context = EVP_MD_CTX_new();
	ok = context != NULL && EVP_DigestSignInit(context, NULL, NULL, NULL, key->pkey) == 1 &&
	     EVP_DigestSign(context, signature, &length, data, size) == 1 &&
	     length == sizeof(signature);
	EVP_MD_CTX_free(context);
	if (!ok)
		return -EIO;
	EVP_EncodeBlock((unsigned char *)out, signature, sizeof(signature));
	return 0;
}

/* Base64 has several spellings of the same bytes: only the one that we write is taken. */
static int
signature_decode(const char *text, unsigned char out[SIGNATURE_SIZE])
{
	unsigned char bytes[SIGNATURE_TEXT_SIZE];
	char again[SIGNATURE_TEXT_SIZE];

	if (strlen(text) != SIGNATURE_TEXT_SIZE - 1 ||
		EVP_DecodeBlock(bytes, (const unsigned char *)text, SIGNATURE_TEXT_SIZE - 1) < 0)
		return -EINVAL;
	EVP_EncodeBlock((unsigned char *)again, bytes, SIGNATURE_SIZE);
	if (strcmp(again, text) != 0)
		return -EINVAL;
	memcpy(out, bytes, SIGNATURE_SIZE);
	return 0;
}

int
signing_key_verify(
	const struct signing_key *key, const void *data, size_t size, const char *signature)
{
	unsigned char bytes[SIGNATURE_SIZE];
	EVP_MD_CTX *context;
	int ok;

	if (signature_decode(signature, bytes) != 0)
		return -EINVAL;
	context = EVP_MD_CTX_new();
	ok = context != NULL && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key->pkey) == 1 &&
	     EVP_DigestVerify(context, bytes, sizeof(bytes), data, size) == 1;
	EVP_MD_CTX_free(context);
	return ok ? 0 : -EBADMSG;
}
