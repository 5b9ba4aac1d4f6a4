"""What happened to a verification, told to the outside: an event bus, the list of events, the customer's URL."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import batched
from typing import Any, Protocol

from callverify.aws import is_busy
from callverify.domain.erasure import EVENT_TYPE, Erased
from callverify.domain.verification import Verification
from callverify.domain.view import resource, timestamp
from callverify.domain.words import Clock, Event, Mode, Note, Outcome, Status
from callverify.store import Store

_ENDS = {
    Status.VERIFIED: "verified",
    Status.FAILED: "failed",
    Status.EXPIRED: "expired",
    Status.CANCELED: "canceled",
}
SOURCE = "callverify"
AT_ONCE = 10  # events; neither EventBridge nor SQS takes more

Enqueue = Callable[[Sequence[str]], Collection[int]]  # sends messages, and returns the places of those refused
Send = Callable[[Sequence[Event]], Sequence[BaseException | None]]  # says of each event why it was refused


def transition(before: Verification | None, after: Verification | Erased | None) -> Event | None:
    """The event between two images of a record; None for what moves nothing that a receiver is told of."""
    if after is None:
        return None
    if isinstance(after, Erased):
        return _told("erased", "erased", after.mode, after.at, {"id": after.verification_id, "erased_by": after.by})
    if before is None and after.status is Status.PENDING:
        return _event("created", after, after.created_at)
    if before is None or before.status is not after.status:
        kind = _ENDS.get(after.status)  # None: a status of another version, which knows what to tell of it
        return _event(kind, after, after.ended_at or after.created_at) if kind else None
    if after.status is Status.PENDING and _agreed(before) != _agreed(after) is not None:
        return _event("started", after, after.answered_at or after.attempt.at, number=after.attempt.number)
    return None


def _agreed(verification: Verification) -> int | None:
    """The number of the current attempt, once its provider has agreed."""
    return verification.attempt.number if verification.attempt.outcome is Outcome.STARTED else None


def _event(kind: str, verification: Verification, happened_at: int, *, number: int = 1) -> Event:
    """number: of the attempt, which tells apart what can happen more than once."""
    # As of no time at all: an event tells what was written, not what a clock makes of it.
    data = resource(verification, now=0)
    return _told(kind + (f"_{number}" if number > 1 else ""), kind, verification.mode, happened_at, data)


def _told(name: str, kind: str, mode: Mode, happened_at: int, data: Mapping[str, Any]) -> Event:
    event_id = f"evt_{data['id'].removeprefix('vrf_')}_{name}"
    body = {
        "id": event_id,
        "type": f"verification.{kind}",
        "mode": mode,
        "created_at": timestamp(happened_at),
        "data": data,
    }
    # ASCII: no queue, bus or receiver on the way can refuse or change a character of it.
    return Event(event_id, f"verification.{kind}", mode, json.dumps(body, separators=(",", ":")), data["id"])


class Bus(Protocol):
    """An EventBridge client, as far as it is used."""

    def put_events(self, *, Entries: Sequence[Any]) -> Any: ...  # noqa: N803 (AWS's own name)


class Unpublished(Exception):
    """An event could not be published; the log says why."""


class Publisher:
    """Publishes events: numbers them, puts them on the bus, queues them for the customer's URL where there is one.

    Doing it again is safe: an event keeps its id, and its number while the table knows it. `failed` is told of each
    event that is refused.
    """

    def __init__(
        self,
        *,
        store: Store,
        bus: Bus,
        bus_name: str,
        enqueue: Enqueue | None,
        clock: Clock,
        note: Note,
        failed: Callable[[str, BaseException], None],
    ) -> None:
        self._store = store
        self._bus = bus
        self._bus_name = bus_name
        self._enqueue = enqueue
        self._clock = clock
        self._note = note
        self._failed = failed

    def publish(
        self, changes: Iterable[tuple[Verification | None, Verification | Erased | None]], *, numbered: bool = False
    ) -> dict[int, bool]:
        """Publish the transitions among the changes of records, each given as (before, after).

        Returns the places of those that were refused, and whether each has its number: the others are published.
        numbered: all of these have theirs. Raises what is no single event's fault, such as a bus that does not answer;
        then all of it has to be done again, in this order.
        """
        events = {place: event for place, change in enumerate(changes) if (event := transition(*change))}
        unnumbered, erased = (set[str](), self._erased(events)) if numbered else self._number(events)
        listed = [event for event in events.values() if event.id not in unnumbered | erased]
        refused = set(unnumbered)
        for some in batched(listed, AT_ONCE, strict=False):
            refused |= {event.id for send in (self._put, self._queue) for event in self._sent(some, send)}
        self._store.published()
        if published := [event.id for event in listed if event.id not in refused]:
            self._note("events published", events=published)
        return {place: event.id not in unnumbered for place, event in events.items() if event.id in refused}

    def _number(self, events: Mapping[int, Event]) -> tuple[set[str], set[str]]:
        """The ids of those that could not be numbered, and of those whose verification is erased."""
        unnumbered, erased = set[str](), set[str]()
        for mode in Mode:
            mine = [event for event in events.values() if event.mode is mode]
            found = self._store.number_events(mode, mine, int(self._clock()))
            for event in found.refused:
                self._failed(event.verification_id, Unpublished("the table refused an event"))
            unnumbered |= {event.id for event in found.refused}
            erased |= found.erased
        return unnumbered, erased

    def _erased(self, events: Mapping[int, Event]) -> set[str]:
        """The ids of those, of events that have their numbers, whose verification is erased."""
        told = [event for event in events.values() if event.type != EVENT_TYPE]
        return {event.id for event in told if self._store.has_erased_events(event.verification_id)}

    def erase(self, erased: Erased) -> None:
        """Leave of a verification's events no more than that they were."""
        self._store.scrub_events(erased, int(self._clock()))

    def _sent(self, events: Sequence[Event], send: Send) -> list[Event]:
        """Those that were refused."""
        try:
            answers = send(events)
        except Exception as error:
            if is_busy(error):
                raise
            if len(events) > 1:  # One may be to blame, or all of them be too large together.
                return [refused for event in events for refused in self._sent([event], send)]
            answers = [error]
        refused = [(event, why) for event, why in zip(events, answers, strict=True) if why]
        for event, why in refused:
            self._failed(event.verification_id, why)
        return [event for event, _ in refused]

    def _put(self, events: Sequence[Event]) -> Sequence[BaseException | None]:
        entries = [
            {"Source": SOURCE, "DetailType": event.type, "Detail": event.body, "EventBusName": self._bus_name}
            for event in events
        ]
        results = self._bus.put_events(Entries=entries)["Entries"]
        return [Unpublished("the event bus refused an event") if "ErrorCode" in each else None for each in results]

    def _queue(self, events: Sequence[Event]) -> Sequence[BaseException | None]:
        refused = self._enqueue([event.body for event in events]) if self._enqueue else ()
        return [Unpublished("the queue refused an event") if place in refused else None for place in range(len(events))]
