/* SPDX-License-Identifier: BSD-2-Clause */
/* For the tests of settings: a configuration, and ways to set something in it. */
#ifndef KTRUST_SELFTESTS_DAEMON_SETTINGS_H
#define KTRUST_SELFTESTS_DAEMON_SETTINGS_H

#include "../../src/daemon/config.h"

#include <stdio.h>
#include <string.h>

#include "../harness.h"

FIXTURE(config)
{
	struct kt_config *config;
	struct kt_error error;
};

FIXTURE_SETUP(config)
{
	self->config = kt_config_new();
	ASSERT_TRUE(self->config);
}

FIXTURE_TEARDOWN(config)
{
	kt_config_free(self->config);
}

static inline int set(FIXTURE_DATA(config) * self, const char *section, const char *key,
		      const char *value)
{
	memset(&self->error, 0, sizeof self->error);
	return kt_config_set(self->config, section, key, value, "here", 7, &self->error);
}

static inline int read_text(FIXTURE_DATA(config) * self, const char *text, size_t len)
{
	FILE *file = fmemopen((void *)text, len, "r");
	int err;

	ASSERT_TRUE(file);
	memset(&self->error, 0, sizeof self->error);
	err = kt_config_read_file(self->config, file, "here", &self->error);
	fclose(file);
	return err;
}

static inline int read_string(FIXTURE_DATA(config) * self, const char *text)
{
	return read_text(self, text, strlen(text));
}

#endif
