/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every answer of the kernel that an offloaded connection can meet, given by a stand-in
 * (offloaded.h): so every way is gone on every kernel. Keys that are replaced: injected_keys.c.
 */
#include "offloaded.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- Completions ----------------------------------------------------------------------------- */

FIXTURE(answer)
{
	struct setting setting;
};

FIXTURE_VARIANT(answer)
{
	enum kt_op op;
	int err;
	const char *end;
	uint8_t alert; /* 0: none */
};

#define ANSWER(name, ...)                                                                          \
	FIXTURE_VARIANT_ADD(answer, name)                                                          \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}
ANSWER(recv_eio, KT_OP_CLIENT_RECV, -EIO, "io_error", 80);
ANSWER(recv_ebadmsg, KT_OP_CLIENT_RECV, -EBADMSG, "bad_record", 20);
ANSWER(recv_einval, KT_OP_CLIENT_RECV, -EINVAL, "bad_record", 20);
ANSWER(recv_emsgsize, KT_OP_CLIENT_RECV, -EMSGSIZE, "bad_record", 20);
ANSWER(recv_ekeyexpired, KT_OP_CLIENT_RECV, -EKEYEXPIRED, "key_update", 80);
ANSWER(recv_enomem, KT_OP_CLIENT_RECV, -ENOMEM, "internal", 80);
ANSWER(recv_ebusy, KT_OP_CLIENT_RECV, -EBUSY, "io_error", 80);
ANSWER(recv_econnreset, KT_OP_CLIENT_RECV, -ECONNRESET, "reset", 0);
ANSWER(recv_etimedout, KT_OP_CLIENT_RECV, -ETIMEDOUT, "timed_out", 0);
ANSWER(recv_econnaborted, KT_OP_CLIENT_RECV, -ECONNABORTED, "killed", 0);
ANSWER(send_eio, KT_OP_CLIENT_SEND, -EIO, "io_error", 0);
ANSWER(send_ebadmsg, KT_OP_CLIENT_SEND, -EBADMSG, "io_error", 0);
ANSWER(send_einval, KT_OP_CLIENT_SEND, -EINVAL, "io_error", 0);
ANSWER(send_ekeyexpired, KT_OP_CLIENT_SEND, -EKEYEXPIRED, "io_error", 0);
ANSWER(send_enomem, KT_OP_CLIENT_SEND, -ENOMEM, "internal", 0);
ANSWER(send_ebusy, KT_OP_CLIENT_SEND, -EBUSY, "io_error", 0);
ANSWER(send_epipe, KT_OP_CLIENT_SEND, -EPIPE, "reset", 0);
ANSWER(backend_recv_eio, KT_OP_BACKEND_RECV, -EIO, "backend_error", 80);
ANSWER(backend_recv_etimedout, KT_OP_BACKEND_RECV, -ETIMEDOUT, "backend_error", 80);

FIXTURE_SETUP(answer)
{
	kernel.rekey = true;
	open_setting(&self->setting, &(struct rig_options){.ktls = KT_KTLS_REQUIRE}, KT_TLS_1_3);
}

FIXTURE_TEARDOWN(answer)
{
	close_setting(&self->setting);
}

TEST_F(answer, ends_the_connection_by_its_name)
{
	char byte;

	kernel.op = (int)variant->op;
	kernel.res = variant->err;
	if (variant->op == KT_OP_CLIENT_RECV)
		send_all(self->setting.peer.fd, "x", 1);
	else
		send_all(self->setting.backend, "x", 1);
	if (variant->op == KT_OP_CLIENT_SEND)
		recv_exactly(self->setting.peer.fd, &byte, 1);
	expect_alert(&self->setting, variant->alert);
	expect_end(&self->setting, variant->end);
	EXPECT_EQ(1, +kernel.used);
	WAIT_UNTIL(kernel.wiped);
	EXPECT_EQ(1, +kernel.wiped);
}

/* A backend that got a header, or a part of it, and no more. */
TEST(header_that_could_not_be_sent_is_no_clean_end)
{
	struct setting setting;
	uint8_t header[512];

	kernel.header_err = -EIO;
	open_rig(&setting, &(struct rig_options){.proxy_protocol = KT_PROXY_V2}, KT_TLS_1_3);
	ASSERT_EQ(1, peer_handshake(&setting.peer));
	setting.backend = rig_accept(&setting.rig);
	EXPECT_LT(0, recv(setting.backend, header, sizeof header, 0));
	EXPECT_EQ(-ECONNRESET, recv_end(setting.backend));
	rig_await_ends(&setting.rig, "backend_unreachable", 1);
	close_setting(&setting);
}

