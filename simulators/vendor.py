"""What the simulated vendors share: the world they live in, faults, and the record of each request."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import ClassVar

from flask import Blueprint, Response, jsonify, request

from callverify.domain.words import Method
from callverify.providers.base import Per, Route
from callverify.providers.registry import manifest
from simulators.faults import ANSWER_MODES, Faults, Mode
from simulators.journal import Journal, Record
from simulators.ports import Ports
from simulators.telephone import Telephone
from simulators.web import BadInputError, json_body, normalise, utc
from simulators.webhooks import Job, Webhook, Webhooks, run_in_background, send_by_http

TIMEOUT_SECONDS = 12  # longer than any caller of these vendors should wait
DRIP_EVERY_SECONDS = 1.0
# What is sent at once, and what follows a byte at a time.
DRIPS = {
    "drip_headers": (b"HTTP/1.1 200 OK\r\nX-Drip: ", b"x" * 60),
    "drip_body": (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 60\r\n\r\n", b" " * 60),
}


class World:
    """The state around the vendors; a test hands in its own clock (epoch seconds), sender, scheduler and wait."""

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        send: Callable[[Webhook], tuple[int, str]] = send_by_http,
        run_later: Callable[[float, Job], None] = run_in_background,
        hold: Callable[[], None] | None = None,
    ) -> None:
        self._clock = clock
        # Seconds that the vendors' time is ahead of everybody else's.
        self.ahead = 0.0
        self.stopping = threading.Event()
        self.hold = hold or self._hold
        self.faults = Faults()
        self.ports = Ports(self.faults)
        self.journal = Journal()
        self.telephone = Telephone(self.clock)
        self.webhooks = Webhooks(self.clock, self.faults, send, run_later)

    def clock(self) -> float:
        """The time at the vendors, in epoch seconds."""
        return self._clock() + self.ahead

    def _hold(self) -> None:
        self.stopping.wait(TIMEOUT_SECONDS)


class RefusalError(Exception):
    """The vendor says no; carries its reply."""

    def __init__(self, reply: Response) -> None:
        super().__init__()
        self.reply = reply


class Vendor:
    """One simulated vendor. Its state is touched only under `self.lock`, which is never held while waiting.

    credentials: the only ones that it accepts, as in `provider-credentials`; all of them are made up. modes: faults of
    its own. signs_with: which credential it signs its reports with, where they go to one address of the account.
    """

    name: ClassVar[str]
    credentials: ClassVar[Mapping[str, str | int]]
    modes: ClassVar[Mapping[str, Mode]] = {}
    signs_with: ClassVar[str] = ""

    def __init__(self, world: World) -> None:
        self.world = world
        self.lock = threading.RLock()
        # Set once per account, in the cabinet.
        self.handler_url: str | None = None
        self.signing_secret = ""

    def blueprint(self) -> Blueprint:
        """The vendor's routes, and what it answers on any other path."""
        routes = Blueprint(self.name, __name__)
        self.add_routes(routes)
        webhook = manifest(self.name).webhook
        if webhook and webhook.per is Per.ACCOUNT:
            routes.add_url_rule("/cabinet", "cabinet", self._fill_cabinet, methods=["POST"])

        @routes.route("/<path:_path>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
        def unknown(_path: str) -> Response:
            def refuse(_: Record) -> Response:
                raise self.refusal("unknown_path")

            return self.serve("other", "unknown", refuse)

        return routes

    def add_routes(self, routes: Blueprint) -> None:
        """Add what this vendor offers."""
        raise NotImplementedError

    def asked_about(self) -> str | None:
        """The number, in any form, that the present request is about."""
        raise NotImplementedError

    def phone(self) -> str | None:
        """The number (digits, 7…) that the present request is about, or None where it names none."""
        try:
            return normalise(self.asked_about() or "")
        except BadInputError:
            return None

    def refusal(self, mode: str) -> RefusalError:
        """How this vendor says no_money, bad_credentials, number_refused or unknown_path."""
        raise NotImplementedError

    def take_call(self, caller: str, dialled: str) -> tuple[bool, Webhook | None]:
        """A phone calls a number (both digits, 7…): does this vendor answer, and what does it report, and where?"""
        raise NotImplementedError

    def malform(self, body: bytes) -> bytes:
        """The body of an answer, broken."""
        return body[: len(body) // 2]

    def serve(self, call: str, action: str, handle: Callable[[Record], Response]) -> Response:
        """Answer one request by `handle`, unless a fault says otherwise, and keep a record of it.

        `call` is "start", "repeat", "check" or "other" (which no fault meets).
        """
        # The path's template, since a vendor's path may hold a credential.
        record = Record(self.name, request.method, str(request.url_rule), action, utc(self.world.clock()))
        self.world.journal.add(record)
        fault = self.world.faults.take(self.name, call, ANSWER_MODES, self.phone())
        mode = fault.mode if fault else None
        if fault and fault.phone:  # also where it is not read
            record.phone = f"+{fault.phone}"
        if mode == "refused":  # as near to it as one can come, now that the request was read: see `Ports`
            record.answer = mode
            return drop_connection()
        if mode == "http_500":  # takes no effect: nothing is called, nothing billed
            reply = Response("<html><body><h1>500 Internal Server Error</h1></body></html>", 500, mimetype="text/html")
        else:
            try:
                if mode in ("no_money", "bad_credentials", "number_refused"):
                    raise self.refusal(mode)
                reply = handle(record)
            except RefusalError as refusal:
                reply = refusal.reply
        if mode == "timeout":  # the request took effect, only its answer never comes
            record.answer = "timeout"
            self.world.hold()
            return drop_connection()
        if mode in ("drip_headers", "drip_body"):
            record.answer = mode
            head, body = DRIPS[mode]
            return drip(head, body, self.world.stopping)
        if mode == "malformed_json":
            reply.set_data(self.malform(reply.get_data()))
        record.answer = reply.status_code
        return reply

    def money_left(self, balance: float) -> float:
        """What the vendor says is left, out of `balance`."""
        return 0.0 if self.world.faults.take(self.name, "balance", ("no_money",), None) else balance

    def call_before_reply(self, caller: str, dialled: str) -> None:
        """With webhook_before_reply: the user dials at once, and the report is answered before the start is."""
        if self.world.faults.take(self.name, "start", ("webhook_before_reply",), caller):
            _, webhook = self.take_call(caller, dialled)
            if webhook:
                self.world.webhooks.report_now(webhook)

    def _fill_cabinet(self) -> Response:
        """Not the vendor's: stands for its settings page."""
        body = json_body()
        url, secret = body.get("handler_url"), body.get(self.signs_with, "")
        if not isinstance(url, str) or not url.startswith(("http://", "https://")) or not isinstance(secret, str):
            wanted = {"handler_url": "http…"} | ({self.signs_with: "…"} if self.signs_with else {})
            raise BadInputError(f"the body must be {json.dumps(wanted, ensure_ascii=False)}")
        with self.lock:
            self.handler_url, self.signing_secret = url, secret
        return jsonify(saved=True)


def route(name: str, method: Method) -> Route:
    """What the service believes of a vendor's method: its window and its repeats."""
    return next(route for route in manifest(name).routes if route.method is method)


def json_reply(body: object, status: int = 200) -> Response:
    return Response(json.dumps(body, ensure_ascii=False, indent=4), status, mimetype="application/json")


def drip(head: bytes, body: bytes, stopping: threading.Event) -> Response:
    """Send `head`, then `body` a byte at a time until the client hangs up, and close the connection."""
    connection = request.environ.get("werkzeug.socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.sendall(head)
            for byte in body:
                if stopping.wait(DRIP_EVERY_SECONDS):
                    break
                connection.sendall(bytes([byte]))
    return drop_connection()


def drop_connection() -> Response:
    """Close the connection without an answer; the 504 is only seen where there is no connection, in a test client."""
    connection = request.environ.get("werkzeug.socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
    return Response(status=504)
