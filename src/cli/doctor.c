/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ktrust doctor: tries, now and here, what the daemon and the tracer need, and says for each thing
 * that is missing which line mends it. Changes nothing.
 */
#include "cli.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <ktrust/ktls.h>
#include <ktrust/roots.h>

#include "../control/control.h"

enum state { FINE, NOTE, MISSING };

struct finding {
	enum state state;
	char what[256]; /* what was found */
	char mend[384]; /* the line that mends it; empty when fine */
};

KT_PRINTF(3, 4)
static void say(struct finding *finding, enum state state, const char *fmt, ...)
{
	va_list args;

	finding->state = state;
	va_start(args, fmt);
	vsnprintf(finding->what, sizeof finding->what, fmt, args);
	va_end(args);
}

KT_PRINTF(2, 3)
static void mend(struct finding *finding, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(finding->mend, sizeof finding->mend, fmt, args);
	va_end(args);
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/* ---- Records in the kernel ------------------------------------------------------------------- */

/* A module that is on disk but was not loaded needs another line than one that was never built. */
static bool module_on_disk(const char *name)
{
	char path[512], line[256];
	bool found = false;
	struct utsname uts;
	FILE *file;

	uname(&uts);
	snprintf(path, sizeof path, "/lib/modules/%s/modules.dep", uts.release);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (!found && fgets(line, sizeof line, file))
		found = strstr(line, name) != NULL;
	fclose(file);
	return found;
}

/* What the kernel can do with records is tried once, for all that is said of it. */
struct ktls {
	int err; /* of the probe; then support says nothing */
	struct kt_ktls_support support;
};

static void check_ktls(struct finding *finding, const struct ktls *ktls)
{
	if (ktls->err) {
		say(finding, MISSING, "could not be tried: %s", strerror(-ktls->err));
		mend(finding, "ip link set lo up");
		return;
	}
	if (ktls->support.attach) {
		say(finding, FINE, "TCP_ULP tls attaches");
		return;
	}
	say(finding, MISSING, "TCP_ULP tls: %s; records stay in userspace",
	    strerror(ktls->support.attach_err));
	if (module_on_disk("/tls.ko"))
		mend(finding, "modprobe tls && echo tls > /etc/modules-load.d/ktrust.conf   "
			      "(in a container: on its host)");
	else
		mend(finding, "boot a kernel with CONFIG_TLS (Debian: apt-get install "
			      "linux-image-amd64), or try ktrust in the test guest: tools/guest");
}

static void check_ciphers(struct finding *finding, const struct ktls *ktls)
{
	char missing[KT_KTLS_MISSING_MAX];

	if (ktls->err || !ktls->support.attach) {
		say(finding, NOTE, "not tried without kTLS");
	} else if (!kt_ktls_missing(&ktls->support, missing)) {
		say(finding, FINE, "all ciphers, TLS 1.2 and 1.3, both directions");
	} else {
		say(finding, NOTE, "not in the kernel:%s", missing);
		mend(finding, "modprobe -a gcm chacha20poly1305   (those ciphers stay in userspace "
			      "else)");
	}
}

static void check_rekey(struct finding *finding, const struct ktls *ktls)
{
	if (ktls->err || !ktls->support.attach) {
		say(finding, NOTE, "not tried without kTLS");
	} else if (ktls->support.rekey) {
		say(finding, FINE, "the kernel can replace TLS 1.3 keys");
	} else {
		say(finding, NOTE, "not in this kernel: a peer's KeyUpdate ends its connection");
		mend(finding, "boot Linux 6.14 or newer, if peers send KeyUpdate, or 390 GB in one "
			      "connection");
	}
}

/* ---- io_uring -------------------------------------------------------------------------------- */

/* The name of the first of its calls that fails, with errno; NULL: all are fine. */
static const char *try_uring(struct io_uring_params *params)
{
	struct io_uring_probe probe = {0};
	const char *failed = NULL;
	long fd = syscall(__NR_io_uring_setup, 4, params);
	int err;

	if (fd < 0)
		return "io_uring_setup";
	/* Each by itself: a seccomp profile forbids calls, not io_uring. */
	if (syscall(__NR_io_uring_enter, fd, 0, 0, 0, NULL, 0) < 0)
		failed = "io_uring_enter";
	else if (syscall(__NR_io_uring_register, fd, IORING_REGISTER_PROBE, &probe, 0) < 0)
		failed = "io_uring_register";
	err = errno;
	close((int)fd);
	errno = err;
	return failed;
}

static void check_uring(struct finding *finding)
{
	struct io_uring_params params = {0};
	const char *failed = try_uring(&params);

	if (!failed) {
		say(finding, FINE, "rings can be made and used (features %#x)", params.features);
		return;
	}
	say(finding, MISSING, "%s: %s; ktrustd cannot start", failed, strerror(errno));
	if (errno == ENOSYS)
		mend(finding, "boot a kernel with CONFIG_IO_URING, 5.19 or newer   (in a "
			      "container: a seccomp profile with the line of "
			      "share/ktrust/seccomp-io_uring.json)");
	else
		mend(finding, "sysctl kernel.io_uring_disabled=0   (in a container: a seccomp "
			      "profile with the line of share/ktrust/seccomp-io_uring.json)");
}

static void check_files(struct finding *finding)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files)) {
		say(finding, MISSING, "%s", strerror(errno));
		return;
	}
	say(finding, files.rlim_max < 65536 ? NOTE : FINE,
	    "%llu open files, so about %llu connections (two each)",
	    (unsigned long long)files.rlim_max, (unsigned long long)files.rlim_max / 2);
	if (files.rlim_max < 65536)
		mend(finding, "ulimit -Hn 1048576   (systemd: LimitNOFILE=1048576)");
}

