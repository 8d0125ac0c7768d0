/* SPDX-License-Identifier: BSD-2-Clause */
/* Records of a client that are no plain data: empty, control, or none at all. */
#include "../../src/engine/worker.h"
#include "relayed.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void send_record(FIXTURE_DATA(relay) * self, uint8_t type, const void *data, size_t len)
{
	struct kt_traffic traffic;
	uint8_t record[RECORD_MAX];

	keys_of_client(&self->peer.client, &traffic);
	len = record_seal(&traffic, &traffic.rx, type, data, len, record);
	send_all(self->peer.fd, record, len);
}

/* Each alone (RFC 8446 §5.4), so that reading it ends with nothing, and is begun again. */
TEST_F(relay, empty_records_are_nothing)
{
	struct kt_traffic traffic;
	uint8_t record[RECORD_MAX];
	char byte = 0;

	keys_of_client(&self->peer.client, &traffic);
	for (int i = 0; i < 3; i++) {
		send_all(self->peer.fd, record,
			 record_seal(&traffic, &traffic.rx, KT_RECORD_DATA, "", 0, record));
		peer_await_read(&self->peer);
	}
	send_all(self->peer.fd, record,
		 record_seal(&traffic, &traffic.rx, KT_RECORD_DATA, "x", 1, record));
	recv_exactly(self->backend, &byte, 1);
	EXPECT_EQ('x', byte);
	send_all(self->peer.fd, record,
		 record_seal(&traffic, &traffic.rx, KT_RECORD_DATA, "", 0, record));
	peer_await_read(&self->peer);
	send_all(self->peer.fd, record,
		 record_seal(&traffic, &traffic.rx, KT_RECORD_ALERT, "\1", 2, record));
	EXPECT_EQ(0, recv_end(self->backend));
}

/* All that is read at once is an empty record: the one behind it is of another type. */
TEST_F(relay, empty_record_is_no_end)
{
	struct kt_traffic traffic;
	uint8_t records[2 * RECORD_MAX];
	size_t len;

	keys_of_client(&self->peer.client, &traffic);
	len = record_seal(&traffic, &traffic.rx, KT_RECORD_DATA, "", 0, records);
	len += record_seal(&traffic, &traffic.rx, KT_RECORD_ALERT, "\1", 2, records + len);
	send_all(self->peer.fd, records, len);
	EXPECT_EQ(0, recv_end(self->backend));
}

/* ---- Parts of records ------------------------------------------------------------------------ */

static unsigned int turns(FIXTURE_DATA(relay) * self)
{
	return kt_engine_shared(self->rig.engine)->workers[0].ring.turn;
}

/*
 * Of a part that is there when the next read begins poll tells at once. When the large record is
 * whole, it tells of all again, however little that is.
 */
static void expect_small_behind_large(FIXTURE_DATA(relay) * self, struct kt_traffic *traffic)
{
	uint8_t large[10000] = {0}, records[2 * RECORD_MAX], text[sizeof large];
	size_t len = record_seal(traffic, &traffic->rx, KT_RECORD_DATA, "s", 1, records);

	len += record_seal(traffic, &traffic->rx, KT_RECORD_DATA, large, sizeof large,
			   records + len);
	send_all(self->peer.fd, records, len - 100);
	recv_exactly(self->backend, text, 1);
	usleep(20000);
	send_all(self->peer.fd, records + len - 100, 100);
	recv_exactly(self->backend, text, sizeof large);
	len = record_seal(traffic, &traffic->rx, KT_RECORD_DATA, "x", 1, records);
	send_all(self->peer.fd, records, len);
	recv_exactly(self->backend, text, 1);
	EXPECT_EQ('x', text[0]);
}

