/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of this room share: the three objects behind <ktrust/tls.h>.
 *
 *   state of a connection
 *
 *      HANDSHAKE ──► OPEN ──► SPENT     (keys exported: only kt_tls_free is left)
 *          │          │
 *          └──► ENDED ◄─┘               (failure is set; the output may hold an alert)
 *
 * Threads: as in the public header. Secrets: secret[] of struct kt_tls; the whole struct is wiped
 * when it is freed. OpenSSL's error queue is empty whenever a function of <ktrust/tls.h> returns.
 */
#ifndef KT_TLS_CONNECTION_H
#define KT_TLS_CONNECTION_H

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <ktrust/tls.h>

#include "credentials.h"
#include "decoded.h"
#include "records.h"
#include "signing.h"

/* Bytes a peer may send before its Finished: the largest hello, its chain, and some air. */
#define KT_TLS_HANDSHAKE_MAX (256U << 10)
/* Records likewise: a hello of the largest keys has room in as many of one byte each. */
#define KT_TLS_HANDSHAKE_RECORDS_MAX 4096
/* Bytes of one Certificate message; parsing it is what costs most before anything is proven. */
#define KT_TLS_CHAIN_BYTES_MAX (64U << 10)
/* Bytes that wait undecrypted in userspace records. */
#define KT_TLS_QUEUE_MAX (KT_RECORD_HEADER_LEN + KT_RECORD_BODY_MAX)
/* Records in a row without application data: KeyUpdates, warnings, requests to renegotiate. */
#define KT_TLS_IDLE_RECORDS_MAX 64

/* Pools of one context whose CA names are kept; the one that was needed longest ago gives way. */
#define KT_TLS_CA_LISTS_MAX 64

#define KT_TLS_NAME_SIZE                                                                           \
	256 /* bytes of a name, NUL included (RFC 6066 §3: HostName, as libssl caps it) */

#define KT_TLS_GCM_NONCE_LEN  8	 /* explicit nonce of TLS 1.2 (RFC 5288 §3) */
#define KT_TLS_VERIFY_DATA_12 12 /* bytes of a Finished in TLS 1.2 (RFC 5246 §7.4.9) */

struct kt_verifier;

/* Before and after libssl is asked. It is empty nearly always, which is cheaper to see than to
 * ensure. */
static inline void kt_tls_forget_errors(void)
{
	if (ERR_peek_last_error())
		ERR_clear_error();
}

/* The names of acceptable CAs that one state of one pool makes. */
struct kt_tls_ca_list {
	const struct kt_pool *pool; /* compared only: it may be gone */
	uint8_t digest[KT_DIGEST_LEN];
	STACK_OF(X509_NAME) * names; /* NULL: none are sent */
};

/* What connections are made of; replaced when another set of credentials is there (serve.c). */
struct kt_tls_serving {
	unsigned int references; /* the context's, and its connections' */
	SSL_CTX *ssl_context;
	struct kt_credentials_set *set; /* NULL: a client has none */
};

struct kt_tls_context {
	struct kt_tls_serving *serving;		      /* the latest */
	struct kt_credentials_slot *credentials_slot; /* borrowed; NULL: they never change */
	enum kt_role peer_role;
	uint16_t min_version, max_version;
	uint8_t *alpn; /* of a server, the best first; NULL: nothing is agreed on */
	size_t alpn_len;
	struct kt_policy policy;
	struct kt_tls_certificates *certificates; /* borrowed; NULL: none */
	struct kt_verifier *verifier;		  /* NULL with KT_CLIENT_AUTH_NONE on a server */
	struct kt_pool *pool;			  /* borrowed; likewise, or choose_pool is set */
	int (*choose_pool)(const struct kt_hello *hello, void *choose_arg,
			   struct kt_pool **ret_pool, struct kt_error *error);
	void *choose_arg;
	enum kt_ca_names ca_names;
	struct kt_tls_ca_list ca_lists[KT_TLS_CA_LISTS_MAX]; /* the latest used is the first */
	size_t ca_list_count;
	int64_t (*now)(void *now_arg);
	void *now_arg;
	enum kt_client_auth client_auth;
	bool no_export;
	uint64_t key_records_max; /* of userspace records; 0: KT_KEY_RECORDS_MAX */
	EVP_KDF *hkdf;
	EVP_KDF *tls1_prf;
};

enum kt_tls_state { KT_TLS_HANDSHAKE, KT_TLS_OPEN, KT_TLS_ENDED, KT_TLS_SPENT };

