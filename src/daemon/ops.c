/* SPDX-License-Identifier: BSD-2-Clause */
/* The control protocol's operations, one function each behind one table; those on pools: ops_pool.c
 */
#include "ops.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "../tls/fast_keys.h"

int kt_op_done(json_t *result, json_t **ret_result, struct kt_error *error)
{
	if (!result)
		return kt_error_set(error, ENOMEM, "control", 0, "out of memory");
	*ret_result = result;
	return 0;
}

int kt_op_send_item(struct kt_control *control, json_t *item, struct kt_error *error)
{
	json_t *message = item ? kt_control_item(item) : NULL;
	int err = message ? kt_control_send(control, message) : -ENOMEM;

	json_decref(message);
	return err ? kt_error_set(error, -err, "control", 0, "%s", strerror(-err)) : 0;
}

int kt_op_send_items(struct kt_control *control, json_t *list, struct kt_error *error)
{
	json_t *item;
	size_t i;
	int err;

	json_array_foreach (list, i, item) {
		err = kt_op_send_item(control, json_incref(item), error);
		if (err)
			return err;
	}
	return 0;
}

/* A list that grows in callbacks, which cannot fail: what did not fit into memory is kept here. */
struct gathered {
	json_t *json;
	bool lost;
};

/* The list, which is the caller's then; NULL: out of memory. */
static json_t *all_of(struct gathered *gathered)
{
	if (!gathered->lost)
		return gathered->json;
	json_decref(gathered->json);
	return NULL;
}

/* ---- daemon.info ----------------------------------------------------------------------------- */

static json_t *ktls_info(const struct kt_daemon *daemon)
{
	const struct kt_ktls_support *support = kt_engine_ktls(daemon->engine);
	json_t *reason = support->attach ? json_null() : json_string(strerror(support->attach_err));

	return json_pack("{s:s, s:b, s:b, s:o}", "mode", kt_config_ktls_words[daemon->config->ktls],
			 "available", support->attach, "rekey", support->rekey, "reason", reason);
}

/* Pattern → pool */
static json_t *names_info(const struct kt_config_names *names)
{
	json_t *made = json_object();
	bool lost = false;

	for (size_t i = 0; i < names->count; i++)
		lost |= json_object_set_new(made, names->at[i].pattern,
					    json_string(names->at[i].pool)) != 0;
	return all_of(&(struct gathered){made, lost});
}

static json_t *texts_info(const struct kt_config_texts *texts)
{
	json_t *list = json_array();
	bool lost = false;

	for (size_t i = 0; i < texts->count; i++)
		lost |= json_array_append_new(list, kt_json_text(texts->at[i])) != 0;
	return all_of(&(struct gathered){list, lost});
}

static json_t *listeners_info(const struct kt_daemon *daemon)
{
	json_t *list = json_array();
	bool lost = false;

	for (size_t i = 0; i < daemon->config->listener_count; i++) {
		const struct kt_config_listener *listener = &daemon->config->listeners[i];
		char text[KT_ADDRESS_TEXT_MAX] = "";
		struct kt_address address;

		if (!kt_engine_address(daemon->engine, i, &address))
			kt_address_format(&address, text);
		lost |= json_array_append_new(
				list,
				json_pack(
					"{s:s, s:s, s:o, s:s?, s:s, s:o, s:s?, s:s, s:s, s:s?, s:o, s:s}",
					"name", listener->name, "mode",
					kt_config_mode_words[listener->mode], "targets",
					texts_info(&listener->targets), "server_pool",
					listener->server_pool, "listen", text, "backends",
					texts_info(&listener->backends), "handoff",
					listener->handoff, "proxy_protocol",
					kt_config_proxy_words[listener->proxy_protocol],
					"client_auth",
					kt_config_client_auth_words[listener->client_auth], "pool",
					listener->pool, "pools_by_name",
					names_info(&listener->names), "ca_names",
					kt_config_ca_names_words[listener->ca_names])) != 0;
	}
	return all_of(&(struct gathered){list, lost});
}

