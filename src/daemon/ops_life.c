/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of a pool over the control socket: load, stage, check, diff, commit, roll back, history.
 */
#include "ops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct kt_pool *pool_of(struct kt_daemon *daemon, const struct kt_question *question)
{
	return kt_pools_at(daemon->pools, question->pool);
}

static struct kt_sources sources_of(const struct kt_question *question)
{
	return (struct kt_sources){question->sources, question->source_count};
}

static json_t *change_info(const struct kt_pool *pool, const struct kt_pool_change *change)
{
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b}", "pool",
			 kt_pool_name(pool), "old_version", (json_int_t)change->old_version,
			 "new_version", (json_int_t)change->new_version, "added",
			 (json_int_t)change->added, "removed", (json_int_t)change->removed,
			 "anchors", (json_int_t)change->anchors, "old_crls",
			 (json_int_t)change->old_crls, "crls", (json_int_t)change->crls, "changed",
			 change->old_version != change->new_version, "kept", change->kept);
}

/* ---- What ends in a change ------------------------------------------------------------------- */

static int answer(struct kt_daemon *daemon, const struct kt_question *question, int err,
		  const struct kt_pool_change *change, json_t **ret_result, struct kt_error *error)
{
	if (err)
		return err;
	return kt_op_done(change_info(pool_of(daemon, question), change), ret_result, error);
}

int kt_op_pool_load(struct kt_daemon *daemon, const struct kt_question *question,
		    struct kt_control *control, json_t **ret_result, struct kt_error *error)
{
	struct kt_pool_change change;
	int err = kt_pools_load(daemon->pools, question->pool, sources_of(question),
				question->flags, &change, error);

	(void)control;
	return answer(daemon, question, err, &change, ret_result, error);
}

/* Which candidate that is, for kt_op_pool_commit. */
static int answer_candidate(struct kt_daemon *daemon, const struct kt_question *question, int err,
			    const struct kt_pools_candidate *candidate, json_t **ret_result,
			    struct kt_error *error)
{
	json_t *made;

	if (err)
		return err;
	made = change_info(pool_of(daemon, question), &candidate->change);
	if (made && json_object_set_new(made, "staged_digest",
					kt_json_digest(candidate->digest, KT_DIGEST_LEN))) {
		json_decref(made);
		made = NULL;
	}
	return kt_op_done(made, ret_result, error);
}

int kt_op_pool_stage(struct kt_daemon *daemon, const struct kt_question *question,
		     struct kt_control *control, json_t **ret_result, struct kt_error *error)
{
	struct kt_pools_candidate candidate;
	int err = kt_pools_stage(daemon->pools, question->pool, sources_of(question), &candidate,
				 error);

	(void)control;
	return answer_candidate(daemon, question, err, &candidate, ret_result, error);
}

int kt_op_pool_check(struct kt_daemon *daemon, const struct kt_question *question,
		     struct kt_control *control, json_t **ret_result, struct kt_error *error)
{
	struct kt_pools_candidate candidate;
	int err = kt_pools_check(daemon->pools, question->pool, &candidate, error);

	(void)control;
	return answer_candidate(daemon, question, err, &candidate, ret_result, error);
}

int kt_op_pool_commit(struct kt_daemon *daemon, const struct kt_question *question,
		      struct kt_control *control, json_t **ret_result, struct kt_error *error)
{
	struct kt_pool_change change;
	int err = kt_pools_commit(daemon->pools, question->pool, question->digest, question->flags,
				  &change, error);

	(void)control;
	return answer(daemon, question, err, &change, ret_result, error);
}

int kt_op_pool_rollback(struct kt_daemon *daemon, const struct kt_question *question,
			struct kt_control *control, json_t **ret_result, struct kt_error *error)
{
	struct kt_pool_change change;
	int err = kt_pools_roll_back(daemon->pools, question->pool, question->version,
				     question->flags, &change, error);

	(void)control;
	return answer(daemon, question, err, &change, ret_result, error);
}

int kt_op_pool_unstage(struct kt_daemon *daemon, const struct kt_question *question,
		       struct kt_control *control, json_t **ret_result, struct kt_error *error)
{
	struct kt_pool *pool = pool_of(daemon, question);
	int err = kt_pools_unstage(daemon->pools, question->pool, error);

	(void)control;
	if (err)
		return err;
	return kt_op_done(json_pack("{s:s}", "pool", kt_pool_name(pool)), ret_result, error);
}

/* ---- History --------------------------------------------------------------------------------- */

