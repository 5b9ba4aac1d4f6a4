"""The routes of the façade: who is asking, their words into ours, and our errors into theirs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from callverify.domain import errors
from callverify.domain.errors import CallverifyError
from callverify.domain.verification import Verification
from callverify.domain.words import CallerKind, Scope
from callverify.edge.access import BASIC
from callverify.edge.api import Api, Response, json_response
from callverify.edge.twilio_verify import parameters
from callverify.edge.twilio_verify.errors import body as error_body
from callverify.edge.twilio_verify.resources import Reader, derived, id_of_sid, is_verification, require_service
from callverify.events.telemetry import Telemetry
from callverify.service.doors import NO_SUCH
from callverify.service.service import Service

ROOT = "/twilio/v2"
CHECK = f"{ROOT}/Services/{{service}}/VerificationCheck"


class Request:
    """One request for a service's resources. Raises Unauthorized, and NotFound for what is no service's sid."""

    def __init__(self, api: Facade, service: Service, sid: str) -> None:
        require_service(sid)
        self._api = api
        self._door = service.door(api.caller, sid, api.base_url)
        self._reader = api.reader

    def create(self) -> Response[str]:
        given = self._api.form(parameters.START)
        to, (channel, method) = parameters.required(given, "To"), parameters.channel_of(given)
        begun = self._door.start(to, method, channel, parameters.start_fields(given))
        return self._api.told(201, self._reader.verification(begun.verification, self._door.e164(to), begun.page_url))

    def fetch(self, named: str) -> Response[str]:
        found, to = self._find(named, Scope.READ)
        return self._api.told(200, self._reader.verification(self._door.fetch(found), to))

    def update(self, named: str) -> Response[str]:
        given = self._api.form(parameters.UPDATE)
        status = parameters.required(given, "Status")
        if status == "approved":
            raise errors.Forbidden("Only a check approves a verification.")
        if status != "canceled":
            raise errors.InvalidRequest("Invalid parameter `Status`: it must be canceled.")
        found, to = self._find(named, Scope.WRITE)
        return self._api.told(200, self._reader.verification(self._door.cancel(found), to))

    def check(self) -> Response[str]:
        given = self._api.form(parameters.CHECK)
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
        return self._api.told(200, self._reader.checked(checked.verification, checked.valid, named))

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

    knows: Mapping[str, CallerKind] = {BASIC: CallerKind.API_KEY}

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
    def reader(self) -> Reader:
        account = str(self.event.raw_event["requestContext"]["authorizer"].get("account", ""))
        if not account.startswith("AC"):
            account = derived("AC", self.caller.key_id)
        return Reader(account, f"{self.base_url}{ROOT}", self._now())

    def form(self, known: Collection[str]) -> dict[str, str]:
        """The parameters of the body. Raises InvalidRequest."""
        return parameters.parse_form(self.body or "", self.event.headers.get("Content-Type") or "", known)

    def given(self) -> dict[str, str]:
        """The parameters of the query of a list. Raises InvalidRequest."""
        query: Mapping[str, list[str]] = self.event.raw_event.get("multiValueQueryStringParameters") or {}
        return parameters.each_once([(name, text) for name, texts in query.items() for text in texts], parameters.LIST)

    def of(self, service_sid: str) -> Request:
        return Request(self, self._service(), service_sid)

    def services(self) -> Response[str]:
        """One, which stands for the key. Any other sid is as good."""
        return self.told(200, self.reader.services(derived("VA", self.caller.key_id)))

    def service(self, sid: str) -> Response[str]:
        require_service(sid)
        return self.told(200, self.reader.service(sid))

    def attempts(self) -> Response[str]:
        """Of one verification. Raises InvalidRequest where none is named."""
        caller, given = self.caller, self.given()
        if not (sid := given.get("VerificationSid")):
            raise errors.InvalidRequest("Missing required parameter `VerificationSid`: attempts are listed only by it.")
        service = self._service()
        found = service.read(caller, id_of_sid(sid, caller.mode))
        if found.owner is None or given.get("VerifyServiceSid", found.owner) != found.owner:
            raise errors.NotFound(NO_SUCH)
        approved = service.door(caller, found.owner, self.base_url).is_approved(found)
        path = f"Attempts?VerificationSid={sid}"
        return self.told(200, self.reader.attempts(found, approved=approved, path=path))

    def nothing(self) -> Response[str]:
        """Whatever else Twilio has. Raises NotFound, and before it Unauthorized."""
        _ = self.caller
        raise errors.NotFound(NO_SUCH)

    def told(self, status: int, resource: dict[str, Any]) -> Response[str]:
        return json_response(status, resource, "application/json", {})

    def _problem(self, error: CallverifyError) -> Response[str]:
        self.note(error)
        found = error_body(error, checking=self.event.raw_event.get("resource") == CHECK)
        headers = {"Retry-After": str(error.retry_after)} if error.retry_after is not None else {}
        if found["status"] == 401:
            headers["WWW-Authenticate"] = 'Basic realm="callverify"'
        return json_response(found["status"], found, "application/json", headers)