static int info(struct kt_daemon *daemon, const struct kt_question *question,
		struct kt_control *control, json_t **ret_result, struct kt_error *error)
{
	(void)question;
	(void)control;
	return kt_op_done(json_pack("{s:s, s:i, s:o, s:o, s:o}", "version", KT_VERSION, "pid",
				    (int)getpid(), "started", kt_json_time(daemon->started_ns),
				    "ktls", ktls_info(daemon), "listeners", listeners_info(daemon)),
			  ret_result, error);
}

/* ---- conns ----------------------------------------------------------------------------------- */

static json_t *verdict_info(const struct kt_conn_info *conn)
{
	const struct kt_verdict *verdict = &conn->verdict;

	if (!conn->verified)
		return json_null();
	return json_pack(
		"{s:I, s:o, s:o, s:o, s:I}", "pool_version", (json_int_t)verdict->pool_version,
		"pool_digest", kt_json_digest(verdict->pool_digest, KT_DIGEST_LEN), "anchor",
		kt_json_digest(verdict->anchor, KT_DIGEST_LEN), "anchor_name",
		kt_json_text(verdict->anchor_name), "verify_ns", (json_int_t)verdict->duration_ns);
}

static void add_conn(const struct kt_conn_info *conn, void *arg)
{
	struct gathered *gathered = arg;
	char peer[KT_ADDRESS_TEXT_MAX];
	json_t *made = json_pack(
		"{s:I, s:I, s:s, s:s, s:s, s:o, s:s?, s:s, s:s, s:b, s:b, s:o, s:I, s:I, s:I}",
		"conn", (json_int_t)conn->conn, "cookie", (json_int_t)conn->cookie, "listener",
		conn->listener, "role", conn->peer_role == KT_ROLE_SERVER ? "server" : "client",
		"peer_addr", kt_address_format(&conn->peer, peer), "peer",
		kt_json_text(conn->peer_name), "pool", conn->pool, "protocol",
		conn->version == KT_TLS_1_3 ? "TLSv1.3" : "TLSv1.2", "cipher", conn->cipher_name,
		"ktls_tx", !!(conn->ktls & KT_KTLS_TX), "ktls_rx", !!(conn->ktls & KT_KTLS_RX),
		"verdict", verdict_info(conn), "age_ns", (json_int_t)conn->age_ns, "bytes_in",
		(json_int_t)conn->bytes_in, "bytes_out", (json_int_t)conn->bytes_out);

	gathered->lost |= json_array_append_new(gathered->json, made) != 0;
}

static int conns(struct kt_daemon *daemon, const struct kt_question *question,
		 struct kt_control *control, json_t **ret_result, struct kt_error *error)
{
	struct gathered list = {.json = json_array()};
	int err = kt_engine_each_conn(daemon->engine, add_conn, &list);
	size_t count = json_array_size(list.json);

	(void)question;
	if (!err && (!list.json || list.lost))
		err = -ENOMEM;
	if (err)
		kt_error_set(error, -err, "connections", 0, "%s", strerror(-err));
	else
		err = kt_op_send_items(control, list.json, error);
	json_decref(list.json);
	return err ? err
		   : kt_op_done(json_pack("{s:I}", "connections", (json_int_t)count), ret_result,
				error);
}

/* ---- stats ----------------------------------------------------------------------------------- */

static void add_count(const char *name, uint64_t count, void *arg)
{
	struct gathered *gathered = arg;

	gathered->lost |=
		json_object_set_new(gathered->json, name, json_integer((json_int_t)count)) != 0;
}

static void add_version(const char *pool, uint64_t version, uint64_t count, void *arg)
{
	struct gathered *gathered = arg;
	json_t *made = json_pack("{s:s, s:I, s:I}", "pool", pool, "version", (json_int_t)version,
				 "handshakes", (json_int_t)count);

	gathered->lost |= json_array_append_new(gathered->json, made) != 0;
}

static int stats(struct kt_daemon *daemon, const struct kt_question *question,
		 struct kt_control *control, json_t **ret_result, struct kt_error *error)
{
	struct gathered outcomes = {.json = json_object()}, ends = {.json = json_object()};
	struct gathered versions = {.json = json_array()};
	struct kt_engine_stats s;
	struct kt_verify_cache_stats c;
	struct kt_tls_certificates_stats d;
	struct kt_fast_keys_stats f;

