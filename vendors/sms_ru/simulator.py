"""SMS.RU: reverse calls by `callcheck`, known by an id, and flash calls by `code/call`; HTTP 200 for errors too.

Facts: the vendor's pages `callcheck` and `code_call`, and public integrations for errors and reports. How often a
report is repeated until its answer is `100`, and how many numbers are lent, the vendor doesn't say.
"""

import hashlib
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from flask import Blueprint, Response, request

from callverify.domain.words import Method
from simulators.faults import Mode, flag
from simulators.journal import Record
from simulators.vendor import RefusalError, Vendor, World, json_reply, route
from simulators.web import BadInputError, normalise
from simulators.webhooks import Webhook

API_ID = "00000000-FA4E-0000-0000-000000000000"  # made up

WAITING_SECONDS = route("sms_ru", Method.REVERSE_CALL).window.most
NUMBERS_TO_CALL = "7900006"  # four digits follow
COST_RUSSIA, COST_ELSEWHERE, BALANCE = 0.4, 1.0, 4122.56
TAKEN = "100"
ERRORS = {
    200: "Неправильный api_id",
    201: "Не хватает средств на лицевом счету",
    202: "Неправильно указан номер телефона получателя, либо на него нет маршрута",
    211: "Метод не найден",
}
STATUSES = {
    400: "Авторизация по звонку: звонок еще не получен",
    401: "Авторизация по звонку: номер подтвержден",
    402: "Авторизация по звонку: истекло время, либо неверный check_id",
}
NAMES = ("data[0]", "data[1]", "data[]", "data")  # of the first entry


@dataclass
class Check:
    """One awaited call. The id is good for one call."""

    id: str
    at: float
    phone: str
    number: str
    called_at: float | None = None

    def status(self, now: float) -> int:
        if self.called_at is not None:
            return 401
        return 400 if now - self.at < WAITING_SECONDS else 402

    def entry(self, now: float) -> str:
        return f"callcheck_status\n{self.id}\n{self.status(now)}\n{int(self.called_at or now)}"


def _names(value: object) -> str | None:
    return None if value in NAMES else f"must be one of {', '.join(NAMES)}"