/* Poll may tell of a part again and again, which is not to keep the worker busy. */
static void expect_parts_to_be_waited_for(FIXTURE_DATA(relay) * self)
{
	struct kt_traffic traffic;
	uint8_t record[RECORD_MAX];
	unsigned int before;
	char text[3];

	keys_of_client(&self->peer.client, &traffic);
	for (int i = 0; i < 3; i++) {
		size_t len = record_seal(&traffic, &traffic.rx, KT_RECORD_DATA, "abc", 3, record);
		size_t step = 1;

		for (size_t at = 0; at < len; at += step) {
			step = at < 4 ? 1 : len - at < 4 ? len - at : 4;
			send_all(self->peer.fd, record + at, step);
			usleep(20000);
			before = turns(self);
			usleep(50000);
			EXPECT_GT(20, turns(self) - before);
		}
		recv_exactly(self->backend, text, sizeof text);
		EXPECT_EQ(0, memcmp("abc", text, sizeof text));
	}
	expect_small_behind_large(self, &traffic);
}

/* Before Linux 6.5. */
TEST_F(relay, part_of_a_record_is_waited_for)
{
	expect_parts_to_be_waited_for(self);
}

TEST_F(relay, part_of_a_record_is_waited_for_after_our_end)
{
	char byte;

	shutdown(self->backend, SHUT_WR);
	EXPECT_EQ(PEER_CLOSED, peer_read(&self->peer, &byte, 1));
	expect_parts_to_be_waited_for(self);
}

