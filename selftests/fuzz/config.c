/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzing the settings file. Beside not reading astray: a refused file names a line that it has;
 * an accepted one means the same when it is read a second time, but that its sources add up.
 */
#include <stdlib.h>
#include <string.h>

#include "../../src/daemon/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool what)
{
	if (!what)
		abort();
}

static unsigned int count_lines(const uint8_t *data, size_t size)
{
	unsigned int lines = size > 0 && data[size - 1] != '\n';

	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	return lines;
}

static int read_data(struct kt_config *config, const uint8_t *data, size_t size,
		     struct kt_error *error)
{
	FILE *file = fmemopen((void *)data, size, "r");
	int err;

	require(file);
	err = kt_config_read_file(config, file, "fuzz", error);
	fclose(file);
	return err;
}

static size_t count_sources(const struct kt_config *config)
{
	size_t sources = 0;

	for (size_t i = 0; i < config->pool_count; i++)
		sources += config->pools[i].sources.count;
	return sources;
}

static void read_again(struct kt_config *config, const uint8_t *data, size_t size)
{
	size_t pools = config->pool_count, listeners = config->listener_count;
	size_t sources = count_sources(config);
	struct kt_error error;

	require(read_data(config, data, size, &error) == 0);
	require(config->pool_count == pools && config->listener_count == listeners);
	require(count_sources(config) == 2 * sources);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kt_config *config = kt_config_new();
	struct kt_error error = {0};

	require(config);
	if (size && read_data(config, data, size, &error)) {
		require(error.line >= 1 && error.line <= count_lines(data, size));
		require(error.text[0] && error.err > 0);
	} else if (size) {
		read_again(config, data, size);
	}
	if (kt_config_check(config, &error))
		require(error.text[0]);
	kt_config_free(config);
	return 0;
}
