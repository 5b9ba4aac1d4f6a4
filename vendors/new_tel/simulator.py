"""New-Tel (api.new-tel.net): flash calls, "Call Password". Every request is signed over the bytes of its body.

Facts: the vendor's own sample, the client `async-newtel` and other public integrations (seen 2026-11). The texts of all
errors, and the HTTP status of an unsigned request, are assumptions. How old a signature may be is not known: here, any
age will do.
"""

import hashlib
import hmac
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from flask import Blueprint, Response, request

from simulators.faults import Mode
from simulators.journal import Record
from simulators.vendor import RefusalError, Vendor, World, json_reply
from simulators.webhooks import Webhook

# The account; made up. Both of the vendor's keys are 48 hexadecimal digits.
API_KEY, SIGNING_KEY = "fa0e" * 12, "51ce" * 12

FIRST_ID = 2_096_093_321_622_464_437  # 19 digits, as in an integration's sample
CALL_COST = 0.5  # made up: no prices are published
BALANCE = 100_000.0  # enough for `make load` and `make growth`: an account without money refuses calls
RING_SECONDS = range(1, 121)

Parameters = Mapping[str, object]


@dataclass(frozen=True)
class Call:
    """One flash call."""

    id: str
    at: float
    phone: str
    pin: str


def failure(status: int, message: str) -> RefusalError:
    """An error of the envelope: another HTTP status than 200."""
    return RefusalError(json_reply({"status": "error", "message": message, "data": {"message": message}}, status))


def refuse(message: str) -> RefusalError:
    """An error of the method, which the envelope calls a success."""
    return RefusalError(json_reply({"status": "success", "data": {"result": "error", "message": message}}))


def succeed(details: dict[str, object]) -> Response:
    return json_reply({"status": "success", "data": {"result": "success", "callDetails": details}})


class Simulator(Vendor):
    name = "new_tel"
    credentials: ClassVar = {"api_key": API_KEY, "signing_key": SIGNING_KEY}
    modes: ClassVar = {
        "operator_named": Mode("the answer to a start names the operator and the region too", ("start",))
    }

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.balance = BALANCE
        self.calls: dict[str, Call] = {}

    def add_routes(self, routes: Blueprint) -> None:
        methods = (
            ("call-password/start-password-call", "start", self.start_password_call),
            ("call-password/get-password-call-status", "other", self.get_password_call_status),
            ("company/get-state", "other", self.get_state),
        )
        for method, call, handle in methods:
            action = method.rpartition("/")[2]
            view = partial(self.serve, call, action, partial(self.authenticated, method, handle))
            routes.add_url_rule(f"/{method}", action, view, methods=["POST"])

    def refusal(self, mode: str) -> RefusalError:
        return {
            "no_money": lambda: refuse("Недостаточно средств на балансе"),
            "bad_credentials": lambda: failure(401, "Invalid signature"),
            "number_refused": lambda: RefusalError(succeed(self._details(self._new_call("7", "0000"), valid=False))),
            "unknown_path": lambda: failure(404, "Method not found"),
        }[mode]()

    def asked_about(self) -> str | None:
        parameters = self._parameters()
        known = self.calls.get(str(parameters.get("callId")))
        return known.phone if known else str(parameters.get("dstNumber", ""))

    def take_call(self, caller: str, dialled: str) -> tuple[bool, Webhook | None]:  # noqa: ARG002
        return False, None

    def authenticated(self, method: str, handle: Callable[[Parameters, Record], Response], record: Record) -> Response:
        """`Bearer <key><time><sha256>`: 48 hexadecimal digits, 10 decimal ones, 64 hexadecimal ones."""
        given = request.headers.get("Authorization", "")
        token = re.fullmatch(r"Bearer ([0-9a-f]{48})([0-9]{10})([0-9a-f]{64})", given)
        if token is None or token[1] != API_KEY:
            raise failure(401, "Invalid access key")
        text = b"\n".join(
            [method.encode(), token[2].encode(), API_KEY.encode(), request.get_data(), SIGNING_KEY.encode()]
        )
        if not hmac.compare_digest(token[3], hashlib.sha256(text).hexdigest()):
            raise self.refusal("bad_credentials")
        with self.lock:
            return handle(self._parameters(), record)

    def start_password_call(self, parameters: Parameters, record: Record) -> Response:
        phone, rings = str(parameters.get("dstNumber")), str(parameters.get("timeout", 20))
        # Integrations send the numbers of a request as text, too.
        pin = parameters.get("pin")
        pin = f"{random.randint(1, 9999):04}" if pin is None else str(pin)
        if not re.fullmatch(r"\d{4}", pin):
            raise refuse("pin must have 4 digits")
        if not rings.isdecimal() or int(rings) not in RING_SECONDS:
            raise refuse("timeout is out of range")
        if not re.fullmatch(r"[1-9]\d{8,14}", phone):
            raise refuse("dstNumber is not a phone number")
        if self.balance < CALL_COST:
            raise self.refusal("no_money")
        call = self._new_call(phone, pin)
        record.phone = f"+{phone}"
        if not re.fullmatch(r"79\d{9}", phone):  # a landline, or another country's: the vendor agrees, and calls nobody
            return succeed(self._details(call, valid=False))
        record.paid = True
        self.balance = round(self.balance - CALL_COST, 2)
        self.world.telephone.ring(phone, pin)
        details = self._details(call)
        if self.world.faults.take(self.name, "start", ("operator_named",), phone):
            details |= {"oper": "Оператор", "region": "Москва и Московская область"}
        return succeed(details)

    def get_password_call_status(self, parameters: Parameters, record: Record) -> Response:
        call = self.calls.get(str(parameters.get("callId")))
        if call is None:
            raise refuse("Звонок не найден")
        record.phone = f"+{call.phone}"
        return succeed({"callId": call.id, "status": "no answer", "reasonCode": 3})

    def get_state(self, _: Parameters, __: Record) -> Response:
        state = {"balance": self.money_left(self.balance), "credit": 0, "currency": "RUB"}
        return json_reply({"status": "success", "data": {"result": "success", "state": state}})

    def _new_call(self, phone: str, pin: str) -> Call:
        with self.lock:
            call = Call(str(FIRST_ID + len(self.calls)), self.world.clock(), phone, pin)
            self.calls[call.id] = call
            return call

    @staticmethod
    def _details(call: Call, *, valid: bool = True) -> dict[str, object]:
        return {"callId": call.id, "pin": call.pin, "isValidNumber": valid}

    @staticmethod
    def _parameters() -> Parameters:
        body = request.get_json(force=True, silent=True)
        return body if isinstance(body, dict) else {}
