"""What is left of a verification that was erased, and of its events."""

from __future__ import annotations

import json

from callverify.domain.value import value
from callverify.domain.words import Event, Mode

ERASED = "erased"  # the status of a record that is one no more
EVENT_TYPE = f"verification.{ERASED}"


@value
class Erased:
    """A verification that was erased, when (epoch seconds) and by the API key of which name."""

    verification_id: str
    mode: Mode
    at: int
    by: str


def erased_body(body: str) -> str:
    """An event's JSON with nothing of the verification but its id."""
    event = json.loads(body)
    return json.dumps({**event, "data": {"id": event["data"]["id"]}}, separators=(",", ":"))


def erased_event(event: Event) -> Event:
    return Event(event.id, event.type, event.mode, erased_body(event.body), event.verification_id)
