/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ktrust roots: what a source of roots holds, and how it is shown.
 *
 * A source reads all of itself into a struct kt_listing; a format prints it. Nothing is shared
 * between threads.
 */
#ifndef KT_CLI_ROOTS_H
#define KT_CLI_ROOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ktrust/anchor.h>

struct kt_listed {
	uint8_t *der; /* owned, as label and reason are */
	size_t der_len;
	char *label;
	char *reason;	   /* "" or why it is not trusted */
	const char *trust; /* static: "trusted", or see kt_nss_trust_name */
	bool trusted;
	bool unknown;	   /* not trusted since a limit is not understood */
	unsigned int line; /* 0: the source has no lines */
	uint8_t fingerprint[KT_DIGEST_LEN];
	int64_t distrust_after;
	const char *permitted_dns; /* static, or NULL */
	struct kt_anchor_text text;
};

struct kt_listing {
	const char *source; /* as given */
	const char *where;  /* for messages */
	struct kt_listed *roots;
	size_t count;
	size_t room;
	/* Of all that the source holds. */
	size_t certificates;
	size_t trusted;
	size_t constrained; /* of the trusted */
	size_t trust_without_certificate;
	/* Where the source has them; NULL: it does not. */
	const char *version;
	int64_t date;
	const uint8_t *digest;
	int64_t now;
};

/* Each prints those roots that are trusted, or all; KT_EXIT_OK or KT_EXIT_TROUBLE. */
int kt_roots_print_text(const struct kt_listing *listing, bool all);
int kt_roots_print_pem(const struct kt_listing *listing, bool all);
int kt_roots_print_json(const struct kt_listing *listing, bool all);

#endif