/* The kernel stops at what is no record, and poll tells of it again and again in a full buffer. */
TEST_F(relay, what_is_no_record_is_no_work_until_the_client_has_gone)
{
	static const char garbage[1 << 18] = "this is not a record at all";
	unsigned int before;

	if (variant->ktls == KT_KTLS_OFF)
		return;
	while (send(self->peer.fd, garbage, sizeof garbage, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		;
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(-ECONNRESET, recv_end(self->backend));
	usleep(20000);
	before = turns(self);
	usleep(200000);
	EXPECT_GT(40, turns(self) - before);
	EXPECT_EQ(0, rig_stats(&self->rig).ended);
}

/* So many wakes at once that they are not counted any more (io_uring/poll.c: IO_POLL_REF_BIAS). */
TEST_F(relay, many_small_records_at_once_and_one_alone)
{
	static uint8_t records[1000 * 32], text[1000];
	struct kt_traffic traffic;
	size_t len = 0;

	keys_of_client(&self->peer.client, &traffic);
	for (int round = 0; round < 3; round++) {
		len = 0;
		for (size_t i = 0; i < sizeof text; i++)
			len += record_seal(&traffic, &traffic.rx, KT_RECORD_DATA, "x", 1,
					   records + len);
		send_all(self->peer.fd, records, len);
		recv_exactly(self->backend, text, sizeof text);
		usleep(20000);
		len = record_seal(&traffic, &traffic.rx, KT_RECORD_DATA, "y", 1, records);
		send_all(self->peer.fd, records, len);
		recv_exactly(self->backend, text, 1);
		EXPECT_EQ('y', text[0]);
	}
}

/* RFC 8446 §5.1, §5.4: no other type may be empty. */
static void expect_refusal_of_empty(FIXTURE_DATA(relay) * self, uint8_t type)
{
	send_record(self, type, "", 0);
	EXPECT_EQ(-ECONNRESET, recv_end(self->backend));
	rig_await_ends(&self->rig, "protocol_error", 1);
}

TEST_F(relay, empty_alert_is_refused)
{
	expect_refusal_of_empty(self, KT_RECORD_ALERT);
}

TEST_F(relay, empty_handshake_record_is_refused)
{
	/* libssl passes over it in TLS 1.2 */
	if (variant->ktls != KT_KTLS_OFF || variant->version == KT_TLS_1_3)
		expect_refusal_of_empty(self, KT_RECORD_HANDSHAKE);
}

TEST_F(relay, fatal_alert_is_named)
{
	static const uint8_t alert[] = {2, 40};

	send_record(self, KT_RECORD_ALERT, alert, sizeof alert);
	EXPECT_EQ(-ECONNRESET, recv_end(self->backend));
	rig_await_ends(&self->rig, "alert_handshake_failure", 1);
}

TEST_F(relay, record_that_does_not_authenticate_is_named)
{
	static const uint8_t record[] = {23, 3, 3, 0, 32, 1, 2, 3, 4, 5, 6, [36] = 7};
	uint8_t byte;

	send_all(self->peer.fd, record, sizeof record);
	EXPECT_EQ(-ECONNRESET, recv_end(self->backend));
	/* and the client hears of it, whatever the kernel still has to say about the record */
	EXPECT_EQ(PEER_FAILED, peer_read(&self->peer, &byte, 1));
	EXPECT_EQ(20, self->peer.client.alert); /* bad_record_mac */
	close_peer(self);
	/* the TLS engine has no name of its own for it */
	rig_await_ends(&self->rig, variant->ktls == KT_KTLS_OFF ? "protocol_error" : "bad_record",
		       1);
}

/* One byte less than any has that is sealed. */
TEST_F(relay, record_without_room_for_its_tag_is_no_fault_of_ours)
{
	static const uint8_t record[] = {23, 3, 3, 0, 15, [19] = 1};

	send_all(self->peer.fd, record, sizeof record);
	EXPECT_EQ(-ECONNRESET, recv_end(self->backend));
	close_peer(self);
	rig_await_ends(&self->rig, variant->ktls == KT_KTLS_OFF ? "protocol_error" : "bad_record",
		       1);
}

TEST_F(relay, garbage_after_the_handshake_is_named)
{
	send_all(self->peer.fd, "this is not a record at all", 27);
	EXPECT_EQ(-ECONNRESET, recv_end(self->backend));
	close_peer(self);
	WAIT_UNTIL(rig_stats(&self->rig).ended == 1);
	EXPECT_EQ(1, rig_ends(&self->rig, "bad_record") + rig_ends(&self->rig, "protocol_error"));
}

TEST_F(relay, handshake_records_after_the_handshake_are_refused)
{
	static const uint8_t hello_request[] = {0, 0, 0, 0};

	send_record(self, KT_RECORD_HANDSHAKE, hello_request, sizeof hello_request);
	EXPECT_EQ(-ECONNRESET, recv_end(self->backend));
	close_peer(self);
	rig_await_ends(&self->rig, "protocol_error", 1);
}

/* Userspace goes on with new keys, and so do kernels that can; engine/rekey has more of it. */
TEST_F(relay, key_update_goes_on_or_ends_by_its_name)
{
	char text[8];

	if (variant->version == KT_TLS_1_2)
		return;
	SSL_key_update(self->peer.client.ssl, SSL_KEY_UPDATE_REQUESTED);
	peer_write(&self->peer, "new", 3);
	if (variant->ktls == KT_KTLS_OFF || kt_engine_ktls(self->rig.engine)->rekey) {
		recv_exactly(self->backend, text, 3);
		EXPECT_EQ(0, memcmp("new", text, 3));
		send_all(self->backend, "keys", 4);
		peer_read_all(&self->peer, text, 4);
		EXPECT_EQ(0, memcmp("keys", text, 4));
	} else {
		EXPECT_EQ(-ECONNRESET, recv_end(self->backend));
		expect_no_clean_end(self, variant);
		close_peer(self);
		rig_await_ends(&self->rig, "key_update", 1);
	}
}

/* A client that asks and asks, and reads no answer, costs bounded memory. */
TEST_F(relay, warnings_without_end_are_refused)
{
	static const uint8_t warning[] = {1, 90};
	struct kt_traffic traffic;
	uint8_t record[RECORD_MAX];

	keys_of_client(&self->peer.client, &traffic);
	for (int i = 0; i < 64; i++) {
		size_t len = record_seal(&traffic, &traffic.rx, KT_RECORD_ALERT, warning,
					 sizeof warning, record);

		if (send(self->peer.fd, record, len, MSG_NOSIGNAL) < 0)
			break;
	}
	EXPECT_EQ(-ECONNRESET, recv_end(self->backend));
	close_peer(self);
	rig_await_ends(&self->rig, "protocol_error", 1);
}

TEST_HARNESS_MAIN
