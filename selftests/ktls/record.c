/* SPDX-License-Identifier: BSD-2-Clause */
/* Control messages as they stand in memory; no kernel with kTLS is needed. */
#include <ktrust/ktls.h>

#include <errno.h>
#include <unistd.h>

#include "../harness.h"
#include "../lib/ktls_support.h"

#define SOL_TLS_NUMBER	       282
#define SET_RECORD_TYPE_NUMBER 1
#define GET_RECORD_TYPE_NUMBER 2

/* A received message with up to two control messages. */
struct received {
	_Alignas(struct cmsghdr) uint8_t control[2 * CMSG_SPACE(sizeof(int))];
	struct msghdr msg;
};

static struct cmsghdr *add(struct received *received, int level, int type, size_t len)
{
	struct msghdr *msg = &received->msg;
	struct cmsghdr *cmsg = (struct cmsghdr *)(received->control + msg->msg_controllen);

	msg->msg_control = received->control;
	msg->msg_controllen += CMSG_SPACE(len);
	cmsg->cmsg_level = level;
	cmsg->cmsg_type = type;
	cmsg->cmsg_len = CMSG_LEN(len);
	return cmsg;
}

TEST(record_type_to_send_is_one_exact_control_message)
{
	_Alignas(struct cmsghdr) uint8_t control[KT_KTLS_CONTROL_LEN];
	struct msghdr msg = {0};
	struct cmsghdr cmsg;

	memset(control, 0xee, sizeof control);
	kt_ktls_set_record_type(&msg, control, KT_RECORD_HANDSHAKE);
	EXPECT_EQ((void *)control, msg.msg_control);
	EXPECT_EQ(sizeof control, msg.msg_controllen);
	memcpy(&cmsg, control, sizeof cmsg);
	EXPECT_EQ(SOL_TLS_NUMBER, cmsg.cmsg_level);
	EXPECT_EQ(SET_RECORD_TYPE_NUMBER, cmsg.cmsg_type);
	EXPECT_EQ(CMSG_LEN(1), cmsg.cmsg_len);
	EXPECT_EQ(KT_RECORD_HANDSHAKE, control[CMSG_LEN(0)]);
	for (size_t i = CMSG_LEN(1); i < sizeof control; i++)
		EXPECT_EQ(0, control[i]);
}

TEST(record_type_received_is_the_kernels)
{
	for (int type = 0; type < 256; type++) {
		struct received received = {0};

		*CMSG_DATA(add(&received, SOL_TLS_NUMBER, GET_RECORD_TYPE_NUMBER, 1)) =
			(uint8_t)type;
		EXPECT_EQ(type, kt_ktls_record_type(&received.msg));
	}
}

TEST(record_type_without_control_message_is_data)
{
	struct received received = {0};

	EXPECT_EQ(KT_RECORD_DATA, kt_ktls_record_type(&received.msg));
}

TEST(record_type_passes_over_other_control_messages)
{
	struct received received = {0};

	add(&received, SOL_SOCKET, GET_RECORD_TYPE_NUMBER, sizeof(int));
	EXPECT_EQ(KT_RECORD_DATA, kt_ktls_record_type(&received.msg));
	*CMSG_DATA(add(&received, SOL_TLS_NUMBER, GET_RECORD_TYPE_NUMBER, 1)) = KT_RECORD_ALERT;
	EXPECT_EQ(KT_RECORD_ALERT, kt_ktls_record_type(&received.msg));
}

TEST(record_type_that_asks_to_send_is_not_one_received)
{
	struct received received = {0};

	*CMSG_DATA(add(&received, SOL_TLS_NUMBER, SET_RECORD_TYPE_NUMBER, 1)) = KT_RECORD_ALERT;
	EXPECT_EQ(KT_RECORD_DATA, kt_ktls_record_type(&received.msg));
}

/* Taking a cut alert for data would hand its bytes to the application. */
TEST(record_type_cut_off_is_an_error)
{
	struct received received = {.msg.msg_flags = MSG_CTRUNC};

	EXPECT_EQ(-EBADMSG, kt_ktls_record_type(&received.msg));
	received.msg.msg_flags = 0;
	add(&received, SOL_TLS_NUMBER, GET_RECORD_TYPE_NUMBER, 0);
	EXPECT_EQ(-EBADMSG, kt_ktls_record_type(&received.msg));
}

TEST(alert_to_a_closed_connection_is_epipe_without_signal)
{
	int fds[2];

	test_pair(TEST_INET, fds);
	ASSERT_EQ(0, shutdown(fds[0], SHUT_WR));
	EXPECT_EQ(-EPIPE, kt_ktls_send_alert(fds[0], 1, KT_ALERT_CLOSE_NOTIFY));
	EXPECT_EQ(-EBADF, kt_ktls_send_alert(-1, 1, KT_ALERT_CLOSE_NOTIFY));
}

TEST_HARNESS_MAIN
