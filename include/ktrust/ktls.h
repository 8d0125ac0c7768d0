/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records in the kernel: installing traffic keys on a TCP socket, and the control records that
 * the kernel leaves to us (Documentation/networking/tls.rst).
 *
 * Order of an offload, and the point of no return:
 *
 *   kt_ktls_attach   may fail harmlessly: the socket is still a plain TCP socket to its users,
 *                    and userspace records go on
 *   kt_ktls_install  from the first success on, the kernel holds a key: any later failure must
 *                    close the connection (the record sequence would fork otherwise)
 *
 * Before installing RX, the handshake engine must have consumed exactly the records that `seq`
 * says, and must hold no byte that came after them. Not checked here, nor is anything known of
 * which keys were used before: the kernel takes the same key and sequence number twice.
 *
 * Reading an offloaded socket: a record that is not application data gives EIO to recv without a
 * control buffer, again and again, and is kept for recvmsg. EBADMSG (forged or out of sequence)
 * comes again and again; EINVAL (no TLS record) comes once, and then reading waits for ever. After
 * a KeyUpdate (<ktrust/rekey.h>) it is EKEYEXPIRED until the next key is installed, and poll is
 * silent. 0 without a record type is a FIN, even one inside a record: only close_notify tells a
 * whole stream. 0 with one is an empty record, behind which came FIN or a record of another type:
 * past empty data records the call goes on, for as long as there are more, without a bound. Where
 * there are no more it waits; a call that may not wait says EAGAIN, and has taken them: of that
 * their type is left in the control buffer. io_uring's recvmsg (without MSG_DONTWAIT) may take an
 * empty data record, wait, and go on without room for the next one's type: MSG_CTRUNC means data
 * then, and EIO with a type in the control buffer that another record is to be asked for.
 *
 * Polling one: after shutdown(SHUT_WR), and before Linux 6.5 always, poll tells of a part of a
 * record too, again and again, of which reading says EAGAIN. An edge-triggered wait (EPOLLET;
 * io_uring's multishot poll) tells of it once: read until EAGAIN then. With SO_RCVLOWAT set to more
 * than ioctl(SIOCINQ) says is there poll(2) waits for more; set it to 1 again once a record was
 * read, and after some time: the kernel may have taken the part aside, to count from 0 again.
 *
 * Writing to one: where TCP has no room for all of an encrypted record, the kernel keeps the rest
 * for later and reports the send as complete, and a FIN that follows may overtake that rest. So
 * before shutdown all must be out: send when poll says that the socket is writable (a third of its
 * buffer is free), no more than a quarter of SO_SNDBUF at once, and nothing stays behind.
 *
 * Ending one: close(2) sends no close_notify; kt_ktls_send_alert does. After an EBADMSG or EINVAL
 * of reading, the socket has kept that error for its next call: take it away first
 * (getsockopt(SO_ERROR)), or the alert is not sent. What could not be read stays, so that poll goes
 * on saying that there is something: stop asking.
 *
 * Who wants a socket that behaves like a plain one finds all this done in <ktrust/stream.h>.
 *
 * Threads: no shared state; a socket belongs to one thread at a time.
 * Knows nothing of handshakes; never logs; wipes every copy of a key it makes.
 */
#ifndef KTRUST_KTLS_H
#define KTRUST_KTLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <ktrust/error.h>
#include <ktrust/traffic.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

enum kt_direction { KT_TX, KT_RX };

/* What this kernel can do, found by trying on a loopback connection of our own. */
struct kt_ktls_support {
	bool attach;	/* TCP_ULP "tls" works */
	int attach_err; /* positive errno when it does not: ENOENT no module, EPERM … */
	/* [TLS 1.2, TLS 1.3][cipher][direction] */
	bool cipher[2][KT_CIPHER_COUNT][2];
	bool rekey; /* TLS 1.3 keys can be replaced (Linux 6.14) */
};

/*
 * Probe. Blocks briefly; makes and closes sockets on 127.0.0.1, each connected to itself. Returns 0
 * also when the kernel has no kTLS (ret_support says so); -errno when no loopback connection could
 * be made (-ETIMEDOUT: loopback does not answer). Counts in /proc/net/tls_stat: 6 sockets each way.
 */
KT_WARN_UNUSED int kt_ktls_probe(struct kt_ktls_support *ret_support);

/* Both directions of this version and cipher? */
bool kt_ktls_supports(const struct kt_ktls_support *support, uint16_t version,
		      enum kt_cipher cipher);

/*
 * Which versions and ciphers are missing, for people: " TLS1.2/AES-128-GCM TLS1.3/…", "/tx" or
 * "/rx" behind it when only that direction is. Returns how many; buf is empty when none is.
 */
#define KT_KTLS_MISSING_MAX 192
unsigned int kt_ktls_missing(const struct kt_ktls_support *support, char buf[KT_KTLS_MISSING_MAX]);

/*
 * -errno of setsockopt(TCP_ULP): -ENOENT no module, or this process may not load it; -EEXIST
 * already attached; -ENOTCONN not established, which includes that the peer's FIN is here already.
 * That may come with the last bytes of a handshake: who has no other way than the kernel attaches
 * before the peer is answered for the first time.
 */
KT_WARN_UNUSED int kt_ktls_attach(int fd);

/*
 * Give the kernel one direction's key. -EINVAL version or cipher that is not in the table, else
 * the -errno of setsockopt(SOL_TLS): -ENOPROTOOPT not attached, -ENOENT the kernel lacks the
 * cipher, -EBUSY a key is already there (and the kernel cannot rekey, or it is TLS 1.2).
 */
KT_WARN_UNUSED int kt_ktls_install(int fd, enum kt_direction direction, uint16_t version,
				   enum kt_cipher cipher, const struct kt_traffic_key *key);

#define KT_KTLS_TX 1u
#define KT_KTLS_RX 2u

/*
 * What the kernel says it does with a connected TCP socket now, asked of sock_diag (INET_ULP_INFO);
 * no key crosses. A socket without "tls" attached is 0 without asking. For tests, doctor and
 * listings, not for the way of each connection: it takes nine system calls.
 * -EPERM: "tls" is attached, but before Linux 6.15 the kernel says more only to CAP_NET_ADMIN in
 * the user namespace of its network namespace. -EOPNOTSUPP: no inet_diag or tcp_diag in the kernel,
 * or the socket belongs to another network namespace than the calling thread. -ENOTCONN: the
 * connection is over. Else the -errno of a system call.
 */
KT_WARN_UNUSED int kt_ktls_state(int fd, unsigned int *ret_bits);

/* ---- Control records: helpers for sendmsg and recvmsg ---------------------------------------- */

/* Room for the control message of one record type; align it as struct cmsghdr. */
#define KT_KTLS_CONTROL_LEN CMSG_SPACE(sizeof(uint8_t))

/* Make msg send one record of `type`; control holds KT_KTLS_CONTROL_LEN bytes and is borrowed. */
void kt_ktls_set_record_type(struct msghdr *msg, void *control, uint8_t type);

/*
 * Type of the record that a recvmsg returned. No control message means application data when
 * bytes came. -EBADMSG: the control data was cut.
 */
KT_WARN_UNUSED int kt_ktls_record_type(const struct msghdr *msg);

/* An alert's two bytes (RFC 8446 §6) */
#define KT_ALERT_LEN	      2
#define KT_ALERT_CLOSE_NOTIFY 0

/*
 * Send one alert record on a socket whose TX is in the kernel; on any other the two bytes would go
 * out as they are. Raises no SIGPIPE. -EAGAIN when the socket is non-blocking and full: nothing was
 * sent, try again. -EPIPE when sending is over.
 */
KT_WARN_UNUSED int kt_ktls_send_alert(int fd, uint8_t level, uint8_t description);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
