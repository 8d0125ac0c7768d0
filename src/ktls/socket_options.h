/* SPDX-License-Identifier: BSD-2-Clause */
/* Socket option names that C libraries of our age may lack; the values are the kernel's ABI. */
#ifndef KTLS_SOCKET_OPTIONS_H
#define KTLS_SOCKET_OPTIONS_H

#include <netinet/tcp.h>
#include <sys/socket.h>

#ifndef SOL_TLS
#define SOL_TLS 282
#endif
#ifndef TCP_ULP
#define TCP_ULP 31
#endif

#define KTLS_ULP "tls" /* the upper layer protocol's name */

#endif
