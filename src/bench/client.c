/* SPDX-License-Identifier: BSD-2-Clause */
#include "client.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#define SUITE "TLS_AES_128_GCM_SHA256"
#define GROUP "X25519"
#define BYTE  '\n'

/* ---- What is asked for ----------------------------------------------------------------------- */

/* libssl calls it for the header of each record, in both directions, and for much else. */
static void note_record(int sent, int version, int type, const void *bytes, size_t len, SSL *ssl,
			void *arg)
{
	struct kt_bench_client *client = SSL_get_app_data(ssl);

	(void)version;
	(void)bytes;
	(void)len;
	(void)arg;
	if (!sent && type == SSL3_RT_HEADER)
		client->records++;
}

/* libssl calls it for each ticket; it is not kept. */
static int note_ticket(SSL *ssl, SSL_SESSION *session)
{
	struct kt_bench_client *client = SSL_get_app_data(ssl);

	(void)session;
	client->got_ticket = true;
	return 0;
}

static bool ask(SSL_CTX *context)
{
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context, note_ticket);
	SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_msg_callback(context, note_record);
	/* As send(2) is: what there is room for. */
	SSL_CTX_set_mode(context,
			 SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) &&
	       SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) &&
	       SSL_CTX_set_ciphersuites(context, SUITE) && SSL_CTX_set1_groups_list(context, GROUP);
}

SSL_CTX *kt_bench_client_context(const struct kt_bench_party *party,
				 const struct kt_bench_party *intermediate)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	if (context && ask(context) &&
	    (!party || (SSL_CTX_use_certificate(context, party->x509) == 1 &&
			SSL_CTX_use_PrivateKey(context, party->key) == 1)) &&
	    (!intermediate || SSL_CTX_add1_chain_cert(context, intermediate->x509)))
		return context;
	SSL_CTX_free(context);
	return NULL;
}

/* ---- Beginning ------------------------------------------------------------------------------- */

/*
 * Loopback: by the time connect returns, the other end's kernel has answered, which the second call
 * tells; unless its queue is full, for which the other clients cannot wait: until it answers,
 * writing says EAGAIN.
 */
static bool reach(int fd, const struct sockaddr_in *address)
{
	const struct sockaddr *to = (const struct sockaddr *)address;

	return !connect(fd, to, sizeof *address) ||
	       (errno == EINPROGRESS &&
		(!connect(fd, to, sizeof *address) || errno == EALREADY || errno == EISCONN));
}

static int open_socket(uint16_t port, int *ret_fd)
{
	const struct sockaddr_in address = {.sin_family = AF_INET,
					    .sin_port = htons(port),
					    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err;

	if (fd < 0)
		return -errno;
	if (!reach(fd, &address) || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on)) {
		err = -errno;
		close(fd);
		return err;
	}
	*ret_fd = fd;
	return 0;
}

int kt_bench_client_begin(struct kt_bench_client *client, SSL_CTX *context, uint16_t port,
			  struct kt_error *error)
{
	int err = open_socket(port, &client->fd);

	if (err)
		return kt_error_set(error, -err, "", 0, "cannot connect: %s", strerror(-err));
	client->step = KT_BENCH_SHAKE;
	client->got_ticket = client->stays = false;
	client->records = 0;
	client->ssl = SSL_new(context);
	if (!client->ssl || SSL_set_fd(client->ssl, client->fd) != 1) {
		kt_bench_client_end(client);
		return kt_error_set(error, ENOMEM, "", 0, "SSL: out of memory");
	}
	SSL_set_app_data(client->ssl, client);
	return 0;
}

void kt_bench_client_end(struct kt_bench_client *client)
{
	SSL_free(client->ssl);
	client->ssl = NULL;
	if (client->step != KT_BENCH_IDLE)
		close(client->fd);
	client->step = KT_BENCH_IDLE;
}

/* ---- Going on -------------------------------------------------------------------------------- */

/* What SSL_… <= 0 means: 0, come again when the socket is ready. */
static int look(struct kt_bench_client *client, int rc, const char *doing, struct kt_error *error)
{
	int code = SSL_get_error(client->ssl, rc), err = errno;
	const char *why = "the server closed the connection";

	if (code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE)
		return 0;
	if (ERR_peek_error())
		why = ERR_reason_error_string(ERR_peek_error());
	else if (code == SSL_ERROR_SYSCALL && err)
		why = strerror(err);
	kt_error_set(error, ECONNREFUSED, "", 0, "%s failed: %s", doing, why ? why : "unknown");
	ERR_clear_error();
	return -ECONNREFUSED;
}

static const char *other_terms(SSL *ssl)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);

	if (SSL_version(ssl) != TLS1_3_VERSION)
		return "is not TLS 1.3";
	if (!cipher || strcmp(SSL_CIPHER_get_name(cipher), SUITE))
		return "does not use " SUITE;
	if (SSL_session_reused(ssl))
		return "was resumed";
	return NULL;
}

static int shake(struct kt_bench_client *client, struct kt_error *error)
{
	int rc = SSL_connect(client->ssl);
	const char *what;

	if (rc != 1)
		return look(client, rc, "the handshake", error);
	what = other_terms(client->ssl);
	if (what)
		return kt_error_set(error, EPROTO, "", 0, "a handshake %s", what);
	client->step = KT_BENCH_SEND;
	return 0;
}

