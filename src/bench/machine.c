/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include <openssl/crypto.h>

/* "model name	: AMD EPYC" on x86; others have no such line. */
static const char *model_of(char *line)
{
	char *value = strstr(line, ": ");

	if (strncmp(line, "model name", strlen("model name")) != 0 || !value)
		return NULL;
	value[strcspn(value, "\n")] = '\0';
	return value + 2;
}

void kt_machine_cpu(char *text, size_t size)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	const char *model = NULL;
	struct utsname uts;
	char line[512];

	while (file && !model && fgets(line, sizeof line, file))
		model = model_of(line);
	if (!model && uname(&uts) == 0)
		model = uts.machine;
	snprintf(text, size, "%s", model ? model : "unknown");
	if (file)
		fclose(file);
}

void kt_machine_openssl(char *text, size_t size)
{
	snprintf(text, size, "%s", OpenSSL_version(OPENSSL_VERSION_STRING));
}
