"""Connections to strangers that ask a deadline before every wait: to connect, shake hands, send and read.

A timeout alone starts anew with each byte: a server that sends one a second keeps us for as long as it likes. The
look-up of a host's name can't be bounded here: the C library does it, and takes RES_OPTIONS alone (template.yaml).

Decision 75. It costs the import of urllib3, and is imported late.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.ssl_ import create_urllib3_context

from callverify.domain.words import Deadline

CONNECT_TIMEOUT_SECONDS = 2.0

# Of the context and not of a connection: those are kept, and each request has a deadline of its own.
_deadline: ContextVar[Deadline] = ContextVar("deadline")


@contextmanager
def stopping_at(deadline: Deadline) -> Iterator[None]:
    """Have all connections of this module stop at `deadline`, with TimeoutError or what urllib3 makes of it."""
    token = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(token)


def _hurry(waiting: socket.socket) -> None:
    remaining = _deadline.get().remaining()
    if remaining <= 0:
        raise TimeoutError("the deadline has passed")
    waiting.settimeout(remaining)


class _Socket(socket.socket):
    def recv_into(self, *where: Any) -> int:
        _hurry(self)
        return super().recv_into(*where)

    def sendall(self, *what: Any) -> None:
        _hurry(self)
        super().sendall(*what)


class _TlsSocket(ssl.SSLSocket):
    def recv_into(self, *where: Any) -> int:
        _hurry(self)
        return super().recv_into(*where)

    def send(self, *what: Any) -> int:
        # `sendall` calls it for each 16 KB.
        _hurry(self)
        return super().send(*what)


class _Connection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        try:
            addresses = socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        failure: OSError = OSError("the host has no address")
        for number, (family, kind, protocol, _, address) in enumerate(addresses):
            connection = _Socket(family, kind, protocol)
            try:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                _hurry(connection)
                # One that answers nothing leaves their share to the others.
                share = _deadline.get().remaining() / (len(addresses) - number)
                connection.settimeout(min(CONNECT_TIMEOUT_SECONDS, share))
                connection.connect(address)
                # A TLS handshake takes what a socket has as its time for all of it.
                _hurry(connection)
                return connection
            except OSError as error:
                failure = error
                connection.close()
        if isinstance(failure, TimeoutError):
            raise ConnectTimeoutError(self, "no connection in time") from failure
        raise NewConnectionError(self, "no connection") from failure


class _TlsConnection(_Connection, HTTPSConnection):
    def connect(self) -> None:
        if self.ssl_context is None:
            self.ssl_context = create_urllib3_context()
            if not (self.ca_certs or self.ca_cert_dir):
                self.ssl_context.load_default_certs()
        self.ssl_context.sslsocket_class = _TlsSocket
        try:
            super().connect()
        except TimeoutError as error:  # nothing is sent before the handshake is over
            raise ConnectTimeoutError(self, "no TLS in time") from error


class Pool(HTTPConnectionPool):
    """Plain http, for stand-ins beside the stack."""

    ConnectionCls = _Connection


class TlsPool(HTTPSConnectionPool):
    """https."""

    ConnectionCls = _TlsConnection
