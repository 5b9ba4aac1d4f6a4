"""A port of each vendor's own: at the port that all of them share, none could refuse a connection."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from simulators.faults import Faults

POLL_SECONDS = 0.05
COUNTERS = Path("/proc/net/snmp")


class Port:
    """Where one vendor answers. Closed, it keeps its number."""

    def __init__(self, host: str, app: Flask, handler: type[WSGIRequestHandler]) -> None:
        self._host, self._app, self._handler = host, app, handler
        self._server: BaseWSGIServer | None = None
        self.number = 0
        self.open()

    def open(self) -> None:
        if self._server:
            return
        with socket.create_server((self._host, self.number)) as listening:
            self.number = listening.getsockname()[1]
            self._server = make_server(
                self._host,
                self.number,
                self._app,
                threaded=True,
                request_handler=self._handler,
                fd=listening.fileno(),
            )
        threading.Thread(target=self._server.serve_forever, args=(POLL_SECONDS,), daemon=True).start()

    def close(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    @property
    def closed(self) -> bool:
        return self._server is None


class Ports:
    """Closes the port of a vendor while its next fault is `refused`, for whatever it is asked.

    Nobody sees who is refused. Linux counts failed connections: when as many have failed as all closed ports were to
    refuse, they open. Elsewhere they stay closed until the faults are cleared.
    """

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._lock = threading.Lock()
        self._ports: dict[str, Port] = {}
        self._failed_before = 0

    def open(self, names: Iterable[str], host: str, app: Flask, handler: type[WSGIRequestHandler]) -> None:
        """Give each vendor a port, and look after them."""
        self._ports = {name: Port(host, app, handler) for name in names}
        threading.Thread(target=self._watch, daemon=True).start()

    def describe(self) -> dict[str, int]:
        return {name: port.number for name, port in self._ports.items()}

    def settle(self) -> None:
        """Close and open ports as the faults say now."""
        with self._lock:
            closed = self._closed()
            for name, port in self._ports.items():
                if self._faults.refuses(name):
                    port.close()
                else:
                    with contextlib.suppress(OSError):  # a connection has the number for a moment: soon again
                        port.open()
            if self._closed() != closed:
                self._failed_before = failed_connections()

    def _closed(self) -> list[str]:
        return [name for name, port in self._ports.items() if port.closed]

    def _watch(self) -> None:
        while True:
            time.sleep(POLL_SECONDS)
            with self._lock:
                if closed := self._closed():
                    failed = failed_connections()
                    if self._faults.refused(closed, failed - self._failed_before):
                        self._failed_before = failed
            self.settle()


def failed_connections() -> int:
    """How many of this machine's connections were refused since it started; 0 where nobody counts them."""
    if not COUNTERS.exists():
        return 0
    names, values = [line.split() for line in COUNTERS.read_text().splitlines() if line.startswith("Tcp:")]
    return int(dict(zip(names, values, strict=True))["AttemptFails"])
