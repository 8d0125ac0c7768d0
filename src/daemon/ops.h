/* SPDX-License-Identifier: BSD-2-Clause */
/* What the operations of the control protocol share. Any thread; each answers one question. */
#ifndef KTRUST_DAEMON_OPS_H
#define KTRUST_DAEMON_OPS_H

#include "daemon.h"

/* Items go out through control while it works; the result is a new reference. */
typedef int kt_operation_fn(struct kt_daemon *daemon, const struct kt_question *question,
			    struct kt_control *control, json_t **ret_result,
			    struct kt_error *error);

/* The end of one: result is stolen; NULL, out of memory, is an error. */
KT_WARN_UNUSED int kt_op_done(json_t *result, json_t **ret_result, struct kt_error *error);

/* Send one item (stolen), or each of a list (borrowed). */
KT_WARN_UNUSED int kt_op_send_item(struct kt_control *control, json_t *item,
				   struct kt_error *error);
KT_WARN_UNUSED int kt_op_send_items(struct kt_control *control, json_t *list,
				    struct kt_error *error);

/* ops_credentials.c, ops_pool.c, ops_life.c */
kt_operation_fn kt_op_credentials_list;
kt_operation_fn kt_op_pool_list, kt_op_pool_show;
kt_operation_fn kt_op_pool_load, kt_op_pool_stage, kt_op_pool_check, kt_op_pool_commit,
	kt_op_pool_unstage, kt_op_pool_rollback, kt_op_pool_history, kt_op_pool_diff;

json_t *kt_op_anchor(const struct kt_anchor *anchor); /* NULL: out of memory */

#endif
