"""The telephone: which calls reached a number, and calling a number oneself."""

import re
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
VOICE = "+79000000000"
PAGES = Path(__file__).parent / "pages"


class Telephone:
    """All telephones of the simulated world, by number."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._incoming: dict[str, list[dict[str, str | None]]] = {}
        self._asked: dict[str, Callable[[str], str | None]] = {}

    def ring(self, number: str, code: str) -> None:
        """A flash call reaches `number` (digits, 7…) from a number that ends in `code`."""
        self._reach(number, CALLING_PREFIX + code, None)

    def speak(self, number: str, text: str) -> None:
        """A call reaches `number` (digits, 7…), is picked up, and says `text`."""
        self._reach(number, VOICE, text)

    def ask_for_key(self, number: str, press: Callable[[str], str | None]) -> None:
        """A call reaches `number` (digits), and says nothing until a key is pressed: then what `press` returns."""
        self._reach(number, VOICE, None)
        with self._lock:
            self._asked[number] = press

    def press(self, number: str, key: str) -> str | None:
        """Press a key in the call that asks for one: what it says then. Raises BadInputError where none does."""
        with self._lock:
            press = self._asked.pop(number, None)
        if press is None:
            raise BadInputError("no call to this phone is asking for a key")
        spoken = press(key)
        with self._lock:
            self._incoming[number][-1]["spoken"] = spoken
        return spoken

    def _reach(self, number: str, calling: str, spoken: str | None) -> None:
        with self._lock:
            call = {"from": calling, "at": utc(self._clock()), "spoken": spoken}
            self._incoming.setdefault(number, []).append(call)

    def incoming(self, number: str) -> list[dict[str, str | None]]:
        with self._lock:
            return [dict(call) for call in self._incoming.get(number, [])]


def blueprint(world: "World", dial: Callable[[str, str], dict[str, object]]) -> Blueprint:
    """The routes of the telephone; `dial(caller, dialled)` asks the vendors who answers."""
    routes = Blueprint("telephone", __name__, url_prefix="/phone")

    @routes.get("")
    def page() -> Response:
        """Shows the telephone page."""
        return send_from_directory(PAGES, "telephone.html")

    @routes.get("/pages/<name>")
    def file(name: str) -> Response:
        """A file of the pages."""
        return send_from_directory(PAGES, name)

    @routes.get("/<number>")
    def incoming_calls(number: str) -> Response:
        """Lists the calls to this phone: `from` ends in a flash call's code, `spoken` is the text of a voice call."""
        return jsonify(incoming_calls=world.telephone.incoming(normalise(number)))

    @routes.post("/<number>/dial")
    def call_number(number: str) -> Response:
        """This phone calls a number. The vendor that expects the call takes it and reports it.

        {"number": "+79000012760"}
        """
        dialled = json_body().get("number")
        if not isinstance(dialled, str):
            raise BadInputError('the body must be {"number": "+7…"}')
        return jsonify(dial(normalise(number), normalise(dialled)))

    @routes.post("/<number>/press")
    def press_key(number: str) -> Response:
        """This phone presses a key in the call that asks for one. The reply has what the call then says.

        {"key": "1"}
        """
        key = json_body().get("key")
        if not isinstance(key, str) or not re.fullmatch(r"[0-9*#]", key):
            raise BadInputError('the body must be {"key": "1"}')
        return jsonify(spoken=world.telephone.press(normalise(number), key))

    return routes
