/* SPDX-License-Identifier: BSD-2-Clause */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/capability.h>

/*
 * Threading: libbpf has one hook for the whole process, so the log is one too. kt_trace_open,
 * the only one that reads it, is said not to run in two threads at once.
 */
static char log_text[16384];
static size_t log_len;

static int keep_log(enum libbpf_print_level level, const char *fmt, va_list args)
{
	int len;

	if (level != LIBBPF_WARN || log_len >= sizeof log_text - 1)
		return 0;
	len = vsnprintf(log_text + log_len, sizeof log_text - log_len, fmt, args);
	if (len > 0)
		log_len += (size_t)len;
	if (log_len > sizeof log_text - 1)
		log_len = sizeof log_text - 1;
	return 0;
}

void kt_trace_log_start(void)
{
	libbpf_set_print(keep_log);
	log_text[0] = '\0';
	log_len = 0;
}

/* The first complaint is the cause; those after it say what could not be done without. */
const char *kt_trace_log_line(void)
{
	static const char prefix[] = "libbpf: ";
	char *line = log_text;

	if (!strncmp(line, prefix, sizeof prefix - 1))
		line += sizeof prefix - 1;
	line[strcspn(line, "\n")] = '\0';
	return line;
}

/* Reads the first line of a small file of the kernel's; empty when it cannot be. */
static void read_line(const char *path, char *buf, size_t size)
{
	FILE *file = fopen(path, "re");

	buf[0] = '\0';
	if (!file)
		return;
	if (!fgets(buf, (int)size, file))
		buf[0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	fclose(file);
}

static uint64_t effective_capabilities(void)
{
	char line[256];
	uint64_t set = 0;
	FILE *file = fopen("/proc/self/status", "re");

	if (!file)
		return 0;
	while (fgets(line, sizeof line, file))
		if (sscanf(line, "CapEff: %lx", &set) == 1)
			break;
	fclose(file);
	return set;
}

/*
 * CAP_BPF and CAP_PERFMON load the programs, but attaching to the probes of another program asks
 * for CAP_SYS_ADMIN: since Linux 6.16, and in the older stable kernels it was carried back to.
 */
static int explain_rights(int err, const char *where, const char *what, struct kt_error *error)
{
	char lockdown[128];

	if (!(effective_capabilities() >> CAP_SYS_ADMIN & 1))
		return kt_error_set(error, EPERM, where, 0,
				    "no right to %s: tracing needs CAP_SYS_ADMIN (run it as root)",
				    what);
	read_line("/sys/kernel/security/lockdown", lockdown, sizeof lockdown);
	if (strstr(lockdown, "[confidentiality]"))
		return kt_error_set(error, EPERM, where, 0,
				    "no right to %s: the kernel is locked down for confidentiality "
				    "(boot with lockdown=integrity)",
				    what);
	return kt_error_set(error, EPERM, where, 0,
			    "no right to %s, though CAP_SYS_ADMIN is there: %s (a container's "
			    "root is not the machine's: run it on the host, or allow bpf and "
			    "perf_event_open to a privileged container)",
			    what, strerror(err));
}

static bool have_uprobes(void)
{
	return !access("/sys/bus/event_source/devices/uprobe/type", F_OK);
}

int kt_trace_explain(int err, const char *where, const char *what, struct kt_error *error)
{
	const char *line = kt_trace_log_line();

	switch (err) {
	case EPERM:
	case EACCES:
		return explain_rights(err, where, what, error);
	case ENOSYS:
		return kt_error_set(error, EOPNOTSUPP, where, 0,
				    "cannot %s: this kernel has no BPF (CONFIG_BPF_SYSCALL)", what);
	case ENOMEM:
		return kt_error_set(error, ENOMEM, where, 0,
				    "cannot %s: out of memory (take a smaller buffer)", what);
	case EBADF: /* libbpf's word for what libelf does not take */
		return kt_error_set(error, EINVAL, where, 0, "is not an ELF file");
	case ESRCH:
		return kt_error_set(error, ESRCH, where, 0, "cannot %s: no such process", what);
	}
	if (!have_uprobes())
		return kt_error_set(error, EOPNOTSUPP, where, 0,
				    "cannot %s: this kernel has no uprobes (CONFIG_UPROBE_EVENTS)",
				    what);
	return kt_error_set(error, err, where, 0, "cannot %s: %s%s%s", what, strerror(err),
			    line[0] ? ": " : "", line);
}
