/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzing a connection, mostly a server's. The first byte chooses how the rest is used:
 *
 *   0  the bytes a peer sends, from the very first
 *   1  changes to what a real TLS 1.2 client sends: offset (2 bytes), value to XOR
 *   2  the same with TLS 1.3
 *   3  records of an authenticated TLS 1.2 peer after its handshake: type, length, content
 *   4  the same with TLS 1.3
 *   5  as 1, but to what a real server sends to a client of ours, which verifies it; 6: TLS 1.3
 *
 * Beside not reading astray: want is never 0 in a handshake and never passes the record; a server
 * that requires a certificate is only ever done with one it accepted; what failed has a name.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../tls/keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct lab lab;
static SSL_CTX *client_contexts[2], *server_contexts[2]; /* 1.2, 1.3 */
static struct kt_tls_context *our_client;

static void require(bool what)
{
	if (!what)
		abort();
}

/* Of a pool of its own, which is never freed either. */
static void set_up_client(const uint16_t versions[static 2])
{
	struct kt_tls_context_options options = {.peer_role = KT_ROLE_SERVER};

	require(!kt_pool_new("roots", &options.pool, NULL));
	pool_commit(options.pool, &lab.other_ca, 1);
	require(!kt_tls_context_new(&options, &our_client, NULL));
	for (int i = 0; i < 2; i++)
		server_contexts[i] = server_context(
			&(struct client_options){.version = versions[i], .cert = lab.server});
}

static void set_up(void)
{
	static const uint16_t versions[2] = {KT_TLS_1_2, KT_TLS_1_3};

	if (lab.context)
		return;
	lab_init(&lab, &(struct lab_options){.client_auth = KT_CLIENT_AUTH_REQUIRE});
	for (int i = 0; i < 2; i++)
		client_contexts[i] = client_context(
			&(struct client_options){.version = versions[i], .cert = lab.client});
	set_up_client(versions);
}

static void check_end(struct kt_tls *tls, int status)
{
	struct kt_tls_info info;

	kt_tls_describe(tls, &info);
	require((status == KT_TLS_FAILED) == (kt_tls_failure(tls) != NULL));
	if (status == KT_TLS_DONE)
		require(info.verified && info.verdict.code == KT_ACCEPTED);
}

static void feed_bytes(const uint8_t *data, size_t size)
{
	struct link link = {0};
	const uint8_t *out;

	require(!kt_tls_new(lab.context, NULL, &link.tls));
	if (size)
		wire_append(&link.up, data, size);
	while (link_server_read(&link))
		kt_tls_output_done(link.tls, kt_tls_output(link.tls, &out));
	require(link.status != KT_TLS_DONE);
	if (link.status == KT_TLS_AGAIN)
		link.status = kt_tls_input_eof(link.tls);
	check_end(link.tls, link.status);
	link_fini(&link);
}

struct input {
	const uint8_t *data;
	size_t size;
};

/* Change the part of the stream that the server has not read yet. */
static void alter(struct wire *up, const struct input *input)
{
	for (size_t i = 0; i + 3 <= input->size; i += 3) {
		size_t at = input->data[i] << 8 | input->data[i + 1];

		if (at >= up->read && at < up->len)
			up->data[at] ^= input->data[i + 2];
	}
}

static void alter_peer(const struct input *input, struct link *link)
{
	size_t before, altered = 0;

	do {
		before = link->up.read;
		link_client_turn(link);
		if (link->up.len > altered)
			alter(&link->up, input);
		altered = link->up.len;
		link_server_turn(link);
	} while (link->up.read != before);
	check_end(link->tls, link->status);
	client_fini(link->client);
	link_fini(link);
}

static void alter_client(const struct input *input, SSL_CTX *client_context)
{
	struct client client;
	struct link link;

	client_init(&client, client_context);
	link_init(&link, &client, lab.context);
	alter_peer(input, &link);
}

static void alter_server(const struct input *input, SSL_CTX *server_context)
{
	static const struct kt_tls_options options = {.name_type = KT_NAME_DNS,
						      .name = "server.test"};
	struct client server;
	struct link link;

	link_init_client(&link, &server, server_context, our_client, &options);
	alter_peer(input, &link);
}

static void feed_record(struct kt_tls *tls, const uint8_t *record, size_t len)
{
	uint8_t buf[4096];
	const uint8_t *out;

	if (kt_tls_input(tls, record, len) != KT_TLS_DONE)
		return;
	while (kt_tls_read(tls, buf, sizeof buf) > 0)
		;
	kt_tls_output_done(tls, kt_tls_output(tls, &out));
}

static void feed_records(const struct input *input, SSL_CTX *client_context)
{
	const uint8_t *at = input->data, *end = at + input->size;
	uint8_t record[RECORD_MAX];
	struct kt_traffic keys;
	struct client client;
	struct link link;

	link_establish(&link, &client, lab.context, client_context);
	keys_of_client(&client, &keys);
	while (end - at >= 2 && !kt_tls_failure(link.tls)) {
		uint8_t type = at[0];
		size_t len = at[1];

		at += 2;
		if (len > (size_t)(end - at))
			len = end - at;
		feed_record(link.tls, record, record_seal(&keys, &keys.rx, type, at, len, record));
		at += len;
	}
	link_fini(&link);
	client_fini(&client);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input;

	if (!size)
		return 0;
	set_up();
	input = (struct input){data + 1, size - 1};
	switch (data[0]) {
	case 1:
	case 2:
		alter_client(&input, client_contexts[data[0] - 1]);
		break;
	case 3:
	case 4:
		feed_records(&input, client_contexts[data[0] - 3]);
		break;
	case 5:
	case 6:
		alter_server(&input, server_contexts[data[0] - 5]);
		break;
	default:
		feed_bytes(input.data, input.size);
	}
	return 0;
}