	(void)question;
	(void)control;
	kt_engine_get_stats(daemon->engine, &s);
	kt_engine_get_cache_stats(daemon->engine, &c);
	kt_engine_get_certificates_stats(daemon->engine, &d);
	kt_fast_keys_get_stats(&f);
	kt_engine_each_outcome(daemon->engine, add_count, &outcomes);
	kt_engine_each_end(daemon->engine, add_count, &ends);
	kt_engine_each_version(daemon->engine, add_version, &versions);
	return kt_op_done(
		json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, "
			  "s:o, s:{s:I, s:I, s:I, s:I, s:I, s:I, s:I}, s:{s:I, s:I, s:I, s:I, s:I}, "
			  "s:{s:I, s:I, s:I}, s:{s:I, s:I, s:I}, s:{s:I, s:I, s:I, s:I}, s:I, s:I}",
			  "accepted", (json_int_t)s.accepted, "accept_pauses",
			  (json_int_t)s.accept_pauses, "handshakes_ok", (json_int_t)s.handshakes_ok,
			  "handshakes_failed", (json_int_t)s.handshakes_failed, "handshaking",
			  (json_int_t)s.handshaking, "live", (json_int_t)s.live, "ended",
			  (json_int_t)s.ended, "ktls_tx", (json_int_t)s.ktls_tx, "ktls_rx",
			  (json_int_t)s.ktls_rx, "bytes_in", (json_int_t)s.bytes_in, "bytes_out",
			  (json_int_t)s.bytes_out, "outcomes", all_of(&outcomes), "ends",
			  all_of(&ends), "versions", all_of(&versions), "verify_cache",
			  "chain_hits", (json_int_t)c.chain_hits, "chain_misses",
			  (json_int_t)c.chain_misses, "chain_inserts", (json_int_t)c.chain_inserts,
			  "chain_declined", (json_int_t)c.chain_declined, "signature_hits",
			  (json_int_t)c.signature_hits, "signature_misses",
			  (json_int_t)c.signature_misses, "signature_inserts",
			  (json_int_t)c.signature_inserts, "decoded_certificates", "hits",
			  (json_int_t)d.hits, "misses", (json_int_t)d.misses, "inserts",
			  (json_int_t)d.inserts, "certificates", (json_int_t)d.certificates,
			  "der_bytes", (json_int_t)d.der_bytes, "fast_keys", "keys",
			  (json_int_t)f.keys, "made", (json_int_t)f.made, "checks",
			  (json_int_t)f.checks, "handoff", "handed_off",
			  (json_int_t)s.handed_off, "refused", (json_int_t)s.handoff_refused,
			  "waiting", (json_int_t)s.handoff_waiting, "pauses", "connections_max",
			  (json_int_t)s.pauses_full, "no_descriptors",
			  (json_int_t)s.pauses_no_descriptors, "no_memory",
			  (json_int_t)s.pauses_no_memory, "other", (json_int_t)s.pauses_other,
			  "bytes_copied", (json_int_t)s.bytes_copied, "block_waits",
			  (json_int_t)s.block_waits),
		ret_result, error);
}

/* ---- The table ------------------------------------------------------------------------------- */

struct kt_operation {
	const char *name;
	kt_operation_fn *run;
	bool on_pool; /* the request names one, and may name a source, a version, a digest, and
			 "force" */
};

static const struct kt_operation operations[] = {
	{"conns", conns, false},
	{"credentials.list", kt_op_credentials_list, false},
	{"daemon.info", info, false},
	{"pool.check", kt_op_pool_check, true},
	{"pool.commit", kt_op_pool_commit, true},
	{"pool.diff", kt_op_pool_diff, true},
	{"pool.history", kt_op_pool_history, true},
	{"pool.list", kt_op_pool_list, false},
	{"pool.load", kt_op_pool_load, true},
	{"pool.rollback", kt_op_pool_rollback, true},
	{"pool.show", kt_op_pool_show, true},
	{"pool.stage", kt_op_pool_stage, true},
	{"pool.unstage", kt_op_pool_unstage, true},
	{"stats", stats, false},
};

static const struct kt_operation *find_operation(const char *name)
{
	for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
		if (!strcmp(operations[i].name, name))
			return &operations[i];
	return NULL;
}

