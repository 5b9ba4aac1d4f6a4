"""What happened to a verification, told to the outside: an event bus, the list of events, the customer's URL."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from callverify.models import Clock, Event, Mode, Note, Status, Verification
from callverify.resource import resource, timestamp
from callverify.store import Store

_TYPES = {
    Status.PENDING: "verification.started",
    Status.VERIFIED: "verification.verified",
    Status.FAILED: "verification.failed",
    Status.EXPIRED: "verification.expired",
    Status.CANCELED: "verification.canceled",
}
SOURCE = "callverify"


def transition(before: Verification | None, after: Verification | None) -> Event | None:
    """The event between two images of a record: its making, or its end; None for what moves nothing."""
    if after is None or (before is not None and before.status is after.status):
        return None
    happened_at = after.ended_at if after.ended_at is not None else after.created_at
    kind = _TYPES[after.status]
    event_id = f"evt_{after.id.removeprefix('vrf_')}_{kind.removeprefix('verification.')}"
    body = {
        "id": event_id,
        "type": kind,
        "mode": after.mode,
        "created_at": timestamp(happened_at),
        # As of no time at all: an event tells what was written, not what a clock makes of it.
        "data": resource(after, now=0),
    }
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Event(event_id, kind, after.mode, text, after.id)


class Bus(Protocol):
    """An EventBridge client, as far as it is used."""

    def put_events(self, *, Entries: Sequence[Any]) -> Any: ...  # noqa: N803 (AWS's own name)


class Publisher:
    """Publishes events: numbers them, puts them on the bus, queues them for the customer's URL where there is one.

    Whatever fails is raised, and the whole is then safe to do again: an event keeps its id and its number.
    """

    def __init__(
        self, *, store: Store, bus: Bus, bus_name: str, enqueue: Callable[[str], None] | None, clock: Clock, note: Note
    ) -> None:
        self._store = store
        self._bus = bus
        self._bus_name = bus_name
        self._enqueue = enqueue
        self._clock = clock
        self._note = note

    def publish(self, changes: Iterable[tuple[Verification | None, Verification | None]]) -> None:
        """Publish the transitions among the changes of records, each given as (before, after)."""
        published = [event for before, after in changes if (event := transition(before, after))]
        for mode in Mode:
            self._store.number_events(mode, [event for event in published if event.mode is mode], int(self._clock()))
        for start in range(0, len(published), 10):  # EventBridge takes ten at once
            self._put(published[start : start + 10])
        if self._enqueue:
            for event in published:
                self._enqueue(event.body)
        for event in published:
            self._note("event published", verification_id=event.verification_id, event_id=event.id)

    def _put(self, events: Sequence[Event]) -> None:
        answer = self._bus.put_events(
            Entries=[
                {"Source": SOURCE, "DetailType": event.type, "Detail": event.body, "EventBusName": self._bus_name}
                for event in events
            ]
        )
        if answer.get("FailedEntryCount"):
            raise RuntimeError("the event bus refused an event")
