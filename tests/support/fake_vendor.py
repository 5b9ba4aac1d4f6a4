"""A vendor's server on this machine that answers what a test tells it to, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from callverify.domain.words import Deadline
from callverify.providers.http import Answer, VendorHttp


@dataclass(frozen=True)
class SeenRequest:
    """A request as it arrived; header names in lower case. port: the client's, one for each connection."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    port: int


@dataclass(frozen=True)
class _Reply:
    """behaviour: "answer", "hang" (no answer until the server closes), "drop" (close the line), "cut" (announce
    more than the body), "trickle" (an answer that takes 4 s, a byte at a time)."""

    body: bytes
    status: int
    headers: Mapping[str, str]
    behaviour: str = "answer"


class FakeVendor:
    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[SeenRequest] = []
        self._replies: deque[_Reply] = deque()
        self.trickled_out = threading.Event()
        self._closing = threading.Event()
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                vendor._serve(self)

            do_POST = do_GET  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.base_url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def answer(self, body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """Put one answer into the queue."""
        self._replies.append(_Reply(body, status, headers or {}))

    def behave(self, behaviour: str, body: bytes = b"") -> None:
        self._replies.append(_Reply(body, 200, {}, behaviour))

    def forget(self) -> None:
        """Empty the queue."""
        self._replies.clear()

    def close(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        path, _, query = handler.path.partition("?")
        body = handler.rfile.read(int(handler.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.requests.append(SeenRequest(handler.command, path, query, headers, body, handler.client_address[1]))
        reply = self._replies.popleft() if self._replies else _Reply(b"a request too many", 418, {})
        handler.close_connection = reply.behaviour != "answer"
        if reply.behaviour == "drop":
            return
        if reply.behaviour == "hang":
            self._closing.wait(30)
            return
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        if reply.behaviour == "trickle":
            handler.send_header("content-length", "200")
            handler.end_headers()
            with contextlib.suppress(OSError):  # the client hung up
                for _ in range(200):
                    handler.wfile.write(b" ")
                    self._closing.wait(0.02)
                self.trickled_out.set()
            return
        missing = 50 if reply.behaviour == "cut" else 0
        handler.send_header("content-length", str(len(reply.body) + missing))
        handler.end_headers()
        handler.wfile.write(reply.body)


class CannedHttp(VendorHttp):
    """Answers without a network: for the tests that try many answers."""

    def __init__(self, *answers: Answer | Exception) -> None:
        super().__init__()
        self.answers = deque(answers)
        self.urls: list[str] = []
        self.asked: list[object] = []

    def send(self, method: str, url: str, *, deadline: Deadline, **request: object) -> Answer:  # noqa: ARG002
        self.urls.append(url)
        self.asked.append(request.get("json"))
        answer = self.answers.popleft()
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def vendor() -> Iterator[FakeVendor]:
    server = FakeVendor()
    yield server
    server.close()