class Simulator(Vendor):
    name = "sms_ru"
    credentials: ClassVar = {"api_id": API_ID}
    signs_with = "api_id"
    modes: ClassVar = {
        "other_types": Mode(
            "answers with numbers where it has texts, and with texts where it has numbers", ("start", "check")
        ),
        "same_number": Mode("lends the number that it lent last", ("start",)),
        "same_id": Mode("gives the id that it gave last", ("start",)),
        "webhook_form": Mode(
            'writes the report in another form: the first entry\'s name by "names", "multipart": true, and "others": '
            "true for entries of SMS and of a call that never came beside it",
            ("dial",),
            more={"names": _names, "multipart": flag, "others": flag},
        ),
    }

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.checks: list[Check] = []
        self.issued, self.last_id = 0, 541

    def add_routes(self, routes: Blueprint) -> None:
        @routes.route("/callcheck/add", methods=["GET", "POST"])
        def add() -> Response:
            return self.serve("start", "callcheck/add", self._add)

        @routes.route("/callcheck/status", methods=["GET", "POST"])
        def status() -> Response:
            return self.serve("check", "callcheck/status", self._status)

        @routes.route("/code/call", methods=["GET", "POST"])
        def call() -> Response:
            return self.serve("start", "code/call", self._call)

        @routes.route("/my/balance", methods=["GET", "POST"])
        def balance() -> Response:
            return self.serve("other", "my/balance", self._balance)

    def refusal(self, mode: str) -> RefusalError:
        return _refusal({"no_money": 201, "bad_credentials": 200, "number_refused": 202, "unknown_path": 211}[mode])

    def asked_about(self) -> str | None:
        known = self._known(request.values.get("check_id", ""))
        return known.phone if known else request.values.get("phone")

    def take_call(self, caller: str, dialled: str) -> tuple[bool, Webhook | None]:
        """A call answers every request that waits for this phone on this number."""
        with self.lock:
            now = self.world.clock()
            awaited = [
                check
                for check in self.checks
                if (check.phone, check.number) == (caller, dialled) and now - check.at < WAITING_SECONDS
            ]
            called = [check for check in awaited if check.called_at is None]
            for check in called:
                check.called_at = now
            return bool(awaited), self._webhook(called) if called else None

    def _add(self, record: Record) -> Response:
        phone = self._authenticated_phone(record)
        same_number, same_id = (
            self.world.faults.take(self.name, "start", (mode,), phone) for mode in ("same_number", "same_id")
        )
        with self.lock:
            self.issued += 0 if same_number and self.checks else 1
            number = f"{NUMBERS_TO_CALL}{self.issued % 10_000:04}"
            last = self.checks[-1].id if self.checks else ""
            check = Check(last if same_id and last else self._new_id(), self.world.clock(), phone, number)
            self.checks.append(check)
        record.paid = True
        self.call_before_reply(phone, number)
        pretty = f"+{number[0]} ({number[1:4]}) {number[4:7]}-{number[7:]}"
        found = {"check_id": check.id, "call_phone": number, "call_phone_pretty": pretty}
        # Another number in the link, so that a client that shows the link is found out.
        link = f'<a href="callto:7900007{number[7:]}">{pretty}</a>'
        return self._succeed({"status_code": 100, **found, "call_phone_html": link}, "start")

    def _status(self, record: Record) -> Response:
        self._authenticate()
        known = self._known(request.values.get("check_id", ""))
        record.phone = f"+{known.phone}" if known else None
        status = known.status(self.world.clock()) if known else 402
        found = {"status_code": 100, "check_status": str(status), "check_status_text": STATUSES[status]}
        return self._succeed(found, "check")

    def _call(self, record: Record) -> Response:
        phone = self._authenticated_phone(record)
        code = f"{random.randrange(10_000):04}"
        with self.lock:
            call_id = self._new_id()
        record.paid = True
        self.world.telephone.ring(phone, code)
        cost = COST_RUSSIA if re.match("7[^7]", phone) else COST_ELSEWHERE
        found = {"code": code, "call_id": call_id, "cost": cost, "balance": round(BALANCE - cost, 2)}
        return self._succeed(found, "start")

    def _balance(self, _: Record) -> Response:
        self._authenticate()
        return json_reply({"status": "OK", "status_code": 100, "balance": self.money_left(BALANCE)})

    def _succeed(self, found: Mapping[str, object], call: str) -> Response:
        found = {"status": "OK", **found}
        if self.world.faults.take(self.name, call, ("other_types",), self.phone()):
            found = {name: _other_type(name, value) for name, value in found.items()}
        return json_reply(found)

    def _authenticated_phone(self, record: Record) -> str:
        self._authenticate()
        try:
            phone = normalise(request.values.get("phone", ""))
        except BadInputError:
            raise self.refusal("number_refused") from None
        record.phone = f"+{phone}"
        return phone

    @staticmethod
    def _authenticate() -> None:
        if request.values.get("api_id") != API_ID:
            raise _refusal(200)

    def _new_id(self) -> str:
        self.last_id += 1
        return f"201737-{self.last_id}"

    def _known(self, check_id: str) -> Check | None:
        return next((check for check in reversed(self.checks) if check.id == check_id), None)

    def _webhook(self, called: list[Check]) -> Webhook | None:
        if self.handler_url is None:
            return None
        now = self.world.clock()
        entries = [check.entry(now) for check in called]
        fault = self.world.faults.take(self.name, "dial", ("webhook_form",), called[0].phone)
        more: Mapping[str, object] = fault.more if fault else {}
        if more.get("others"):
            sms, never = f"sms_status\n201737-1\n103\n{int(now)}", f"callcheck_status\n201737-2\n402\n{int(now)}"
            entries = [sms, never, *entries, sms]
        first = str(more.get("names", NAMES[0]))
        if first in ("data[0]", "data[1]"):
            base = int(first[5])
            form: dict[str, str | list[str]] = {f"data[{base + place}]": entry for place, entry in enumerate(entries)}
        else:
            form = {first: entries}
        signed = f"{self.signing_secret}{''.join(entries)}"
        form["hash"] = hashlib.sha256(signed.encode()).hexdigest()
        return Webhook(
            self.name,
            self.handler_url,
            WAITING_SECONDS,
            form,
            multipart=bool(more.get("multipart")),
            repeated_until=TAKEN,
        )


def _refusal(code: int) -> RefusalError:
    return RefusalError(json_reply({"status": "ERROR", "status_code": code, "status_text": ERRORS[code]}))


def _other_type(name: str, value: object) -> object:
    if name in ("check_status", "code"):
        return int(str(value))
    return value if isinstance(value, str) else str(value)
