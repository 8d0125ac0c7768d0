/* SPDX-License-Identifier: BSD-2-Clause */
#include "stand_in.h"

#include <errno.h>
#include <linux/tls.h>
#include <string.h>

#include "../../src/engine/worker.h"

#define SOL_TLS_NUMBER 282

void stand_in_support(bool rekey, struct kt_ktls_support *ret_support)
{
	memset(ret_support, 0, sizeof *ret_support);
	ret_support->attach = true;
	memset(ret_support->cipher, true, sizeof ret_support->cipher);
	ret_support->rekey = rekey;
}

uint32_t stand_in_flags(struct kt_conn *conn, int res, uint32_t flags)
{
	uint16_t number = (uint16_t)(flags >> IORING_CQE_BUFFER_SHIFT);

	if (res > 0 || res == -EAGAIN || !(flags & IORING_CQE_F_BUFFER))
		return flags;
	kt_blocks_take(&conn->worker->blocks, number, conn, conn->worker->now_ns);
	kt_blocks_give(&conn->worker->blocks, number);
	return 0;
}

void stand_in_label(struct kt_conn *conn, uint8_t type)
{
	struct cmsghdr *cmsg = (struct cmsghdr *)conn->recv_control;

	conn->recv_msg.msg_control = cmsg;
	conn->recv_msg.msg_controllen = sizeof conn->recv_control;
	cmsg->cmsg_level = SOL_TLS_NUMBER;
	cmsg->cmsg_type = TLS_GET_RECORD_TYPE;
	cmsg->cmsg_len = CMSG_LEN(sizeof type);
	*CMSG_DATA(cmsg) = type;
}
