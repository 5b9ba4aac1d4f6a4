"""An API that answers what a test tells it to, around the page as its function serves it: no stack, and no waiting."""

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from werkzeug.serving import make_server

from functions.serve_page import app
from simulators.__main__ import QuietHandler
from tests.support.stacks import RETURN_ORIGIN

ID = "vrf_4tc0j4d2wa2ex1fjfg3ct4haht"
TOKEN = f"cvt.{ID}.1795343400.signature"
NUMBER = "+79644115786"
CALL = {"type": "call_number", "number": NUMBER, "tel_uri": f"tel:{NUMBER}"}
DIGITS = {"type": "enter_digits", "length": 4}

Answer = tuple[int, dict[str, Any], dict[str, str]]


def timestamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


_revisions = itertools.count(1)


def resource(method: str = "reverse_call", **changes: Any) -> dict[str, Any]:
    """A pending verification as a client token reads it. `changes`: other members, and `lasts`: seconds.

    repeat_in, switch_for: seconds until a repeat may be asked for, and as long as a switch may.
    """
    now, lasts = time.time(), changes.pop("lasts", 120)
    reverse = method == "reverse_call"
    # A provider that the page has never heard of.
    attempt = {"method": method, "provider": "somebody", "outcome": "started", "reason": None}
    repeat_after = timestamp(now + changes.pop("repeat_in", 60))
    switch_until = timestamp(now + changes.pop("switch_for", 600))
    return {
        "id": ID,
        "mode": "live",
        # Made later, newer.
        "revision": next(_revisions),
        "status": "pending",
        "reason": None,
        "evidence": None,
        "method": method,
        "provider": attempt["provider"],
        "phone": "+7******0101",
        "challenge": CALL if reverse else DIGITS,
        "checks_remaining": None if reverse else 5,
        "repeats_remaining": 0 if reverse else 2,
        "repeat_after": None if reverse else repeat_after,
        "switches_remaining": 2,
        "switch_until": switch_until,
        "allowed_methods": ["reverse_call", "flash_call"],
        "attempts": [{**attempt, "at": timestamp(now)}],
        "created_at": timestamp(now),
        "expires_at": timestamp(now + lasts),
        "verified_at": None,
        **changes,
    }


def answer(status: int, body: dict[str, Any] | None = None, **headers: str) -> Answer:
    """`headers` with _ for -."""
    return status, body or {}, {name.replace("_", "-"): value for name, value in headers.items()}


class Scripted:
    """`read`, `check`, `repeat` and `switch` are the answers, or functions of the request's body that make them."""

    def __init__(self) -> None:
        self.base_url = ""
        self.read: Answer | Callable[[Any], Answer] = answer(200, resource())
        self.check: Answer | Callable[[Any], Answer] = answer(500)
        self.repeat: Answer | Callable[[Any], Answer] = answer(500)
        self.switch: Answer | Callable[[Any], Answer] = answer(500)
        self.asked: list[tuple[str, Any]] = []
        self.page = app.PAGE

    def configure(self, **variables: str) -> None:
        """Serve the page as its function does with these settings."""
        with pytest.MonkeyPatch.context() as patched:
            for name, text in variables.items():
                patched.setenv(name, text)
            self.page = app.page()

    @property
    def reads(self) -> int:
        return sum(name == "read" for name, _ in self.asked)

    @property
    def codes(self) -> list[str]:
        return [body["code"] for name, body in self.asked if name == "check"]

    def link(self, locale: str = "en", **more: str) -> str:
        told = {"id": ID, "token": TOKEN, "locale": locale, **more}
        return f"{self.base_url}/page#{urlencode(told, safe=',')}"

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        path = environ["PATH_INFO"].removeprefix("/v1")
        if path.startswith("/page"):
            page = self._page(path, environ["QUERY_STRING"])
            start_response(f"{page['statusCode']} -", list(page["headers"].items()))
            return [page["body"].encode()]
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = json.loads(environ["wsgi.input"].read(length) or "null")
        last = path.rsplit("/", 1)[1]
        name = last if last in ("check", "repeat", "switch") else "read"
        told = getattr(self, name)
        status, content, headers = told(body) if callable(told) else told
        self.asked.append((name, body))
        # Without the server's time, the page goes by its own, which a test may move.
        start_response(f"{status} -", [("Content-Type", "application/json"), ("Date", ""), *headers.items()])
        return [json.dumps(content).encode()]

    def _page(self, path: str, query: str) -> dict[str, Any]:
        file = path.removeprefix("/page").strip("/")
        parameters = {"file": file} if file else None
        event = {"path": path, "pathParameters": parameters, "queryStringParameters": dict(parse_qsl(query))}
        page = self.page if path == "/page" else app.handler(event, None)
        return page | {"body": page["body"].replace('data-return-origins=""', f'data-return-origins="{RETURN_ORIGIN}"')}


@contextmanager
def serving(api: Scripted) -> Iterator[Scripted]:
    server = make_server("localhost", 0, api, threaded=True, request_handler=QuietHandler)
    api.base_url = f"http://localhost:{server.server_port}/v1"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield api
    server.shutdown()
    server.server_close()
