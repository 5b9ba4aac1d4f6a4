"""Ringbell's simulator."""

from dataclasses import dataclass
from typing import ClassVar

from flask import Blueprint, Response, request

from simulators.journal import Record
from simulators.vendor import RefusalError, Vendor, World, json_reply
from simulators.web import BadInputError, normalise
from simulators.webhooks import Webhook

KEY = "fake-key-of-ringbell"
WINDOW_SECONDS = 90
STATUSES = {"no_money": 402, "bad_credentials": 401, "number_refused": 422, "unknown_path": 404}


@dataclass
class Lent:
    """A number that a phone may call."""

    id: int
    at: float
    phone: str
    number: str
    report_to: str | None
    caller: str | None = None


class Simulator(Vendor):
    name = "ringbell"
    credentials: ClassVar = {"api_key": KEY}

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.lent: dict[int, Lent] = {}
        self.calls = 100

    def add_routes(self, routes: Blueprint) -> None:
        @routes.post("/reverse")
        def reverse() -> Response:
            return self.serve("start", "reverse", self._reverse)

        @routes.post("/flash")
        def flash() -> Response:
            return self.serve("start", "flash", self._flash)

        @routes.get("/calls/<int:call_id>")
        def call(call_id: int) -> Response:
            return self.serve("check", "call", lambda _: self._state(call_id))

        @routes.get("/balance")
        def balance() -> Response:
            return self.serve("other", "balance", lambda _: self._balance())

    def refusal(self, mode: str) -> RefusalError:
        return RefusalError(json_reply({"error": mode.replace("_", " ")}, STATUSES[mode]))

    def asked_about(self) -> str | None:
        known = self.lent.get((request.view_args or {}).get("call_id", 0))
        body = request.get_json(silent=True)
        return known.phone if known else body.get("phone") if isinstance(body, dict) else None

    def take_call(self, caller: str, dialled: str) -> tuple[bool, Webhook | None]:
        now = self.world.clock()
        with self.lock:
            for lent in self.lent.values():
                if lent.number == dialled and now - lent.at < WINDOW_SECONDS:
                    lent.caller = caller
                    return True, self._webhook(lent)
        return False, None

    def _webhook(self, lent: Lent) -> Webhook | None:
        if lent.report_to is None:
            return None
        return Webhook(self.name, f"{lent.report_to}?call={lent.id}&caller={lent.caller}", WINDOW_SECONDS)

    def _reverse(self, record: Record) -> Response:
        phone = self._authenticated_phone(record)
        with self.lock:
            self.calls += 1
            number, report_to = f"7900009{self.calls:04}", (request.get_json() or {}).get("report_to")
            lent = self.lent[self.calls] = Lent(self.calls, self.world.clock(), phone, number, report_to)
        self.call_before_reply(phone, number)
        return json_reply({"call": lent.id, "number": number})

    def _flash(self, record: Record) -> Response:
        phone = self._authenticated_phone(record)
        with self.lock:
            self.calls += 1
            call_id = self.calls
        self.world.telephone.ring(phone, request.get_json()["code"])
        return json_reply({"call": call_id})

    def _state(self, call_id: int) -> Response:
        self._authenticate()
        lent = self.lent.get(call_id)
        if lent is None:
            raise self.refusal("unknown_path")
        over = self.world.clock() - lent.at >= WINDOW_SECONDS
        state = "called" if lent.caller else "over" if over else "waiting"
        return json_reply({"call": call_id, "state": state, "caller": lent.caller})

    def _balance(self) -> Response:
        self._authenticate()
        return json_reply({"balance": self.money_left(42.0)})

    def _authenticated_phone(self, record: Record) -> str:
        self._authenticate()
        try:
            phone = normalise(str((request.get_json(silent=True) or {}).get("phone")))
        except BadInputError:
            raise self.refusal("number_refused") from None
        record.phone, record.paid = f"+{phone}", True
        return phone

    def _authenticate(self) -> None:
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            raise self.refusal("bad_credentials")
