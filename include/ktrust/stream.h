/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading, writing and ending a connection whose records are the kernel's, both ways, for programs
 * that know nothing of TLS: with these, such a socket is used as a plain one is, and nothing that
 * an attacker on the path can do looks like a clean end.
 *
 *   kt_recv      bytes; 0 is the peer's close_notify and nothing else
 *   kt_send      bytes, no more at once than surely get out
 *   kt_shutdown  our end: close_notify, then FIN; reading goes on
 *   kt_close     both ends
 *
 * Blocking and non-blocking sockets both: what would block is -EAGAIN, as with recv and send, and
 * poll, select and epoll work on the socket as on any other. But after kt_shutdown, and before
 * Linux 6.5 always, they tell of a part of a record too, again and again, of which kt_recv says
 * -EAGAIN: a peer that leaves it at that keeps a loop awake, but with EPOLLET (<ktrust/ktls.h>).
 *
 * New keys (KeyUpdate, RFC 8446 §4.6.3) take the traffic secrets, which only the handshake's
 * process has: here they end the connection under a name of their own, KT_ERR_KEY_UPDATE. Few
 * clients ask for them: after 2^24.5 records, some 390 GB (§5.5).
 *
 * How long. The kernel reads on in one call while records come that have no content (RFC 8446
 * §5.4), without waiting and without giving anything: a peer that sends nothing else keeps kt_recv,
 * also of a non-blocking socket, for as long as it likes. Who serves several peers in one thread,
 * and does not trust them, has another thread that sees to it.
 *
 * Threads: no shared state. One thread may read while another writes; not two of a kind.
 * Whoever uses io_uring, splice or sendfile instead finds the rules that these keep in
 * <ktrust/ktls.h>.
 */
#ifndef KTRUST_STREAM_H
#define KTRUST_STREAM_H

#include <errno.h>
#include <stddef.h>
#include <sys/types.h>

#include <ktrust/error.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* What kt_recv says, negated, besides recvmsg's own. Each is the end of reading. */
#define KT_ERR_TRUNCATED  ENODATA     /* FIN without close_notify: anybody could have sent it */
#define KT_ERR_PEER_ALERT EREMOTEIO   /* the peer gave up, and said why: *ret_alert */
#define KT_ERR_KEY_UPDATE EKEYEXPIRED /* what follows is protected by keys that are not here */
#define KT_ERR_BAD_RECORD EBADMSG     /* forged, out of order, or no TLS record */
#define KT_ERR_UNEXPECTED EPROTO      /* a record or message that has no place here */

/*
 * At most len bytes, which must be 2 at least (-EINVAL): a control record that comes instead of
 * data is looked at in buf. Returns their number; 0: the peer's close_notify, after which nothing
 * more is to be read; -EAGAIN; -EINTR; -ECONNRESET and the like; or one of the above. With
 * KT_ERR_PEER_ALERT ret_alert has its number (kt_alert_name); NULL: not wanted.
 */
KT_WARN_UNUSED ssize_t kt_recv(int fd, void *buf, size_t len, int *ret_alert);

/*
 * Some of these bytes, as send: returns how many. The kernel may keep the end of a record that TCP
 * had no room for, which a FIN then overtakes; so no more than a share of the send buffer is sent,
 * and only when the socket is writable: it waits for that as long as SO_SNDTIMEO says, a
 * non-blocking one not at all. -EAGAIN: it still is not; -EINTR; -EPIPE, without a SIGPIPE;
 * -ECONNRESET and the like. Not after kt_shutdown: the kernel takes such bytes and drops them.
 */
KT_WARN_UNUSED ssize_t kt_send(int fd, const void *data, size_t len);

/*
 * Say that all was sent: close_notify and FIN. Reading goes on, until the peer says the same.
 * -EAGAIN: the socket is full (see kt_send), nothing was done; -EINTR, likewise; -EPIPE: it was
 * said before, or nobody listens; -ECONNRESET and the like.
 */
KT_WARN_UNUSED int kt_shutdown(int fd);

/*
 * kt_shutdown, unless that was done before, and close(2). The descriptor is closed in any case;
 * an error is kt_shutdown's, and says that the peer will not take what it got for the whole: so
 * with -EAGAIN, on a socket that stays full.
 *
 * A socket that is closed while the peer still sends answers with RST, which may overtake the last
 * bytes: whoever has to be sure calls kt_shutdown, reads to the end, and then this. (What has come
 * already is dropped here, within bounds, and does no harm.) To end without a clean end, call
 * close(2) itself.
 */
int kt_close(int fd);

/* "close_notify", "certificate_expired", … (the IANA registry); "alert" for others. Static storage.
 */
const char *kt_alert_name(int description);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
