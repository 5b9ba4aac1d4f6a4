"""SMSC (smsc.ru/sys): reverse calls, known by the caller's phone alone, and spoken texts; HTTP 200 for errors too.

Facts: the "wait_call" and "send" pages of the engine's several skins, and public integrations for the callback.
"""

import hashlib
import json
import re
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
FIRST_ID = 1234  # of a spoken text
NUMBERS_TO_CALL = "7900002"  # four digits follow

# 1, 2, 4 and 9 are documented for wait_call, all but 5 for send; 5 comes from an integration and is unconfirmed.
ERRORS = {
    1: "ошибка в параметрах",
    2: "неверный логин или пароль",
    3: "недостаточно средств",
    6: "сообщение запрещено",
    5: "номер недоступен",
    7: "неверный формат номера",
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


def encode_sent(call_id: int) -> Response:
    """What was sent: in JSON, or as text."""
    if request.values.get("fmt") == "3":
        return Response(json.dumps({"id": call_id, "cnt": 1}), content_type="application/json; charset=utf-8")
    return Response(f"OK - 1 SMS, ID - {call_id}", content_type="text/plain; charset=windows-1251")


class Simulator(Vendor):
    name = "smsc"
    credentials: ClassVar = {"login": LOGIN, "psw": PASSWORD}
    signs_with = "callback_secret"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.waiting: list[Waiting] = []
        self.issued = 0
        self.spoken = 0

    def add_routes(self, routes: Blueprint) -> None:
        @routes.route("/sys/wait_call.php", methods=["GET", "POST"])
        def wait_call() -> Response:
            return self.serve("start", "wait_call", self._wait_call)

        @routes.route("/sys/send.php", methods=["GET", "POST"])
        def send() -> Response:
            return self.serve("start", "send", self._send)

        @routes.route("/sys/balance.php", methods=["GET", "POST"])
        def balance() -> Response:
            return self.serve("other", "balance", self._balance)

    def refusal(self, mode: str) -> RefusalError:
        return RefusalError(encode({"no_money": 3, "bad_credentials": 2, "number_refused": 5, "unknown_path": 1}[mode]))

    def asked_about(self) -> str | None:
        return request.values.get("phone") or request.values.get("phones")

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

    def _send(self, record: Record) -> Response:
        """Says a text. SMS are not simulated, and nor is `mes=code`, whose digits the vendor picks."""
        self._authenticate()
        text, (wait, pause, tries) = request.values.get("mes", ""), self._tries()
        try:
            phone = normalise(request.values.get("phones", ""))
        except BadInputError:
            raise RefusalError(encode(7)) from None
        record.phone = f"+{phone}"
        if (
            not text
            or request.values.get("call") != "1"
            or not (wait < 100 and 10 <= pause <= 3600 and 1 <= tries <= 9)
        ):
            raise RefusalError(encode(1))
        if text == "code":
            raise RefusalError(encode(6))
        with self.lock:
            call_id = FIRST_ID + self.spoken
            self.spoken += 1
        record.paid = True
        # Nobody picks up but with the last try, so that a client that lets the vendor try again rings more than once.
        for _ in range(tries):
            self.world.telephone.speak(phone, text)
        return encode_sent(call_id)

    @staticmethod
    def _tries() -> tuple[int, int, int]:
        """`param`: seconds to wait, seconds between tries, tries; 0s where it can't be read."""
        given = re.fullmatch(r"(\d{1,2}),(\d{1,4}),(\d)", request.values.get("param", "22,10,3"))
        return (int(given[1]), int(given[2]), int(given[3])) if given else (0, 0, 0)

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