/* Its keys are the receiver's, and no KeyUpdate is followed there. */
TEST(of_what_is_handed_over_no_secrets_are_kept)
{
	struct setting setting;

	kernel.rekey = true;
	open_rig(&setting, &(struct rig_options){.handoff = true, .handoff_user = geteuid()},
		 KT_TLS_1_3);
	ASSERT_EQ(1, peer_handshake(&setting.peer));
	close(setting.peer.fd);
	setting.peer.fd = -1;
	rig_await_ends(&setting.rig, "receiver_gone", 1);
	EXPECT_EQ(2, +kernel.installs);
	close_setting(&setting);
	EXPECT_EQ(0, +kernel.wiped);
}

/* ---- Installing ------------------------------------------------------------------------------ */

FIXTURE(install)
{
	struct setting setting;
};

FIXTURE_VARIANT(install)
{
	unsigned int number;
	int err;
};

FIXTURE_VARIANT_ADD(install, tx_eio){1, -EIO};
FIXTURE_VARIANT_ADD(install, tx_einval){1, -EINVAL};
FIXTURE_VARIANT_ADD(install, tx_ebusy){1, -EBUSY};
FIXTURE_VARIANT_ADD(install, tx_enomem){1, -ENOMEM};
FIXTURE_VARIANT_ADD(install, rx_eio){2, -EIO};
FIXTURE_VARIANT_ADD(install, rx_einval){2, -EINVAL};
FIXTURE_VARIANT_ADD(install, rx_ebusy){2, -EBUSY};
FIXTURE_VARIANT_ADD(install, rx_enomem){2, -ENOMEM};

FIXTURE_SETUP(install)
{
	kernel.rekey = true;
	kernel.install_fails = variant->number;
	kernel.install_err = variant->err;
	open_rig(&self->setting, &(struct rig_options){.ktls = KT_KTLS_AUTO}, KT_TLS_1_3);
}

FIXTURE_TEARDOWN(install)
{
	close_setting(&self->setting);
}

/* Once a key may be with the kernel there is no way back to userspace records. */
TEST_F(install, that_fails_refuses_the_connection)
{
	char byte;

	ASSERT_EQ(1, peer_handshake(&self->setting.peer));
	rig_await_outcomes(&self->setting.rig, "ktls_failed", 1);
	EXPECT_GT(0, peer_read(&self->setting.peer, &byte, 1));
	EXPECT_EQ(variant->number, +kernel.installs);
	WAIT_UNTIL(kernel.wiped);
	EXPECT_EQ(1, +kernel.wiped);
}

/* The kernel knows no shorter records than TLS has, which this client asks for (RFC 6066 §4). */
static void open_limited(struct setting *setting, enum kt_ktls_mode ktls)
{
	open_rig(setting, &(struct rig_options){.ktls = ktls}, KT_TLS_1_3);
	ASSERT_EQ(1, SSL_set_tlsext_max_fragment_length(setting->peer.client.ssl,
							TLSEXT_max_fragment_length_512));
	ASSERT_EQ(1, peer_handshake(&setting->peer));
}

TEST(records_that_the_kernel_cannot_make_are_refused_where_it_has_to)
{
	struct setting setting;
	char byte;

	open_limited(&setting, KT_KTLS_REQUIRE);
	rig_await_outcomes(&setting.rig, "ktls_unsupported", 1);
	EXPECT_GT(0, peer_read(&setting.peer, &byte, 1));
	EXPECT_EQ(0, +kernel.installs);
	close_setting(&setting);
}

TEST(records_that_the_kernel_cannot_make_stay_in_userspace)
{
	struct setting setting;
	char byte = 0;

	open_limited(&setting, KT_KTLS_AUTO);
	setting.backend = rig_accept(&setting.rig);
	peer_write(&setting.peer, "u", 1);
	recv_exactly(setting.backend, &byte, 1);
	EXPECT_EQ('u', byte);
	EXPECT_EQ(0, +kernel.installs);
	close_setting(&setting);
}

TEST(attaching_that_fails_leaves_records_in_userspace)
{
	struct setting setting;
	char text[4];

	kernel.rekey = true;
	kernel.attach_err = -ENOENT;
	open_rig(&setting, &(struct rig_options){.ktls = KT_KTLS_AUTO}, KT_TLS_1_3);
	ASSERT_EQ(1, peer_handshake(&setting.peer));
	setting.backend = rig_accept(&setting.rig);
	peer_write(&setting.peer, "user", 4);
	recv_exactly(setting.backend, text, 4);
	EXPECT_EQ(0, memcmp("user", text, 4));
	EXPECT_EQ(0, +kernel.installs);
	close_setting(&setting);
}