static int send_byte(struct kt_bench_client *client, struct kt_error *error)
{
	const char byte = BYTE;
	int rc = SSL_write(client->ssl, &byte, 1);

	if (rc != 1)
		return look(client, rc, "sending", error);
	client->step = KT_BENCH_RECEIVE;
	return 0;
}

static int receive_byte(struct kt_bench_client *client, struct kt_error *error)
{
	char byte;
	int rc = SSL_read(client->ssl, &byte, 1);

	if (rc != 1)
		return look(client, rc, "receiving", error);
	if (byte != BYTE)
		return kt_error_set(error, EPROTO, "", 0, "another byte came back");
	if (client->got_ticket && !client->takes_tickets)
		return kt_error_set(error, EPROTO, "", 0, "a session ticket came");
	if (client->stays) {
		client->step = KT_BENCH_STAY;
		return 0;
	}
	/* It need not be told whether the other side has closed already. */
	(void)SSL_shutdown(client->ssl);
	ERR_clear_error();
	shutdown(client->fd, SHUT_WR);
	client->step = KT_BENCH_LEAVE;
	return 0;
}

/* ---- Bulk data ------------------------------------------------------------------------------- */

void kt_bench_client_order(struct kt_bench_client *client, enum kt_bench_bulk what, uint64_t len)
{
	client->what = what;
	client->len = len;
	client->place = 0;
	client->step = KT_BENCH_ORDER;
}

static int order(struct kt_bench_client *client, struct kt_error *error)
{
	uint8_t bytes[KT_BENCH_ORDER_LEN];
	int rc;

	kt_bench_order_write(client->what, client->len, bytes);
	rc = SSL_write(client->ssl, bytes, sizeof bytes);
	if (rc <= 0)
		return look(client, rc, "sending", error);
	client->step = KT_BENCH_BULK;
	return 0;
}

static int receive_piece(struct kt_bench_client *client, struct kt_error *error)
{
	uint8_t piece[SSL3_RT_MAX_PLAIN_LENGTH];
	int got = SSL_read(client->ssl, piece, sizeof piece);

	if (got <= 0)
		return look(client, got, "receiving", error);
	if ((uint64_t)got > client->len - client->place ||
	    memcmp(piece, kt_bench_bulk_at(client->place), (size_t)got))
		return kt_error_set(error, EPROTO, "", 0, "other bytes came than were sent");
	client->place += (uint64_t)got;
	return 0;
}

static int send_piece(struct kt_bench_client *client, struct kt_error *error)
{
	uint64_t left = client->len - client->place;
	int rc = SSL_write(client->ssl, kt_bench_bulk_at(client->place),
			   left < SSL3_RT_MAX_PLAIN_LENGTH ? (int)left : SSL3_RT_MAX_PLAIN_LENGTH);

	if (rc <= 0)
		return look(client, rc, "sending", error);
	client->place += (uint64_t)rc;
	return 0;
}

/* As far as it goes: until libssl says that it must wait. */
static int move_bulk(struct kt_bench_client *client, struct kt_error *error)
{
	uint64_t before;
	int ret;

	do {
		before = client->place;
		ret = client->what == KT_BENCH_GIVE ? receive_piece(client, error)
						    : send_piece(client, error);
	} while (ret == 0 && client->place != before && client->place < client->len);
	if (ret == 0 && client->place == client->len)
		client->step = client->what == KT_BENCH_GIVE ? KT_BENCH_STAY : KT_BENCH_ANSWER;
	return ret;
}

static int receive_answer(struct kt_bench_client *client, struct kt_error *error)
{
	char byte;
	int rc = SSL_read(client->ssl, &byte, 1);

	if (rc != 1)
		return look(client, rc, "receiving", error);
	if (byte != KT_BENCH_TAKEN)
		return kt_error_set(error, EPROTO, "", 0, "another byte came back");
	client->step = KT_BENCH_STAY;
	return 0;
}

/* ---- The end --------------------------------------------------------------------------------- */

static int leave(struct kt_bench_client *client)
{
	char rest[256];
	ssize_t got;

	do
		got = recv(client->fd, rest, sizeof rest, 0);
	while (got > 0);
	if (got == 0 || errno != EAGAIN)
		client->step = KT_BENCH_DONE;
	return 0;
}

/* ---- All of it ------------------------------------------------------------------------------- */

int kt_bench_client_go_on(struct kt_bench_client *client, struct kt_error *error)
{
	enum kt_bench_step before;
	int ret = 0;

	errno = 0;
	do {
		before = client->step;
		switch (client->step) {
		case KT_BENCH_SHAKE:
			ret = shake(client, error);
			break;
		case KT_BENCH_SEND:
			ret = send_byte(client, error);
			break;
		case KT_BENCH_RECEIVE:
			ret = receive_byte(client, error);
			break;
		case KT_BENCH_ORDER:
			ret = order(client, error);
			break;
		case KT_BENCH_BULK:
			ret = move_bulk(client, error);
			break;
		case KT_BENCH_ANSWER:
			ret = receive_answer(client, error);
			break;
		case KT_BENCH_LEAVE:
			ret = leave(client);
			break;
		case KT_BENCH_IDLE:
		case KT_BENCH_STAY:
		case KT_BENCH_DONE:
			break;
		}
	} while (ret == 0 && client->step != before);
	return ret;
}
