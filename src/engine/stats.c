/* SPDX-License-Identifier: BSD-2-Clause */
/* Counting in the worker; merging and showing for everybody else. */
#include "stats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker.h"

/* ---- Counting -------------------------------------------------------------------------------- */

static void add_name(struct kt_name_table *table, const char *name, uint64_t count)
{
	unsigned int i = 0;

	while (i < table->used && strcmp(table->rows[i].name, name) != 0)
		i++;
	if (i == table->used) {
		/* The last row is kept for what has no place: a sum is never wrong. */
		if (i >= KT_NAMES_MAX - 1) {
			i = KT_NAMES_MAX - 1;
			name = "other";
		}
		table->rows[i].name = name;
		table->used = i + 1;
	}
	table->rows[i].count += count;
}

/* Rows are ordered by version, newest last; nearly always it is the last. */
static void add_version(struct kt_version_table *table, uint64_t version, uint64_t count)
{
	unsigned int i = table->used;

	while (i && table->rows[i - 1].version > version)
		i--;
	if (i && table->rows[i - 1].version == version) {
		table->rows[i - 1].count += count;
		return;
	}
	if (table->used == KT_VERSIONS_MAX) {
		if (!i) {
			table->older += count;
			return;
		}
		table->older += table->rows[0].count;
		i--;
		memmove(&table->rows[0], &table->rows[1], i * sizeof table->rows[0]);
	} else {
		memmove(&table->rows[i + 1], &table->rows[i],
			(table->used - i) * sizeof table->rows[0]);
		table->used++;
	}
	table->rows[i].version = version;
	table->rows[i].count = count;
}

static struct kt_version_table *table_of(const struct kt_stats *stats, const struct kt_pool *pool)
{
	struct kt_version_table *table = stats->versions;

	while (table && table->pool != pool)
		table = table->next;
	return table;
}

static void enter_live(struct kt_conn *conn)
{
	const struct kt_conn_identity *identity = &conn->identity;
	struct kt_worker *worker = conn->worker;

	kt_list_append(&worker->live, &conn->live_link);
	if (identity->verified)
		add_version(table_of(&worker->stats, identity->pool), identity->pool_version, 1);
}

/* Where the list has this pool, or its end. */
static struct kt_known_pool *_Atomic *place_of(struct kt_shared *shared, const struct kt_pool *pool)
{
	struct kt_known_pool *_Atomic *place = &shared->pools;
	struct kt_known_pool *known;

	while ((known = atomic_load(place)) && known->pool != pool)
		place = &known->next;
	return place;
}

/* For all workers: which pools there are, and in which order they are shown. */
static int know_together(struct kt_shared *shared, const struct kt_pool *pool)
{
	struct kt_known_pool *_Atomic *place;
	struct kt_known_pool *made = calloc(1, sizeof *made);

	if (!made)
		return -ENOMEM;
	made->pool = pool;
	pthread_mutex_lock(&shared->lock);
	place = place_of(shared, pool);
	if (!atomic_load(place)) {
		atomic_store(place, made);
		made = NULL;
	}
	pthread_mutex_unlock(&shared->lock);
	free(made);
	return 0;
}

int kt_stats_know_pool(struct kt_worker *worker, const struct kt_pool *pool)
{
	struct kt_stats *stats = &worker->stats;
	struct kt_version_table *made;

	/* The worker alone writes its list: it may look without the lock. */
	if (table_of(stats, pool))
		return 0;
	made = calloc(1, sizeof *made);
	if (!made || know_together(worker->shared, pool)) {
		free(made);
		return -ENOMEM;
	}
	made->pool = pool;
	pthread_mutex_lock(&worker->lock);
	made->next = stats->versions;
	stats->versions = made;
	pthread_mutex_unlock(&worker->lock);
	return 0;
}

void kt_stats_fini(struct kt_stats *stats)
{
	struct kt_version_table *table;

	while ((table = stats->versions)) {
		stats->versions = table->next;
		free(table);
	}
}

void kt_stats_forget_pools(struct kt_shared *shared)
{
	struct kt_known_pool *known;

	while ((known = atomic_load(&shared->pools))) {
		atomic_store(&shared->pools, atomic_load(&known->next));
		free(known);
	}
}

void kt_stats_outcome(struct kt_conn *conn, const char *outcome)
{
	struct kt_worker *worker = conn->worker;
	struct kt_stats *stats = &worker->stats;

	kt_count(conn->accepted ? &stats->handshakes_ok : &stats->handshakes_failed, 1);
	if (conn->ktls & KT_KTLS_TX)
		kt_count(&stats->ktls_tx, 1);
	if (conn->ktls & KT_KTLS_RX)
		kt_count(&stats->ktls_rx, 1);
	pthread_mutex_lock(&worker->lock);
	add_name(&stats->outcomes, outcome, 1);
	if (conn->accepted)
		enter_live(conn);
	pthread_mutex_unlock(&worker->lock);
}

