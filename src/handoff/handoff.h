/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sender's side of a handoff, and the description as text. What goes over the wire, and in
 * which way, is told in <ktrust/handoff.h>. Nothing here waits, but for kt_handoff_write and
 * kt_handoff_read, which touch no socket at all.
 *
 * Threads: no shared state.
 */
#ifndef KTRUST_HANDOFF_HANDOFF_H
#define KTRUST_HANDOFF_HANDOFF_H

#include <sys/socket.h>
#include <sys/types.h>

#include <ktrust/handoff.h>

/*
 * The description (fd is not in it), NUL-terminated; returns its length. It always fits. What is
 * not UTF-8 in a text is U+FFFD; what lies in fields that `verified` says are empty is not told.
 */
size_t kt_handoff_write(const struct kt_handoff *handoff, char text[KT_HANDOFF_TEXT_MAX + 1]);

/*
 * What kt_handoff_write wrote, or another sender: len bytes. Strict: no member twice, none of those
 * that are needed missing, no name without a verdict, numbers that fit, UTF-8, no NUL.
 * -EPROTONOSUPPORT: well formed, of another version. -EBADMSG. ret_handoff is untouched on failure;
 * its fd is -1.
 */
KT_WARN_UNUSED int kt_handoff_read(const char *text, size_t len, struct kt_handoff *ret_handoff);

/*
 * Connect to a receiver, which must run as this user: the one who called listen (SO_PEERCRED).
 * Returns a blocking socket, close-on-exec, whose send buffer holds a few dozen messages: no more
 * than those are lost with a receiver that dies. -ECONNREFUSED, -ENOENT: nobody is there; -EAGAIN:
 * it accepts nobody for now; -EACCES: another user's, or no permission; -EPROTOTYPE: not
 * SOCK_SEQPACKET; else an errno.
 */
KT_WARN_UNUSED int kt_handoff_connect(const struct sockaddr *address, socklen_t len, uid_t receiver,
				      int *ret_fd);

/* A message that hands fd over: everything is borrowed until it is sent. */
struct kt_handoff_message {
	struct msghdr msg;
	struct iovec iov;
	_Alignas(struct cmsghdr) unsigned char control[CMSG_SPACE(sizeof(int))];
};

void kt_handoff_pack(struct kt_handoff_message *message, int fd, const char *text, size_t len);

#endif
