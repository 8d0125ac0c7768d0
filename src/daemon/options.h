/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of ktrustd. */
#ifndef KTRUST_DAEMON_OPTIONS_H
#define KTRUST_DAEMON_OPTIONS_H

#include <stdbool.h>

#include "config.h"

/*
 * Read the flags into config. --help, --version and unknown flags end the process, as argp does
 * (status 0, 0 and 2). -EINVAL and the errors of kt_config_set and kt_config_read otherwise.
 */
KT_WARN_UNUSED int kt_options_parse(int argc, char **argv, struct kt_config *config,
				    bool *ret_check_only, struct kt_error *error);

#endif
