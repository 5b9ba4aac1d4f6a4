"""The telephone: which calls reached a number, and calling a number oneself."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Blueprint, Response, jsonify, send_from_directory

from simulators.web import BadInputError, json_body, normalise, utc

if TYPE_CHECKING:
    from simulators.vendor import World

# Flash calls come from made-up numbers of the test block, ending in the code.
CALLING_PREFIX = "+7900000"
PAGES = Path(__file__).parent / "pages"


class Telephone:
    """All telephones of the simulated world, by number."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._incoming: dict[str, list[dict[str, str]]] = {}

    def ring(self, number: str, code: str) -> None:
        """A flash call reaches `number` (digits, 7…) from a number that ends in `code`."""
        with self._lock:
            call = {"from": CALLING_PREFIX + code, "at": utc(self._clock())}
            self._incoming.setdefault(number, []).append(call)

    def incoming(self, number: str) -> list[dict[str, str]]:
        with self._lock:
            return list(self._incoming.get(number, []))


def blueprint(world: "World", dial: Callable[[str, str], dict[str, object]]) -> Blueprint:
    """The routes of the telephone; `dial(caller, dialled)` asks the vendors who answers."""
    routes = Blueprint("telephone", __name__, url_prefix="/phone")

    @routes.get("")
    def page() -> Response:
        """Shows the telephone as a page."""
        return send_from_directory(PAGES, "telephone.html")

    @routes.get("/pages/<name>")
    def file(name: str) -> Response:
        """A file of the pages."""
        return send_from_directory(PAGES, name)

    @routes.get("/<number>")
    def incoming_calls(number: str) -> Response:
        """Lists the calls that reached this phone; the last four digits of `from` are a flash call's code."""
        return jsonify(incoming_calls=world.telephone.incoming(normalise(number)))

    @routes.post("/<number>/dial")
    def call_number(number: str) -> Response:
        """This phone calls a number: the vendor that waits for the call takes it and reports it.

        {"number": "+79000012760"}
        """
        dialled = json_body().get("number")
        if not isinstance(dialled, str):
            raise BadInputError('the body must be {"number": "+7…"}')
        return jsonify(dial(normalise(number), normalise(dialled)))

    return routes