/* ---- Tracing --------------------------------------------------------------------------------- */

static void check_bpf(struct finding *finding)
{
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY, /* the least that can be asked */
			       .key_size = 4,
			       .value_size = 4,
			       .max_entries = 1};
	long fd = syscall(__NR_bpf, BPF_MAP_CREATE, &attr, sizeof attr);

	if (fd >= 0) {
		close((int)fd);
		say(finding, FINE, "maps can be made");
		return;
	}
	say(finding, MISSING, "bpf: %s; ktrust trace cannot run", strerror(errno));
	if (errno == ENOSYS)
		mend(finding, "boot a kernel with CONFIG_BPF_SYSCALL");
	else
		mend(finding, "run as root: attaching probes needs CAP_SYS_ADMIN");
}

static void check_btf(struct finding *finding)
{
	if (exists("/sys/kernel/btf/vmlinux")) {
		say(finding, FINE, "/sys/kernel/btf/vmlinux is there");
		return;
	}
	say(finding, NOTE, "no /sys/kernel/btf/vmlinux: the trace has the daemon's word only");
	mend(finding, "boot a kernel with CONFIG_DEBUG_INFO_BTF, and mount -t sysfs sys /sys");
}

static void check_uprobes(struct finding *finding)
{
	if (exists("/sys/bus/event_source/devices/uprobe/type")) {
		say(finding, FINE, "USDT probes can be attached");
		return;
	}
	say(finding, MISSING, "no uprobes; ktrust trace cannot run");
	mend(finding, "boot a kernel with CONFIG_UPROBE_EVENTS and CONFIG_PERF_EVENTS");
}

static void check_kprobes(struct finding *finding)
{
	if (exists("/sys/bus/event_source/devices/kprobe/type")) {
		say(finding, FINE, "the trace can ask the kernel which sockets have kTLS");
		return;
	}
	say(finding, NOTE, "no kprobes: the trace shows the daemon's word for kTLS, marked '?'");
	mend(finding, "boot a kernel with CONFIG_KPROBE_EVENTS");
}

/* ---- The daemon ------------------------------------------------------------------------------ */

enum { DAEMON_TIMEOUT_MS = 3000 };

static void check_daemon(struct finding *finding, const char *path)
{
	struct kt_control *control;
	struct kt_error error;
	char text[512];
	json_t *info;

	if (kt_control_connect(path, &control, &error)) {
		kt_error_format(&error, text, sizeof text);
		say(finding, NOTE, "%.250s", text);
		mend(finding, "ktrustd --config FILE   (see ktrustd --help)");
		return;
	}
	kt_control_set_timeout(control, DAEMON_TIMEOUT_MS);
	if (kt_control_call(control, json_pack("{s:s}", "op", "daemon.info"), NULL, NULL, &info,
			    &error)) {
		kt_error_format(&error, text, sizeof text);
		say(finding, MISSING, "does not answer at %.100s: %.100s", path, text);
		mend(finding, "ktrustd's log says why; or restart it");
	} else {
		say(finding, FINE, "ktrustd %s, process %lld, answers at %.100s",
		    kt_text(info, "version"), kt_number(info, "pid"), path);
		json_decref(info);
	}
	kt_control_free(control);
}

