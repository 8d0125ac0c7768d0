/* SPDX-License-Identifier: BSD-2-Clause */
/* Looking at pools: pool.list, pool.show. */
#include "ops.h"

#include <string.h>
#include <time.h>

#include <ktrust/roots.h>

static json_t *error_info(struct kt_pools *pools, size_t index)
{
	struct kt_error why;
	char text[600];

	kt_pools_last_error(pools, index, &why);
	return why.err ? kt_json_text(kt_error_format(&why, text, sizeof text)) : json_null();
}

static json_t *notes_info(struct kt_pools *pools, size_t index)
{
	json_t *list = json_array();
	struct kt_notes notes;
	char text[600];
	int err = 0;

	kt_pools_notes(pools, index, &notes);
	for (size_t i = 0; i < notes.count; i++)
		err |= json_array_append_new(
			list, kt_json_text(kt_error_format(&notes.at[i], text, sizeof text)));
	if (!err)
		return list;
	json_decref(list);
	return NULL;
}

/* Called within the pool's read section; an empty pool has version 0. */
static json_t *snapshot_info(const struct kt_pool *pool, const struct kt_snapshot *snapshot)
{
	struct kt_snapshot_info about;

	if (!snapshot)
		return json_pack("{s:s, s:i, s:i}", "name", kt_pool_name(pool), "version", 0,
				 "anchors", 0);
	kt_snapshot_describe(snapshot, &about);
	return json_pack("{s:s, s:I, s:I, s:o, s:o, s:o, s:I}", "name", about.pool, "version",
			 (json_int_t)about.version, "anchors", (json_int_t)about.anchors, "digest",
			 kt_json_digest(about.digest, KT_DIGEST_LEN), "source",
			 kt_json_text(about.source), "created", kt_json_time(about.created_ns),
			 "bytes", (json_int_t)about.image_len);
}

static json_t *constraints_info(const struct kt_constraints *constraints)
{
	bool dated = constraints->distrust_after != KT_DISTRUST_NEVER;
	bool named = constraints->permitted_dns && constraints->permitted_dns[0];

	return json_pack(
		"{s:b, s:b, s:o, s:o}", "servers", !!(constraints->purposes & KT_PURPOSE_SERVER),
		"clients", !!(constraints->purposes & KT_PURPOSE_CLIENT), "distrust_after",
		dated ? kt_json_date(constraints->distrust_after) : json_null(), "permitted_dns",
		named ? kt_json_text(constraints->permitted_dns) : json_null());
}

json_t *kt_op_anchor(const struct kt_anchor *anchor)
{
	struct kt_anchor_text text;

	kt_anchor_describe(anchor, &text);
	return json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "subject", kt_json_text(text.subject),
		"fingerprint", kt_json_digest(anchor->fingerprint, KT_DIGEST_LEN), "identity",
		kt_json_digest(anchor->identity, KT_DIGEST_LEN), "key_id",
		anchor->key_id ? kt_json_digest(anchor->key_id, anchor->key_id_len) : json_null(),
		"not_before", kt_json_date(text.not_before), "not_after",
		kt_json_date(text.not_after), "constraints",
		constraints_info(&anchor->constraints));
}

/* Why what is published would not survive a restart; null when it would, or when nothing is to. */
static json_t *state_info(const struct kt_pool *pool)
{
	struct kt_error why;
	char text[600];

	kt_pool_state_error(pool, &why);
	return why.err ? kt_json_text(kt_error_format(&why, text, sizeof text)) : json_null();
}

#if KT_EMBEDDED_ROOTS
/* Is the word one of the sources, which are separated by spaces? */
static bool names(const char *sources, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = sources; (at = strstr(at, word)); at += len)
		if ((at == sources || at[-1] == ' ') && (at[len] == ' ' || !at[len]))
			return true;
	return false;
}
#endif