/* "source": one, or a list of them; "" is one that no word begins. */
static int take_sources(json_t *request, struct kt_question *question, struct kt_error *error)
{
	json_t *source = json_object_get(request, "source");
	size_t count = json_is_array(source) ? json_array_size(source) : source != NULL;

	if (count > KT_QUESTION_SOURCES_MAX)
		return kt_error_set(error, E2BIG, "control", 0, "more than %u sources",
				    KT_QUESTION_SOURCES_MAX);
	if (json_is_array(source) && !count)
		return kt_error_set(error, EINVAL, "control", 0, "\"source\" is an empty list");
	for (size_t i = 0; i < count; i++) {
		json_t *one = json_is_array(source) ? json_array_get(source, i) : source;

		question->sources[i] = json_string_value(one);
		if (!question->sources[i])
			return kt_error_set(error, EINVAL, "control", 0,
					    "\"source\" is no string, nor a list of strings");
	}
	question->source_count = count;
	return 0;
}

static int take_digest(json_t *request, struct kt_question *question, struct kt_error *error)
{
	json_t *digest = json_object_get(request, "digest");
	const char *hex = json_string_value(digest);
	size_t len = hex ? strlen(hex) : 0;

	if (digest && (len < KT_QUESTION_DIGEST_MIN || len > 2 * KT_DIGEST_LEN ||
		       hex[strspn(hex, "0123456789abcdefABCDEF")]))
		return kt_error_set(error, EINVAL, "control", 0,
				    "\"digest\" is not %d to %d hex digits", KT_QUESTION_DIGEST_MIN,
				    2 * KT_DIGEST_LEN);
	question->digest = hex;
	return 0;
}

static int find_pool(struct kt_daemon *daemon, json_t *request, struct kt_question *question,
		     struct kt_error *error)
{
	json_t *force = json_object_get(request, "force");
	json_t *version = json_object_get(request, "version");
	const char *name = json_string_value(json_object_get(request, "pool"));
	int err;

	if (!name)
		return kt_error_set(error, EINVAL, "control", 0, "\"pool\" is missing");
	err = take_sources(request, question, error);
	if (!err)
		err = take_digest(request, question, error);
	if (err)
		return err;
	if (force && !json_is_boolean(force))
		return kt_error_set(error, EINVAL, "control", 0,
				    "\"force\" is neither true nor false");
	question->flags = json_is_true(force) ? KT_FORCE : 0;
	if (version && (!json_is_integer(version) || json_integer_value(version) < 1))
		return kt_error_set(error, EINVAL, "control", 0,
				    "\"version\" is no number above 0");
	question->version = (uint64_t)json_integer_value(version);
	for (size_t i = 0; i < kt_pools_count(daemon->pools); i++)
		if (!strcmp(kt_pool_name(kt_pools_at(daemon->pools, i)), name)) {
			question->pool = i;
			return 0;
		}
	return kt_error_set(error, ENOENT, name, 0, "no such pool (see ktrust pool list)");
}

int kt_daemon_understand(struct kt_daemon *daemon, json_t *request,
			 struct kt_question *ret_question, struct kt_error *error)
{
	const char *op = json_string_value(json_object_get(request, "op"));
	json_int_t version = json_integer_value(json_object_get(request, "v"));
	struct kt_question made = {.operation = op ? find_operation(op) : NULL};
	int err = 0;

	if (version != KT_CONTROL_VERSION)
		return kt_error_set(error, EPROTONOSUPPORT, "control", 0,
				    "protocol version %" JSON_INTEGER_FORMAT
				    " is not spoken here (this is %d)",
				    version, KT_CONTROL_VERSION);
	if (!made.operation)
		return kt_error_set(error, EOPNOTSUPP, "control", 0, "no such operation: %s",
				    op ? op : "\"op\" is missing");
	if (made.operation->on_pool)
		err = find_pool(daemon, request, &made, error);
	if (!err)
		*ret_question = made;
	return err;
}

int kt_daemon_answer(struct kt_daemon *daemon, const struct kt_question *question,
		     struct kt_control *control, json_t **ret_result, struct kt_error *error)
{
	return question->operation->run(daemon, question, control, ret_result, error);
}
