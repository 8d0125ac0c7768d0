/* SPDX-License-Identifier: BSD-2-Clause */
#include "ask.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "../control/control.h"

int kt_bench_ask_begin(const char *dir, struct kt_control **ret_control, struct kt_error *error)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/ours.sock", dir);
	return kt_control_connect(path, ret_control, error);
}

/* What it refuses is trouble as well. */
static int call(struct kt_control *control, json_t *request, json_t **ret_result,
		struct kt_error *error)
{
	int err = kt_control_call(control, request, NULL, NULL, ret_result, error);

	return err > 0 ? -EPROTO : err;
}

int kt_bench_ask_number(struct kt_control *control, const char *name, uint64_t *ret_number,
			struct kt_error *error)
{
	json_t *result, *number;
	int ret = call(control, json_pack("{s:s}", "op", "stats"), &result, error);

	if (ret)
		return ret;
	number = json_object_get(result, name);
	if (json_is_integer(number))
		*ret_number = (uint64_t)json_integer_value(number);
	else
		ret = kt_error_set(error, EPROTO, "ours", 0, "it does not tell its %s", name);
	json_decref(result);
	return ret;
}

int kt_bench_ask_publish(struct kt_control *control, const char *path, struct kt_error *error)
{
	char source[PATH_MAX + 8];
	json_t *result;
	int ret;

	snprintf(source, sizeof source, "file:%s", path);
	ret = call(control,
		   json_pack("{s:s, s:s, s:s}", "op", "pool.load", "pool", "clients", "source",
			     source),
		   &result, error);
	if (ret)
		return ret;
	if (!json_is_true(json_object_get(result, "changed")))
		ret = kt_error_set(error, EPROTO, "ours", 0, "it publishes nothing new");
	json_decref(result);
	return ret;
}
