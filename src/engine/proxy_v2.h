/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PROXY protocol, version 2, as bytes: haproxy's doc/proxy-protocol.txt, §2.2.
 *
 *   signature (12) | version and command (1) | family (1) | length of the rest (2, big endian)
 *   addresses (by family) | TLVs: type (1) | length (2, big endian) | value
 *
 * proxy_v2_parse.c reads a header that somebody put before the client's bytes, proxy_v2_write.c
 * makes the one that a backend gets. Neither touches a socket. Version 1 is not spoken.
 */
#ifndef KTRUST_ENGINE_PROXY_V2_H
#define KTRUST_ENGINE_PROXY_V2_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <ktrust/error.h>

/* AF_UNSPEC: not known. */
union kt_peer_address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/*
 * An IPv4 peer of a socket for both families has an IPv4-mapped address (RFC 4291 §2.5.5.2): it
 * becomes what it is. All others stay.
 */
void kt_peer_address_unmap(union kt_peer_address *address);

#define KT_PROXY_PREFIX_LEN 16 /* bytes up to the addresses */

/* ---- Reading --------------------------------------------------------------------------------- */

#define KT_PROXY_IN_MAX 1024 /* bytes after the prefix that are taken */

/* May a header begin with these bytes, KT_PROXY_PREFIX_LEN of them or fewer? */
bool kt_proxy_may_begin(const uint8_t *data, size_t len);

/* How many bytes follow a prefix that kt_proxy_may_begin takes; at most 65,535. */
size_t kt_proxy_rest_len(const uint8_t prefix[static KT_PROXY_PREFIX_LEN]);

struct kt_proxy_ends {
	/* Both AF_UNSPEC: the header names none (LOCAL, AF_UNSPEC, AF_UNIX): they are the socket's.
	 */
	union kt_peer_address source; /* the client */
	union kt_peer_address destination;
};

/*
 * A whole header: prefix and all that follows it. TLVs must be well formed, and a CRC32c right;
 * of the others nothing is wanted. -EPROTO: malformed; ret_ends is untouched.
 */
KT_WARN_UNUSED int kt_proxy_parse(const uint8_t *header, size_t len,
				  struct kt_proxy_ends *ret_ends);

/* ---- Writing --------------------------------------------------------------------------------- */

#define KT_PROXY_OUT_MAX 2048 /* bytes of a whole header, and more than any has */

/* TLVs of our own, in the range for applications. */
enum {
	KT_PROXY_POOL = 0xe0,	 /* name of the pool that let the client in */
	KT_PROXY_VERSION = 0xe1, /* of the pool, decimal digits */
	KT_PROXY_ANCHOR = 0xe2,	 /* SHA-256 of the anchor's certificate, 32 bytes */
	KT_PROXY_PEER = 0xe3,	 /* "uri:", "dns:" or "email:", and that name of the client */
};

/* A connection over TLS. Texts are never NULL; an empty one is left out. */
struct kt_proxy_facts {
	const union kt_peer_address *source;
	const union kt_peer_address *destination;
	const char *alpn;
	const char *server_name; /* SNI */
	const char *version;	 /* "TLSv1.3" */
	const char *cipher;
	const char *signature; /* of our certificate */
	const char *key;
	bool verified; /* the client has a certificate that was accepted; if not, the rest is not
			  told */
	const char *common_name;
	const char *pool;
	uint64_t pool_version;
	const uint8_t *anchor; /* 32 bytes */
	const char *peer;
};

/*
 * Returns the header's length. A TLV that does not fit is left out, but everything fits when peer
 * has at most 511 bytes, version, cipher, signature and key at most 63, and other texts at most
 * 255.
 */
size_t kt_proxy_write(const struct kt_proxy_facts *facts,
		      uint8_t ret_header[static KT_PROXY_OUT_MAX]);

#endif
