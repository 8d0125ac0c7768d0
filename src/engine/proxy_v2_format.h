/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers of the PROXY protocol that reading and writing share; see proxy_v2.h. */
#ifndef KTRUST_ENGINE_PROXY_V2_FORMAT_H
#define KTRUST_ENGINE_PROXY_V2_FORMAT_H

#define SIGNATURE     "\r\n\r\n\0\r\nQUIT\n"
#define SIGNATURE_LEN 12

#define COMMAND_LOCAL 0x20 /* with the version, 2, in the upper half */
#define COMMAND_PROXY 0x21

#define FAMILY_UNSPEC 0x00
#define FAMILY_TCP4   0x11
#define FAMILY_TCP6   0x21
#define FAMILY_UNIX   0x31 /* stream */

/* Bytes of both addresses, then both ports. */
#define ENDS_TCP4_LEN 12
#define ENDS_TCP6_LEN 36
#define ENDS_UNIX_LEN 216

#define TLV_HEADER_LEN 3

#define TLV_ALPN      0x01
#define TLV_AUTHORITY 0x02
#define TLV_CRC32C    0x03
#define TLV_SSL	      0x20
/* Within TLV_SSL */
#define TLV_SSL_VERSION 0x21
#define TLV_SSL_CN	0x22
#define TLV_SSL_CIPHER	0x23
#define TLV_SSL_SIG_ALG 0x24
#define TLV_SSL_KEY_ALG 0x25

#define CLIENT_SSL	 0x01
#define CLIENT_CERT_CONN 0x02 /* in this connection … */
#define CLIENT_CERT_SESS 0x04 /* … or in the session that it resumes */

#endif