static json_t *entry_info(const struct kt_history_entry *entry, bool current)
{
	return json_pack("{s:I, s:b, s:o, s:o, s:I, s:I, s:o, s:o, s:b}", "version",
			 (json_int_t)entry->version, "current", current, "digest",
			 kt_json_digest(entry->digest, KT_DIGEST_LEN), "created",
			 kt_json_time(entry->created_ns), "anchors", (json_int_t)entry->anchors,
			 "crls", (json_int_t)entry->crls, "epoch",
			 entry->epoch ? json_integer((json_int_t)entry->epoch) : json_null(),
			 "source", kt_json_text(entry->source), "kept", entry->kept);
}

int kt_op_pool_history(struct kt_daemon *daemon, const struct kt_question *question,
		       struct kt_control *control, json_t **ret_result, struct kt_error *error)
{
	const size_t most = KT_HISTORY_MAX + 1;
	struct kt_history_entry *entries = calloc(most, sizeof *entries);
	struct kt_pool *pool = pool_of(daemon, question);
	size_t count;
	int err = 0;

	if (!entries)
		return kt_error_set(error, ENOMEM, "control", 0, "out of memory");
	count = kt_pool_history(pool, entries, most);
	for (size_t i = 0; !err && i < count; i++)
		err = kt_op_send_item(control, entry_info(&entries[i], i == 0), error);
	free(entries);
	if (err)
		return err;
	return kt_op_done(
		json_pack("{s:s, s:I}", "pool", kt_pool_name(pool), "versions", (json_int_t)count),
		ret_result, error);
}

/* ---- Difference ------------------------------------------------------------------------------ */

/* Gathered within the read section, sent behind it: nothing in it waits for the client. */
struct differences {
	json_t *items;
	json_int_t counts[4];
	bool lost;
};

static bool add_difference(const struct kt_difference *difference, void *arg)
{
	static const char *const words[] = {[KT_ANCHOR_ADDED] = "added",
					    [KT_ANCHOR_REMOVED] = "removed",
					    [KT_ANCHOR_CONSTRAINED] = "constraints",
					    [KT_ANCHOR_REISSUED] = "reissued"};
	struct differences *differences = arg;
	json_t *made = json_pack(
		"{s:s, s:o, s:o, s:o}", "change", words[difference->kind], "key",
		kt_json_digest(difference->key, KT_DIGEST_LEN), "before",
		difference->before.der ? kt_op_anchor(&difference->before) : json_null(), "after",
		difference->after.der ? kt_op_anchor(&difference->after) : json_null());

	differences->counts[difference->kind]++;
	differences->lost |= json_array_append_new(differences->items, made) != 0;
	return !differences->lost;
}

static json_t *digest_of(const struct kt_snapshot *snapshot)
{
	struct kt_snapshot_info info;

	if (!snapshot)
		return json_null();
	kt_snapshot_describe(snapshot, &info);
	return kt_json_digest(info.digest, KT_DIGEST_LEN);
}

/* -ENOENT: nothing is staged. */
static int gather(struct kt_pool *pool, struct differences *differences, json_t **ret_result)
{
	const struct kt_snapshot *current = kt_pool_read_begin(pool);
	const struct kt_snapshot *staged = kt_pool_staged(pool);
	int err = -ENOENT;

	if (staged)
		err = kt_snapshot_compare(current, staged, add_difference, differences);
	if (!err)
		*ret_result =
			json_pack("{s:s, s:o, s:o, s:I, s:I, s:I, s:I}", "pool", kt_pool_name(pool),
				  "digest", digest_of(current), "staged_digest", digest_of(staged),
				  "added", differences->counts[KT_ANCHOR_ADDED], "removed",
				  differences->counts[KT_ANCHOR_REMOVED], "constraints",
				  differences->counts[KT_ANCHOR_CONSTRAINED], "reissued",
				  differences->counts[KT_ANCHOR_REISSUED]);
	kt_pool_read_end(pool);
	return err;
}

int kt_op_pool_diff(struct kt_daemon *daemon, const struct kt_question *question,
		    struct kt_control *control, json_t **ret_result, struct kt_error *error)
{
	struct differences differences = {.items = json_array()};
	struct kt_pool *pool = pool_of(daemon, question);
	json_t *result = NULL;
	int err = gather(pool, &differences, &result);

	if (!err && (!differences.items || differences.lost))
		err = -ENOMEM;
	if (err)
		kt_error_set(error, -err, kt_pool_name(pool), 0, "%s",
			     err == -ENOENT ? "nothing is staged (ktrust pool stage)"
					    : strerror(-err));
	else
		err = kt_op_send_items(control, differences.items, error);
	json_decref(differences.items);
	if (!err)
		return kt_op_done(result, ret_result, error);
	json_decref(result);
	return err;
}
