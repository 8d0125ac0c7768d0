/* SPDX-License-Identifier: BSD-2-Clause */
/* ktrust dial: the handshake, and who has the records then. */
#include "dial.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include <ktrust/ktls.h>
#include <ktrust/stream.h>

static int send_output(struct kt_dial *dial)
{
	const uint8_t *data;
	size_t len;
	int err = 0;

	while (!err && (len = kt_tls_output(dial->tls, &data))) {
		err = kt_dial_send(dial, data, len);
		if (!err)
			kt_tls_output_done(dial->tls, len);
	}
	return err;
}

/* An enum kt_tls_status, or -errno. */
static int receive(struct kt_dial *dial)
{
	uint8_t data[4096];
	size_t want = kt_tls_want(dial->tls);
	ssize_t n = recv(dial->fd, data, want < sizeof data ? want : sizeof data, 0);

	if (n < 0)
		return errno == EAGAIN ? kt_dial_wait(dial, POLLIN) : -errno;
	return n ? kt_tls_input(dial->tls, data, (size_t)n) : kt_tls_input_eof(dial->tls);
}

static int run(struct kt_dial *dial)
{
	int status = kt_tls_start(dial->tls), err;

	/* The output of a failure is an alert, which the server should get. */
	while (!(err = send_output(dial)) && status == KT_TLS_AGAIN)
		status = receive(dial);
	if (status == KT_TLS_FAILED)
		return status;
	return err ? err : status;
}

/* What the handshake ended by, as an error; its text has the outcome's name. */
static int refuse(struct kt_dial *dial, struct kt_error *error)
{
	const char *failure = kt_tls_failure(dial->tls);
	const struct kt_verdict *verdict = &dial->info.verdict;
	const char *words = kt_dial_words(failure);

	dial->refused = true;
	if (dial->info.verified && verdict->code != KT_ACCEPTED)
		return kt_error_set(error, EACCES, dial->target, 0, "refused: %s: %s", failure,
				    verdict->rule ? verdict->rule->text : "?");
	if (!strcmp(failure, "peer_alert"))
		return kt_error_set(
			error, EACCES, dial->target, 0, "the server refused us with alert %d (%s)",
			kt_tls_peer_alert(dial->tls), kt_alert_name(kt_tls_peer_alert(dial->tls)));
	dial->refused = false;
	return kt_error_set(error, EPROTO, dial->target, 0, "no handshake: %s%s%s", failure,
			    words ? ": " : "", words ? words : "");
}

/* ---- Records in the kernel ------------------------------------------------------------------- */

static int install(int fd, const struct kt_traffic *traffic)
{
	int err = kt_ktls_install(fd, KT_TX, traffic->version, traffic->cipher, &traffic->tx);

	return err ? err
		   : kt_ktls_install(fd, KT_RX, traffic->version, traffic->cipher, &traffic->rx);
}

/* *ret_fatal: there is no way back to userspace records. */
static int hand_over(struct kt_dial *dial, bool *ret_fatal)
{
	struct kt_ktls_support support;
	struct kt_traffic traffic;
	enum kt_cipher cipher;
	uint16_t version;
	int err = kt_tls_cipher(dial->tls, &version, &cipher);

	if (!err)
		err = kt_ktls_probe(&support);
	if (!err && !kt_ktls_supports(&support, version, cipher))
		err = -EOPNOTSUPP;
	if (!err)
		err = kt_ktls_attach(dial->fd);
	if (!err)
		err = kt_dial_keys_keep(&dial->keys, dial->tls, &support, version, cipher);
	if (!err)
		err = kt_tls_export(dial->tls, &traffic);
	if (err)
		return err;
	*ret_fatal = true;
	err = install(dial->fd, &traffic);
	kt_traffic_wipe(&traffic);
	return err;
}

static int place_records(struct kt_dial *dial, struct kt_error *error)
{
	bool fatal = false;
	int err;

	if (dial->ktls == KT_KTLS_OFF)
		return 0;
	err = hand_over(dial, &fatal);
	if (err)
		kt_dial_keys_wipe(&dial->keys);
	if (err && (fatal || dial->ktls == KT_KTLS_REQUIRE))
		return kt_error_set(error, -err, "kTLS", 0,
				    "the kernel does not take the records: %s (see ktrust doctor)",
				    strerror(-err));
	if (err)
		return 0;
	dial->offloaded = true;
	kt_tls_free(dial->tls);
	dial->tls = NULL;
	return 0;
}

int kt_dial_shake(struct kt_dial *dial, struct kt_error *error)
{
	const struct kt_tls_options options = {
		.name_type = dial->name_type,
		.name = dial->name,
		.alpn = dial->alpn_len ? dial->alpn : NULL,
		.alpn_len = dial->alpn_len,
	};
	int status = kt_tls_new(dial->context, &options, &dial->tls);

	if (status)
		return kt_error_set(error, -status, dial->name, 0,
				    "this cannot be the name of a server (see --name)");
	status = run(dial);
	kt_tls_describe(dial->tls, &dial->info);
	if (status == KT_TLS_FAILED)
		return refuse(dial, error);
	if (status < 0)
		return kt_error_set(error, -status, dial->target, 0, "no handshake: %s",
				    strerror(-status));
	return place_records(dial, error);
}
