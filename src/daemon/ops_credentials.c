/* SPDX-License-Identifier: BSD-2-Clause */
/* Looking at what listeners prove themselves with: credentials.list. */
#include "ops.h"

#include <string.h>

#define NAMES_MAX 100 /* of one certificate; their number is told besides */

static json_t *error_info(const struct kt_error *why)
{
	char text[600];

	return why->err ? kt_json_text(kt_error_format(why, text, sizeof text)) : json_null();
}

static json_t *names_info(const struct kt_credentials *credentials)
{
	json_t *list = json_array();
	const char *name;
	int lost = 0;

	for (size_t i = 0; i < NAMES_MAX && (name = kt_credentials_name(credentials, i)); i++)
		lost |= json_array_append_new(list, json_string(name));
	if (!lost)
		return list;
	json_decref(list);
	return NULL;
}

static json_t *staple_info(const struct kt_credentials_info *info)
{
	int64_t now = (int64_t)time(NULL);

	if (!info->stapled)
		return json_null();
	return json_pack("{s:o, s:o, s:b}", "this_update", kt_json_date(info->this_update),
			 "next_update", kt_json_date(info->next_update), "stale",
			 info->next_update <= now);
}

/* Which credentials of which listener. */
struct place {
	struct kt_daemon *daemon;
	size_t listener, index;
	const struct kt_identities_state *state;
};

static json_t *credentials_info(const struct place *place)
{
	const struct kt_credentials_set *set = place->state->set;
	const struct kt_credentials *credentials = kt_credentials_set_at(set, place->index);
	struct kt_credentials_info info;
	struct kt_error staple;

	kt_credentials_describe(credentials, &info);
	kt_identities_staple_error(place->daemon->identities, place->listener, place->index,
				   &staple);
	return json_pack("{s:s, s:s, s:s, s:o, s:I, s:o, s:o, s:o, s:I, s:b, s:b, s:o, s:o, s:o}",
			 "listener", place->daemon->config->listeners[place->listener].name,
			 "subject", info.subject, "key", info.key_type, "names",
			 names_info(credentials), "name_count", (json_int_t)info.names,
			 "fingerprint", kt_json_digest(info.fingerprint, KT_DIGEST_LEN),
			 "not_before", kt_json_date(info.not_before), "not_after",
			 kt_json_date(info.not_after), "sent", (json_int_t)info.sent, "reachable",
			 kt_credentials_set_reaches(set, place->index), "key_exposed", info.exposed,
			 "ocsp", staple_info(&info), "ocsp_error", error_info(&staple), "since",
			 kt_json_time(place->state->since_ns));
}

static int send_all(struct place *place, struct kt_control *control, struct kt_error *error)
{
	int err = 0;

	for (; !err && kt_credentials_set_at(place->state->set, place->index); place->index++)
		err = kt_op_send_item(control, credentials_info(place), error);
	return err;
}

static json_t *listener_info(const struct place *place)
{
	return json_pack("{s:s, s:o, s:o}", "name",
			 place->daemon->config->listeners[place->listener].name, "since",
			 kt_json_time(place->state->since_ns), "last_error",
			 error_info(&place->state->last_error));
}

int kt_op_credentials_list(struct kt_daemon *daemon, const struct kt_question *question,
			   struct kt_control *control, json_t **ret_result, struct kt_error *error)
{
	json_t *listeners = json_array();
	int err = 0, lost = 0;

	(void)question;
	for (size_t i = 0; i < daemon->config->listener_count && !err; i++) {
		struct kt_identities_state state;
		struct place place = {.daemon = daemon, .listener = i, .state = &state};

		kt_identities_state(daemon->identities, i, &state);
		if (!state.set)
			continue;
		err = send_all(&place, control, error);
		lost |= json_array_append_new(listeners, listener_info(&place));
		kt_credentials_set_put(state.set);
	}
	if (err || lost) {
		json_decref(listeners);
		listeners = NULL;
	}
	return err ? err
		   : kt_op_done(listeners ? json_pack("{s:o}", "listeners", listeners) : NULL,
				ret_result, error);
}
