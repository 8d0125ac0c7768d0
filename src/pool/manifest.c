/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The text of a manifest: parsed, written. One form only: each text that is taken is what writing
 * its fields gives again.
 */
#include <ktrust/manifest.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "file.h"
#include "signature.h"

struct reading {
	const char *at;
	const char *end;
	unsigned int line;
};

static bool take(struct reading *reading, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(reading->end - reading->at) < len || memcmp(reading->at, word, len))
		return false;
	reading->at += len;
	return true;
}

static bool end_line(struct reading *reading)
{
	if (!take(reading, "\n"))
		return false;
	reading->line++;
	return true;
}

/* "KEY NUMBER\n": up to 18 digits, so that no sum can overflow. */
static bool take_number(struct reading *reading, const char *key, uint64_t *ret_number)
{
	const char *start;
	uint64_t number = 0;

	if (!take(reading, key) || !take(reading, " "))
		return false;
	start = reading->at;
	while (reading->at < reading->end && *reading->at >= '0' && *reading->at <= '9' &&
	       reading->at - start < 18)
		number = number * 10 + (uint64_t)(*reading->at++ - '0');
	if (reading->at == start || (*start == '0' && reading->at - start > 1))
		return false;
	*ret_number = number;
	return end_line(reading);
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "KEY HEX\n" */
static bool take_bytes(struct reading *reading, const char *key, uint8_t *ret_bytes, size_t len)
{
	if (!take(reading, key) || !take(reading, " ") ||
	    (size_t)(reading->end - reading->at) < 2 * len)
		return false;
	for (size_t i = 0; i < len; i++) {
		int high = digit(*reading->at++), low = digit(*reading->at++);

		if (high < 0 || low < 0)
			return false;
		ret_bytes[i] = (uint8_t)(high << 4 | low);
	}
	return end_line(reading);
}

static bool take_all(struct reading *reading, const char *text, struct kt_manifest *made)
{
	if (!take(reading, "ktrust-manifest 1") || !end_line(reading) ||
	    !take_number(reading, "anchors", &made->anchors) ||
	    !take_number(reading, "crls", &made->crls) ||
	    !take_bytes(reading, "digest", made->digest, sizeof made->digest) ||
	    !take_number(reading, "epoch", &made->epoch) || !made->epoch)
		return false;
	made->signed_len = (size_t)(reading->at - text);
	if (reading->at == reading->end)
		return true;
	made->has_signature = true;
	return take_bytes(reading, "signature", made->signature, sizeof made->signature) &&
	       reading->at == reading->end;
}

int kt_manifest_parse(const char *text, size_t len, const char *where,
		      struct kt_manifest *ret_manifest, struct kt_error *error)
{
	struct reading reading = {text, text + len, 1};
	struct kt_manifest made = {0};

	if (len > KT_MANIFEST_MAX)
		return kt_error_set(error, EBADMSG, where, 0,
				    "no manifest: more than %d bytes (ktrust pool manifest writes "
				    "one)",
				    KT_MANIFEST_MAX);
	if (!take_all(&reading, text, &made))
		return kt_error_set(error, EBADMSG, where, reading.line,
				    "no manifest (ktrust pool manifest writes one)");
	*ret_manifest = made;
	return 0;
}

int kt_manifest_read(const char *path, const char *key_path, struct kt_manifest *ret_manifest,
		     struct kt_error *error)
{
	char text[KT_MANIFEST_MAX + 1];
	struct kt_manifest made;
	size_t len;
	int ret = kt_file_read(path, text, sizeof text, &len, error);

	if (!ret)
		ret = kt_manifest_parse(text, len, path, &made, error);
	if (!ret && key_path && !made.has_signature)
		ret = kt_error_set(error, ENOKEY, path, 0,
				   "this manifest is not signed, and must be, by the key in %s",
				   key_path);
	if (!ret && key_path)
		ret = kt_signature_check(key_path, text, made.signed_len, made.signature, path,
					 error);
	if (!ret)
		*ret_manifest = made;
	return ret;
}

static void hex(char *to, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sprintf(to + 2 * i, "%02x", bytes[i]);
}

int kt_manifest_write(const struct kt_manifest *manifest, const char *key_path,
		      char ret_text[KT_MANIFEST_MAX + 1], struct kt_error *error)
{
	char digest[2 * KT_DIGEST_LEN + 1], text[KT_MANIFEST_MAX + 1];
	char signature[2 * KT_MANIFEST_SIGNATURE_LEN + 1];
	uint8_t bytes[KT_MANIFEST_SIGNATURE_LEN];
	int len, ret;

	if (!manifest->epoch)
		return kt_error_set(error, EINVAL, "manifest", 0, "epochs count from 1");
	hex(digest, manifest->digest, sizeof manifest->digest);
	len = snprintf(text, sizeof text,
		       "ktrust-manifest 1\nanchors %" PRIu64 "\ncrls %" PRIu64 "\ndigest %s\n"
		       "epoch %" PRIu64 "\n",
		       manifest->anchors, manifest->crls, digest, manifest->epoch);
	if (key_path) {
		ret = kt_signature_make(key_path, text, (size_t)len, bytes, error);
		if (ret)
			return ret;
		hex(signature, bytes, sizeof bytes);
		snprintf(text + len, sizeof text - (size_t)len, "signature %s\n", signature);
	}
	strcpy(ret_text, text);
	return 0;
}