struct kt_tls {
	struct kt_tls_context *context;
	struct kt_tls_serving *serving; /* a reference, until the handshake is over */
	/* A server's, of serving->set: what the client may get; NULL: not chosen yet, or done with.
	 */
	const struct kt_credentials_group *group;
	SSL *ssl; /* owns both BIOs */
	BIO *in;
	BIO *out;
	enum kt_tls_state state;
	const char *failure; /* static; set exactly in KT_TLS_ENDED */
	int peer_alert;	     /* -1: none */
	struct kt_tls_cursor cursor;
	struct kt_decoded_look look; /* for the peer's certificates among context->certificates */
	uint32_t bytes_in;	     /* during the handshake */
	uint32_t idle_records;	     /* read since the handshake, or the last application data */
	uint16_t record_len;	     /* of the last record that libssl read, as its header says */
	bool records_used;	     /* bytes went through the userspace records */
	bool asked_for_key;	     /* for the peer's next; its KeyUpdate has not come yet */
	uint64_t key_used[2]; /* by the userspace records, see kt_key_cost; [sending, receiving] */
	bool greeted;	      /* the hello was looked at: name and pool are settled */
	const struct sockaddr *local, *remote; /* borrowed; for choose_pool */
	struct kt_pool *pool;		       /* borrowed; NULL: none, or not chosen yet */
	const char *hello_failure;	       /* static; why the hello was refused */
	struct kt_error *refusal;	       /* what choose_pool said; NULL: nothing */
	/*
	 * Lent to the SSL object, which owns the stack but not what is in it: emptied before any
	 * function of <ktrust/tls.h> returns (ca_names.c). NULL: never lent.
	 */
	STACK_OF(X509_NAME) * ca_names;
	enum kt_name_type name_type; /* KT_NAME_NONE: none */
	char name[KT_TLS_NAME_SIZE]; /* SNI, printable; a client's target; else empty */
	uint8_t *alpn;		     /* what a client offers; NULL: nothing */
	size_t alpn_len;
	bool verified;
	struct kt_verdict verdict; /* meaningful when verified */
	char peer[128];

	/* TLS 1.3: traffic secrets of the first generation */
	uint8_t secret[2][KT_TRAFFIC_SECRET_MAX]; /* by enum kt_tls_side */
	size_t secret_len[2];			  /* bytes; 0: not seen */
	/* TLS 1.2 with GCM: that of our Finished */
	uint8_t finished_nonce[KT_TLS_GCM_NONCE_LEN];
	bool has_finished_nonce;
};

enum kt_tls_side { KT_TLS_CLIENT, KT_TLS_SERVER };

static inline enum kt_tls_side kt_tls_our_side(const struct kt_tls *tls)
{
	return tls->context->peer_role == KT_ROLE_SERVER ? KT_TLS_CLIENT : KT_TLS_SERVER;
}

/* What an exportable cipher suite is made of. */
struct kt_tls_suite {
	uint16_t id; /* IANA */
	uint16_t version;
	enum kt_cipher cipher;
	const char *digest; /* of the key schedule */
	uint8_t key_len;    /* bytes, as are the next */
	uint8_t iv_len;	    /* that the key schedule yields */
};

/* ---- handshake.c ---------------------------------------------------------------------------- */

/* End the connection under a static name; the first failure stays. Returns KT_TLS_FAILED. */
int kt_tls_fail(struct kt_tls *tls, const char *failure);

/* End it for what OpenSSL's error queue says, which is emptied. Returns KT_TLS_FAILED. */
int kt_tls_fail_ssl(struct kt_tls *tls, int ssl_error);

/* ---- hello.c -------------------------------------------------------------------------------- */

/*
 * The content of a server_name extension (RFC 6066 §3): one host name, as libssl takes it. False:
 * malformed. What is not printable becomes '?'.
 */
bool kt_hello_parse_name(const uint8_t *data, size_t len, char ret_name[static KT_TLS_NAME_SIZE]);

/* That of an ALPN extension (RFC 7301 §3.1): the list in it, borrowed. False: malformed. */
bool kt_hello_parse_alpn(const uint8_t *data, size_t len, const uint8_t **ret_list,
			 size_t *ret_list_len);

/* Is it a ProtocolNameList, without its length? */
bool kt_hello_is_alpn_list(const uint8_t *list, size_t len);

/* Does the list have this name? */
bool kt_hello_alpn_has(const uint8_t *list, size_t len, const uint8_t *name, size_t name_len);

/* May it be put into a hello, and asked of a certificate? len without a final dot. */
bool kt_hello_is_host_name(const char *name, size_t len);

/* ---- context.c ------------------------------------------------------------------------------- */

