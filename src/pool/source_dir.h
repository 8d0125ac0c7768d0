/* SPDX-License-Identifier: BSD-2-Clause */
/* A directory of certificates, for the sources that read directories. */
#ifndef KT_POOL_SOURCE_DIR_H
#define KT_POOL_SOURCE_DIR_H

#include "gather.h"

/*
 * Add what the files of a directory hold (which count, and what is refused: ktrust/source.h).
 * -ENODATA: no file in it counts; or some do, and all were skipped, which gather->skipped tells.
 */
KT_WARN_UNUSED int kt_gather_dir(struct kt_gather *gather, const char *path,
				 struct kt_error *error);

#endif
