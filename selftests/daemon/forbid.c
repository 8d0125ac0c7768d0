/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * forbid CALL ERRNO PROGRAM [ARGUMENT...]: runs the program under a seccomp filter that answers one
 * system call of io_uring with this error (EPERM or ENOSYS), as containers' profiles do.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
	const char *name;
	unsigned int number;
} calls[] = {
	{"io_uring_enter", __NR_io_uring_enter},
	{"io_uring_register", __NR_io_uring_register},
	{"io_uring_setup", __NR_io_uring_setup},
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "forbid: %s: %s\n", what, strerror(errno));
	exit(125);
}

static unsigned int number_of(const char *name)
{
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
		if (!strcmp(calls[i].name, name))
			return calls[i].number;
	errno = ENOENT;
	fail(name);
}

static void forbid(unsigned int number, unsigned int err)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		fail("seccomp");
}

int main(int argc, char **argv)
{
	if (argc < 4) {
		fprintf(stderr, "Usage: forbid CALL EPERM|ENOSYS PROGRAM [ARGUMENT...]\n");
		return 125;
	}
	forbid(number_of(argv[1]), strcmp(argv[2], "EPERM") ? ENOSYS : EPERM);
	execvp(argv[3], argv + 3);
	fail(argv[3]);
}
