/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listening sockets that the workers of one engine share a port with, and nobody else.
 *
 * Threads: the controlling thread only.
 */
#ifndef KTRUST_ENGINE_LISTEN_H
#define KTRUST_ENGINE_LISTEN_H

#include <stddef.h>

#include "engine.h"

/*
 * Fill ret_fds with count listening sockets bound to the address, and say which one it became when
 * its port was 0. -EADDRINUSE: anybody else listens there, with SO_REUSEPORT or without;
 * -EAFNOSUPPORT not a TCP address; else the errno of socket, bind or listen.
 */
KT_WARN_UNUSED int kt_listen(const struct kt_address *address, size_t count, int *ret_fds,
			     struct kt_address *ret_bound, struct kt_error *error);

#endif