/* Of a pool that the program's own roots are in, or may step into: how old these are. */
static json_t *roots_info(const char *source)
{
#if KT_EMBEDDED_ROOTS
	int missing;

	/* NULL: nothing was published. */
	if (!source)
		return json_null();
	if (!names(source, "embedded") && !names(source, "system"))
		return json_null();
	missing = kt_roots_not_in_system(&kt_embedded_roots, NULL, NULL, NULL, NULL);
	return json_pack("{s:s, s:o, s:I, s:o}", "version", kt_embedded_roots.version, "date",
			 kt_json_date(kt_embedded_roots.date), "age_days",
			 (json_int_t)((time(NULL) - kt_embedded_roots.date) / 86400),
			 "not_in_system", missing < 0 ? json_null() : json_integer(missing));
#else
	(void)source;
	return json_null();
#endif
}

/* As written; null: everybody that the anchors vouch for. */
static json_t *allow_info(const struct kt_config_texts *rules)
{
	json_t *list = rules->count ? json_array() : json_null();
	int err = 0;

	for (size_t i = 0; i < rules->count; i++)
		err |= json_array_append_new(list, kt_json_text(rules->at[i]));
	if (!err)
		return list;
	json_decref(list);
	return NULL;
}

static json_t *life_info(const struct kt_config *config, const struct kt_pool *pool)
{
	bool staged;

	kt_pool_read_begin(pool);
	staged = kt_pool_staged(pool);
	kt_pool_read_end(pool);
	return json_pack("{s:b, s:I, s:o, s:o}", "staged", staged, "epoch",
			 (json_int_t)kt_pool_epoch(pool), "state", kt_json_text(config->state),
			 "not_kept", state_info(pool));
}

/*
 * A pool and, if ret_anchors is not NULL, its anchors: of one snapshot, since a list that changed
 * half-way would be of no pool that ever was. So nothing here waits for the client.
 */
static json_t *pool_info(struct kt_daemon *daemon, size_t index, json_t **ret_anchors)
{
	struct kt_pool *pool = kt_pools_at(daemon->pools, index);
	const struct kt_snapshot *snapshot = kt_pool_read_begin(pool);
	json_t *anchors = ret_anchors ? json_array() : NULL;
	json_t *made = snapshot_info(pool, snapshot);
	struct kt_pool_stats stats;
	struct kt_anchor anchor;
	int err = !made || (ret_anchors && !anchors);

	for (size_t i = 0; anchors && snapshot && !kt_snapshot_anchor(snapshot, i, &anchor); i++)
		err |= json_array_append_new(anchors, kt_op_anchor(&anchor));
	kt_pool_read_end(pool);
	kt_pool_get_stats(pool, &stats);
	err |= json_object_set_new(made, "published", json_integer((json_int_t)stats.published));
	err |= json_object_set_new(made, "reclaimed", json_integer((json_int_t)stats.reclaimed));
	err |= json_object_set_new(made, "refused", json_integer((json_int_t)stats.refused));
	err |= json_object_set_new(made, "last_error", error_info(daemon->pools, index));
	err |= json_object_set_new(made, "notes", notes_info(daemon->pools, index));
	err |= json_object_set_new(made, "allow", allow_info(&daemon->config->pools[index].allow));
	if (ret_anchors)
		err |= json_object_set_new(
			made, "embedded_roots",
			roots_info(json_string_value(json_object_get(made, "source"))));
	err |= json_object_update_new(made, life_info(daemon->config, pool));
	if (err) {
		json_decref(anchors);
		json_decref(made);
		return NULL;
	}
	if (ret_anchors)
		*ret_anchors = anchors;
	return made;
}

int kt_op_pool_list(struct kt_daemon *daemon, const struct kt_question *question,
		    struct kt_control *control, json_t **ret_result, struct kt_error *error)
{
	size_t count = kt_pools_count(daemon->pools);

	(void)question;
	for (size_t i = 0; i < count; i++) {
		int err = kt_op_send_item(control, pool_info(daemon, i, NULL), error);

		if (err)
			return err;
	}
	return kt_op_done(json_pack("{s:I}", "pools", (json_int_t)count), ret_result, error);
}

int kt_op_pool_show(struct kt_daemon *daemon, const struct kt_question *question,
		    struct kt_control *control, json_t **ret_result, struct kt_error *error)
{
	json_t *anchors = NULL, *pool = pool_info(daemon, question->pool, &anchors);
	int err = kt_op_send_items(control, anchors, error);

	json_decref(anchors);
	if (!err)
		return kt_op_done(pool, ret_result, error);
	json_decref(pool);
	return err;
}
