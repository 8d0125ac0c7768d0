/* SPDX-License-Identifier: BSD-2-Clause */
/* The certificates that a peer would send, from PEM or DER. */
#include "verify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ktrust/source.h>

#include "../pool/pem.h"
#include "read.h"

#define DER_SEQUENCE 0x30
#define DER_INTEGER  0x02

void kt_cli_chain_fini(struct kt_cli_chain *chain)
{
	for (size_t i = 0; i < chain->count; i++)
		free((void *)chain->certs[i].data);
	free(chain->certs);
	*chain = (struct kt_cli_chain){0};
}

static int append(struct kt_cli_chain *chain, const uint8_t *der, size_t len)
{
	struct kt_der *certs = chain->certs;
	uint8_t *copy = malloc(len);

	if (chain->count == chain->room) {
		chain->room = chain->room ? chain->room * 2 : 4;
		certs = realloc(certs, chain->room * sizeof *certs);
	}
	if (!copy || !certs) {
		/* What realloc could not move is still there. */
		chain->room = chain->count;
		free(copy);
		return -ENOMEM;
	}
	memcpy(copy, der, len);
	chain->certs = certs;
	chain->certs[chain->count++] = (struct kt_der){copy, len};
	return 0;
}

static int refuse_key(const char *where, unsigned int line, struct kt_error *error)
{
	return kt_error_set(error, EKEYREJECTED, where, line,
			    "a private key where certificates are expected (take it out, and "
			    "replace it if others could read the file)");
}

/*
 * One that is longer than any may be is malformed, and for kt_verify to refuse, which needs no more
 * than its length.
 */
static int append_too_long(struct kt_cli_chain *chain, struct kt_pem *pem, struct kt_error *error)
{
	uint8_t *der = calloc(1, KT_CERTIFICATE_MAX + 1);
	int ret = der ? append(chain, der, KT_CERTIFICATE_MAX + 1) : -ENOMEM;

	free(der);
	return ret ? ret : kt_pem_skip(pem, error);
}

/* The next certificate as kt_pem_next, but into the chain. */
static int add_next(struct kt_cli_chain *chain, struct kt_pem *pem, const char *where,
		    struct kt_error *error)
{
	struct kt_pem_block block;
	int ret = kt_pem_next(pem, &block, error), err;

	if (ret == -EKEYREJECTED)
		return refuse_key(where, error->line, error);
	if (ret == 0 || (ret < 0 && ret != -EFBIG))
		return ret;
	if (ret == -EFBIG)
		err = append_too_long(chain, pem, error);
	else
		err = append(chain, block.der, block.der_len);
	if (err == -ENOMEM)
		return kt_error_set(error, ENOMEM, where, 0, "out of memory");
	return err ? err : 1;
}

int kt_cli_chain_add_pem(struct kt_cli_chain *chain, const char *text, size_t len,
			 const char *where, struct kt_error *error)
{
	struct kt_pem *pem = kt_pem_new(text, len, where, KT_PEM_CERTIFICATE);
	size_t before = chain->count;
	int ret;

	if (!pem)
		return kt_error_set(error, ENOMEM, where, 0, "out of memory");
	do
		ret = add_next(chain, pem, where, error);
	while (ret > 0);
	kt_pem_free(pem);
	if (ret == 0 && chain->count == before)
		return kt_error_set(error, ENODATA, where, 0,
				    "no certificate in it (expected: PEM, -----BEGIN "
				    "CERTIFICATE-----, or DER)");
	return ret;
}

/*
 * As sources tell it: no text goes on so. No certificate has less than 128 bytes; a private key
 * may, and begins with a number, where a certificate has the part that is signed.
 */
static bool is_der(const char *bytes, size_t len)
{
	return len >= 3 && bytes[0] == DER_SEQUENCE &&
	       ((uint8_t)bytes[1] > 0x80 || bytes[2] == DER_INTEGER);
}

static bool is_private_key(const char *bytes, size_t len)
{
	uint8_t first = (uint8_t)bytes[1];
	size_t header = 2 + (first > 0x80 ? first & 0x7f : 0);

	return header < len && bytes[header] == DER_INTEGER;
}

static int add_der(struct kt_cli_chain *chain, const char *bytes, size_t len, const char *where,
		   struct kt_error *error)
{
	if (is_private_key(bytes, len))
		return refuse_key(where, 0, error);
	if (append(chain, (const uint8_t *)bytes, len))
		return kt_error_set(error, ENOMEM, where, 0, "out of memory");
	return 0;
}

int kt_cli_chain_read(struct kt_cli_chain *chain, const char *path, struct kt_error *error)
{
	const char *where = strcmp(path, "-") ? path : "standard input";
	char *bytes;
	size_t len;
	int ret = kt_cli_read(path, true, KT_SOURCE_FILE_MAX, &bytes, &len, error);

	if (ret)
		return ret;
	if (len > KT_SOURCE_FILE_MAX)
		ret = kt_error_set(error, EFBIG, where, 0, "more than %lu bytes",
				   KT_SOURCE_FILE_MAX);
	else if (is_der(bytes, len))
		ret = add_der(chain, bytes, len, where, error);
	else
		ret = kt_cli_chain_add_pem(chain, bytes, len, where, error);
	/* There may have been a key in it. */
	explicit_bzero(bytes, ret ? len : 0);
	free(bytes);
	return ret;
}
