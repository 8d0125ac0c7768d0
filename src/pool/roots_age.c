/* SPDX-License-Identifier: BSD-2-Clause */
/* Embedded roots beside those that the system trusts by now. */
#include <ktrust/pool.h>
#include <ktrust/roots.h>
#include <ktrust/source.h>

#include <errno.h>

static int system_snapshot(const char *system_root, struct kt_snapshot **ret_snapshot,
			   struct kt_error *error)
{
	const struct kt_source_options options = {.lenient = true, .system_root = system_root};
	struct kt_anchor_set *set = kt_anchor_set_new();
	int ret;

	if (!set)
		return kt_error_set(error, ENOMEM, "system", 0, "out of memory");
	ret = kt_anchor_set_add_source(set, "system", &options, error);
	if (ret == 0)
		ret = kt_snapshot_build(set, "system", "system", 1, ret_snapshot, error);
	kt_anchor_set_free(set);
	return ret;
}

int kt_roots_not_in_system(const struct kt_roots *roots, const char *system_root,
			   void (*fn)(const struct kt_root *root, void *arg), void *arg,
			   struct kt_error *error)
{
	struct kt_snapshot *system;
	struct kt_anchor anchor;
	int count = 0, ret = system_snapshot(system_root, &system, error);

	if (ret)
		return ret;
	for (size_t i = 0; i < roots->count; i++) {
		const struct kt_root *root = &roots->roots[i];

		if (kt_snapshot_find_fingerprint(system, root->fingerprint, &anchor) == 0)
			continue;
		if (fn)
			fn(root, arg);
		count++;
	}
	kt_snapshot_free(system);
	return count;
}
