"""`python -m local.receiver`: a customer's backend in small. It checks the signature of events and prints them.

GET /events lists what came, once for each delivery. POST /behaviour {"status": 500, "times": 3} lets the next fail,
{"hang": true} leaves them without an answer, {"every": 20} spares the others; DELETE /behaviour makes all well again.
"""

import argparse
import os
import signal
import sys
import threading
import time
from typing import Any

from flask import Flask, request
from standardwebhooks import Webhook, WebhookVerificationError
from werkzeug.serving import WSGIRequestHandler, make_server

HANG_SECONDS = 30


class QuietHandler(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002
        """The events themselves are printed."""


class Receiver:
    """Takes events signed with `secret`, and can be told to misbehave."""

    def __init__(self, secret: str) -> None:
        self._webhook = Webhook(secret)
        self._lock = threading.Lock()
        self._deliveries: list[dict[str, Any]] = []
        self._status, self._times, self._hang, self._every = 200, 0, False, 1
        self._seen = 0
        self.stopping = threading.Event()

    def take(self) -> tuple[dict[str, Any], int]:
        """One delivery of an event. An unsigned or wrongly signed one is refused, and not remembered."""
        body = request.get_data(as_text=True)
        try:
            event = self._webhook.verify(body, dict(request.headers))
        except (WebhookVerificationError, ValueError) as error:
            print(f"refused: {error}", flush=True)
            return {"error": str(error)}, 401
        with self._lock:
            self._seen += 1
            fails = self._times and self._seen % self._every == 0
            status, hang = (self._status, self._hang) if fails else (200, False)
            self._times -= bool(fails)
            delivery = {"event": event, "at": time.time(), "answer": "none" if hang else status}
            # As it came, so that the signature can be checked too.
            headers = {name.lower(): value for name, value in request.headers if name.lower().startswith("webhook-")}
            self._deliveries.append({**delivery, "headers": headers, "body": body})
        print(f"{event['created_at']} {event['type']} {event['data']['id']} → {'none' if hang else status}", flush=True)
        if hang:
            self.stopping.wait(HANG_SECONDS)
        return {}, status

    def behave(self) -> tuple[dict[str, Any], int]:
        order = request.get_json(silent=True)
        if request.method == "DELETE":
            order = {"times": 0}
        if not isinstance(order, dict) or not set(order) <= {"status", "times", "hang", "every"}:
            return {"error": 'send {"status": 500, "times": 3} or {"hang": true, "times": 3}'}, 400
        with self._lock:
            self._status, self._hang = int(order.get("status", 500)), bool(order.get("hang", False))
            self._times, self._every = int(order.get("times", 1)), int(order.get("every", 1))
        return {"status": self._status, "times": self._times, "hang": self._hang}, 200

    def deliveries(self) -> dict[str, Any]:
        with self._lock:
            if request.method == "DELETE":
                self._deliveries.clear()
            return {"deliveries": list(self._deliveries)}


def create_app(receiver: Receiver) -> Flask:
    app = Flask(__name__)
    app.add_url_rule("/events", "take", receiver.take, methods=["POST"])
    app.add_url_rule("/events", "deliveries", receiver.deliveries, methods=["GET", "DELETE"])
    app.add_url_rule("/behaviour", "behave", receiver.behave, methods=["POST", "DELETE"])
    return app


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.receiver", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    chosen = parser.parse_args()
    receiver = Receiver(os.environ["EVENT_SIGNING_SECRET"])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = make_server(chosen.host, chosen.port, create_app(receiver), threaded=True, request_handler=QuietHandler)
    try:
        server.serve_forever()
    finally:
        receiver.stopping.set()


if __name__ == "__main__":
    main()
