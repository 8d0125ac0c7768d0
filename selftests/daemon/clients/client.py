#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""client.py PORT CA CHAIN KEY VERSION: standard input to an echo server over TLS, what comes back to standard output.

The server's name is localhost. Ends with close_notify, and wants the server's.
"""
import socket
import ssl
import sys
import threading

port, ca, chain, key, version = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
context.load_cert_chain(chain, key)
context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, "TLSv" + version.replace(".", "_"))
context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
data = sys.stdin.buffer.read()
with socket.create_connection(("127.0.0.1", int(port))) as plain:
    with context.wrap_socket(plain, server_hostname="localhost") as tls:
        # In a thread: what the server sends must be taken meanwhile.
        sender = threading.Thread(target=tls.sendall, args=(data,))
        sender.start()
        got = b""
        while len(got) < len(data):
            part = tls.recv(65536)
            if not part:
                sys.exit("ended too early")
            got += part
        sender.join()
        tls.unwrap()
sys.stdout.buffer.write(got)
