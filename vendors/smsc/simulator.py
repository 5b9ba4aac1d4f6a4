"""SMSC (smsc.ru/sys/wait_call.php): reverse calls, known by the caller's phone alone; HTTP 200 for errors too.

Facts: the "wait_call" page of the engine's several skins, and public integrations for the callback.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import ClassVar

from flask import Blueprint, Response, request

from callverify.domain.words import Method
from simulators.journal import Record
from simulators.vendor import RefusalError, Vendor, World, route
from simulators.web import BadInputError, normalise
from simulators.webhooks import Webhook

# The account; made up. The API key is another way in, which some skins of the engine offer.
LOGIN, PASSWORD = "fake-login", "fake-password"
APIKEY = "fake-apikey"

WAITING_SECONDS = route("smsc", Method.REVERSE_CALL).window.default  # the vendor publishes no time
IDENTICAL_PER_MINUTE = 50
NUMBERS_TO_CALL = "7900002"  # four digits follow

# 1, 2, 4 and 9 are documented for wait_call; 3 and 5 come from an integration and are unconfirmed.
ERRORS = {
    1: "ошибка в параметрах",
    2: "неверный логин или пароль",
    3: "недостаточно средств",
    5: "номер недоступен",
    9: "слишком много одинаковых запросов",
}


@dataclass(frozen=True)
class Waiting:
    at: float
    phone: str
    number: str


def encode(error_code: int | None, value: str = "", field: str = "phone") -> Response:
    """A reply in the asked `fmt` (0 text, 1 numbers, 2 XML, 3 JSON) and `charset` (windows-1251 unless utf-8)."""
    text = ERRORS[error_code] if error_code else ""
    match request.values.get("fmt"):
        case "1":
            kind, body = "text/plain", f"0,-{error_code}" if error_code else value
        case "2":
            error = f"<error>{text}</error><error_code>{error_code}</error_code>"
            kind, body = "text/xml", f"<result>{error if error_code else f'<{field}>{value}</{field}>'}</result>"
        case "3":
            reply = {"error": text, "error_code": error_code} if error_code else {field: value}
            kind, body = "application/json", json.dumps(reply, ensure_ascii=False)
        case _:
            kind, body = "text/plain", f"ERROR = {error_code} ({text})" if error_code else value
    charset = "utf-8" if request.values.get("charset", "").lower() == "utf-8" else "windows-1251"
    return Response(body.encode(charset), content_type=f"{kind}; charset={charset}")


class Simulator(Vendor):
    name = "smsc"
    credentials: ClassVar = {"login": LOGIN, "psw": PASSWORD}
    signs_with = "callback_secret"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.waiting: list[Waiting] = []
        self.issued = 0

    def add_routes(self, routes: Blueprint) -> None:
        @routes.route("/sys/wait_call.php", methods=["GET", "POST"])
        def wait_call() -> Response:
            return self.serve("start", "wait_call", self._wait_call)

        @routes.route("/sys/balance.php", methods=["GET", "POST"])
        def balance() -> Response:
            return self.serve("other", "balance", self._balance)

    def refusal(self, mode: str) -> RefusalError:
        return RefusalError(encode({"no_money": 3, "bad_credentials": 2, "number_refused": 5, "unknown_path": 1}[mode]))

    def asked_about(self) -> str | None:
        return request.values.get("phone")

    def take_call(self, caller: str, dialled: str) -> tuple[bool, Webhook | None]:
        now = self.world.clock()
        with self.lock:
            if not any(
                w.phone == caller and w.number == dialled and now - w.at < WAITING_SECONDS for w in self.waiting
            ):
                return False, None
            return True, self._webhook(caller, int(now))

    def _balance(self, _: Record) -> Response:
        self._authenticate()
        return encode(None, f"{self.money_left(100.0):.2f}", "balance")

    def _wait_call(self, record: Record) -> Response:
        self._authenticate()
        try:
            phone = normalise(request.values.get("phone", ""))
        except BadInputError:
            raise RefusalError(encode(1)) from None
        record.phone = f"+{phone}"
        with self.lock:
            now = self.world.clock()
            if sum(w.phone == phone and now - w.at < 60 for w in self.waiting) >= IDENTICAL_PER_MINUTE:
                raise RefusalError(encode(9))
            number = f"{NUMBERS_TO_CALL}{self.issued % 10_000:04}"
            self.issued += 1
            self.waiting.append(Waiting(now, phone, number))
        record.paid = True
        self.call_before_reply(phone, number)
        return encode(None, number)

    @staticmethod
    def _authenticate() -> None:
        given = {name: request.values.get(name) for name in ("login", "psw", "apikey")}
        by_password = given["login"] == LOGIN and given["psw"] == PASSWORD
        by_apikey = given["login"] in (None, LOGIN) and given["apikey"] == APIKEY
        if not by_password and not by_apikey:
            raise RefusalError(encode(2))

    def _webhook(self, phone: str, ts: int) -> Webhook | None:
        if self.handler_url is None:
            return None
        form = {"waitcall": "1", "phone": phone, "ts": str(ts)}
        if self.signing_secret:
            form["md5"] = hashlib.md5(f"{phone}:{ts}:{self.signing_secret}".encode()).hexdigest()
        return Webhook(self.name, self.handler_url, WAITING_SECONDS, form)
