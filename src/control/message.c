/* SPDX-License-Identifier: BSD-2-Clause */
/* The shapes of control messages. */
#include "control.h"

#include <errno.h>
#include <string.h>

json_t *kt_control_ok(json_t *result)
{
	return json_pack("{s:b, s:o}", "ok", 1, "result", result);
}

json_t *kt_control_item(json_t *item)
{
	return json_pack("{s:o}", "item", item);
}

json_t *kt_control_failed(enum kt_control_refusal kind, const struct kt_error *error)
{
	return json_pack("{s:b, s:{s:s, s:i, s:o, s:I, s:o}}", "ok", 0, "error", "kind",
			 kind == KT_CONTROL_MISUSED ? "usage" : "refused", "errno", error->err,
			 "where", kt_json_text(error->where), "line", (json_int_t)error->line,
			 "text", kt_json_text(error->text));
}

/* What the reply says of a failure, if it is a reply at all. */
static int take_failure(json_t *reply, struct kt_error *error)
{
	const char *kind, *where, *text;
	json_int_t line;
	int ok, err;

	if (json_unpack(reply, "{s:b, s:{s:s, s:i, s:s, s:I, s:s}}", "ok", &ok, "error", "kind",
			&kind, "errno", &err, "where", &where, "line", &line, "text", &text) ||
	    err <= 0)
		return kt_error_set(error, EPROTO, "control message", 0, "not a reply");
	kt_error_set(error, err, where, (unsigned int)line, "%s", text);
	return strcmp(kind, "usage") ? KT_CONTROL_REFUSED : KT_CONTROL_MISUSED;
}

enum { ANSWERED = 0, MORE = 3 };

/* ANSWERED, a kt_control_refusal, MORE after an item, or -EPROTO. */
static int take_reply(json_t *reply, void (*fn)(json_t *item, void *arg), void *arg,
		      json_t **ret_result, struct kt_error *error)
{
	json_t *item = json_object_get(reply, "item");
	json_t *result = json_object_get(reply, "result");

	if (item) {
		if (fn)
			fn(item, arg);
		return MORE;
	}
	if (!json_is_true(json_object_get(reply, "ok")) || !result)
		return take_failure(reply, error);
	*ret_result = json_incref(result);
	return ANSWERED;
}

int kt_control_call(struct kt_control *control, json_t *request,
		    void (*fn)(json_t *item, void *arg), void *arg, json_t **ret_result,
		    struct kt_error *error)
{
	json_t *reply;
	int err;

	if (!request || json_object_set_new(request, "v", json_integer(KT_CONTROL_VERSION)))
		err = -ENOMEM;
	else
		err = kt_control_send(control, request);
	json_decref(request);
	/* A daemon that refuses us closes at once: what it said is more telling than EPIPE. */
	if (err && err != -EPIPE)
		return kt_error_set(error, -err, "control socket", 0, "%s", strerror(-err));
	do {
		reply = NULL;
		err = kt_control_receive(control, &reply, error);
		if (err)
			return err;
		if (!reply)
			return kt_error_set(error, ECONNRESET, "control socket", 0,
					    "ktrustd closed the connection without an answer");
		err = take_reply(reply, fn, arg, ret_result, error);
		json_decref(reply);
	} while (err == MORE);
	return err;
}
