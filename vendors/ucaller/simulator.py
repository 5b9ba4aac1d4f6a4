"""uCaller (api.ucaller.ru/v1.0): flash calls, and reverse calls that we don't use. Errors travel over HTTP 200 too.

Facts: developer.ucaller.ru, and replies captured live 2026-09-22 with the vendor's test numbers.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ClassVar

from flask import Blueprint, Response, request

from callverify.domain.words import Method
from simulators.faults import Mode
from simulators.journal import Record
from simulators.vendor import RefusalError, Vendor, World, json_reply, route
from simulators.webhooks import Webhook

# The account; made up. The vendor's secret keys have 32 characters.
KEY, SERVICE_ID = "fake" * 8, 103000

# Test numbers (documented, not billed): the first always succeeds, the second never can be reached.
TEST_NUMBERS = ("79000000001", "79000000002")
UNREACHABLE = TEST_NUMBERS[1]

SECONDS_APART = 15
MOST_PER_SECONDS = ((4, 60), (30, 86_400))  # initCall per number
FLASH_CALL = route("ucaller", Method.FLASH_CALL)
REPEAT_AFTER, REPEAT_BEFORE = FLASH_CALL.repeat_after, FLASH_CALL.window.most  # seconds from initCall
MOST_REPEATS = FLASH_CALL.repeats

FIRST_ID = 103000
CALL_COST = 0.5  # made up: no prices are published
CHECK_COST = 0.04  # checkPhone
WAITING_SECONDS = 60  # inboundCallWaiting; the vendor publishes no time
NUMBERS_TO_CALL = "7900004"  # four digits follow
CREATED_AT = 1_556_064_401  # of account and service
OWNER = "owner@example.com"

# 1, 401 and 405 in the vendor's words (live), the others in ours.
ERRORS = {
    1: "Invalid request. Check the query syntax and the list of parameters used",
    2: "A required parameter is missing or invalid",
    3: "Invalid phone number",
    10: "No authorization with this uid, or no access to it",
    11: "Free repeat is impossible: time has expired",
    12: "Free repeat is impossible: attempts are spent",
    13: "Wrong attempt at a free repeat",
    18: "The limit of calls to this number is reached",
    19: "Wait 15 seconds before another authorization of this number",
    20: "Voice authorization is unavailable for the country",
    401: "Authentication failed. Make sure you are using the correct authentication scheme. "
    "(https://developer.ucaller.ru/)",
    405: "Method Not Allowed",
    1002: "Insufficient funds",
}

Parameters = dict[str, object]


@dataclass
class Authorization:
    """One call. A repeat is an authorization of its own that points to its `first`."""

    ucaller_id: int
    at: float
    balance_before: float
    phone: str
    code: str
    client: str | None
    unique: str | None
    cost: float = 0.0
    voice: bool = False
    first: "Authorization | None" = None
    repeats: list[int] = field(default_factory=list)

    @property
    def reached(self) -> bool:
        return self.phone != UNREACHABLE


@dataclass(frozen=True)
class Waiting:
    """A number that was issued for the user to call."""

    ucaller_id: int
    at: float
    phone: str
    number: str
    callback_url: str


def refuse(code: int) -> RefusalError:
    return RefusalError(json_reply({"status": False, "error": ERRORS[code], "code": code}))


class Simulator(Vendor):
    name = "ucaller"
    credentials: ClassVar = {"key": KEY, "service_id": SERVICE_ID}
    modes: ClassVar = {"repeat_405": Mode("answers the repeat of a call with its error 405", ("repeat",))}

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.balance = 1000.0
        self.authorizations: dict[int, Authorization] = {}
        self.waiting: list[Waiting] = []

    def add_routes(self, routes: Blueprint) -> None:
        methods = (
            ("initCall", "start", self.init_call),
            ("initRepeat", "repeat", self.init_repeat),
            ("getInfo", "check", self.get_info),
            ("inboundCallWaiting", "start", self.inbound_call_waiting),
            ("getBalance", "other", self.get_balance),
            ("getService", "other", self.get_service),
            ("getAccount", "other", self.get_account),
            ("checkPhone", "other", self.check_phone),
        )
        for action, call, handle in methods:
            view = partial(self.serve, call, action, partial(self.authenticated, handle))
            routes.add_url_rule(f"/v1.0/{action}", action, view, methods=["GET", "POST"])
        # Outside the version's prefix, and without credentials.
        routes.add_url_rule("/health", "health", lambda: {"status": True, "database": True, "providers": True})

    def refusal(self, mode: str) -> RefusalError:
        return refuse({"no_money": 1002, "bad_credentials": 401, "number_refused": 3, "unknown_path": 405}[mode])

    def asked_about(self) -> str | None:
        parameters = self._parameters()
        known = self.authorizations.get(int(uid)) if (uid := str(parameters.get("uid", ""))).isdecimal() else None
        return known.phone if known else str(parameters.get("phone", ""))

    def take_call(self, caller: str, dialled: str) -> tuple[bool, Webhook | None]:
        with self.lock:
            for issued in self.waiting:
                if issued.number == dialled and self.world.clock() - issued.at < WAITING_SECONDS:
                    # Unsigned, and in names of its own, as public integrations know it.
                    report: dict[str, object] = {
                        "callId": str(issued.ucaller_id),
                        "callbackLink": issued.callback_url,
                        "clientNumber": caller,
                        "confirmationNumber": dialled,
                        "isMnp": False,
                        "operatorName": None,
                        "operatorNameMnp": None,
                        "regionName": "",
                    }
                    return True, Webhook(self.name, issued.callback_url, WAITING_SECONDS, json=report)
        return False, None

    def authenticated(self, handle: Callable[[Parameters, Record], Response], record: Record) -> Response:
        """One pair of key and service id, in any of three places: a bearer header, the query, the JSON body."""
        parameters = self._parameters()
        credential = f"{parameters.get('key')}.{parameters.get('service_id')}"
        if request.authorization and request.authorization.type == "bearer":
            credential = request.authorization.token or ""
        if credential != f"{KEY}.{SERVICE_ID}":
            raise refuse(401)
        with self.lock:
            return handle(parameters, record)

    def init_call(self, parameters: Parameters, record: Record) -> Response:
        if not parameters:
            raise refuse(1)
        phone = self._phone(parameters)
        code = self._code(parameters)
        client, unique = self._text(parameters, "client"), self._text(parameters, "unique")
        voice = parameters.get("voice") in (True, "true", "1")
        record.phone, record.unique = f"+{phone}", unique
        if voice and not phone.startswith("7"):
            raise refuse(20)
        for earlier in self.authorizations.values():
            if unique is not None and earlier.unique == unique and earlier.first is None:
                return json_reply(self._reply(earlier) | {"exists": True})
        self._check_limits(phone)
        cost = 0.0 if phone in TEST_NUMBERS else CALL_COST
        new = self._call(
            Authorization(self._new_id(), self.world.clock(), self.balance, phone, code, client, unique, cost, voice)
        )
        record.paid = True
        return json_reply(self._reply(new))

    def init_repeat(self, parameters: Parameters, record: Record) -> Response:
        # Documented as unsupported, and answered so live (2026-09-22) on GET and POST alike; that is repeat_405.
        if self.world.faults.take(self.name, "repeat", ("repeat_405",), self.phone()):
            raise refuse(405)
        asked = self._known(parameters, record)
        first = asked.first or asked
        age = self.world.clock() - first.at
        if age > REPEAT_BEFORE:
            raise refuse(11)
        if len(first.repeats) >= MOST_REPEATS:
            raise refuse(12)
        if age < REPEAT_AFTER:
            raise refuse(13)
        new = replace(first, ucaller_id=self._new_id(), at=self.world.clock(), first=first, repeats=[])
        repeat = self._call(replace(new, balance_before=self.balance, cost=0.0))
        first.repeats.append(repeat.ucaller_id)
        exists = {"exists": True} if first.unique is not None else {}
        return json_reply(self._reply(repeat) | exists | {"free_repeated": True})

    def get_info(self, parameters: Parameters, record: Record) -> Response:
        info = self._known(parameters, record)
        repeats_left = MOST_REPEATS - len((info.first or info).repeats)
        # Offered on an unsuccessful call only, and `repeat_times` disappears with the offer (live).
        repeatable = not info.reached and repeats_left > 0 and self.world.clock() - info.at <= REPEAT_BEFORE
        body: dict[str, object] = {
            "status": True,
            "ucaller_id": info.ucaller_id,
            "init_time": int(info.at),
            "call_status": 1 if info.reached else 0,
            "is_repeated": info.first is not None,
            "repeatable": repeatable,
        }
        if repeatable:
            body["repeat_times"] = repeats_left
        if info.first:
            body["first_ucaller_id"] = info.first.ucaller_id
        if info.repeats:
            body["repeated_ucaller_ids"] = info.repeats
        body |= {key: value for key, value in (("unique", info.unique), ("client", info.client)) if value is not None}
        body |= {"phone": mask(info.phone), "code": info.code, "country_code": "RU", "phone_info": []}
        return json_reply(body | {"cost": info.cost, "balance": info.balance_before})

    def inbound_call_waiting(self, parameters: Parameters, record: Record) -> Response:
        """Issue a number for the user to call; ids of a range of their own are an assumption."""
        phone, url = self._phone(parameters), parameters.get("callback_url")
        if not isinstance(url, str) or not url.startswith(("http://", "https://")):
            raise refuse(2)
        count = len(self.waiting)
        issued = Waiting(FIRST_ID + 900_000 + count, self.world.clock(), phone, f"{NUMBERS_TO_CALL}{count:04}", url)
        self.waiting.append(issued)
        record.phone, record.paid = f"+{phone}", True
        reply = {"status": True, "ucaller_id": issued.ucaller_id, "phone": mask(phone)}
        return json_reply(reply | {"confirmation_number": issued.number})

    def get_balance(self, _: Parameters, __: Record) -> Response:
        balance = self.money_left(self.balance)
        return json_reply({"status": True, "rub_balance": balance, "tariff": "uni", "tariff_name": "Единый"})

    def get_service(self, _: Parameters, __: Record) -> Response:
        # `service_status` is the service's id (live), whatever its name says.
        times = {"creation_time": CREATED_AT, "last_request": int(self.world.clock())}
        texts = {"name": "simulator", "owner": OWNER, "use_direction": "simulator"}
        return json_reply({"status": True, "service_status": SERVICE_ID, **texts, **times})

    def get_account(self, _: Parameters, __: Record) -> Response:
        # Without a `status`, as public clients know it.
        login = {"action": "login", "user_agent": "simulator", "ip": "192.0.2.1", "created": CREATED_AT}
        body = {"id": 1, "telegram_id": 1, "two_auth": False, "email": OWNER, "logs": [login]}
        return json_reply({**body, "updated": CREATED_AT, "created": CREATED_AT})

    def check_phone(self, parameters: Parameters, record: Record) -> Response:
        """What is known of a number. It costs money, and calls nobody; `error` belongs to a good answer too."""
        phone = self._phone(parameters)
        record.phone = f"+{phone}"
        self.balance = round(self.balance - CHECK_COST, 2)
        names = {"provider": "simulator", "company": "simulator", "country": "Россия", "region": "", "city": ""}
        number = {"phone": int(phone), "country_iso": "RU", "country_code": 7, "mnc": 99, "number": int(phone[1:])}
        formatted = {"source": str(parameters["phone"]), "phone_format": f"+{phone}", "error": None, "mobile": 1}
        return json_reply({**formatted, **number, **names, "cost": CHECK_COST, "balance": self.balance})

    def _call(self, authorization: Authorization) -> Authorization:
        self.authorizations[authorization.ucaller_id] = authorization
        self.balance = round(self.balance - authorization.cost, 2)
        if authorization.reached:
            if authorization.voice:
                self.world.telephone.speak(authorization.phone, " ".join(authorization.code))
            else:
                self.world.telephone.ring(authorization.phone, authorization.code)
        return authorization

    def _new_id(self) -> int:
        return FIRST_ID + len(self.authorizations)

    def _check_limits(self, phone: str) -> None:
        ages = [self.world.clock() - a.at for a in self.authorizations.values() if a.phone == phone and not a.first]
        if any(age < SECONDS_APART for age in ages):
            raise refuse(19)
        if any(sum(age <= seconds for age in ages) >= most for most, seconds in MOST_PER_SECONDS):
            raise refuse(18)

    def _known(self, parameters: Parameters, record: Record) -> Authorization:
        if "uid" not in parameters:
            raise refuse(2 if parameters else 1)
        uid = str(parameters["uid"])
        authorization = self.authorizations.get(int(uid)) if re.fullmatch(r"\d{1,18}", uid) else None
        if authorization is None:
            raise refuse(10)
        record.phone = f"+{authorization.phone}"
        return authorization

    @staticmethod
    def _parameters() -> Parameters:
        body = request.args.to_dict() if request.method == "GET" else request.get_json(force=True, silent=True)
        return dict(body) if isinstance(body, dict) else {}

    @staticmethod
    def _phone(parameters: Parameters) -> str:
        if "phone" not in parameters:
            raise refuse(2)
        phone = parameters["phone"]
        # In a JSON body a string of digits is refused, a number accepted (live); a query knows strings only.
        if request.method == "POST" and type(phone) is not int:
            raise refuse(1)
        # Public clients send +7… in the query; a plus that was not encoded arrives as a space.
        digits = re.fullmatch(r"[+ ]?([1-9]\d{9,14})", str(phone))
        if not digits:
            raise refuse(3)
        return digits[1]

    @staticmethod
    def _code(parameters: Parameters) -> str:
        code = parameters.get("code")
        if code is None:
            return f"{random.randint(1, 9999):04}"
        text = f"{code:04}" if type(code) is int else str(code)
        if not re.fullmatch(r"\d{4}", text) or text == "0000":  # documented range: 0001 to 9999
            raise refuse(2)
        return text

    @staticmethod
    def _text(parameters: Parameters, name: str) -> str | None:
        value = parameters.get(name)
        if value is not None and (not isinstance(value, str) or len(value) > 64):
            raise refuse(2)
        return value

    @staticmethod
    def _reply(authorization: Authorization) -> dict[str, object]:
        # An unreachable subscriber: status false, no `error`, an id all the same, and `code` is the user's code (live).
        reply: dict[str, object] = {
            "status": authorization.reached,
            "ucaller_id": authorization.ucaller_id,
            "phone": mask(authorization.phone),
            "code": authorization.code,
        }
        if authorization.client is not None:
            reply["client"] = authorization.client
        if authorization.unique is not None:
            reply["unique_request_id"] = authorization.unique
        return reply


def mask(phone: str) -> str:
    return f"{phone[:4]}***{phone[-4:]}"
