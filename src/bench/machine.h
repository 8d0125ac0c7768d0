/* SPDX-License-Identifier: BSD-2-Clause */
/* What the figures were measured on. Texts are cut to size bytes, NUL included. */
#ifndef KT_BENCH_MACHINE_H
#define KT_BENCH_MACHINE_H

#include <stddef.h>

/* The processor as the kernel names it; its architecture where the kernel names none. */
void kt_machine_cpu(char *text, size_t size);

/* The version of the libcrypto that runs: "3.0.19". */
void kt_machine_openssl(char *text, size_t size);

#endif