void kt_stats_end(struct kt_conn *conn)
{
	struct kt_worker *worker = conn->worker;

	pthread_mutex_lock(&worker->lock);
	kt_list_remove(&conn->live_link);
	add_name(&worker->stats.ends, conn->reason, 1);
	pthread_mutex_unlock(&worker->lock);
	kt_count(&worker->stats.ended, 1);
}

/* ---- Showing --------------------------------------------------------------------------------- */

static void add_stats(const struct kt_stats *stats, struct kt_engine_stats *sum)
{
	/* What is subtracted is read before what it is subtracted from. */
	uint64_t ended = kt_counted(&stats->ended);
	uint64_t ok = kt_counted(&stats->handshakes_ok);
	uint64_t failed = kt_counted(&stats->handshakes_failed);
	uint64_t accepted = kt_counted(&stats->accepted);

	sum->accepted += accepted;
	sum->pauses_full += kt_counted(&stats->pauses[KT_PAUSE_FULL]);
	sum->pauses_no_descriptors += kt_counted(&stats->pauses[KT_PAUSE_NO_DESCRIPTORS]);
	sum->pauses_no_memory += kt_counted(&stats->pauses[KT_PAUSE_NO_MEMORY]);
	sum->pauses_other += kt_counted(&stats->pauses[KT_PAUSE_OTHER]);
	sum->handshakes_ok += ok;
	sum->handshakes_failed += failed;
	sum->handshaking += accepted > ok + failed ? accepted - ok - failed : 0;
	sum->live += ok > ended ? ok - ended : 0;
	sum->ended += ended;
	sum->ktls_tx += kt_counted(&stats->ktls_tx);
	sum->ktls_rx += kt_counted(&stats->ktls_rx);
	sum->bytes_in += kt_counted(&stats->bytes_in);
	sum->bytes_out += kt_counted(&stats->bytes_out);
	sum->bytes_copied += kt_counted(&stats->bytes_copied);
	sum->block_waits += kt_counted(&stats->block_waits);
	sum->handed_off += kt_counted(&stats->handed_off);
	sum->handoff_refused += kt_counted(&stats->handoff_refused);
}

static uint64_t count_waiting(const struct kt_worker *worker)
{
	uint64_t count = 0;

	for (size_t i = 0; i < worker->shared->listener_count; i++)
		count += atomic_load_explicit(&worker->doors[i].link.queued, memory_order_relaxed);
	return count;
}

void kt_engine_get_stats(const struct kt_engine *engine, struct kt_engine_stats *ret_stats)
{
	const struct kt_shared *shared = kt_engine_shared(engine);
	struct kt_engine_stats sum = {0};

	for (unsigned int i = 0; i < shared->worker_count; i++) {
		add_stats(&shared->workers[i].stats, &sum);
		sum.handoff_waiting += count_waiting(&shared->workers[i]);
	}
	sum.accept_pauses = sum.pauses_no_descriptors + sum.pauses_no_memory + sum.pauses_other;
	*ret_stats = sum;
}

static void merge_names(struct kt_worker *worker, const struct kt_name_table *from,
			struct kt_name_table *into)
{
	pthread_mutex_lock(&worker->lock);
	for (unsigned int i = 0; i < from->used; i++)
		add_name(into, from->rows[i].name, from->rows[i].count);
	pthread_mutex_unlock(&worker->lock);
}

static void show_names(const struct kt_name_table *table,
		       void (*fn)(const char *name, uint64_t count, void *arg), void *arg)
{
	for (unsigned int i = 0; i < table->used; i++)
		fn(table->rows[i].name, table->rows[i].count, arg);
}

void kt_engine_each_outcome(const struct kt_engine *engine,
			    void (*fn)(const char *outcome, uint64_t count, void *arg), void *arg)
{
	const struct kt_shared *shared = kt_engine_shared(engine);
	struct kt_name_table sum = {0};

	for (unsigned int i = 0; i < shared->worker_count; i++)
		merge_names(&shared->workers[i], &shared->workers[i].stats.outcomes, &sum);
	show_names(&sum, fn, arg);
}

void kt_engine_each_end(const struct kt_engine *engine,
			void (*fn)(const char *reason, uint64_t count, void *arg), void *arg)
{
	const struct kt_shared *shared = kt_engine_shared(engine);
	struct kt_name_table sum = {0};

	for (unsigned int i = 0; i < shared->worker_count; i++)
		merge_names(&shared->workers[i], &shared->workers[i].stats.ends, &sum);
	show_names(&sum, fn, arg);
}

static void merge_versions(const struct kt_shared *shared, const struct kt_pool *pool,
			   struct kt_version_table *sum)
{
	for (unsigned int w = 0; w < shared->worker_count; w++) {
		struct kt_worker *worker = &shared->workers[w];
		const struct kt_version_table *table;

		pthread_mutex_lock(&worker->lock);
		table = table_of(&worker->stats, pool);
		if (table)
			sum->older += table->older;
		for (unsigned int i = 0; table && i < table->used; i++)
			add_version(sum, table->rows[i].version, table->rows[i].count);
		pthread_mutex_unlock(&worker->lock);
	}
}

