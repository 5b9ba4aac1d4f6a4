"""A server that answers a byte at a time, at whichever place of an answer."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Self

from callverify.domain.words import Deadline

EVERY_SECONDS = 0.02
MOST_PIECES = 600


@dataclass(frozen=True)
class Place:
    """Where the answer begins to drip: `at_once` is sent whole, then `pieces` again and again, for 12 s."""

    at_once: bytes
    pieces: tuple[bytes, ...]


_OK = b"HTTP/1.1 200 OK\r\n"
_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n\r\n"

# Before the status and the headers are whole, nobody knows what the answer is.
HEADS = {
    "status line": Place(b"", (b"HTTP/1.1 200 ", *[b"O"] * 500)),
    "header": Place(_OK + b"X: ", (b"x",)),
    "header lines": Place(_OK, (b"X: x\r\n",)),
    "100 Continue": Place(b"", (b"HTTP/1.1 100 Continue\r\n\r\n",)),
    "headers of a 100 Continue": Place(b"HTTP/1.1 100 Continue\r\nX: ", (b"x",)),
}
BODIES = {
    "body": Place(_OK + b"Content-Length: 5000\r\n\r\n", (b" ",)),
    "body without a length": Place(_OK + b"\r\n", (b" ",)),
    "packed body": Place(_OK + b"Content-Encoding: gzip\r\nContent-Length: 5000\r\n\r\n\x1f\x8b\x08\x08", (b"x",)),
    "chunk size": Place(_CHUNKED, (b"0",)),
    "chunk extension": Place(_CHUNKED + b"1;", (b"x",)),
    "chunk": Place(_CHUNKED + b"fff\r\n", (b" ",)),
    "small chunks": Place(_CHUNKED, (b"1\r\n \r\n",)),
    "trailer": Place(_CHUNKED + b"2\r\n{}\r\n0\r\nX: ", (b"x",)),
    "trailers": Place(_CHUNKED + b"2\r\n{}\r\n0\r\n", (b"X: x\r\n",)),
}


class DrippingServer:
    """Listens on 127.0.0.1. tls: the server's context; `in_handshake` drips where a TLS handshake should be.

    `reads`: whether it reads what it is sent before it answers. `hung_up`: set once the client has gone.
    """

    def __init__(
        self, place: Place, *, tls: ssl.SSLContext | None = None, in_handshake: bool = False, reads: bool = True
    ) -> None:
        self._place = place
        self._tls = tls
        self._in_handshake = in_handshake
        self._reads = reads
        self._asked_at: float | None = None
        self.hung_up = threading.Event()
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.base_url = f"http{'s' if tls or in_handshake else ''}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def deadline(self, seconds: float) -> Deadline:
        """`seconds` after this server was first asked: until then a busy machine may take its time."""

        def since_asked() -> float:
            return 0.0 if self._asked_at is None else time.monotonic() - self._asked_at

        return Deadline.after(seconds, since_asked)

    def _serve(self) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError):
                self._drip(connection)
            connection.close()
            self.hung_up.set()

    def _drip(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        if self._tls:
            connection = self._tls.wrap_socket(connection, server_side=True)
        if self._in_handshake:
            # The beginning of a record of 16 KB.
            connection.sendall(b"\x16\x03\x03\x3f\xff")
        elif self._reads:
            connection.recv(65_536)
        self._asked_at = self._asked_at or time.monotonic()
        if not self._reads:
            self._closing.wait(5)
            return
        connection.sendall(self._place.at_once)
        for piece in islice(cycle(self._place.pieces), MOST_PIECES):
            if self._closing.wait(EVERY_SECONDS):
                return
            connection.sendall(piece)
