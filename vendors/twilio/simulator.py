"""Twilio (api.twilio.com/2010-04-01): voice calls that run TwiML, and post the key that was pressed with a signature.

Facts: twilio-oai's CreateCall and FetchBalance, the TwiML pages of <Gather>, <Say> and <Hangup>, the pages of errors
and of request validation, and the samples of Twilio's own SDKs.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from email.utils import formatdate
from typing import ClassVar
from xml.etree import ElementTree

from flask import Blueprint, Response, request

from simulators.journal import Record
from simulators.vendor import RefusalError, Vendor, World, json_reply
from simulators.web import BadInputError, normalise
from simulators.webhooks import Webhook

# The account; made up.
ACCOUNT_SID, AUTH_TOKEN, FROM = "AC" + "0" * 31 + "1", "fake-auth-token-of-32-characters", "+15005550006"
BALANCE = 20.0
WINDOW_SECONDS = 300
LONGEST_RING, LONGEST_TWIML = 600, 4000

# In Twilio's words, with what it puts into them; by code, the HTTP status of each.
ERRORS = {
    20003: (401, "Authenticate"),
    20005: (403, "Account not active"),  # the status is an assumption
    20404: (404, "The requested resource {path} was not found"),
    21201: (400, "No 'To' number is specified"),
    21205: (400, "Url parameter is required."),
    21208: (400, "Timeout {timeout} is not valid"),
    21210: (400, "The source phone number provided, {from_}, is not yet verified for your account."),
    21211: (400, "The phone number you are attempting to call, {to}, is not valid."),
    21213: (400, "No 'From' number is specified"),
}
# What the called person hears where the document can't be had, or can't be read.
APPLICATION_ERROR = "We are sorry. An application error has occurred. Goodbye."

GEOGRAPHY = ("City", "Country", "State", "Zip")


@dataclass
class Call:
    sid: str
    at: float
    to: str
    status: str = "queued"


class Simulator(Vendor):
    name = "twilio"
    credentials: ClassVar = {"account_sid": ACCOUNT_SID, "auth_token": AUTH_TOKEN, "from": FROM}

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.calls: dict[str, Call] = {}

    def add_routes(self, routes: Blueprint) -> None:
        account = "/2010-04-01/Accounts/<account_sid>"

        @routes.post(f"{account}/Calls.json")
        def create_call(account_sid: str) -> Response:
            return self.serve("start", "Calls", lambda record: self._create_call(account_sid, record))

        @routes.get(f"{account}/Calls/<call_sid>.json")
        def fetch_call(account_sid: str, call_sid: str) -> Response:
            return self.serve("other", "Call", lambda _: self._fetch_call(account_sid, call_sid))

        @routes.get(f"{account}/Balance.json")
        def balance(account_sid: str) -> Response:
            return self.serve("other", "Balance", lambda _: self._balance(account_sid))

    def refusal(self, mode: str) -> RefusalError:
        return refuse(
            {"no_money": 20005, "bad_credentials": 20003, "number_refused": 21211, "unknown_path": 20404}[mode]
        )

    def asked_about(self) -> str | None:
        return request.values.get("To")

    def take_call(self, caller: str, dialled: str) -> tuple[bool, Webhook | None]:  # noqa: ARG002
        """Nobody dials a number of this account."""
        return False, None

    def _create_call(self, account_sid: str, record: Record) -> Response:
        self._authenticate(account_sid)
        form = request.form
        for field, code in (("To", 21201), ("From", 21213)):
            if not form.get(field):
                raise refuse(code)
        try:
            phone = normalise(form["To"])
        except BadInputError:
            raise refuse(21211) from None
        record.phone = f"+{phone}"
        if form["From"] != FROM:
            raise refuse(21210)
        timeout, twiml = form.get("Timeout", "60"), form.get("Twiml", "")
        if not timeout.isdecimal() or not 1 <= int(timeout) <= LONGEST_RING:
            raise refuse(21208)
        if not twiml or len(twiml) > LONGEST_TWIML:
            raise refuse(21205)
        with self.lock:
            call = Call(f"CA{len(self.calls):032x}", self.world.clock(), f"+{phone}")
            self.calls[call.sid] = call
        record.paid = True
        reply = json_reply(self._describe(call), 201)
        self._run(call, twiml)
        return reply

    def _fetch_call(self, account_sid: str, call_sid: str) -> Response:
        self._authenticate(account_sid)
        if call_sid not in self.calls:
            raise refuse(20404)
        return json_reply(self._describe(self.calls[call_sid]))

    def _balance(self, account_sid: str) -> Response:
        self._authenticate(account_sid)
        balance = f"{self.money_left(BALANCE):.2f}"
        return json_reply({"account_sid": ACCOUNT_SID, "balance": balance, "currency": "USD"})

    @staticmethod
    def _authenticate(account_sid: str) -> None:
        given = request.authorization
        pair = (given.username, given.password) if given and given.type == "basic" else ()
        if pair != (ACCOUNT_SID, AUTH_TOKEN) or account_sid != ACCOUNT_SID:
            raise refuse(20003)

    def _run(self, call: Call, twiml: str) -> None:
        """The phone is picked up. What is said outside <Gather> is heard by mailboxes too."""
        call.status = "in-progress"
        phone, document = call.to.removeprefix("+"), _document(twiml)
        gather = document.find("Gather") if document is not None else None
        if document is None or gather is None:
            self.world.telephone.speak(phone, APPLICATION_ERROR if document is None else _said(document))
            return
        action, keys = gather.get("action", ""), gather.get("numDigits")
        if gather.get("method") != "POST" or keys != "1" or not action.startswith(("http://", "https://")):
            self.world.telephone.speak(phone, APPLICATION_ERROR)
            return
        self.world.telephone.ask_for_key(phone, lambda key: self._press(call, action, key))

    def _press(self, call: Call, action: str, key: str) -> str:
        form = self._report(call) | {"Digits": key, "FinishedOnKey": "", "msg": "Gather End"}
        signed = action + "".join(f"{name}{value}" for name, value in sorted(form.items()))
        mac = hmac.new(AUTH_TOKEN.encode(), signed.encode(), hashlib.sha1).digest()
        headers = {"X-Twilio-Signature": base64.b64encode(mac).decode()}
        status, body = self.world.webhooks.report_now(Webhook(self.name, action, WINDOW_SECONDS, form, headers=headers))
        document = _document(body) if status == 200 else None
        call.status = "completed"
        return APPLICATION_ERROR if document is None else _said(document)

    def _report(self, call: Call) -> dict[str, str]:
        sides = {"Called": call.to, "To": call.to, "Caller": FROM, "From": FROM}
        places = {f"{side}{part}": "" for side in sides for part in GEOGRAPHY}
        known = {"AccountSid": ACCOUNT_SID, "ApiVersion": "2010-04-01", "CallSid": call.sid}
        return {**sides, **places, **known, "CallStatus": "in-progress", "Direction": "outbound-api"}

    def _describe(self, call: Call) -> dict[str, object]:
        account = f"/2010-04-01/Accounts/{ACCOUNT_SID}"
        uri = f"{account}/Calls/{call.sid}"
        began = call.status != "queued"
        empty = ("annotation", "answered_by", "duration", "end_time", "forwarded_from", "group_sid", "parent_call_sid")
        parts = ("Notifications", "Recordings", "Transcriptions", "Events")
        return {
            **dict.fromkeys(empty),
            "account_sid": ACCOUNT_SID,
            "api_version": "2010-04-01",
            "caller_name": None,
            "date_created": formatdate(call.at) if began else None,
            "date_updated": formatdate(call.at) if began else None,
            "direction": "outbound-api",
            "from": FROM,
            "from_formatted": FROM,
            "phone_number_sid": "PN" + "0" * 32,
            "price": None,
            "price_unit": "USD",
            "queue_time": "0",
            "sid": call.sid,
            "start_time": formatdate(call.at) if began else None,
            "status": call.status,
            "subresource_uris": {part.lower(): f"{uri}/{part}.json" for part in parts},
            "to": call.to,
            "to_formatted": call.to,
            "trunk_sid": None,
            "uri": f"{uri}.json",
        }


def refuse(code: int) -> RefusalError:
    status, message = ERRORS[code]
    said = message.format(
        path=request.path,
        to=request.values.get("To"),
        from_=request.values.get("From"),
        timeout=request.values.get("Timeout"),
    )
    body = {"code": code, "message": said, "more_info": f"https://www.twilio.com/docs/errors/{code}", "status": status}
    detail = {"detail": "Your AccountSid or AuthToken was incorrect."} if code == 20003 else {}
    return RefusalError(json_reply(body | detail, status))


def _document(twiml: str) -> ElementTree.Element | None:
    try:
        document = ElementTree.fromstring(twiml)
    except ElementTree.ParseError:
        return None
    return document if document.tag == "Response" else None


def _said(document: ElementTree.Element) -> str:
    """What its <Say>s say, up to a <Hangup>."""
    said = []
    for verb in document:
        if verb.tag == "Hangup":
            break
        if verb.tag == "Say":
            said += [verb.text or ""] * int(verb.get("loop", "1"))
    return " ".join(said)
