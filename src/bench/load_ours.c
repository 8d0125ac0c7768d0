/* SPDX-License-Identifier: BSD-2-Clause */
/* Loading on our side: from bytes to a published snapshot. */
#include "pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ktrust/pool.h>

#include "clock.h"

/* Where the anchors come from: one of the three. */
struct load {
	const char *path;
	const char *pem; /* pem_len bytes */
	size_t pem_len;
	const struct kt_bench_roots *der;
	size_t expected;  /* anchors; 0: not known */
	size_t image_len; /* bytes, of what was loaded last */
};

static int add_der(struct kt_anchor_set *set, const struct kt_bench_roots *roots,
		   struct kt_error *error)
{
	int ret = 0;

	for (size_t i = 0; i < roots->count && ret == 0; i++)
		ret = kt_anchor_set_add_der(set, roots->der + i * roots->der_len, roots->der_len,
					    "roots", (unsigned int)i + 1, error);
	return ret;
}

static int gather(struct kt_anchor_set *set, const struct load *load, struct kt_error *error)
{
	if (load->path)
		return kt_anchor_set_add_pem_file(set, load->path, error);
	if (load->pem)
		return kt_anchor_set_add_pem(set, load->pem, load->pem_len, "roots", error);
	return add_der(set, load->der, error);
}

static int publish(struct kt_pool *pool, const struct load *load, struct kt_error *error)
{
	struct kt_anchor_set *set = kt_anchor_set_new();
	struct kt_pool_change change;
	int ret;

	if (!set)
		return kt_error_set(error, ENOMEM, "roots", 0, "out of memory");
	ret = gather(set, load, error);
	if (ret == 0)
		ret = kt_pool_commit(pool, set, "benchmark", &change, error);
	kt_anchor_set_free(set);
	if (ret == 0 && load->expected && change.anchors != load->expected)
		return kt_error_set(error, EBADMSG, "roots", 0, "%zu of %zu roots were loaded",
				    change.anchors, load->expected);
	return ret;
}

static void note_size(const struct kt_pool *pool, struct load *load)
{
	const struct kt_snapshot *snapshot = kt_pool_read_begin(pool);
	struct kt_snapshot_info info;

	kt_snapshot_describe(snapshot, &info);
	load->image_len = info.image_len;
	kt_pool_read_end(pool);
}

static int load_once(void *arg, double *ret_ms, struct kt_error *error)
{
	struct load *load = arg;
	struct kt_pool *pool = NULL;
	uint64_t begun = kt_bench_now_ns();
	int ret = kt_pool_new("benchmark", &pool, error);

	if (ret == 0)
		ret = publish(pool, load, error);
	*ret_ms = (double)(kt_bench_now_ns() - begun) / 1e6;
	if (ret == 0)
		note_size(pool, load);
	kt_pool_free(pool);
	return ret;
}

int kt_bench_pem_ours(const struct kt_bench_case *of, void *state,
		      const struct kt_bench_options *options, double *ret_value,
		      struct kt_error *error)
{
	const struct kt_bench_material *material = state;
	struct load load = {.path = material->path, .expected = material->count};

	(void)of;
	return kt_bench_repeat(load_once, &load, options->seconds, ret_value, error);
}

int kt_bench_der_ours(const struct kt_bench_case *of, void *state,
		      const struct kt_bench_options *options, double *ret_value,
		      struct kt_error *error)
{
	const struct kt_bench_material *material = state;
	struct load load = {.der = &material->roots, .expected = material->count};

	(void)of;
	return kt_bench_repeat(load_once, &load, options->seconds, ret_value, error);
}

int kt_bench_bytes_ours(const struct kt_bench_case *of, void *state,
			const struct kt_bench_options *options, double *ret_value,
			struct kt_error *error)
{
	const struct kt_bench_material *material = state;
	struct load load = {.der = &material->roots, .expected = material->count};
	double ms;
	int ret = load_once(&load, &ms, error);

	(void)of;
	(void)options;
	*ret_value = (double)load.image_len / (double)material->count;
	return ret;
}

int kt_bench_bytes_limit(const struct kt_bench_case *of, void *state,
			 const struct kt_bench_options *options, double *ret_value,
			 struct kt_error *error)
{
	const struct kt_bench_material *material = state;

	(void)of;
	(void)options;
	(void)error;
	*ret_value = (double)material->roots.der_len + 256;
	return 0;
}

int kt_bench_linearity_ours(const struct kt_bench_case *of, void *state,
			    const struct kt_bench_options *options, double *ret_value,
			    struct kt_error *error)
{
	const struct kt_bench_material *material = state;
	size_t tenth = material->count / 10;
	struct load part = {.pem = material->roots.pem,
			    .pem_len = tenth * material->roots.pem_len,
			    .expected = tenth};
	struct load all = {.pem = material->roots.pem,
			   .pem_len = material->count * material->roots.pem_len,
			   .expected = material->count};
	double part_ms = 0, all_ms = 0;
	int ret = kt_bench_repeat(load_once, &part, options->seconds, &part_ms, error);

	(void)of;
	if (ret == 0)
		ret = kt_bench_repeat(load_once, &all, options->seconds, &all_ms, error);
	*ret_value = all_ms / (10 * part_ms);
	return ret;
}