void kt_engine_each_version(const struct kt_engine *engine,
			    void (*fn)(const char *pool, uint64_t version, uint64_t count,
				       void *arg),
			    void *arg)
{
	const struct kt_shared *shared = kt_engine_shared(engine);
	struct kt_known_pool *known = atomic_load(&shared->pools);

	for (; known; known = atomic_load(&known->next)) {
		const char *name = kt_pool_name(known->pool);
		struct kt_version_table sum = {0};

		merge_versions(shared, known->pool, &sum);
		if (sum.older)
			fn(name, 0, sum.older, arg);
		for (unsigned int i = 0; i < sum.used; i++)
			fn(name, sum.rows[i].version, sum.rows[i].count, arg);
	}
}

/* ---- Live connections ------------------------------------------------------------------------ */

struct copy {
	struct kt_conn_info info;
	char peer[sizeof((struct kt_conn_identity *)0)->peer];
};

static void copy_verdict(const struct kt_conn_identity *identity, struct kt_verdict *verdict)
{
	verdict->code = identity->verified ? KT_ACCEPTED : (enum kt_verdict_code)0;
	verdict->depth = identity->depth;
	verdict->pool_version = identity->pool_version;
	verdict->duration_ns = identity->duration_ns;
	memcpy(verdict->pool_digest, identity->pool_digest, KT_DIGEST_LEN);
	memcpy(verdict->anchor, identity->anchor, KT_DIGEST_LEN);
	memcpy(verdict->anchor_name, identity->anchor_name, sizeof verdict->anchor_name);
}

static void copy_conn(const struct kt_conn *conn, uint64_t now_ns, struct copy *copy)
{
	const struct kt_listener *listener = conn->door->listener;
	const struct kt_conn_identity *identity = &conn->identity;
	bool in6 = conn->peer.sa.sa_family == AF_INET6;

	memset(copy, 0, sizeof *copy);
	memcpy(copy->peer, identity->peer, sizeof copy->peer);
	memcpy(&copy->info.peer.addr, &conn->peer, sizeof conn->peer);
	copy->info.peer.len = in6 ? sizeof conn->peer.in6 : sizeof conn->peer.in;
	copy->info.conn = conn->id;
	copy->info.cookie = conn->cookie;
	copy->info.listener = listener->name;
	copy->info.peer_role = listener->mode == KT_MODE_ORIGIN ? KT_ROLE_SERVER : KT_ROLE_CLIENT;
	copy->info.pool = identity->pool ? kt_pool_name(identity->pool) : NULL;
	copy->info.version = identity->version;
	copy->info.cipher_name = identity->cipher_name;
	copy->info.ktls = conn->ktls;
	copy->info.verified = identity->verified;
	copy_verdict(identity, &copy->info.verdict);
	copy->info.age_ns = now_ns > conn->start_ns ? now_ns - conn->start_ns : 0;
	copy->info.bytes_in = kt_counted(&conn->bytes_in);
	copy->info.bytes_out = kt_counted(&conn->bytes_out);
}

/* Copies at most size connections; returns how many there are. */
static size_t copy_live(struct kt_worker *worker, struct copy *copies, size_t size)
{
	uint64_t now_ns = kt_monotonic_ns();
	size_t count = 0;

	pthread_mutex_lock(&worker->lock);
	kt_list_for_each (link, &worker->live) {
		if (count < size)
			copy_conn(kt_list_entry(link, struct kt_conn, live_link), now_ns,
				  &copies[count]);
		count++;
	}
	pthread_mutex_unlock(&worker->lock);
	return count;
}

/* Memory is taken outside the lock, so there may be more by then: once more, with room to spare. */
static int snapshot_live(struct kt_worker *worker, struct copy **ret_copies, size_t *ret_count)
{
	size_t size = copy_live(worker, NULL, 0) + 16, count;
	struct copy *copies = malloc(size * sizeof *copies);

	if (!copies)
		return -ENOMEM;
	while ((count = copy_live(worker, copies, size)) > size) {
		free(copies);
		size = count + count / 4;
		copies = malloc(size * sizeof *copies);
		if (!copies)
			return -ENOMEM;
	}
	*ret_copies = copies;
	*ret_count = count;
	return 0;
}

int kt_engine_each_conn(struct kt_engine *engine,
			void (*fn)(const struct kt_conn_info *info, void *arg), void *arg)
{
	const struct kt_shared *shared = kt_engine_shared(engine);

	for (unsigned int w = 0; w < shared->worker_count; w++) {
		struct copy *copies = NULL;
		size_t count = 0;
		int err = snapshot_live(&shared->workers[w], &copies, &count);

		if (err)
			return err;
		for (size_t i = 0; i < count; i++) {
			copies[i].info.peer_name = copies[i].peer;
			fn(&copies[i].info, arg);
		}
		free(copies);
	}
	return 0;
}
