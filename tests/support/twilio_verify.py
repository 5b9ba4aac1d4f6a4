"""Requests to the façade for Twilio Verify's SDKs, as they send them."""

from __future__ import annotations

import base64
from typing import Any, Protocol
from urllib.parse import urlencode

from tests.support.handlers import Answer
from tests.support.surroundings import LIVE_KEY

ACCOUNT, SERVICE, OTHER_SERVICE = "AC" + "a" * 32, "VA" + "b" * 32, "VA" + "c" * 32
ROOT = "/twilio/v2"


class Way(Protocol):
    """A gateway."""

    def pass_gateway(self, event: dict[str, Any]) -> Answer: ...


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Client:
    """One SDK client: of one key, at one service."""

    def __init__(
        self, way: Way, load_event: Any, key: str = LIVE_KEY, *, service: str = SERVICE, account: str = ACCOUNT
    ) -> None:
        self._way = way
        self._load = load_event
        self._service = service
        self.authorization = basic(account, key)

    def send(self, event_name: str, path: str, form: dict[str, str] | None = None, **changes: Any) -> Answer:
        """path: as the client writes it, below the service."""
        event: dict[str, Any] = self._load(event_name)
        event["headers"]["Authorization"] = self.authorization
        event["path"] = path
        event["pathParameters"] = event["pathParameters"] and {**event["pathParameters"], "service": self._service}
        if form is not None:
            event["body"] = urlencode(form)
        if "pathParameters" in changes:
            changes["pathParameters"] = (event["pathParameters"] or {}) | changes["pathParameters"]
        event |= changes
        return self._way.pass_gateway(event)

    @property
    def at(self) -> str:
        return f"{ROOT}/Services/{self._service}"

    def create(self, to: str, channel: str = "call", **form: str) -> Answer:
        return self.send("twilio_verify_create", f"{self.at}/Verifications", {"To": to, "Channel": channel, **form})

    def post(self, **form: str) -> Answer:
        return self.send("twilio_verify_create", f"{self.at}/Verifications", form)

    def check(self, **form: str) -> Answer:
        return self.send("twilio_verify_check", f"{self.at}/VerificationCheck", form)

    def fetch(self, named: str) -> Answer:
        return self._named("twilio_verify_fetch", named, None)

    def update(self, named: str, status: str = "canceled") -> Answer:
        return self._named("twilio_verify_update", named, {"Status": status})

    def _named(self, event: str, named: str, form: dict[str, str] | None) -> Answer:
        return self.send(event, f"{self.at}/Verifications/{named}", form, pathParameters={"verification": named})

    def attempts(self, **query: str) -> Answer:
        return self.send(
            "twilio_verify_attempts",
            f"{ROOT}/Attempts",
            queryStringParameters=query or None,
            multiValueQueryStringParameters={name: [text] for name, text in query.items()} or None,
        )

    def get(self, path: str) -> Answer:
        """Of a route without a verification."""
        resource = {"Services": f"{ROOT}/Services", f"Services/{self._service}": f"{ROOT}/Services/{{service}}"}
        found = resource.get(path, f"{ROOT}/{{rest+}}")
        parameters = {"rest": path} if found.endswith("{rest+}") else {"service": self._service}
        return self.send("twilio_verify_fetch", f"{ROOT}/{path}", resource=found, pathParameters=parameters)
