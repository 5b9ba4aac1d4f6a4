"""A listener to a verification's updates, as a browser is one: a WebSocket to AppSync Events, in a few lines."""

from __future__ import annotations

import base64
import json
import os
import socket
import struct
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

LONGEST_WAIT = 30.0


class Refused(Exception):
    """What AppSync said, as JSON or as a line of HTTP."""


class Listener:
    """A connection with this authorization; `with` closes it. `updates`: of a start reply.

    Names below localhost are this machine's in a browser, but not for glibc.
    """

    def __init__(self, updates: Mapping[str, Any], **authorization: str) -> None:
        self._authorization = {**updates["authorization"], **authorization}
        url = urlsplit(updates["url"])
        self._socket = socket.create_connection(("127.0.0.1", url.port or 443), LONGEST_WAIT)
        self._buffer = b""
        header = base64.urlsafe_b64encode(json.dumps(self._authorization).encode()).decode().rstrip("=")
        lines = [
            f"GET {url.path} HTTP/1.1",
            f"Host: {url.netloc}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Protocol: aws-appsync-event-ws, header-{header}",
        ]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())
        while b"\r\n\r\n" not in self._buffer:
            self._read()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        if b" 101 " not in head.partition(b"\r\n")[0]:
            raise Refused(head.decode())
        self._send({"type": "connection_init"})
        self._expect("connection_ack")

    def subscribe(self, channel: str, **authorization: str) -> None:
        """Raises Refused."""
        given = {**self._authorization, **authorization}
        self._send({"type": "subscribe", "id": os.urandom(8).hex(), "channel": channel, "authorization": given})
        self._expect("subscribe_success")

    def heard(self) -> dict[str, Any]:
        """The next update. Raises TimeoutError."""
        message = self._expect("data")
        found: dict[str, Any] = json.loads(message["event"])
        return found

    def _expect(self, kind: str) -> dict[str, Any]:
        while (message := self._receive())["type"] == "ka":
            pass
        if message["type"] != kind:
            raise Refused(json.dumps(message))
        return message

    def _send(self, message: Mapping[str, Any]) -> None:
        body, mask = json.dumps(message).encode(), os.urandom(4)
        length = bytes([0x80 | len(body)]) if len(body) < 126 else b"\xfe" + struct.pack(">H", len(body))
        self._socket.sendall(b"\x81" + length + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(body)))

    def _receive(self) -> dict[str, Any]:
        code, length = self._take(2)
        length &= 0x7F
        if length > 125:
            (length,) = struct.unpack(">H", self._take(2)) if length == 126 else struct.unpack(">Q", self._take(8))
        body = self._take(length)
        if code & 0x0F == 8:
            raise Refused(f"closed: {body!r}")
        if code & 0x0F != 1:  # a ping
            return self._receive()
        message: dict[str, Any] = json.loads(body)
        return message

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._read()
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def _read(self) -> None:
        more = self._socket.recv(65536)
        if not more:
            raise Refused("closed")
        self._buffer += more

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
