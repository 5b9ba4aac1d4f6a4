"""The functions behind the gateway, by their routes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from functions.check_status import app as check_status
from functions.manage_records import app as manage_records
from functions.receive_webhook import app as receive_webhook
from functions.start_verification import app as start_verification
from functions.twilio_verify import app as twilio_verify

WEBHOOKS = "/webhooks/{provider}/{rest+}"
TWILIO = "/twilio/v2"
TWILIO_SERVICE = f"{TWILIO}/Services/{{service}}"
HANDLERS: Mapping[tuple[str, str], Callable[[dict[str, Any], Any], dict[str, Any]]] = {
    ("POST", "/verifications"): start_verification.handler,
    ("POST", "/verifications/{id}/repeat"): start_verification.handler,
    ("POST", "/verifications/{id}/switch"): start_verification.handler,
    ("POST", "/verifications/{id}/cancel"): start_verification.handler,
    ("GET", "/verifications/{id}"): check_status.handler,
    ("POST", "/verifications/{id}/check"): check_status.handler,
    ("GET", "/verifications/{id}/history"): check_status.handler,
    ("GET", "/usage"): check_status.handler,
    ("POST", "/verifications/search"): check_status.handler,
    ("GET", "/events"): check_status.handler,
    ("PUT", "/blocks"): manage_records.handler,
    ("DELETE", "/blocks"): manage_records.handler,
    ("DELETE", "/verifications/{id}"): manage_records.handler,
    ("POST", "/erasures"): manage_records.handler,
    ("GET", WEBHOOKS): receive_webhook.handler,
    ("POST", WEBHOOKS): receive_webhook.handler,
    ("POST", f"{TWILIO_SERVICE}/Verifications"): twilio_verify.handler,
    ("GET", f"{TWILIO_SERVICE}/Verifications/{{verification}}"): twilio_verify.handler,
    ("POST", f"{TWILIO_SERVICE}/Verifications/{{verification}}"): twilio_verify.handler,
    ("POST", f"{TWILIO_SERVICE}/VerificationCheck"): twilio_verify.handler,
    ("GET", f"{TWILIO}/Services"): twilio_verify.handler,
    ("GET", TWILIO_SERVICE): twilio_verify.handler,
    ("GET", f"{TWILIO}/Attempts"): twilio_verify.handler,
    ("GET", f"{TWILIO}/{{rest+}}"): twilio_verify.handler,
    ("POST", f"{TWILIO}/{{rest+}}"): twilio_verify.handler,
    ("DELETE", f"{TWILIO}/{{rest+}}"): twilio_verify.handler,
}


@dataclass(frozen=True)
class Answer:
    """What a caller gets. `body` is the parsed JSON, or the text where it is none."""

    status: int
    headers: Mapping[str, str]
    body: Any

    def __getitem__(self, name: str) -> Any:
        return self.body[name]

    @property
    def id(self) -> str:
        return str(self.body["id"])

    @property
    def replayed(self) -> bool:
        return self.headers.get("Idempotent-Replayed") == "true"


def answer_of(response: Mapping[str, Any]) -> Answer:
    headers = {name: values[0] for name, values in response["multiValueHeaders"].items()}
    text = response["body"]
    text.encode()  # what can't be written as UTF-8 never reaches the caller
    body = json.loads(text) if "json" in headers.get("Content-Type", "") else text
    return Answer(response["statusCode"], headers, body)
