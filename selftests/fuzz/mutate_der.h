/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mutations of DER that leave the lengths around them right.
 *
 * A fuzzer's own mutations break some length nearly always, and get no further than that. These
 * change one element, put another in its place, double it or take it out, and write anew the heads
 * of those that it is in; extensions' values and the like are looked into where they are DER.
 *
 * No state; nothing is allocated.
 */
#ifndef KTRUST_FUZZ_MUTATE_DER_H
#define KTRUST_FUZZ_MUTATE_DER_H

#include <stddef.h>
#include <stdint.h>

/* As LLVMFuzzerCustomMutator. */
size_t mutate_der(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

#endif