/* ---- Embedded roots -------------------------------------------------------------------------- */

#if KT_EMBEDDED_ROOTS
#define ROOTS_OLD_DAYS 180 /* Mozilla changes its list several times a year */

static void append_label(const struct kt_root *root, void *arg)
{
	struct finding *finding = arg;
	size_t used = strlen(finding->what);
	const char *separator = finding->what[used - 1] == ':' ? " " : ", ";

	/* Whole names, as far as there is room; `ktrust roots` lists all. */
	if (used + strlen(separator) + strlen(root->label) < sizeof finding->what)
		strcat(strcat(finding->what, separator), root->label);
}

static void check_roots(struct finding *finding)
{
	long long days = ((long long)time(NULL) - kt_embedded_roots.date) / 86400;
	int missing = kt_roots_not_in_system(&kt_embedded_roots, NULL, NULL, NULL, NULL);

	say(finding, days > ROOTS_OLD_DAYS || missing > 0 ? NOTE : FINE,
	    "embedded roots: version %s, %lld days old", kt_embedded_roots.version, days);
	if (missing > 0) {
		size_t used = strlen(finding->what);

		snprintf(finding->what + used, sizeof finding->what - used,
			 "; %d of %zu are not among the system's:", missing,
			 kt_embedded_roots.count);
		if (kt_roots_not_in_system(&kt_embedded_roots, NULL, append_label, finding, NULL) <
		    0)
			return;
	}
	if (days > ROOTS_OLD_DAYS)
		mend(finding, "build ktrust anew with newer roots: tools/update-roots --check");
}
#else
static void check_roots(struct finding *finding)
{
	say(finding, NOTE, "this program carries no embedded roots");
}
#endif

static const struct {
	const char *name;
	void (*check)(struct finding *finding); /* or the other */
	void (*check_ktls)(struct finding *finding, const struct ktls *ktls);
} checks[] = {
	{"ktls", .check_ktls = check_ktls},
	{"ktls-ciphers", .check_ktls = check_ciphers},
	{"ktls-rekey", .check_ktls = check_rekey},
	{"io_uring", .check = check_uring},
	{"files", .check = check_files},
	{"bpf", .check = check_bpf},
	{"btf", .check = check_btf},
	{"uprobes", .check = check_uprobes},
	{"kprobes", .check = check_kprobes},
	{"roots", .check = check_roots},
};

static const char *const states[] = {"fine", "note", "missing"};

static json_t *as_json(const char *name, const struct finding *finding)
{
	return json_pack("{s:s, s:s, s:s, s:s?}", "check", name, "state", states[finding->state],
			 "found", finding->what, "mend", finding->mend[0] ? finding->mend : NULL);
}

static void report(const char *name, const struct finding *finding, json_t *list)
{
	if (list) {
		json_array_append_new(list, as_json(name, finding));
		return;
	}
	printf("%-8s %-13s %s\n", states[finding->state], name, finding->what);
	if (finding->mend[0])
		printf("%-8s %-13s   %s\n", "", "", finding->mend);
}

static const char doc[] = "Try what ktrust needs of this machine, and name the line that mends "
			  "what is missing. Status "
			  "0: nothing is missing; 1: something is (a note alone is none).";

int kt_cli_doctor(int argc, char **argv)
{
	bool missing = false;
	struct kt_ask ask = {0};
	struct ktls ktls = {0};
	struct finding finding;
	json_t *list;

	if (kt_ask_parse(argc, argv, doc, &ask))
		return KT_EXIT_TROUBLE;
	ktls.err = kt_ktls_probe(&ktls.support);
	list = ask.json ? json_array() : NULL;
	for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
		finding = (struct finding){0};
		if (checks[i].check)
			checks[i].check(&finding);
		else
			checks[i].check_ktls(&finding, &ktls);
		missing |= finding.state == MISSING;
		report(checks[i].name, &finding, list);
	}
	finding = (struct finding){0};
	check_daemon(&finding, ask.control);
	missing |= finding.state == MISSING;
	report("daemon", &finding, list);
	if (list && kt_print_json(json_pack("{s:b, s:o}", "ready", !missing, "checks", list)))
		return KT_EXIT_TROUBLE;
	if (!list && kt_print_end())
		return KT_EXIT_TROUBLE;
	return missing ? KT_EXIT_NO : KT_EXIT_OK;
}
