/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cipher table: a traffic key laid out as the kernel's struct tls12_crypto_info_* wants it.
 *
 * Pure: no system call, no state; any thread. Makes one copy of the key, in *ret_info, which the
 * caller wipes. Does not look at the key: an all-zero one passes.
 */
#ifndef KTLS_CRYPTO_INFO_H
#define KTLS_CRYPTO_INFO_H

#include <linux/tls.h>
#include <stdint.h>

#include <ktrust/error.h>
#include <ktrust/traffic.h>

/* Room for every cipher of the table, aligned for each; read it through its bytes. */
union ktls_crypto_info {
	struct tls_crypto_info header;
	struct tls12_crypto_info_aes_gcm_128 aes_128_gcm;
	struct tls12_crypto_info_aes_gcm_256 aes_256_gcm;
	struct tls12_crypto_info_chacha20_poly1305 chacha20_poly1305;
	uint8_t bytes[sizeof(struct tls12_crypto_info_aes_gcm_256)];
};

/*
 * Lay out key for setsockopt(SOL_TLS). Returns the length in bytes that the kernel expects for this
 * cipher, or -EINVAL for a version or cipher that is not in the table (ret_info is then untouched).
 */
KT_WARN_UNUSED int kt_ktls_lay_out(uint16_t version, enum kt_cipher cipher,
				   const struct kt_traffic_key *key,
				   union ktls_crypto_info *ret_info);

#endif
