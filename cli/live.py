"""The states of a verification as they come: by push where the stack has it, and by asking now and then."""

from __future__ import annotations

import base64
import json
import queue
import socket
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from cli.api import Api

BESIDE_PUSH_SECONDS = 15
LEAST_SECONDS = 1


def states(api: Api, started: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The resource of a start reply, then each later one, until it is no longer pending. Raises Problem."""
    resource = started
    yield resource
    pushed: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
    listener = Listener(started["updates"], pushed) if started.get("updates") else None
    if listener:
        listener.start()
    while resource["status"] == "pending":
        wait = BESIDE_PUSH_SECONDS if listener and listener.is_alive() else _seconds_until(resource.get("poll_after"))
        try:
            newer = pushed.get(timeout=wait)
        except queue.Empty:
            newer = api.call("GET", f"/verifications/{started['id']}")
        if newer["revision"] > resource["revision"]:
            resource = newer
            yield resource


def _seconds_until(moment: str | None) -> float:
    """At least a second; two where the resource does not say."""
    if moment is None:
        return 2 * LEAST_SECONDS
    return max(LEAST_SECONDS, (datetime.fromisoformat(moment) - datetime.now(UTC)).total_seconds())


class Listener(threading.Thread):
    """A WebSocket to AppSync Events, as docs/page.md describes it. It ends when the connection does.

    updates: of the start reply, with a token for this one channel.
    """

    def __init__(self, updates: Mapping[str, Any], heard: queue.SimpleQueue[Mapping[str, Any]]) -> None:
        super().__init__(daemon=True)
        self._updates = updates
        self._heard = heard

    def run(self) -> None:
        from websockets.exceptions import WebSocketException
        from websockets.sync.client import connect

        try:
            authorization = self._updates["authorization"]
            header = base64.urlsafe_b64encode(json.dumps(authorization).encode()).decode().rstrip("=")
            protocols: Any = ["aws-appsync-event-ws", f"header-{header}"]
            with connect(self._updates["url"], sock=_local(self._updates["url"]), subprotocols=protocols) as socket_:
                socket_.send(json.dumps({"type": "connection_init"}))
                for text in socket_:
                    message = json.loads(text)
                    if message["type"] == "connection_ack":
                        subscribe = {"type": "subscribe", "id": "1", "channel": self._updates["channel"]}
                        socket_.send(json.dumps(subscribe | {"authorization": authorization}))
                    elif message["type"] == "data":
                        self._heard.put(json.loads(message["event"]))
        except (OSError, ValueError, LookupError, TypeError, AttributeError, WebSocketException):
            return  # polling goes on


def _local(url: str) -> socket.socket | None:
    """A connection to this machine for a name below localhost, which a browser knows and a C library may not."""
    parts = urlsplit(url)
    if parts.hostname and parts.hostname.endswith(".localhost"):
        return socket.create_connection(("127.0.0.1", parts.port or 80), 10)
    return None
