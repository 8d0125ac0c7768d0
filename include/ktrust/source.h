/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where trust comes from: gathering anchors (and CRLs) from sources into a set.
 *
 *   struct kt_anchor_set   mutable: what was gathered so far, owned by one thread
 *   a source               text that names a place: "file:PATH", "dir:PATH", "certdata:PATH",
 *                          "crl:PATH", "system", "embedded"
 *
 * Several sources add up. A certificate that comes again (same DER) is one anchor: its purposes add
 * up, the tighter of its limits stays.
 *
 * Every function that adds leaves the set as it was when it fails.
 *
 * Threads: a set belongs to one thread at a time. Functions that read files block.
 *
 * What this does not do: it checks no signatures and no validity of anchors, and takes those that
 * are no CAs (verification refuses whom they issued), and it does not watch files (the daemon
 * does).
 */
#ifndef KTRUST_SOURCE_H
#define KTRUST_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ktrust/anchor.h>
#include <ktrust/error.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define KT_SOURCE_MAX	   1023		/* bytes of a source or of all of a pool's, without NUL */
#define KT_SOURCE_FILE_MAX (64UL << 20) /* bytes; a larger file is refused */
#define KT_ANCHORS_MAX	   (1U << 20)	/* anchors in one set */
#define KT_CERTIFICATE_MAX (64U << 10)	/* bytes of DER of one certificate */
#define KT_CRLS_MAX	   1024		/* CRLs in one set */
#define KT_CRL_LEN_MAX	   (16U << 20)	/* bytes of DER of one CRL */

#define KT_SOURCE_DIR_FILES_MAX (1U << 17)    /* files of certificates in one directory */
#define KT_SOURCE_DIR_MAX	(512UL << 20) /* bytes of all of them */

/* ---- The set ------------------------------------------------------------------------------ */

struct kt_anchor_set;

/* NULL: out of memory. Freed by kt_anchor_set_free, which accepts NULL. */
struct kt_anchor_set *kt_anchor_set_new(void);
void kt_anchor_set_free(struct kt_anchor_set *set);
size_t kt_anchor_set_count(const struct kt_anchor_set *set); /* anchors */
size_t kt_anchor_set_crls(const struct kt_anchor_set *set);

/*
 * Add one certificate with its constraints; DER and constraints are copied. Errors: -EBADMSG not a
 * well-formed X.509 certificate (strict DER of the outer fields, trailing bytes refused), or its
 * name limits and those it came with before have no name in common, or too many; -EINVAL purposes
 * unknown, or permitted_dns not in its form; -EFBIG longer than KT_CERTIFICATE_MAX; -E2BIG set
 * full; -ENOMEM. `where` and `line` go into error.
 */
KT_WARN_UNUSED int kt_anchor_set_add(struct kt_anchor_set *set, const uint8_t *der, size_t len,
				     const struct kt_constraints *constraints, const char *where,
				     unsigned int line, struct kt_error *error);

/* The same without constraints, for any purpose. */
KT_WARN_UNUSED int kt_anchor_set_add_der(struct kt_anchor_set *set, const uint8_t *der, size_t len,
					 const char *where, unsigned int line,
					 struct kt_error *error);

/*
 * Add one X.509 v2 CRL (RFC 5280 §5); the DER is copied. The same CRL again counts once. Errors as
 * kt_anchor_set_add, and -EOPNOTSUPP: a critical extension of it is not understood here (delta,
 * indirect).
 */
KT_WARN_UNUSED int kt_anchor_set_add_crl(struct kt_anchor_set *set, const uint8_t *der, size_t len,
					 const char *where, unsigned int line,
					 struct kt_error *error);

/* What a CRL past its nextUpdate is worth, at load and in every verification. */
enum kt_crl_policy {
	KT_CRL_REFUSE, /* nothing: those it would speak for are refused. The default */
	KT_CRL_WARN,   /* what it says still holds; loading it is noted */
};

void kt_anchor_set_crl_policy(struct kt_anchor_set *set, enum kt_crl_policy policy);

/* ---- Sources ------------------------------------------------------------------------------ */

struct kt_roots; /* roots compiled into a program: ktrust/roots.h */

struct kt_source_options {
	/*
	 * Skip certificates, and files of a directory, that cannot be read or parsed, and note
	 * each, instead of refusing the source. A source in which nothing is left is refused all
	 * the same; so is one with a private key or a CRL among its certificates; and crl: and
	 * certdata: are always strict, since what they lost might be what would have refused
	 * somebody.
	 */
	bool lenient;
	/* The roots of certdata, system and embedded vouch for clients too, not only for servers.
	 */
	bool any_purpose;
	/* At load; the set's policy becomes this, whatever the source is. */
	enum kt_crl_policy crl_policy;
	int64_t now; /* seconds since the epoch, to judge CRLs by; 0: CLOCK_REALTIME */
	const struct kt_roots *embedded; /* borrowed; NULL: this program carries none */
	/*
	 * Prefix of the places that `system` looks at, those that variables name too; "" and NULL:
	 * none. For images and tests.
	 */
	const char *system_root;
	/*
	 * Told what a person should know though nothing failed: what was skipped (the first 16,
	 * then how many in all), what is no CA and so vouches for nobody (the first 2; err EINVAL),
	 * a CRL that is past its nextUpdate, that embedded roots step in. what->err is 0 where
	 * nothing is wrong: which place `system` stands for. May be NULL; must not touch the set.
	 */
	void (*note)(const struct kt_error *what, void *arg);
	void *note_arg;
};