/* An SSL_CTX with all that the context asks for, but without credentials. */
KT_WARN_UNUSED int kt_tls_make_ssl_context(const struct kt_tls_context *context,
					   SSL_CTX **ret_ssl_context, struct kt_error *error);

/* ---- serve.c --------------------------------------------------------------------------------- */

/* set NULL: a client without any. -ENOMEM, -EKEYREJECTED, -EOPNOTSUPP. */
KT_WARN_UNUSED int kt_tls_serving_new(struct kt_tls_context *context,
				      struct kt_credentials_set *set,
				      struct kt_tls_serving **ret_serving, struct kt_error *error);
void kt_tls_serving_put(struct kt_tls_serving *serving); /* NULL is fine */

/* The latest, with a reference for the caller. */
struct kt_tls_serving *kt_tls_serving_take(struct kt_tls_context *context);

/* The hello is known: let the client choose among what its name has. False: no memory. */
bool kt_tls_present(struct kt_tls *tls);

/* For SSL_CTX_set_tlsext_status_cb. */
int kt_tls_staple(SSL *ssl, void *arg);

/* For SSL_CTX_set_alpn_select_cb, where the context has a list. */
int kt_tls_agree_on_protocol(SSL *ssl, const uint8_t **ret_name, uint8_t *ret_len,
			     const uint8_t *offered, unsigned int offered_len, void *arg);

/* ---- choose.c ------------------------------------------------------------------------------- */

/* For SSL_CTX_set_client_hello_cb. */
int kt_tls_client_hello(SSL *ssl, int *ret_alert, void *arg);

/* A client's turn to choose its pool. False: hello_failure says why not. */
bool kt_tls_choose_for_client(struct kt_tls *tls);

/* ---- ca_names.c ----------------------------------------------------------------------------- */

/* Put the CA names of the connection's pool, as it is now, into the CertificateRequest to come. */
void kt_tls_lend_ca_names(struct kt_tls *tls);

/* After each step of the handshake, and before anything of the context changes. */
void kt_tls_take_back_ca_names(struct kt_tls *tls);

void kt_tls_drop_ca_names(struct kt_tls_context *context);

/* ---- peer.c --------------------------------------------------------------------------------- */

/* Of a certificate, printable; buf is left alone when there is none. */
void kt_peer_common_name(const X509 *leaf, char *buf, size_t size);

/* For SSL_CTX_set_cert_verify_callback. */
int kt_tls_verify_peer(X509_STORE_CTX *store, void *arg);

/* Take the verdict, in one read section of the pool. leaf NULL: one is required, none came. */
void kt_tls_judge(struct kt_tls *tls, X509 *leaf, STACK_OF(X509) * untrusted);

/* ---- failure.c ------------------------------------------------------------------------------ */

/* The name for what is in OpenSSL's error queue; ret_alert is set when the peer sent an alert. */
const char *kt_tls_failure_name(const struct kt_tls *tls, int *ret_alert);

/* ---- alert.c -------------------------------------------------------------------------------- */

/*
 * libssl has just ended the handshake with a fatal alert, none of which was taken: let it be this
 * one, where that can be done; else it stays.
 */
void kt_tls_replace_alert(struct kt_tls *tls, uint8_t alert);

/* ---- export.c ------------------------------------------------------------------------------- */

/* For SSL_CTX_set_keylog_callback: keeps the traffic secrets of TLS 1.3. */
void kt_tls_keep_secret(const SSL *ssl, const char *line);

/*
 * A client's Finished of TLS 1.2 goes out in the middle of the handshake: called after each step,
 * before any of its output is taken, to keep what an export needs of it.
 */
void kt_tls_export_watch(struct kt_tls *tls);

/*
 * Called when the handshake is complete, before any output of this step is taken: keeps what an
 * export needs and only this moment has. False: OpenSSL did not do what the export relies on.
 */
bool kt_tls_export_prepare(struct kt_tls *tls);

/*
 * The key that a side protects application data with first, in TLS 1.3. -ENOENT: it has none yet;
 * -ENOMEM. The caller wipes it.
 */
KT_WARN_UNUSED int kt_tls_first_key(const struct kt_tls *tls, enum kt_tls_side side,
				    struct kt_traffic_key *ret_key);

/* Of the agreed cipher; NULL when there is none that can be exported. */
const struct kt_tls_suite *kt_tls_current_suite(const struct kt_tls *tls);

/* ---- userspace.c ---------------------------------------------------------------------------- */

/* For SSL_set_msg_callback: counts and measures records, sees keys change. */
void kt_tls_count_record(int written, int version, int content_type, const void *data, size_t len,
			 SSL *ssl, void *arg);

#endif
