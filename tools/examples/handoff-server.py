#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""handoff-server.py PATH [UID of ktrustd]

Takes connections over from ktrustd (handoff = unix:PATH) and echoes what clients send, with nothing but Python's own
library. There is no TLS in here: ktrustd has verified the client, the kernel has the records. What goes over the Unix
socket is described in <ktrust/handoff.h>.
"""
import array
import contextlib
import json
import os
import socket
import struct
import sys
import threading

SOL_TLS = 282
TLS_SET_RECORD_TYPE, TLS_GET_RECORD_TYPE = 1, 2
TCP_ULP = 31
ALERT, HANDSHAKE, DATA = 21, 22, 23  # RFC 8446 section 5.1
CLOSE_NOTIFY = b"\x01\x00"
KEY_UPDATE = 24
TEXT_MAX = 12288
IDLE_S = 60
MOST = 1024
SHARE = 4  # of the send buffer, see send()


class Ended(Exception):
    """The client's stream is over, and not by close_notify."""


class Refused(Exception):
    """Not a connection that ktrustd hands over."""


# ---- One connection --------------------------------------------------------------------------------------------------


def recv(conn):
    """Bytes, or b"" for the client's close_notify. A FIN alone could be anybody's: that raises."""
    while True:
        data, control, flags, _ = conn.recvmsg(16384, socket.CMSG_SPACE(1))
        if flags & socket.MSG_CTRUNC:
            raise Ended("bad record")
        kinds = [value[0] for level, kind, value in control if (level, kind) == (SOL_TLS, TLS_GET_RECORD_TYPE)]
        if not data and not kinds:
            raise Ended("truncated")
        record = kinds[0] if kinds else DATA
        if record == ALERT and len(data) == 2 and data[1] == 0:
            return b""
        if record == ALERT:
            raise Ended(f"alert {data[1] if len(data) == 2 else '?'}")
        if record == HANDSHAKE and data[:1] == bytes([KEY_UPDATE]):
            raise Ended("key update")
        if record != DATA:
            raise Ended("unexpected record")
        if data:
            return data


def send(conn, data):
    """All of it, no more at once than a socket that is writable has room for: see kt_send in <ktrust/stream.h>.

    With a timeout, Python waits until the socket is writable before it sends.
    """
    share = max(conn.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) // SHARE, 1024)
    view = memoryview(data)
    while view:
        view = view[conn.send(view[:share], socket.MSG_NOSIGNAL):]


def close_notify(conn):
    conn.sendmsg([CLOSE_NOTIFY], [(SOL_TLS, TLS_SET_RECORD_TYPE, bytes([ALERT]))], socket.MSG_NOSIGNAL)
    conn.shutdown(socket.SHUT_WR)


def serve(conn, who, room):
    reason = "closed"
    try:
        with conn:
            conn.settimeout(IDLE_S)
            while data := recv(conn):
                send(conn, data)
            close_notify(conn)  # ours is only whole if theirs was
    except (Ended, OSError) as end:
        reason = str(end)
    finally:
        room.release()
    print(f"{who['conn']} ended: {reason}", flush=True)


def begin(conn, who, room):
    name = who["peer"] if who["verified"] else "nobody"
    # As JSON: names come from certificates, and nothing of them shall drive a terminal.
    print(f"{who['conn']} from {who['peer_addr']}: {json.dumps(name)[1:-1]} by {who['pool']} "
          f"version {who['pool_version'] or 0}, {who['protocol']}", flush=True)
    if not room.acquire(blocking=False):
        conn.close()
        print(f"{who['conn']} ended: no room", flush=True)
        return
    threading.Thread(target=serve, args=(conn, who, room), daemon=True).start()


# ---- ktrustd's workers -----------------------------------------------------------------------------------------------


def check(fds, text, flags):
    """The description; the one descriptor is a TCP socket to which the kernel's TLS is attached."""
    if len(fds) != 1 or flags & (socket.MSG_CTRUNC | socket.MSG_TRUNC):
        raise Refused("not one descriptor and one description")
    with socket.socket(fileno=os.dup(fds[0])) as conn:
        if conn.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL) != socket.IPPROTO_TCP:
            raise Refused("no TCP socket")
        if conn.getsockopt(socket.IPPROTO_TCP, TCP_ULP, 16).rstrip(b"\0") != b"tls":
            raise Refused("records are not the kernel's")
    who = json.loads(text)
    if not isinstance(who, dict) or who.get("handoff") != 1:
        raise Refused("a description of another version")
    missing = {"conn", "peer_addr", "verified", "peer", "pool", "pool_version", "protocol"} - who.keys()
    if missing:
        raise Refused("a description that is not whole")
    return who


def take(link, room):
    """One message. False: this worker has left."""
    # Room for two, so that a second one is seen; the kernel closes what finds none.
    text, control, flags, _ = link.recvmsg(TEXT_MAX, socket.CMSG_SPACE(2 * array.array("i").itemsize),
                                           socket.MSG_CMSG_CLOEXEC)
    fds = array.array("i")
    for level, kind, value in control:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(value[:len(value) - len(value) % fds.itemsize])
    if not text and not control:
        return False
    try:
        who = check(fds, text, flags)
    except (Refused, ValueError, RecursionError, OSError) as why:
        for fd in fds:
            os.close(fd)
        print(f"refused: {why}", flush=True)
        return True
    begin(socket.socket(fileno=fds[0]), who, room)
    return True


def tend(link, room):
    with link, contextlib.suppress(OSError):
        while take(link, room):
            pass


def main():
    if not 2 <= len(sys.argv) <= 3:
        sys.exit(__doc__)
    path, sender = sys.argv[1], int(sys.argv[2]) if len(sys.argv) == 3 else os.geteuid()
    room = threading.Semaphore(MOST)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    os.umask(0o177)
    listening.bind(path)
    listening.listen(128)
    print(f"listening on {path}", flush=True)
    while True:
        link, _ = listening.accept()
        _, uid, _ = struct.unpack("3i", link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
        if uid != sender:
            link.close()
            continue
        threading.Thread(target=tend, args=(link, room), daemon=True).start()


if __name__ == "__main__":
    main()
