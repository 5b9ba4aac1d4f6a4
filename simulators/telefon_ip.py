"""telefon-ip.ru (api.telefon-ip.ru/api/v1/authcalls): reverse calls. The token is part of the path.

Facts: docs.telefon-ip.ru, "Back Calls", and public integrations. The texts of refusals other than "id record not
found" and the replies of a check before the call and after the time are assumptions: the vendor shows none of them.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from flask import Blueprint, Response, request

from simulators.accounts import TELEFON_IP_TOKEN
from simulators.journal import Record
from simulators.vendor import RefusalError, Vendor, World, json_reply
from simulators.webhooks import Webhook

LIFETIME_SECONDS = 120
NUMBERS_TO_CALL = "7900001"  # four digits follow


@dataclass
class Authorization:
    """One issued number. It stays issued for its whole time: a later call takes the place of an earlier one."""

    id: int
    at: float
    phone: str
    auth_phone: str
    webhook: str | None
    caller: str | None = None


def refuse(status: int, text: str) -> RefusalError:
    return RefusalError(json_reply({"success": False, "error": text, "data": {}}, status))


def succeed(data: dict[str, object]) -> Response:
    return json_reply({"success": True, "error": "", "data": data})


class TelefonIp(Vendor):
    name = "telefon_ip"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.authorizations: dict[int, Authorization] = {}
        # Five digits, so that the webhook's id of six differs from the reply's as text, as in the vendor's samples.
        self.next_id = 22760

    def blueprint(self) -> Blueprint:
        routes = Blueprint("telefon_ip", __name__, url_prefix="/telefon-ip/api/v1/authcalls/<token>")

        def serve(call: str, action: str, token: str, handle: Callable[[Record], Response]) -> Response:
            def handle_authenticated(record: Record) -> Response:
                if token != TELEFON_IP_TOKEN:
                    raise self.refusal("bad_credentials")
                return handle(record)

            return self.serve(call, action, handle_authenticated)

        @routes.get("/reverse_auth_phone_get")
        def start_by_get(token: str) -> Response:
            return serve("start", "reverse_auth_phone_get", token, self._start_by_get)

        @routes.post("/reverse_auth_phone_post")
        def start_by_post(token: str) -> Response:
            return serve("start", "reverse_auth_phone_post", token, self._start_by_post)

        @routes.get("/reverse_auth_phone_check/<id_>")
        def check(token: str, id_: str) -> Response:
            return serve("check", "reverse_auth_phone_check", token, partial(self._check, id_))

        @routes.get("/get_balance/")
        def balance(token: str) -> Response:
            return serve("other", "get_balance", token, self._balance)

        return routes

    def refusal(self, mode: str) -> RefusalError:
        status, text = {
            "no_money": (400, "Insufficient funds"),
            "bad_credentials": (401, "Invalid token"),
            "number_refused": (400, "Invalid phone number"),
        }[mode]
        return refuse(status, text)

    def asked_about(self) -> str | None:
        id_ = (request.view_args or {}).get("id_", "")
        known = self.authorizations.get(int(id_)) if id_.isdecimal() else None
        if known:
            return known.phone
        body = request.get_json(force=True, silent=True)
        return str((body if isinstance(body, dict) else request.args).get("phone", ""))

    def take_call(self, caller: str, dialled: str) -> tuple[bool, Webhook | None]:
        with self.lock:
            for authorization in self.authorizations.values():
                if authorization.auth_phone == dialled and self._lives(authorization):
                    authorization.caller = caller  # whoever it is: comparing is left to the vendor's customer
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
        return succeed({"balance": self.money_left(5.0), "price": 0.2, "balance_limit": 0.0})

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
        return succeed(data | {"status": status} if echo is None or echo.status else data)

    def _lives(self, authorization: Authorization) -> bool:
        return self.world.clock() - authorization.at < LIFETIME_SECONDS

    @staticmethod
    def _webhook(authorization: Authorization) -> Webhook | None:
        if authorization.webhook is None:
            return None
        # Appended as documented, without a look at what the address holds already; Python's own True.
        phone = national(authorization.caller or "")
        url = f"{authorization.webhook}?success=True&phone={phone}&id={authorization.id:06}"
        return Webhook(TelefonIp.name, url, LIFETIME_SECONDS)


def national(phone: str) -> str:
    """8… from 7…; other countries' numbers stay as they are."""
    return "8" + phone[1:] if phone.startswith("7") else phone