/* Its FIN comes in one segment with its Finished: too late for the kernel to be attached. */
TEST(client_that_ends_with_its_last_flight_is_offloaded)
{
	const int on = 1;
	struct setting setting;

	kernel.rekey = true;
	open_rig(&setting, &(struct rig_options){.ktls = KT_KTLS_REQUIRE}, KT_TLS_1_3);
	ASSERT_EQ(0, setsockopt(setting.peer.fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on));
	ASSERT_EQ(1, peer_handshake(&setting.peer));
	ASSERT_EQ(0, shutdown(setting.peer.fd, SHUT_WR));
	rig_await_outcomes(&setting.rig, "accepted", 1);
	EXPECT_EQ(2, +kernel.installs);
	close_setting(&setting);
}

/* As the kernel says of a client that said all it had to say, and its end. */
TEST(client_that_leaves_before_attaching_is_no_failure_of_the_kernel)
{
	struct setting setting;

	kernel.attach_err = -ENOTCONN;
	open_rig(&setting, &(struct rig_options){.ktls = KT_KTLS_REQUIRE}, KT_TLS_1_3);
	ASSERT_EQ(1, peer_handshake(&setting.peer));
	rig_await_outcomes(&setting.rig, "peer_closed", 1);
	EXPECT_EQ(0, +kernel.installs);
	close_setting(&setting);
}

TEST(client_that_resets_before_attaching_is_no_failure_of_the_kernel)
{
	struct setting setting;

	kernel.attach_err = -ENOTCONN;
	open_rig(&setting, &(struct rig_options){.ktls = KT_KTLS_REQUIRE}, KT_TLS_1_3);
	kernel.offloads = false; /* so far the engine itself has asked */
	kernel.attach_resets = setting.peer.fd;
	ASSERT_EQ(1, peer_handshake(&setting.peer));
	rig_await_outcomes(&setting.rig, "peer_reset", 1);
	close_setting(&setting);
}

/* ---- Other records --------------------------------------------------------------------------- */

FIXTURE(record)
{
	struct setting setting;
};

FIXTURE_VARIANT(record)
{
	uint8_t type;
	uint8_t content[12];
	uint8_t len;
	const char *end;
	uint8_t alert;
};

#define RECORD(name, ...)                                                                          \
	FIXTURE_VARIANT_ADD(record, name)                                                          \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}
RECORD(key_update_in_pieces, KT_RECORD_HANDSHAKE, {24, 0}, 2, "key_update", 80);
RECORD(key_update_of_another_kind, KT_RECORD_HANDSHAKE, {24, 0, 0, 1, 2}, 5, "protocol_error", 47);
RECORD(two_key_updates, KT_RECORD_HANDSHAKE, {24, 0, 0, 1, 0, 24, 0, 0, 1, 0}, 10, "protocol_error",
       10);
RECORD(certificate, KT_RECORD_HANDSHAKE, {11, 0, 0, 1, 0}, 5, "protocol_error", 10);
RECORD(ticket, KT_RECORD_HANDSHAKE, {4, 0, 0, 1, 0}, 5, "protocol_error", 10);
RECORD(change_cipher_spec, KT_RECORD_CHANGE_CIPHER_SPEC, {1}, 1, "protocol_error", 10);
RECORD(half_an_alert, KT_RECORD_ALERT, {2}, 1, "protocol_error", 10);
RECORD(alert_and_more, KT_RECORD_ALERT, {1, 0, 0}, 3, "protocol_error", 10);
RECORD(empty_alert, KT_RECORD_ALERT, {0}, 0, "protocol_error", 10);
RECORD(empty_handshake, KT_RECORD_HANDSHAKE, {0}, 0, "protocol_error", 10);
RECORD(alert_bad_certificate, KT_RECORD_ALERT, {2, 42}, 2, "alert_bad_certificate", 0);
RECORD(alert_internal_error, KT_RECORD_ALERT, {2, 80}, 2, "alert_internal_error", 0);
RECORD(alert_as_a_warning, KT_RECORD_ALERT, {1, 100}, 2, "alert_no_renegotiation", 0);
RECORD(alert_without_name, KT_RECORD_ALERT, {2, 199}, 2, "peer_alert", 0);

FIXTURE_SETUP(record)
{
	kernel.rekey = true;
	open_setting(&self->setting, &(struct rig_options){.ktls = KT_KTLS_REQUIRE}, KT_TLS_1_3);
}

FIXTURE_TEARDOWN(record)
{
	close_setting(&self->setting);
}

