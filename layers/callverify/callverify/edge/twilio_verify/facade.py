"""The routes of the façade: who is asking, their words into ours, and our errors into theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from callverify.domain import errors
from callverify.domain.errors import CallverifyError
from callverify.domain.verification import Verification
from callverify.domain.words import Caller, CallerKind, Mode, Scope
from callverify.edge.access import BASIC
from callverify.edge.api import Api, Response, json_response
from callverify.edge.twilio_verify import parameters
from callverify.edge.twilio_verify.errors import body as error_body
from callverify.edge.twilio_verify.resources import Reader, derived, id_of_sid, is_service, is_verification
from callverify.events.telemetry import Telemetry
from callverify.service.doors import NO_SUCH, Door
from callverify.service.service import Service

ROOT = "/twilio/v2"
CHECK = f"{ROOT}/Services/{{service}}/VerificationCheck"


class Request:
    """One request for a service's resources. Raises Unauthorized, and NotFound for what is no service's sid."""

    def __init__(self, api: Facade, service: Service, sid: str) -> None:
        if not is_service(sid):
            raise errors.NotFound(NO_SUCH)
        self._api = api
        self._door = service.door(api.caller, sid, api.base_url)
        self.reader = api.reader(self._door)

    def create(self) -> Response[str]:
        given = parameters.parse_form(self._api.body, parameters.START)
        to, (channel, method) = parameters.required(given, "To"), parameters.channel_of(given)
        begun = self._door.start(to, method, channel, parameters.start_fields(given))
        return self._api.told(201, self.reader.verification(begun.verification, self._door.e164(to), begun.page_url))

    def fetch(self, named: str) -> Response[str]:
        found, to = self._find(named, Scope.READ)
        return self._api.told(200, self.reader.verification(self._door.fetch(found), to))

    def update(self, named: str) -> Response[str]:
        given = parameters.parse_form(self._api.body, parameters.UPDATE)
        status = parameters.required(given, "Status")
        if status == "approved":
            raise errors.Forbidden("Only a check approves a verification.")
        if status != "canceled":
            raise errors.InvalidRequest("Invalid parameter `Status`: it must be canceled.")
        found, to = self._find(named, Scope.WRITE)
        return self._api.told(200, self.reader.verification(self._door.cancel(found), to))

    def check(self) -> Response[str]:
        given = parameters.parse_form(self._api.body, parameters.CHECK)
        code, sid, to = given.get("Code"), given.get("VerificationSid"), given.get("To")
        if sid is None and to is None:
            raise errors.InvalidRequest("Missing required parameter `VerificationSid` or `To`.")
        if sid is None and code is None:
            # Two users who typed the same number would be one: decision 123.
            raise errors.InvalidRequest(
                "Missing required parameter `VerificationSid`: a check without `Code` needs it."
            )
        found = self._named(sid, to) if sid else self._door.of_phone(to or "", Scope.WRITE)
        checked = self._door.approve(found) if code is None else self._door.check(found, code)
        named = self._door.e164(to) if to else None
        return self._api.told(200, self.reader.checked(checked.verification, checked.valid, named))

    def _named(self, sid: str, to: str | None) -> Verification:
        found = self._door.of_id(id_of_sid(sid, self._api.caller.mode), Scope.WRITE)
        if to is not None and not self._door.is_of(found, to):
            raise errors.NotFound(NO_SUCH)
        return found

    def _find(self, named: str, scope: Scope) -> tuple[Verification, str | None]:
        """What a path names: a verification's sid, or a phone, which is then returned too."""
        if is_verification(named):
            return self._door.of_id(id_of_sid(named, self._api.caller.mode), scope), None
        to = parameters.phone_in_path(named)
        try:
            return self._door.of_phone(to, scope), self._door.e164(to)
        except (errors.InvalidPhone, errors.CountryNotAllowed):
            raise errors.NotFound(NO_SUCH) from None


class Facade(Api):
    """The façade's routes. Every error leaves in Twilio's form."""

    def __init__(
        self,
        service: Callable[[], Service],
        telemetry: Callable[[], Telemetry],
        now: Callable[[], float],
        public_base_url: Callable[[], str],
    ) -> None:
        super().__init__(telemetry, now, public_base_url)
        self._service = service

    @property
    def caller(self) -> Caller:
        """The holder of a Basic credential, as the authorizer found out. Raises Unauthorized."""
        found = self._found
        if found.get("kind") != BASIC:
            raise errors.Unauthorized("Authenticate")
        try:
            scopes = frozenset(str(found["scopes"]).split())
            return Caller(
                CallerKind.API_KEY,
                key_id=found["key_id"],
                mode=Mode(found["mode"]),
                scopes=scopes,
                voice_calls=found.get("voice_calls") == "allowed",
            )
        except (KeyError, ValueError):
            raise errors.Unauthorized("Authenticate") from None

    @property
    def _found(self) -> dict[str, Any]:
        found: dict[str, Any] = (self.event.raw_event.get("requestContext") or {}).get("authorizer") or {}
        return found

    def reader(self, door: Door) -> Reader:
        account = str(self._found.get("account", ""))
        if not account.startswith("AC"):
            account = derived("AC", self.caller.key_id)
        return Reader(account, f"{door.base_url}{ROOT}", self._now())

    def of(self, service_sid: str) -> Request:
        return Request(self, self._service(), service_sid)

    def services(self) -> Response[str]:
        """One, which stands for the key. Any other sid is as good."""
        return self.told(200, self._reader_of("").services(derived("VA", self.caller.key_id)))

    def service(self, sid: str) -> Response[str]:
        return self.told(200, self.of(sid).reader.service(sid))

    def attempts(self) -> Response[str]:
        """Of one verification: Raises InvalidRequest where none is named."""
        caller, sid = self.caller, self.query("VerificationSid")
        if not sid:
            raise errors.InvalidRequest(
                "Missing required parameter `VerificationSid`: attempts are listed by it alone."
            )
        service = self._service()
        found = service.read(caller, id_of_sid(sid, caller.mode))
        if found.owner is None or self.query("VerifyServiceSid") not in (None, "", found.owner):
            raise errors.NotFound(NO_SUCH)
        door = service.door(caller, found.owner, self.base_url)
        path = f"Attempts?VerificationSid={sid}"
        return self.told(200, self.reader(door).attempts(found, approved=door.is_approved(found), path=path))

    def nothing(self) -> Response[str]:
        """Whatever else Twilio has. Raises NotFound, and before it Unauthorized."""
        _ = self.caller
        raise errors.NotFound(NO_SUCH)

    def _reader_of(self, owner: str) -> Reader:
        return self.reader(self._service().door(self.caller, owner, self.base_url))

    def told(self, status: int, resource: dict[str, Any]) -> Response[str]:
        return json_response(status, resource, "application/json", {})

    def _problem(self, error: CallverifyError) -> Response[str]:
        self.note(error)
        found = error_body(error, checking=self.event.raw_event.get("resource") == CHECK)
        headers = {"Retry-After": str(error.retry_after)} if error.retry_after is not None else {}
        if found["status"] == 401:
            headers["WWW-Authenticate"] = 'Basic realm="callverify"'
        return json_response(found["status"], found, "application/json", headers)
