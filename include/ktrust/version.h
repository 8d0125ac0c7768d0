/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KTRUST_VERSION_H
#define KTRUST_VERSION_H

#define KT_VERSION "0.1.0"

#endif