TEST_F(record, ends_the_connection_by_its_name)
{
	client_says(&self->setting, variant->type, variant->content, variant->len);
	expect_alert(&self->setting, variant->alert);
	expect_end(&self->setting, variant->end);
}

/* One of another type is there already. */
TEST(empty_record_is_no_end)
{
	struct setting setting;

	open_setting(&setting, &(struct rig_options){.ktls = KT_KTLS_REQUIRE}, KT_TLS_1_3);
	client_says(&setting, KT_RECORD_DATA, "", 0);
	exchange(&setting);
	close_setting(&setting);
}

/* ---- Reads that give nothing (relay.c) ------------------------------------------------------- */

#define EMPTY_MAX 32

FIXTURE(nothing)
{
	struct setting setting;
};

FIXTURE_SETUP(nothing)
{
	open_setting(&self->setting, &(struct rig_options){.ktls = KT_KTLS_REQUIRE}, KT_TLS_1_3);
}

FIXTURE_TEARDOWN(nothing)
{
	close_setting(&self->setting);
}

/* One read each. */
static void say_nothing(FIXTURE_DATA(nothing) * self, _Atomic unsigned int *reads,
			unsigned int count)
{
	*reads = count;
	while (*reads) {
		unsigned int left = *reads;

		send_all(self->setting.peer.fd, "", 1);
		WAIT_UNTIL(*reads < left);
	}
}

TEST_F(nothing, empty_records_between_data_are_no_flood)
{
	for (int i = 0; i < 3; i++) {
		say_nothing(self, &kernel.empty_reads, EMPTY_MAX);
		exchange(&self->setting);
	}
}

TEST_F(nothing, empty_records_alone_are)
{
	say_nothing(self, &kernel.empty_reads, EMPTY_MAX + 1);
	expect_alert(&self->setting, 10);
	rig_await_ends(&self->setting.rig, "empty_record_flood", 1);
}

TEST_F(nothing, parts_of_records_are_no_flood)
{
	say_nothing(self, &kernel.part_reads, 4 * EMPTY_MAX);
	exchange(&self->setting);
}

/* The kernel may bring one for nothing (Linux 6.1), and there may be nothing for hours. */
TEST_F(nothing, part_of_a_record_keeps_no_block)
{
	char byte;

	say_nothing(self, &kernel.part_reads, 1);
	send_all(self->setting.backend, "d", 1);
	recv_exactly(self->setting.peer.fd, &byte, 1);
	WAIT_UNTIL(rig_stats(&self->setting.rig).bytes_out == 2);
	WAIT_UNTIL(!kernel.held);
}

TEST_F(nothing, empty_records_after_the_end_are_a_flood_as_well)
{
	static const uint8_t close_notify[] = {1, 0};

	client_says(&self->setting, KT_RECORD_ALERT, close_notify, sizeof close_notify);
	ASSERT_EQ(0, recv_end(self->setting.backend));
	say_nothing(self, &kernel.empty_reads, EMPTY_MAX + 1);
	rig_await_ends(&self->setting.rig, "empty_record_flood", 1);
}

/* ---- Ends ------------------------------------------------------------------------------------ */

TEST(clean_end_searches_no_operations)
{
	static const uint8_t close_notify[] = {1, 0};
	struct setting setting;
	uint8_t alert[2];

	open_setting(&setting, &(struct rig_options){.ktls = KT_KTLS_REQUIRE}, KT_TLS_1_3);
	client_says(&setting, KT_RECORD_ALERT, close_notify, sizeof close_notify);
	EXPECT_EQ(0, recv_end(setting.backend));
	shutdown(setting.backend, SHUT_WR);
	recv_exactly(setting.peer.fd, alert, sizeof alert);
	EXPECT_EQ(0, recv_end(setting.peer.fd));
	close(setting.peer.fd);
	setting.peer.fd = -1;
	rig_await_ends(&setting.rig, "closed", 1);
	EXPECT_EQ(0, +kernel.searches);
	close_setting(&setting);
}

/* ---- Origins --------------------------------------------------------------------------------- */

/* Cancelled reads may find no block before they learn of it: nobody waits for one then. */
TEST(target_that_had_its_time_is_not_read_again)
{
	static const struct kt_upstream_options proxy = {.kind = KT_UPSTREAM_HTTP};
	struct outgoing outgoing;
	int fd;

	kernel.starved = true;
	open_outgoing(&outgoing, &proxy);
	fd = rig_accept(&outgoing.rig);
	rig_await_outcomes(&outgoing.rig, "upstream_timeout", 1);
	EXPECT_FALSE(kernel.starved);
	close(fd);
	close_outgoing(&outgoing);
}

TEST_HARNESS_MAIN