/*
 * Add what a source names. options may be NULL: all its defaults. -EINVAL: a word that is no
 * source; -ENODATA nothing in it, or nothing that was not skipped; the errno of opening and
 * reading, -EINVAL not a regular file, -EFBIG larger than KT_SOURCE_FILE_MAX; -ENOMEM; and:
 *
 * file:PATH      PEM as kt_anchor_set_add_pem, or DER, one certificate behind another; told apart
 *                by the first bytes. Besides the errors of that: -EKEYREJECTED also DER of a
 *                private key; -EOPNOTSUPP also DER of a CRL.
 *
 * dir:PATH       Every file in it, as file:, whose name counts: *.pem, *.crt, *.cer, *.der (in
 *                either case), and the links that c_rehash makes (0a1b2c3d.0); not hidden ones,
 *                such as Kubernetes' ..data. In the order of their names, links followed, a file
 *                that several names lead to once. Where a name counts and leads to no regular file
 *                (a directory, socket, device, FIFO, nowhere, in a loop) or to one without
 *                certificate (-EBADMSG), the source is refused with that path. -E2BIG, -EFBIG:
 *                more files or bytes than KT_SOURCE_DIR_…; -EAGAIN names came or went meanwhile.
 *
 * certdata:PATH  Mozilla's certdata.txt, by kt_nss_parse: what it trusts for servers, with its
 *                limits. What is not trusted for a limit that is not understood is noted.
 *
 * crl:PATH       CRLs, as PEM (label X509 CRL) or DER. -ESTALE past its nextUpdate, unless the
 *                policy says KT_CRL_WARN; -EOPNOTSUPP also a certificate.
 *
 * embedded       options->embedded, with their limits. -ENOENT: there are none.
 *
 * system         What the system trusts for servers: the first of these files that is there,
 *                  /etc/ssl/certs/ca-certificates.crt, /etc/pki/tls/certs/ca-bundle.crt,
 *                  /etc/ssl/ca-bundle.pem, /etc/pki/tls/cacert.pem,
 *                  /etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem, /etc/ssl/cert.pem
 *                else, added up, those of these directories that are there, as dir:
 *                  /etc/ssl/certs, /etc/pki/tls/certs
 *                SSL_CERT_FILE replaces the files, SSL_CERT_DIR (a list with colons) the
 *                directories; empty counts as unset, and so does everything in a program with more
 *                rights than its caller (secure_getenv). A place is not there when nothing has its
 *                name (a link that leads nowhere is something) or when it holds no certificate at
 *                all. What is there and cannot be read, or is malformed, is an error. Where no
 *                place is left, and where KTRUST_EMBEDDED_ROOTS is exactly "1", `embedded` steps
 *                in. Certificates that are also in options->embedded take the limits from there.
 */
KT_WARN_UNUSED int kt_anchor_set_add_source(struct kt_anchor_set *set, const char *source,
					    const struct kt_source_options *options,
					    struct kt_error *error);

/*
 * What a source's certificates may vouch for unless options->any_purpose: KT_PURPOSE_SERVER for
 * certdata:, system and embedded, whose roots were chosen for that. 0: crl:, and what is no source.
 */
unsigned int kt_source_purposes(const char *source);

/*
 * Every place that `system` may stand for in this process, in its order, variables and the prefix
 * (as in the options) applied: for those who watch them. None where `embedded` is forced. The path
 * is valid for the call only. -ENOMEM: not all were told.
 */
KT_WARN_UNUSED int kt_source_system_places(const char *system_root,
					   void (*fn)(const char *path, bool directory, void *arg),
					   void *arg);

/* The path within a source that names one, else NULL. */
const char *kt_source_path(const char *source);

/*
 * Add every certificate of a PEM text (RFC 7468) in memory. Strict: text between blocks is
 * allowed, but a malformed, cut or foreign block refuses the whole text and names its line:
 * -EBADMSG malformed or truncated, -EKEYREJECTED a private key (its content is neither kept nor
 * shown), -EOPNOTSUPP "TRUSTED CERTIFICATE" (its trust settings would be lost) or another label,
 * -ENODATA no certificate at all; and those of kt_anchor_set_add. What counts as strict is written
 * out in src/pool/pem.h.
 */
KT_WARN_UNUSED int kt_anchor_set_add_pem(struct kt_anchor_set *set, const char *text, size_t len,
					 const char *where, struct kt_error *error);

/*
 * The same from a regular file. Errors besides those of kt_anchor_set_add_pem: the errno of open
 * and read, -EINVAL not a regular file, -EFBIG larger than KT_SOURCE_FILE_MAX.
 */
KT_WARN_UNUSED int kt_anchor_set_add_pem_file(struct kt_anchor_set *set, const char *path,
					      struct kt_error *error);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
