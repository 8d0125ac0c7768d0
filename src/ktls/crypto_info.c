/* SPDX-License-Identifier: BSD-2-Clause */
#include "crypto_info.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

struct field {
	uint8_t offset; /* bytes from the start of the kernel's struct */
	uint8_t len;
};

struct row {
	uint16_t type; /* TLS_CIPHER_* */
	uint8_t len;   /* of the kernel's struct */
	struct field key, salt, iv, seq;
};

#define FIELD(s, member) {offsetof(struct s, member), sizeof(((struct s *)0)->member)}
#define ROW(cipher_type, s)                                                                        \
	{                                                                                          \
		.type = (cipher_type), .len = sizeof(struct s), .key = FIELD(s, key),              \
		.salt = FIELD(s, salt), .iv = FIELD(s, iv), .seq = FIELD(s, rec_seq),              \
	}

static const struct row rows[KT_CIPHER_COUNT] = {
	[KT_AES_128_GCM] = ROW(TLS_CIPHER_AES_GCM_128, tls12_crypto_info_aes_gcm_128),
	[KT_AES_256_GCM] = ROW(TLS_CIPHER_AES_GCM_256, tls12_crypto_info_aes_gcm_256),
	[KT_CHACHA20_POLY1305] =
		ROW(TLS_CIPHER_CHACHA20_POLY1305, tls12_crypto_info_chacha20_poly1305),
};

/*
 * One layout serves both versions, because in each the kernel's salt and iv are the twelve bytes
 * of kt_traffic_key.iv cut in two: TLS 1.3's write IV as 4 + 8, TLS 1.2 GCM's salt and explicit
 * nonce as 4 + 8, ChaCha20's IV as 0 + 12.
 */
#define FILLS_IV(s)                                                                                \
	_Static_assert(sizeof(((struct s *)0)->salt) + sizeof(((struct s *)0)->iv) ==              \
				       sizeof(((struct kt_traffic_key *)0)->iv) &&                 \
			       sizeof(struct s) <= sizeof(union ktls_crypto_info),                 \
		       #s)
FILLS_IV(tls12_crypto_info_aes_gcm_128);
FILLS_IV(tls12_crypto_info_aes_gcm_256);
FILLS_IV(tls12_crypto_info_chacha20_poly1305);

static void put(union ktls_crypto_info *info, struct field field, const void *from)
{
	memcpy(info->bytes + field.offset, from, field.len);
}

int kt_ktls_lay_out(uint16_t version, enum kt_cipher cipher, const struct kt_traffic_key *key,
		    union ktls_crypto_info *ret_info)
{
	if ((version != KT_TLS_1_2 && version != KT_TLS_1_3) ||
	    (unsigned int)cipher >= KT_CIPHER_COUNT)
		return -EINVAL;

	const struct row *row = &rows[cipher];
	uint8_t seq[8];

	for (unsigned int i = 0; i < sizeof seq; i++)
		seq[i] = (uint8_t)(key->seq >> (8 * (sizeof seq - 1 - i)));

	memset(ret_info, 0, sizeof *ret_info);
	ret_info->header.version = version; /* the kernel's numbers are the wire's */
	ret_info->header.cipher_type = row->type;
	put(ret_info, row->key, key->key);
	put(ret_info, row->salt, key->iv);
	put(ret_info, row->iv, key->iv + row->salt.len);
	put(ret_info, row->seq, seq);
	return row->len;
}
