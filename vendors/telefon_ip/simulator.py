"""telefon-ip.ru (api.telefon-ip.ru/api/v1/authcalls): reverse and flash calls. The token is part of the path.

Facts: docs.telefon-ip.ru, "Back Calls" and "Flash Calls", and public integrations. The texts of refusals other than
"id record not found", and the replies of a check before the call and after the time are assumptions: the vendor shows
none of them.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from flask import Blueprint, Response, request

from callverify.domain.words import Method
from simulators.faults import Mode, flag
from simulators.journal import Record
from simulators.vendor import RefusalError, Vendor, World, json_reply, route
from simulators.web import utc
from simulators.webhooks import Webhook

TOKEN = "00000000-0000-4000-8000-000000000000"  # made up

LIFETIME_SECONDS = route("telefon_ip", Method.REVERSE_CALL).window.most
NUMBERS_TO_CALL = "7900001"  # four digits follow
CALLS_PER_DAY = 3  # get_code, to one number
CALL_COST = 0.2


@dataclass
class Authorization:
    """One issued number. It stays issued for its whole time: a later call takes the place of an earlier one."""

    id: int
    at: float
    phone: str
    auth_phone: str
    webhook: str | None
    caller: str | None = None


@dataclass(frozen=True)
class Call:
    """One flash call."""

    id: int
    at: float
    phone: str
    code: str

    def described(self) -> dict[str, object]:
        result = {"status": 1, "status_info": "Ok: SIP 200 OK"}
        return {"created_at": utc(self.at)[:19], "phone": self.phone, **result, "price": CALL_COST}


def refuse(status: int, text: str) -> RefusalError:
    return RefusalError(json_reply({"success": False, "error": text, "data": {}}, status))


def succeed(data: dict[str, object] | list[dict[str, object]]) -> Response:
    return json_reply({"success": True, "error": "", "data": data})


class Simulator(Vendor):
    name = "telefon_ip"
    credentials: ClassVar = {"token": TOKEN}
    modes: ClassVar = {
        "pending_echoes_phone": Mode(
            'a check before the call names the claimed phone, without a status; with "status": true it has one',
            ("check",),
            more={"status": flag},
        )
    }

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.authorizations: dict[int, Authorization] = {}
        # Five digits, so that the webhook's id of six differs from the reply's as text, as in the vendor's samples.
        self.next_id = 22760
        self.calls: list[Call] = []

    def add_routes(self, routes: Blueprint) -> None:
        base = "/api/v1/authcalls/<token>"

        def serve(call: str, action: str, token: str, handle: Callable[[Record], Response]) -> Response:
            def handle_authenticated(record: Record) -> Response:
                if token != TOKEN:
                    raise self.refusal("bad_credentials")
                return handle(record)

            return self.serve(call, action, handle_authenticated)

        @routes.get(f"{base}/reverse_auth_phone_get")
        def start_by_get(token: str) -> Response:
            return serve("start", "reverse_auth_phone_get", token, self._start_by_get)

        @routes.post(f"{base}/reverse_auth_phone_post")
        def start_by_post(token: str) -> Response:
            return serve("start", "reverse_auth_phone_post", token, self._start_by_post)

        @routes.get(f"{base}/reverse_auth_phone_check/<id_>")
        def check(token: str, id_: str) -> Response:
            return serve("check", "reverse_auth_phone_check", token, partial(self._check, id_))

        @routes.get(f"{base}/get_balance/")
        def balance(token: str) -> Response:
            return serve("other", "get_balance", token, self._balance)

        @routes.get(f"{base}/get_code/<phone>/")
        def code(token: str, phone: str) -> Response:
            return serve("start", "get_code", token, partial(self._get_code, phone))

        @routes.get(f"{base}/get_status/<id_>/")
        def status(token: str, id_: str) -> Response:
            return serve("other", "get_status", token, lambda _: self._get_status(id_))

        @routes.get(f"{base}/get_billing_record/<int:count>/")
        def last_bills(token: str, count: int) -> Response:
            return serve("other", "get_billing_record", token, lambda _: self._bill(self.calls[-count:]))

        @routes.post(f"{base}/post_billing_data/")
        def bills(token: str) -> Response:
            return serve("other", "post_billing_data", token, self._post_billing_data)

    def refusal(self, mode: str) -> RefusalError:
        status, text = {
            "no_money": (400, "Insufficient funds"),
            "bad_credentials": (401, "Invalid token"),
            "number_refused": (400, "Invalid phone number"),
            "unknown_path": (404, "Not found"),
        }[mode]
        return refuse(status, text)

    def malform(self, body: bytes) -> bytes:
        """The vendor's own sample, which lacks the comma after `url_image`."""
        without_comma = re.sub(rb'("url_image": "[^"]*"),', rb"\1", body)
        return without_comma if without_comma != body else super().malform(body)

    def asked_about(self) -> str | None:
        arguments = request.view_args or {}
        if "phone" in arguments:
            return str(arguments["phone"])
        id_ = arguments.get("id_", "")
        known = self.authorizations.get(int(id_)) if id_.isdecimal() else None
        if known:
            return known.phone
        body = request.get_json(force=True, silent=True)
        return str((body if isinstance(body, dict) else request.args).get("phone", ""))

    def take_call(self, caller: str, dialled: str) -> tuple[bool, Webhook | None]:
        with self.lock:
            for authorization in self.authorizations.values():
                if authorization.auth_phone == dialled and self._lives(authorization):
                    authorization.caller = caller  # any phone: comparing is left to the vendor's customer
                    return True, self._webhook(authorization)
        return False, None

    def _start_by_get(self, record: Record) -> Response:
        return self._start(record, request.args.get("phone"), None)

    def _start_by_post(self, record: Record) -> Response:
        body = request.get_json(force=True, silent=True)
        parameters = body if isinstance(body, dict) else {}
        webhook = parameters.get("webhook")
        if not isinstance(webhook, str) or not webhook.startswith(("http://", "https://")):
            raise refuse(400, "webhook is required")
        return self._start(record, parameters.get("phone"), webhook)

    def _balance(self, _: Record) -> Response:
        return succeed({"balance": self.money_left(5.0), "price": CALL_COST, "balance_limit": 0.0})

    def _start(self, record: Record, phone: object, webhook: str | None) -> Response:
        if not isinstance(phone, str) or not re.fullmatch(r"89\d{9}", phone):
            raise self.refusal("number_refused")
        with self.lock:
            claimed = "7" + phone[1:]
            # A number of its own while it waits: nobody starts 10,000 within its lifetime.
            auth_phone = f"{NUMBERS_TO_CALL}{self.next_id % 10_000:04}"
            issued = Authorization(self.next_id, self.world.clock(), claimed, auth_phone, webhook)
            self.authorizations[issued.id] = issued
            self.next_id += 1
        record.phone, record.paid = f"+{claimed}", True
        self.call_before_reply(claimed, issued.auth_phone)
        # `url_link` is a piece of HTML with another number than `auth_phone`; `url_image` has another id. Both as
        # in the vendor's sample, which also lacks the comma between them: on the wire it is there (integrations work).
        return succeed(
            {
                "auth_phone": issued.auth_phone,
                "id": issued.id,
                "url_image": f"https://api.telefon-ip.ru/api/v1/authcalls/get_qr_image/{issued.id + 2_718_861}/",
                "url_link": f"<a href='tel:8900003{issued.id % 10_000:04}'>Позвони для авторизации</a>",
            }
        )

    def _get_code(self, phone: str, record: Record) -> Response:
        """A flash call, whose code the vendor picks."""
        if not re.fullmatch(r"89\d{9}", phone):
            raise self.refusal("number_refused")
        with self.lock:
            now = self.world.clock()
            if sum(call.phone == phone and now - call.at < 86_400 for call in self.calls) >= CALLS_PER_DAY:
                raise refuse(400, "The limit of calls to this number is reached")
            call = Call(self.next_id, now, phone, f"{random.randint(1, 9999):04}")
            self.next_id += 1
            self.calls.append(call)
        record.phone, record.paid = f"+7{phone[1:]}", True
        self.world.telephone.ring(f"7{phone[1:]}", call.code)
        return succeed({"phone": phone, "code": call.code, "id": call.id})

    def _get_status(self, id_: str) -> Response:
        found = next((call for call in self.calls if str(call.id) == id_), None)
        if found is None:
            raise refuse(400, "id record not found")
        return succeed({"id": found.id, **found.described()})

    def _post_billing_data(self, _: Record) -> Response:
        body = request.get_json(force=True, silent=True)
        dates = body if isinstance(body, dict) else {}
        first, last = str(dates.get("start_date")), str(dates.get("end_date"))
        return self._bill([call for call in self.calls if first <= utc(call.at)[:10] <= last])

    @staticmethod
    def _bill(calls: list[Call]) -> Response:
        return succeed([{"code_auth": call.code, **call.described()} for call in calls])

    def _check(self, id_: str, record: Record) -> Response:
        with self.lock:
            authorization = self.authorizations.get(int(id_)) if re.fullmatch(r"\d{1,18}", id_) else None
            if authorization is None:
                raise refuse(400, "id record not found")
            record.phone = f"+{authorization.phone}"
            caller, lives = authorization.caller, self._lives(authorization)
        status = "ok" if caller else "pending" if lives else "expired"
        data: dict[str, object] = {"phone": national(caller) if caller else "", "id": authorization.id}
        if status == "expired":
            return succeed(data | {"status": status})
        echo = self.world.faults.take(self.name, "check", ("pending_echoes_phone",), self.phone())
        if echo:
            data["phone"] = national(caller or authorization.phone)
        # `status` is not in the vendor's sample but in the replies that integrations act upon.
        return succeed(data | {"status": status} if echo is None or echo.more.get("status") else data)

    def _lives(self, authorization: Authorization) -> bool:
        return self.world.clock() - authorization.at < LIFETIME_SECONDS

    @staticmethod
    def _webhook(authorization: Authorization) -> Webhook | None:
        if authorization.webhook is None:
            return None
        # Appended as documented, without a look at what the address holds already; Python's own True.
        phone = national(authorization.caller or "")
        url = f"{authorization.webhook}?success=True&phone={phone}&id={authorization.id:06}"
        return Webhook(Simulator.name, url, LIFETIME_SECONDS)


def national(phone: str) -> str:
    """8… from 7…; other countries' numbers stay as they are."""
    return "8" + phone[1:] if phone.startswith("7") else phone
